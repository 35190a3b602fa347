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
use crate::chat::{Chat, Erased, RoomId, Said};
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
    let Present { replica: Replica { nodes, chat }, said, .. } = present;
    let epoch = (!is_running).then(|| nodes.epoch());
    let stored = chat.stored();
    let mut file = NewFile::create(place, epoch.as_deref(), &stored)?;
    let rooms: Vec<(RoomId, u64)> =
        stored.rooms.iter().map(|(room, last)| (room.id, *last)).collect();
    move_messages(&mut connection, keys, &chat, (&rooms, said), &mut file, progress)?;
    let (file, bytes, messages) = file.finish()?;
    Ok(ClusterExport {
        file,
        bytes,
        rooms: rooms.len() as u64,
        users: stored.users.len() as u64,
        messages,
        is_same_epoch: epoch.is_some(),
    })
}

fn move_messages(
    connection: &mut Connection,
    keys: &Keys,
    chat: &Chat,
    (rooms, mut said): (&[(RoomId, u64)], BTreeMap<RoomId, Vec<Said>>),
    file: &mut NewFile,
    progress: Progress<'_>,
) -> Result<(), ClusterError> {
    let of_room = |last: u64| last.min(chat.max_kept());
    let total = rooms.iter().map(|(_, last)| of_room(*last)).sum();
    let mut passed = 0;
    for (room, last) in rooms {
        let newer: BTreeMap<u64, Said> = said
            .remove(room)
            .unwrap_or_default()
            .into_iter()
            .map(|said| (said.seq, said))
            .collect();
        let oldest = last.saturating_sub(chat.max_kept()) + 1;
        let mut mover = Mover { chat, room: *room, newer, next: oldest, file };
        let mut next = (oldest <= *last).then_some(oldest);
        while let Some(first) = next {
            let seqs = first..=*last;
            let found = page(
                connection,
                keys,
                (*room, &Extent::default()),
                &seqs,
                PAGE_MESSAGES,
                Order::OldestFirst,
            )?;
            let end = found.slots.last().map(|(seq, _)| *seq);
            mover.add(found.slots)?;
            next = end.filter(|_| !found.is_last).map(|end| end + 1);
            let done = next.map_or(of_room(*last), |next| next - oldest);
            progress(passed + done, total);
        }
        mover.finish()?;
        passed += of_room(*last);
    }
    Ok(())
}

/// Adds the messages of a room to the file.
struct Mover<'a> {
    chat: &'a Chat,
    room: RoomId,
    /// What the log says, and is not yet added.
    newer: BTreeMap<u64, Said>,
    /// The number after those that the stream had, or lacks.
    next: u64,
    file: &'a mut NewFile,
}

impl Mover<'_> {
    /// Adds what the stream has, and from the log what it lacks.
    fn add(&mut self, slots: Vec<(u64, Option<Said>)>) -> Result<(), ClusterError> {
        let mut messages = Vec::with_capacity(slots.len());
        for (seq, said) in slots {
            self.next = seq + 1;
            let newer = self.newer.remove(&seq);
            messages.extend(said.or(newer).map(|said| self.show(said)));
        }
        Ok(self.file.add(self.room, &messages)?)
    }

    /// Adds what only the log has.
    fn finish(mut self) -> Result<(), ClusterError> {
        let newer = self.newer.split_off(&self.next);
        let messages: Vec<Said> = newer.into_values().map(|said| self.show(said)).collect();
        Ok(self.file.add(self.room, &messages)?)
    }

    /// The message, or what is left of it where the keeper has not erased it yet.
    fn show(&self, said: Said) -> Said {
        let takes = |erased: &Erased| {
            said.seq <= erased.up_to && erased.what.takes(said.from.id, said.time)
        };
        let is_erased = self.chat.erasures(self.room).any(|erased| takes(&erased));
        if is_erased { said.erased() } else { said }
    }
}
