//! The history of a node that shares a log: what it has applied since it joined is in memory, what is older in Redis.
//!
//! The dispatcher's thread owns the writing end, which writes into memory only: the keeper writes into Redis. A reader
//! looks into memory first, and asks Redis for the rest over a connection of its own. What it finds always is without
//! a gap. What Redis does not have yet, or no longer, is as if it had been pruned.
//!
//! | file | owns |
//! |---|---|
//! | `rooms.rs` | opening it |
//! | `window.rs` | what is in memory, and how far each room goes |
//! | `stream.rs` | reading a room's stream |
//! | `reader.rs` | both together |
//! | `archive.rs` | what the operator asks of it |

mod archive;
mod reader;
mod stream;
mod window;

use std::sync::Arc;

use super::redis::Engine;
use super::retention::SharedRetention;
use crate::chat::Chat;
use crate::history::{History, HistoryReader, SharedArchive};
use archive::RoomsArchive;
use reader::RoomsReader;
#[cfg(feature = "sqlite")]
pub(super) use stream::{Order, page};
#[cfg(feature = "sqlite")]
pub(super) use window::Extent;
use window::Window;

/// The ends of a node's history.
pub(crate) struct Rooms {
    pub(crate) history: Box<dyn History>,
    pub(crate) reader: Box<dyn HistoryReader>,
    pub(crate) archive: Arc<dyn SharedArchive>,
}

/// The history of a node whose chat is this one, as it is in the snapshot that the node has loaded: what the node
/// applies from then on is committed to it. So nothing is missing between Redis, which has all that the snapshot has,
/// and the memory.
pub(crate) fn history(engine: &Engine, retention: &SharedRetention, chat: &Chat) -> Rooms {
    let window = Window::new(retention.clone(), chat);
    let archive = RoomsArchive::new(engine.clone(), window.clone());
    Rooms {
        reader: Box::new(RoomsReader::new(engine.clone(), window.clone())),
        history: Box::new(window),
        archive: Arc::new(archive),
    }
}

#[cfg(test)]
mod tests;
