//! A connection that finds what was said, while others write.
//!
//! Any one thread runs it. It sees every commit that ended before its call.

use std::sync::Arc;

use rusqlite::{Connection, Rows};

use super::super::{HistoryError, HistoryReader, first_within, newest_within};
use super::database::Database;
use super::row::{self, int};
use crate::chat::{Position, RoomId, Said};

/// Reads the file.
pub(crate) struct SqliteReader {
    /// `None` after an error; the next call opens another. Closed before the database's own descriptor is,
    /// which would end its locks.
    connection: Option<Connection>,
    database: Arc<Database>,
}

/// For SQLite's LIMIT.
const NO_LIMIT: i64 = -1;

impl HistoryReader for SqliteReader {
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        up_to: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError> {
        self.messages(row::SELECT, room, after, up_to, NO_LIMIT, |messages| {
            Ok(newest_within(max_bytes, messages)?.0)
        })
    }

    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        // One more shows whether there are older ones.
        let limit_and_one = int(limit as u64).saturating_add(1);
        let up_to = before.saturating_sub(1);
        self.messages(row::SELECT, room, 0, up_to, limit_and_one, |messages| {
            let (found, is_cut) = newest_within(max_bytes, messages.by_ref().take(limit))?;
            Ok((found, is_cut || messages.next().transpose()?.is_some()))
        })
    }

    fn after(
        &mut self,
        room: RoomId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        // One more shows whether there are newer ones.
        let limit_and_one = int(limit as u64).saturating_add(1);
        let select = row::SELECT_OLDEST_FIRST;
        self.messages(select, room, after, u64::MAX, limit_and_one, |messages| {
            let (found, is_cut) = first_within(max_bytes, messages.by_ref().take(limit))?;
            Ok((found, is_cut || messages.next().transpose()?.is_some()))
        })
    }

    fn message(&mut self, position: Position) -> Result<Option<Said>, HistoryError> {
        let Position { room, seq } = position;
        let after = seq.saturating_sub(1);
        self.messages(row::SELECT, room, after, seq, 1, |messages| messages.next().transpose())
    }
}

impl SqliteReader {
    pub(super) fn new(database: Arc<Database>) -> Result<Self, HistoryError> {
        let connection = Some(database.connect_read_only()?);
        Ok(Self { connection, database })
    }

    /// Hands the messages after `after`, up to and with `up_to`, to `read`, in the order of `select`.
    fn messages<T>(
        &mut self,
        select: &str,
        room: RoomId,
        after: u64,
        up_to: u64,
        limit: i64,
        read: impl FnOnce(&mut Messages<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.connect_read_only()?,
        };
        let query = || {
            let mut statement = connection.prepare_cached(select)?;
            let rows = statement.query([int(room.0), int(after), int(up_to), limit])?;
            read(&mut Messages(rows))
        };
        let found = query().map_err(|error| self.database.explain(error))?;
        self.connection = Some(connection);
        Ok(found)
    }
}

struct Messages<'a>(Rows<'a>);

impl Iterator for Messages<'_> {
    type Item = rusqlite::Result<Said>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next() {
            Ok(row) => row.map(row::said),
            Err(error) => Some(Err(error)),
        }
    }
}
