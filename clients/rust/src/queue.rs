//! The requests that wait for their answers.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backoff::random;

/// A request that is not answered yet. Stored with [`Saved`](crate::Saved).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub(crate) reference: String,
    /// With its `ref`.
    pub(crate) request: Value,
    pub(crate) kind: Kind,
    /// Whether the server may have carried it out already.
    pub(crate) is_in_doubt: bool,
    /// If it is a message and is in doubt, and the client has missed a part of the room since: what is before
    /// that. The message may be in that part, even if nothing is missing afterwards.
    #[serde(default)]
    pub(crate) heard_up_to: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A message to this room.
    Say {
        room: u64,
    },
    Enter {
        room: u64,
    },
    Leave,
    /// It may not be carried out twice, and only the session's `ref` prevents that.
    Create,
    /// It may be carried out twice.
    Harmless,
    /// A question whose answer a caller waits for.
    Question,
    /// A page of the history, to find a message that is in doubt.
    Search,
}

/// The requests in the order of sending. Those that restore the state of a new connection come first.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) setup: VecDeque<Job>,
    pub(crate) jobs: VecDeque<Job>,
    /// Whether the first one was sent on this connection, and is not answered.
    pub(crate) is_in_flight: bool,
}

impl Job {
    /// Gives the request a new `ref`.
    pub(crate) fn new(kind: Kind, mut request: Value) -> Self {
        let reference = format!("{:016x}{:016x}", random(), random());
        request["ref"] = reference.clone().into();
        Self { reference, request, kind, is_in_doubt: false, heard_up_to: None }
    }
}

impl Queue {
    pub(crate) fn first(&mut self) -> Option<&mut Job> {
        self.setup.front_mut().or(self.jobs.front_mut())
    }

    pub(crate) fn take_first(&mut self) -> Option<Job> {
        self.is_in_flight = false;
        self.setup.pop_front().or_else(|| self.jobs.pop_front())
    }

    /// The connection is lost.
    pub(crate) fn lose(&mut self) {
        self.setup.clear();
        self.is_in_flight = false;
    }
}
