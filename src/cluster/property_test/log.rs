//! A log that counts like the real one, and loses its last entries in a failover.

use std::time::Duration;

use super::read_batch;
use crate::chat::EntryId;
use crate::cluster::nodes::LogEntry;
use crate::cluster::replica::Replica;
use crate::simulation::random::Dice;

#[derive(Default)]
pub(super) struct SimLog {
    entries: Vec<Stored>,
    term: u64,
    at: Duration,
    /// Each with its place, the newest last.
    snapshots: Vec<(EntryId, Vec<u8>)>,
}

struct Stored {
    id: EntryId,
    at: Duration,
    bytes: Vec<u8>,
    /// Everyone skips it.
    is_poisoned: bool,
}

impl Stored {
    fn entry(&self) -> LogEntry {
        let Self { id, at, bytes, is_poisoned } = self;
        let time = u64::try_from(at.as_millis()).unwrap();
        LogEntry { id: *id, at: *at, time, batch: read_batch(bytes, *is_poisoned) }
    }
}

impl SimLog {
    pub(super) fn append(&mut self, bytes: Vec<u8>, is_poisoned: bool) {
        let n = self.entries.len() as u64 + 1;
        let id = EntryId { term: self.term, n };
        self.entries.push(Stored { id, at: self.at, bytes, is_poisoned });
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.at += time;
    }

    /// Another server goes on, which never got the last entries.
    pub(super) fn fail_over(&mut self, lost: u64) {
        let kept = self.entries.len().saturating_sub(usize::try_from(lost).unwrap());
        self.entries.truncate(kept);
        self.term += 1;
        let newest = self.entries.last().map_or(EntryId::default(), |entry| entry.id);
        self.snapshots.retain(|(place, _)| *place <= newest);
    }

    /// The first entry after this place.
    pub(super) fn after(&self, place: EntryId) -> Option<LogEntry> {
        let index = self.entries.partition_point(|entry| entry.id <= place);
        self.entries.get(index).map(Stored::entry)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = LogEntry> {
        self.entries.iter().map(Stored::entry)
    }

    pub(super) fn snapshot(&self) -> Option<&[u8]> {
        self.snapshots.last().map(|(_, bytes)| bytes.as_slice())
    }

    /// What a keeper does: follows from the last snapshot, up to anywhere.
    pub(super) fn take_snapshot(&mut self, dice: &mut Dice) {
        let mut replica =
            self.snapshot().map_or_else(Replica::fresh, |bytes| Replica::read(bytes).unwrap());
        let place = replica.nodes.place();
        let rest: Vec<_> = self.all().filter(|entry| entry.id > place).collect();
        let count = dice.index(rest.len() + 1);
        for entry in rest.into_iter().take(count) {
            replica.apply(entry, &mut Vec::new()).expect("it follows");
        }
        self.snapshots.push((replica.nodes.place(), replica.write()));
    }
}
