//! What the server sends to clients, in a form that does not depend on the protocol version.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::ErrorReply;
use super::users::UserList;
use crate::chat::{Event, Person, Reply, RoomId, RoomSummary, Rules, UserId, Welcome};

/// One thing to send to a client. Each version has its own frame for it, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing<'a> {
    /// The first frame on a connection. `secret` is what the client needs to resume.
    Welcome {
        welcome: &'a Welcome,
        secret: Option<&'a str>,
        /// That of the history.
        epoch: &'a str,
        server: &'a ServerInfo,
    },
    /// An event in a room.
    Event {
        room: RoomId,
        time: u64,
        event: &'a Event,
    },
    /// What the operator tells everyone.
    Announcement {
        text: &'a str,
        time: u64,
    },
    /// A user is typing in a room. The reference is for the user alone.
    Typing {
        room: RoomId,
        time: u64,
        person: &'a Person,
        reference: Option<&'a str>,
    },
    /// What is in use on the connection from now on.
    Hello {
        hello: Hello,
        reference: Option<&'a str>,
    },
    /// The answer to a request.
    Reply {
        reply: &'a Reply,
        time: u64,
        reference: Option<&'a str>,
    },
    /// The refusal of a request.
    Error(&'a ErrorReply),
    RoomList {
        rooms: &'a RoomList,
        epoch: &'a str,
        reference: Option<&'a str>,
    },
    /// `mentions` is how many messages of the room have mentioned the user who is told.
    RoomListChange {
        change: &'a RoomListChange,
        mentions: u64,
    },
    /// Users of a room who are away now, or no longer.
    Presence {
        room: RoomId,
        time: u64,
        users: &'a [(UserId, bool)],
    },
}

/// What a client has said that it can take, as far as the server can do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// The client wants to be told who is away.
    pub(crate) presence: bool,
    /// The client wants to know how many messages mention its user.
    pub(crate) mentions: bool,
    /// No frame whose length is up to the server is longer than this.
    pub(crate) max_frame_bytes: usize,
}

/// The rooms at one moment, in the JSON of one version. Encoded once for all clients.
#[derive(Clone, Debug)]
pub(crate) struct RoomList(pub(super) Arc<RawValue>);

/// A change of the list of rooms. Each variant has the present state, so it does not matter what the client
/// knew before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoomListChange {
    Added(RoomSummary),
    Updated(RoomSummary),
    Removed(RoomId),
}

/// A room as it was when a user entered it, without its messages.
#[derive(Debug)]
pub(crate) struct RoomSnapshot {
    pub(crate) id: RoomId,
    pub(crate) title: Arc<str>,
    /// Shared by everyone who is shown the room with the same users.
    pub(crate) users: Arc<UserList>,
    /// The user who has entered.
    pub(crate) user: Person,
    /// The `seq` of the last message.
    pub(crate) seq: u64,
}

/// The part of every welcome of `wschat.v2` that is about the server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServerInfo {
    server: Software,
    limits: AdvertisedLimits,
    gifs: Vec<Gif>,
}

#[derive(Clone, Debug, Serialize)]
struct Software {
    name: &'static str,
    version: &'static str,
}

/// The limits that a client needs to know to keep within them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvertisedLimits {
    pub(crate) max_message_bytes: usize,
    pub(crate) max_text_chars: usize,
    pub(crate) max_name_chars: usize,
    pub(crate) max_title_chars: usize,
    pub(crate) messages_per_second: f64,
    pub(crate) message_burst: u32,
    pub(crate) ping_interval_ms: u64,
    pub(crate) resume_grace_seconds: u64,
    pub(crate) history_on_enter: usize,
    pub(crate) history_max_page: usize,
    pub(crate) max_frame_bytes: usize,
    pub(crate) users_max_page: usize,
}

/// A GIF that the server offers, and a description of what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Gif {
    pub(crate) id: u64,
    pub(crate) alt: String,
}

#[cfg(any(test, feature = "bench"))]
impl AdvertisedLimits {
    /// For tests and benchmarks.
    pub(crate) fn sample() -> Self {
        Self {
            max_message_bytes: 1_000,
            max_text_chars: 60,
            max_name_chars: 12,
            max_title_chars: 8,
            messages_per_second: 0.0,
            message_burst: 1,
            ping_interval_ms: 1_000,
            resume_grace_seconds: 5,
            history_on_enter: 5,
            history_max_page: 100,
            max_frame_bytes: 100_000,
            users_max_page: 250,
        }
    }
}

impl ServerInfo {
    /// For tests and benchmarks.
    #[cfg(any(test, feature = "bench"))]
    pub(crate) fn sample() -> Self {
        Self::new(AdvertisedLimits::sample(), Vec::new())
    }

    pub(crate) fn new(limits: AdvertisedLimits, gifs: Vec<Gif>) -> Self {
        let server = Software { name: "wschat", version: env!("CARGO_PKG_VERSION") };
        Self { server, limits, gifs }
    }

    /// The limits that the chat itself sets.
    pub(crate) fn set_rules(&mut self, rules: &Rules) {
        self.limits.max_text_chars = rules.max_text_chars;
        self.limits.max_name_chars = rules.max_name_chars;
        self.limits.max_title_chars = rules.max_title_chars;
        self.limits.resume_grace_seconds = rules.resume_grace.as_secs();
    }
}
