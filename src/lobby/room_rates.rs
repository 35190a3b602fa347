//! How much each room may be told in a second, so that its members on slow lines can follow.
//!
//! When a room comes near its rate, those who have said most lately are refused first, and those who have
//! just come.

use std::collections::HashMap;
use std::time::Duration;

use crate::chat::RoomId;
use crate::pace::{Pace, SHARE_LIFETIME, TokenBucket, Told, as_f64};

/// How many seconds' worth a room may be told at once after a pause.
const BURST_SECONDS: f64 = 4.0;

/// This part of the burst is left to those who have said little.
const RESERVE: f64 = 0.4;

/// A session that is younger than this may use only a part of the reserve: otherwise one who connects anew
/// for each message would always have said little.
const NEWCOMER: Duration = Duration::from_secs(10);

/// A session that takes this part of the rate may use none of the reserve, nor may all sessions of a
/// network that together take twice that.
const FULL_SHARE: f64 = 1.0 / 8.0;

/// The rates of the rooms.
#[derive(Debug)]
pub(super) struct RoomRates {
    /// 0 is no limit.
    bytes_per_second: f64,
    buckets: HashMap<RoomId, TokenBucket>,
    /// At this number of buckets, the full ones are dropped.
    sweep_at: usize,
}

impl RoomRates {
    /// A rate of 0 is no limit.
    pub(super) fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second, buckets: HashMap::new(), sweep_at: 0 }
    }

    pub(super) fn set_rate(&mut self, bytes_per_second: f64) {
        *self = Self::new(bytes_per_second);
    }

    /// Counts a message of `bytes` for `room`, or returns the time until its author may send it.
    pub(super) fn take(
        &mut self,
        room: RoomId,
        author: &Pace,
        bytes: usize,
        now: Duration,
    ) -> Result<(), Duration> {
        let reserved = self.reserved_from(author);
        let cost = as_f64(bytes);
        if let Some(bucket) = self.bucket(room, now) {
            let wait = bucket.wait(cost + reserved, now);
            if !wait.is_zero() {
                return Err(wait);
            }
            bucket.charge(cost, now);
            author.note_told(bytes);
        }
        Ok(())
    }

    /// Counts what the room is told in any case.
    pub(super) fn charge(&mut self, room: RoomId, bytes: usize, now: Duration) {
        if let Some(bucket) = self.bucket(room, now) {
            bucket.charge(as_f64(bytes), now);
        }
    }

    /// The part of the burst that this author may not use.
    fn reserved_from(&self, author: &Pace) -> f64 {
        if self.bytes_per_second == 0.0 {
            return 0.0;
        }
        let Told { by_session, by_networks, age } = author.told();
        let full_share = FULL_SHARE * self.bytes_per_second * SHARE_LIFETIME.as_secs_f64();
        let newness = 1.0 - age.as_secs_f64() / NEWCOMER.as_secs_f64();
        let share = (by_session / full_share).max(by_networks / (2.0 * full_share)).max(newness);
        share.min(1.0) * RESERVE * self.burst()
    }

    fn burst(&self) -> f64 {
        BURST_SECONDS * self.bytes_per_second
    }

    fn bucket(&mut self, room: RoomId, now: Duration) -> Option<&mut TokenBucket> {
        if self.bytes_per_second == 0.0 {
            return None;
        }
        self.sweep(now);
        let (per_second, burst) = (self.bytes_per_second, self.burst());
        Some(self.buckets.entry(room).or_insert_with(|| TokenBucket::new(per_second, burst, now)))
    }

    /// Now and then drops the buckets that are as good as new.
    fn sweep(&mut self, now: Duration) {
        const MIN_SWEEP: usize = 256;
        if self.buckets.len() >= self.sweep_at.max(MIN_SWEEP) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            // Doubling spreads the cost of a sweep over many messages.
            self.sweep_at = 2 * self.buckets.len();
        }
    }
}

#[cfg(test)]
mod tests;
