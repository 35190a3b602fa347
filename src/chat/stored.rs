//! What is stored: messages, and what brings the chat back after a restart.
//!
//! The chat says what to store (with [`Effect`](super::Effect)s), `history` stores it, and hands it back
//! as a [`Stored`] when the server starts.

use std::sync::Arc;

use super::{Position, RoomId, UserId};

/// By which a user who reconnects is recognized: a hash of the secret that only the client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResumeKey(pub(crate) [u8; 32]);

/// A change of what is stored beside the messages. A later one replaces an earlier one of the same
/// thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Memo {
    /// Ids up to this one may be in use, and none beyond, whatever was noted before.
    LastUser(UserId),
    /// A user who can resume, as they are now.
    User(StoredUser),
    /// Nobody can resume as this user any more.
    UserGone(UserId),
    /// A room as it is now. Ids up to its own may be in use, for ever.
    Room(StoredRoom),
    /// The room is gone, with its messages. Its id counts as used even if it was never stored.
    RoomGone(RoomId),
    /// So many bytes of padding. Writing them shows that there is room for them.
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
    /// Its place among the rooms of the settings, from 0; `None` if a user made it.
    pub(crate) place: Option<usize>,
}

/// Everything that is stored when the server starts, except for the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) last_user: u64,
    pub(crate) last_room: u64,
    /// By id, each with the last `seq` that was used in it (0: none).
    pub(crate) rooms: Vec<(StoredRoom, u64)>,
    /// By user, each with the messages that they sent with a reference, as far as these are still kept,
    /// oldest first.
    pub(crate) users: Vec<(StoredUser, Vec<StoredReference>)>,
}

/// A reference, and the message that was sent with it.
pub(crate) type StoredReference = (Arc<str>, Position);
