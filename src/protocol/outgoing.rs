//! What the server tells a client, whatever version of the protocol the client speaks.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::ErrorReply;
use crate::chat::{Event, Person, Reply, RoomId, RoomSummary, Said, Welcome};

/// One thing that a client is told. Each version has its own frame for it, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing<'a> {
    /// The first frame on a connection. `secret` is what the client needs to resume.
    Welcome {
        welcome: &'a Welcome,
        secret: Option<&'a str>,
        server: &'a ServerInfo,
    },
    /// What a room is told.
    Event {
        room: RoomId,
        time: u64,
        event: &'a Event,
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
        reference: Option<&'a str>,
    },
    RoomListChange(&'a RoomListChange),
    /// A room, to a user who enters it.
    Room {
        room: &'a RoomSnapshot,
        messages: &'a RecentMessages<'a>,
        reference: Option<&'a str>,
    },
    /// A page of older messages.
    History {
        room: RoomId,
        page: &'a [Said],
        more: bool,
        reference: Option<&'a str>,
    },
}

/// The rooms at one moment, as one version lists them. Encoded once for all who ask.
#[derive(Clone, Debug)]
pub(crate) struct RoomList(pub(super) Arc<RawValue>);

/// How the list of rooms has changed. Each variant says how things are now, whatever was known before.
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
    pub(crate) users: Vec<Person>,
    /// The `seq` of the last message.
    pub(crate) seq: u64,
}

/// The messages that a user who enters a room is shown.
#[derive(Debug)]
pub(crate) struct RecentMessages<'a> {
    pub(crate) epoch: &'a str,
    /// Nothing is missing between what the client knows and these.
    pub(crate) complete: bool,
    pub(crate) messages: &'a [Said],
}

/// What every welcome of `wschat.v2` says about the server.
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

/// The limits that a client has to know so as not to be refused.
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
}

/// A picture that the server has, and what it shows, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Gif {
    pub(crate) id: u64,
    pub(crate) alt: String,
}

impl ServerInfo {
    pub(crate) fn new(limits: AdvertisedLimits, gifs: Vec<Gif>) -> Self {
        let server = Software { name: "wschat", version: env!("CARGO_PKG_VERSION") };
        Self { server, limits, gifs }
    }
}
