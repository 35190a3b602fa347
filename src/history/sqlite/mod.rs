//! The history in a file: one SQLite database in WAL mode, with a connection for each thread that
//! uses it.
//!
//! The dispatcher's thread owns the [`Keeper`], which writes each batch as one transaction and never
//! copies the WAL back into the database: that is [`Upkeep`]'s, on its own thread, which also prunes.
//! Both write only in their turn ([`Shared::turn`]), so neither ever finds the database busy. A
//! [`FileReader`] reads beside them, and holds up nobody.
//!
//! `file` opens, checks, migrates and describes the file.

mod file;
mod keeper;
mod reader;
mod upkeep;

#[cfg(test)]
mod figures_test;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Sender, bounded};
use log::warn;

use super::{Durability, HistoryError, Retention};
use crate::chat::Stored;

use keeper::Keeper;
use reader::FileReader;
use upkeep::RING_AFTER;
pub(crate) use upkeep::Upkeep;

/// What all connections to one file have in common.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    epoch: String,
    durability: Durability,
    /// Taken around every transaction that writes.
    turn: Mutex<()>,
    /// Taken by who waits for the turn, so that the one who has just had it comes after them.
    next: Mutex<()>,
    /// How many transactions and events have been committed, so that idle upkeep need not look into the
    /// file.
    commits: AtomicU64,
    /// Calls upkeep before its time.
    bell: Sender<()>,
    /// The dispatcher could not write the last time. A smaller WAL may make room for it.
    is_stuck: AtomicBool,
    /// Its lock tells other servers that the file is taken, and goes with the last connection.
    _lock: File,
    /// How many pages the database may have, in place of a disk that is full (0: no limit).
    #[cfg(test)]
    max_pages: AtomicU64,
}

impl Shared {
    /// A transaction that panics is rolled back, so a poisoned lock is as good.
    fn turn(&self) -> MutexGuard<'_, ()> {
        let _next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_commit(&self, events: usize) {
        let weight = 1 + events as u64;
        let before = self.commits.fetch_add(weight, Ordering::Relaxed);
        if before / RING_AFTER != (before + weight) / RING_AFTER {
            // It fails when the bell is ringing, or nobody is there to hear it.
            let _ = self.bell.try_send(());
        }
    }

    /// For the dispatcher's.
    fn note_commit(&self, events: usize, is_done: bool) {
        self.count_commit(events);
        if self.is_stuck() == is_done {
            self.is_stuck.store(!is_done, Ordering::Relaxed);
        }
    }

    fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn explain(&self, error: rusqlite::Error) -> HistoryError {
        file::explain(&self.path, error)
    }
}

/// What was remembered, and who goes on with it.
type Parts = (Stored, Keeper, FileReader, Upkeep);

/// Opens the file, and makes it if there is none. A file that is refused is left as it is.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    retention: Retention,
) -> Result<Parts, HistoryError> {
    let (lock, mut connection) = file::claim(path)?;
    let (epoch, remembered) =
        file::begin(&mut connection, durability).map_err(|error| file::explain(path, error))?;
    if let Err(error) = upkeep::shorten_wal(&connection) {
        // It works without, only longer.
        warn!("history: {}", file::explain(path, error));
    }
    let (bell, rung) = bounded(1);
    let shared = Arc::new(Shared {
        path: path.to_owned(),
        epoch,
        durability,
        turn: Mutex::new(()),
        next: Mutex::new(()),
        commits: AtomicU64::new(1),
        bell,
        is_stuck: AtomicBool::new(false),
        _lock: lock,
        #[cfg(test)]
        max_pages: AtomicU64::new(0),
    });
    let keeper = Keeper::new(shared.clone(), connection, retention)?;
    let reader = FileReader::new(shared.clone())?;
    let upkeep = Upkeep::new(shared, rung, retention)?;
    Ok((remembered, keeper, reader, upkeep))
}

/// As SQLite holds it. What counts up here never comes near its limit.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
