//! What the history stores besides messages, to restore the chat after a restart.
//!
//! The chat says what to store (with [`Effect::Store`](super::Effect::Store)), `history` stores it, and
//! returns it as a [`Stored`] when the server starts.

use std::sync::Arc;

use super::{IdLimits, Position, ReferenceHash, RoomId, UserId};

/// Identifies a user who resumes: a hash of the secret that only the client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResumeKey(pub(crate) [u8; 32]);

/// One change of what is stored besides messages. A later memo replaces an earlier one about the same
/// subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Memo {
    /// Ids up to these may be in use, and none above them, even if an earlier memo said so.
    Ids(IdLimits),
    /// The present state of a user who can resume.
    User(StoredUser),
    /// Nobody can resume as this user any more.
    UserGone(UserId),
    /// The present state of a room. Its id and all lower ones count as used from now on.
    Room(StoredRoom),
    /// The room is removed, with its messages. Its id counts as used even if the room was never stored.
    RoomGone(RoomId),
    /// The user has created the room under this reference. It comes after the memos about both.
    Created { user: UserId, room: RoomId, reference: Arc<str> },
    /// This many bytes of padding. Writing them proves that there is space for them.
    Padding(usize),
}

/// A user who can resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredUser {
    pub(crate) user: UserId,
    pub(crate) key: ResumeKey,
    pub(crate) name: Arc<str>,
    pub(crate) room: Option<RoomId>,
}

/// A room, without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRoom {
    pub(crate) id: RoomId,
    pub(crate) title: Arc<str>,
    /// Its place among the rooms of the settings, from 0; `None` for a temporary room.
    pub(crate) place: Option<usize>,
}

/// Everything that is stored when the server starts, except messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) last_user: u64,
    pub(crate) last_room: u64,
    /// By id, each with the last `seq` that was used in it (0: none).
    pub(crate) rooms: Vec<(StoredRoom, u64)>,
    /// By id, each with what the user has sent with a reference, oldest first.
    pub(crate) users: Vec<(StoredUser, Vec<StoredReference>)>,
}

/// A reference, and what was sent with it.
pub(crate) type StoredReference = (ReferenceHash, Position);
