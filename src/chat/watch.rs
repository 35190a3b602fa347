//! Who is kept up to date on the list of rooms, and what they have not been told of it yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{RoomId, UserId};

/// Changes of the list of rooms, gathered for those who watch it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    watchers: BTreeSet<UserId>,
    changes: BTreeMap<RoomId, Change>,
    /// Before this time no changes go out.
    not_before: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Changed,
    Removed,
}

impl Watch {
    pub(super) fn begin(&mut self, user: UserId) {
        self.watchers.insert(user);
    }

    pub(super) fn end(&mut self, user: UserId) {
        self.watchers.remove(&user);
        if self.watchers.is_empty() {
            self.changes.clear();
        }
    }

    /// Notes a change, which costs nothing while nobody watches.
    pub(super) fn note(&mut self, room: RoomId, change: Change) {
        if self.watchers.is_empty() {
            return;
        }
        let noted = self.changes.entry(room).or_insert(change);
        // Whoever has not heard of a room need not hear that it has changed, but one who asked for the
        // list in between has: that it is gone is told in any case.
        if change != Change::Changed {
            *noted = change;
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        (!self.changes.is_empty()).then_some(self.not_before)
    }

    /// The changes that are to be told at the time `at`, by room; after them the next wait `interval`.
    pub(super) fn take_due(
        &mut self,
        at: Duration,
        interval: Duration,
    ) -> Option<BTreeMap<RoomId, Change>> {
        if self.changes.is_empty() || at < self.not_before {
            return None;
        }
        self.not_before = at + interval;
        Some(std::mem::take(&mut self.changes))
    }
}
