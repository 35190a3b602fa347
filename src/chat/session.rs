//! Those who can come back: their sessions, and what their references stand for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Position, SessionKey};

/// What is known of a user who can come back, beside name and room.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) key: SessionKey,
    pub(super) presence: Presence,
    /// Is told what is told to its room: not after coming back, until the room is entered anew.
    pub(super) hears: bool,
    pub(super) references: References,
    /// Before this time nobody is told that this user types.
    pub(super) types_not_before: Duration,
}

/// How many references of a user count even if what they stand for is no longer kept: as many as a client
/// may have sent without having seen an answer.
const REFERENCES_AT_LEAST: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    /// Leaves at this time, unless back before.
    Away {
        until: Duration,
    },
}

/// What a user's references stand for.
#[derive(Debug, Default)]
pub(super) struct References {
    places: BTreeMap<Arc<str>, Place>,
    /// The names above, oldest first.
    order: VecDeque<Arc<str>>,
}

/// Where and when something was said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) position: Position,
    /// Unix time in milliseconds.
    pub(super) time: u64,
}

impl Session {
    pub(super) fn new(key: SessionKey) -> Self {
        Self {
            key,
            presence: Presence::Here,
            hears: false,
            references: References::default(),
            types_not_before: Duration::ZERO,
        }
    }
}

impl References {
    pub(super) fn find(&self, reference: &str) -> Option<Place> {
        self.places.get(reference).copied()
    }

    /// Notes what a reference stands for, and forgets the oldest ones that stand for nothing any more,
    /// but for the last few.
    pub(super) fn note(
        &mut self,
        reference: Arc<str>,
        place: Place,
        is_kept: impl Fn(Place) -> bool,
    ) {
        while self.order.len() >= REFERENCES_AT_LEAST
            && let Some(oldest) = self.order.front()
            && !self.places.get(oldest).is_some_and(|place| is_kept(*place))
        {
            self.places.remove(oldest);
            self.order.pop_front();
        }
        if self.places.insert(reference.clone(), place).is_some() {
            self.order.retain(|earlier| *earlier != reference);
        }
        self.order.push_back(reference);
    }

    /// Takes back the latest note, if it is of this reference.
    pub(super) fn forget_latest(&mut self, reference: &str) {
        if self.order.back().is_some_and(|latest| **latest == *reference) {
            self.order.pop_back();
            self.places.remove(reference);
        }
    }
}
