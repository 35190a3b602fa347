//! The start of a server with its file: the file is locked, checked, and brought up to date.
//!
//! Runs on the thread that starts the server. A file that is refused is left as it was.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::{FlockOperation, flock};

use super::super::{Durability, HistoryError, new_epoch};
use super::database::{configure_writer, open_connection};
use super::explain::{MOVE_AWAY, RESTORE, explain, not_accessible};
use super::restore;
use super::schema::{Marks, STEPS, VERSION, delete_meta, meta, migrate, set_meta};
use crate::chat::Stored;
use crate::shell::directory;

/// The key in `meta` of the boot (see [`boot_id`]) since which commits may be in the page cache only.
const UNSYNCED_BOOT: &str = "unsynced_boot";

/// Makes sure that no other server uses the file, and that it is one of wschat's.
pub(super) fn claim(path: &Path) -> Result<(File, Connection), HistoryError> {
    let lock_file = lock(path)?;
    check_header(path)?;
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
    Ok((lock_file, connection))
}

/// Locks a file beside the database. A lock on the database itself would be lost as soon as SQLite,
/// or anybody in this process, closed another descriptor of it.
fn lock(path: &Path) -> Result<File, HistoryError> {
    let folder = directory(path);
    if !folder.is_dir() {
        let what = format!("cannot be created: the folder {} does not exist", folder.display());
        return Err(HistoryError::new(path, what, "create the folder, or name another file"));
    }
    let mut lock_path = path.to_owned().into_os_string();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock_file = options.open(&lock_path).map_err(|error| {
        let what = format!("cannot be used: {} cannot be created: {error}", lock_path.display());
        let advice = "give the user that wschat runs as the right to write in that folder, or name \
                      a file in another one";
        HistoryError::new(path, what, advice).because_of(error)
    })?;
    match flock(&lock_file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(in_use(path, &mut lock_file)),
        Err(error) => {
            let what = format!("cannot be locked: {error}");
            return Err(HistoryError::new(path, what, "put it on a local disk").because_of(error));
        }
    }
    // For `in_use`, in another server. The lock holds without it.
    let _ = lock_file.set_len(0).and_then(|()| writeln!(lock_file, "{}", std::process::id()));
    Ok(lock_file)
}

fn in_use(path: &Path, lock_file: &mut File) -> HistoryError {
    let mut owner = String::new();
    // If the process cannot be read, the message does without it.
    let _ = lock_file.read_to_string(&mut owner);
    let mut what = "is in use by another server".to_owned();
    if let Ok(process) = owner.trim().parse::<u32>() {
        let _ = write!(what, " (process {process})");
    }
    HistoryError::new(path, what, "stop that server, or name another file")
}

/// Checks the header without SQLite, which might change the file. Creates the file if there is none.
fn check_header(path: &Path) -> Result<(), HistoryError> {
    let unreadable = |error: std::io::Error| {
        if error.kind() == ErrorKind::PermissionDenied {
            return not_accessible(path).because_of(error);
        }
        let what = format!("cannot be opened: {error}");
        HistoryError::new(path, what, "name a file that can be read and written").because_of(error)
    };
    let mut header = Vec::with_capacity(100);
    match File::open(path).and_then(|file| file.take(100).read_to_end(&mut header)) {
        // A start was cut short after it created the file.
        Ok(0) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            return options.open(path).map(drop).map_err(unreadable);
        }
        Err(error) => return Err(unreadable(error)),
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
    connection: &mut Connection,
    durability: Durability,
) -> rusqlite::Result<(String, Stored)> {
    // What is decided here must be on the disk before anything that relies on it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate(&transaction, STEPS)?;
    let remembered = restore::load(&transaction)?;
    let epoch = begin_epoch(&transaction, durability)?;
    transaction.commit()?;
    // Only now: the marks of a new file must be in the database itself, where `check_header` looks.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    configure_writer(connection, durability)?;
    Ok((epoch, remembered))
}

/// The epoch of the file, a new one if a loss of power may have taken commits: clients may have seen
/// them.
fn begin_epoch(connection: &Connection, durability: Durability) -> rusqlite::Result<String> {
    let this_boot = boot_id();
    let mut epoch: String = meta(connection, "epoch")?.unwrap_or_default();
    let may_have_lost = meta::<String>(connection, UNSYNCED_BOOT)?
        .is_some_and(|boot| boot.is_empty() || boot != this_boot);
    if epoch.is_empty() || may_have_lost {
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

/// Identifies the time since the machine was booted; empty if the system does not say.
fn boot_id() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot.trim().to_owned()
}
