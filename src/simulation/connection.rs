//! One connection with both its ends: the client's, and what its session does on the server.

use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::sync::Arc;

use super::expected::CLOSED_BY_CLIENT;
use super::view::ClientView;
use crate::chat::{ConnectionId, Version};
use crate::input::{Arrival, Credentials, Input, Secret};
use crate::net::stream::MemorySocket;
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::protocol::CloseReason;

/// See the module's documentation.
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub(super) struct SimConnection {
    pub(super) id: ConnectionId,
    /// Whose connection it is.
    pub(super) client: usize,
    pub(super) version: Version,
    /// The secret that the client has offered, and the one that a new user would get.
    pub(super) offered: Option<String>,
    pub(super) fresh: String,
    /// What the client has sent and the session has not read.
    pub(super) uplink: VecDeque<Uplink>,
    pub(super) phase: Phase,
    pub(super) socket: MemorySocket,
    /// Until the session has ended.
    pub(super) outbox: Option<Arc<Outbox>>,
    /// What the client has received of a frame.
    pub(super) received: Vec<u8>,
    /// How much the server's socket takes while the client does not read; `None` is no limit.
    pub(super) window: Option<usize>,
    /// It had one at some time, so it may be too slow.
    pub(super) may_be_slow: bool,
    pub(super) is_reading: bool,
    /// The client is not there any more, or has closed the connection.
    pub(super) is_gone: bool,
    /// The server's Close frame has come.
    pub(super) is_closed: bool,
    pub(super) view: ClientView,
}

/// Something that a client sends.
#[derive(Debug)]
pub(super) enum Uplink {
    Text(String),
    Close,
}

/// How far the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Handshake,
    Open,
    /// The dispatcher knows that the connection ends, for this reason.
    Ended(CloseReason),
    Over,
}

impl SimConnection {
    /// The client can send requests.
    pub(super) fn is_ready(&self) -> bool {
        let is_up = !self.view.is_leaving && !self.is_gone && !self.is_closed;
        is_up && self.phase == Phase::Open && self.view.user.is_some()
    }

    /// The handshake is complete.
    pub(super) fn connect(&mut self) -> Input {
        self.phase = Phase::Open;
        let secret = |text: &String| Secret::parse(text).unwrap();
        let arrival = match self.version {
            Version::Base => Arrival::Base,
            Version::V2 => {
                let (resumed, fresh) = (self.offered.as_ref().map(secret), secret(&self.fresh));
                Arrival::V2(Box::new(Credentials { resumed, fresh }))
            }
        };
        let outbox = self.outbox.clone().unwrap();
        // Two clients share each source.
        let address = Ipv6Addr::from_bits(u128::from(self.client as u64 / 2) << 64).into();
        let pace = Pace::unlimited();
        Input::Connect { connection: self.id, address, outbox, arrival, pace }
    }

    /// The client sends its Close frame, unless it has.
    pub(super) fn leave(&mut self) {
        if !std::mem::replace(&mut self.view.is_leaving, true) {
            self.uplink.push_back(Uplink::Close);
        }
    }

    /// The session takes what comes next from its client, as the real one would.
    pub(super) fn run_session(&mut self) -> Option<Input> {
        let connection = self.id;
        match self.phase {
            Phase::Open => {}
            Phase::Ended(reason) => {
                self.end_session(reason);
                return None;
            }
            Phase::Handshake | Phase::Over => return None,
        }
        let ending = self.outbox.as_ref().and_then(|outbox| outbox.ending());
        let reason = match ending {
            Some(ending) => ending.reason,
            None => match self.uplink.pop_front() {
                Some(Uplink::Text(text)) => {
                    return Some(match self.version.parse(&text) {
                        Ok((request, reference)) => {
                            Input::Request { connection, request, reference }
                        }
                        Err(error) => Input::Refuse { connection, error },
                    });
                }
                Some(Uplink::Close) => CloseReason::ClosedByClient(Some(CLOSED_BY_CLIENT)),
                None if self.is_gone => CloseReason::ConnectionLost,
                None => return None,
            },
        };
        self.phase = Phase::Ended(reason);
        Some(Input::Disconnect { connection, reason })
    }

    /// The session waits for its client to close, and ends.
    fn end_session(&mut self, reason: CloseReason) {
        let Some(outbox) = &self.outbox else { return };
        // The client answers a Close frame by closing.
        let is_done = self.is_gone || self.is_closed || self.socket.is_cut_off();
        if is_done || !outbox.waits_for_client(reason) {
            self.outbox = None;
            self.phase = Phase::Over;
        }
    }
}
