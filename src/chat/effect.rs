//! What follows from an entry: who is told what, who hears which room, and what has to be stored.

use std::sync::Arc;

use super::{Flaw, Link, Memo, Person, Position, Reference, RoomId, Said, UserId, Version};

/// One consequence of an entry. Effects are in the order in which people see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// From here on the user is reached over `link`. A connection that led to the same user before is
    /// replaced.
    Connected { link: Link, welcome: Welcome },
    /// The user has reconnected over a newer connection already, so this one is closed.
    Superseded { link: Link },
    /// The user hears what the room is told from here on.
    Subscribe { user: UserId, room: RoomId },
    /// The user hears no room from here on.
    Unsubscribe { user: UserId },
    /// Tells everyone who hears the room. A message is saved first.
    Tell { room: RoomId, time: u64, event: Event },
    /// Answers one user.
    Reply { to: UserId, time: u64, reply: Reply, reference: Reference },
    /// Shows a room to a user who has entered it, with its messages up to `up_to`.
    ShowRoom { to: UserId, room: RoomId, up_to: u64, reference: Reference },
    /// Shows a message once more to its author, who has sent it again.
    Repeat { to: UserId, position: Position, reference: Reference },
    /// The list of rooms is different now.
    RoomListChanged { room: RoomId, change: RoomChange },
    /// Something to be stored, at the latest with what follows.
    Store(Memo),
}

/// How a user is greeted on a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) person: Person,
    pub(crate) version: Version,
    /// An earlier connection of this user is continued.
    pub(crate) resumed: bool,
    /// The user may resume later.
    pub(crate) can_resume: bool,
    /// The room in which the user still is.
    pub(crate) room: Option<RoomId>,
}

/// What a room is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Entered(Person),
    Left(Person),
    Renamed(Renaming),
    Said(Said),
    /// Never an effect of an entry: each node tells its own members.
    Typing(Person),
}

/// What one user is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The user is in the room already.
    Entered(Person),
    /// The new name, for a user who hears no room.
    Renamed(Renaming),
    /// The room that the user has created.
    RoomAdded(RoomSummary),
    Refused(Refusal),
}

/// A user has another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming {
    pub(crate) user: UserId,
    pub(crate) old_name: Arc<str>,
    pub(crate) new_name: Arc<str>,
}

/// A room as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomSummary {
    pub(crate) id: RoomId,
    pub(crate) title: Arc<str>,
    pub(crate) users: usize,
    /// The `seq` of the last message that is saved; 0: none.
    pub(crate) seq: u64,
}

/// How the list of rooms has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomChange {
    Added,
    Removed,
    /// The room has another title.
    Retitled,
    /// A user has entered or left.
    Members,
    /// Messages have been saved.
    Messages,
}

/// Why a request was not granted. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownRoom(RoomId),
    NotInRoom,
    BadName(Flaw),
    BadTitle(Flaw),
    BadText(Flaw),
    TooManyRooms {
        max: usize,
    },
    /// The message was sent before under the same reference, and is no longer kept.
    AlreadySaid,
    /// The message cannot be saved, so nobody is told.
    NotSaved,
}
