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
    pub(super) is_renamed: bool,
    pub(super) references: References,
    /// Before this time nobody is told that this user types.
    pub(super) types_not_before: Duration,
}

/// How many references of a user count even if what they stand for is no longer kept: as many as a client
/// may have sent without having seen an answer.
const REFERENCES_AT_LEAST: usize = 128;

/// How many references of a user count at most.
const REFERENCES_AT_MOST: usize = 16_384;

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
    /// With so many, those that stand for nothing any more are looked for.
    sweep_at: usize,
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
            is_renamed: false,
            references: References::default(),
            types_not_before: Duration::ZERO,
        }
    }
}

impl References {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

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
        if self.order.len() >= self.sweep_at.max(2 * REFERENCES_AT_LEAST) {
            self.sweep(is_kept);
            // So that sweeping costs each of them little.
            self.sweep_at = 2 * self.order.len();
        }
        if self.order.len() >= REFERENCES_AT_MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
        if self.places.insert(reference.clone(), place).is_some() {
            self.order.retain(|earlier| *earlier != reference);
        }
        self.order.push_back(reference);
    }

    fn sweep(&mut self, is_kept: impl Fn(Place) -> bool) {
        let (order, places) = (&mut self.order, &mut self.places);
        let mut more_than_few = order.len().saturating_sub(REFERENCES_AT_LEAST);
        order.retain(|reference| {
            let is_old = more_than_few > 0;
            more_than_few = more_than_few.saturating_sub(1);
            let is_to_stay = !is_old || places.get(reference).is_some_and(|place| is_kept(*place));
            if !is_to_stay {
                places.remove(reference);
            }
            is_to_stay
        });
    }

    /// Takes back the latest note, if it is of this reference.
    pub(super) fn forget_latest(&mut self, reference: &str) {
        if self.order.back().is_some_and(|latest| **latest == *reference) {
            self.order.pop_back();
            self.places.remove(reference);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::RoomId;

    fn place(seq: u64) -> Place {
        Place { position: Position { room: RoomId(1), seq }, time: 0 }
    }

    /// Notes references 1, 2 … `count`, of which those are kept.
    fn noted(count: u64, is_kept: impl Fn(u64) -> bool) -> References {
        let mut references = References::default();
        for seq in 1..=count {
            references.note(seq.to_string().into(), place(seq), |it| is_kept(it.position.seq));
        }
        references
    }

    #[test]
    fn what_is_kept_and_the_last_few_count_and_no_others_for_ever() {
        let references = noted(100_000, |seq| seq == 1 || seq > 99_000);
        assert!(references.find("1").is_some(), "it is kept, however old");
        assert!((99_001..=100_000).all(|seq: u64| references.find(&seq.to_string()).is_some()));
        assert!(references.order.len() < 10_000, "{}", references.order.len());
        assert_eq!(references.order.len(), references.places.len());

        let references = noted(1_000, |_| false);
        assert!((873..=1_000).all(|seq: u64| references.find(&seq.to_string()).is_some()));
        assert!(references.find("1").is_none());
    }

    #[test]
    fn no_more_than_the_most_count() {
        let references = noted(REFERENCES_AT_MOST as u64 + 10, |_| true);
        assert_eq!(references.order.len(), REFERENCES_AT_MOST);
        assert!(references.find("10").is_none());
        assert!(references.find("11").is_some());
    }
}
