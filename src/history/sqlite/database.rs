//! What all connections to one file share, and how each of them is opened.
//!
//! The dispatcher's thread, upkeep's and those that read share the [`Database`]; a connection belongs
//! to one thread at a time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::super::{Durability, HistoryError, Retention};
use super::claim::Claim;
use super::explain::{cut_short, explain, replaced};
use super::place::{OpenFiles, beside, unreadable};
use super::row::int;
use super::schema::meta;
use super::wal::{WAL_MAX_BYTES, discard_tail, is_cut_short};

/// After how many messages and transactions upkeep is woken early. The longer a WAL is, the longer it
/// takes to copy, and it keeps growing meanwhile.
const WAKE_UPKEEP_EVERY: u64 = 1_024;

#[derive(Debug)]
pub(super) struct Database {
    pub(super) path: PathBuf,
    pub(super) epoch: String,
    durability: Durability,
    /// How much is to be kept. Upkeep sees to it.
    retention: Mutex<Retention>,
    /// Held during every transaction that writes, so that no writer ever finds the file busy.
    write_lock: Mutex<()>,
    /// Held while waiting for `write_lock`, so that a thread that has just released the lock queues
    /// behind one that waits for it.
    write_queue: Mutex<()>,
    /// How many transactions and messages have been committed, so that upkeep need not look into an
    /// idle file.
    commits: AtomicU64,
    wake_upkeep: Sender<()>,
    /// The dispatcher's last commit failed. A smaller WAL may make room for the next.
    is_failing: AtomicBool,
    /// Somebody reads all of the file at one moment of it. Until that ends, the WAL cannot be used again from its start.
    is_backing_up: AtomicBool,
    /// Keeps other servers away from the file until the last connection is closed.
    pub(super) claim: Claim,
    files: OpenFiles,
    /// How many pages the database may have (0: no limit), which stands in for a full disk.
    #[cfg(test)]
    pub(super) max_pages: AtomicU64,
}

impl Database {
    pub(super) fn new(
        path: &Path,
        epoch: String,
        (durability, retention): (Durability, Retention),
        claim: Claim,
        files: OpenFiles,
        wake_upkeep: Sender<()>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            epoch,
            durability,
            retention: Mutex::new(retention),
            write_lock: Mutex::new(()),
            write_queue: Mutex::new(()),
            commits: AtomicU64::new(1),
            wake_upkeep,
            is_failing: AtomicBool::new(false),
            is_backing_up: AtomicBool::new(false),
            claim,
            files,
            #[cfg(test)]
            max_pages: AtomicU64::new(0),
        }
    }

    pub(super) fn retention(&self) -> Retention {
        *self.retention.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_retention(&self, retention: Retention) {
        *self.retention.lock().unwrap_or_else(PoisonError::into_inner) = retention;
    }

    /// Waits until no other thread writes. A transaction that panics is rolled back, so a poisoned
    /// lock is as good as any.
    pub(super) fn lock_for_writing(&self) -> MutexGuard<'_, ()> {
        let _queue = self.write_queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a transaction with so many messages, and wakes upkeep now and then.
    pub(super) fn count_commit(&self, messages: usize) {
        let weight = 1 + messages as u64;
        let before = self.commits.fetch_add(weight, Ordering::Relaxed);
        if before / WAKE_UPKEEP_EVERY != (before + weight) / WAKE_UPKEEP_EVERY {
            // It fails when upkeep is about to wake anyway, or has ended.
            let _ = self.wake_upkeep.try_send(());
        }
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Whether the dispatcher's last commit failed.
    pub(super) fn set_failing(&self, is_failing: bool) {
        if self.is_failing() != is_failing {
            self.is_failing.store(is_failing, Ordering::Relaxed);
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Notes that a backup begins or ends. Returns whether one was being made.
    pub(super) fn set_backing_up(&self, is_backing_up: bool) -> bool {
        self.is_backing_up.swap(is_backing_up, Ordering::Relaxed)
    }

    pub(super) fn is_backing_up(&self) -> bool {
        self.is_backing_up.load(Ordering::Relaxed)
    }

    pub(super) fn explain(&self, error: rusqlite::Error) -> HistoryError {
        explain(&self.path, error)
    }

    /// Checks that the files are still in their place.
    pub(super) fn check_place(&self) -> Result<(), HistoryError> {
        self.files.check()
    }

    /// Checks that no commit is missing at the end of the WAL: SQLite would go on behind the gap, and the next
    /// start would find nothing from there on.
    pub(super) fn check_wal(&self, connection: &Connection) -> Result<(), HistoryError> {
        // A checkpoint of another program may have emptied it, too.
        let is_cut = self.files.is_wal_shorter()
            && is_cut_short(connection, &self.path)
                .map_err(|error| unreadable(&beside(&self.path, "-wal"), error))?;
        if is_cut { Err(cut_short(&beside(&self.path, "-wal"))) } else { Ok(()) }
    }

    /// Notes how long the WAL is after a commit.
    pub(super) fn note_wal(&self) {
        self.files.note_wal(WAL_MAX_BYTES);
    }

    /// A connection for a thread that writes: one more, or one in place of one that failed.
    pub(super) fn connect(&self) -> Result<Connection, HistoryError> {
        let connection = open_connection(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(|error| self.explain(error))?;
        self.check_epoch(&connection)?;
        configure_writer(&connection, self.durability).map_err(|error| self.explain(error))?;
        #[cfg(test)]
        super::tests::limit_pages(self, &connection);
        Ok(connection)
    }

    pub(super) fn connect_read_only(&self) -> Result<Connection, HistoryError> {
        let connection = open_connection(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|error| self.explain(error))?;
        self.check_epoch(&connection)?;
        Ok(connection)
    }

    /// Makes what a failed commit has written to the WAL unreadable, so that no start finds it. The caller
    /// holds the write lock.
    pub(super) fn discard_unfinished(&self) -> Result<(), HistoryError> {
        // One keeps other programs from writing while the other looks where the WAL ends.
        let (holder, observer) = (self.connect()?, self.connect()?);
        holder.execute_batch("BEGIN IMMEDIATE").map_err(|error| self.explain(error))?;
        let sync = self.durability == Durability::PowerLoss;
        discard_tail(&observer, &self.path, sync).map_err(|error| {
            let what = format!("may hold messages that were refused: {error}");
            let advice = "they count only if the server is killed before it can save again";
            HistoryError::new(&self.path, what, advice).because_of(error)
        })
    }

    /// Somebody may have replaced the file that was opened first.
    fn check_epoch(&self, connection: &Connection) -> Result<(), HistoryError> {
        match meta::<String>(connection, "epoch") {
            Ok(Some(epoch)) if epoch == self.epoch => Ok(()),
            Ok(_) => Err(replaced(&self.path)),
            Err(error) => Err(self.explain(error)),
        }
    }
}

impl Drop for Database {
    /// All connections are closed. SQLite removes the WAL with the last of them, but not if that could only read, or if
    /// two are closed at the same time.
    fn drop(&mut self) {
        if beside(&self.path, "-wal").exists()
            && let Ok(connection) = self.connect()
        {
            drop(connection);
        }
    }
}

/// Never creates a file.
pub(super) fn open_connection(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Rust sees to it that only one thread at a time uses a connection.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Only another program can make a connection wait, for as long as it writes.
    connection.busy_timeout(Duration::from_millis(250))?;
    Ok(connection)
}

pub(super) fn configure_writer(
    connection: &Connection,
    durability: Durability,
) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    // Upkeep runs checkpoints, while the dispatcher goes on.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", int(WAL_MAX_BYTES))?;
    // What is deleted is overwritten: otherwise it stays in pages that are not used for anything else.
    connection.pragma_update(None, "secure_delete", true)?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::PowerLoss => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}
