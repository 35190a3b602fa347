//! The input of the chat: one entry of the log, with everything that the result depends on.

use std::time::Duration;

#[cfg(feature = "cluster")]
use super::NodeId;
use super::{
    Content, EntryId, Erasure, IdLimits, Link, Reference, ResumeKey, RoomId, Rules, Source, UserId,
};

/// One thing that happens to the chat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    /// The log's clock. If it is earlier than that of an entry before, the later time counts.
    pub(crate) at: Duration,
    /// The time of day in Unix milliseconds. It may go back.
    pub(crate) time: u64,
    pub(crate) action: Action,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// A client connects.
    Connect {
        link: Link,
        /// The network that the client comes from.
        source: Source,
        version: Version,
        /// Boxed, so that every entry stays small. `None`: the user leaves when the connection ends.
        resume: Option<Box<ResumeOffer>>,
    },
    /// A client sends a request.
    Ask { link: Link, request: Request, reference: Reference },
    /// A connection has ended. Nothing happens if it no longer leads to a user.
    Disconnect {
        link: Link,
        /// The client has said that it goes away, as browsers do when a page is closed or loaded again.
        is_going_away: bool,
    },
    /// Time passes: what is due by the entry's time happens.
    Wait,
    /// The rules change.
    SetRules(Box<Rules>),
    /// The history has reserved the ids up to these.
    Reserved(IdLimits),
    /// The history has saved all messages so far.
    Saved,
    /// The history could not save the messages since the last `Saved` or `NotSaved`.
    NotSaved,
    /// The operator puts out a user. Nothing happens if there is no such user.
    Kick { user: UserId },
    /// The operator tells everyone something. Nothing happens if it breaks the rules for texts.
    Announce { text: String },
    /// The history has erased messages, in each of these rooms up to the `seq` here.
    Erased { what: Erasure, reach: Vec<(RoomId, u64)> },
    /// A node is no longer there: all its connections end, in the order of their numbers.
    #[cfg(feature = "cluster")]
    NodeGone { node: NodeId },
}

/// The protocol version that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The base protocol: the client offered no subprotocol.
    Base,
    /// `wschat.v2`.
    V2,
}

/// The keys of a client that connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResumeOffer {
    /// The key of the user that the client wants to resume.
    pub(crate) resumed: Option<ResumeKey>,
    /// The key for a new user, if there is none to resume.
    pub(crate) fresh: ResumeKey,
}

/// What a client asks for. Nothing in it has been checked against the rules yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    EnterRoom(RoomId),
    /// Refused if the user is in another room than this.
    LeaveRoom(Option<RoomId>),
    /// Sends a message to the room. Refused if the user is in another room than this.
    Say(Content, Option<RoomId>),
    /// The new room's title.
    CreateRoom(String),
    /// The new name.
    ChangeName(String),
}
