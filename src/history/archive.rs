//! What is asked of a history beside the chat: a copy of all of it, all that was said in a room, and that
//! messages are erased.
//!
//! The thread that asks runs it. It makes nobody wait.

#[cfg(feature = "cluster")]
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::PathBuf;
#[cfg(feature = "cluster")]
use std::sync::Arc;

use super::memory::MemoryHistory;
#[cfg(feature = "sqlite")]
use super::sqlite::{FileArchive, FileBackup};
use super::{ArchiveError, Backup, HistoryError, HistoryReader};
use crate::chat::{Content, Erasure, RoomId, Said};

/// How much of a room is read at once.
const PAGE_MESSAGES: usize = 500;
const PAGE_BYTES: usize = 256 << 10;

/// The history, for those who copy it while the chat goes on.
#[derive(Clone, Debug)]
pub(crate) enum Archive {
    Memory(MemoryHistory),
    #[cfg(feature = "sqlite")]
    File(FileArchive),
    /// That of several nodes.
    #[cfg(feature = "cluster")]
    Shared(Arc<dyn SharedArchive>),
}

/// A history that several nodes share.
#[cfg(feature = "cluster")]
pub(crate) trait SharedArchive: Debug + Send + Sync {
    /// How many messages an erasure takes in these rooms up to their `seq` here. An entry of the log erases them.
    fn count(&self, what: Erasure, up_to: &[(RoomId, u64)]) -> Result<u64, ArchiveError>;

    fn reader(&self) -> Box<dyn HistoryReader>;
}

impl Archive {
    /// Where the file is, and how many bytes it takes; `None` if there is no file.
    pub(crate) fn place(&self) -> Option<(PathBuf, u64)> {
        match self {
            Self::Memory(_) => None,
            #[cfg(feature = "sqlite")]
            Self::File(file) => file.place().ok(),
            #[cfg(feature = "cluster")]
            Self::Shared(_) => None,
        }
    }

    /// Begins a copy of the history as it is now. One backup is made at a time. The copy takes as much of the disk as
    /// the file does, until it is dropped.
    pub(crate) fn backup(&self) -> Result<BackupStart, ArchiveError> {
        match self {
            Self::Memory(_) => Err(ArchiveError::Memory),
            #[cfg(feature = "sqlite")]
            Self::File(file) => Ok(BackupStart(file.backup()?)),
            #[cfg(feature = "cluster")]
            Self::Shared(_) => Err(ArchiveError::Shared),
        }
    }

    /// Erases the messages that `what` takes, in these rooms up to their `seq` here, and in all rooms that are gone.
    /// Returns how many.
    ///
    /// Others read and write meanwhile, and find some messages erased and others not. When this has ended
    /// without an error, no reader finds any of them, and nothing of them is left in the file. After an error
    /// some may be erased; to repeat it does the rest.
    ///
    /// Of a history that nodes share, nothing is erased yet: it only counts. The entry that follows erases, on all
    /// nodes; see [`erases_later`](Self::erases_later).
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "cluster")),
        expect(clippy::unnecessary_wraps, reason = "only a file can fail")
    )]
    pub(crate) fn erase(
        &self,
        what: Erasure,
        up_to: &[(RoomId, u64)],
    ) -> Result<u64, ArchiveError> {
        match self {
            Self::Memory(memory) => Ok(memory.erase(what, up_to)),
            #[cfg(feature = "sqlite")]
            Self::File(file) => file.erase(what, up_to),
            #[cfg(feature = "cluster")]
            Self::Shared(shared) => shared.count(what, up_to),
        }
    }

    /// Whether nothing is erased before the entry about it is in the log.
    pub(crate) fn erases_later(&self) -> bool {
        match self {
            Self::Memory(_) => false,
            #[cfg(feature = "sqlite")]
            Self::File(_) => false,
            #[cfg(feature = "cluster")]
            Self::Shared(_) => true,
        }
    }

    /// All that is kept of a room, oldest first, in pages. What is said meanwhile comes too.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unnecessary_wraps, reason = "only a file can fail")
    )]
    pub(crate) fn pages(&self, room: RoomId) -> Result<Pages, ArchiveError> {
        let reader: Box<dyn HistoryReader> = match self {
            Self::Memory(memory) => Box::new(memory.clone()),
            #[cfg(feature = "sqlite")]
            Self::File(file) => Box::new(file.reader()?),
            #[cfg(feature = "cluster")]
            Self::Shared(shared) => shared.reader(),
        };
        Ok(Pages { reader, room, after: Some(0) })
    }
}

/// A backup that has begun.
#[derive(Debug)]
pub(crate) struct BackupStart(
    #[cfg(feature = "sqlite")] FileBackup,
    #[cfg(not(feature = "sqlite"))] std::convert::Infallible,
);

impl BackupStart {
    /// Makes the copy. `progress` hears now and then how many bytes have been copied, and of how many; it can end the
    /// backup.
    pub(crate) fn copy(
        self,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Backup, ArchiveError> {
        #[cfg(feature = "sqlite")]
        return self.0.copy(progress);
        #[cfg(not(feature = "sqlite"))]
        {
            let _ = progress;
            match self.0 {}
        }
    }
}

/// The messages of a room, page by page.
pub(crate) struct Pages {
    reader: Box<dyn HistoryReader>,
    room: RoomId,
    /// The last message that was read; `None` at the end.
    after: Option<u64>,
}

impl Iterator for Pages {
    type Item = Result<Vec<Said>, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let after = self.after.take()?;
        let page = self.reader.after(self.room, after, PAGE_MESSAGES, PAGE_BYTES);
        if let Ok((said, true)) = &page {
            self.after = said.last().map(|said| said.seq);
        }
        Some(page.map(|(mut said, _)| {
            said.retain(|said| said.content != Content::Erased);
            said
        }))
    }
}
