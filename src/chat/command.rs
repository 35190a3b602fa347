//! What the chat is asked to do, with everything in it that the answer depends on.

use std::sync::Arc;
use std::time::Duration;

use super::{RoomId, SessionKey, UserId};

/// One thing that happens to the chat, with its author and its time.
#[derive(Debug)]
pub(crate) struct Command {
    /// Since the server's start; never goes back.
    pub(crate) at: Duration,
    /// The time of day, in Unix milliseconds, which may go back.
    pub(crate) time: u64,
    pub(crate) author: UserId,
    pub(crate) action: Action,
    /// What the author calls this request: 1 to 64 characters.
    pub(crate) reference: Option<Arc<str>>,
}

/// What the author of a command does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Arrives, under an id that nobody has had before, and is gone for good with the connection.
    Connect,
    /// The same, with a session: may come back after the connection was lost.
    Begin(SessionKey),
    /// Comes back, or moves over to another connection.
    Resume,
    /// Has lost the connection, whatever the reason.
    Disconnect,
    /// Asks for something.
    Request(Request),
}

/// What a client asks for. Nothing in it has been checked against the chat's rules yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    ListRooms,
    /// With a session, the answer shows what was said in the room.
    EnterRoom(RoomId, Option<Since>),
    LeaveRoom,
    Text(String),
    /// A picture by its number; what it shows is the client's business.
    Gif(u64),
    /// The new room's title.
    CreateRoom(String),
    /// The new name.
    ChangeName(String),
    /// What was said in a room before this `seq`, at most `limit` events of it.
    History {
        room: RoomId,
        before: u64,
        limit: usize,
    },
    /// The others may be told that something is being written.
    Typing,
}

/// Up to where a client knows what was said in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// Names the record that `seq` counts in.
    pub(crate) epoch: String,
    pub(crate) seq: u64,
}
