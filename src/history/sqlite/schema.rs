//! The tables of the file, and the steps that bring an older file up to date.
//!
//! Runs on the thread that starts the server, in a transaction of the caller's. `meta`, the table of
//! single values, is read and written here too.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use super::super::HistoryError;
use super::explain::MOVE_AWAY;
use super::row::int;

/// "wsch": distinguishes this program's files from those of others.
const APPLICATION: u32 = 0x7773_6368;

/// Step n takes a file from version n to version n + 1; an empty file has version 0. Add steps, and
/// never change one: there are files that it made.
pub(super) const STEPS: &[&str] = &[
    "
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
",
    "
    ALTER TABLE event RENAME TO event_of_version_1;
    -- body: what kind says; the text of a 'text', the number of a 'gif', JSON where it has several fields.
    CREATE TABLE event (
        room INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, user INTEGER NOT NULL,
        name TEXT NOT NULL, ref TEXT, kind TEXT NOT NULL, body ANY NOT NULL, PRIMARY KEY (room, seq)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO event
        SELECT room, seq, time, user, name, ref,
            CASE WHEN gif IS NULL THEN 'text' ELSE 'gif' END, ifnull(gif, text)
        FROM event_of_version_1 ORDER BY room, seq;
    DROP TABLE event_of_version_1;
",
    // Adds 'erased' to the kinds of messages.
    "",
];

/// The version that this program writes.
pub(super) const VERSION: usize = STEPS.len();

/// What a file says about itself in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) application: u32,
    pub(super) version: u32,
}

impl Marks {
    /// Those of an empty file.
    pub(super) const NONE: Self = Self { application: 0, version: 0 };

    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mark = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        Ok(Self { application: mark("application_id")?, version: mark("user_version")? })
    }

    /// Whether a program that knows `known` versions of the file can use it.
    pub(super) fn check(self, path: &Path, known: usize) -> Result<(), HistoryError> {
        if self.application != APPLICATION {
            return Err(HistoryError::new(path, "is a database of another program", MOVE_AWAY));
        }
        if self.version as usize > known {
            let what = format!(
                "was written by a newer wschat (version {} of the file; this one knows {known})",
                self.version,
            );
            let advice = "run that version, or name another file in the settings";
            return Err(HistoryError::new(path, what, advice));
        }
        Ok(())
    }
}

/// Takes the file through the steps that it has not had yet.
pub(super) fn migrate(transaction: &Transaction<'_>, steps: &[&str]) -> rusqlite::Result<()> {
    let Marks { version, .. } = Marks::read(transaction)?;
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

pub(super) fn meta<T: rusqlite::types::FromSql>(
    connection: &Connection,
    key: &str,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    let mut rows = statement.query([key])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

pub(super) fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    connection.execute(sql, [key, value]).map(drop)
}

pub(super) fn delete_meta(connection: &Connection, key: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM meta WHERE key = ?1", [key]).map(drop)
}
