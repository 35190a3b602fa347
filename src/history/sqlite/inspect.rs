//! Looks at a file without changing it, whether or not a server uses it.
//!
//! Runs on a thread of the program's that is no server.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use super::super::{HistoryError, HistoryState};
use super::database::open_connection;
use super::explain::{RESTORE, explain};
use super::file::check_header;
use super::place::{beside, resolve, unreadable};
use super::row::uint;
use super::schema::{Marks, VERSION};

/// More than the lock file has before the id of its owner ends.
const OWNER_BYTES: u64 = 32;

/// As [`inspect`](super::super::inspect).
pub(crate) fn inspect(path: &Path, patience: Duration) -> Result<HistoryState, HistoryError> {
    let path = &*resolve(path)?;
    let used_by = owner(path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(_) if !path.exists() => return Ok(HistoryState { used_by, ..HistoryState::default() }),
        Err(error) => return Err(unreadable(path, error)),
    };
    let bytes = file.metadata().map_err(|error| unreadable(path, error))?.len();
    let mut state = HistoryState { exists: true, used_by, bytes, newest: None };
    if bytes != 0 {
        check_header(path, &file)?;
        state.newest = look_into(path, patience)?;
    }
    Ok(state)
}

/// The process that has locked the file, if there is one.
fn owner(path: &Path) -> Option<u32> {
    let lock = File::open(beside(path, ".lock")).ok()?;
    if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    let mut text = String::new();
    // The mark behind it is of no interest, and text as well.
    let _ = lock.take(OWNER_BYTES).read_to_string(&mut text);
    // Without a number, somebody has it all the same.
    Some(text.lines().next().and_then(|line| line.trim().parse().ok()).unwrap_or(0))
}

/// Checks the contents, as far as that does not take longer than `patience`. Returns the time of the newest message.
fn look_into(path: &Path, patience: Duration) -> Result<Option<u64>, HistoryError> {
    let explain = |error| explain(path, error);
    let connection = connect(path).map_err(explain)?;
    Marks::read(&connection).map_err(explain)?.check(path, VERSION)?;
    let newest: Option<i64> = connection
        .query_row(
            "SELECT max(time) FROM room JOIN event ON event.room = room.id
                AND seq = (SELECT max(seq) FROM event WHERE event.room = room.id)",
            [],
            |row| row.get(0),
        )
        .map_err(explain)?;
    match quick_check(&connection, patience).map_err(explain)? {
        Some(fault) => Err(HistoryError::new(path, format!("is damaged: {fault}"), RESTORE)),
        None => Ok(newest.map(uint)),
    }
}

/// A connection that leaves nothing behind.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let has_wal = fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() != 0);
    if has_wal {
        return open_connection(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    }
    // Otherwise SQLite would create a WAL to read it.
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        let _ = match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                write!(uri, "{}", char::from(*byte))
            }
            _ => write!(uri, "%{byte:02x}"),
        };
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    open_connection(Path::new(&uri), flags)
}

/// The first fault, if there is one. A check that takes too long has found none.
fn quick_check(connection: &Connection, patience: Duration) -> rusqlite::Result<Option<String>> {
    let interrupt = connection.get_interrupt_handle();
    let (done, waiting) = bounded::<()>(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(patience).is_err_and(|error| error.is_timeout()) {
                interrupt.interrupt();
            }
        });
        let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        drop(done);
        match found {
            Ok(fault) => Ok(Some(fault).filter(|fault: &String| fault != "ok")),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    })
}
