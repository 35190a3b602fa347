//! The file itself: who may have it, what it looks like inside, and how it is opened.
//!
//! Owns the schema and its migrations. The thread that starts the server runs this; later on, a
//! connection that failed is made anew in here by its owner.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior, params};
use rustix::fs::{FlockOperation, flock};

use super::super::{Durability, HistoryError, new_epoch};
use super::upkeep::WAL_MAX_BYTES;
use super::{Shared, int, uint};
use crate::chat::{Position, ResumeKey, RoomId, Stored, StoredRoom, StoredUser, UserId};

/// "wsch": tells this program's files from others'.
const APPLICATION: u32 = 0x7773_6368;

/// Each step makes a file of the version before into the next; an empty file is version 0. Steps are
/// added, and never changed once they were in a release.
const STEPS: &[&str] = &["
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    -- place: among the rooms of the settings. pruned: what was said up to this seq is no longer kept.
    CREATE TABLE room (
        id INTEGER PRIMARY KEY, title TEXT NOT NULL, place INTEGER, pruned INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    -- Rooms that are gone, with events that are still to be pruned.
    CREATE TABLE gone (room INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE session (
        user INTEGER PRIMARY KEY, key BLOB NOT NULL, name TEXT NOT NULL, room INTEGER
    ) STRICT;
    -- A text or a gif. A gif's number is any 64 bits.
    CREATE TABLE event (
        room INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, user INTEGER NOT NULL,
        name TEXT NOT NULL, gif INTEGER, text TEXT, ref TEXT, PRIMARY KEY (room, seq)
    ) STRICT, WITHOUT ROWID;
    -- What references stand for, oldest first. An index of the events by user would cost each commit a
    -- page for each of its users; this costs it one in all. Those that nobody can use any more are
    -- swept later on.
    CREATE TABLE reference (
        id INTEGER PRIMARY KEY, user INTEGER NOT NULL, room INTEGER NOT NULL, seq INTEGER NOT NULL,
        ref TEXT NOT NULL
    ) STRICT;
"];

/// The version that this program writes.
const VERSION: usize = STEPS.len();

const MOVE_AWAY: &str =
    "move it away to start with an empty one, or name another file in the settings";
const RESTORE: &str =
    "put a backup in its place, or move it (and its -wal file) away to start with an empty one";

/// Makes sure that this server is the only one with the file, and that it is one of ours.
pub(super) fn claim(path: &Path) -> Result<(File, Connection), HistoryError> {
    let lock = lock(path)?;
    examine(path)?;
    let connection = connect_as(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| {
            // Nothing may be written to a file that is refused after all.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            Ok(connection)
        })
        .map_err(|error| explain(path, error))?;
    let (application, version) = read_marks(&connection).map_err(|error| explain(path, error))?;
    // SQLite undoes a start that was cut short, and then the file is empty.
    if (application, version) != (0, 0) {
        check_marks(path, application, version)?;
    }
    if connection.is_readonly("main").map_err(|error| explain(path, error))? {
        return Err(may_not_write(path));
    }
    Ok((lock, connection))
}

/// The lock is on a file of its own: the locks that SQLite has on the database would be lost with
/// any other descriptor of it that is closed.
fn lock(path: &Path) -> Result<File, HistoryError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let what = format!("cannot be made: the folder {} does not exist", folder.display());
        return Err(HistoryError::new(path, what, "make the folder, or name another file"));
    }
    let mut lock_path = path.to_owned().into_os_string();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock = options.open(&lock_path).map_err(|error| {
        let what = format!("cannot be used: {} cannot be made: {error}", lock_path.display());
        let advice = "give the user whom wschat runs as the right to write in that folder, or \
                      name a file in another one";
        HistoryError::new(path, what, advice).because_of(error)
    })?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut owner = String::new();
            // Without a number the text says less.
            let _ = lock.read_to_string(&mut owner);
            let mut what = "is in use by another server".to_owned();
            if let Ok(process) = owner.trim().parse::<u32>() {
                let _ = write!(what, " (process {process})");
            }
            return Err(HistoryError::new(path, what, "stop that one, or name another file"));
        }
        Err(error) => {
            let what = format!("cannot be locked: {error}");
            return Err(HistoryError::new(path, what, "put it on a local disk").because_of(error));
        }
    }
    // For the text above, in another server. That the file is locked does not hang on it.
    let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
    Ok(lock)
}

/// Looks at the file's head without SQLite, which might change it, and makes a file if there is none.
fn examine(path: &Path) -> Result<(), HistoryError> {
    let unreadable = |error: std::io::Error| {
        if error.kind() == ErrorKind::PermissionDenied {
            return may_not_write(path).because_of(error);
        }
        let what = format!("cannot be opened: {error}");
        HistoryError::new(path, what, "name a file that can be read and written").because_of(error)
    };
    let mut head = Vec::with_capacity(100);
    match File::open(path).and_then(|file| file.take(100).read_to_end(&mut head)) {
        // Cut short while it was made.
        Ok(0) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            return options.open(path).map(drop).map_err(unreadable);
        }
        Err(error) => return Err(unreadable(error)),
    }
    let number = |at: usize| {
        head.get(at..at + 4).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().expect("4")))
    };
    if !head.starts_with(b"SQLite format 3\0") {
        return Err(HistoryError::new(path, "is not a history of wschat", MOVE_AWAY));
    }
    if head.len() < 100 {
        return Err(HistoryError::new(path, "is damaged: it ends in its head", RESTORE));
    }
    check_marks(path, number(68), number(60))
}

fn read_marks(connection: &Connection) -> rusqlite::Result<(u32, u32)> {
    let mark = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((mark("application_id")?, mark("user_version")?))
}

fn check_marks(path: &Path, application: u32, version: u32) -> Result<(), HistoryError> {
    if application != APPLICATION {
        let what = "is a database of another program";
        return Err(HistoryError::new(path, what, MOVE_AWAY));
    }
    if version as usize > VERSION {
        let what = format!(
            "was written by a newer wschat (version {version} of the file, this one knows {VERSION})",
        );
        let advice = "run that one, or name another file in the settings";
        return Err(HistoryError::new(path, what, advice));
    }
    Ok(())
}

fn may_not_write(path: &Path) -> HistoryError {
    let advice = "give the user whom wschat runs as the right to read and write it";
    HistoryError::new(path, "may not be read and written (permission denied)", advice)
}

/// Brings the file up to date, and says which epoch it is in, and what is in it. Nothing is written if
/// that cannot be read.
pub(super) fn begin(
    connection: &mut Connection,
    durability: Durability,
) -> rusqlite::Result<(String, Stored)> {
    // What is found out here must be on the disk before anything that relies on it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate(&transaction, STEPS)?;
    let remembered = load(&transaction)?;
    let this_boot = boot();
    // A power cut takes what was committed without waiting for the disk; clients may have seen it.
    let mut epoch: String = meta(&transaction, "epoch")?.unwrap_or_default();
    let may_have_lost = meta::<String>(&transaction, "unsynced_boot")?
        .is_some_and(|boot| boot.is_empty() || boot != this_boot);
    if epoch.is_empty() || may_have_lost {
        epoch = new_epoch();
        set_meta(&transaction, "epoch", &epoch)?;
    }
    match durability {
        Durability::Process => set_meta(&transaction, "unsynced_boot", &this_boot)?,
        Durability::PowerLoss => forget_boot(&transaction)?,
    }
    transaction.commit()?;
    // Only now, because what is written before is in the database itself, for `examine` to see.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    settle(connection, durability)?;
    Ok((epoch, remembered))
}

/// Whatever was committed is on the disk, or will be before this is.
pub(super) fn forget_boot(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM meta WHERE key = 'unsynced_boot'", []).map(drop)
}

/// Names the time since the machine was started; empty if it does not say.
fn boot() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot.trim().to_owned()
}

/// In a transaction of the caller's.
pub(super) fn migrate(transaction: &Transaction<'_>, steps: &[&str]) -> rusqlite::Result<()> {
    let (_, version) = read_marks(transaction)?;
    let steps_left = steps.get(version as usize..).unwrap_or_default();
    for step in steps_left {
        transaction.execute_batch(step)?;
    }
    if !steps_left.is_empty() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", int(steps.len() as u64))?;
    }
    Ok(())
}

fn meta<T: rusqlite::types::FromSql>(
    connection: &Connection,
    key: &str,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    let mut rows = statement.query([key])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    connection.execute(sql, [key, value]).map(drop)
}

/// Everything that is remembered except for what was said. It takes a look-up for each room, however
/// much was said, and one pass over the references.
fn load(connection: &Connection) -> rusqlite::Result<Stored> {
    Ok(Stored {
        last_user: uint(meta(connection, "last_user")?.unwrap_or(0)),
        last_room: uint(meta(connection, "last_room")?.unwrap_or(0)),
        rooms: load_rooms(connection)?,
        users: load_sessions(connection)?,
    })
}

fn load_rooms(connection: &Connection) -> rusqlite::Result<Vec<(StoredRoom, u64)>> {
    let sql = "SELECT id, title, place,
        max(pruned, ifnull((SELECT max(seq) FROM event WHERE room = id), 0)) FROM room ORDER BY id";
    let room = |row: &Row<'_>| {
        let place: Option<i64> = row.get(2)?;
        let room = StoredRoom {
            id: RoomId(uint(row.get(0)?)),
            title: text(row, 1)?,
            place: place.and_then(|place| usize::try_from(place).ok()),
        };
        Ok((room, uint(row.get(3)?)))
    };
    connection.prepare(sql)?.query_map([], room)?.collect()
}

type Session = (StoredUser, Vec<(Arc<str>, Position)>);

fn load_sessions(connection: &Connection) -> rusqlite::Result<Vec<Session>> {
    let session = |row: &Row<'_>| {
        let room: Option<i64> = row.get(3)?;
        let session = StoredUser {
            user: UserId(uint(row.get(0)?)),
            key: ResumeKey(row.get(1)?),
            name: text(row, 2)?,
            room: room.map(|id| RoomId(uint(id))),
        };
        Ok((session, Vec::new()))
    };
    let mut statement =
        connection.prepare("SELECT user, key, name, room FROM session ORDER BY user")?;
    let mut sessions: Vec<Session> = statement.query_map([], session)?.collect::<Result<_, _>>()?;
    if sessions.is_empty() {
        return Ok(sessions);
    }
    // CROSS JOIN: in this order, whatever SQLite thinks of it.
    let mut statement = connection.prepare(
        "SELECT reference.user, ref, reference.room, seq FROM reference
            CROSS JOIN session USING (user) CROSS JOIN room ON room.id = reference.room
            WHERE seq > pruned ORDER BY reference.id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let user = UserId(uint(row.get(0)?));
        let at = sessions.binary_search_by_key(&user, |(session, _)| session.user);
        let position = Position { room: RoomId(uint(row.get(2)?)), seq: uint(row.get(3)?) };
        sessions[at.expect("it is joined with them")].1.push((text(row, 1)?, position));
    }
    Ok(sessions)
}

pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    Ok(row.get_ref(column)?.as_str()?.into())
}

/// Makes the connection one for a thread that writes.
fn settle(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    // Upkeep does it, while the dispatcher goes on.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", int(WAL_MAX_BYTES))?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::PowerLoss => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// A further connection for a thread that writes, or one in place of a connection that failed.
pub(super) fn connect(shared: &Shared) -> Result<Connection, HistoryError> {
    let connection = connect_as(&shared.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| shared.explain(error))?;
    check_epoch(shared, &connection)?;
    settle(&connection, shared.durability).map_err(|error| shared.explain(error))?;
    #[cfg(test)]
    super::tests::limit_pages(shared, &connection);
    Ok(connection)
}

/// A connection for a thread that only reads.
pub(super) fn connect_to_read(shared: &Shared) -> Result<Connection, HistoryError> {
    let connection = connect_as(&shared.path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| shared.explain(error))?;
    check_epoch(shared, &connection)?;
    Ok(connection)
}

/// Someone may have put another file in the place of the one that was opened first.
fn check_epoch(shared: &Shared, connection: &Connection) -> Result<(), HistoryError> {
    match meta::<String>(connection, "epoch") {
        Ok(Some(epoch)) if epoch == shared.epoch => Ok(()),
        Ok(_) => Err(exchanged(&shared.path)),
        Err(error) => Err(shared.explain(error)),
    }
}

pub(super) fn exchanged(path: &Path) -> HistoryError {
    let advice = "put the one back that was there, or restart wschat to go on with this one";
    HistoryError::new(path, "is not the file any more that this server began with", advice)
}

/// Never makes a file.
fn connect_as(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection stays on one thread at a time, which Rust sees to.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Only a program that is none of ours can hold up a connection, as long as it writes.
    connection.busy_timeout(Duration::from_millis(250))?;
    Ok(connection)
}

/// What SQLite says, in words for the one who can do something about it.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> HistoryError {
    let (what, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            "cannot be written: the disk is full".to_owned(),
            "free some space there, and it is written again at once",
        ),
        Some(ErrorCode::ReadOnly) => (
            "cannot be written: it, or the disk under it, is read-only".to_owned(),
            "make it writable for the user whom wschat runs as, and it is written again at once",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            format!("cannot be read or written: {error}"),
            "look for trouble with the disk in the system's log (`dmesg`); a full or read-only \
             disk shows so, too",
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            format!("cannot be opened: {error}"),
            "see that it is still there, and that the user whom wschat runs as may read and write \
             it and make files in its folder",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "is held by another program".to_owned(),
            "end the program that writes to it (`fuser` shows which)",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (format!("is damaged: {error}"), RESTORE),
        Some(ErrorCode::NotADatabase) => (format!("is damaged in its head: {error}"), RESTORE),
        // A table or a column is missing, or holds what it should not.
        _ => (format!("does not hold what it should: {error}"), RESTORE),
    };
    HistoryError::new(path, what, advice).because_of(error)
}

/// A seq that was used in a room, as far as the file knows; `None` if the room is not in it.
pub(super) fn last_seq(connection: &Connection, room: RoomId) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT max(pruned, ifnull((SELECT max(seq) FROM event WHERE room = ?1), 0))
            FROM room WHERE id = ?1",
    )?;
    let mut rows = statement.query(params![int(room.0)])?;
    rows.next()?.map(|row| row.get(0).map(uint)).transpose()
}

pub(super) fn next_reference(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(id), 0) + 1 FROM reference", [], |row| row.get(0))
}
