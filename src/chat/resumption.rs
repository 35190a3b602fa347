//! Users who can resume: their keys, and the messages that they sent with a reference.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Position, ResumeKey, UserId};

/// The state of a user who can resume, besides name and room.
#[derive(Debug, PartialEq)]
pub(super) struct Resumption {
    pub(super) key: ResumeKey,
    /// `None` while the user is connected.
    pub(super) away: Option<Away>,
    pub(super) references: References,
}

/// The user has lost the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away {
    /// The user leaves at this time, unless it reconnects earlier.
    pub(super) until: Duration,
    /// The user would lose nothing by leaving: it is in no room, has not chosen a name, and has sent
    /// nothing with a reference.
    pub(super) has_nothing: bool,
}

/// In which order users of one source leave when too many are away. The greatest is the first: one with
/// nothing to lose, or else the one whose time ends last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AwayRank {
    has_nothing: bool,
    until: Duration,
    pub(super) user: UserId,
}

/// How many of a user's latest references are remembered even if their messages are no longer kept. A
/// client can have this many requests without an answer and safely retry them.
const MIN_REFERENCES: usize = 128;

/// How many references of a user are remembered at most.
const MAX_REFERENCES: usize = 16_384;

/// The messages that a user has sent with a reference.
#[derive(Debug, Default, PartialEq)]
pub(super) struct References {
    pub(super) sent: BTreeMap<Arc<str>, Sent>,
    /// The keys of `sent`, oldest first.
    pub(super) order: VecDeque<Arc<str>>,
    /// At this number of references, those to messages that are no longer kept are dropped.
    pub(super) sweep_at: usize,
}

/// Where and when a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) position: Position,
    /// Unix time in milliseconds.
    pub(super) time: u64,
}

impl Resumption {
    pub(super) fn new(key: ResumeKey) -> Self {
        Self { key, away: None, references: References::default() }
    }
}

impl Away {
    pub(super) fn rank(self, user: UserId) -> AwayRank {
        AwayRank { has_nothing: self.has_nothing, until: self.until, user }
    }
}

impl References {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn find(&self, reference: &str) -> Option<Sent> {
        self.sent.get(reference).copied()
    }

    /// Notes the message that was sent with a reference. Now and then it drops references whose messages are
    /// no longer kept, except for the latest [`MIN_REFERENCES`].
    pub(super) fn note(
        &mut self,
        reference: Arc<str>,
        message: Sent,
        is_kept: impl Fn(Sent) -> bool,
    ) {
        if self.order.len() >= self.sweep_at.max(2 * MIN_REFERENCES) {
            self.sweep(is_kept);
            // Doubling spreads the cost of a sweep over many notes.
            self.sweep_at = 2 * self.order.len();
        }
        if self.order.len() >= MAX_REFERENCES
            && let Some(oldest) = self.order.pop_front()
        {
            self.sent.remove(&oldest);
        }
        if self.sent.insert(reference.clone(), message).is_some() {
            self.order.retain(|earlier| *earlier != reference);
        }
        self.order.push_back(reference);
    }

    fn sweep(&mut self, is_kept: impl Fn(Sent) -> bool) {
        let (order, sent) = (&mut self.order, &mut self.sent);
        let mut excess = order.len().saturating_sub(MIN_REFERENCES);
        order.retain(|reference| {
            let is_old = excess > 0;
            excess = excess.saturating_sub(1);
            let stays = !is_old || sent.get(reference).is_some_and(|message| is_kept(*message));
            if !stays {
                sent.remove(reference);
            }
            stays
        });
    }

    /// Takes back the latest note, if it has this reference.
    pub(super) fn forget_latest(&mut self, reference: &str) {
        if self.order.back().is_some_and(|latest| **latest == *reference) {
            self.order.pop_back();
            self.sent.remove(reference);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::RoomId;

    fn message(seq: u64) -> Sent {
        Sent { position: Position { room: RoomId(1), seq }, time: 0 }
    }

    /// Notes references 1, 2 … `count`.
    fn noted(count: u64, is_kept: impl Fn(u64) -> bool) -> References {
        let mut references = References::default();
        for seq in 1..=count {
            references.note(seq.to_string().into(), message(seq), |it| is_kept(it.position.seq));
        }
        references
    }

    #[test]
    fn references_of_kept_messages_and_the_latest_ones_are_remembered() {
        let references = noted(100_000, |seq| seq == 1 || seq > 99_000);
        assert!(references.find("1").is_some(), "it is kept, however old");
        assert!((99_001..=100_000).all(|seq: u64| references.find(&seq.to_string()).is_some()));
        assert!(references.order.len() < 10_000, "{}", references.order.len());
        assert_eq!(references.order.len(), references.sent.len());

        let references = noted(1_000, |_| false);
        assert!((873..=1_000).all(|seq: u64| references.find(&seq.to_string()).is_some()));
        assert!(references.find("1").is_none());
    }

    #[test]
    fn the_number_of_references_is_bounded() {
        let references = noted(MAX_REFERENCES as u64 + 10, |_| true);
        assert_eq!(references.order.len(), MAX_REFERENCES);
        assert!(references.find("10").is_none());
        assert!(references.find("11").is_some());
    }
}
