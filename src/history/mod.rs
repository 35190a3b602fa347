//! What rooms remember: an ordered record of what was said, and what brings the chat back after a
//! restart.
//!
//! Two backends keep it, in memory and in a file, and pass the same contract tests. The dispatcher's
//! thread owns the [`History`] and commits each tick to it before anything of that tick is delivered;
//! readers have a [`Reader`] of their own and never make the dispatcher wait.

use std::time::Duration;

use crate::chat::{Memo, Position, Remembered, RoomId, Said};

/// What a tick leaves behind: kept as a whole or not at all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch<'a> {
    /// In the order of their rooms' `seq`.
    pub(crate) said: &'a [(RoomId, &'a Said)],
    /// In their order: a later one replaces an earlier one of the same thing.
    pub(crate) memos: &'a [Memo],
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// Events for each room; 0: none.
    pub(crate) max_events: u64,
    /// `None`: for ever.
    pub(crate) max_age: Option<Duration>,
    /// What the backend in memory may hold in all rooms together, in bytes.
    pub(crate) max_memory_bytes: usize,
}

/// Where a tick is kept. For the dispatcher's thread.
pub(crate) trait History: Send {
    /// Keeps the batch for good, or nothing of it.
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError>;
}

/// Where what was said is found again. What has been committed before a call is seen by it.
pub(crate) trait Reader: Send {
    /// What was said in `room` after `after`, up to and with `upto`, ascending. Where that takes more
    /// than `max_bytes` (of texts, names and references, and 128 for each event besides), the newest of it that
    /// does not, but one at least.
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        upto: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError>;

    /// The newest `limit` events of `room` before `before`, ascending, and whether older ones are
    /// kept. They obey `max_bytes` as in [`since`](Self::since).
    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError>;

    /// One event, if it is still kept.
    fn event(&mut self, position: Position) -> Result<Option<Said>, HistoryError>;
}
