//! The honest people: 20 clients that speak twice a second in one room, and account for every message. A
//! process of its own, with real-time priority, one thread for each.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind, Write as _};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::line::{Chat, Door, Opening, enter};
use crate::visitor;

pub const PEOPLE: usize = 20;
pub const READY: &str = "ready";
pub const ATTACK: &str = "attack";
pub const OVER: &str = "over";

const ROOM: u32 = 1;
const SPEAK_EVERY: Duration = Duration::from_millis(500);
/// Messages that come later than this after the end are missing.
const LAST_ONES: Duration = Duration::from_secs(3);
const RETURN_AFTER: Duration = Duration::from_millis(500);
const BEFORE: Duration = Duration::from_secs(3);
/// What fits into the line of a slow reader at once.
const LINE_BURST: f64 = 65_536.0;

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub door: Door,
    pub seconds: f64,
    pub settle: f64,
    /// How many bytes each reads in a second at most.
    pub line: Option<f64>,
}

/// Latencies from a message to each of its listeners, in milliseconds.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Latency {
    pub count: usize,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// What has happened to the people.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Report {
    pub before: Latency,
    pub during: Latency,
    pub after: Latency,
    /// Connections that were lost.
    pub closed: u32,
    /// Requests and connections that were refused, those of the visitors included.
    pub refused: u32,
    /// Messages that a listener did not get.
    pub missing: u32,
    /// When the slowest of all during the attack was said, in seconds after its beginning.
    pub slowest_at: f64,
    /// How often, for each reason.
    pub reasons: BTreeMap<String, u32>,
}

/// What all threads of the people share.
#[derive(Debug)]
pub struct Shared {
    pub plan: Plan,
    begun: Instant,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    /// Who is in the room, a bit for each.
    present: u32,
    phase: usize,
    attacked_at: Option<Instant>,
    slowest: u32,
    is_over: bool,
    /// By speaker and number.
    messages: HashMap<(usize, u64), Message>,
    /// Microseconds, for each phase.
    latencies: [Vec<u32>; 3],
    report: Report,
}

#[derive(Debug)]
struct Message {
    said_at: Instant,
    phase: usize,
    /// Who has not got it yet.
    awaited: u32,
}

/// Runs the people, tells the phases on standard output, and at last the report.
pub fn run(plan: Plan) -> io::Result<()> {
    let (seconds, settle) = (plan.seconds, plan.settle);
    let ledger = Mutex::default();
    let shared = Arc::new(Shared { plan, begun: Instant::now(), ledger });
    for index in 0..PEOPLE {
        let shared = Arc::clone(&shared);
        thread::spawn(move || shared.person(index));
    }
    while shared.ledger().present.count_ones() as usize != PEOPLE {
        thread::sleep(Duration::from_millis(10));
    }
    tell(READY)?;
    let visitors = Arc::clone(&shared);
    let visitors = thread::spawn(move || visitor::run(&visitors));
    thread::sleep(BEFORE);
    for (phase, word, seconds) in [(1, ATTACK, seconds), (2, OVER, settle)] {
        {
            let mut ledger = shared.ledger();
            ledger.phase = phase;
            ledger.attacked_at.get_or_insert_with(Instant::now);
        }
        tell(word)?;
        thread::sleep(Duration::from_secs_f64(seconds));
    }
    shared.ledger().is_over = true;
    thread::sleep(LAST_ONES);
    let _ = visitors.join();
    tell(&serde_json::to_string(&shared.ledger().close())?)
}

impl Shared {
    pub fn is_over(&self) -> bool {
        self.ledger().is_over
    }

    /// Whether the attack goes on.
    pub fn is_attacked(&self) -> bool {
        self.ledger().phase == 1
    }

    pub fn refused(&self, reason: &str) {
        let report = &mut self.ledger().report;
        report.refused += 1;
        *report.reasons.entry(reason.to_owned()).or_default() += 1;
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of the people, who comes back if the connection is lost.
    fn person(&self, index: usize) {
        let mut session = None;
        let mut number = 0;
        while !self.is_over() {
            match self.come(index, &mut session) {
                Err(error) => self.refused(&format!("connecting: {error}")),
                Ok(chat) => {
                    let error = self.stay(index, &mut number, chat);
                    self.ledger().leave(index, error.err());
                }
            }
            thread::sleep(RETURN_AFTER);
        }
    }

    fn come(&self, index: usize, session: &mut Option<String>) -> io::Result<Chat> {
        let (door, enter) = (&self.plan.door, enter(ROOM));
        let buffer = self.plan.line.map(|_| 64 << 10);
        let opening =
            Opening { session: session.as_deref(), first: &enter, buffer, ..Opening::default() };
        let mut chat = door.open(index, &opening)?;
        *session = Some(chat.session()?);
        chat.until("room")?;
        self.ledger().present |= 1 << index;
        Ok(chat)
    }

    /// Speaks and listens until the end.
    fn stay(&self, index: usize, number: &mut u64, mut chat: Chat) -> io::Result<()> {
        let share = SPEAK_EVERY.mul_f64(f64::from(u32::try_from(index).unwrap_or(0)) / 20.0);
        // Spread evenly, and the same after a return.
        let mut next = self.begun + share;
        while next < Instant::now() {
            next += SPEAK_EVERY;
        }
        let mut line = Allowance::new(self.plan.line);
        loop {
            let now = Instant::now();
            if now >= next {
                next += SPEAK_EVERY;
                if self.speak(index, *number, &mut chat)? {
                    return Ok(());
                }
                *number += 1;
            }
            let Some(most) = line.most(now) else { continue };
            let wait = next.saturating_duration_since(now).max(Duration::from_millis(1));
            chat.line.tcp().set_read_timeout(Some(wait))?;
            match chat.fill(most) {
                Ok(read) => line.spend(read),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            let now = Instant::now();
            while let Some(payload) = chat.take()? {
                self.heard(index, &payload, now);
            }
        }
    }

    /// Returns whether all is over.
    fn speak(&self, index: usize, number: u64, chat: &mut Chat) -> io::Result<bool> {
        {
            let mut ledger = self.ledger();
            if ledger.is_over {
                // Listens on for a while.
                drop(ledger);
                return Ok(self.begun.elapsed() > self.end());
            }
            let (phase, awaited) = (ledger.phase, ledger.present);
            let message = Message { said_at: Instant::now(), phase, awaited };
            ledger.messages.insert((index, number), message);
        }
        chat.say(&format!(
            r#"{{"type":"text","text":"T{index}.{number}.","ref":"{index}.{number}"}}"#
        ))?;
        Ok(false)
    }

    fn end(&self) -> Duration {
        BEFORE + Duration::from_secs_f64(self.plan.seconds + self.plan.settle) + 2 * LAST_ONES
    }

    fn heard(&self, index: usize, payload: &[u8], now: Instant) {
        if let Some(rest) = payload.strip_prefix(br#"{"type":"text","text":"T"#) {
            let mut numbers = rest.split(|&byte| byte == b'.').map_while(number);
            if let (Some(speaker), Some(number)) = (numbers.next(), numbers.next()) {
                let speaker = usize::try_from(speaker).unwrap_or(usize::MAX);
                self.ledger().deliver(index, (speaker, number), now);
            }
        } else if payload.starts_with(br#"{"type":"error""#) {
            let error: Value = serde_json::from_slice(payload).unwrap_or_default();
            self.refused(error["code"].as_str().unwrap_or("error"));
            let reference = error["ref"].as_str().unwrap_or_default();
            let mut numbers = reference.as_bytes().split(|&byte| byte == b'.').map_while(number);
            if let (Some(_), Some(number)) = (numbers.next(), numbers.next()) {
                self.ledger().messages.remove(&(index, number));
            }
        }
    }
}

impl Ledger {
    fn deliver(&mut self, index: usize, key: (usize, u64), now: Instant) {
        let Some(message) = self.messages.get_mut(&key) else { return };
        if message.awaited & 1 << index != 0 {
            message.awaited &= !(1 << index);
            let passed = now.saturating_duration_since(message.said_at).as_micros();
            let passed = u32::try_from(passed).unwrap_or(u32::MAX);
            self.latencies[message.phase].push(passed);
            if message.phase == 1 && passed > self.slowest {
                self.slowest = passed;
                let since =
                    self.attacked_at.map(|at| message.said_at.saturating_duration_since(at));
                self.report.slowest_at = since.unwrap_or_default().as_secs_f64();
            }
        }
    }

    /// What one who is cut off no longer gets does not count as missing: the loss itself counts.
    fn leave(&mut self, index: usize, error: Option<io::Error>) {
        let Some(error) = error else { return };
        self.present &= !(1 << index);
        for message in self.messages.values_mut() {
            message.awaited &= !(1 << index);
        }
        self.report.closed += 1;
        *self.report.reasons.entry(format!("closed: {error}")).or_default() += 1;
    }

    fn close(&mut self) -> Report {
        let mut report = mem::take(&mut self.report);
        report.missing = self.messages.values().map(|message| message.awaited.count_ones()).sum();
        let [before, during, after] = self.latencies.each_mut().map(|all| Latency::of(all));
        Report { before, during, after, ..report }
    }
}

impl Latency {
    fn of(all: &mut [u32]) -> Self {
        all.sort_unstable();
        let at = |per_cent: usize| {
            let index = (all.len() * per_cent / 100).min(all.len().saturating_sub(1));
            all.get(index).map_or(0.0, |&micros| f64::from(micros) / 1e3)
        };
        Self { count: all.len(), p50: at(50), p99: at(99), max: at(100) }
    }
}

/// A token bucket: how much a slow line brings.
#[derive(Debug)]
struct Allowance {
    rate: Option<f64>,
    left: f64,
    seen_at: Instant,
}

impl Allowance {
    fn new(rate: Option<f64>) -> Self {
        Self { rate, left: LINE_BURST, seen_at: Instant::now() }
    }

    /// How much may be read now. Waits a little, and returns nothing, if the line is full.
    fn most(&mut self, now: Instant) -> Option<usize> {
        let Some(rate) = self.rate else { return Some(64 << 10) };
        let passed = now.saturating_duration_since(self.seen_at).as_secs_f64();
        self.left = (self.left + passed * rate).min(LINE_BURST);
        self.seen_at = now;
        if self.left < 1_500.0 {
            thread::sleep(Duration::from_millis(1));
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 1,500 to 65,536
        Some(self.left as usize)
    }

    fn spend(&mut self, bytes: usize) {
        self.left -= f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn tell(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_missing_until_all_who_were_present_have_them() {
        let mut ledger = Ledger { present: 0b111, ..Ledger::default() };
        let said_at = Instant::now();
        ledger.messages.insert((0, 1), Message { said_at, phase: 1, awaited: ledger.present });
        ledger.deliver(0, (0, 1), said_at + Duration::from_millis(2));
        ledger.deliver(0, (0, 1), said_at + Duration::from_millis(9));
        ledger.leave(1, Some(ErrorKind::UnexpectedEof.into()));
        let report = ledger.close();
        assert_eq!((report.missing, report.closed, report.during.count), (1, 1, 1));
        assert!((report.during.max - 2.0).abs() < 0.01, "{}", report.during.max);
    }

    #[test]
    fn a_line_brings_what_its_rate_allows() {
        let mut line = Allowance::new(Some(10_000.0));
        let begun = line.seen_at;
        line.spend(65_536);
        assert_eq!(line.most(begun + Duration::from_millis(100)), None);
        assert_eq!(line.most(begun + Duration::from_millis(200)), Some(2_000));
    }
}
