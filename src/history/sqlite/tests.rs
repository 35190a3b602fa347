//! What only a file does: it outlives the server, and it can fail.

mod backup;
#[cfg(feature = "cluster")]
mod create;
mod erase;
mod failing;
mod inspect;
mod migration;
mod refused;
mod replace;
mod restart;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::contract_test::{EVERYTHING, room, seqs, text};
use super::super::{Batch, Durability, History, HistoryError, HistoryReader, Restored, Retention};
use super::database::Database;
use super::place::beside;
use super::reader::SqliteReader;
use super::row::{int, uint};
use super::writer::SqliteWriter;
use super::{FileArchive, Upkeep};
use crate::chat::{Memo, RoomId, Said, Stored};

const LOBBY: RoomId = RoomId(1);
const BAR: RoomId = RoomId(2);

/// No `seq`.
const NOTHING: [u64; 0] = [];

/// What a server has of its file.
struct TestServer {
    remembered: Stored,
    writer: SqliteWriter,
    reader: SqliteReader,
    upkeep: Upkeep,
    archive: FileArchive,
}

impl TestServer {
    #[track_caller]
    fn start(path: &Path) -> Self {
        Self::start_as(path, Durability::Process, EVERYTHING)
    }

    #[track_caller]
    fn start_as(path: &Path, durability: Durability, retention: Retention) -> Self {
        let (remembered, writer, reader, upkeep, archive) =
            super::open(path, durability, retention).unwrap();
        Self { remembered, writer, reader, upkeep, archive }
    }

    /// With two rooms.
    fn start_anew(path: &Path) -> Self {
        let mut server = Self::start(path);
        server.remember(&[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
        server
    }

    #[track_caller]
    fn remember(&mut self, memos: &[Memo]) {
        self.writer.commit(Batch { said: &[], memos }).unwrap();
    }

    /// Says `seqs` in one batch.
    fn try_say(
        &mut self,
        room: RoomId,
        seqs: impl IntoIterator<Item = u64>,
    ) -> Result<(), HistoryError> {
        let said: Vec<Said> = seqs.into_iter().map(text).collect();
        let said: Vec<(RoomId, &Said)> = said.iter().map(|said| (room, said)).collect();
        self.writer.commit(Batch { said: &said, memos: &[] })
    }

    #[track_caller]
    fn say(&mut self, room: RoomId, seqs: impl IntoIterator<Item = u64>) {
        self.try_say(room, seqs).unwrap();
    }

    fn all(&mut self, room: RoomId) -> Vec<u64> {
        seqs(&self.reader.since(room, 0, u64::MAX, usize::MAX).unwrap())
    }

    /// The last `seq` of each room, as the start found it.
    fn last_seqs(&self) -> Vec<(u64, u64)> {
        self.remembered.rooms.iter().map(|(room, last)| (room.id.0, *last)).collect()
    }

    /// Stops the database from growing, as a full disk does, or lets it grow again.
    fn fill_disk(&self, is_full: bool) {
        let database = self.writer.database();
        let pages: i64 = self
            .writer
            .connection()
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        database.max_pages.store(if is_full { uint(pages) } else { 0 }, Ordering::Relaxed);
        limit_pages(database, self.writer.connection());
    }
}

/// Applies `max_pages` to a new connection.
pub(super) fn limit_pages(database: &Database, connection: &Connection) {
    let pages = match database.max_pages.load(Ordering::Relaxed) {
        0 => i64::from(u32::MAX) - 1,
        pages => int(pages),
    };
    // The pragma returns the limit that is now in force.
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
}

/// A new folder, and the path of a file in it.
fn new_path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    (folder, path)
}

/// A value that another program reads from the file.
#[track_caller]
fn query<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A copy of what a kill leaves now: nothing is copied back.
fn killed(path: &Path) -> (TempDir, PathBuf) {
    let (folder, left) = new_path();
    for suffix in ["", "-wal", ".lock"] {
        // After a clean end there is no WAL.
        let _ = std::fs::copy(beside(path, suffix), beside(&left, suffix));
    }
    (folder, left)
}

fn wal(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}
