//! What the chat applies: one entry of the log, with everything in it that the result depends on.

use std::time::Duration;

use super::{Content, EntryId, Link, Reference, ResumeKey, RoomId, Rules};

/// One thing that happens to the chat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    /// The log's clock. The chat never takes it back: an earlier time counts as the latest one.
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
        version: Version,
        /// Boxed, so that every entry stays small. `None`: the user is gone with the connection.
        resume: Option<Box<ResumeOffer>>,
    },
    /// The client at the other end of `link` asks for something.
    Ask { link: Link, request: Request, reference: Reference },
    /// The connection has ended. If it no longer leads to a user, nothing happens.
    Disconnect { link: Link },
    /// Time passes: whatever is due by the entry's time happens.
    Wait,
    /// These rules hold from here on.
    SetRules(Box<Rules>),
    /// The history has saved all messages up to here.
    Saved,
    /// The history could not save the messages since the last `Saved` or `NotSaved`.
    NotSaved,
}

/// The protocol version that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The base protocol: the client offered no subprotocol.
    Base,
    /// `wschat.v2`.
    V2,
}

/// The keys that a connecting client brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResumeOffer {
    /// The key of a user that the client wants to be again.
    pub(crate) resumed: Option<ResumeKey>,
    /// The key of the new user, if there is nobody to resume.
    pub(crate) fresh: ResumeKey,
}

/// What a client asks for. Nothing in it has been checked against the rules yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    EnterRoom(RoomId),
    LeaveRoom,
    /// Sends a message to the room.
    Say(Content),
    /// The new room's title.
    CreateRoom(String),
    /// The new name.
    ChangeName(String),
}
