//! What rooms remember: what was said, in order, and what brings the chat back after a restart.
//!
//! There are two backends, memory and a file, and both pass the same contract tests. The dispatcher's
//! thread owns the [`History`] and commits each tick to it before anything of that tick is delivered.
//! A [`HistoryReader`] belongs to another thread and never makes the dispatcher wait. A file also needs
//! [`Upkeep`], on a thread of its own. Starting those threads, and what clients are told when nothing
//! can be saved, is left to the server and its dispatcher.

mod archive;
#[cfg_attr(
    all(not(feature = "sqlite"), not(test)),
    expect(dead_code, reason = "only a file is opened again")
)]
mod clock;
mod error;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(test)]
pub(crate) mod contract_test;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "cluster")]
use crate::chat::Erased;
use crate::chat::{Memo, Position, RoomId, Said, Stored};
use crate::settings::Durability;

pub(crate) use archive::Archive;
#[cfg(feature = "cluster")]
pub(crate) use archive::SharedArchive;
#[cfg(feature = "cluster")]
pub(crate) use clock::{AgeClock, AgeLimit};
pub use error::HistoryError;
pub(crate) use error::{ArchiveError, may_pass};
pub(crate) use memory::MemoryHistory;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Upkeep;
#[cfg(all(feature = "cluster", feature = "sqlite"))]
pub(crate) use sqlite::{NewFile, begin_epoch};

/// Where a history is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// In this process; it is lost when the process ends.
    Memory,
    /// In a file, which is created if there is none. The folder must exist.
    File { path: PathBuf, durability: Durability },
}

/// How much is kept. Each field is a limit.
#[allow(clippy::struct_field_names)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Messages in each room; 0: none.
    pub(crate) max_events: u64,
    /// `None`: no limit.
    pub(crate) max_age: Option<Duration>,
    /// For the backend in memory: bytes in all rooms together, counted as in
    /// [`HistoryReader::since`].
    pub(crate) max_memory_bytes: usize,
    /// For a file: bytes that it uses; 0: no limit.
    pub(crate) max_file_bytes: u64,
    /// For a file: references of all users that a start loads.
    pub(crate) max_references: usize,
}

/// A history that is ready for use.
pub(crate) struct Opened {
    /// Within an epoch, a `seq` of a room never stands for two messages.
    pub(crate) epoch: String,
    pub(crate) remembered: Stored,
    pub(crate) history: Box<dyn History>,
    pub(crate) reader: Box<dyn HistoryReader>,
    /// To be run on a thread of its own; `None` if there is nothing to do.
    pub(crate) upkeep: Option<Upkeep>,
    pub(crate) archive: Archive,
}

/// A whole copy of a history's file. It has no name, and is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Backup {
    pub(crate) file: File,
    pub(crate) bytes: u64,
}

/// What a tick commits: all of it or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch<'a> {
    /// Each room's messages in the order of their `seq`. A room needs a memo first, in this batch at the
    /// latest; a message in any other room is lost.
    pub(crate) said: &'a [(RoomId, &'a Said)],
    /// In order: a later one replaces an earlier one about the same thing. A session needs a memo
    /// before a message has a reference of its user, as a room does.
    pub(crate) memos: &'a [Memo],
}

/// The writing end, for the dispatcher's thread. Dropping it closes it cleanly.
pub(crate) trait History: Send {
    /// Saves all of the batch for good, or nothing of it.
    ///
    /// After an error the history can still be used, and commits succeed again once the cause is fixed.
    /// The caller uses each `seq` of the failed batch again, and repeats its memos in the next one.
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError>;

    /// Changes how much is kept. What is too much now may go later, in small steps.
    fn set_retention(&mut self, retention: Retention);

    /// The chat keeps so many messages in each room from now on. Only a history that nodes share goes by it.
    #[cfg(feature = "cluster")]
    fn set_max_events(&mut self, _max_events: u64) {}

    /// The order of the log says that these messages of `room` are erased. A history of one node alone has erased
    /// them before, through its [`Archive`], and has nothing to do.
    #[cfg(feature = "cluster")]
    fn erase(&mut self, room: RoomId, erased: Erased) {
        let _ = (room, erased);
    }
}

/// The reading end, for one thread. A call sees everything that was committed before it. An unknown
/// room has no messages.
pub(crate) trait HistoryReader: Send {
    /// The messages in `room` after `after`, up to and including `up_to`, oldest first. If they take
    /// more than `max_bytes` (texts, names and references, and 128 for each message), the newest that
    /// fit, but at least one.
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        up_to: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError>;

    /// The newest `limit` messages in `room` before `before`, oldest first, and whether older ones are
    /// kept. `max_bytes` is as in [`since`](Self::since).
    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError>;

    /// The oldest `limit` messages in `room` after `after`, oldest first, and whether newer ones are kept.
    /// If they take more than `max_bytes`, the oldest that fit, but at least one.
    fn after(
        &mut self,
        room: RoomId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError>;

    /// One message, if it is still kept.
    fn message(&mut self, position: Position) -> Result<Option<Said>, HistoryError>;
}

/// Opens the history at `location`, and creates it if there is none.
///
/// Open a file as the user who uses it later on, since SQLite creates further files beside it.
pub(crate) fn open(location: &Location, retention: Retention) -> Result<Opened, HistoryError> {
    match location {
        Location::Memory => {
            let history = MemoryHistory::new(retention);
            Ok(Opened {
                epoch: new_epoch(),
                remembered: Stored::default(),
                history: Box::new(history.clone()),
                reader: Box::new(history.clone()),
                upkeep: None,
                archive: Archive::Memory(history),
            })
        }
        #[cfg(feature = "sqlite")]
        Location::File { path, durability } => {
            let (remembered, writer, reader, upkeep, archive) =
                sqlite::open(path, *durability, retention)?;
            Ok(Opened {
                epoch: writer.epoch().to_owned(),
                remembered,
                history: Box::new(writer),
                reader: Box::new(reader),
                upkeep: Some(upkeep),
                archive: Archive::File(archive),
            })
        }
        #[cfg(not(feature = "sqlite"))]
        Location::File { path, .. } => Err(HistoryError::without_sqlite(path)),
    }
}

/// What [`restore`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The history's file.
    pub file: PathBuf,
    /// Where the file that was there before is kept; `None` if there was none. It can be restored as well.
    pub kept: Option<PathBuf>,
    /// How many messages the history has now.
    pub messages: u64,
    /// When the newest of them was said. Unix time in milliseconds.
    pub newest: Option<u64>,
}

/// What [`inspect`] sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryState {
    /// Whether there is a file. If not, a start creates it.
    pub exists: bool,
    /// The process that uses it; 0 if that cannot be read.
    pub used_by: Option<u32>,
    /// Its length.
    pub bytes: u64,
    /// When the newest message was said. Unix time in milliseconds.
    pub newest: Option<u64>,
}

/// Looks at the history's file at `path`, which may be in use, and changes nothing. The contents are checked as far as
/// that takes no longer than `patience`.
pub fn inspect(path: &Path, patience: Duration) -> Result<HistoryState, HistoryError> {
    #[cfg(feature = "sqlite")]
    return sqlite::inspect(path, patience);
    #[cfg(not(feature = "sqlite"))]
    {
        let _ = patience;
        Err(HistoryError::without_sqlite(path))
    }
}

/// Puts a copy of `backup` in the place of the history's file at `path`, which no server may use meanwhile. The backup
/// itself stays as it is. A new epoch begins, so that clients know that messages they have seen may be missing.
///
/// If this runs as root, the file is given to `owner` (user and group); otherwise to the owner of its folder or of
/// the file that was there, if that is not root.
pub fn restore(
    path: &Path,
    backup: &Path,
    owner: Option<(u32, u32)>,
) -> Result<Restored, HistoryError> {
    #[cfg(feature = "sqlite")]
    return sqlite::replace(path, backup, owner);
    #[cfg(not(feature = "sqlite"))]
    {
        let _ = (backup, owner);
        Err(HistoryError::without_sqlite(path))
    }
}

/// Without the feature `sqlite` there is no file, and so no upkeep.
#[cfg(not(feature = "sqlite"))]
#[derive(Debug)]
pub(crate) enum Upkeep {}

#[cfg(not(feature = "sqlite"))]
impl Upkeep {
    pub(crate) fn run(
        self,
        _stop: &crossbeam_channel::Receiver<()>,
        _health: &crate::health::Health,
    ) {
        match self {}
    }
}

/// The newest messages that fit into `max_bytes`, but at least one, oldest first; and whether some did
/// not fit.
pub(crate) fn newest_within<E>(
    max_bytes: usize,
    newest_first: impl Iterator<Item = Result<Said, E>>,
) -> Result<(Vec<Said>, bool), E> {
    let (mut found, is_cut) = first_within(max_bytes, newest_first)?;
    found.reverse();
    Ok((found, is_cut))
}

/// The first messages that fit into `max_bytes`, but at least one; and whether some did not fit.
pub(crate) fn first_within<E>(
    max_bytes: usize,
    messages: impl Iterator<Item = Result<Said, E>>,
) -> Result<(Vec<Said>, bool), E> {
    let mut found = Vec::new();
    let mut bytes = 0_usize;
    let mut is_cut = false;
    for said in messages {
        let said = said?;
        bytes = bytes.saturating_add(said.weight());
        if bytes > max_bytes && !found.is_empty() {
            is_cut = true;
            break;
        }
        found.push(said);
    }
    Ok((found, is_cut))
}

/// The name of a new epoch: 64 random bits in hexadecimal digits.
pub(crate) fn new_epoch() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    format!("{:016x}", u64::from_be_bytes(bytes))
}
