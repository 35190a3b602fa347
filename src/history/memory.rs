//! The history in memory: the last messages of each room, for as long as the process lives.
//!
//! The dispatcher's thread and the readers share it behind a lock that each holds for one call. It
//! needs no upkeep: every call first drops what is too old.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::AgeClock;
use super::{Batch, History, HistoryError, HistoryReader, Retention, first_within, newest_within};
use crate::chat::{Content, Erasure, Memo, Position, RoomId, Said};

/// A handle for the dispatcher or a reader.
#[derive(Clone, Debug)]
pub(crate) struct MemoryHistory(Arc<Mutex<Messages>>);

impl MemoryHistory {
    pub(crate) fn new(retention: Retention) -> Self {
        Self(Arc::new(Mutex::new(Messages::new(retention))))
    }

    /// Nothing that is done under the lock can panic half-way, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Messages {
    retention: Retention,
    clock: AgeClock,
    rooms: BTreeMap<RoomId, VecDeque<StoredMessage>>,
    /// Each room that has messages, by the `order` of its oldest. The first is the oldest of all.
    oldest: BTreeMap<u64, RoomId>,
    next_order: u64,
    bytes: usize,
}

#[derive(Debug)]
struct StoredMessage {
    /// Counts up over all rooms.
    order: u64,
    said: Said,
}

/// How many messages are looked at while others wait for the lock.
const ERASE_STEP: usize = 10_000;

impl MemoryHistory {
    /// As [`Archive::erase`](super::Archive::erase).
    pub(crate) fn erase(&self, what: Erasure, up_to: &[(RoomId, u64)]) -> u64 {
        let mut erased = 0;
        for &(room, up_to) in up_to {
            let mut next = Some(0);
            while let Some(from) = next {
                next = self.lock().erase(what, room, from..=up_to, &mut erased);
            }
            self.lock().drop_erased(room);
        }
        erased
    }

    /// The `seq` of the oldest message of a room that is here.
    #[cfg(feature = "cluster")]
    pub(crate) fn first(&self, room: RoomId) -> Option<u64> {
        self.lock().range(room, 0..=u64::MAX).next().map(|said| said.seq)
    }
}

impl History for MemoryHistory {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let mut messages = self.lock();
        for memo in batch.memos {
            messages.remember(memo);
        }
        for &(room, said) in batch.said {
            messages.push(room, said);
        }
        messages.expire();
        Ok(())
    }

    fn set_retention(&mut self, retention: Retention) {
        self.lock().set_retention(retention);
    }
}

impl HistoryReader for MemoryHistory {
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        up_to: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError> {
        let mut messages = self.lock();
        messages.expire();
        let newest_first = messages.range(room, after.saturating_add(1)..=up_to).rev();
        Ok(copy_newest_within(max_bytes, newest_first).0)
    }

    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let mut messages = self.lock();
        messages.expire();
        // The first `seq` is 1, so for 0 and 1 alike there is nothing.
        let mut newest_first = messages.range(room, 0..=before.saturating_sub(1)).rev().peekable();
        let (found, is_cut) = copy_newest_within(max_bytes, newest_first.by_ref().take(limit));
        Ok((found, is_cut || newest_first.peek().is_some()))
    }

    fn after(
        &mut self,
        room: RoomId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let mut messages = self.lock();
        messages.expire();
        let mut oldest_first = messages.range(room, after.saturating_add(1)..=u64::MAX).peekable();
        let first = oldest_first.by_ref().take(limit).cloned().map(Ok);
        let Ok((found, is_cut)) = first_within::<Infallible>(max_bytes, first);
        Ok((found, is_cut || oldest_first.peek().is_some()))
    }

    fn message(&mut self, position: Position) -> Result<Option<Said>, HistoryError> {
        let mut messages = self.lock();
        messages.expire();
        Ok(messages.range(position.room, position.seq..=position.seq).next().cloned())
    }
}

impl Messages {
    fn new(retention: Retention) -> Self {
        let (rooms, oldest) = (BTreeMap::new(), BTreeMap::new());
        Self { retention, clock: AgeClock::new(), rooms, oldest, next_order: 0, bytes: 0 }
    }

    /// Only rooms matter: the other memos are for a restart, which this history does not outlive.
    fn remember(&mut self, memo: &Memo) {
        match memo {
            Memo::Room(room) => {
                self.rooms.entry(room.id).or_default();
            }
            Memo::RoomGone(room) => {
                while self.drop_oldest_of(*room) {}
                self.rooms.remove(room);
            }
            Memo::Ids(_)
            | Memo::User(_)
            | Memo::UserGone(_)
            | Memo::Created { .. }
            | Memo::Padding(_) => {}
        }
    }

    fn push(&mut self, room: RoomId, said: &Said) {
        if self.retention.max_events == 0 {
            return;
        }
        let Some(messages) = self.rooms.get_mut(&room) else { return };
        let order = self.next_order;
        self.next_order += 1;
        if messages.is_empty() {
            self.oldest.insert(order, room);
        }
        self.bytes += said.weight();
        messages.push_back(StoredMessage { order, said: said.clone() });
        if messages.len() as u64 > self.retention.max_events {
            self.drop_oldest_of(room);
        }
    }

    fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            while self.rooms[&room].len() as u64 > retention.max_events {
                self.drop_oldest_of(room);
            }
        }
        self.expire();
    }

    /// Drops what is too old, and the oldest of all rooms while they take too much. If the clock was
    /// set back, an old message waits for the younger ones that were said before it.
    fn expire(&mut self) {
        let mut oldest_kept = 0;
        if self.retention.max_age.is_some() {
            self.clock.observe();
            oldest_kept = self.clock.limit(self.retention.max_age).map_or(0, |limit| limit.oldest);
        }
        while let Some((_, &room)) = self.oldest.first_key_value() {
            let is_old = self.rooms[&room][0].said.time < oldest_kept;
            if !is_old && self.bytes <= self.retention.max_memory_bytes {
                break;
            }
            self.drop_oldest_of(room);
        }
    }

    /// A step of an erasure. Returns where the next one begins.
    fn erase(
        &mut self,
        what: Erasure,
        room: RoomId,
        seqs: RangeInclusive<u64>,
        erased: &mut u64,
    ) -> Option<u64> {
        let messages = self.rooms.get_mut(&room)?;
        let first = messages.partition_point(|message| message.said.seq < *seqs.start());
        let end = messages.partition_point(|message| message.said.seq <= *seqs.end());
        for StoredMessage { said, .. } in messages.range_mut(first..end.max(first)).take(ERASE_STEP)
        {
            if said.content != Content::Erased && what.takes(said.from.id, said.time) {
                self.bytes -= said.weight();
                *said = said.erased();
                self.bytes += said.weight();
                *erased += 1;
            }
        }
        (first + ERASE_STEP < end).then(|| messages[first + ERASE_STEP].said.seq)
    }

    /// What is erased at the oldest end of a room need not be kept.
    fn drop_erased(&mut self, room: RoomId) {
        while let Some(messages) = self.rooms.get(&room)
            && messages.front().is_some_and(|oldest| oldest.said.content == Content::Erased)
        {
            self.drop_oldest_of(room);
        }
    }

    /// Returns whether there was one.
    fn drop_oldest_of(&mut self, room: RoomId) -> bool {
        let Some(messages) = self.rooms.get_mut(&room) else { return false };
        let Some(dropped) = messages.pop_front() else { return false };
        self.bytes -= dropped.said.weight();
        self.oldest.remove(&dropped.order);
        if let Some(next) = messages.front() {
            self.oldest.insert(next.order, room);
        }
        true
    }

    fn range(
        &self,
        room: RoomId,
        seqs: RangeInclusive<u64>,
    ) -> impl DoubleEndedIterator<Item = &Said> {
        let messages = self.rooms.get(&room).into_iter().flat_map(move |messages| {
            let start = messages.partition_point(|message| message.said.seq < *seqs.start());
            let end = messages.partition_point(|message| message.said.seq <= *seqs.end());
            messages.range(start..end.max(start))
        });
        messages.map(|message| &message.said)
    }
}

fn copy_newest_within<'a>(
    max_bytes: usize,
    newest_first: impl Iterator<Item = &'a Said>,
) -> (Vec<Said>, bool) {
    let Ok(found) = newest_within::<Infallible>(max_bytes, newest_first.cloned().map(Ok));
    found
}
