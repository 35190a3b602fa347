//! Writes what is said into the streams of the rooms, and takes out what is erased or gone.
//!
//! Owns the changes that are not written yet, in their order. The keeper's thread runs it. Every change can be
//! written once more without harm: an entry of a stream has the `seq` of its message as its id, which Redis refuses
//! the second time.

use std::collections::VecDeque;

use redis::{Cmd, Value, cmd};

use super::super::redis::{Connection, Keys, RedisError, RedisErrorKind};
use super::super::replies::{RoomEntry, room_entries};
use super::super::said;
use crate::chat::{Effect, Erased, Erasure, Event, Memo, RoomId, Said};

/// How many commands are sent at once.
const PIPELINE: usize = 500;

/// How many messages a step of an erasure looks at.
const ERASE_STEP: usize = 500;

/// What Redis answers to an entry that is there already, or was.
const REPEATED: &str = "equal or smaller than the target stream top item";

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    changes: VecDeque<Change>,
}

#[derive(Debug)]
enum Change {
    Said(RoomId, Said),
    Erased(RoomId, Erased),
    Gone(RoomId),
}

impl Writer {
    /// Takes what an entry of the log has led to.
    pub(crate) fn take(&mut self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            match effect {
                Effect::Tell { room, event: Event::Said(said), .. } => self.say(room, said),
                Effect::Tell { room, event: Event::Erased(erased), .. } => self.erase(room, erased),
                Effect::Store(Memo::RoomGone(room)) => self.remove(room),
                _ => {}
            }
        }
    }

    pub(crate) fn say(&mut self, room: RoomId, said: Said) {
        self.changes.push_back(Change::Said(room, said));
    }

    pub(crate) fn erase(&mut self, room: RoomId, erased: Erased) {
        self.changes.push_back(Change::Erased(room, erased));
    }

    /// The room is gone, with all that was said in it.
    pub(crate) fn remove(&mut self, room: RoomId) {
        self.changes.push_back(Change::Gone(room));
    }

    /// Writes all changes. After an error, those that may not be written are kept for the next time. Of each room
    /// about the last `max_kept` messages are kept.
    pub(crate) fn flush(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
        max_kept: u64,
    ) -> Result<(), RedisError> {
        while let Some(first) = self.changes.front() {
            if let Change::Erased(room, erased) = first {
                erase(connection, keys, *room, *erased)?;
                self.changes.pop_front();
                continue;
            }
            let commands: Vec<Cmd> = self
                .changes
                .iter()
                .take(PIPELINE)
                .map_while(|change| command(change, keys, max_kept))
                .collect();
            for reply in connection.pipeline(&commands)? {
                if let Err(error) = reply
                    && !is_repetition(&error)
                {
                    return Err(error);
                }
            }
            self.changes.drain(..commands.len());
        }
        Ok(())
    }
}

/// `None` for a change that takes more than one.
fn command(change: &Change, keys: &Keys, max_kept: u64) -> Option<Cmd> {
    match change {
        Change::Said(room, said) => {
            let mut add = cmd("XADD");
            // Exactly none, or about so many, which costs Redis less.
            let precision = if max_kept == 0 { "=" } else { "~" };
            add.arg(keys.room(*room)).arg("MAXLEN").arg(precision).arg(max_kept);
            add.arg(format!("{}-0", said.seq)).arg("e").arg(said::encode(said));
            Some(add)
        }
        Change::Gone(room) => {
            let mut unlink = cmd("UNLINK");
            unlink.arg(keys.room(*room)).arg(keys.erased(*room));
            Some(unlink)
        }
        Change::Erased(..) => None,
    }
}

fn is_repetition(error: &RedisError) -> bool {
    matches!(error.kind(), RedisErrorKind::Refused { detail, .. } if detail.contains(REPEATED))
}

/// Takes out of a room what an erasure takes. First the hash gets its number and its time, then the stream loses it,
/// so no reader ever finds that it is missing.
fn erase(
    connection: &mut Connection,
    keys: &Keys,
    room: RoomId,
    erased: Erased,
) -> Result<(), RedisError> {
    let Erased { what, up_to, .. } = erased;
    let mut next = 1;
    while next <= up_to {
        let mut range = cmd("XRANGE");
        range.arg(keys.room(room)).arg(format!("{next}-0")).arg(format!("{up_to}-0"));
        let reply = connection.call(range.arg("COUNT").arg(ERASE_STEP))?;
        let found = room_entries(&reply);
        let found =
            found.ok_or_else(|| connection.unexpected("XRANGE", "a message is malformed"))?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        next = last.saturating_add(1);
        let taken: Vec<(u64, u64)> =
            found.iter().filter_map(|entry| Some((entry.0, taken_at(entry, what)?))).collect();
        if taken.is_empty() {
            continue;
        }
        let (mut set, mut delete) = (cmd("HSET"), cmd("XDEL"));
        set.arg(keys.erased(room));
        delete.arg(keys.room(room));
        for (seq, time) in &taken {
            set.arg(*seq).arg(*time);
            delete.arg(format!("{seq}-0"));
        }
        for reply in connection.pipeline(&[set, delete])? {
            reply.map(|_: Value| ())?;
        }
    }
    Ok(())
}

/// When the message was said, if the erasure takes it. One that cannot be read is taken: nobody knows whose it is.
fn taken_at((seq, bytes): &RoomEntry, what: Erasure) -> Option<u64> {
    match said::decode(*seq, bytes) {
        Ok(said) => what.takes(said.from.id, said.time).then_some(said.time),
        Err(_) => Some(0),
    }
}
