//! The history in memory: the last events of each room, for as long as the process lives.
//!
//! The dispatcher's thread and the readers share it behind a lock that each holds for one call.
//! It needs no upkeep: whoever comes by forgets what is too old.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Batch, History, HistoryError, Opened, Reader, Retention, fit, new_epoch, oldest_kept};
use crate::chat::{Memo, Position, RoomId, Said, Stored};

pub(super) fn open(retention: Retention) -> Opened {
    let kept = Arc::new(Mutex::new(Kept::new(retention)));
    Opened {
        epoch: new_epoch(),
        remembered: Stored::default(),
        history: Box::new(Shared(kept.clone())),
        reader: Box::new(Shared(kept)),
        upkeep: None,
    }
}

/// A hand on what is kept, for the dispatcher or a reader.
struct Shared(Arc<Mutex<Kept>>);

impl Shared {
    /// Nothing of what is done under the lock can panic half-way, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Kept {
    retention: Retention,
    rooms: BTreeMap<RoomId, VecDeque<Entry>>,
    /// Each room that has events, by the turn of its oldest. The first is the oldest of all.
    oldest: BTreeMap<u64, RoomId>,
    next_turn: u64,
    bytes: usize,
}

struct Entry {
    /// Counts up over all rooms.
    turn: u64,
    said: Said,
}

impl History for Shared {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let mut kept = self.lock();
        for memo in batch.memos {
            kept.remember(memo);
        }
        for &(room, said) in batch.said {
            kept.add(room, said);
        }
        kept.forget();
        Ok(())
    }
}

impl Reader for Shared {
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        upto: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError> {
        let mut kept = self.lock();
        kept.forget();
        Ok(fit_all(kept.events(room, after.saturating_add(1)..=upto).rev(), max_bytes).0)
    }

    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let mut kept = self.lock();
        kept.forget();
        // Numbers count from 1, so there is none to be missed below 0.
        let mut newest_first = kept.events(room, 0..=before.saturating_sub(1)).rev().peekable();
        let (found, is_cut) = fit_all(newest_first.by_ref().take(limit), max_bytes);
        Ok((found, is_cut || newest_first.peek().is_some()))
    }

    fn event(&mut self, position: Position) -> Result<Option<Said>, HistoryError> {
        let mut kept = self.lock();
        kept.forget();
        Ok(kept.events(position.room, position.seq..=position.seq).next().cloned())
    }
}

impl Kept {
    fn new(retention: Retention) -> Self {
        Self { retention, rooms: BTreeMap::new(), oldest: BTreeMap::new(), next_turn: 0, bytes: 0 }
    }

    /// Who can come back ends with the process, so only the rooms matter.
    fn remember(&mut self, memo: &Memo) {
        match memo {
            Memo::Room(room) => {
                self.rooms.entry(room.id).or_default();
            }
            Memo::RoomGone(room) => {
                while self.drop_oldest_of(*room) {}
                self.rooms.remove(room);
            }
            Memo::LastUser(_) | Memo::User(_) | Memo::UserGone(_) | Memo::Padding(_) => {}
        }
    }

    fn add(&mut self, room: RoomId, said: &Said) {
        if self.retention.max_events == 0 {
            return;
        }
        let Some(entries) = self.rooms.get_mut(&room) else { return };
        let turn = self.next_turn;
        self.next_turn += 1;
        if entries.is_empty() {
            self.oldest.insert(turn, room);
        }
        self.bytes += said.weight();
        entries.push_back(Entry { turn, said: said.clone() });
        if entries.len() as u64 > self.retention.max_events {
            self.drop_oldest_of(room);
        }
    }

    /// Forgets what is too old or too much over all rooms. When the clock was set back, what is too old
    /// waits for what was said before it.
    fn forget(&mut self) {
        let oldest_kept = oldest_kept(self.retention.max_age).unwrap_or(0);
        while let Some((_, &room)) = self.oldest.first_key_value() {
            let is_old = self.rooms[&room][0].said.time < oldest_kept;
            if !is_old && self.bytes <= self.retention.max_memory_bytes {
                break;
            }
            self.drop_oldest_of(room);
        }
    }

    /// Whether there was one.
    fn drop_oldest_of(&mut self, room: RoomId) -> bool {
        let Some(entries) = self.rooms.get_mut(&room) else { return false };
        let Some(entry) = entries.pop_front() else { return false };
        self.bytes -= entry.said.weight();
        self.oldest.remove(&entry.turn);
        if let Some(next) = entries.front() {
            self.oldest.insert(next.turn, room);
        }
        true
    }

    fn events(
        &self,
        room: RoomId,
        seqs: RangeInclusive<u64>,
    ) -> impl DoubleEndedIterator<Item = &Said> {
        let entries = self.rooms.get(&room).into_iter().flat_map(move |entries| {
            let start = entries.partition_point(|entry| entry.said.seq < *seqs.start());
            let end = entries.partition_point(|entry| entry.said.seq <= *seqs.end());
            entries.range(start..end.max(start))
        });
        entries.map(|entry| &entry.said)
    }
}

fn fit_all<'a>(
    newest_first: impl Iterator<Item = &'a Said>,
    max_bytes: usize,
) -> (Vec<Said>, bool) {
    let Ok(found) = fit::<Infallible>(newest_first.cloned().map(Ok), max_bytes);
    found
}
