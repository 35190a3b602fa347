//! Keeps the file below its greatest size: the rooms that take most lose their oldest messages.
//!
//! Part of pruning, on upkeep's thread. The file itself does not shrink, but what is free in it is used
//! before it grows.

use std::collections::BinaryHeap;

use rusqlite::{Connection, OptionalExtension};

use super::row::uint;

/// How many of a room's oldest, and of its newest messages are measured.
const SAMPLE: i64 = 32;

/// About how many bytes a message takes besides its text, names and reference.
const ROW_BYTES: i64 = 40;

/// Rooms with the bytes that they take, the heaviest first.
pub(super) struct Heaviest(BinaryHeap<Room>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Room {
    bytes: u64,
    bytes_per_message: u64,
    pub(super) id: i64,
}

impl Heaviest {
    pub(super) fn measure(connection: &Connection, rooms: &[i64]) -> rusqlite::Result<Self> {
        let measured = rooms.iter().filter_map(|room| measure(connection, *room).transpose());
        measured.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn pop(&mut self) -> Option<Room> {
        self.0.pop()
    }

    /// Puts a room back that has lost some messages.
    pub(super) fn push(&mut self, room: Room, lost: u64) {
        let bytes = room.bytes.saturating_sub(lost.saturating_mul(room.bytes_per_message));
        self.0.push(Room { bytes, ..room });
    }
}

/// About how much a room takes, by some of its messages; `None` if it has none.
fn measure(connection: &Connection, id: i64) -> rusqlite::Result<Option<Room>> {
    let measured: Option<(i64, f64)> = connection
        .prepare_cached(
            "WITH sample (bytes) AS (
                SELECT * FROM (SELECT octet_length(body) + octet_length(name)
                    + ifnull(octet_length(ref), 0) FROM event WHERE room = ?1 ORDER BY seq LIMIT ?2)
                UNION ALL
                SELECT * FROM (SELECT octet_length(body) + octet_length(name)
                    + ifnull(octet_length(ref), 0) FROM event WHERE room = ?1 ORDER BY seq DESC LIMIT ?2))
            SELECT (SELECT max(seq) FROM event WHERE room = ?1)
                - (SELECT min(seq) FROM event WHERE room = ?1) + 1, (SELECT avg(bytes) FROM sample)
                WHERE EXISTS (SELECT 1 FROM sample)",
        )?
        .query_row([id, SAMPLE], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(measured.map(|(messages, bytes)| {
        #[allow(clippy::cast_possible_truncation)]
        let bytes_per_message = uint(bytes as i64 + ROW_BYTES);
        Room { bytes: uint(messages).saturating_mul(bytes_per_message), bytes_per_message, id }
    }))
}

/// How many bytes of the file are in use, without the WAL.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| -> rusqlite::Result<u64> {
        connection.pragma_query_value(None, name, |row| row.get(0).map(uint))
    };
    Ok(pragma("page_count")?.saturating_sub(pragma("freelist_count")?) * pragma("page_size")?)
}
