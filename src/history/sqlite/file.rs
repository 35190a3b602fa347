//! The start of a server with its file: the file is locked, checked, and brought up to date.
//!
//! Runs on the thread that starts the server. A file that is refused is left as it was.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use log::warn;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::super::clock::boot_id;
use super::super::{Durability, HistoryError, Retention, new_epoch};
use super::claim::Claim;
use super::database::{configure_writer, open_connection};
use super::explain::{MOVE_AWAY, RESTORE, explain, not_accessible};
use super::place::{beside, unreadable};
use super::restore;
use super::schema::{Marks, STEPS, VERSION, delete_meta, meta, migrate, set_meta};
use crate::chat::Stored;

/// The key in `meta` of the boot (see [`boot_id`]) since which commits may be in the page cache only.
const UNSYNCED_BOOT: &str = "unsynced_boot";

/// The key in `meta` of the token that the mark beside the file has, too: another one for each start.
pub(super) const TOKEN: &str = "token";

/// Makes sure that no other server uses the file, and that it is one of wschat's.
pub(super) fn claim(path: &Path) -> Result<(Claim, Connection), HistoryError> {
    let claim = Claim::new(path)?;
    check_header(path, claim.database())?;
    let connection = open_connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| {
            // A file that is refused in the end must not be written to.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            Ok(connection)
        })
        .map_err(|error| explain(path, error))?;
    let marks = Marks::read(&connection).map_err(|error| explain(path, error))?;
    // SQLite undoes a first start that was cut short, which leaves the file empty.
    if marks != Marks::NONE {
        marks.check(path, VERSION)?;
    }
    if connection.is_readonly("main").map_err(|error| explain(path, error))? {
        return Err(not_accessible(path));
    }
    Ok((claim, connection))
}

/// Checks the header without SQLite, which might change the file. A new file is empty, and so is one whose
/// first start was cut short.
pub(super) fn check_header(path: &Path, file: &File) -> Result<(), HistoryError> {
    let mut header = Vec::with_capacity(100);
    file.take(100).read_to_end(&mut header).map_err(|error| unreadable(path, error))?;
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(HistoryError::new(path, "is not a wschat history", MOVE_AWAY));
    }
    if header.len() < 100 {
        return Err(HistoryError::new(path, "is damaged: it ends within its header", RESTORE));
    }
    // https://sqlite.org/fileformat2.html#the_database_header
    let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("4 bytes"));
    Marks { application: number(68), version: number(60) }.check(path, VERSION)
}

/// Brings the file up to date, and loads its epoch and what is remembered. All of it is one
/// transaction: where it fails, or is killed, nothing has changed.
pub(super) fn prepare(
    path: &Path,
    claim: &mut Claim,
    connection: &mut Connection,
    durability: Durability,
    retention: Retention,
) -> Result<(String, Stored), HistoryError> {
    let explain = |error| explain(path, error);
    let token = new_epoch();
    let (epoch, remembered) = prepare_with(&token, path, claim, connection, durability, retention)
        .map_err(|failure| match failure {
            StartFailure::Sqlite(error) => explain(error),
            StartFailure::Mark(error) => unmarked(path, error),
        })?;
    let note = claim.set_tokens(&token, &token);
    let last = restore::last_messages(connection, &remembered).map_err(explain)?;
    note.and_then(|()| claim.set_last(last.marked())).map_err(|error| unmarked(path, error))?;
    // Only now: the marks of a new file must be in the database itself, where `check_header` looks.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(explain)?;
    configure_writer(connection, durability).map_err(explain)?;
    Ok((epoch, remembered))
}

enum StartFailure {
    Sqlite(rusqlite::Error),
    /// The mark beside the file could not be written.
    Mark(io::Error),
}

impl From<rusqlite::Error> for StartFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn unmarked(path: &Path, error: io::Error) -> HistoryError {
    let what =
        format!("cannot be used: {} cannot be written: {error}", beside(path, ".lock").display());
    let advice = "free some space there, and let the user that wschat runs as write it";
    HistoryError::new(path, what, advice).because_of(error)
}

/// The transaction of [`prepare`], which gives the file this token.
fn prepare_with(
    token: &str,
    path: &Path,
    claim: &mut Claim,
    connection: &mut Connection,
    durability: Durability,
    retention: Retention,
) -> Result<(String, Stored), StartFailure> {
    // What is decided here must be on the disk before anything that relies on it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate(&transaction, STEPS)?;
    let remembered = restore::load(&transaction, retention.max_references)?;
    let before = meta::<String>(&transaction, TOKEN)?;
    let fits = claim.fits(before.as_deref(), restore::deleted_rooms(&transaction)?, |room| {
        restore::last_seq(&transaction, room)
    })?;
    if !fits {
        warn!(
            "history: {} is not as the last server left it, as when a backup was put in its place; \
             clients are told that messages they have seen may be missing",
            path.display(),
        );
    }
    let epoch = begin_epoch(&transaction, durability, fits)?;
    set_meta(&transaction, TOKEN, token)?;
    // If the server is killed now, the file has the token from before.
    claim.set_tokens(before.as_deref().unwrap_or(token), token).map_err(StartFailure::Mark)?;
    transaction.commit()?;
    Ok((epoch, remembered))
}

/// The epoch of the file. A new one unless the file `fits`, or if a loss of power may have taken commits:
/// clients may have seen what is missing.
fn begin_epoch(
    connection: &Connection,
    durability: Durability,
    fits: bool,
) -> rusqlite::Result<String> {
    let this_boot = boot_id();
    if this_boot.is_empty() && durability == Durability::Process {
        warn!(
            "history: the system does not say whether the machine has been booted since the last start; if the server is \
             killed, clients are told that messages may be missing. Let it read \
             /proc/sys/kernel/random/boot_id (under systemd `ProcSubset=all`), or set \"durability\" of the history to \
             \"power-loss\"",
        );
    }
    let mut epoch: String = meta(connection, "epoch")?.unwrap_or_default();
    let may_have_lost = meta::<String>(connection, UNSYNCED_BOOT)?
        .is_some_and(|boot| boot.is_empty() || boot != this_boot);
    if epoch.is_empty() || may_have_lost || !fits {
        epoch = new_epoch();
        set_meta(connection, "epoch", &epoch)?;
    }
    match durability {
        Durability::Process => set_meta(connection, UNSYNCED_BOOT, &this_boot)?,
        Durability::PowerLoss => note_synced(connection)?,
    }
    Ok(epoch)
}

/// Notes that all that was committed is on the disk, or will be before this note is.
pub(super) fn note_synced(connection: &Connection) -> rusqlite::Result<()> {
    delete_meta(connection, UNSYNCED_BOOT)
}
