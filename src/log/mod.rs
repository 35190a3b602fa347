//! The log: the order in which everything happens.
//!
//! The dispatcher proposes what its node's clients do. The log hands the proposals back in order, as
//! entries, and the dispatcher applies these to the chat. Requests that concern this node alone pass
//! through the log as well, so that they stay behind everything proposed before them. So the same loop
//! works for a single node and for nodes that share a log. The dispatcher's thread runs it.

mod local;
#[cfg(feature = "cluster")]
mod shared;

use std::time::Duration;

use bytes::Bytes;

use crate::chat::{Action, Chat, ConnectionId, Effect, Entry, NodeId};
#[cfg(feature = "cluster")]
use crate::chat::{EntryId, Link};
use crate::protocol::{CloseReason, ErrorReply, LocalRequest, Reference, Since};

#[cfg(feature = "cluster")]
pub(crate) use crate::cluster::Notice;
pub(crate) use local::LocalLog;
#[cfg(feature = "cluster")]
pub(crate) use shared::SharedLog;

/// Decides the order.
pub(crate) trait Log {
    /// Whether other nodes apply the same log. What it hands back is saved then, and whether this node's own
    /// history saves something is not part of the order.
    const IS_SHARED: bool;

    /// This node.
    fn node(&self) -> NodeId;

    /// A tick begins. Sets the time of everything that is proposed from now on.
    fn set_time(&mut self, now: Now);

    /// Adds a proposal, which [`Log::next`] returns when its place in the order is decided.
    fn propose(&mut self, proposal: Proposal);

    /// Takes the next thing in the order, if that is decided.
    fn next(&mut self) -> Option<Ordered>;

    /// Takes what concerns this node alone, if that is next and waits for nothing.
    fn next_local(&mut self) -> Option<Local> {
        None
    }

    /// When it is time to propose [`Action::Wait`] for a deadline of the chat, in the time of [`Now::at`].
    /// `None` if it has been proposed.
    fn due_at(&self, deadline: Duration) -> Option<Duration> {
        Some(deadline)
    }

    /// When a tick is needed for the log itself.
    fn next_deadline(&self) -> Option<Duration> {
        None
    }

    /// Nothing more is proposed in this tick for now: what waits is sent to the other nodes.
    fn flush(&mut self) {}

    /// What the last entry led to on this node, which is the same on all others.
    fn observe(&mut self, _effects: &[Effect]) {}

    /// Tells what the chat says of the cluster, for the operator.
    fn report(&mut self, _chat: &Chat) {}

    /// Tells the lobbies of the other nodes something about the user at this link.
    #[cfg(feature = "cluster")]
    fn notify(&mut self, _link: Link, _notice: Notice) {}

    /// The log takes nothing more, since what was proposed does not come back.
    fn is_away(&self) -> bool {
        false
    }

    /// How many proposals there have been, and how many of them have been handed back.
    fn proposed(&self) -> u64 {
        0
    }
    fn applied(&self) -> u64 {
        0
    }

    /// This node proposes nothing more, and will be gone.
    fn leave(&mut self) {}

    /// Why this node can no longer follow the log, and has to join anew.
    #[cfg(feature = "cluster")]
    fn lost(&self) -> Option<Lost> {
        None
    }

    /// The dispatcher has panicked.
    fn note_panic(&mut self) {}

    /// Waits until what was proposed last is in the log, for some seconds at most.
    fn end(&mut self) {}
}

/// Why a node has to join a shared log anew.
#[cfg(feature = "cluster")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The other nodes have not heard of it for longer than its lease.
    Expired,
    /// Entries that it has not applied have been trimmed.
    Behind,
    /// Entries that it has applied, up to this one, are lost.
    Forked(EntryId),
    /// Entries that another node has applied are lost.
    NewEpoch,
    /// It has applied an entry that another node had to skip.
    Poisoned,
    /// The cluster behaves by a level that this build does not know.
    TooOld,
    /// A thread of the log has panicked.
    Defect,
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// The log's clock, which never goes back.
    pub(crate) at: Duration,
    /// The time of day in Unix milliseconds.
    pub(crate) time: u64,
}

/// Something to put in order.
#[derive(Debug)]
pub(crate) enum Proposal {
    /// Changes the chat. `since` stays on this node and comes back with the entry.
    Action { action: Action, since: Option<Box<Since>> },
    /// Concerns this node alone.
    Local(Local),
}

/// Something whose place in the order is decided.
#[derive(Debug)]
pub(crate) enum Ordered {
    /// To be applied to the chat. `since` was proposed with it on this node.
    Entry { entry: Entry, since: Option<Box<Since>> },
    /// Concerns this node alone. Everything that was proposed before it has been returned.
    Local(Local),
    /// Something that the lobby of the node has said to which this link leads, another one than this.
    #[cfg(feature = "cluster")]
    Notice(Link, Notice),
}

/// Something that concerns one node alone.
#[derive(Debug)]
pub(crate) enum Local {
    /// A request that changes nothing for others.
    Request { connection: ConnectionId, request: LocalRequest, reference: Reference },
    /// The session has refused a request.
    Refuse { connection: ConnectionId, error: ErrorReply },
    /// `recall` has read the answer that the client waits for.
    QueryResult { connection: ConnectionId, frames: Bytes },
    /// The connection ends.
    Close { connection: ConnectionId, reason: CloseReason },
}

#[cfg(feature = "cluster")]
impl Local {
    /// Whose turn it waits for.
    fn connection(&self) -> ConnectionId {
        match self {
            Self::Request { connection, .. }
            | Self::Refuse { connection, .. }
            | Self::QueryResult { connection, .. }
            | Self::Close { connection, .. } => *connection,
        }
    }

    /// Whether it waits for nothing: what is queued for the client is dropped, or held back until this comes.
    fn is_urgent(&self) -> bool {
        match self {
            Self::Close { reason, .. } => reason.drops_backlog(),
            Self::QueryResult { .. } => true,
            Self::Request { .. } | Self::Refuse { .. } => false,
        }
    }
}
