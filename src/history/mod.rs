//! What rooms remember: an ordered record of what was said, and what brings the chat back after a
//! restart.
//!
//! Two backends keep it, in memory and in a file, and pass the same contract tests. The dispatcher's
//! thread owns the [`History`] and commits each tick to it before anything of that tick is delivered;
//! readers have a [`Reader`] of their own and never make the dispatcher wait. A file also takes
//! [`Upkeep`], on a thread of its own. Which thread that is, and what is said to clients when nothing
//! can be kept, is left to the server and its dispatcher.

mod error;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(test)]
mod contract_test;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::chat::{Memo, Position, RoomId, Said, Stored};
use crate::settings::Durability;

pub use error::HistoryError;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Upkeep;

/// Where a history lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process: it ends with it.
    Memory,
    /// In a file, which is made if there is none. The folder must exist.
    File { path: PathBuf, durability: Durability },
}

/// How much is kept: each field is a limit.
#[allow(clippy::struct_field_names)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// Events for each room; 0: none.
    pub(crate) max_events: u64,
    /// `None`: for ever.
    pub(crate) max_age: Option<Duration>,
    /// What the backend in memory may hold in all rooms together, in bytes (counted as in
    /// [`Reader::since`]).
    pub(crate) max_memory_bytes: usize,
}

/// A history that is ready for use.
pub(crate) struct Opened {
    /// Within an epoch a `seq` of a room stands for one event for ever.
    pub(crate) epoch: String,
    pub(crate) remembered: Stored,
    pub(crate) history: Box<dyn History>,
    pub(crate) reader: Box<dyn Reader>,
    /// For a thread of its own, if there is any to do.
    pub(crate) upkeep: Option<Upkeep>,
}

/// What a tick leaves behind: kept as a whole or not at all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch<'a> {
    /// In the order of their rooms' `seq`. A room is remembered before something is said in it, by a
    /// memo of this batch at the latest; what is said elsewhere is lost.
    pub(crate) said: &'a [(RoomId, &'a Said)],
    /// In their order: a later one replaces an earlier one of the same thing. A session is remembered
    /// before something is said with a reference by it, as a room is.
    pub(crate) memos: &'a [Memo],
}

/// Where a tick is kept. For the dispatcher's thread. Dropping it ends it in good order.
pub(crate) trait History: Send {
    /// Keeps the batch for good, or nothing of it.
    ///
    /// After an error the history can be used as before, and keeps what it is given as soon as the
    /// cause has gone. Each `seq` of the failed batch is used again, and its memos are to be handed
    /// over again, with the next one.
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError>;
}

/// Where what was said is found again. What has been committed before a call is seen by it. A room
/// that is not remembered has nothing.
pub(crate) trait Reader: Send {
    /// What was said in `room` after `after`, up to and with `upto`, ascending. Where that takes more
    /// than `max_bytes` (of texts, names and references, and 128 for each event besides), the newest
    /// of it that does not, but one at least.
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

/// Opens the history at `place`, a new one if there is none.
///
/// A file is opened as the user who goes on to use it: SQLite makes further files beside it.
pub(crate) fn open(place: &Place, retention: Retention) -> Result<Opened, HistoryError> {
    match place {
        Place::Memory => Ok(memory::open(retention)),
        #[cfg(feature = "sqlite")]
        Place::File { path, durability } => {
            let (remembered, keeper, reader, upkeep) = sqlite::open(path, *durability, retention)?;
            Ok(Opened {
                epoch: keeper.epoch().to_owned(),
                remembered,
                history: Box::new(keeper),
                reader: Box::new(reader),
                upkeep: Some(upkeep),
            })
        }
        #[cfg(not(feature = "sqlite"))]
        Place::File { path, .. } => Err(HistoryError::new(
            path,
            "cannot be used: this wschat was built without the feature `sqlite`",
            "build it with that feature, or set the history's file to null",
        )),
    }
}

/// There is none without a file.
#[cfg(not(feature = "sqlite"))]
#[derive(Debug)]
pub(crate) enum Upkeep {}

#[cfg(not(feature = "sqlite"))]
impl Upkeep {
    pub(crate) fn run(self, _stop: &crossbeam_channel::Receiver<()>) {
        match self {}
    }
}

/// The newest of `newest_first` that fit into `max_bytes`, but one at least; ascending. And whether
/// something did not fit.
fn fit<E>(
    newest_first: impl Iterator<Item = Result<Said, E>>,
    max_bytes: usize,
) -> Result<(Vec<Said>, bool), E> {
    let mut found = Vec::new();
    let mut bytes = 0_usize;
    let mut is_cut = false;
    for said in newest_first {
        let said = said?;
        bytes = bytes.saturating_add(said.weight());
        if bytes > max_bytes && !found.is_empty() {
            is_cut = true;
            break;
        }
        found.push(said);
    }
    found.reverse();
    Ok((found, is_cut))
}

/// A name for a new history: 64 random bits in hexadecimal digits.
fn new_epoch() -> String {
    let mut bytes = [0; 8];
    openssl::rand::rand_bytes(&mut bytes).expect("the system has random bytes");
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// What was said before this time (Unix time in milliseconds) is too old to be kept.
fn oldest_kept(max_age: Option<Duration>) -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let oldest = now.saturating_sub(max_age?);
    Some(u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX))
}
