//! Erasing messages for good.
//!
//! The thread that asks for it runs it, step by step and with a connection of its own. A step takes the write
//! lock for a few milliseconds at most, and only if it finds something, so that the dispatcher hardly waits.
//! An erased message keeps its row, with its number and its time. Where a room begins with such rows, they
//! count as pruned, and upkeep deletes them.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::super::ArchiveError;
use super::backup::FileArchive;
use super::database::Database;
use super::prune::STEP_PAUSE;
use super::row::{int, uint};
use super::upkeep::READERS_TIMEOUT;
use super::wal::checkpoint;
use crate::chat::{Erasure, RoomId};

/// How often, and with which pauses, it tries to empty the WAL. Readers are done with a page in a few milliseconds.
const EMPTY_ATTEMPTS: u32 = 50;
const EMPTY_PAUSE: Duration = Duration::from_millis(20);

/// How many messages a step looks at.
const STEP_MESSAGES: u64 = 256;

/// Which rows of room ?1 from ?2 to ?3 are to be erased: all of user ?4, or those before ?5. No user is 0.
macro_rules! taken {
    () => {
        "room = ?1 AND seq BETWEEN ?2 AND ?3 AND kind != 'erased' AND (user = ?4 OR time < ?5)"
    };
}

const FIND: &str = concat!("SELECT EXISTS (SELECT 1 FROM event WHERE ", taken!(), ")");

const ERASE: &str = concat!(
    "UPDATE event SET user = 0, name = '', ref = NULL, kind = 'erased', body = 0 WHERE ",
    taken!()
);

impl FileArchive {
    /// As [`Archive::erase`](super::super::Archive::erase).
    pub(crate) fn erase(
        &self,
        what: Erasure,
        up_to: &[(RoomId, u64)],
    ) -> Result<u64, ArchiveError> {
        let database = self.database()?;
        if database.is_backing_up() {
            // The copy would have what is erased here.
            return Err(ArchiveError::Busy);
        }
        let connection = database.connect()?;
        let erase = || {
            connection.busy_timeout(READERS_TIMEOUT)?;
            let mut erased = 0;
            for &(room, up_to) in up_to {
                erased += erase_in_room(&database, &connection, what, int(room.0), up_to)?;
            }
            let gone = "SELECT room FROM gone";
            let gone = connection
                .prepare(gone)?
                .query_map([], |row| row.get(0))?
                .collect::<Result<Vec<i64>, _>>()?;
            for room in gone {
                erased += erase_in_room(&database, &connection, what, room, u64::MAX)?;
            }
            Ok(erased)
        };
        let explain = |error| ArchiveError::from(database.explain(error));
        let erased = erase().map_err(explain)?;
        if empty_wal(&database, &connection).map_err(explain)? {
            Ok(erased)
        } else {
            Err(ArchiveError::Busy)
        }
    }
}

/// Copies the WAL into the database and leaves it empty: it has pages from before the erasure. Returns false if somebody
/// reads it for long.
fn empty_wal(database: &Database, connection: &Connection) -> rusqlite::Result<bool> {
    for _ in 0..EMPTY_ATTEMPTS {
        // Most of it is copied while others write.
        checkpoint(connection, "PASSIVE")?;
        let lock = database.lock_for_writing();
        let wal = checkpoint(connection, "TRUNCATE")?;
        drop(lock);
        if wal.is_copied && wal.bytes == 0 {
            return Ok(true);
        }
        thread::sleep(EMPTY_PAUSE);
    }
    Ok(false)
}

fn erase_in_room(
    database: &Database,
    connection: &Connection,
    what: Erasure,
    room: i64,
    up_to: u64,
) -> rusqlite::Result<u64> {
    let (first, last): (Option<i64>, Option<i64>) = connection.query_row(
        "SELECT (SELECT min(seq) FROM event WHERE room = ?1),
            (SELECT max(seq) FROM event WHERE room = ?1 AND seq <= ?2)",
        [room, int(up_to)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(first), Some(last)) = (first.map(uint), last.map(uint)) else { return Ok(0) };
    let (user, before) = match what {
        Erasure::User(user) => (int(user.0), 0),
        Erasure::Before(time) => (-1, int(time)),
        Erasure::Room(_) => (-1, i64::MAX),
    };
    let mut erased = 0;
    let mut next = first;
    while next <= last {
        let started = Instant::now();
        let step_end = (next + STEP_MESSAGES - 1).min(last);
        let rows = params![room, int(next), int(step_end), user, before];
        next = step_end + 1;
        if !connection.prepare_cached(FIND)?.query_row(rows, |row| row.get(0))? {
            continue;
        }
        let lock = database.lock_for_writing();
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let messages = transaction.prepare_cached(ERASE)?.execute(rows)?;
        transaction.commit()?;
        erased += messages as u64;
        // Upkeep has to copy the WAL meanwhile.
        database.count_commit(messages);
        drop(lock);
        // The dispatcher must get the write lock in between.
        thread::sleep(started.elapsed().max(STEP_PAUSE));
    }
    prune_erased(database, connection, room, last)?;
    Ok(erased)
}

/// What is erased at the oldest end of a room counts as pruned.
fn prune_erased(
    database: &Database,
    connection: &Connection,
    room: i64,
    last: u64,
) -> rusqlite::Result<()> {
    let first_left: Option<i64> = connection.query_row(
        "SELECT min(seq) FROM event WHERE room = ?1 AND seq <= ?2 AND kind != 'erased'",
        [room, int(last)],
        |row| row.get(0),
    )?;
    let pruned = first_left.map_or(int(last), |seq| seq - 1);
    let _lock = database.lock_for_writing();
    connection.execute("UPDATE room SET pruned = max(pruned, ?2) WHERE id = ?1", [room, pruned])?;
    database.count_commit(1);
    Ok(())
}
