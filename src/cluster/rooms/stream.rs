//! Reading a room's stream in Redis: one page at a time, with what was erased in its place.
//!
//! Owns the reader's connection. The reader's thread runs it. Every step has a time-out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};

use log::warn;
use redis::cmd;

use super::super::redis::{Connection, Engine, Keys, RedisError, items, number};
use super::super::replies::{RoomEntry, room_entries};
use super::super::said;
use super::window::Extent;
use crate::chat::{Content, Person, RoomId, Said, UserId};
use crate::history::HistoryError;

/// How long a reply may take. Clients wait for the reader one after another.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// For so long after a failure nothing is asked: clients would wait for it one after another.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// Where the streams are.
pub(super) struct Streams {
    engine: Engine,
    /// `None` before the first question, and after an error.
    connection: Option<Connection>,
    failure: Option<(Instant, RedisError)>,
}

/// Which messages come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Order {
    NewestFirst,
    OldestFirst,
}

/// The messages with some numbers, one after another.
pub(in super::super) struct Page {
    /// Each number, with the message; `None`: Redis does not have it.
    pub(in super::super) slots: Vec<(u64, Option<Said>)>,
    /// Whether there is none beyond these, in the direction of the order.
    pub(in super::super) is_last: bool,
}

impl Streams {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, connection: None, failure: None }
    }

    /// At most `limit` messages with these numbers. What is below the oldest that the stream has counts as pruned.
    pub(super) fn page(
        &mut self,
        room: RoomId,
        extent: &Extent,
        seqs: RangeInclusive<u64>,
        limit: usize,
        order: Order,
    ) -> Result<Page, HistoryError> {
        self.ask(|connection, keys| page(connection, keys, (room, extent), &seqs, limit, order))
    }

    fn ask<T>(
        &mut self,
        question: impl Fn(&mut Connection, &Keys) -> Result<T, RedisError>,
    ) -> Result<T, HistoryError> {
        if let Some((failed, error)) = &self.failure
            && failed.elapsed() < FAILURE_PAUSE
        {
            return Err(unreadable(error.clone()));
        }
        // A connection that has been idle may have ended meanwhile.
        if let Some(connection) = &mut self.connection
            && let Ok(answer) = question(connection, self.engine.keys())
        {
            return Ok(answer);
        }
        self.connection = None;
        let answer = self.engine.source().and_then(|connection| {
            let connection = self.connection.insert(connection);
            connection.set_timeout(REPLY_TIMEOUT);
            question(connection, self.engine.keys())
        });
        self.failure = answer.as_ref().err().map(|error| (Instant::now(), error.clone()));
        answer.map_err(|error| {
            self.connection = None;
            unreadable(error)
        })
    }
}

fn unreadable(error: RedisError) -> HistoryError {
    let place = Path::new("the history in Redis");
    let advice = "`wschat cluster status` shows how Redis is";
    HistoryError::new(place, format!("cannot be read: {error}"), advice)
        .that_may_pass(true)
        .because_of(error)
}

/// At most `limit` messages of a room with these numbers. What is below the oldest that the stream has counts as pruned.
pub(in super::super) fn page(
    connection: &mut Connection,
    keys: &Keys,
    (room, extent): (RoomId, &Extent),
    seqs: &RangeInclusive<u64>,
    limit: usize,
    order: Order,
) -> Result<Page, RedisError> {
    let mut oldest = cmd("XRANGE");
    oldest.arg(keys.room(room)).arg("-").arg("+").arg("COUNT").arg(1);
    let (start, end) = (format!("{}-0", seqs.start()), format!("{}-0", seqs.end()));
    let mut range = match order {
        Order::NewestFirst => cmd("XREVRANGE"),
        Order::OldestFirst => cmd("XRANGE"),
    };
    range.arg(keys.room(room));
    match order {
        Order::NewestFirst => range.arg(end).arg(start),
        Order::OldestFirst => range.arg(start).arg(end),
    };
    range.arg("COUNT").arg(limit);
    let mut replies = connection.pipeline(&[oldest, range])?.into_iter();
    let mut next = || -> Result<Vec<RoomEntry>, RedisError> {
        let reply = replies.next().transpose()?;
        reply
            .as_ref()
            .and_then(room_entries)
            .ok_or_else(|| connection.unexpected("XRANGE", "a message is malformed"))
    };
    let (oldest, found) = (next()?, next()?);
    let Some((lowest, _)) = oldest.first() else {
        return Ok(Page { slots: Vec::new(), is_last: true });
    };
    let kept = *lowest.max(seqs.start())..=*seqs.end();
    let numbers: Vec<u64> = match order {
        Order::NewestFirst => kept.clone().rev().take(limit).collect(),
        Order::OldestFirst => kept.clone().take(limit).collect(),
    };
    let is_last = match order {
        Order::NewestFirst => numbers.last().is_none_or(|last| last == kept.start()),
        Order::OldestFirst => numbers.last().is_none_or(|last| last == kept.end()),
    };
    let mut found: BTreeMap<u64, Vec<u8>> = found.into_iter().collect();
    let missing: Vec<u64> =
        numbers.iter().copied().filter(|seq| !found.contains_key(seq)).collect();
    let mut erased = erased(connection, keys, room, &missing)?;
    let slots = numbers.into_iter().map(|seq| {
        let said = found.remove(&seq).and_then(|bytes| decode(room, seq, &bytes));
        (seq, said.map(|said| extent.show(said)).or_else(|| erased.remove(&seq)))
    });
    Ok(Page { slots: slots.collect(), is_last })
}

/// What is left of those of these messages that were erased.
fn erased(
    connection: &mut Connection,
    keys: &Keys,
    room: RoomId,
    seqs: &[u64],
) -> Result<BTreeMap<u64, Said>, RedisError> {
    if seqs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let reply = connection.call(cmd("HMGET").arg(keys.erased(room)).arg(seqs))?;
    let times = items(&reply).iter().map(number);
    let said = |(seq, time): (&u64, Option<u64>)| {
        let from = Person { id: UserId(0), name: "".into() };
        let (seq, time) = (*seq, time?);
        Some((seq, Said { seq, time, from, content: Content::Erased, reference: None }))
    };
    Ok(seqs.iter().zip(times).filter_map(said).collect())
}

fn decode(room: RoomId, seq: u64, bytes: &[u8]) -> Option<Said> {
    let said = said::decode(seq, bytes);
    if said.is_err() {
        warn!("cluster: message {seq} of room {} cannot be read, as if it were pruned", room.0);
    }
    said.ok()
}
