//! What a node has applied since it joined, in memory, and how far each room goes.
//!
//! The dispatcher's thread writes it, readers read it; each holds a lock for one call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::retention::SharedRetention;
use crate::chat::{Chat, Erased, Memo, Room, RoomId, Said, StoredRoom};
use crate::history::{Batch, History, HistoryError, MemoryHistory, Retention};

/// How many erasures of a room are remembered: the keeper may not have done them in Redis yet.
const MAX_ERASURES: usize = 256;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) memory: MemoryHistory,
    extents: Arc<Mutex<BTreeMap<RoomId, Extent>>>,
    retention: SharedRetention,
}

/// What there may be of a room.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Extent {
    /// The `seq` of the oldest message that may be kept.
    pub(super) first: u64,
    /// The `seq` of the last message that this node has applied; 0: none.
    pub(super) last: u64,
    /// The last erasures, the oldest first.
    erasures: VecDeque<Erased>,
}

impl Window {
    pub(super) fn new(retention: SharedRetention, chat: &Chat) -> Self {
        let max_events = chat.max_kept();
        retention.set(Retention { max_events, ..retention.get() });
        let memory = MemoryHistory::new(retention.get());
        let extents = Arc::default();
        let mut window = Self { memory, extents, retention };
        let mut extents = BTreeMap::new();
        for (id, _) in chat.rooms() {
            let mut extent = Extent { last: chat.last_seq(id), ..Extent::default() };
            extent.keep(max_events);
            chat.erasures(id).for_each(|erased| extent.erase(erased));
            extents.insert(id, extent);
        }
        *window.lock() = extents;
        let stored = |(id, room): (RoomId, &Room)| {
            Memo::Room(StoredRoom { id, title: room.title().into(), place: None })
        };
        let memos: Vec<Memo> = chat.rooms().map(stored).collect();
        // A history in memory never fails.
        let _ = window.memory.commit(Batch { said: &[], memos: &memos });
        window
    }

    /// `None`: there is no such room.
    pub(super) fn extent(&self, room: RoomId) -> Option<Extent> {
        self.lock().get(&room).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomId, Extent>> {
        // Nothing panics while it is held.
        self.extents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Extent {
    /// For all that a room has, of which some was erased.
    #[cfg(feature = "sqlite")]
    pub(in super::super) fn of_erasures(erasures: impl Iterator<Item = Erased>) -> Self {
        Self { erasures: erasures.collect(), ..Self::default() }
    }

    /// Only so many messages are kept. What once was too much stays away.
    fn keep(&mut self, max_events: u64) {
        self.first = self.first.max(1).max(self.last.saturating_add(1).saturating_sub(max_events));
    }

    fn erase(&mut self, erased: Erased) {
        if self.erasures.len() == MAX_ERASURES {
            self.erasures.pop_front();
        }
        self.erasures.push_back(erased);
    }

    /// The message, or what an erasure leaves of it.
    pub(in super::super) fn show(&self, said: Said) -> Said {
        let takes = |erased: &Erased| {
            said.seq <= erased.up_to && erased.what.takes(said.from.id, said.time)
        };
        if self.erasures.iter().any(takes) { said.erased() } else { said }
    }
}

impl History for Window {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        self.memory.commit(batch)?;
        let max_events = self.retention.get().max_events;
        let mut extents = self.lock();
        for memo in batch.memos {
            match memo {
                Memo::Room(room) => {
                    extents
                        .entry(room.id)
                        .or_insert_with(|| Extent { first: 1, ..Extent::default() });
                }
                Memo::RoomGone(room) => {
                    extents.remove(room);
                }
                _ => {}
            }
        }
        for (room, said) in batch.said {
            if let Some(extent) = extents.get_mut(room) {
                extent.last = extent.last.max(said.seq);
                extent.keep(max_events);
            }
        }
        Ok(())
    }

    /// How many messages are kept the cluster says, not the settings of this node.
    fn set_retention(&mut self, retention: Retention) {
        let max_events = self.retention.get().max_events;
        let retention = Retention { max_events, ..retention };
        self.retention.set(retention);
        self.memory.set_retention(retention);
    }

    fn set_max_events(&mut self, max_events: u64) {
        let retention = Retention { max_events, ..self.retention.get() };
        self.retention.set(retention);
        self.memory.set_retention(retention);
        self.lock().values_mut().for_each(|extent| extent.keep(max_events));
    }

    fn erase(&mut self, room: RoomId, erased: Erased) {
        if let Some(extent) = self.lock().get_mut(&room) {
            extent.erase(erased);
        }
        self.memory.erase(erased.what, &[(room, erased.up_to)]);
    }
}
