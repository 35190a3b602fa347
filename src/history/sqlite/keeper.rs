//! The dispatcher's connection: each batch is one transaction.
//!
//! What it does when one fails is the delicate part. A transaction whose COMMIT fails may still be in
//! the file, as far as anybody can tell: SQLite may have written its last page before the error. Yet
//! its senders are told that nothing was kept, and the next batch uses the same numbers. So after any
//! error the connection is made anew, and the next batch begins by taking out what might be left.

use std::collections::BTreeMap;
use std::sync::Arc;

use log::error;
use rusqlite::{CachedStatement, Connection, params};

use super::super::{Batch, History, HistoryError, Retention};
use super::{Shared, file, int};
use crate::chat::{Content, Memo, RoomId, Said};

/// Keeps what the dispatcher commits.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    connection: Connection,
    keeps_events: bool,
    /// The next row of the references. Nothing that was acknowledged is there from here on.
    next_reference: i64,
    /// Set after an error: in each of these rooms, nothing from this `seq` on was ever acknowledged.
    doubts: Option<BTreeMap<RoomId, u64>>,
}

/// Why a batch was not written.
enum Failure {
    Sqlite(rusqlite::Error),
    /// The file does not end where the batch begins.
    Exchanged,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl History for Keeper {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let shared = self.shared.clone();
        let _turn = shared.turn();
        match self.write(batch) {
            Ok(()) => {
                self.doubts = None;
                shared.note_commit(batch.said.len(), true);
                Ok(())
            }
            Err(error) => {
                self.back_out(batch);
                shared.note_commit(batch.said.len(), false);
                Err(error)
            }
        }
    }
}

impl Keeper {
    pub(super) fn new(
        shared: Arc<Shared>,
        connection: Connection,
        retention: Retention,
    ) -> Result<Self, HistoryError> {
        connection.set_prepared_statement_cache_capacity(32);
        let next_reference =
            file::next_reference(&connection).map_err(|error| shared.explain(error))?;
        let keeps_events = retention.max_events != 0;
        Ok(Self { shared, connection, keeps_events, next_reference, doubts: None })
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.shared.epoch
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn write(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        if self.doubts.is_some() {
            // The old connection ends after the new one has begun, so that the file is never without
            // one: the first to come would take up again what was given up.
            self.connection = file::connect(&self.shared)?;
        }
        self.transact(batch).map_err(|failure| match failure {
            Failure::Sqlite(error) => self.shared.explain(error),
            Failure::Exchanged => file::exchanged(&self.shared.path),
        })
    }

    fn transact(&mut self, batch: Batch<'_>) -> Result<(), Failure> {
        let mut next_reference = self.next_reference;
        self.prepare("BEGIN IMMEDIATE")?.execute([])?;
        if let Some(doubts) = &self.doubts {
            self.clear(doubts)?;
        }
        for memo in batch.memos {
            self.remember(memo)?;
        }
        if self.doubts.is_some() {
            self.check_start(batch.said)?;
        }
        if self.keeps_events {
            next_reference = self.add(batch.said)?;
        } else {
            let mut skip = self.prepare("UPDATE room SET pruned = ?2 WHERE id = ?1")?;
            for (room, said) in batch.said {
                skip.execute(params![int(room.0), int(said.seq)])?;
            }
        }
        self.prepare("COMMIT")?.execute([])?;
        self.next_reference = next_reference;
        Ok(())
    }

    /// The row of the next reference after these.
    fn add(&self, said: &[(RoomId, &Said)]) -> rusqlite::Result<i64> {
        let mut next_reference = self.next_reference;
        if said.is_empty() {
            return Ok(next_reference);
        }
        let mut add = self.prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        for (room, said) in said {
            let (gif, text) = match &said.content {
                Content::Text(text) => (None, Some(&**text)),
                // Any 64 bits are a picture's number to some client.
                Content::Gif(gif) => (Some(gif.cast_signed()), None),
            };
            add.execute(params![
                int(room.0),
                int(said.seq),
                int(said.time),
                int(said.from.id.0),
                &*said.from.name,
                gif,
                text,
                said.reference.as_deref(),
            ])?;
            if let Some(reference) = &said.reference {
                self.prepare("INSERT INTO reference VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
                    params![
                        next_reference,
                        int(said.from.id.0),
                        int(room.0),
                        int(said.seq),
                        &**reference,
                    ],
                )?;
                next_reference += 1;
            }
        }
        Ok(next_reference)
    }

    fn remember(&self, memo: &Memo) -> rusqlite::Result<()> {
        match memo {
            Memo::LastUser(user) => {
                // Some are noted ahead of their use, and given back at the end.
                self.prepare("INSERT OR REPLACE INTO meta VALUES ('last_user', ?1)")?
                    .execute([int(user.0)])?;
                Ok(())
            }
            Memo::User(session) => {
                let mut put = self.prepare(
                    "INSERT INTO session VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
                        SET key = excluded.key, name = excluded.name, room = excluded.room",
                )?;
                let room = session.room.map(|room| int(room.0));
                put.execute(params![int(session.user.0), session.key.0, &*session.name, room])?;
                Ok(())
            }
            Memo::UserGone(user) => {
                self.prepare("DELETE FROM session WHERE user = ?1")?.execute([int(user.0)])?;
                Ok(())
            }
            Memo::Room(room) => {
                self.raise("last_room", room.id.0)?;
                self.forget_gone(room.id)?;
                let mut put = self.prepare(
                    "INSERT INTO room (id, title, place) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                        SET title = excluded.title, place = excluded.place",
                )?;
                let place = room.place.map(|place| int(place as u64));
                put.execute(params![int(room.id.0), &*room.title, place])?;
                Ok(())
            }
            Memo::Padding(bytes) => {
                self.prepare("INSERT OR REPLACE INTO meta VALUES ('ballast', zeroblob(?1))")?
                    .execute([int(*bytes as u64)])?;
                Ok(())
            }
            Memo::RoomGone(room) => {
                // That it was made may have been in a batch that failed, and is not handed over again.
                self.raise("last_room", room.0)?;
                self.prepare("DELETE FROM room WHERE id = ?1")?.execute([int(room.0)])?;
                self.prepare("INSERT OR IGNORE INTO gone VALUES (?1)")?.execute([int(room.0)])?;
                Ok(())
            }
        }
    }

    /// Upkeep must not take what is said in a room for what was said in one that is gone. Ids are not
    /// used again, but a file from before that was certain may hold one that is.
    fn forget_gone(&self, room: RoomId) -> rusqlite::Result<()> {
        let room = [int(room.0)];
        if self.prepare("DELETE FROM gone WHERE room = ?1")?.execute(room)? != 0 {
            self.prepare("DELETE FROM event WHERE room = ?1")?.execute(room)?;
            self.prepare("DELETE FROM reference WHERE room = ?1")?.execute(room)?;
        }
        Ok(())
    }

    /// An id that was used once stays used.
    fn raise(&self, key: &str, id: u64) -> rusqlite::Result<()> {
        let mut raise = self.prepare(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE
                SET value = excluded.value WHERE excluded.value > value",
        )?;
        raise.execute(params![key, int(id)])?;
        Ok(())
    }

    /// Takes out what failed batches may have left.
    fn clear(&self, doubts: &BTreeMap<RoomId, u64>) -> rusqlite::Result<()> {
        let mut events = self.prepare("DELETE FROM event WHERE room = ?1 AND seq >= ?2")?;
        let mut skipped =
            self.prepare("UPDATE room SET pruned = ?2 - 1 WHERE id = ?1 AND pruned >= ?2")?;
        self.prepare("DELETE FROM reference WHERE id >= ?1")?.execute([self.next_reference])?;
        for (room, seq) in doubts {
            events.execute([int(room.0), int(*seq)])?;
            skipped.execute([int(room.0), int(*seq)])?;
        }
        Ok(())
    }

    /// Nothing is lost or doubled if each room goes on where it ended.
    fn check_start(&self, said: &[(RoomId, &Said)]) -> Result<(), Failure> {
        let mut firsts = BTreeMap::new();
        for (room, said) in said {
            firsts.entry(*room).or_insert(said.seq);
        }
        for (room, first) in firsts {
            let last = file::last_seq(&self.connection, room)?;
            if last.is_some_and(|last| last + 1 != first) {
                return Err(Failure::Exchanged);
            }
        }
        Ok(())
    }

    fn back_out(&mut self, batch: Batch<'_>) {
        if !self.connection.is_autocommit() {
            // If it fails, the connection does not live to see another transaction.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        let doubts = self.doubts.get_or_insert_default();
        for (room, said) in batch.said {
            let first = doubts.entry(*room).or_insert(said.seq);
            *first = said.seq.min(*first);
        }
    }

    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// Leaves the file whole by itself, with nothing in its WAL.
    fn end(&self) -> rusqlite::Result<()> {
        let _turn = self.shared.turn();
        file::forget_boot(&self.connection)?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // After an error the file is as the last good commit left it, and the next start sees to it.
        if self.doubts.is_none()
            && let Err(error) = self.end()
        {
            error!("history: {}", self.shared.explain(error));
        }
    }
}
