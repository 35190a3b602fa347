//! A message as a row of the table `event`: the one place that turns it into columns and back.
//!
//! Its content takes two columns: `kind` names what it is, and `body` holds it. A new kind of content
//! needs no new column, only a case in [`to_columns`] and in [`to_content`]; one with several fields
//! puts JSON in `body`. Versions that do not know the kind cannot read such a message, so add a step
//! to the schema with it, an empty one if need be: then they refuse the file when they start.
//!
//! Any thread; no state.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, Type};
use rusqlite::{Row, Statement, params};

use crate::chat::{Content, Person, RoomId, Said, UserId};

const TEXT: &str = "text";
const GIF: &str = "gif";
const ERASED: &str = "erased";

/// All columns but `room`, in the order of the parameters of [`INSERT`] and of a row of [`SELECT`].
macro_rules! columns {
    () => {
        "seq, time, user, name, ref, kind, body"
    };
}

macro_rules! select {
    ($order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM event
                WHERE room = ?1 AND seq <= ?3
                    AND seq > max(?2, (SELECT pruned FROM room WHERE id = ?1))
                ORDER BY seq ",
            $order,
            " LIMIT ?4"
        )
    };
}

/// For [`insert`].
pub(super) const INSERT: &str =
    concat!("INSERT INTO event (room, ", columns!(), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

/// The messages of room ?1 with `?2 < seq <= ?3`, newest first, at most ?4 (-1: all), for [`said`].
///
/// It finds nothing that `pruned` covers, even if upkeep has not deleted it yet: there may be a gap
/// behind it. A room that is not in the file has no `pruned`, and `seq > NULL` finds nothing.
pub(super) const SELECT: &str = select!("DESC");

/// As [`SELECT`], oldest first.
pub(super) const SELECT_OLDEST_FIRST: &str = select!("ASC");

/// The file has a kind of message that this program does not know.
#[derive(Debug)]
pub(super) struct UnknownKind(pub(super) String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unknown kind of message: {:?}", self.0)
    }
}

impl Error for UnknownKind {}

/// Runs [`INSERT`].
pub(super) fn insert(
    insert: &mut Statement<'_>,
    room: RoomId,
    said: &Said,
) -> rusqlite::Result<()> {
    let (kind, body) = to_columns(&said.content);
    insert.execute(params![
        int(room.0),
        int(said.seq),
        int(said.time),
        int(said.from.id.0),
        &*said.from.name,
        said.reference.as_deref(),
        kind,
        body,
    ])?;
    Ok(())
}

/// A row of [`SELECT`].
pub(super) fn said(row: &Row<'_>) -> rusqlite::Result<Said> {
    Ok(Said {
        seq: uint(row.get(0)?),
        time: uint(row.get(1)?),
        from: Person { id: UserId(uint(row.get(2)?)), name: text(row, 3)? },
        reference: row.get_ref(4)?.as_str_or_null()?.map(Arc::from),
        content: to_content(row, 5, 6)?,
    })
}

/// `kind` and `body`.
fn to_columns(content: &Content) -> (&'static str, ToSqlOutput<'_>) {
    match content {
        Content::Text(text) => (TEXT, text.as_str().into()),
        // The number may be any 64 bits.
        Content::Gif(gif) => (GIF, gif.cast_signed().into()),
        Content::Erased => (ERASED, 0.into()),
    }
}

fn to_content(row: &Row<'_>, kind: usize, body: usize) -> rusqlite::Result<Content> {
    match row.get_ref(kind)?.as_str()? {
        TEXT => Ok(Content::Text(row.get(body)?)),
        GIF => Ok(Content::Gif(row.get::<_, i64>(body)?.cast_unsigned())),
        ERASED => Ok(Content::Erased),
        unknown => {
            let unknown = Box::new(UnknownKind(unknown.to_owned()));
            Err(rusqlite::Error::FromSqlConversionFailure(kind, Type::Text, unknown))
        }
    }
}

pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    Ok(row.get_ref(column)?.as_str()?.into())
}

/// An unsigned number as SQLite stores it. No id, number or time comes near its limit.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
