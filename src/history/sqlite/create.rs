//! A new file with a history that comes from elsewhere, which a server then starts with.
//!
//! Runs on a thread of the program's that is no server. The file has no name until whoever asked for it gives it
//! one, so nothing is left where anything fails.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use super::super::{HistoryError, new_epoch};
use super::explain::explain;
use super::place::{beside, resolve};
use super::row::{self, int};
use super::schema::{STEPS, migrate, set_meta};
use super::{backup, file};
use crate::chat::{ReferenceHash, RoomId, Said, Stored, StoredReference, UserId};

/// In front of the hash of a reference that is not known itself. It makes the whole longer than any reference, so that
/// nobody sends it.
const HASH_ONLY: &str = "The hash of a reference that is not known itself, in 32 digits: ";

/// A file that is being written. Dropping it removes what there is.
pub(crate) struct NewFile {
    connection: Connection,
    file: File,
    path: PathBuf,
    rooms: BTreeMap<RoomId, NewRoom>,
    messages: u64,
}

#[derive(Clone, Copy)]
struct NewRoom {
    /// The `seq` of the next message; `None`: none has come yet.
    next: Option<u64>,
    last: u64,
    /// How many messages it has.
    count: u64,
}

impl NewFile {
    /// Begins a file on the disk of `path`, with all but the messages. With an `epoch`, the file goes on with it;
    /// otherwise it begins a new one.
    pub(crate) fn create(
        path: &Path,
        epoch: Option<&str>,
        stored: &Stored,
    ) -> Result<Self, HistoryError> {
        let place = beside(path, ".new");
        let (file, connection) = backup::create(&place)?;
        connection.set_prepared_statement_cache_capacity(32);
        let rooms = stored
            .rooms
            .iter()
            .map(|(room, last)| (room.id, NewRoom { next: None, last: *last, count: 0 }));
        let rooms = rooms.collect();
        let mut new = Self { connection, file, path: place, rooms, messages: 0 };
        let epoch = epoch.map_or_else(new_epoch, str::to_owned);
        new.begin(&epoch, stored).map_err(|error| explain(&new.path, error))?;
        Ok(new)
    }

    /// Adds messages of a room, in order. What comes after a gap replaces what was before it, which counts as no longer
    /// kept. Messages in other rooms than the stored ones are left out.
    pub(crate) fn add(&mut self, room: RoomId, said: &[Said]) -> Result<(), HistoryError> {
        said.iter()
            .try_for_each(|said| self.add_one(room, said))
            .map_err(|error| explain(&self.path, error))
    }

    /// Completes the file. Returns it with its length, and how many messages it has.
    pub(crate) fn finish(mut self) -> Result<(File, u64, u64), HistoryError> {
        self.end().map_err(|error| explain(&self.path, error))?;
        let Self { connection, file, path, messages, .. } = self;
        connection.close().map_err(|(_, error)| explain(&path, error))?;
        let length = file.metadata().map_err(|error| explain_io(&path, error))?.len();
        Ok((file, length, messages))
    }

    fn begin(&mut self, epoch: &str, stored: &Stored) -> rusqlite::Result<()> {
        // If it fails, the file goes as a whole.
        let transaction = self.connection.unchecked_transaction()?;
        migrate(&transaction, STEPS)?;
        set_meta(&transaction, "epoch", epoch)?;
        transaction.commit()?;
        self.connection.execute_batch("BEGIN")?;
        let mut put = self.connection.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
        put.execute(params!["last_user", int(stored.last_user)])?;
        put.execute(params!["last_room", int(stored.last_room)])?;
        let sql = "INSERT INTO room (id, title, place, pruned) VALUES (?1, ?2, ?3, ?4)";
        let mut put = self.connection.prepare(sql)?;
        for (room, last) in &stored.rooms {
            let place = room.place.map(|place| int(place as u64));
            // As long as there are no messages: the numbers up to here are used.
            put.execute(params![int(room.id.0), &*room.title, place, int(*last)])?;
        }
        let mut put = self.connection.prepare("INSERT INTO session VALUES (?1, ?2, ?3, ?4)")?;
        for (user, _) in &stored.users {
            let room = user.room.map(|room| int(room.0));
            put.execute(params![int(user.user.0), user.key.0, &*user.name, room])?;
        }
        let references = stored.users.iter().flat_map(|(user, references)| {
            references.iter().map(|reference| (user.user, *reference))
        });
        put_references(&self.connection, references)
    }

    fn add_one(&mut self, room: RoomId, said: &Said) -> rusqlite::Result<()> {
        let Some(state) = self.rooms.get_mut(&room) else { return Ok(()) };
        if said.seq > state.last {
            return Ok(());
        }
        if state.next != Some(said.seq) {
            let delete = "DELETE FROM event WHERE room = ?1";
            self.connection.prepare_cached(delete)?.execute([int(room.0)])?;
            let prune = "UPDATE room SET pruned = ?2 WHERE id = ?1";
            let before = int(said.seq - 1);
            self.connection.prepare_cached(prune)?.execute(params![int(room.0), before])?;
            self.messages -= state.count;
            state.count = 0;
        }
        row::insert(&mut *self.connection.prepare_cached(row::INSERT)?, room, said)?;
        state.next = Some(said.seq + 1);
        state.count += 1;
        self.messages += 1;
        Ok(())
    }

    fn end(&mut self) -> rusqlite::Result<()> {
        for (room, state) in &mut self.rooms {
            if state.next.is_none_or(|next| next > state.last) {
                continue;
            }
            // The last ones are missing, and their numbers must not be used again.
            self.connection.execute("DELETE FROM event WHERE room = ?1", [int(room.0)])?;
            let prune = "UPDATE room SET pruned = ?2 WHERE id = ?1";
            self.connection.execute(prune, params![int(room.0), int(state.last)])?;
            self.messages -= state.count;
        }
        self.connection.execute_batch("COMMIT")
    }
}

/// Begins a new epoch in a file that no server uses: what has its epoch goes on elsewhere.
pub(crate) fn begin_epoch(path: &Path) -> Result<(), HistoryError> {
    let path = &*resolve(path)?;
    // Dropped last, since it has a descriptor of the database.
    let (_claim, connection) = file::claim(path)?;
    set_meta(&connection, "epoch", &new_epoch())
        .and_then(|()| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false))
        .and_then(|_| connection.close().map_err(|(_, error)| error))
        .map_err(|error| explain(path, error))
}

/// The hash that stands for a reference of the table `reference`.
pub(super) fn reference_hash(reference: &str, seq: u64) -> ReferenceHash {
    reference
        .strip_prefix(HASH_ONLY)
        .and_then(|digits| u128::from_str_radix(digits, 16).ok())
        .map_or_else(|| ReferenceHash::of(reference, seq), ReferenceHash::from_bits)
}

/// Writes references that are oldest first for each user. Which of two users was first does not matter.
fn put_references(
    connection: &Connection,
    references: impl Iterator<Item = (UserId, StoredReference)>,
) -> rusqlite::Result<()> {
    let mut put = connection
        .prepare("INSERT INTO reference (user, room, seq, ref) VALUES (?1, ?2, ?3, ?4)")?;
    for (user, (hash, position)) in references {
        let reference = format!("{HASH_ONLY}{:032x}", hash.to_bits());
        put.execute(params![int(user.0), int(position.room.0), int(position.seq), reference])?;
    }
    Ok(())
}

fn explain_io(path: &Path, error: std::io::Error) -> HistoryError {
    let what = format!("cannot be read: {error}");
    HistoryError::new(path, what, "look into the log of the system (`dmesg`)").because_of(error)
}
