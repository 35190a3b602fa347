//! What a tick leads to, in the order in which clients see it.
//!
//! The dispatcher gathers outputs while it applies entries, and hands them to `delivery` when the tick has
//! been committed. An output that shows the chat as it is at some moment is encoded at that moment.

use bytes::Bytes;

use crate::chat::{ConnectionId, Effect, Event, MESSAGE_OVERHEAD_BYTES, Person, RoomId, UserId};
use crate::protocol::{CloseReason, ErrorReply};
use crate::recall::Query;

/// One thing for `delivery` to do.
#[derive(Debug)]
pub(crate) enum Output {
    /// What follows from an entry.
    Effect(Effect),
    /// A query whose answer is read from the history. What follows for the user waits for it.
    Query { to: UserId, query: Query },
    /// The answer to a client's oldest open query.
    Recalled { connection: ConnectionId, frames: Bytes },
    /// Finished frames for these clients.
    Send { to: Vec<ConnectionId>, frames: Bytes },
    /// Tells the room, except for this client, that its user is typing.
    Typing { room: RoomId, from: ConnectionId, person: Person, time: u64 },
    /// A request that the session has refused.
    Refuse { to: ConnectionId, error: ErrorReply },
    /// Ends a connection, behind what it is still to be told.
    Close { connection: ConnectionId, reason: CloseReason },
}

impl Output {
    /// About how many bytes of frames this makes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Effect(Effect::Tell { event: Event::Said(said), .. }) => said.weight(),
            Self::Effect(Effect::Tell { .. }) | Self::Typing { .. } => MESSAGE_OVERHEAD_BYTES,
            Self::Recalled { frames, .. } | Self::Send { frames, .. } => frames.len(),
            _ => 0,
        }
    }
}
