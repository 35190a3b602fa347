//! Reads what brings the chat back after a restart: everything in the file but the messages.
//!
//! Runs on the thread that starts the server; the dispatcher and upkeep ask for single numbers.

use rusqlite::{Connection, Row, params};

use super::claim::LastMessages;
#[cfg(feature = "cluster")]
use super::create::reference_hash;
use super::row::{int, text, uint};
use super::schema::meta;
#[cfg(not(feature = "cluster"))]
use crate::chat::ReferenceHash;
use crate::chat::{
    Position, ResumeKey, RoomId, Stored, StoredReference, StoredRoom, StoredUser, UserId,
};

/// The key in `meta` of the number of rooms that have been deleted.
pub(super) const DELETED_ROOMS: &str = "deleted_rooms";

/// Takes one look-up for each room, however much was said there, and two passes over the references, of
/// which no more than `max_references` are loaded.
pub(super) fn load(connection: &Connection, max_references: usize) -> rusqlite::Result<Stored> {
    Ok(Stored {
        last_user: uint(meta(connection, "last_user")?.unwrap_or(0)),
        last_room: uint(meta(connection, "last_room")?.unwrap_or(0)),
        rooms: load_rooms(connection)?,
        users: load_users(connection, max_references)?,
    })
}

fn load_rooms(connection: &Connection) -> rusqlite::Result<Vec<(StoredRoom, u64)>> {
    let room = |row: &Row<'_>| {
        let place: Option<i64> = row.get(2)?;
        let room = StoredRoom {
            id: RoomId(uint(row.get(0)?)),
            title: text(row, 1)?,
            place: place.and_then(|place| usize::try_from(place).ok()),
        };
        let last_seq = last_seq(connection, room.id)?.unwrap_or(0);
        Ok((room, last_seq))
    };
    connection
        .prepare("SELECT id, title, place FROM room ORDER BY id")?
        .query_map([], room)?
        .collect()
}

fn load_users(
    connection: &Connection,
    max_references: usize,
) -> rusqlite::Result<Vec<(StoredUser, Vec<StoredReference>)>> {
    let user = |row: &Row<'_>| {
        let room: Option<i64> = row.get(3)?;
        let user = StoredUser {
            user: UserId(uint(row.get(0)?)),
            key: ResumeKey(row.get(1)?),
            name: text(row, 2)?,
            room: room.map(|id| RoomId(uint(id))),
        };
        Ok((user, Vec::new()))
    };
    let mut statement =
        connection.prepare("SELECT user, key, name, room FROM session ORDER BY user")?;
    let mut users: Vec<_> = statement.query_map([], user)?.collect::<Result<_, _>>()?;
    if !users.is_empty() {
        load_references(connection, &mut users, max_references)?;
    }
    Ok(users)
}

/// `users` are sorted by user. If there are more references than may be remembered, whoever has most does
/// without the oldest.
fn load_references(
    connection: &Connection,
    users: &mut [(StoredUser, Vec<StoredReference>)],
    max: usize,
) -> rusqlite::Result<()> {
    let most = most_per_user(connection, max)?;
    // CROSS JOIN makes SQLite keep this order of the tables.
    let mut statement = connection.prepare(
        "SELECT reference.user, ref, reference.room, seq FROM reference
            CROSS JOIN session USING (user) ORDER BY reference.id DESC",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let user = UserId(uint(row.get(0)?));
        let at = users.binary_search_by_key(&user, |(stored, _)| stored.user);
        let references = &mut users[at.expect("it is joined with them")].1;
        if references.len() < most {
            let position = Position { room: RoomId(uint(row.get(2)?)), seq: uint(row.get(3)?) };
            let hash = reference_hash(row.get_ref(1)?.as_str()?, position.seq);
            references.push((hash, position));
        }
    }
    for (_, references) in users {
        references.reverse();
    }
    Ok(())
}

#[cfg(not(feature = "cluster"))]
fn reference_hash(reference: &str, seq: u64) -> ReferenceHash {
    ReferenceHash::of(reference, seq)
}

/// The most references that each user may have, so that all together have no more than `max`.
fn most_per_user(connection: &Connection, max: usize) -> rusqlite::Result<usize> {
    let mut counts: Vec<usize> = connection
        .prepare(
            "SELECT count(*) FROM reference WHERE user IN (SELECT user FROM session) GROUP BY user",
        )?
        .query_map([], |row| row.get(0).map(uint))?
        .map(|count| count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))
        .collect::<Result<_, _>>()?;
    counts.sort_unstable();
    let mut left = max;
    for (at, count) in counts.iter().enumerate() {
        let share = left / (counts.len() - at);
        if *count > share {
            return Ok(share);
        }
        left -= count;
    }
    Ok(usize::MAX)
}

/// The last `seq` used in a room, as far as the file knows; `None` if the room is not in it.
pub(super) fn last_seq(connection: &Connection, room: RoomId) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT max(pruned, ifnull((SELECT max(seq) FROM event WHERE room = ?1), 0))
            FROM room WHERE id = ?1",
    )?;
    let mut rows = statement.query(params![int(room.0)])?;
    rows.next()?.map(|row| row.get(0).map(uint)).transpose()
}

/// How many rooms have been deleted in the file, as far as they were counted.
pub(super) fn deleted_rooms(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(meta(connection, DELETED_ROOMS)?.map_or(0, uint))
}

/// What the mark beside the file is made of.
pub(super) fn last_messages(
    connection: &Connection,
    stored: &Stored,
) -> rusqlite::Result<LastMessages> {
    let seqs = stored.rooms.iter().map(|(room, seq)| (room.id, *seq));
    Ok(LastMessages::new(seqs, deleted_rooms(connection)?))
}

/// The id of the next row in `reference`.
pub(super) fn next_reference(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(id), 0) + 1 FROM reference", [], |row| row.get(0))
}
