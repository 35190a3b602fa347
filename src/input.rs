//! What reaches the dispatcher, and the types it carries.
//!
//! Sessions, `recall` and the server send inputs through the mailbox; the dispatcher's thread takes them.

mod control;
mod secret;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Sender;

use crate::chat::{ConnectionId, ResumeKey, ResumeOffer, Rules, Version};
use crate::history::Retention;
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::protocol::{CloseReason, ErrorReply, Reference, Request, ServerInfo};

pub(crate) use control::{
    AwayStatus, ChatStatus, ClientStatus, Clients, Control, RoomName, RoomStatus, Whom,
};
pub(crate) use secret::Secret;

/// One thing for the dispatcher to deal with.
#[derive(Debug)]
pub(crate) enum Input {
    /// A client has connected, and is reached through this outbox.
    Connect {
        connection: ConnectionId,
        /// The client's own: behind a trusted proxy, the one that it names.
        address: IpAddr,
        outbox: Arc<Outbox>,
        arrival: Arrival,
        /// Is charged for what the client's requests lead to.
        pace: Arc<Pace>,
    },
    /// A session asks whether a secret belongs to a user who can be resumed. Boxed, so that every input
    /// stays small.
    Recognize(Box<Recognition>),
    /// A well-formed request.
    Request { connection: ConnectionId, request: Request, reference: Reference },
    /// A request that the session has refused. It comes this way so that the client gets its answers in
    /// the order of its requests.
    Refuse { connection: ConnectionId, error: ErrorReply },
    /// The session has ended or has to end, for this reason.
    Disconnect { connection: ConnectionId, reason: CloseReason },
    /// The frames that `recall` has read for the oldest open query of this client.
    QueryResult { connection: ConnectionId, frames: Bytes },
    /// The operator asks for something. Boxed, so that every input stays small.
    Control(Box<Control>),
    /// The settings have changed. Boxed, so that every input stays small.
    Reload(Box<Reload>),
    /// The server stops. Clients have until then to take what is queued for them.
    Stop { until: Instant },
    /// A shared log has something new.
    #[cfg(feature = "cluster")]
    LogReady,
}

/// How a client arrives.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A client of the base protocol. Its user leaves when the connection ends.
    Base,
    /// A client of `wschat.v2`, which resumes its user or gets a new one. Boxed, so that every input
    /// stays small.
    V2(Box<Credentials>),
}

/// A question about a user, and where to answer it. There has to be room for the answer.
#[derive(Debug)]
pub(crate) struct Recognition {
    pub(crate) key: ResumeKey,
    pub(crate) answer: Sender<bool>,
}

/// The secrets by which a user can be resumed. `delivery` keeps them until it welcomes the client, and
/// then tells the client the one that holds.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The secret that the client has offered.
    pub(crate) resumed: Option<Secret>,
    /// The secret for a new user.
    pub(crate) fresh: Secret,
}

/// What a reload of the settings changes for the dispatcher.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) rules: Rules,
    /// The shortest time between two lists of rooms that are sent to all clients.
    pub(crate) list_interval: Duration,
    /// What a room may be told; 0 is no limit.
    pub(crate) room_bytes_per_second: f64,
    /// The length of the longest frame, as far as that is up to the server.
    pub(crate) max_frame_bytes: usize,
    /// A tick with more bytes of frames than this gathers no more inputs.
    pub(crate) max_tick_bytes: usize,
    /// How many messages a client gets that enters a room.
    pub(crate) history_on_enter: usize,
    pub(crate) retention: Retention,
    pub(crate) server: ServerInfo,
}

impl Arrival {
    pub(crate) fn version(&self) -> Version {
        match self {
            Self::Base => Version::Base,
            Self::V2(_) => Version::V2,
        }
    }

    /// The keys for the chat. The secrets themselves stay out of it.
    pub(crate) fn offer(&self) -> Option<ResumeOffer> {
        match self {
            Self::Base => None,
            Self::V2(credentials) => Some(ResumeOffer {
                resumed: credentials.resumed.as_ref().map(Secret::key),
                fresh: credentials.fresh.key(),
            }),
        }
    }

    /// The keys by which the client may resume from here on: that of the session which it wants to resume,
    /// if it does, and that of its new one.
    pub(crate) fn pace_keys(&self) -> Vec<ResumeKey> {
        let offer = self.offer();
        offer.into_iter().flat_map(|offer| offer.resumed.into_iter().chain([offer.fresh])).collect()
    }

    pub(crate) fn into_credentials(self) -> Option<Box<Credentials>> {
        match self {
            Self::Base => None,
            Self::V2(credentials) => Some(credentials),
        }
    }
}
