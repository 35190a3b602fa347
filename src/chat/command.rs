//! What the chat is asked to do, with everything in it that the answer depends on.

use std::time::Duration;

use super::{RoomId, UserId};

/// One thing that happens to the chat, with its author and its time.
#[derive(Debug)]
pub(crate) struct Command {
    /// Since the server's start; never goes back.
    pub(crate) at: Duration,
    pub(crate) author: UserId,
    pub(crate) action: Action,
}

/// What the author of a command does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Arrives, under an id that nobody has had before.
    Connect,
    /// Is gone, whatever the reason.
    Disconnect,
    /// Asks for something.
    Request(Request),
}

/// What a client asks for. Nothing in it has been checked against the chat's rules yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    ListRooms,
    EnterRoom(RoomId),
    LeaveRoom,
    Text(String),
    /// A picture by its number; what it shows is the client's business.
    Gif(u64),
    /// The new room's title.
    CreateRoom(String),
    /// The new name.
    ChangeName(String),
}
