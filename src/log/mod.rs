//! The log: the order in which everything happens.
//!
//! The dispatcher proposes what its node's clients do. The log hands the proposals back in order, as
//! entries, and the dispatcher applies these to the chat. Requests that concern this node alone pass
//! through the log as well, so that they stay behind everything proposed before them. So the same loop
//! works for a single node and for nodes that share a log. The dispatcher's thread runs it.

mod local;

use std::time::Duration;

use bytes::Bytes;

use crate::chat::{Action, ConnectionId, Entry};
use crate::protocol::{CloseReason, ErrorReply, LocalRequest, Reference, Since};

pub(crate) use local::LocalLog;

/// Decides the order.
pub(crate) trait Log {
    /// Sets the time of everything that is proposed from now on.
    fn set_time(&mut self, now: Now);

    /// Adds a proposal, which [`Log::next`] returns when its place in the order is decided.
    fn propose(&mut self, proposal: Proposal);

    /// Takes the next thing in the order, if that is decided.
    fn next(&mut self) -> Option<Ordered>;
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
