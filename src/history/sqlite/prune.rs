//! Pruning: deletes what the limits no longer keep, step by step.
//!
//! Runs on upkeep's thread, which decides when. A step takes the write lock for well under a
//! millisecond, so that the dispatcher hardly waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::Retention;
use super::super::clock::AgeLimit;
use super::database::Database;
use super::restore::next_reference;
use super::row::{int, uint};
use super::shrink::{Heaviest, used_bytes};
use crate::chat::MIN_REFERENCES;

/// The shortest pause between two steps, which is otherwise as long as the step took. The dispatcher
/// must get the write lock in between.
pub(super) const STEP_PAUSE: Duration = Duration::from_micros(200);

/// How many messages a step deletes at most.
const STEP_MESSAGES: u64 = 64;

/// How many references a step looks at.
const STEP_REFERENCES: i64 = 256;

/// How many steps a round has. The WAL must be copied in between.
const ROUND_STEPS: u32 = 256;

/// Deletes messages and references, one round at a time.
#[derive(Debug)]
pub(super) struct Pruner {
    database: Arc<Database>,
    retention: Retention,
    /// What is too old in this round.
    age_limit: Option<AgeLimit>,
    sweep: ReferenceSweep,
    /// The last room that was pruned; the next round begins behind it, so that each gets its turn.
    last_room: i64,
}

/// How far a round came.
pub(super) enum Progress {
    NotDue,
    Complete,
    /// There was more to do than fits in a round, or upkeep is to end.
    Partial,
}

/// How far the references have been looked through, from the newest to the oldest.
#[derive(Debug)]
struct ReferenceSweep {
    /// The last one that was looked at.
    at: i64,
    /// How many of each user have been looked at since the newest.
    newer: HashMap<i64, usize>,
    /// The id of the next new one, when the sweep began.
    next: i64,
    /// How many are still to be looked at in this sweep.
    left: i64,
}

/// The steps of one round.
struct Steps<'a, S> {
    left: u32,
    sleep: &'a S,
}

impl<S: Fn(Duration) -> bool> Steps<'_, S> {
    /// Repeats `step` while it returns true, with pauses. Returns whether there is time for more.
    fn repeat(
        &mut self,
        mut step: impl FnMut() -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<bool> {
        loop {
            let started = Instant::now();
            if !step()? {
                return Ok(true);
            }
            if !self.pause(started) {
                return Ok(false);
            }
        }
    }

    /// Whether there is time for another step, after a pause as long as the one that has `started`.
    fn pause(&mut self, started: Instant) -> bool {
        self.left -= 1;
        self.left != 0 && (self.sleep)(started.elapsed().max(STEP_PAUSE))
    }
}

impl Default for ReferenceSweep {
    fn default() -> Self {
        Self { at: i64::MAX, newer: HashMap::new(), next: 0, left: 0 }
    }
}

impl Pruner {
    pub(super) fn new(database: Arc<Database>, retention: Retention) -> Self {
        Self {
            database,
            retention,
            age_limit: None,
            sweep: ReferenceSweep::default(),
            last_room: 0,
        }
    }

    pub(super) fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// Runs as many steps as fit in a round. `sleep` returns false when upkeep ends.
    pub(super) fn round(
        &mut self,
        connection: &Connection,
        age_limit: Option<AgeLimit>,
        sleep: &impl Fn(Duration) -> bool,
    ) -> rusqlite::Result<Progress> {
        self.age_limit = age_limit;
        let mut steps = Steps { left: ROUND_STEPS, sleep };
        if !steps.repeat(|| self.sweep_references(connection))? {
            return Ok(Progress::Partial);
        }
        for room in ids(connection, "SELECT room FROM gone WHERE room > ?1", i64::MIN)? {
            if !steps.repeat(|| self.prune_deleted(connection, room))? {
                return Ok(Progress::Partial);
            }
        }
        let after = self.last_room;
        for room in ids(connection, "SELECT id FROM room WHERE id > ?1 ORDER BY id", after)? {
            let mut messages = STEP_MESSAGES;
            while messages == STEP_MESSAGES {
                let started = Instant::now();
                messages = self.prune_room(connection, room)?;
                if messages != 0 && !steps.pause(started) {
                    return Ok(Progress::Partial);
                }
            }
            self.last_room = room;
        }
        self.last_room = 0;
        self.shrink(connection, &mut steps)
    }

    /// Whether more of the file is in use than may be.
    pub(super) fn is_too_large(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let max = self.retention.max_file_bytes;
        Ok(max != 0 && used_bytes(connection)? > max)
    }

    /// If the file is too large, deletes the oldest messages of the rooms that take most.
    fn shrink<S: Fn(Duration) -> bool>(
        &self,
        connection: &Connection,
        steps: &mut Steps<'_, S>,
    ) -> rusqlite::Result<Progress> {
        if !self.is_too_large(connection)? {
            return Ok(Progress::Complete);
        }
        let max = self.retention.max_file_bytes;
        let rooms = ids(connection, "SELECT id FROM room WHERE id > ?1", i64::MIN)?;
        let mut heaviest = Heaviest::measure(connection, &rooms)?;
        while used_bytes(connection)? > max - max / 16
            && let Some(room) = heaviest.pop()
        {
            let started = Instant::now();
            let deleted = self.delete(connection, room.id, |first, last| {
                Some((first - 1 + STEP_MESSAGES).min(last.saturating_sub(1)))
                    .filter(|seq| *seq >= first)
            })?;
            if deleted != 0 {
                heaviest.push(room, deleted);
                if !steps.pause(started) {
                    return Ok(Progress::Partial);
                }
            }
        }
        Ok(Progress::Complete)
    }

    /// A step through the references. It deletes those that nobody can use any more: of sessions that
    /// have ended, or to what is not kept, except for the latest of each user. Returns whether the sweep
    /// goes on: each looks at twice as many as were added since the one before, and so comes round.
    fn sweep_references(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        if self.sweep.left <= 0 {
            let next = next_reference(connection)?;
            self.sweep.left = 2 * next.saturating_sub(self.sweep.next) + STEP_REFERENCES;
            self.sweep.next = next;
        }
        let rows: Vec<(i64, i64, bool, bool)> = connection
            .prepare_cached(
                "SELECT id, user, user IN (SELECT user FROM session), EXISTS
                    (SELECT 1 FROM room WHERE room.id = reference.room AND (seq = 0 OR seq > pruned))
                    FROM reference WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            )?
            .query_map([self.sweep.at, STEP_REFERENCES], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        let Some((up_to, ..)) = rows.last() else {
            self.sweep = ReferenceSweep { next: self.sweep.next, ..ReferenceSweep::default() };
            return Ok(false);
        };
        self.sweep.at = *up_to;
        let mut unusable = Vec::new();
        for (id, user, can_resume, is_kept) in rows {
            if !can_resume {
                unusable.push(id);
                continue;
            }
            let newer = self.sweep.newer.entry(user).or_default();
            if !is_kept && *newer >= MIN_REFERENCES {
                unusable.push(id);
            }
            *newer += 1;
        }
        // The search needs no lock: what is unusable stays so, since no user id is used again.
        if !unusable.is_empty() {
            let _lock = self.database.lock_for_writing();
            let transaction = connection.unchecked_transaction()?;
            let mut delete = transaction.prepare_cached("DELETE FROM reference WHERE id = ?1")?;
            unusable.iter().try_for_each(|id| delete.execute([id]).map(drop))?;
            drop(delete);
            transaction.commit()?;
            self.database.count_commit(1);
        }
        self.sweep.left -= STEP_REFERENCES;
        Ok(self.sweep.left > 0)
    }

    /// A step in a room that was deleted. Returns whether there is more to do.
    fn prune_deleted(&self, connection: &Connection, room: i64) -> rusqlite::Result<bool> {
        let _lock = self.database.lock_for_writing();
        let transaction = connection.unchecked_transaction()?;
        let deleted = transaction
            .prepare_cached(
                "DELETE FROM event WHERE room = ?1
                    AND seq < ?2 + (SELECT min(seq) FROM event WHERE room = ?1)",
            )?
            .execute(params![room, int(STEP_MESSAGES)])?;
        if deleted == 0 {
            transaction.prepare_cached("DELETE FROM gone WHERE room = ?1")?.execute([room])?;
        }
        transaction.commit()?;
        self.database.count_commit(1);
        Ok(deleted != 0)
    }

    /// A step in a room with too many messages, or with some that are too old or lie before a gap.
    /// Returns how many it deleted.
    fn prune_room(&self, connection: &Connection, room: i64) -> rusqlite::Result<u64> {
        // Mostly there is nothing to do, and then no need for the lock.
        if self.due(connection, room)?.is_none() {
            return Ok(0);
        }
        let _lock = self.database.lock_for_writing();
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        // Look again: the dispatcher may have deleted what a failed batch left, to use its numbers
        // again. They must not be among those that count as pruned.
        let Some((first, up_to)) = self.due(&transaction, room)? else { return Ok(0) };
        self.delete_up_to(transaction, room, first, up_to)
    }

    /// A step in a room, up to the message that `choose` chooses by its first and its last. Returns how many
    /// it deleted.
    fn delete(
        &self,
        connection: &Connection,
        room: i64,
        choose: impl FnOnce(u64, u64) -> Option<u64>,
    ) -> rusqlite::Result<u64> {
        let _lock = self.database.lock_for_writing();
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let Some((first, last, _)) = bounds(&transaction, room)? else { return Ok(0) };
        let Some(up_to) = choose(first, last) else { return Ok(0) };
        self.delete_up_to(transaction, room, first, up_to)
    }

    fn delete_up_to(
        &self,
        transaction: Transaction<'_>,
        room: i64,
        first: u64,
        up_to: u64,
    ) -> rusqlite::Result<u64> {
        transaction
            .prepare_cached("DELETE FROM event WHERE room = ?1 AND seq <= ?2")?
            .execute(params![room, int(up_to)])?;
        transaction
            .prepare_cached("UPDATE room SET pruned = max(pruned, ?2) WHERE id = ?1")?
            .execute(params![room, int(up_to)])?;
        transaction.commit()?;
        self.database.count_commit(1);
        Ok(up_to - (first - 1))
    }

    /// The first message of a room, and the last that the next step is to delete; `None` if it is to
    /// delete none.
    fn due(&self, connection: &Connection, room: i64) -> rusqlite::Result<Option<(u64, u64)>> {
        let Some((first, last, pruned)) = bounds(connection, room)? else { return Ok(None) };
        let step_end = first - 1 + STEP_MESSAGES;
        let too_many = last.saturating_sub(self.retention.max_events);
        let too_old = match self.age_limit {
            Some(limit) => last_too_old(connection, room, step_end, limit)?,
            None => 0,
        };
        // Nothing before a gap (`pruned`) is found any more.
        let up_to = too_many.max(pruned).min(step_end).max(too_old);
        Ok((up_to >= first).then_some((first, up_to)))
    }
}

/// The first and the last message of a room that has some, and what was pruned.
fn bounds(connection: &Connection, room: i64) -> rusqlite::Result<Option<(u64, u64, u64)>> {
    connection
        .prepare_cached(
            "SELECT (SELECT min(seq) FROM event WHERE room = ?1),
                (SELECT max(seq) FROM event WHERE room = ?1), pruned
                FROM room WHERE id = ?1 AND EXISTS (SELECT 1 FROM event WHERE room = ?1)",
        )?
        .query_row([room], |row| Ok((uint(row.get(0)?), uint(row.get(1)?), uint(row.get(2)?))))
        .optional()
}

/// The numbers that `sql` finds beyond `after`.
fn ids(connection: &Connection, sql: &str, after: i64) -> rusqlite::Result<Vec<i64>> {
    connection.prepare_cached(sql)?.query_map([after], |row| row.get(0))?.collect()
}

/// The last message up to `step_end` that is too old, and has only such before it. Those with a time that has
/// not come yet were said while the clock was wrong: they go with the next one that is too old. If the clock
/// was set back, a message may have to wait for a younger one before it.
fn last_too_old(
    connection: &Connection,
    room: i64,
    step_end: u64,
    limit: AgeLimit,
) -> rusqlite::Result<u64> {
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max(seq) FROM event WHERE room = ?1 AND seq <= ?2 AND time < ?3 AND seq < ifnull(
                (SELECT seq FROM event
                    WHERE room = ?1 AND seq <= ?2 AND time BETWEEN ?3 AND ?4 ORDER BY seq LIMIT 1),
                ?2 + 1)",
        )?
        .query_row(
            params![room, int(step_end), int(limit.oldest), int(limit.latest)],
            |row| row.get(0),
        )?;
    let is_before_old = || is_before_too_old(connection, room, step_end, limit);
    match last {
        Some(last) => Ok(uint(last)),
        None if is_before_old()? => Ok(step_end),
        None => Ok(0),
    }
}

/// Whether all messages up to `step_end` have a time that has not come yet, and the first that has another time
/// is too old.
fn is_before_too_old(
    connection: &Connection,
    room: i64,
    step_end: u64,
    limit: AgeLimit,
) -> rusqlite::Result<bool> {
    let first: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT seq, time FROM event WHERE room = ?1 AND time <= ?2 ORDER BY seq LIMIT 1",
        )?
        .query_row([room, int(limit.latest)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(first.is_some_and(|(seq, time)| uint(seq) > step_end && uint(time) < limit.oldest))
}
