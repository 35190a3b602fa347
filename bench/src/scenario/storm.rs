//! `storm`: how fast connections are made, and how fast they are made and closed.

use std::time::Duration;

use super::{Attendance, RunError, Scene, TICK, gather, nanoseconds};
use crate::client::{Ending, Handler, Then};
use crate::clock::SECOND;
use crate::crowd::Crowd;
use crate::options::Options;
use crate::progress::Progress;
use crate::report::{self, Latencies, Outcome, Phase, Report, Server};
use crate::usage::{Meter, Process};

/// How long connections that are closing at the end may take.
const LAST_GOODBYES: u64 = 5 * SECOND;

pub(super) fn run(
    options: &Options,
    clients: usize,
    churn: Duration,
    server: Option<Process>,
) -> Result<Report, RunError> {
    let progress = Progress::new();
    let mut crowd = Crowd::new(&options.targets, options.insecure, clients + options.concurrency)?;
    let mut storm = Storm::default();
    let resident_before = server.and_then(Process::resident_kib);

    let meter = Meter::start(server, crowd.now());
    gather(&mut crowd, &mut storm, options, &vec![None; clients], &progress)?;
    let usage = meter.stop(crowd.now());
    let connect = Phase::new(storm.attendance.ready as u64, &storm.latencies, &usage);
    let process = server.map(|server| Server {
        pid: server.pid(),
        resident_kib_before: resident_before.unwrap_or(0),
        resident_kib_after: server.resident_kib().unwrap_or(0),
        threads: server.threads().unwrap_or(0),
        switches: None,
        switches_each: None,
    });

    let mut failures = Vec::new();
    let unmade = clients - storm.attendance.ready;
    if unmade > 0 {
        failures.push(format!(
            "{unmade} of {clients} connections not made; {}",
            storm.attendance.first_reason()
        ));
    }
    let churned = if churn.is_zero() || unmade > 0 {
        None
    } else {
        let slots = clients..clients + options.concurrency;
        Some(storm.churn(&mut crowd, slots, nanoseconds(churn), server, &progress)?)
    };
    if unmade == 0 {
        failures.extend(storm.attendance.failure());
    }
    let outcome = report::Storm { connect, churn: churned, lost: storm.attendance.lost as u64 };
    Ok(Report {
        scenario: "storm",
        url: options.url(),
        clients,
        clean: failures.is_empty(),
        failures,
        outcome: Outcome::Storm(outcome),
        server: process,
    })
}

/// Connections being made.
#[derive(Debug, Default)]
struct Storm {
    attendance: Attendance,
    latencies: Latencies,
    /// Whether clients leave as soon as they have their welcome.
    is_churning: bool,
    is_over: bool,
    /// Connections that were opened and closed within the time.
    cycles: u64,
    /// Slots whose connection has ended.
    vacant: Vec<usize>,
}

impl Storm {
    /// Connects and closes, with one connection at a time in each of `slots`.
    fn churn(
        &mut self,
        crowd: &mut Crowd,
        slots: std::ops::Range<usize>,
        length: u64,
        server: Option<Process>,
        progress: &Progress,
    ) -> Result<Phase, RunError> {
        self.is_churning = true;
        self.latencies = Latencies::default();
        self.vacant = slots.clone().collect();
        let begin = crowd.now();
        let meter = Meter::start(server, begin);
        let until = begin + length;
        let mut next_tick = begin;
        loop {
            let now = crowd.now();
            if now >= until {
                break;
            }
            if now >= next_tick {
                let what = format!("churning: {} connections", self.cycles);
                progress.show(now - begin, length, &what);
                next_tick = now + TICK;
            }
            while let Some(slot) = self.vacant.pop() {
                crowd.open(slot, slot, None)?;
            }
            crowd.turn(next_tick.min(until), self)?;
        }
        self.is_over = true;
        let usage = meter.stop(crowd.now());
        while self.vacant.len() < slots.len() && crowd.now() < until + LAST_GOODBYES {
            crowd.turn(until + LAST_GOODBYES, self)?;
        }
        if self.vacant.len() < slots.len() {
            let left = slots.len() - self.vacant.len();
            self.attendance.note(Ending::Lost(format!("{left} connections were never closed")));
        }
        Ok(Phase::new(self.cycles, &self.latencies, &usage))
    }
}

impl Handler for Storm {
    fn ready(&mut self, _: usize, opened_at: u64, now: u64) -> Then {
        if self.is_churning {
            return Then::Leave;
        }
        self.attendance.ready += 1;
        self.latencies.record(now - opened_at);
        Then::Stay
    }

    fn text(&mut self, _: usize, _: &[u8], _: u64, _: &mut Vec<u8>) {}

    fn gone(&mut self, slot: usize, ending: Ending, opened_at: u64, now: u64) {
        if matches!(ending, Ending::Left) && !self.is_over {
            self.cycles += 1;
            self.latencies.record(now - opened_at);
        }
        self.attendance.note(ending);
        self.vacant.push(slot);
    }
}

impl Scene for Storm {
    fn attendance(&self) -> &Attendance {
        &self.attendance
    }
}
