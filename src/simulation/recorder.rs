//! A log that records everything it puts in order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::chat::{ConnectionId, Entry, NodeId};
use crate::log::{Local, LocalLog, Log, Now, Ordered, Proposal};
use crate::protocol::{CloseReason, ErrorReply, LocalRequest, Reference, Since};

/// Something that was put in order.
#[derive(Debug)]
pub(super) enum Recorded {
    Entry(Entry, Option<Box<Since>>),
    /// With the time of day.
    Request {
        connection: ConnectionId,
        request: LocalRequest,
        reference: Reference,
        time: u64,
    },
    Refuse {
        connection: ConnectionId,
        error: ErrorReply,
    },
    Close {
        connection: ConnectionId,
        reason: CloseReason,
    },
    Recalled,
}

pub(super) type Tape = Rc<RefCell<VecDeque<Recorded>>>;

/// The real log, with a tape.
#[derive(Debug, Default)]
pub(super) struct RecordingLog {
    inner: LocalLog,
    now: Now,
    tape: Tape,
}

impl RecordingLog {
    pub(super) fn new(tape: Tape) -> Self {
        Self { inner: LocalLog::default(), now: Now::default(), tape }
    }
}

impl Log for RecordingLog {
    const IS_SHARED: bool = LocalLog::IS_SHARED;

    fn node(&self) -> NodeId {
        self.inner.node()
    }

    fn set_time(&mut self, now: Now) {
        self.now = now;
        self.inner.set_time(now);
    }

    fn propose(&mut self, proposal: Proposal) {
        self.inner.propose(proposal);
    }

    fn next(&mut self) -> Option<Ordered> {
        let ordered = self.inner.next()?;
        self.tape.borrow_mut().push_back(recorded(&ordered, self.now.time));
        Some(ordered)
    }
}

fn recorded(ordered: &Ordered, time: u64) -> Recorded {
    let local = match ordered {
        Ordered::Entry { entry, since } => return Recorded::Entry(entry.clone(), since.clone()),
        Ordered::Local(local) => local,
        #[cfg(feature = "cluster")]
        Ordered::Typing(_) => unreachable!("there is one node"),
    };
    match local {
        Local::Request { connection, request, reference } => {
            let (request, reference) = (request.clone(), reference.clone());
            Recorded::Request { connection: *connection, request, reference, time }
        }
        Local::Refuse { connection, error } => {
            Recorded::Refuse { connection: *connection, error: error.clone() }
        }
        Local::Close { connection, reason } => {
            Recorded::Close { connection: *connection, reason: *reason }
        }
        Local::QueryResult { .. } => Recorded::Recalled,
    }
}
