//! What follows from a command: who is to be told what, who is now in which room, and what is to be
//! remembered.

use std::sync::Arc;

use super::{Flaw, Memo, Position, RoomId, Said, Since, UserId};

/// One consequence of a command. Their order is the order in which people see them.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Tells one user.
    Reply { to: UserId, event: Event },
    /// Tells everyone who hears the room at this point of the sequence.
    Tell { room: RoomId, event: Event },
    /// The same without one of them.
    TellOthers { room: RoomId, but: UserId, event: Event },
    /// Something was said: it is to be kept, and then told to everyone who hears the room.
    Say { room: RoomId, said: Said },
    /// From here on the user hears the room: is told what is told to it.
    Enter { room: RoomId, user: UserId },
    /// From here on the user hears no room.
    Leave { user: UserId },
    /// The list of all rooms, as it is now, for one user or, with `None`, for everyone without a
    /// session.
    RoomList { to: Option<UserId> },
    /// Tells everyone who watches the list of rooms what has changed in it.
    RoomChanges(Vec<RoomChange>),
    /// Shows a room as it is now to someone who enters it: who is in it, and what was said up to
    /// `upto`, from where they know it.
    Show { to: UserId, room: RoomId, since: Option<Since>, upto: u64 },
    /// Shows one user a page of what was said.
    ShowHistory { to: UserId, room: RoomId, before: u64, limit: usize },
    /// Shows its author alone what was said under the same reference before.
    Repeat { to: UserId, position: Position },
    /// Something to be remembered, at the latest with what follows.
    Remember(Memo),
}

/// What a user or a room is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Welcome {
        person: Person,
        resumed: bool,
        /// Where the user still is.
        room: Option<RoomId>,
    },
    Entered(Person),
    Left(Person),
    Renamed {
        user: UserId,
        old_name: Arc<str>,
        new_name: Arc<str>,
    },
    Typing(Person),
    /// The answer to whoever made the room.
    RoomAdded(RoomSummary),
    Refused(Refusal),
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: Arc<str>,
}

/// A room as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomSummary {
    pub(crate) id: RoomId,
    pub(crate) title: Arc<str>,
    pub(crate) users: usize,
    /// That of what was said last and is kept; 0: nothing yet.
    pub(crate) seq: u64,
}

/// How the list of rooms has changed. Each says what is so now, whatever was known before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoomChange {
    Added(RoomSummary),
    Changed(RoomSummary),
    Removed(RoomId),
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
    /// It was said under the same reference before, and is no longer kept.
    AlreadySaid,
}
