//! What follows from a command: who is to be told what, and who is now in which room.

use std::sync::Arc;

use super::{Flaw, RoomId, UserId};

/// One consequence of a command. Their order is the order in which people see them.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Tells one user.
    Reply { to: UserId, event: Event },
    /// Tells everyone who is in the room at this point of the sequence.
    Tell { room: RoomId, event: Event },
    /// From here on the user is told what is told to the room.
    Enter { room: RoomId, user: UserId },
    /// From here on the user is no longer told.
    Leave { user: UserId },
    /// The list of all rooms, as it is now, for one user or, with `None`, for everyone.
    RoomList { to: Option<UserId> },
}

/// What a user or a room is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Welcome(Person),
    Entered(Person),
    Left(Person),
    Text { text: String, from: Person },
    Gif { gif: u64, from: Person },
    Renamed { old_name: Arc<str>, new_name: Arc<str> },
    Refused(Refusal),
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: Arc<str>,
}

/// Why a request was not granted. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownRoom(RoomId),
    NotInRoom,
    BadName(Flaw),
    BadTitle(Flaw),
    BadText(Flaw),
    TooManyRooms { max: usize },
}
