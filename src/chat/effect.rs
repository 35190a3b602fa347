//! What follows from an entry: events, replies, which user gets the events of which room, and changes to
//! store.

use std::sync::Arc;

use super::{Erased, Flaw, Link, Memo, Person, Position, Reference, RoomId, Said, UserId, Version};

/// One consequence of an entry. Effects are in the order in which clients see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// From now on the user is reached over `link`. An earlier connection of the same user is replaced.
    Connected { link: Link, welcome: Welcome },
    /// A newer connection already leads to this user, so this one is closed.
    Superseded { link: Link },
    /// The operator has put out the user of this connection, so it is closed.
    Kicked { link: Link },
    /// There is no id for the user of this connection, so it is closed.
    TurnedAway { link: Link },
    /// The user gets the room's events from now on.
    Subscribe { user: UserId, room: RoomId },
    /// The user gets no room's events from now on.
    Unsubscribe { user: UserId },
    /// Sends an event to all users who are subscribed to the room. A message is saved first.
    Tell { room: RoomId, time: u64, event: Event },
    /// Answers one user.
    Reply { to: UserId, time: u64, reply: Reply, reference: Reference },
    /// Shows a room to a user who has entered it, with its messages up to `up_to`.
    ShowRoom { to: UserId, room: RoomId, up_to: u64, reference: Reference },
    /// Sends a message to its author once more, in answer to a retry.
    Repeat { to: UserId, position: Position, reference: Reference },
    /// The operator tells every client something.
    Announce { text: Arc<str>, time: u64 },
    /// The user, who is in this room, is away now, or no longer.
    PresenceChanged { room: RoomId, user: UserId, is_away: bool },
    /// The list of rooms is different now.
    RoomListChanged { room: RoomId, change: RoomChange },
    /// A change to store, no later than the effects after it.
    Store(Memo),
}

/// The first thing that a client is told on a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) person: Person,
    pub(crate) version: Version,
    /// The client resumes a user that existed before.
    pub(crate) resumed: bool,
    /// The client can resume this user later.
    pub(crate) can_resume: bool,
    /// The room that the user is still in.
    pub(crate) room: Option<RoomId>,
    /// Unix time in milliseconds.
    pub(crate) time: u64,
}

/// Something that happens in a room, as all its members see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Entered(Person),
    /// With the reference of the user's request, if there was one.
    Left(Person, Reference),
    Renamed(Renaming),
    Said(Said),
    Erased(Erased),
}

/// The answer to a request of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The user is in the room already.
    Entered(Person),
    /// The new name, for a user who gets no room's events.
    Renamed(Renaming),
    /// The user's own message, for a user who is in a room and does not get its events yet.
    Said(RoomId, Said),
    /// The room that the user has created.
    RoomAdded(RoomSummary),
    /// What has been erased in a room that the user has entered.
    Erased(RoomId, Erased),
    Refused(Refusal),
}

impl Event {
    /// The user whose act this is; 0: the operator.
    pub(crate) fn author(&self) -> UserId {
        match self {
            Self::Entered(person) | Self::Left(person, _) => person.id,
            Self::Renamed(renaming) => renaming.user,
            Self::Said(said) => said.from.id,
            Self::Erased(_) => UserId(0),
        }
    }
}

impl Refusal {
    /// Whether this refuses to create a room.
    pub(crate) fn is_of_new_room(&self) -> bool {
        match self {
            // Messages that cannot be saved are refused later.
            Self::BadTitle(_) | Self::TooManyRooms { .. } | Self::NotSaved => true,
            Self::AlreadySaid(position) => position.seq == 0,
            _ => false,
        }
    }
}

/// A user has another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming {
    pub(crate) user: UserId,
    pub(crate) old_name: Arc<str>,
    pub(crate) new_name: Arc<str>,
    /// That of the user's request.
    pub(crate) reference: Reference,
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
    /// The request was meant for this room, and the user is not in it.
    NotInThisRoom(RoomId),
    BadName(Flaw),
    BadTitle(Flaw),
    BadText(Flaw),
    TooManyRooms {
        max: usize,
    },
    /// The message was sent before under the same reference, and is no longer kept. This was its place. With
    /// the `seq` 0: the room was created before, and is gone.
    AlreadySaid(Position),
    /// The message cannot be saved, so nobody is told.
    NotSaved,
}
