//! The dispatcher's connection: each batch is one transaction.
//!
//! The delicate part is an error. A transaction whose COMMIT fails may be in the file all the same:
//! SQLite may have written its last page before the error. But its senders are told that it was not
//! saved, and the next batch uses the same numbers. So after any error what it may have written to the
//! WAL is made unreadable at once, in case the server is killed next. Then the writer reconnects, and the
//! next batch first deletes what the failed ones may have left.

use std::collections::BTreeMap;
use std::sync::Arc;

use log::{debug, error};
use rusqlite::{CachedStatement, Connection, params};

use super::super::{Batch, History, HistoryError, Retention};
use super::claim::LastMessages;
use super::database::Database;
use super::row::{self, int};
use super::{explain, file, restore};
use crate::chat::{Memo, Position, RoomId, Said, Stored, StoredRoom, StoredUser, UserId};

/// Writes what the dispatcher commits.
pub(crate) struct SqliteWriter {
    /// Closed before the database's own descriptor is, which would end its locks.
    connection: Connection,
    database: Arc<Database>,
    stores_messages: bool,
    /// The id of the next row in `reference`. No row from here on belongs to a commit that succeeded.
    next_reference: i64,
    last_messages: LastMessages,
    /// After an error: in each of these rooms, nothing from this `seq` on was committed for sure.
    uncertain: Option<BTreeMap<RoomId, u64>>,
}

/// Why a batch was not written.
enum WriteFailure {
    Sqlite(rusqlite::Error),
    /// The file does not end where the batch begins.
    Replaced,
}

impl From<rusqlite::Error> for WriteFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl History for SqliteWriter {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let database = self.database.clone();
        let _lock = database.lock_for_writing();
        let result = database
            .check_place()
            .and_then(|()| database.check_wal(&self.connection))
            .and_then(|()| self.commit_in_place(batch));
        if result.is_ok() {
            database.note_wal();
        }
        database.count_commit(batch.said.len());
        database.set_failing(result.is_err());
        result
    }

    fn set_retention(&mut self, retention: Retention) {
        self.stores_messages = retention.max_events != 0;
        self.database.set_retention(retention);
    }
}

impl SqliteWriter {
    pub(super) fn new(
        database: Arc<Database>,
        connection: Connection,
        retention: Retention,
        remembered: &Stored,
    ) -> Result<Self, HistoryError> {
        connection.set_prepared_statement_cache_capacity(32);
        let next_reference =
            restore::next_reference(&connection).map_err(|error| database.explain(error))?;
        let stores_messages = retention.max_events != 0;
        let last_messages = restore::last_messages(&connection, remembered)
            .map_err(|error| database.explain(error))?;
        Ok(Self {
            database,
            connection,
            stores_messages,
            next_reference,
            last_messages,
            uncertain: None,
        })
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.database.epoch
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn commit_in_place(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let marked = self.last_messages.marked();
        for memo in batch.memos {
            if self.last_messages.forget(memo) {
                self.mark();
            }
        }
        self.write(batch).inspect_err(|_| self.roll_back(batch))?;
        self.uncertain = None;
        batch.memos.iter().for_each(|memo| self.last_messages.count_deleted(memo));
        for (room, said) in batch.said {
            self.last_messages.note(Position { room: *room, seq: said.seq });
        }
        if self.last_messages.marked() != marked {
            self.mark();
        }
        Ok(())
    }

    /// Notes what is last outside the file. Without it, a start can notice less.
    fn mark(&self) {
        if let Err(error) = self.database.claim.set_last(self.last_messages.marked()) {
            debug!("history: the mark cannot be written: {error}");
        }
    }

    fn write(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        if self.uncertain.is_some() {
            // The old connection is closed after the new one is open. If the file were without one for a
            // moment, the next would recover the WAL, and with it what was rolled back.
            self.connection = self.database.connect()?;
        }
        self.transact(batch).map_err(|failure| match failure {
            WriteFailure::Sqlite(error) => self.database.explain(error),
            WriteFailure::Replaced => explain::replaced(&self.database.path),
        })
    }

    fn transact(&mut self, batch: Batch<'_>) -> Result<(), WriteFailure> {
        let mut next_reference = self.next_reference;
        self.prepare("BEGIN IMMEDIATE")?.execute([])?;
        if let Some(uncertain) = &self.uncertain {
            self.delete_uncertain(uncertain)?;
        }
        for memo in batch.memos {
            self.remember(memo, &mut next_reference)?;
        }
        if self.uncertain.is_some() {
            self.check_start(batch.said)?;
        }
        if self.stores_messages {
            self.insert(batch.said)?;
        } else {
            let mut skip = self.prepare("UPDATE room SET pruned = ?2 WHERE id = ?1")?;
            for (room, said) in batch.said {
                skip.execute(params![int(room.0), int(said.seq)])?;
            }
        }
        for (room, said) in batch.said {
            if let Some(reference) = &said.reference {
                let position = Position { room: *room, seq: said.seq };
                self.insert_reference(&mut next_reference, said.from.id, position, reference)?;
            }
        }
        self.prepare("COMMIT")?.execute([])?;
        self.next_reference = next_reference;
        Ok(())
    }

    fn insert(&self, said: &[(RoomId, &Said)]) -> rusqlite::Result<()> {
        if said.is_empty() {
            return Ok(());
        }
        let mut insert = self.prepare(row::INSERT)?;
        said.iter().try_for_each(|(room, said)| row::insert(&mut insert, *room, said))
    }

    /// Inserts the row `next`, and counts it.
    fn insert_reference(
        &self,
        next: &mut i64,
        user: UserId,
        at: Position,
        reference: &str,
    ) -> rusqlite::Result<()> {
        let mut insert = self.prepare("INSERT INTO reference VALUES (?1, ?2, ?3, ?4, ?5)")?;
        insert.execute(params![*next, int(user.0), int(at.room.0), int(at.seq), reference])?;
        *next += 1;
        Ok(())
    }

    fn remember(&self, memo: &Memo, next_reference: &mut i64) -> rusqlite::Result<()> {
        match memo {
            Memo::Ids(limits) => {
                // Ids are reserved ahead, and those that are left are given back at the end.
                let mut put = self.prepare("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
                put.execute(params!["last_user", int(limits.user)])?;
                put.execute(params!["last_room", int(limits.room)]).map(drop)
            }
            Memo::User(session) => self.put_session(session),
            Memo::UserGone(user) => {
                let mut delete = self.prepare("DELETE FROM session WHERE user = ?1")?;
                delete.execute([int(user.0)]).map(drop)
            }
            Memo::Room(room) => self.put_room(room),
            Memo::RoomGone(room) => self.delete_room(*room),
            Memo::Created { user, room, reference } => {
                let position = Position { room: *room, seq: 0 };
                self.insert_reference(next_reference, *user, position, reference)
            }
            Memo::Padding(bytes) => {
                let sql = "INSERT OR REPLACE INTO meta VALUES ('ballast', zeroblob(?1))";
                self.prepare(sql)?.execute([int(*bytes as u64)]).map(drop)
            }
        }
    }

    fn put_session(&self, session: &StoredUser) -> rusqlite::Result<()> {
        let mut put = self.prepare(
            "INSERT INTO session VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
                SET key = excluded.key, name = excluded.name, room = excluded.room",
        )?;
        let room = session.room.map(|room| int(room.0));
        put.execute(params![int(session.user.0), session.key.0, &*session.name, room]).map(drop)
    }

    fn put_room(&self, room: &StoredRoom) -> rusqlite::Result<()> {
        self.raise_last_room(room.id)?;
        self.delete_leftovers(room.id)?;
        let mut put = self.prepare(
            "INSERT INTO room (id, title, place) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                SET title = excluded.title, place = excluded.place",
        )?;
        let place = room.place.map(|place| int(place as u64));
        put.execute(params![int(room.id.0), &*room.title, place]).map(drop)
    }

    /// Leaves the messages to upkeep.
    fn delete_room(&self, room: RoomId) -> rusqlite::Result<()> {
        // The memo that created the room may have been in a batch that failed; it does not come again.
        self.raise_last_room(room)?;
        self.prepare("DELETE FROM room WHERE id = ?1")?.execute([int(room.0)])?;
        let mut count = self.prepare(
            "INSERT INTO meta VALUES (?1, 1) ON CONFLICT DO UPDATE SET value = value + 1",
        )?;
        count.execute([restore::DELETED_ROOMS])?;
        self.prepare("INSERT OR IGNORE INTO gone VALUES (?1)")?.execute([int(room.0)]).map(drop)
    }

    /// Deletes what upkeep has not yet deleted of a room with the same id. Ids are not used again
    /// today, but an old file may hold one that was.
    fn delete_leftovers(&self, room: RoomId) -> rusqlite::Result<()> {
        let room = [int(room.0)];
        if self.prepare("DELETE FROM gone WHERE room = ?1")?.execute(room)? != 0 {
            self.prepare("DELETE FROM event WHERE room = ?1")?.execute(room)?;
            self.prepare("DELETE FROM reference WHERE room = ?1")?.execute(room)?;
        }
        Ok(())
    }

    /// An id that was used once stays used.
    fn raise_last_room(&self, room: RoomId) -> rusqlite::Result<()> {
        let mut raise = self.prepare(
            "INSERT INTO meta VALUES ('last_room', ?1) ON CONFLICT DO UPDATE
                SET value = excluded.value WHERE excluded.value > value",
        )?;
        raise.execute([int(room.0)]).map(drop)
    }

    /// Deletes what failed batches may have left.
    fn delete_uncertain(&self, uncertain: &BTreeMap<RoomId, u64>) -> rusqlite::Result<()> {
        let mut messages = self.prepare("DELETE FROM event WHERE room = ?1 AND seq >= ?2")?;
        let mut skipped =
            self.prepare("UPDATE room SET pruned = ?2 - 1 WHERE id = ?1 AND pruned >= ?2")?;
        self.prepare("DELETE FROM reference WHERE id >= ?1")?.execute([self.next_reference])?;
        for (room, seq) in uncertain {
            messages.execute([int(room.0), int(*seq)])?;
            skipped.execute([int(room.0), int(*seq)])?;
        }
        Ok(())
    }

    /// Checks that each room goes on where it ended, so that nothing is lost or doubled.
    fn check_start(&self, said: &[(RoomId, &Said)]) -> Result<(), WriteFailure> {
        let mut firsts = BTreeMap::new();
        for (room, said) in said {
            firsts.entry(*room).or_insert(said.seq);
        }
        for (room, first) in firsts {
            let last = restore::last_seq(&self.connection, room)?;
            if last.is_some_and(|last| last + 1 != first) {
                return Err(WriteFailure::Replaced);
            }
        }
        Ok(())
    }

    fn roll_back(&mut self, batch: Batch<'_>) {
        if !self.connection.is_autocommit() {
            // If it fails, this connection is not used for another transaction anyway.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        let uncertain = self.uncertain.get_or_insert_default();
        for (room, said) in batch.said {
            let first = uncertain.entry(*room).or_insert(said.seq);
            *first = said.seq.min(*first);
        }
        if let Err(error) = self.database.discard_unfinished() {
            // The next failed commit tries again, and one that succeeds overwrites it.
            debug!("history: {error}");
        }
    }

    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// Leaves a file that is complete without its WAL.
    fn close(&self) -> rusqlite::Result<()> {
        let _lock = self.database.lock_for_writing();
        file::note_synced(&self.connection)?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        // After an error the file is as the last good commit left it, and the next start recovers it.
        if self.uncertain.is_none()
            && let Err(error) = self.close()
        {
            error!("history: {}", self.database.explain(error));
        }
    }
}
