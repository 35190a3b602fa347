//! What a tick leads to, in the order in which clients see it.
//!
//! The dispatcher collects outputs while it applies entries, and hands them to `delivery` when the tick has
//! been committed. An output that shows the chat at one moment is encoded at that moment.

use bytes::Bytes;

use crate::chat::{ConnectionId, Effect, Event, MESSAGE_OVERHEAD_BYTES, Person, RoomId, UserId};
use crate::protocol::{CloseReason, ErrorReply};
use crate::recall::Query;

/// One thing for `delivery` to do.
#[derive(Debug)]
pub(crate) enum Output {
    /// An effect of an entry that clients see.
    Effect(Effect),
    /// A query to the history. All later output for the user waits for its answer.
    Query { to: UserId, query: Query },
    /// The answer to a client's oldest open query.
    QueryResult { connection: ConnectionId, frames: Bytes },
    /// Finished frames for these clients.
    Send { to: Vec<ConnectionId>, frames: Bytes },
    /// Tells the room, except for this client, that its user is typing.
    Typing { room: RoomId, from: ConnectionId, person: Person, time: u64 },
    /// Answers a request that the session has refused.
    Refuse { to: ConnectionId, error: ErrorReply },
    /// Closes a connection after all output before this.
    Close { connection: ConnectionId, reason: CloseReason },
    /// The user has come back at another node. Closes its connection to this node, if there is one.
    #[cfg(feature = "cluster")]
    Replace { user: UserId },
}

impl Output {
    /// Whether this tells others that somebody is typing.
    pub(crate) fn is_typing(&self) -> bool {
        matches!(self, Self::Typing { .. })
    }

    /// About how many bytes of frames this makes. Small replies count as 0.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Effect(Effect::Tell { event: Event::Said(said), .. }) => said.weight(),
            Self::Effect(Effect::Announce { text, .. }) => MESSAGE_OVERHEAD_BYTES + text.len(),
            Self::Effect(Effect::Tell { .. }) | Self::Typing { .. } => MESSAGE_OVERHEAD_BYTES,
            Self::QueryResult { frames, .. } | Self::Send { frames, .. } => frames.len(),
            _ => 0,
        }
    }
}
