//! `idle`: the memory of clients that do nothing.

use std::time::Duration;

use super::{Attendance, RunError, Scene, TICK, all_ready, gather, nanoseconds, settle};
use crate::client::{Ending, Handler, Then};
use crate::clock::SECOND;
use crate::crowd::Crowd;
use crate::options::Options;
use crate::progress::Progress;
use crate::report::{self, Outcome, Report, Server};
use crate::usage::{KernelMemory, Meter, Process, float};

pub(super) fn run(
    options: &Options,
    clients: usize,
    rooms: u32,
    rest: Duration,
    server: Option<Process>,
) -> Result<Report, RunError> {
    let progress = Progress::new();
    let mut crowd = Crowd::new(&options.targets, options.insecure, clients)?;
    let mut idle = Idle::default();
    let entered = rooms_of(clients, rooms);

    let resident_before = server.and_then(Process::resident_kib);
    let kernel_before = KernelMemory::now();
    gather(&mut crowd, &mut idle, options, &entered, &progress)?;
    all_ready(&idle.attendance, clients)?;
    let setup = crowd.now();
    settle(&mut crowd, &mut idle, |idle| idle.last_event)?;

    let begin = crowd.now();
    let meter = Meter::start(server, begin);
    let until = begin + nanoseconds(rest);
    while crowd.now() < until {
        let now = crowd.now();
        progress.show(now - begin, until - begin, "resting");
        crowd.turn((now + TICK).min(until), &mut idle)?;
    }
    let resting = meter.stop(crowd.now()).server;
    let resident_after = server.and_then(Process::resident_kib);
    let count = float(clients as u64);
    let kernel_per_client = KernelMemory::now().since(kernel_before, count);

    let failures: Vec<_> = idle.attendance.failure().into_iter().collect();
    let outcome = report::Idle {
        rooms,
        setup_seconds: float(setup) / float(SECOND),
        resident_kib_per_client: resident_after
            .zip(resident_before)
            .map(|(after, before)| (float(after) - float(before)) / count),
        kernel_per_client,
        resting,
        lost: idle.attendance.lost as u64,
    };
    Ok(Report {
        scenario: "idle",
        url: options.url(),
        clients,
        clean: failures.is_empty(),
        failures,
        outcome: Outcome::Idle(outcome),
        server: server.map(|server| about(server, resident_before, resident_after)),
    })
}

/// The room that each client enters: evenly spread over `rooms`, or none.
fn rooms_of(clients: usize, rooms: u32) -> Vec<Option<u32>> {
    if rooms == 0 {
        return vec![None; clients];
    }
    (1..=rooms).cycle().take(clients).map(Some).collect()
}

/// The server's process in the report.
fn about(server: Process, before: Option<u64>, after: Option<u64>) -> Server {
    Server {
        pid: server.pid(),
        resident_kib_before: before.unwrap_or(0),
        resident_kib_after: after.unwrap_or(0),
        threads: server.threads().unwrap_or(0),
        switches: None,
        switches_each: None,
    }
}

/// Idle clients.
#[derive(Debug, Default)]
struct Idle {
    attendance: Attendance,
    /// When the last frame arrived.
    last_event: u64,
}

impl Handler for Idle {
    fn ready(&mut self, _: usize, _: u64, _: u64) -> Then {
        self.attendance.ready += 1;
        Then::Stay
    }

    fn text(&mut self, _: usize, _: &[u8], now: u64, _: &mut Vec<u8>) {
        self.last_event = now;
    }

    fn gone(&mut self, _: usize, ending: Ending, _: u64, _: u64) {
        self.attendance.note(ending);
    }
}

impl Scene for Idle {
    fn attendance(&self) -> &Attendance {
        &self.attendance
    }
}
