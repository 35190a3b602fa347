//! One room: its title, its members, the number of its last message, and when it is removed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Erased, Owner, RoomId, RoomSummary, Source, StoredRoom, UserId};

/// A room. Its members see each other's messages.
#[derive(Debug, PartialEq)]
pub(crate) struct Room {
    pub(super) title: Arc<str>,
    pub(super) members: BTreeSet<UserId>,
    pub(super) lifetime: Lifetime,
    /// Where its creator came from; `None`: nobody has created it, or that was before a restart.
    pub(super) source: Option<Source>,
    /// The `seq` of the last message; 0: none yet.
    pub(super) last_seq: u64,
    /// The `seq` of the last saved message.
    pub(super) saved_seq: u64,
    /// What has been erased in it since the start of the server, the last ones only.
    pub(super) erasures: VecDeque<Erased>,
}

/// How long a room lasts.
#[derive(Debug, PartialEq)]
pub(super) enum Lifetime {
    /// Named in the settings, at this place in the list. Never removed.
    Permanent { place: usize },
    /// Created by a user, or no longer named in the settings. Removed at this time; `None` while somebody
    /// is in it.
    Temporary { removed_at: Option<Duration> },
}

impl Room {
    pub(super) fn permanent(title: &str, place: usize, last_seq: u64) -> Self {
        Self::new(title, Lifetime::Permanent { place }, last_seq)
    }

    /// A room that is removed at `removed_at` unless somebody enters it earlier.
    pub(super) fn temporary(title: &str, removed_at: Duration, last_seq: u64) -> Self {
        Self::new(title, Lifetime::Temporary { removed_at: Some(removed_at) }, last_seq)
    }

    fn new(title: &str, lifetime: Lifetime, last_seq: u64) -> Self {
        let members = BTreeSet::new();
        let (title, source) = (title.into(), None);
        let erasures = VecDeque::new();
        Self { title, members, lifetime, source, last_seq, saved_seq: last_seq, erasures }
    }

    /// The same room, created by somebody from this source.
    pub(super) fn of(self, source: Option<Source>) -> Self {
        Self { source, ..self }
    }

    /// To whom it counts.
    pub(super) fn owner(&self, id: RoomId) -> Owner {
        Owner::new(self.source, id.0)
    }

    /// When it is removed, if it is empty and temporary.
    pub(super) fn removed_at(&self) -> Option<Duration> {
        match self.lifetime {
            Lifetime::Permanent { .. } => None,
            Lifetime::Temporary { removed_at } => removed_at,
        }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Whether the settings name it.
    pub(crate) fn is_permanent(&self) -> bool {
        self.place().is_some()
    }

    /// How many members it has.
    pub(crate) fn user_count(&self) -> usize {
        self.members.len()
    }

    /// The room as the list shows it. An unsaved message may be taken back, so it does not count.
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

    /// Notes that all messages are saved; returns whether that is news.
    pub(super) fn mark_saved(&mut self) -> bool {
        std::mem::replace(&mut self.saved_seq, self.last_seq) != self.last_seq
    }

    /// Frees the numbers of messages that are not saved.
    pub(super) fn take_back_unsaved(&mut self) {
        self.last_seq = self.saved_seq;
    }

    /// Adds a member; returns the time at which the room would have been removed, if any.
    pub(super) fn enter(&mut self, user: UserId) -> Option<Duration> {
        self.members.insert(user);
        match &mut self.lifetime {
            Lifetime::Permanent { .. } => None,
            Lifetime::Temporary { removed_at } => removed_at.take(),
        }
    }

    /// Removes a member; returns whether the room will be removed at `removed_at`.
    pub(super) fn leave(&mut self, user: UserId, removed_at: Duration) -> bool {
        self.members.remove(&user);
        self.expire_if_empty(removed_at)
    }

    /// Schedules the removal of a temporary room if nobody is in it; returns whether it did.
    fn expire_if_empty(&mut self, at: Duration) -> bool {
        match &mut self.lifetime {
            Lifetime::Temporary { removed_at } if self.members.is_empty() => {
                *removed_at = Some(at);
                true
            }
            Lifetime::Permanent { .. } | Lifetime::Temporary { .. } => false,
        }
    }

    /// Makes a room temporary that the settings no longer name; returns whether it will be removed at
    /// `removed_at`.
    pub(super) fn make_temporary(&mut self, removed_at: Duration) -> bool {
        self.lifetime = Lifetime::Temporary { removed_at: None };
        self.expire_if_empty(removed_at)
    }
}
