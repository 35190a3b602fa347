//! The order in which everything happens.
//!
//! The dispatcher proposes what its node's clients do, and applies to the chat what the log hands back, as
//! entries. What concerns this node alone passes through as well and keeps its place: behind what was
//! proposed before it. So one loop serves a node that decides the order by itself and nodes that share a
//! log. The dispatcher's thread runs it.

mod local;

use std::time::Duration;

use bytes::Bytes;

use crate::chat::{Action, ConnectionId, Entry};
use crate::protocol::{CloseReason, ErrorReply, LocalRequest, Reference, Since};

pub(crate) use local::LocalLog;

/// Decides the order.
pub(crate) trait Log {
    /// Whatever is proposed from here on happens at this time.
    fn set_time(&mut self, now: Now);

    /// Puts something in order.
    fn propose(&mut self, proposal: Proposal);

    /// The next thing in the order, if it has been decided.
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

/// What is to be put in order.
#[derive(Debug)]
pub(crate) enum Proposal {
    /// Changes the chat. `since` stays on this node and comes back with the entry.
    Action { action: Action, since: Option<Box<Since>> },
    /// Concerns this node alone.
    Local(Local),
}

/// What has been put in order.
#[derive(Debug)]
pub(crate) enum Ordered {
    /// To be applied to the chat. `since` is what was proposed with it on this node.
    Entry { entry: Entry, since: Option<Box<Since>> },
    /// The proposals before it have come back.
    Local(Local),
}

/// What concerns one node alone.
#[derive(Debug)]
pub(crate) enum Local {
    /// A request that changes nothing for others.
    Request { connection: ConnectionId, request: LocalRequest, reference: Reference },
    /// The session has refused a request.
    Refuse { connection: ConnectionId, error: ErrorReply },
    /// `recall` has read what the client waits for.
    Recalled { connection: ConnectionId, frames: Bytes },
    /// The connection ends.
    Close { connection: ConnectionId, reason: CloseReason },
}
