//! The write-ahead log (WAL) of the file, and copying it back into the database ("checkpoint").
//!
//! `upkeep` decides when, on its own thread; the thread that starts the server empties a long one.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::Connection;

use super::place::beside;
use super::row::uint;

/// The lengths of the WAL's header and of that of each frame (<https://sqlite.org/fileformat2.html#walformat>).
const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// A WAL with more than this to copy is copied back in the next round of upkeep.
pub(super) const WAL_COPY_BYTES: u64 = 4 << 20;

/// SQLite reuses the WAL from its start only when a writer finds all of it copied, which never
/// happens under constant load. When it has grown larger than this, the writer waits once, while the
/// last pages are copied.
pub(super) const WAL_MAX_BYTES: u64 = 16 << 20;

/// The WAL as a checkpoint found it.
pub(super) struct WalState {
    pub(super) bytes: u64,
    /// Not yet copied into the database.
    pub(super) bytes_left: u64,
    pub(super) is_copied: bool,
}

/// `mode` as in SQLite's `PRAGMA wal_checkpoint`; "NOOP" only looks.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<WalState> {
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        // Both are -1 while another program runs a checkpoint.
        let (pages, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(WalState {
            bytes: uint(pages) * uint(page),
            bytes_left: uint(pages - copied) * uint(page),
            is_copied: pages >= 0 && pages == copied,
        })
    })
}

/// Makes the frames behind the end of the WAL unreadable, and `sync`s that. A commit that failed may have
/// written them: SQLite does not count them now, but a start after a kill would.
///
/// Nobody may write to the WAL meanwhile. It takes no space, so a full disk does not prevent it.
pub(super) fn discard_tail(connection: &Connection, path: &Path, sync: bool) -> io::Result<()> {
    let end = end(connection)?;
    let wal = OpenOptions::new().write(true).open(beside(path, "-wal"))?;
    if wal.metadata()?.len() <= end {
        return Ok(());
    }
    // A frame counts only if its checksum, which is in its header, continues that of the frame before. So
    // the first of them is enough.
    wal.write_all_at(&[0; 24], end)?;
    if sync { wal.sync_data() } else { Ok(()) }
}

/// Whether commits are missing at the end of the WAL, because another program has shortened the file.
pub(super) fn is_cut_short(connection: &Connection, path: &Path) -> io::Result<bool> {
    // A WAL without a frame may be empty.
    let end = end(connection)?;
    Ok(end > HEADER_BYTES && fs::metadata(beside(path, "-wal"))?.len() < end)
}

/// Where the WAL ends, as far as SQLite counts it.
fn end(connection: &Connection) -> io::Result<u64> {
    let page: i64 = connection
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .map_err(io::Error::other)?;
    let frames: i64 = connection
        .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))
        .map_err(io::Error::other)?;
    if frames < 0 {
        return Err(io::Error::other("another program runs a checkpoint"));
    }
    Ok(HEADER_BYTES + uint(frames) * (FRAME_HEADER_BYTES + uint(page)))
}

/// Empties a long WAL at the start, while nobody else uses the file. Otherwise a server that is
/// killed again and again within its first second would let it grow without limit.
pub(super) fn shorten(connection: &Connection) -> rusqlite::Result<()> {
    // In a new file, SQLite opens the WAL when it reads for the first time, and a checkpoint before that fails.
    let _: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
    if checkpoint(connection, "NOOP")?.bytes >= WAL_COPY_BYTES {
        checkpoint(connection, "TRUNCATE")?;
    }
    Ok(())
}
