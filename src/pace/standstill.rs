//! Notices that the whole process has stood still: it was stopped by a signal, or the machine was asleep.
//!
//! A thread beats every second. When it has not for longer, what clients have sent meanwhile is waiting, and
//! comes all at once. That is no haste of theirs, so their paces allow for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The time between two beats.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// A longer time without a beat is a standstill. A busy machine delays a beat by less.
const STANDSTILL: Duration = Duration::from_secs(3);

/// A standstill is made up for until then, or for as long as it has lasted.
const MEMORY: Duration = Duration::from_secs(10);

/// How much of a standstill is made up for at most.
const MAX_STANDSTILL: Duration = Duration::from_secs(10 * 60);

/// A time in which the process did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standstill {
    /// They count from 1.
    pub(crate) number: u64,
    pub(crate) length: Duration,
    pub(crate) ended: Duration,
}

/// The time of the last beat, and the last standstill. All times count from the same moment.
#[derive(Debug, Default)]
pub(super) struct Beats {
    last_beat_ms: AtomicU64,
    last: Mutex<Option<Standstill>>,
}

impl Beats {
    /// To be called every [`BEAT`]. Returns the standstill before it, if there was one.
    pub(super) fn beat(&self, now: Duration) -> Option<Standstill> {
        let standstill = self.look(now);
        self.last_beat_ms.store(millis(now).max(1), Ordering::Relaxed);
        standstill
    }

    /// The standstill that has to be made up for now. Any thread may be the first to run again.
    pub(super) fn standstill(&self, now: Duration) -> Option<Standstill> {
        let found = self.look(now);
        let last = found.or(*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        (now.saturating_sub(last.ended) <= last.length.max(MEMORY)).then_some(last)
    }

    fn look(&self, now: Duration) -> Option<Standstill> {
        let last_beat = Duration::from_millis(self.last_beat_ms.load(Ordering::Relaxed));
        // Before the first beat, nothing is known.
        if last_beat.is_zero() || now.saturating_sub(last_beat) <= STANDSTILL {
            return None;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread has noted it.
        if let Some(known) = *last
            && known.ended >= last_beat
        {
            return Some(known);
        }
        let number = last.map_or(0, |last| last.number) + 1;
        let length = now.saturating_sub(last_beat).min(MAX_STANDSTILL);
        *last = Some(Standstill { number, length, ended: now });
        *last
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_gap_between_beats_is_a_standstill_whoever_looks_first() {
        for looks_first in [false, true] {
            let beats = Beats::default();
            assert_eq!(
                beats.standstill(seconds(100)),
                None,
                "nothing is known before the first beat"
            );
            for second in 100..110 {
                assert_eq!(beats.beat(seconds(second)), None);
            }
            assert_eq!(beats.standstill(seconds(112)), None);
            if looks_first {
                assert_eq!(beats.standstill(seconds(174)).unwrap().length, seconds(65));
            }
            assert_eq!(beats.beat(seconds(174)).unwrap().number, 1);
            let found = beats.standstill(seconds(175)).unwrap();
            assert_eq!((found.number, found.length), (1, seconds(65)));
            assert_eq!(beats.beat(seconds(175)), None);
        }
    }

    #[test]
    fn a_standstill_is_forgotten_and_the_next_one_is_another() {
        let beats = Beats::default();
        beats.beat(seconds(1));
        beats.beat(seconds(21));
        assert!(beats.standstill(seconds(22)).is_some());
        for second in 22..100 {
            beats.beat(seconds(second));
        }
        assert_eq!(beats.standstill(seconds(99)), None);
        assert_eq!(beats.beat(seconds(110)).unwrap().number, 2);
    }
}
