//! What is to be remembered: what was said, and what brings the chat back after a restart.
//!
//! The chat says what (with [`Effect`](super::Effect)s); `history` keeps it, and hands it back as a
//! [`Remembered`] when the server starts.

use std::sync::Arc;

use super::{Person, RoomId, UserId};

/// About what an event takes beside its text and names, in bytes.
pub(crate) const EVENT_BYTES: usize = 128;

/// Something said in a room, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Counts up by one in its room, from 1, for ever.
    pub(crate) seq: u64,
    /// Unix time in milliseconds.
    pub(crate) time: u64,
    pub(crate) from: Person,
    pub(crate) content: Content,
    /// What its sender calls it: 1 to 64 characters, unique for that sender.
    pub(crate) reference: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(String),
    /// A picture by its number; what it shows is the client's business.
    Gif(u64),
}

impl Said {
    /// About how many bytes it takes: its text, its names, and [`EVENT_BYTES`].
    pub(crate) fn weight(&self) -> usize {
        let text = match &self.content {
            Content::Text(text) => text.len(),
            Content::Gif(_) => 0,
        };
        EVENT_BYTES
            + text
            + self.from.name.len()
            + self.reference.as_ref().map_or(0, |name| name.len())
    }
}

/// What a session is known by: a hash of its secret, which itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionKey(pub(crate) [u8; 32]);

/// A change of what is remembered beside what was said. A later one replaces an earlier one of the
/// same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Memo {
    /// Ids up to this one may be in use, and none beyond, whatever was noted before.
    LastUser(UserId),
    /// Somebody who can come back, as they are now.
    Session(RememberedSession),
    /// Nobody can come back as this user any more.
    SessionOver(UserId),
    /// A room as it is now. Ids up to its own may be in use, for ever.
    Room(RememberedRoom),
    /// The room is gone, with all that was said in it. Its id counts as used even if it was never kept.
    RoomGone(RoomId),
    /// Takes so many bytes for nothing, which shows that there is room for them.
    Ballast(usize),
}

/// A user who can come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RememberedSession {
    pub(crate) user: UserId,
    pub(crate) key: SessionKey,
    pub(crate) name: Arc<str>,
    pub(crate) room: Option<RoomId>,
}

/// A room, without what was said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RememberedRoom {
    pub(crate) id: RoomId,
    pub(crate) title: Arc<str>,
    /// Its place among the rooms of the settings, from 0; `None` if a user made it.
    pub(crate) place: Option<usize>,
}

/// Where something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) room: RoomId,
    pub(crate) seq: u64,
}

/// All that is remembered when the server starts, except for what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) last_user: u64,
    pub(crate) last_room: u64,
    /// By id, each with the last `seq` that was used in it (0: none).
    pub(crate) rooms: Vec<(RememberedRoom, u64)>,
    /// By user, each with what its references stand for, as far as that is still kept, oldest first.
    pub(crate) sessions: Vec<(RememberedSession, Vec<Noted>)>,
}

/// A reference, and what it stands for.
pub(crate) type Noted = (Arc<str>, Position);
