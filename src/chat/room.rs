//! One room: its title, its members, its last message, and whether it is removed when it is empty.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{RoomId, RoomSummary, StoredRoom, UserId};

/// A place where everyone hears everyone.
#[derive(Debug, PartialEq)]
pub(crate) struct Room {
    pub(super) title: Arc<str>,
    pub(super) members: BTreeSet<UserId>,
    pub(super) lifetime: Lifetime,
    /// The `seq` of the last message; 0: none yet.
    pub(super) last_seq: u64,
    /// The `seq` of the last message that is saved.
    pub(super) saved_seq: u64,
}

/// How long a room lasts.
#[derive(Debug, PartialEq)]
pub(super) enum Lifetime {
    /// Named in the settings, at this place: for ever.
    Permanent { place: usize },
    /// Made by a user: it is removed at this time. `None` while somebody is in it.
    Temporary { removed_at: Option<Duration> },
}

impl Room {
    pub(super) fn permanent(title: &str, place: usize, last_seq: u64) -> Self {
        Self::new(title, Lifetime::Permanent { place }, last_seq)
    }

    /// A room that is removed at `removed_at` unless somebody enters before.
    pub(super) fn temporary(title: &str, removed_at: Duration, last_seq: u64) -> Self {
        Self::new(title, Lifetime::Temporary { removed_at: Some(removed_at) }, last_seq)
    }

    fn new(title: &str, lifetime: Lifetime, last_seq: u64) -> Self {
        let members = BTreeSet::new();
        Self { title: title.into(), members, lifetime, last_seq, saved_seq: last_seq }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// How the list of rooms shows it. It shows no `seq` that might be taken back.
    pub(crate) fn summary(&self, id: RoomId) -> RoomSummary {
        let (title, users) = (self.title.clone(), self.members.len());
        RoomSummary { id, title, users, seq: self.saved_seq }
    }

    pub(super) fn stored(&self, id: RoomId) -> StoredRoom {
        StoredRoom { id, title: self.title.clone(), place: self.place() }
    }

    /// Its place among the rooms of the settings.
    pub(super) fn place(&self) -> Option<usize> {
        match self.lifetime {
            Lifetime::Permanent { place } => Some(place),
            Lifetime::Temporary { .. } => None,
        }
    }

    /// All messages are saved; returns whether one of them was not before.
    pub(super) fn mark_saved(&mut self) -> bool {
        std::mem::replace(&mut self.saved_seq, self.last_seq) != self.last_seq
    }

    /// The messages that are not saved use up no `seq`.
    pub(super) fn take_back_unsaved(&mut self) {
        self.last_seq = self.saved_seq;
    }

    /// Lets `user` in; returns the time at which the room would have been removed, if any.
    pub(super) fn enter(&mut self, user: UserId) -> Option<Duration> {
        self.members.insert(user);
        match &mut self.lifetime {
            Lifetime::Permanent { .. } => None,
            Lifetime::Temporary { removed_at } => removed_at.take(),
        }
    }

    /// Lets `user` out; returns whether the room is now removed at `removed_at`.
    pub(super) fn leave(&mut self, user: UserId, removed_at: Duration) -> bool {
        self.members.remove(&user);
        self.expire_if_empty(removed_at)
    }

    /// Has a temporary room removed at `removed_at` if nobody is in it; returns whether that is so.
    fn expire_if_empty(&mut self, at: Duration) -> bool {
        match &mut self.lifetime {
            Lifetime::Temporary { removed_at } if self.members.is_empty() => {
                *removed_at = Some(at);
                true
            }
            Lifetime::Permanent { .. } | Lifetime::Temporary { .. } => false,
        }
    }

    /// No longer named in the settings; returns whether it is now removed at `removed_at`.
    pub(super) fn make_temporary(&mut self, removed_at: Duration) -> bool {
        self.lifetime = Lifetime::Temporary { removed_at: None };
        self.expire_if_empty(removed_at)
    }
}
