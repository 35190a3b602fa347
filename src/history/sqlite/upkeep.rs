//! Upkeep: what keeps the file small while the dispatcher goes on.
//!
//! It runs on a thread of its own, with a connection of its own. It copies the WAL back into the
//! database, and prunes what need not be kept any more, in steps so small that the dispatcher hardly
//! waits for its turn. While nothing is committed, it does nothing but look whether something was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, select_biased};
use log::{info, warn};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::{HistoryError, Retention, oldest_kept};
use super::{Shared, file, int, uint};

/// How often it looks whether there is something to do, unless it is rung for.
const ROUND: Duration = Duration::from_secs(1);

/// For how many events and transactions it is rung for. The longer a WAL has become, the longer it takes
/// to copy it, and it grows on meanwhile.
pub(super) const RING_AFTER: u64 = 1_024;

/// A WAL that is larger than this is copied back in the next round …
const WAL_BYTES: u64 = 4 << 20;

/// … a smaller one within this time, which bounds what a power cut can take.
const WAL_AGE: Duration = Duration::from_secs(60);

/// A WAL begins anew when a writer finds all of it copied, and one who writes all the time never does.
/// So when it has grown larger than this, the writer waits once, while the last pages are copied.
pub(super) const WAL_MAX_BYTES: u64 = 16 << 20;

/// How long it waits for readers then, at most. They are done with a page in a few milliseconds.
const READERS_WAIT: Duration = Duration::from_millis(20);

/// How often it looks for something to prune, and for what has become too old while nothing is said.
const PRUNE_AFTER: Duration = Duration::from_secs(10);
const AGE_AFTER: Duration = Duration::from_secs(60);

/// How many events are pruned at a time: well under a millisecond's work.
const STEP_EVENTS: u64 = 64;

/// How many references are looked at in a step.
const STEP_REFERENCES: i64 = 256;

/// The least time between two steps, which is otherwise what a step takes. The dispatcher must get its
/// turn in between.
const STEP_PAUSE: Duration = Duration::from_micros(200);

/// How many steps there are in a round. The WAL must be copied in between.
const ROUND_STEPS: u32 = 256;

/// Keeps the file small.
#[derive(Debug)]
pub(crate) struct Upkeep {
    shared: Arc<Shared>,
    /// `None` after an error, until the next round.
    connection: Option<Connection>,
    /// Rung by the dispatcher.
    bell: Receiver<()>,
    retention: Retention,
    wal_max_bytes: u64,
    /// The count of commits when the WAL was last copied as a whole, and when that was.
    copied: (u64, Instant),
    /// The same for the last look for something to prune.
    pruned: (u64, Instant),
    sweep: Sweep,
    /// The last room that was pruned, so that the others get their turn too.
    room: i64,
    is_failing: bool,
}

/// How far a round came.
pub(super) enum Pruned {
    NotDue,
    Whole,
    /// There was more to do than fits in a round.
    InPart,
}

/// How far the references have been looked through.
#[derive(Debug, Default)]
struct Sweep {
    /// The last one that was looked at.
    at: i64,
    /// The next one to come, when it was asked last.
    next: i64,
    /// How many are still to be looked at this time.
    left: i64,
}

/// The WAL as a checkpoint saw it.
struct Wal {
    bytes: u64,
    bytes_left: u64,
    is_copied: bool,
}

impl Upkeep {
    pub(super) fn new(
        shared: Arc<Shared>,
        bell: Receiver<()>,
        retention: Retention,
    ) -> Result<Self, HistoryError> {
        let connection = Some(connect(&shared)?);
        let now = Instant::now();
        Ok(Self {
            shared,
            connection,
            bell,
            retention,
            wal_max_bytes: WAL_MAX_BYTES,
            copied: (0, now),
            pruned: (0, now),
            sweep: Sweep::default(),
            room: 0,
            is_failing: false,
        })
    }

    /// Runs until the other end of `stop` is gone.
    pub(crate) fn run(mut self, stop: &Receiver<()>) {
        let goes_on = |pause| stop.recv_timeout(pause) == Err(RecvTimeoutError::Timeout);
        let bell = self.bell.clone();
        let mut pause = ROUND;
        loop {
            select_biased! {
                recv(stop) -> _ => return,
                recv(bell) -> _ => {}
                default(pause) => {}
            }
            let done = self.round(Instant::now(), &goes_on);
            match &done {
                Ok(_) if self.is_failing => info!("history: upkeep goes on"),
                Err(error) if !self.is_failing => warn!("history: upkeep: {error}"),
                _ => {}
            }
            self.is_failing = done.is_err();
            pause = if matches!(done, Ok(Pruned::InPart)) { STEP_PAUSE } else { ROUND };
        }
    }

    /// Does what is due. `goes_on` waits for the time it is given, unless upkeep is to end.
    pub(super) fn round(
        &mut self,
        now: Instant,
        goes_on: &impl Fn(Duration) -> bool,
    ) -> Result<Pruned, HistoryError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.shared)?,
        };
        let commits = self.shared.commits();
        let (seen, at) = self.pruned;
        let ages = self.retention.max_age.is_some() && now.duration_since(at) >= AGE_AFTER;
        let grows = commits != seen && now.duration_since(at) >= PRUNE_AFTER;
        let pruned =
            if ages || grows { self.prune(&connection, goes_on) } else { Ok(Pruned::NotDue) };
        // Where pruning fails because the disk is full, this may make room.
        let copied = self.copy(&connection, now);
        let pruned = copied.and(pruned).map_err(|error| self.shared.explain(error))?;
        if matches!(pruned, Pruned::Whole) {
            self.pruned = (commits, now);
        }
        self.connection = Some(connection);
        Ok(pruned)
    }

    /// Copies the WAL into the database if it is time to.
    fn copy(&mut self, connection: &Connection, now: Instant) -> rusqlite::Result<()> {
        let commits = self.shared.commits();
        if commits == self.copied.0 {
            // Nothing to wait for: what is committed next waits from here on.
            self.copied.1 = now;
            return Ok(());
        }
        let wal = checkpoint(connection, "NOOP")?;
        let is_due = now.duration_since(self.copied.1) >= WAL_AGE || self.shared.is_stuck();
        if wal.bytes_left < WAL_BYTES && wal.bytes < self.wal_max_bytes && !is_due {
            return Ok(());
        }
        // A disk that cannot keep up is waited for: a longer WAL would only be a longer wait.
        let is_behind = wal.bytes_left >= 4 * self.wal_max_bytes;
        let mut wal = if is_behind { wal } else { checkpoint(connection, "PASSIVE")? };
        if wal.bytes >= self.wal_max_bytes {
            if !is_behind {
                // Most of it has just been copied; what came in the meantime is soon done as well.
                checkpoint(connection, "PASSIVE")?;
            }
            let _turn = self.shared.turn();
            // This also waits until nobody reads the WAL, which keeps it from beginning anew, too.
            wal = checkpoint(connection, "RESTART")?;
        }
        if wal.is_copied {
            self.copied = (commits, now);
        }
        Ok(())
    }

    fn prune(
        &mut self,
        connection: &Connection,
        goes_on: &impl Fn(Duration) -> bool,
    ) -> rusqlite::Result<Pruned> {
        let mut steps_left = ROUND_STEPS;
        // Whether there is time for another step.
        let mut pause = |since: Instant| {
            steps_left -= 1;
            steps_left != 0 && goes_on(since.elapsed().max(STEP_PAUSE))
        };
        let mut started = Instant::now();
        while self.sweep(connection)? {
            if !pause(started) {
                return Ok(Pruned::InPart);
            }
            started = Instant::now();
        }
        let mut gone = connection.prepare_cached("SELECT room FROM gone")?;
        let gone: Vec<i64> = gone.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for room in gone {
            let mut started = Instant::now();
            while self.prune_gone(connection, room)? {
                if !pause(started) {
                    return Ok(Pruned::InPart);
                }
                started = Instant::now();
            }
        }
        let mut rooms =
            connection.prepare_cached("SELECT id FROM room WHERE id > ?1 ORDER BY id")?;
        let rooms: Vec<i64> =
            rooms.query_map([self.room], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for room in rooms {
            let mut events = STEP_EVENTS;
            while events == STEP_EVENTS {
                let started = Instant::now();
                events = self.prune_room(connection, room)?;
                if events != 0 && !pause(started) {
                    return Ok(Pruned::InPart);
                }
            }
            self.room = room;
        }
        self.room = 0;
        Ok(Pruned::Whole)
    }

    /// A step through the references, to take out those that nobody can use any more: of sessions that
    /// are over, or to events that are not kept. Whether there is more to do this time: it looks at
    /// twice as many as have come since the last time, and so comes round.
    fn sweep(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        if self.sweep.left <= 0 {
            let next = file::next_reference(connection)?;
            self.sweep.left = 2 * next.saturating_sub(self.sweep.next) + STEP_REFERENCES;
            self.sweep.next = next;
        }
        let from = self.sweep.at;
        let upto: Option<i64> = connection
            .prepare_cached(
                "SELECT max(id) FROM (SELECT id FROM reference WHERE id > ?1 ORDER BY id LIMIT ?2)",
            )?
            .query_row([from, STEP_REFERENCES], |row| row.get(0))?;
        let Some(upto) = upto else {
            self.sweep = Sweep { at: 0, left: 0, ..self.sweep };
            return Ok(false);
        };
        let unusable = connection
            .prepare_cached(
                "SELECT id FROM reference WHERE id > ?1 AND id <= ?2 AND (
                    user NOT IN (SELECT user FROM session) OR NOT EXISTS
                    (SELECT 1 FROM room WHERE room.id = reference.room AND seq > pruned))",
            )?
            .query_map([from, upto], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        // Without the turn until here: what is unusable stays so, for nobody becomes a user who was.
        if !unusable.is_empty() {
            let _turn = self.shared.turn();
            let transaction = connection.unchecked_transaction()?;
            let mut delete = transaction.prepare_cached("DELETE FROM reference WHERE id = ?1")?;
            unusable.iter().try_for_each(|id| delete.execute([id]).map(drop))?;
            drop(delete);
            transaction.commit()?;
            self.shared.count_commit(1);
        }
        self.sweep.at = upto;
        self.sweep.left -= STEP_REFERENCES;
        Ok(self.sweep.left > 0)
    }

    /// A step in a room that is gone; whether there is more to do.
    fn prune_gone(&self, connection: &Connection, room: i64) -> rusqlite::Result<bool> {
        let _turn = self.shared.turn();
        let transaction = connection.unchecked_transaction()?;
        let deleted = transaction
            .prepare_cached(
                "DELETE FROM event WHERE room = ?1
                    AND seq < ?2 + (SELECT min(seq) FROM event WHERE room = ?1)",
            )?
            .execute(params![room, int(STEP_EVENTS)])?;
        if deleted == 0 {
            transaction.prepare_cached("DELETE FROM gone WHERE room = ?1")?.execute([room])?;
        }
        transaction.commit()?;
        self.shared.count_commit(1);
        Ok(deleted != 0)
    }

    /// A step in a room that has grown too long, or has events that are too old or before what was not
    /// kept; how many events are gone.
    fn prune_room(&self, connection: &Connection, room: i64) -> rusqlite::Result<u64> {
        // Mostly there is nothing, which takes no turn.
        if self.due(connection, room)?.is_none() {
            return Ok(0);
        }
        let _turn = self.shared.turn();
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        // Meanwhile the dispatcher may have taken out what a failed batch left, and its numbers are to
        // be used again: they must not be among those that are pruned.
        let Some((first, upto)) = self.due(&transaction, room)? else { return Ok(0) };
        transaction
            .prepare_cached("DELETE FROM event WHERE room = ?1 AND seq <= ?2")?
            .execute(params![room, int(upto)])?;
        transaction
            .prepare_cached("UPDATE room SET pruned = max(pruned, ?2) WHERE id = ?1")?
            .execute(params![room, int(upto)])?;
        transaction.commit()?;
        self.shared.count_commit(1);
        Ok(upto - (first - 1))
    }

    /// The first event of a room, and up to which one it is to be pruned, in one step at most; `None`
    /// if it is not.
    fn due(&self, connection: &Connection, room: i64) -> rusqlite::Result<Option<(u64, u64)>> {
        let bounds: Option<(i64, i64, i64)> = connection
            .prepare_cached(
                "SELECT (SELECT min(seq) FROM event WHERE room = ?1),
                    (SELECT max(seq) FROM event WHERE room = ?1), pruned
                    FROM room WHERE id = ?1 AND EXISTS (SELECT 1 FROM event WHERE room = ?1)",
            )?
            .query_row([room], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((first, last, pruned)) = bounds else { return Ok(None) };
        let (first, last, pruned) = (uint(first), uint(last), uint(pruned));
        let step = first - 1 + STEP_EVENTS;
        let too_many = last.saturating_sub(self.retention.max_events);
        let too_old = match oldest_kept(self.retention.max_age) {
            Some(oldest) => last_before(connection, room, step, oldest)?,
            None => 0,
        };
        // Before what was not kept, nothing is found any more.
        let upto = too_many.max(pruned).min(step).max(too_old);
        Ok((upto >= first).then_some((first, upto)))
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[cfg(test)]
    pub(super) fn set_wal_max_bytes(&mut self, bytes: u64) {
        self.wal_max_bytes = bytes;
    }

    /// Does all that could ever be due, whatever the time.
    #[cfg(test)]
    pub(crate) fn catch_up(&mut self) -> Result<(), HistoryError> {
        let now = Instant::now();
        self.pruned = (0, now);
        self.copied = (0, now);
        while let Pruned::InPart = self.round(now + AGE_AFTER + WAL_AGE, &|_| true)? {}
        Ok(())
    }
}

fn connect(shared: &Shared) -> Result<Connection, HistoryError> {
    let connection = file::connect(shared)?;
    connection.busy_timeout(READERS_WAIT).map_err(|error| shared.explain(error))?;
    Ok(connection)
}

/// The last of the oldest events, up to and with `step`, that were all said before the time `oldest`.
/// A clock that was set back makes some wait for those before them.
fn last_before(
    connection: &Connection,
    room: i64,
    step: u64,
    oldest: u64,
) -> rusqlite::Result<u64> {
    let first_kept: Option<i64> = connection
        .prepare_cached(
            "SELECT seq FROM event WHERE room = ?1 AND seq <= ?2 AND time >= ?3
                ORDER BY seq LIMIT 1",
        )?
        .query_row(params![room, int(step), int(oldest)], |row| row.get(0))
        .optional()?;
    if let Some(seq) = first_kept {
        return Ok(uint(seq) - 1);
    }
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(seq) FROM event WHERE room = ?1 AND seq <= ?2")?
        .query_row(params![room, int(step)], |row| row.get(0))?;
    Ok(last.map_or(0, uint))
}

/// At the start, before anybody else is there: empties a WAL that is long, which one server after another
/// that is killed within its first second would make longer and longer.
pub(super) fn shorten_wal(connection: &Connection) -> rusqlite::Result<()> {
    if checkpoint(connection, "NOOP")?.bytes >= WAL_BYTES {
        checkpoint(connection, "TRUNCATE")?;
    }
    Ok(())
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Wal> {
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        // Both are -1 while another program does the same.
        let (pages, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Wal {
            bytes: uint(pages) * uint(page),
            bytes_left: uint(pages - copied) * uint(page),
            is_copied: pages >= 0 && pages == copied,
        })
    })
}
