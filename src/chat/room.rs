//! One room: its title, its members, and whether it goes when it is empty.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::UserId;

/// A place where everyone hears everyone.
#[derive(Debug)]
pub(crate) struct Room {
    title: Arc<str>,
    members: BTreeSet<UserId>,
    stay: Stay,
}

/// How long a room lasts.
#[derive(Debug)]
enum Stay {
    /// Named in the settings: for ever.
    Permanent,
    /// Made by a user: until the given time, while nobody is in it.
    Passing { gone_at: Option<Duration> },
}

impl Room {
    pub(super) fn permanent(title: &str) -> Self {
        Self { title: title.into(), members: BTreeSet::new(), stay: Stay::Permanent }
    }

    /// A room that goes at `gone_at` unless somebody enters before.
    pub(super) fn passing(title: &str, gone_at: Duration) -> Self {
        let stay = Stay::Passing { gone_at: Some(gone_at) };
        Self { title: title.into(), members: BTreeSet::new(), stay }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Who is in it, by id.
    pub(super) fn members(&self) -> impl Iterator<Item = UserId> {
        self.members.iter().copied()
    }

    /// Lets `user` in; returns the time at which the room would have gone, if it was to go.
    pub(super) fn enter(&mut self, user: UserId) -> Option<Duration> {
        self.members.insert(user);
        match &mut self.stay {
            Stay::Permanent => None,
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
            Stay::Permanent | Stay::Passing { .. } => false,
        }
    }
}
