//! A history that fails, is full, is slow and recovers, around the real one in memory. It checks each
//! batch that it commits, and remembers every message for good: what clients see is compared with that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::frames::payload;
use crate::chat::{Event, Memo, Position, RoomId, Said, Version};
use crate::history::{
    self, Batch, History, HistoryError, HistoryReader, Location, Opened, Retention,
};
use crate::protocol::Outgoing;
use crate::settings::Durability;

/// A handle for the history, its reader and the checks.
#[derive(Clone)]
pub(super) struct FaultyStore(Arc<Mutex<StoreState>>);

/// How commits fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitFault {
    None,
    /// Every commit fails.
    Failing,
    /// Commits of more than so many bytes fail.
    Full(usize),
}

struct StoreState {
    history: Box<dyn History>,
    reader: Box<dyn HistoryReader>,
    epoch: String,
    fault: CommitFault,
    is_unreadable: bool,
    /// The payload of every message that was ever committed, as `wschat.v2` shows it.
    committed: BTreeMap<Position, String>,
    last_seq: BTreeMap<RoomId, u64>,
    by_reference: BTreeMap<(u64, String), Position>,
    /// Whether each commit with messages succeeded; taken by the checks.
    outcomes: VecDeque<bool>,
    /// Rooms that could not be read at some time.
    unread: BTreeSet<RoomId>,
    failed_commits: u64,
    failed_reads: u64,
}

impl FaultyStore {
    pub(super) fn open(retention: Retention) -> Self {
        let opened = history::open(&Location::Memory, retention).unwrap();
        let Opened { epoch, history, reader, .. } = opened;
        Self(Arc::new(Mutex::new(StoreState {
            history,
            reader,
            epoch,
            fault: CommitFault::None,
            is_unreadable: false,
            committed: BTreeMap::new(),
            last_seq: BTreeMap::new(),
            by_reference: BTreeMap::new(),
            outcomes: VecDeque::new(),
            unread: BTreeSet::new(),
            failed_commits: 0,
            failed_reads: 0,
        })))
    }

    pub(super) fn epoch(&self) -> String {
        self.lock().epoch.clone()
    }

    pub(super) fn set_fault(&self, fault: CommitFault) {
        self.lock().fault = fault;
    }

    pub(super) fn fault(&self) -> CommitFault {
        self.lock().fault
    }

    pub(super) fn set_unreadable(&self, is_unreadable: bool) {
        self.lock().is_unreadable = is_unreadable;
    }

    /// How many commits and reads have failed.
    pub(super) fn failures(&self) -> (u64, u64) {
        let state = self.lock();
        (state.failed_commits, state.failed_reads)
    }

    /// Whether the oldest commit with messages that has not been taken yet succeeded.
    pub(super) fn take_outcome(&self) -> Option<bool> {
        self.lock().outcomes.pop_front()
    }

    /// Whether the room could not be read at some time.
    pub(super) fn was_unreadable(&self, room: u64) -> bool {
        self.lock().unread.contains(&RoomId(room))
    }

    /// Panics unless exactly this message was committed at this place.
    pub(super) fn check_committed(&self, room: u64, seq: u64, json: &str) {
        let state = self.lock();
        let found = state.committed.get(&Position { room: RoomId(room), seq });
        assert_eq!(found.map(String::as_str), Some(json), "message {seq} of room {room}");
    }

    /// Where the user's message with this reference is.
    pub(super) fn find(&self, user: u64, reference: &str) -> Option<(u64, u64)> {
        let position = self.lock().by_reference.get(&(user, reference.to_owned())).copied();
        position.map(|position| (position.room.0, position.seq))
    }

    /// Whether the messages after `after` up to `up_to` are all kept, and fit into `max_bytes`.
    pub(super) fn has_all(&self, room: u64, after: u64, up_to: u64, max_bytes: usize) -> bool {
        let said = self.lock().reader.since(RoomId(room), after, up_to, max_bytes).unwrap();
        said.len() as u64 == up_to - after
    }

    fn lock(&self) -> MutexGuard<'_, StoreState> {
        // After a failed check the run is over anyway.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl History for FaultyStore {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let mut state = self.lock();
        let fails = match state.fault {
            CommitFault::None => false,
            CommitFault::Failing => true,
            CommitFault::Full(room) => weight(batch) > room,
        };
        if !batch.said.is_empty() {
            state.outcomes.push_back(!fails);
        }
        if fails {
            state.failed_commits += 1;
            return Err(some_error());
        }
        for &(room, said) in batch.said {
            state.note(room, said);
        }
        state.history.commit(batch)
    }

    fn set_retention(&mut self, retention: Retention) {
        self.lock().history.set_retention(retention);
    }
}

impl StoreState {
    fn note(&mut self, room: RoomId, said: &Said) {
        let position = Position { room, seq: said.seq };
        let last = self.last_seq.entry(room).or_default();
        assert_eq!(said.seq, *last + 1, "a gap or a double in room {}", room.0);
        *last = said.seq;
        if let Some(reference) = &said.reference {
            let key = (said.from.id.0, reference.to_string());
            let before = self.by_reference.insert(key, position);
            assert_eq!(before, None, "{reference} is saved twice, again at {position:?}");
        }
        let event = Event::Said(said.clone());
        let outgoing = Outgoing::Event { room, time: said.time, event: &event };
        let json = payload(&Version::V2.frame(&outgoing)).to_owned();
        self.committed.insert(position, json);
    }

    fn check_readable(&mut self, room: RoomId) -> Result<(), HistoryError> {
        if self.is_unreadable {
            self.unread.insert(room);
            self.failed_reads += 1;
            return Err(some_error());
        }
        Ok(())
    }
}

impl HistoryReader for FaultyStore {
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        up_to: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError> {
        let mut state = self.lock();
        state.check_readable(room)?;
        state.reader.since(room, after, up_to, max_bytes)
    }

    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let mut state = self.lock();
        state.check_readable(room)?;
        state.reader.before(room, before, limit, max_bytes)
    }

    fn after(
        &mut self,
        room: RoomId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let mut state = self.lock();
        state.check_readable(room)?;
        state.reader.after(room, after, limit, max_bytes)
    }

    fn message(&mut self, position: Position) -> Result<Option<Said>, HistoryError> {
        let mut state = self.lock();
        state.check_readable(position.room)?;
        state.reader.message(position)
    }
}

fn weight(batch: Batch<'_>) -> usize {
    let padding = batch.memos.iter().map(|memo| match memo {
        Memo::Padding(bytes) => *bytes,
        _ => 0,
    });
    padding.sum::<usize>() + batch.said.iter().map(|(_, said)| said.weight()).sum::<usize>()
}

/// An error, of whatever kind.
fn some_error() -> HistoryError {
    let path = PathBuf::from("/nowhere/at/all.db");
    let place = Location::File { path, durability: Durability::Process };
    let retention = Retention {
        max_events: 1,
        max_age: None,
        max_memory_bytes: 1,
        max_references: usize::MAX,
        max_file_bytes: 0,
    };
    history::open(&place, retention).err().expect("there is no such folder")
}
