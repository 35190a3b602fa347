//! What is done to the rooms' streams now and then: what is too old or too much goes, and so do streams of rooms
//! that are gone. After the log has lost entries, what followed from them goes as well.
//!
//! The keeper's thread runs it, in small steps.

use std::time::{Duration, Instant};

use redis::{Cmd, cmd};

use super::super::redis::{Connection, Keys, RedisError, items, number, text};
use super::super::replies::{RoomEntry, room_entries};
use super::super::said;
use crate::chat::{Chat, RoomId};
use crate::history::{AgeClock, AgeLimit};

/// From the beginning of one pass over all rooms to that of the next.
const PASS_PAUSE: Duration = Duration::from_secs(600);

/// How many rooms a step is about.
const STEP_ROOMS: usize = 100;

/// How many of a room's messages are looked at once, for their age.
const LOOK: usize = 50;

/// Writes a stream anew without what is after a number, if it ever had any of that. To delete the entries would not do:
/// a stream refuses numbers that it has had, and Valkey does not let its last number be lowered. Only a log whose end was
/// taken away by hand leads to this.
const CUT: &str = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end \
    local info, top = redis.call('XINFO', 'STREAM', KEYS[1]), '0-0' \
    for i = 1, #info, 2 do if info[i] == 'last-generated-id' then top = info[i + 1] end end \
    if tonumber(string.match(top, '^%d+')) <= tonumber(ARGV[1]) then return 0 end \
    local kept = redis.call('XRANGE', KEYS[1], '-', ARGV[1] .. '-0') \
    redis.call('DEL', KEYS[1]) \
    for _, entry in ipairs(kept) do redis.call('XADD', KEYS[1], entry[1], unpack(entry[2])) end \
    return 1";

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
        let limit = self.clock.limit(max_age);
        let step = self.rooms.split_off(self.rooms.len().saturating_sub(STEP_ROOMS));
        let again = trim(connection, keys, &step, limit, chat.max_kept())?;
        self.rooms.extend(again);
        Ok(())
    }
}

/// Trims these rooms: what is too old goes, and what is more than `max_kept`. What has a wrong time, or cannot be read,
/// goes with the next message that is too old. Returns the rooms where more may be too old.
pub(in crate::cluster) fn trim(
    connection: &mut Connection,
    keys: &Keys,
    rooms: &[RoomId],
    limit: Option<AgeLimit>,
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
        let end = entries.last().map_or(0, |(seq, _)| seq.saturating_add(1));
        let (first, is_all_looked_at) = first_kept(&entries, limit);
        if entries.first().is_some_and(|(seq, _)| *seq < first) {
            let mut trim = cmd("XTRIM");
            connection.call(trim.arg(keys.room(*room)).arg("MINID").arg(format!("{first}-0")))?;
        }
        if is_all_looked_at && first == end && !entries.is_empty() {
            again.push(*room);
        } else {
            forget_erased(connection, keys, *room, |seq| seq < first || first == 0)?;
        }
    }
    Ok(again)
}

/// The number of the first of a room's oldest messages that stays, and whether none of them does for sure.
fn first_kept(entries: &[RoomEntry], limit: Option<AgeLimit>) -> (u64, bool) {
    let mut first = entries.first().map_or(0, |(seq, _)| *seq);
    let Some(AgeLimit { oldest, latest }) = limit else { return (first, false) };
    for (seq, bytes) in entries {
        match said::decode(*seq, bytes).map(|said| said.time) {
            Ok(time) if time < oldest => first = seq.saturating_add(1),
            Ok(time) if time <= latest => return (first, false),
            _ => {}
        }
    }
    (first, true)
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
    let mut cut = cmd("EVAL");
    cut.arg(CUT).arg(1).arg(keys.room(room)).arg(last);
    connection.call(&cut).map(drop)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chat::{Content, Person, Said, UserId};

    fn entry(seq: u64, time: u64) -> RoomEntry {
        let from = Person { id: UserId(1), name: Arc::from("Ada") };
        let content = Content::Text("text".to_owned());
        (seq, said::encode(&Said { seq, time, from, content, reference: None }))
    }

    #[test]
    fn a_message_with_a_wrong_time_does_not_keep_those_behind_it() {
        let limit = Some(AgeLimit { oldest: 100, latest: 200 });
        let unreadable = (2, b"what".to_vec());
        for (entries, expected) in [
            (vec![], (0, true)),
            (vec![entry(1, 50), entry(2, 150)], (2, false)),
            (vec![entry(1, 50), entry(2, 60)], (3, true)),
            (vec![entry(1, 9_000), entry(2, 50), entry(3, 150)], (3, false)),
            (vec![entry(1, 50), unreadable.clone(), entry(3, 60), entry(4, 100)], (4, false)),
            // Nothing behind them is too old.
            (vec![entry(1, 9_000), unreadable, entry(3, 150)], (1, false)),
        ] {
            assert_eq!(first_kept(&entries, limit), expected, "{entries:?}");
        }
        assert_eq!(first_kept(&[entry(1, 50)], None), (1, false));
    }
}
