//! Upkeep: keeps the file small while the dispatcher goes on.
//!
//! It runs on a thread and with a connection of its own. It copies the WAL back into the database,
//! and prunes what the limits no longer keep, in steps so small that the dispatcher hardly waits for the write
//! lock. While nothing is committed, it only looks whether something was. What is pruned, and how,
//! is in `prune`.

use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, select_biased};
use log::{debug, info, warn};
use rusqlite::Connection;

use super::super::clock::{AgeClock, AgeLimit};
use super::super::{HistoryError, Retention};
use super::database::Database;
use super::prune::{Progress, Pruner, STEP_PAUSE};
use super::row::uint;
use super::schema::{meta, set_meta};
use super::wal::{WAL_COPY_BYTES, WAL_MAX_BYTES, checkpoint};
use crate::health::Health;

/// How often it looks whether there is something to do, unless it is woken.
const ROUND: Duration = Duration::from_secs(1);

/// A WAL that is too short to be copied back at once is copied within this time, which bounds what a
/// loss of power can take.
const WAL_MAX_AGE: Duration = Duration::from_secs(60);

/// How long copying waits for readers, at most. They are done with a page in a few milliseconds.
pub(super) const READERS_TIMEOUT: Duration = Duration::from_millis(20);

/// How often it looks for something to prune after commits.
const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// How often it looks for messages that have become too old, while nothing is said.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(60);

/// The key in `meta` of the note of the clock.
const CLOCK: &str = "clock";

/// Keeps the file small.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// `None` after an error, until the next round. Closed before the database's own descriptor is, which
    /// would end its locks.
    connection: Option<Connection>,
    database: Arc<Database>,
    /// The dispatcher has committed much.
    woken: Receiver<()>,
    retention: Retention,
    wal_max_bytes: u64,
    pruner: Pruner,
    /// `None` if nothing is ever too old.
    clock: Option<AgeClock>,
    /// The count of commits when the WAL was last copied as a whole, and when that was.
    copied: (u64, Instant),
    /// The same for pruning.
    pruned: (u64, Instant),
    is_failing: bool,
    /// A backup has kept the WAL from being copied.
    is_behind_backup: bool,
}

impl Upkeep {
    pub(super) fn new(database: Arc<Database>, woken: Receiver<()>) -> Result<Self, HistoryError> {
        let connection = connect(&database)?;
        let retention = database.retention();
        let clock = match retention.max_age {
            Some(_) => Some(clock(&connection).map_err(|error| database.explain(error))?),
            None => None,
        };
        let connection = Some(connection);
        let now = Instant::now();
        Ok(Self {
            pruner: Pruner::new(database.clone(), retention),
            clock,
            database,
            connection,
            woken,
            retention,
            wal_max_bytes: WAL_MAX_BYTES,
            copied: (0, now),
            pruned: (0, now),
            is_failing: false,
            is_behind_backup: false,
        })
    }

    /// Runs until the other end of `stop` is dropped.
    pub(crate) fn run(mut self, stop: &Receiver<()>, health: &Health) {
        let sleep = |pause| stop.recv_timeout(pause) == Err(RecvTimeoutError::Timeout);
        let woken = self.woken.clone();
        let mut pause = ROUND;
        loop {
            select_biased! {
                recv(stop) -> _ => return,
                recv(woken) -> _ => {}
                default(pause) => {}
            }
            let place = self.check_place(health);
            let done = place.and_then(|()| self.round(Instant::now(), &sleep));
            match &done {
                Ok(_) if self.is_failing => info!("history: upkeep works again"),
                Err(error) if !self.is_failing => warn!("history: upkeep failed: {error}"),
                _ => {}
            }
            self.is_failing = done.is_err();
            pause = if matches!(done, Ok(Progress::Partial)) { STEP_PAUSE } else { ROUND };
        }
    }

    /// Checks that the file is in its place, and reports it. While nothing is committed, nobody else looks.
    pub(super) fn check_place(&self, health: &Health) -> Result<(), HistoryError> {
        let place = self.database.check_place();
        health.set_misplaced(place.is_err());
        place
    }

    /// Does what is due. `sleep` waits for the time it is given, and returns false if upkeep is to end.
    pub(super) fn round(
        &mut self,
        now: Instant,
        sleep: &impl Fn(Duration) -> bool,
    ) -> Result<Progress, HistoryError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.database)?,
        };
        self.adopt_retention(&connection)?;
        let age_limit = self.age_limit(&connection);
        let commits = self.database.commits();
        let (commits_before, at) = self.pruned;
        let elapsed = now.duration_since(at);
        let may_expire = self.retention.max_age.is_some() && elapsed >= EXPIRE_INTERVAL;
        let has_grown = commits != commits_before && elapsed >= PRUNE_INTERVAL;
        let is_due =
            if may_expire || has_grown { Ok(true) } else { self.pruner.is_too_large(&connection) };
        let pruned = match is_due {
            Ok(true) => self.pruner.round(&connection, age_limit, sleep),
            Ok(false) => Ok(Progress::NotDue),
            Err(error) => Err(error),
        };
        // If pruning fails because the disk is full, this may make room.
        let copied = self.copy_wal(&connection, now);
        let pruned = copied.and(pruned).map_err(|error| self.database.explain(error))?;
        if matches!(pruned, Progress::Complete) {
            self.pruned = (commits, now);
        }
        self.connection = Some(connection);
        Ok(pruned)
    }

    /// Keeps from now on what the settings say now.
    fn adopt_retention(&mut self, connection: &Connection) -> Result<(), HistoryError> {
        let retention = self.database.retention();
        if retention == self.retention {
            return Ok(());
        }
        self.clock = match (retention.max_age, self.clock.take()) {
            (None, _) => None,
            (Some(_), Some(clock)) => Some(clock),
            (Some(_), None) => {
                Some(clock(connection).map_err(|error| self.database.explain(error))?)
            }
        };
        self.retention = retention;
        self.pruner.set_retention(retention);
        // As if there had been no pruning since the last commit.
        self.pruned.0 = 0;
        Ok(())
    }

    /// What is too old. The note of the clock is kept for the next start, so that a restart does not make
    /// it trusted.
    fn age_limit(&mut self, connection: &Connection) -> Option<AgeLimit> {
        let clock = self.clock.as_mut()?;
        if clock.observe() {
            let _lock = self.database.lock_for_writing();
            if let Err(error) = set_meta(connection, CLOCK, &clock.note()) {
                debug!("history: {}", self.database.explain(error));
            }
        }
        clock.limit(self.retention.max_age)
    }

    /// Copies the WAL into the database if that is due.
    fn copy_wal(&mut self, connection: &Connection, now: Instant) -> rusqlite::Result<()> {
        let commits = self.database.commits();
        if commits == self.copied.0 {
            // Nothing to copy. The age of the next commit counts from here.
            self.copied.1 = now;
            return Ok(());
        }
        if self.database.is_backing_up() {
            // What was written since the backup began cannot be copied, and to wait for it would hold up the writer.
            self.is_behind_backup = true;
            return Ok(());
        }
        let wal = checkpoint(connection, "NOOP")?;
        let is_due = now.duration_since(self.copied.1) >= WAL_MAX_AGE || self.database.is_failing();
        if wal.bytes_left < WAL_COPY_BYTES && wal.bytes < self.wal_max_bytes && !is_due {
            return Ok(());
        }
        // If the disk cannot keep up, the writer waits at once: with a longer WAL it would wait longer.
        let is_behind =
            !take(&mut self.is_behind_backup) && wal.bytes_left >= 4 * self.wal_max_bytes;
        let mut wal = if is_behind { wal } else { checkpoint(connection, "PASSIVE")? };
        if wal.bytes >= self.wal_max_bytes {
            if !is_behind {
                // Most of it has just been copied; what was added meanwhile takes a moment.
                checkpoint(connection, "PASSIVE")?;
            }
            let _lock = self.database.lock_for_writing();
            // Waits for those who read the WAL, too: while they do, SQLite cannot reuse it.
            wal = checkpoint(connection, "RESTART")?;
        }
        if wal.is_copied {
            self.copied = (commits, now);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// The time passes on both clocks, and the time of day jumps by some milliseconds more.
    #[cfg(test)]
    pub(super) fn shift_clock(&mut self, time: Duration, jump: i64) {
        let ahead = &mut self.clock.as_mut().expect("something becomes too old").ahead;
        ahead.0 += time;
        ahead.1 += i64::try_from(time.as_millis()).unwrap() + jump;
    }

    #[cfg(test)]
    pub(super) fn set_wal_max_bytes(&mut self, bytes: u64) {
        self.wal_max_bytes = bytes;
    }

    /// Does all that could be due, whatever the time.
    #[cfg(test)]
    pub(crate) fn catch_up(&mut self) -> Result<(), HistoryError> {
        let now = Instant::now();
        self.pruned = (0, now);
        self.copied = (0, now);
        while let Progress::Partial = self.round(now + EXPIRE_INTERVAL + WAL_MAX_AGE, &|_| true)? {}
        Ok(())
    }
}

/// The clock as the last upkeep left it, compared with the latest message of each room. It is noted anew.
fn clock(connection: &Connection) -> rusqlite::Result<AgeClock> {
    let latest = connection
        .prepare(
            "SELECT time FROM room JOIN event ON event.room = room.id
                AND seq = (SELECT max(seq) FROM event WHERE event.room = room.id)",
        )?
        .query_map([], |row| row.get(0).map(uint))?
        .collect::<Result<Vec<u64>, _>>()?;
    let clock = AgeClock::resume(meta::<String>(connection, CLOCK)?.as_deref(), &latest);
    set_meta(connection, CLOCK, &clock.note())?;
    Ok(clock)
}

fn connect(database: &Database) -> Result<Connection, HistoryError> {
    let connection = database.connect()?;
    connection.busy_timeout(READERS_TIMEOUT).map_err(|error| database.explain(error))?;
    Ok(connection)
}
