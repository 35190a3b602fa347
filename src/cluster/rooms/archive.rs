//! What the operator asks of the history: how much an erasure takes, and all that was said in a room.
//!
//! The thread that asks runs it. The erasure itself is an entry of the log, and each node and the keeper do it.

use std::fmt;

use super::super::redis::Engine;
use super::reader::RoomsReader;
use super::window::Window;
use crate::chat::{Content, Erasure, RoomId};
use crate::history::{ArchiveError, HistoryReader, SharedArchive};

/// How much of a room is read at once.
const PAGE_MESSAGES: usize = 500;
const PAGE_BYTES: usize = 256 << 10;

/// See the module's documentation.
pub(super) struct RoomsArchive {
    engine: Engine,
    window: Window,
}

impl RoomsArchive {
    pub(super) fn new(engine: Engine, window: Window) -> Self {
        Self { engine, window }
    }
}

impl SharedArchive for RoomsArchive {
    fn count(&self, what: Erasure, up_to: &[(RoomId, u64)]) -> Result<u64, ArchiveError> {
        let mut reader = RoomsReader::new(self.engine.clone(), self.window.clone());
        let mut count = 0;
        for &(room, up_to) in up_to {
            let mut next = Some(0);
            while let Some(after) = next {
                let (page, is_more) = reader.after(room, after, PAGE_MESSAGES, PAGE_BYTES)?;
                let last = page.last().map(|said| said.seq);
                next = last.filter(|last| is_more && *last < up_to);
                let taken = page.iter().filter(|said| {
                    said.seq <= up_to
                        && said.content != Content::Erased
                        && what.takes(said.from.id, said.time)
                });
                count += taken.count() as u64;
            }
        }
        Ok(count)
    }

    fn reader(&self) -> Box<dyn HistoryReader> {
        Box::new(RoomsReader::new(self.engine.clone(), self.window.clone()))
    }
}

impl fmt::Debug for RoomsArchive {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RoomsArchive").finish_non_exhaustive()
    }
}
