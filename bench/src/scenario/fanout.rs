//! `fanout` and `pingpong`: clients in rooms, some of which send.

use std::collections::VecDeque;

use super::{Attendance, RunError, Scene, TICK, all_ready, gather, nanoseconds, settle};
use crate::client::{self, Ending, Handler, Then};
use crate::clock::{MICROSECOND, MILLISECOND, SECOND};
use crate::crowd::Crowd;
use crate::ledger::{Account, Ledger};
use crate::marker::{Finder, Template};
use crate::options::{self, Options, Pace};
use crate::progress::Progress;
use crate::report::{self, Latencies, Outcome, Phase, Report, Server};
use crate::usage::{self, Meter, Process, Switches, Usage, float};

/// When sending stops, the drain ends after this time without a delivery.
const DRAIN_QUIET: u64 = 2 * SECOND;
const DRAIN_AT_MOST: u64 = 15 * SECOND;

/// Waits for duplicates after all deliveries have arrived.
const LINGER: u64 = 200 * MILLISECOND;

pub(super) fn run(
    options: &Options,
    fanout: &options::Fanout,
    server: Option<Process>,
) -> Result<Report, RunError> {
    let progress = Progress::new();
    let mut crowd = Crowd::new(&options.targets, options.insecure, fanout.clients)?;
    let mut traffic = Traffic::new(fanout, &crowd);
    let resident_before = server.and_then(Process::resident_kib);
    let rooms: Vec<_> = traffic.room_of.iter().map(|room| Some(room + 1)).collect();
    gather(&mut crowd, &mut traffic, options, &rooms, &progress)?;
    all_ready(&traffic.attendance, fanout.clients)?;
    let setup = crowd.now();
    settle(&mut crowd, &mut traffic, |traffic| traffic.last_event)?;

    let switches_before = server.and_then(Process::switches);
    let usage = traffic.flow(&mut crowd, fanout, server, &progress)?;
    traffic.drain(&mut crowd, &progress)?;
    let switches_after = server.and_then(Process::switches);

    let account = traffic.ledger.account();
    let failures = traffic.failures(&account);
    let switches = switches_after.zip(switches_before).map(|(after, before)| after.since(before));
    Ok(Report {
        scenario: fanout.name,
        url: options.url(),
        clients: fanout.clients,
        clean: failures.is_empty(),
        failures,
        outcome: Outcome::Fanout(traffic.into_outcome(fanout, account, setup, &usage)),
        server: server.map(|server| Server {
            pid: server.pid(),
            resident_kib_before: resident_before.unwrap_or(0),
            resident_kib_after: server.resident_kib().unwrap_or(0),
            threads: server.threads().unwrap_or(0),
            switches_each: switches.map(|switches: Switches| {
                usage::share(float(switches.sum()), float(account.received))
            }),
            switches,
        }),
    })
}

/// The messages between the clients.
#[derive(Debug)]
struct Traffic {
    attendance: Attendance,
    /// The room, from 0, of each client.
    room_of: Vec<u32>,
    ledger: Ledger,
    finder: Finder,
    template: Template,
    /// The messages in flight that each sender may have; 0 with `--rate`.
    window: u32,
    /// The most messages that each sender sends.
    messages: u32,
    /// Up to which sequence number each client has received its own messages.
    answered: Vec<u32>,
    /// With `--rate`: when each sender sends next. All intervals are equal, so the queue stays sorted.
    schedule: VecDeque<(u64, usize)>,
    interval: u64,
    latest_send: u64,
    is_sending: bool,
    is_measuring: bool,
    measured: u64,
    latencies: Latencies,
    /// When the last frame without a marker arrived.
    last_event: u64,
    refused: u64,
    refusal: Option<String>,
}

impl Traffic {
    fn new(fanout: &options::Fanout, crowd: &Crowd) -> Self {
        let rooms = fanout.rooms;
        let room_of: Vec<u32> = (0..rooms).cycle().take(fanout.clients).collect();
        // The run's number only has to differ from that of the previous run on the same server.
        let [low, high, ..] = (u64::from(std::process::id()) ^ crowd.now()).to_le_bytes();
        Self {
            attendance: Attendance::default(),
            ledger: Ledger::new(u16::from_le_bytes([low, high]), &room_of),
            finder: Finder::default(),
            template: Template::new(fanout.payload),
            window: if let Pace::Window(window) = fanout.pace { window } else { 0 },
            messages: fanout.messages.unwrap_or(u32::MAX),
            answered: vec![0; fanout.clients],
            schedule: VecDeque::new(),
            interval: 0,
            latest_send: 0,
            is_sending: false,
            is_measuring: false,
            measured: 0,
            latencies: Latencies::default(),
            last_event: 0,
            refused: 0,
            refusal: None,
            room_of,
        }
    }

    /// Sends messages: first the warm-up, then the measured part.
    fn flow(
        &mut self,
        crowd: &mut Crowd,
        fanout: &options::Fanout,
        server: Option<Process>,
        progress: &Progress,
    ) -> Result<Usage, RunError> {
        let begin = crowd.now();
        // Clients are spread over the rooms in turn, so the first ones include the senders of every room.
        let senders = fanout.senders * fanout.rooms as usize;
        self.is_sending = true;
        match fanout.pace {
            Pace::Window(_) => {
                for slot in 0..senders {
                    crowd.send(slot, self, |traffic, out| traffic.refill(slot, begin, out));
                }
            }
            Pace::Rate(rate) => self.plan(rate, fanout.senders, senders, begin),
        }
        let measure_from = begin + nanoseconds(fanout.warmup);
        self.drive(crowd, senders, begin, measure_from, "warming up", progress)?;

        let now = crowd.now();
        let meter = Meter::start(server, now);
        self.is_measuring = true;
        let until = now + nanoseconds(fanout.measure);
        self.drive(crowd, senders, now, until, "measuring", progress)?;
        self.is_measuring = false;
        self.is_sending = false;
        Ok(meter.stop(crowd.now()))
    }

    /// Spreads the senders' first messages evenly over the interval at which each sends.
    // Rates are positive, and an interval that does not fit saturates.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn plan(&mut self, rate: f64, senders_per_room: usize, senders: usize, begin: u64) {
        self.interval = (float(SECOND) * float(senders_per_room as u64) / rate) as u64;
        let count = senders as u64;
        self.schedule = (0..senders)
            .map(|slot| (begin + self.interval.saturating_mul(slot as u64) / count, slot))
            .collect();
    }

    /// Runs until the given time, or until every sender has sent all its messages.
    fn drive(
        &mut self,
        crowd: &mut Crowd,
        senders: usize,
        begin: u64,
        until: u64,
        what: &str,
        progress: &Progress,
    ) -> Result<(), RunError> {
        let mut next_tick = begin;
        let received_before = self.ledger.account().received;
        loop {
            let now = crowd.now();
            if now >= next_tick {
                let received = self.ledger.account().received - received_before;
                let rate = usage::share(float(received) * float(SECOND), float(now - begin));
                let what = format!("{what}: {rate:.0} deliveries/s");
                progress.show(now - begin, until - begin, &what);
                next_tick = now + TICK;
                if (0..senders).all(|slot| self.ledger.sent_by(slot) >= self.messages) {
                    return Ok(());
                }
            }
            if now >= until {
                return Ok(());
            }
            self.send_due(crowd);
            let due = self.schedule.front().map_or(u64::MAX, |(due, _)| *due);
            crowd.turn(due.min(until).min(next_tick), self)?;
        }
    }

    fn send_due(&mut self, crowd: &mut Crowd) {
        let now = crowd.now();
        while let Some(&(due, slot)) = self.schedule.front()
            && due <= now
        {
            self.schedule.pop_front();
            if self.ledger.sent_by(slot) < self.messages {
                self.schedule.push_back((due.saturating_add(self.interval), slot));
                if self.is_measuring {
                    self.latest_send = self.latest_send.max(now - due);
                }
                crowd.send(slot, self, |traffic, out| traffic.push(slot, due, out));
            }
        }
    }

    /// Waits for the deliveries in flight.
    fn drain(&mut self, crowd: &mut Crowd, progress: &Progress) -> Result<(), RunError> {
        let begin = crowd.now();
        let (mut received, mut since) = (self.ledger.account().received, begin);
        let mut complete_at = None;
        loop {
            let now = crowd.now();
            let account = self.ledger.account();
            if account.received > received {
                (received, since) = (account.received, now);
            }
            if account.missing == 0 {
                complete_at.get_or_insert(now);
            }
            let is_over = complete_at.is_some_and(|at| now >= at + LINGER)
                || now >= since + DRAIN_QUIET
                || now >= begin + DRAIN_AT_MOST;
            if is_over {
                return Ok(());
            }
            let what = format!("waiting for {} deliveries", account.missing);
            progress.show(account.received, account.expected, &what);
            let next_look = now + TICK / 10;
            while crowd.now() < next_look {
                crowd.turn(next_look, self)?;
            }
        }
    }

    /// Sends as many messages as the window allows.
    fn refill(&mut self, slot: usize, now: u64, out: &mut Vec<u8>) {
        while self.is_sending {
            let sent = self.ledger.sent_by(slot);
            if sent >= self.messages || sent - self.answered[slot] >= self.window {
                return;
            }
            self.push(slot, now, out);
        }
    }

    fn push(&mut self, slot: usize, due: u64, out: &mut Vec<u8>) {
        let marker = self.ledger.send(slot, due);
        self.template.push(out, marker);
    }

    /// Handles a frame without a marker. Entering and leaving are ignored.
    #[cold]
    fn take_event(&mut self, payload: &[u8], now: u64) {
        self.last_event = now;
        if client::starts(payload, "text") {
            self.ledger.note_unknown();
        } else if client::starts(payload, "error") {
            self.refused += 1;
            self.refusal.get_or_insert_with(|| String::from_utf8_lossy(payload).into_owned());
        }
    }

    fn failures(&self, account: &Account) -> Vec<String> {
        let Account { missing, duplicated, misrouted, out_of_order, unknown, .. } = *account;
        let mut failures: Vec<_> = [
            (missing, "missing"),
            (duplicated, "duplicated"),
            (misrouted, "misrouted"),
            (out_of_order, "out of order"),
            (unknown, "unknown"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} deliveries {what}"))
        .collect();
        if let Some(refusal) = &self.refusal {
            failures.push(format!("{} requests refused; the first: {refusal}", self.refused));
        }
        failures.extend(self.attendance.failure());
        failures
    }

    fn into_outcome(
        self,
        fanout: &options::Fanout,
        account: Account,
        setup: u64,
        usage: &Usage,
    ) -> report::Fanout {
        let (rate_per_room, window) = match fanout.pace {
            Pace::Rate(rate) => (Some(rate), None),
            Pace::Window(window) => (None, Some(window)),
        };
        report::Fanout {
            rooms: fanout.rooms,
            senders_per_room: fanout.senders,
            rate_per_room,
            window,
            payload_bytes: fanout.payload,
            setup_seconds: float(setup) / float(SECOND),
            traffic: Phase::new(self.measured, &self.latencies, usage),
            account,
            refused: self.refused,
            lost: self.attendance.lost as u64,
            latest_send_micros: rate_per_room.map(|_| float(self.latest_send) / float(MICROSECOND)),
        }
    }
}

impl Handler for Traffic {
    fn ready(&mut self, _: usize, _: u64, _: u64) -> Then {
        self.attendance.ready += 1;
        Then::Stay
    }

    #[inline]
    fn text(&mut self, slot: usize, payload: &[u8], now: u64, out: &mut Vec<u8>) {
        let Some(raw) = self.finder.find(payload) else { return self.take_event(payload, now) };
        let Some(delivery) = self.ledger.deliver(slot, raw) else { return };
        if self.is_measuring {
            self.measured += 1;
            self.latencies.record(now.saturating_sub(delivery.sent_at));
        }
        if delivery.sender as usize == slot && self.window > 0 {
            // A lost message must not block its sender for ever.
            let answered = &mut self.answered[slot];
            *answered = (*answered).max(delivery.sequence + 1);
            self.refill(slot, now, out);
        }
    }

    fn gone(&mut self, _: usize, ending: Ending, _: u64, _: u64) {
        self.attendance.note(ending);
    }
}

impl Scene for Traffic {
    fn attendance(&self) -> &Attendance {
        &self.attendance
    }
}
