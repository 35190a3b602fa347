//! The references under which users have sent messages and created rooms, so that a repetition is recognised.
//!
//! Each user has [`References`] of their own. All of them together are bounded; [`ReferenceCounts`] knows who
//! has most, and loses the oldest first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Position, UserId};

/// How many of a user's latest references are remembered even if what was sent with them is no longer kept. A
/// client can have this many requests without an answer and safely retry them.
pub(crate) const MIN_REFERENCES: usize = 128;

/// About how many bytes of memory a reference takes.
pub(crate) const REFERENCE_BYTES: usize = 96;

/// Stands for a reference, whatever its length.
///
/// Hashes of one user are compared with each other only. So whoever finds two references with the same hash
/// has their own message taken for a repetition, and the hash need not resist that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReferenceHash(pub(super) u128);

impl ReferenceHash {
    /// Of the reference under which something was sent: a message, or with the `seq` 0 a room. A message and
    /// a room may have the same one.
    pub(crate) fn of(reference: &str, seq: u64) -> Self {
        // FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let kind = [u8::from(seq == 0)];
        let bytes = kind.iter().chain(reference.as_bytes());
        Self(bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME)))
    }
}

#[cfg(all(feature = "cluster", feature = "sqlite"))]
impl ReferenceHash {
    pub(crate) fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    pub(crate) fn to_bits(self) -> u128 {
        self.0
    }
}

/// What a user has sent with a reference.
#[derive(Debug, Default, PartialEq)]
pub(super) struct References {
    pub(super) sent: BTreeMap<ReferenceHash, Position>,
    /// The keys of `sent`, oldest first.
    pub(super) order: VecDeque<ReferenceHash>,
    /// At this number of references, those to what is no longer kept are dropped.
    pub(super) sweep_at: usize,
}

impl References {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn find(&self, reference: ReferenceHash) -> Option<Position> {
        self.sent.get(&reference).copied()
    }

    /// Notes what was sent with a reference. Now and then it drops references to what is no longer kept,
    /// except for the latest [`MIN_REFERENCES`].
    pub(super) fn note(
        &mut self,
        reference: ReferenceHash,
        position: Position,
        is_kept: impl Fn(Position) -> bool,
    ) {
        if self.order.len() >= self.sweep_at.max(2 * MIN_REFERENCES) {
            self.sweep(is_kept);
            // Doubling spreads the cost of a sweep over many notes.
            self.sweep_at = 2 * self.order.len();
        }
        if self.sent.insert(reference, position).is_some() {
            self.order.retain(|earlier| *earlier != reference);
        }
        self.order.push_back(reference);
    }

    fn sweep(&mut self, is_kept: impl Fn(Position) -> bool) {
        let (order, sent) = (&mut self.order, &mut self.sent);
        let mut excess = order.len().saturating_sub(MIN_REFERENCES);
        order.retain(|reference| {
            let is_old = excess > 0;
            excess = excess.saturating_sub(1);
            let stays = !is_old || sent.get(reference).is_some_and(|position| is_kept(*position));
            if !stays {
                sent.remove(reference);
            }
            stays
        });
    }

    /// Takes back a note, which is among the latest.
    pub(super) fn take_back(&mut self, reference: ReferenceHash) {
        if self.sent.remove(&reference).is_some()
            && let Some(at) = self.order.iter().rposition(|noted| *noted == reference)
        {
            self.order.remove(at);
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.sent.remove(&oldest);
        }
    }
}

/// How many references users have.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReferenceCounts {
    /// Users with references, by how many.
    pub(super) by_count: BTreeSet<(usize, UserId)>,
    pub(super) total: usize,
}

impl ReferenceCounts {
    /// A user has `after` references now, and had `before`.
    pub(super) fn change(&mut self, user: UserId, before: usize, after: usize) {
        if before == after {
            return;
        }
        self.by_count.remove(&(before, user));
        if after > 0 {
            self.by_count.insert((after, user));
        }
        self.total = self.total.saturating_sub(before).saturating_add(after);
    }

    fn heaviest(&self) -> Option<UserId> {
        self.by_count.last().map(|(_, user)| *user)
    }
}

impl super::Chat {
    /// Notes what the user has sent with a reference, if the user can resume.
    pub(super) fn remember(&mut self, user: UserId, reference: ReferenceHash, position: Position) {
        let (rooms, max_kept) = (&self.rooms, self.rules.max_kept);
        let Some(references) = self.users.get_mut(&user).and_then(super::User::references) else {
            return;
        };
        let before = references.len();
        references.note(reference, position, |sent| sent.is_kept(rooms, max_kept));
        self.reference_counts.change(user, before, references.len());
        self.forget_excess_references();
    }

    /// While there are too many references, whoever has most loses the oldest one.
    pub(super) fn forget_excess_references(&mut self) {
        while self.reference_counts.total > self.rules.max_references
            && let Some(user) = self.reference_counts.heaviest()
            && let Some(references) = self.users.get_mut(&user).and_then(super::User::references)
        {
            let before = references.len();
            references.forget_oldest();
            self.reference_counts.change(user, before, references.len());
        }
    }

    /// What the user has sent before under this reference; see [`ReferenceHash::of`] for the `seq`.
    pub(super) fn sent_before(
        &self,
        user: UserId,
        reference: Option<&str>,
        seq: u64,
    ) -> Option<Position> {
        let resumption = self.users.get(&user)?.resumption.as_ref()?;
        resumption.references.find(ReferenceHash::of(reference?, seq))
    }
}

#[cfg(test)]
mod tests;
