//! What the server counts for `GET /metrics`. Written by the threads where it happens, read by those of the admin
//! listener.
//!
//! A counter is one relaxed atomic. What the dispatcher counts has cache lines of its own, is written by it alone,
//! and only once a tick, so it costs nothing that can be measured; a crate for metrics would bring its own
//! crates, locks or hashing to what is a table of numbers known at compile time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::net::admission::NotAdmitted;
use crate::protocol::{CloseReason, ErrorReply};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// How often values were at most as large as each of some bounds. One thread writes it.
#[derive(Debug)]
pub(crate) struct Histogram<const BOUNDS: usize> {
    /// In increasing order, in the unit in which values are observed.
    bounds: [u64; BOUNDS],
    /// The values at most as large as each bound and larger than the one before.
    counts: [Counter; BOUNDS],
    larger: Counter,
    sum: Counter,
}

/// The bounds of lengths of time, in microseconds.
const TIME_BOUNDS: [u64; 13] =
    [10, 25, 50, 100, 250, 1_000, 2_500, 10_000, 25_000, 100_000, 250_000, 1_000_000, 5_000_000];

const INPUT_BOUNDS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) dispatcher: DispatcherMetrics,
    /// WebSockets that were opened.
    pub(crate) connections: Counter,
    endings: [Counter; CloseReason::ALL.len()],
    refusals: [Counter; ErrorReply::CODES.len()],
    turned_away: [Counter; TurnedAway::ALL.len()],
    responses: [Counter; STATUSES.len()],
    /// Reloads that succeeded.
    pub(crate) reloads: Counter,
    /// When the last one did, in Unix milliseconds; 0 is never.
    reloaded_at: AtomicU64,
}

/// What the dispatcher counts, at the end of each tick.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct DispatcherMetrics {
    /// In microseconds.
    pub(crate) tick_lengths: Histogram<{ TIME_BOUNDS.len() }>,
    pub(crate) tick_inputs: Histogram<{ INPUT_BOUNDS.len() }>,
    /// In microseconds.
    pub(crate) commits: Histogram<{ TIME_BOUNDS.len() }>,
    pub(crate) failed_commits: Counter,
    pub(crate) messages: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) sent_bytes: Counter,
}

/// Why a connection did not become a WebSocket for want of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// All places are taken.
    Full,
    /// Its network has too many connections.
    SourceHasTooMany,
    /// Its network connects too often.
    TooFast,
    /// The machine lacks a descriptor, a thread or memory.
    NoResources,
}

/// The statuses of HTTP responses that the server has. The last stands for all others.
pub(crate) const STATUSES: [&str; 11] =
    ["101", "200", "304", "400", "403", "404", "405", "426", "431", "503", "other"];

impl Metrics {
    /// A WebSocket has ended for this reason.
    pub(crate) fn ended(&self, reason: CloseReason) {
        let index = CloseReason::ALL.iter().position(|other| other.name() == reason.name());
        count_at(&self.endings, index);
    }

    /// A request was refused with this code, so many times.
    pub(crate) fn refused(&self, code: &str, times: u64) {
        let index = ErrorReply::CODES.iter().position(|other| *other == code);
        if let Some(counter) = index.and_then(|index| self.refusals.get(index)) {
            counter.add(times);
        }
    }

    pub(crate) fn turned_away(&self, why: TurnedAway) {
        count_at(&self.turned_away, TurnedAway::ALL.iter().position(|other| *other == why));
    }

    /// An HTTP response with this status is sent to a client.
    pub(crate) fn responded(&self, status: &str) {
        let index = STATUSES.iter().position(|other| *other == status);
        count_at(&self.responses, index.or(Some(STATUSES.len() - 1)));
    }

    /// A reload has succeeded at this time, in Unix milliseconds.
    pub(crate) fn reloaded(&self, now: u64) {
        self.reloads.add(1);
        self.reloaded_at.store(now, Ordering::Relaxed);
    }

    /// When a reload last succeeded, in Unix milliseconds.
    pub(crate) fn reloaded_at(&self) -> Option<u64> {
        Some(self.reloaded_at.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    /// Each reason by name, with its number.
    pub(crate) fn endings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CloseReason::ALL
            .iter()
            .map(|reason| reason.name())
            .zip(self.endings.iter().map(Counter::get))
    }

    pub(crate) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ErrorReply::CODES.into_iter().zip(self.refusals.iter().map(Counter::get))
    }

    pub(crate) fn all_turned_away(&self) -> impl Iterator<Item = (&'static str, u64)> {
        TurnedAway::ALL.iter().map(|why| why.name()).zip(self.turned_away.iter().map(Counter::get))
    }

    pub(crate) fn responses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        STATUSES.into_iter().zip(self.responses.iter().map(Counter::get))
    }
}

fn count_at(counters: &[Counter], index: Option<usize>) {
    if let Some(counter) = index.and_then(|index| counters.get(index)) {
        counter.add(1);
    }
}

impl TurnedAway {
    pub(crate) const ALL: [Self; 4] =
        [Self::Full, Self::SourceHasTooMany, Self::TooFast, Self::NoResources];

    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::SourceHasTooMany => "source_has_too_many",
            Self::TooFast => "too_fast",
            Self::NoResources => "no_resources",
        }
    }
}

impl From<NotAdmitted> for TurnedAway {
    fn from(why: NotAdmitted) -> Self {
        match why {
            NotAdmitted::SourceHasTooMany => Self::SourceHasTooMany,
            NotAdmitted::TooFast => Self::TooFast,
            NotAdmitted::Full => Self::Full,
        }
    }
}

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Like [`Counter::add`], where one thread alone writes: without an atomic addition.
    pub(crate) fn add_alone(&self, number: u64) {
        self.0.store(self.get().wrapping_add(number), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<const BOUNDS: usize> Histogram<BOUNDS> {
    fn new(bounds: [u64; BOUNDS]) -> Self {
        let counts = std::array::from_fn(|_| Counter::default());
        Self { bounds, counts, larger: Counter::default(), sum: Counter::default() }
    }

    pub(crate) fn observe(&self, value: u64) {
        let index = self.bounds.iter().position(|bound| value <= *bound);
        index.map_or(&self.larger, |index| &self.counts[index]).add_alone(1);
        self.sum.add_alone(value);
    }

    pub(crate) fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Each bound, and how many values were no larger.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut total = 0;
        self.bounds.iter().zip(&self.counts).map(move |(bound, count)| {
            total += count.get();
            (*bound, total)
        })
    }

    /// How many values were larger than all bounds, and the sum of all.
    pub(crate) fn rest(&self) -> (u64, u64) {
        (self.larger.get(), self.sum.get())
    }
}

impl Default for Histogram<{ TIME_BOUNDS.len() }> {
    fn default() -> Self {
        Self::new(TIME_BOUNDS)
    }
}

impl Default for Histogram<{ INPUT_BOUNDS.len() }> {
    fn default() -> Self {
        Self::new(INPUT_BOUNDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_value_once_and_shows_sums() {
        let histogram = Histogram::new([1, 10]);
        for value in [0, 1, 2, 10, 11, 1_000] {
            histogram.observe(value);
        }
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(1, 2), (10, 4)]);
        assert_eq!(histogram.rest(), (2, 1_024));
    }

    #[test]
    fn each_reason_code_and_status_has_a_counter_of_its_own() {
        let metrics = Metrics::default();
        for reason in CloseReason::ALL {
            metrics.ended(reason);
        }
        metrics.ended(CloseReason::ClosedByClient(Some(1000)));
        for code in ErrorReply::CODES {
            metrics.refused(code, 2);
        }
        for why in TurnedAway::ALL {
            metrics.turned_away(why);
        }
        for status in ["200", "503", "418", "500"] {
            metrics.responded(status);
        }
        let endings: Vec<_> = metrics.endings().collect();
        assert!(
            endings
                .iter()
                .all(|(name, count)| { *count == if *name == "closed_by_client" { 2 } else { 1 } })
        );
        assert!(metrics.refusals().all(|(_, count)| count == 2));
        assert!(metrics.all_turned_away().all(|(_, count)| count == 1));
        let responses: Vec<_> = metrics.responses().filter(|(_, count)| *count > 0).collect();
        assert_eq!(responses, [("200", 1), ("503", 1), ("other", 2)]);
    }
}
