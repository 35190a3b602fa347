//! What is done to the rooms' streams now and then: what is too old or too much goes, and so do streams of rooms
//! that are gone. After the log has lost entries, what followed from them goes as well.
//!
//! The keeper's thread runs it, in small steps.

use std::time::{Duration, Instant};

use redis::{Cmd, cmd};

use super::super::redis::{Connection, Keys, RedisError, items, number, text};
use super::super::replies::room_entries;
use super::super::said;
use crate::chat::{Chat, RoomId};
use crate::history::AgeClock;

/// From the beginning of one pass over all rooms to that of the next.
const PASS_PAUSE: Duration = Duration::from_secs(600);

/// How many rooms a step is about.
const STEP_ROOMS: usize = 100;

/// How many of a room's messages are looked at once, for their age.
const LOOK: usize = 50;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// Nothing is deleted for its age while it does not trust the time of day.
    clock: AgeClock,
    /// The rooms that this pass has still to do.
    rooms: Vec<RoomId>,
    next_pass: Instant,
}

/// A room's two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Said,
    Erased,
}

impl Upkeep {
    /// `latest` is the time of the newest entry of the log.
    pub(super) fn new(latest: u64) -> Self {
        let clock = AgeClock::resume(None, &[latest]);
        Self { clock, rooms: Vec::new(), next_pass: Instant::now() }
    }

    /// Does a step.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
        chat: &Chat,
        max_age: Option<Duration>,
    ) -> Result<(), RedisError> {
        if self.rooms.is_empty() {
            if Instant::now() < self.next_pass {
                return Ok(());
            }
            self.rooms = sweep(connection, keys, chat)?;
            self.next_pass = Instant::now() + PASS_PAUSE;
        }
        self.clock.observe();
        let oldest = self.clock.limit(max_age).map_or(0, |limit| limit.oldest);
        let step = self.rooms.split_off(self.rooms.len().saturating_sub(STEP_ROOMS));
        let again = trim(connection, keys, &step, oldest, chat.max_kept())?;
        self.rooms.extend(again);
        Ok(())
    }
}

/// Trims these rooms: what was said before `oldest` goes, and what is more than `max_kept`. Returns the rooms where
/// more may be too old.
pub(in crate::cluster) fn trim(
    connection: &mut Connection,
    keys: &Keys,
    rooms: &[RoomId],
    oldest: u64,
    max_kept: u64,
) -> Result<Vec<RoomId>, RedisError> {
    let mut looks = Vec::new();
    for room in rooms {
        let mut trim = cmd("XTRIM");
        trim.arg(keys.room(*room)).arg("MAXLEN").arg(max_kept);
        looks.extend([trim, range(keys, *room, 0, LOOK)]);
    }
    let mut found = connection.pipeline(&looks)?.into_iter();
    let mut again = Vec::new();
    for room in rooms {
        found.next().transpose()?;
        let entries = found.next().transpose()?.as_ref().and_then(room_entries).unwrap_or_default();
        let is_old = |bytes: &[u8]| said::decode(1, bytes).is_ok_and(|said| said.time < oldest);
        let first = entries.iter().find(|(_, bytes)| !is_old(bytes)).map(|(seq, _)| *seq);
        let end = entries.last().map_or(0, |(seq, _)| seq.saturating_add(1));
        let first = first.unwrap_or(end);
        if entries.first().is_some_and(|(seq, _)| *seq < first) {
            let mut trim = cmd("XTRIM");
            connection.call(trim.arg(keys.room(*room)).arg("MINID").arg(format!("{first}-0")))?;
        }
        if first == end && !entries.is_empty() {
            again.push(*room);
        } else {
            forget_erased(connection, keys, *room, |seq| seq < first || first == 0)?;
        }
    }
    Ok(again)
}

/// Removes the streams of rooms that are gone. Returns the rooms that have one.
fn sweep(connection: &mut Connection, keys: &Keys, chat: &Chat) -> Result<Vec<RoomId>, RedisError> {
    let mut rooms = Vec::new();
    for (room, kind) in scan(connection, keys)? {
        if chat.room(room).is_some() {
            rooms.extend((kind == Kind::Said).then_some(room));
        } else if room.0 <= chat.last_ids().room {
            remove(connection, keys, room)?;
        }
    }
    Ok(rooms)
}

/// Takes out of the streams all that the chat does not know, so that they can be written anew from there on.
///
/// The log has lost entries that had been applied: their messages are in the streams, and others will have their
/// numbers.
pub(super) fn repair(
    connection: &mut Connection,
    keys: &Keys,
    chat: &Chat,
) -> Result<(), RedisError> {
    for (room, kind) in scan(connection, keys)? {
        let last = chat.last_seq(room);
        if chat.room(room).is_none() {
            remove(connection, keys, room)?;
        } else if kind == Kind::Erased {
            forget_erased(connection, keys, room, |seq| seq > last)?;
        } else {
            cut(connection, keys, room, last)?;
        }
    }
    Ok(())
}

/// Removes what was said after `last`. The next message may have the number after it.
fn cut(
    connection: &mut Connection,
    keys: &Keys,
    room: RoomId,
    last: u64,
) -> Result<(), RedisError> {
    loop {
        let reply = connection.call(&range(keys, room, last.saturating_add(1), 1_000))?;
        let above = room_entries(&reply).unwrap_or_default();
        if above.is_empty() {
            break;
        }
        let mut delete = cmd("XDEL");
        delete.arg(keys.room(room));
        for (seq, _) in above {
            delete.arg(format!("{seq}-0"));
        }
        connection.call(&delete)?;
    }
    // Otherwise Redis refuses numbers that it has seen. With fewer than it has now, it has seen none that is too high.
    let mut id = cmd("XSETID");
    id.arg(keys.room(room)).arg(format!("{last}-0"));
    id.arg("ENTRIESADDED").arg(last).arg("MAXDELETEDID").arg("0-0");
    connection.call(&id).map(drop)
}

/// Removes from the hash of erased messages those that `is_over` says.
fn forget_erased(
    connection: &mut Connection,
    keys: &Keys,
    room: RoomId,
    is_over: impl Fn(u64) -> bool,
) -> Result<(), RedisError> {
    let reply = connection.call(cmd("HKEYS").arg(keys.erased(room)))?;
    let seqs: Vec<u64> = items(&reply).iter().filter_map(number).collect();
    for over in seqs.iter().copied().filter(|seq| is_over(*seq)).collect::<Vec<_>>().chunks(1_000) {
        connection.call(cmd("HDEL").arg(keys.erased(room)).arg(over))?;
    }
    Ok(())
}

fn remove(connection: &mut Connection, keys: &Keys, room: RoomId) -> Result<(), RedisError> {
    let mut unlink = cmd("UNLINK");
    connection.call(unlink.arg(keys.room(room)).arg(keys.erased(room))).map(drop)
}

/// All keys of rooms.
fn scan(connection: &mut Connection, keys: &Keys) -> Result<Vec<(RoomId, Kind)>, RedisError> {
    let mut found = Vec::new();
    let mut cursor = 0;
    loop {
        let pattern = format!("{}[eh]:*", escaped(keys.start()));
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
        let reply = connection.call(&scan)?;
        let [next, names] = items(&reply) else {
            return Err(connection.unexpected("SCAN", "the answer is not understood"));
        };
        found.extend(items(names).iter().filter_map(|name| room_of(keys, text(name)?)));
        let next = number(next).unwrap_or(0);
        if next == 0 {
            // It may say a key twice.
            found.sort_unstable();
            found.dedup();
            return Ok(found);
        }
        cursor = next;
    }
}

fn room_of(keys: &Keys, name: &str) -> Option<(RoomId, Kind)> {
    let (kind, id) = name.strip_prefix(keys.start())?.split_once(':')?;
    let kind = match kind {
        "h" => Kind::Said,
        "e" => Kind::Erased,
        _ => return None,
    };
    Some((RoomId(id.parse().ok()?), kind))
}

/// The text as a pattern that means just it.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        if matches!(char, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            escaped.push('\\');
        }
        escaped.push(char);
        escaped
    })
}

fn range(keys: &Keys, room: RoomId, first: u64, count: usize) -> Cmd {
    let mut range = cmd("XRANGE");
    range.arg(keys.room(room)).arg(format!("{first}-0")).arg("+").arg("COUNT").arg(count);
    range
}
