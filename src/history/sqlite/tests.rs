//! What only a file does: it outlives the server, and it can fail.

mod failing;
mod refused;
mod restart;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::contract_test::{EVERYTHING, room, seqs, text};
use super::super::{Batch, Durability, History, HistoryError, Reader, Retention};
use super::keeper::Keeper;
use super::reader::FileReader;
use super::{Shared, Upkeep};
use crate::chat::{Memo, RoomId, Said, Stored};

const LOBBY: RoomId = RoomId(1);
const BAR: RoomId = RoomId(2);

/// No `seq`.
const NOTHING: [u64; 0] = [];

/// A server's history, as far as a test of the file needs one.
struct Server {
    remembered: Stored,
    keeper: Keeper,
    reader: FileReader,
    upkeep: Upkeep,
}

impl Server {
    #[track_caller]
    fn start(path: &Path) -> Self {
        Self::start_as(path, Durability::Process, EVERYTHING)
    }

    #[track_caller]
    fn start_as(path: &Path, durability: Durability, retention: Retention) -> Self {
        let (remembered, keeper, reader, upkeep) =
            super::open(path, durability, retention).unwrap();
        Self { remembered, keeper, reader, upkeep }
    }

    /// With two rooms.
    fn start_anew(path: &Path) -> Self {
        let mut server = Self::start(path);
        server.remember(&[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
        server
    }

    #[track_caller]
    fn remember(&mut self, memos: &[Memo]) {
        self.keeper.commit(Batch { said: &[], memos }).unwrap();
    }

    /// Says `seqs` in one batch.
    fn try_say(
        &mut self,
        room: RoomId,
        seqs: impl IntoIterator<Item = u64>,
    ) -> Result<(), HistoryError> {
        let said: Vec<Said> = seqs.into_iter().map(text).collect();
        let said: Vec<(RoomId, &Said)> = said.iter().map(|said| (room, said)).collect();
        self.keeper.commit(Batch { said: &said, memos: &[] })
    }

    #[track_caller]
    fn say(&mut self, room: RoomId, seqs: impl IntoIterator<Item = u64>) {
        self.try_say(room, seqs).unwrap();
    }

    fn all(&mut self, room: RoomId) -> Vec<u64> {
        seqs(&self.reader.since(room, 0, u64::MAX, usize::MAX).unwrap())
    }

    /// The last `seq` of each room, as a start found them.
    fn last_seqs(&self) -> Vec<(u64, u64)> {
        self.remembered.rooms.iter().map(|(room, last)| (room.id.0, *last)).collect()
    }

    /// Lets the database grow by no page more, as on a disk that is full; or lets it grow again.
    fn fill_disk(&self, is_full: bool) {
        let shared = self.keeper.shared();
        let pages: i64 = self
            .keeper
            .connection()
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        shared.max_pages.store(if is_full { super::uint(pages) } else { 0 }, Ordering::Relaxed);
        limit_pages(shared, self.keeper.connection());
    }
}

/// For each new connection.
pub(super) fn limit_pages(shared: &Shared, connection: &Connection) {
    let pages = match shared.max_pages.load(Ordering::Relaxed) {
        0 => i64::from(u32::MAX) - 1,
        pages => super::int(pages),
    };
    // It answers with what is in force.
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
}

/// A folder for a test, and the file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    (folder, path)
}

/// What another program sees in the file.
#[track_caller]
fn look<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn wal(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}
