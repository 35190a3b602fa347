//! What SQLite reports, in words for the operator: what is wrong, and what to do about it.
//!
//! Any thread; no state.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use super::super::HistoryError;
use super::row::UnknownKind;

pub(super) const MOVE_AWAY: &str =
    "move it away to start with an empty one, or name another file in the settings";
pub(super) const RESTORE: &str = "stop the server and restore a backup (`wschat restore FILE`), or move it away together with its -wal file \
     to start with an empty one";

pub(super) fn explain(path: &Path, error: Error) -> HistoryError {
    if let Some(UnknownKind(kind)) = unknown_kind(&error) {
        let what = format!("has a message of the kind {kind:?}, which this wschat cannot read");
        let advice =
            "a newer wschat wrote it: run that version, or restore a backup from before it";
        return HistoryError::new(path, what, advice).because_of(error);
    }
    let may_pass = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
        )
    );
    let (what, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            "cannot be written: the disk is full".to_owned(),
            "free some space there, and writing resumes by itself",
        ),
        Some(ErrorCode::ReadOnly) => (
            "cannot be written: the file or its disk is read-only".to_owned(),
            "make it writable for the user that wschat runs as, and writing resumes by itself",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            format!("cannot be read or written: {error}"),
            "look for disk errors in the system's log (`dmesg`); a full or read-only disk can \
             cause this too",
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            format!("cannot be opened: {error}"),
            "check that it still exists, and that the user that wschat runs as may read and write \
             it and create files in its folder",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "is locked by another program".to_owned(),
            "stop the program that writes to it (`fuser` shows which)",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (format!("is damaged: {error}"), RESTORE),
        Some(ErrorCode::NotADatabase) => (format!("has a damaged header: {error}"), RESTORE),
        // A table or a column is missing, or holds a value of the wrong type.
        _ => (format!("has unexpected contents: {error}"), RESTORE),
    };
    HistoryError::new(path, what, advice).that_may_pass(may_pass).because_of(error)
}

fn unknown_kind(error: &Error) -> Option<&UnknownKind> {
    match error {
        Error::FromSqlConversionFailure(_, _, source) => source.downcast_ref(),
        _ => None,
    }
}

pub(super) fn not_accessible(path: &Path) -> HistoryError {
    let advice = "give the user that wschat runs as the right to read and write it";
    HistoryError::new(path, "cannot be read and written (permission denied)", advice)
}

pub(super) fn gone(path: &Path, error: std::io::Error) -> HistoryError {
    let what = format!("is no longer in its place: {error}");
    let advice =
        "put it back, and writing resumes by itself; what is saved without it would be lost";
    HistoryError::new(path, what, advice).because_of(error)
}

pub(super) fn cut_short(path: &Path) -> HistoryError {
    let advice = "find out which program did that, and restart wschat; what was cut off is lost, unless there \
                  is a backup";
    HistoryError::new(path, "was cut short by another program", advice)
}

pub(super) fn replaced(path: &Path) -> HistoryError {
    let advice = "put the original file back, and writing resumes by itself; or restart wschat to go on \
                  with this one";
    HistoryError::new(path, "is no longer the file that this server opened", advice)
}
