//! To a file: all but the messages as they are at the end of the log, and what was said from the streams of the rooms.
//!
//! The keeper may write and trim meanwhile: what it has not written yet is in the log, and what it has written too much
//! is left out.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::present::Present;
use super::super::redis::{ClusterError, Connection, Engine, Keys};
use super::super::replica::Replica;
use super::super::rooms::{Extent, Order, page};
use super::{ClusterExport, PAGE_MESSAGES, Progress, connect};
use crate::chat::{RoomId, Said, StoredRoom};
use crate::history::NewFile;

/// Writes the history of the cluster into a new file on the disk of `place`. Its nodes may run meanwhile.
pub(crate) fn export(
    engine: &Engine,
    place: &Path,
    progress: Progress<'_>,
) -> Result<ClusterExport, ClusterError> {
    let mut connection = connect(engine)?;
    let keys = engine.keys();
    let present = Present::read(&mut connection, keys)?;
    let is_running = present.is_running(&mut connection)?;
    let Present { replica: Replica { nodes, chat }, mut said, mut erased, .. } = present;
    let epoch = (!is_running).then(|| nodes.epoch());
    let stored = chat.stored();
    let mut file = NewFile::create(place, epoch.as_deref(), &stored)?;
    let room = |(room, last): &(StoredRoom, u64)| {
        let (said, erased) = (said.remove(&room.id), erased.remove(&room.id));
        let newer = said.unwrap_or_default().into_iter().map(|said| (said.seq, said));
        let erased = erased.unwrap_or_default().into_iter();
        let extent = Extent::of_erasures(chat.erasures(room.id).chain(erased));
        Room { id: room.id, last: *last, extent, newer: newer.collect() }
    };
    let rooms: Vec<Room> = stored.rooms.iter().map(room).collect();
    let count = rooms.len() as u64;
    move_messages(&mut connection, keys, chat.max_kept(), rooms, &mut file, progress)?;
    let (file, bytes, messages) = file.finish()?;
    Ok(ClusterExport {
        file,
        bytes,
        rooms: count,
        users: stored.users.len() as u64,
        messages,
        is_same_epoch: epoch.is_some(),
    })
}

/// A room as it is at the end of the log.
struct Room {
    id: RoomId,
    /// The `seq` of its last message.
    last: u64,
    /// What was erased in it. The keeper may not have done so yet.
    extent: Extent,
    /// What the log says, and is not yet added to the file.
    newer: BTreeMap<u64, Said>,
}

fn move_messages(
    connection: &mut Connection,
    keys: &Keys,
    max_kept: u64,
    rooms: Vec<Room>,
    file: &mut NewFile,
    progress: Progress<'_>,
) -> Result<(), ClusterError> {
    let total = rooms.iter().map(|room| room.last.min(max_kept)).sum();
    let mut passed = 0;
    for room in rooms {
        let (id, last) = (room.id, room.last);
        let oldest = last.saturating_sub(max_kept) + 1;
        let mut mover = Mover { room, next: oldest, file };
        let mut next = (oldest <= last).then_some(oldest);
        while let Some(first) = next {
            let (place, seqs) = ((id, &mover.room.extent), first..=last);
            let found = page(connection, keys, place, &seqs, PAGE_MESSAGES, Order::OldestFirst)?;
            let end = found.slots.last().map(|(seq, _)| *seq);
            mover.add(found.slots)?;
            next = end.filter(|_| !found.is_last).map(|end| end + 1);
            progress(passed + next.map_or(last.min(max_kept), |next| next - oldest), total);
        }
        mover.finish()?;
        passed += last.min(max_kept);
    }
    Ok(())
}

/// Adds the messages of a room to the file.
struct Mover<'a> {
    room: Room,
    /// The number after those that the stream had, or lacks.
    next: u64,
    file: &'a mut NewFile,
}

impl Mover<'_> {
    /// Adds what the stream has, and from the log what it lacks.
    fn add(&mut self, slots: Vec<(u64, Option<Said>)>) -> Result<(), ClusterError> {
        let Room { id, extent, newer, .. } = &mut self.room;
        let mut messages = Vec::with_capacity(slots.len());
        for (seq, said) in slots {
            self.next = seq + 1;
            let newer = newer.remove(&seq).map(|said| extent.show(said));
            messages.extend(said.or(newer));
        }
        Ok(self.file.add(*id, &messages)?)
    }

    /// Adds what only the log has.
    fn finish(self) -> Result<(), ClusterError> {
        let Room { id, extent, mut newer, .. } = self.room;
        let newer = newer.split_off(&self.next).into_values();
        let messages: Vec<Said> = newer.map(|said| extent.show(said)).collect();
        Ok(self.file.add(id, &messages)?)
    }
}
