//! One room: its title, its members, what was said last, and whether it goes when it is empty.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{RememberedRoom, RoomId, RoomSummary, UserId};

/// A place where everyone hears everyone.
#[derive(Debug)]
pub(crate) struct Room {
    title: Arc<str>,
    members: BTreeSet<UserId>,
    stay: Stay,
    /// The `seq` of what was said last; 0: nothing yet.
    pub(super) last_seq: u64,
    /// The `seq` of what was said last and is kept for good.
    kept_seq: u64,
}

/// How long a room lasts.
#[derive(Debug)]
enum Stay {
    /// Named in the settings, at this place: for ever.
    Permanent { place: usize },
    /// Made by a user: until the given time, while nobody is in it.
    Passing { gone_at: Option<Duration> },
}

impl Room {
    pub(super) fn permanent(title: &str, place: usize, last_seq: u64) -> Self {
        Self::new(title, Stay::Permanent { place }, last_seq)
    }

    /// A room that goes at `gone_at` unless somebody enters before.
    pub(super) fn passing(title: &str, gone_at: Duration, last_seq: u64) -> Self {
        Self::new(title, Stay::Passing { gone_at: Some(gone_at) }, last_seq)
    }

    fn new(title: &str, stay: Stay, last_seq: u64) -> Self {
        let members = BTreeSet::new();
        Self { title: title.into(), members, stay, last_seq, kept_seq: last_seq }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// How many are in it.
    pub(crate) fn users(&self) -> usize {
        self.members.len()
    }

    /// The `seq` that the list of rooms shows: no number that might be taken back.
    pub(crate) fn kept_seq(&self) -> u64 {
        self.kept_seq
    }

    /// What was said up to now is kept for good; returns whether there was anything new.
    pub(super) fn keep(&mut self) -> bool {
        std::mem::replace(&mut self.kept_seq, self.last_seq) != self.last_seq
    }

    /// What was said and is not kept uses up no `seq`.
    pub(super) fn take_back(&mut self) {
        self.last_seq = self.kept_seq;
    }

    pub(super) fn summary(&self, id: RoomId) -> RoomSummary {
        let (title, users) = (self.title.clone(), self.users());
        RoomSummary { id, title, users, seq: self.kept_seq }
    }

    pub(super) fn remembered(&self, id: RoomId) -> RememberedRoom {
        let place = match self.stay {
            Stay::Permanent { place } => Some(place),
            Stay::Passing { .. } => None,
        };
        RememberedRoom { id, title: self.title.clone(), place }
    }

    /// Who is in it, by id.
    pub(super) fn members(&self) -> impl Iterator<Item = UserId> {
        self.members.iter().copied()
    }

    /// Lets `user` in; returns the time at which the room would have gone, if it was to go.
    pub(super) fn enter(&mut self, user: UserId) -> Option<Duration> {
        self.members.insert(user);
        match &mut self.stay {
            Stay::Permanent { .. } => None,
            Stay::Passing { gone_at } => gone_at.take(),
        }
    }

    /// Lets `user` out; returns whether the room is to go at `gone_at` because of it.
    pub(super) fn leave(&mut self, user: UserId, gone_at: Duration) -> bool {
        self.members.remove(&user);
        match &mut self.stay {
            Stay::Passing { gone_at: at } if self.members.is_empty() => {
                *at = Some(gone_at);
                true
            }
            Stay::Permanent { .. } | Stay::Passing { .. } => false,
        }
    }
}
