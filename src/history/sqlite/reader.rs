//! A reader's connection: it finds what was said, beside whoever writes.
//!
//! Any one thread runs it. What it reads is as of the last commit before its call.
//!
//! What a room's `pruned` covers is not found, even where upkeep has not come round to delete it: it
//! would lie before a hole. A room that is not remembered has none, and `seq > NULL` finds nothing.

use std::sync::Arc;

use rusqlite::{Connection, Row, Rows, params};

use super::super::{HistoryError, Reader, fit};
use super::{Shared, file, int, uint};
use crate::chat::{Content, Person, Position, RoomId, Said, UserId};

/// Reads the file.
pub(crate) struct FileReader {
    shared: Arc<Shared>,
    /// `None` after an error, which the next call may get over with a new one.
    connection: Option<Connection>,
}

impl Reader for FileReader {
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        upto: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, time, user, name, gif, text, ref FROM event
                    WHERE room = ?1 AND seq <= ?3
                        AND seq > max(?2, (SELECT pruned FROM room WHERE id = ?1))
                    ORDER BY seq DESC",
            )?;
            let rows = statement.query([int(room.0), int(after), int(upto)])?;
            Ok(fit(all_said(rows), max_bytes)?.0)
        })
    }

    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        self.read(|connection| {
            // One more shows whether there are older ones.
            let mut statement = connection.prepare_cached(
                "SELECT seq, time, user, name, gif, text, ref FROM event
                    WHERE room = ?1 AND seq < ?2
                        AND seq > (SELECT pruned FROM room WHERE id = ?1)
                    ORDER BY seq DESC LIMIT ?3",
            )?;
            let limit_and_one = int(limit as u64).saturating_add(1);
            let rows = statement.query([int(room.0), int(before), limit_and_one])?;
            let mut newest_first = all_said(rows);
            let (found, is_cut) = fit(newest_first.by_ref().take(limit), max_bytes)?;
            Ok((found, is_cut || newest_first.next().transpose()?.is_some()))
        })
    }

    fn event(&mut self, position: Position) -> Result<Option<Said>, HistoryError> {
        let Position { room, seq } = position;
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, time, user, name, gif, text, ref FROM event
                    WHERE room = ?1 AND seq = ?2
                        AND seq > (SELECT pruned FROM room WHERE id = ?1)",
            )?;
            let rows = statement.query(params![int(room.0), int(seq)])?;
            all_said(rows).next().transpose()
        })
    }
}

impl FileReader {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self, HistoryError> {
        let connection = Some(file::connect_to_read(&shared)?);
        Ok(Self { shared, connection })
    }

    fn read<T>(
        &mut self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => file::connect_to_read(&self.shared)?,
        };
        let found = query(&connection).map_err(|error| self.shared.explain(error))?;
        self.connection = Some(connection);
        Ok(found)
    }
}

fn all_said(mut rows: Rows<'_>) -> impl Iterator<Item = rusqlite::Result<Said>> {
    std::iter::from_fn(move || match rows.next() {
        Ok(row) => row.map(said),
        Err(error) => Some(Err(error)),
    })
}

fn said(row: &Row<'_>) -> rusqlite::Result<Said> {
    let gif: Option<i64> = row.get(4)?;
    let content = match gif {
        Some(gif) => Content::Gif(gif.cast_unsigned()),
        None => Content::Text(row.get(5)?),
    };
    Ok(Said {
        seq: uint(row.get(0)?),
        time: uint(row.get(1)?),
        from: Person { id: UserId(uint(row.get(2)?)), name: file::text(row, 3)? },
        content,
        reference: row.get_ref(6)?.as_str_or_null()?.map(Arc::from),
    })
}
