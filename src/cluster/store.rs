//! Snapshots of the replicated state in Redis, and the length of the log.
//!
//! Owns their form: pieces of 1 MiB, and a manifest that names the newest whole snapshot and the one before. The
//! manifest is written last, so a snapshot that it names was whole once. The log is trimmed to the older of the two,
//! whose entry stays. So whoever has loaded either finds all that came after it, and can see that nothing is missing.
//! The keeper's thread saves; a node that joins loads.

use std::fmt::{self, Write};
use std::time::SystemTime;

use log::warn;
use redis::{Value, cmd};
use sha2::{Digest, Sha256};

use super::redis::{Connection, Keys, RedisError, items, number, text};
use super::replica::Replica;
use crate::chat::EntryId;
use crate::clock::unix_millis;

/// How long a piece is.
const PIECE_BYTES: usize = 1 << 20;

/// How often a load begins again because the keeper has replaced what was being read.
const LOAD_ATTEMPTS: usize = 5;

/// Replaces the manifest, unless somebody else has done so.
const REPLACE: &str = "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end \
                       redis.call('SET', KEYS[1], ARGV[2]) return 1";

/// What a save has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// How long the snapshot is; `None`: there was one already that is as new.
    pub(crate) bytes: Option<u64>,
    /// How many entries of the log were trimmed.
    pub(crate) trimmed: u64,
}

/// Why there is no snapshot to begin with.
#[derive(Debug)]
pub(crate) enum LoadError {
    Redis(RedisError),
    /// There are snapshots, and none of them is whole.
    Damaged {
        places: Vec<EntryId>,
        key: String,
    },
}

/// A line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    place: EntryId,
    bytes: usize,
    hash: String,
    /// When it was saved, as Unix time in milliseconds; 0: not known.
    at: u64,
}

/// Loads the newest whole snapshot, or the one before. `None`: none was ever saved.
pub(crate) fn load(connection: &mut Connection, keys: &Keys) -> Result<Option<Replica>, LoadError> {
    let mut manifest = read_manifest(connection, keys)?;
    for _ in 0..LOAD_ATTEMPTS {
        let listed = parse(&manifest);
        if listed.is_empty() && manifest.is_empty() {
            return Ok(None);
        }
        for snapshot in &listed {
            match read(connection, keys, snapshot)? {
                Ok(replica) => return Ok(Some(replica)),
                Err(what) => warn!(
                    "cluster: the snapshot at entry {}-{} is skipped: {what}",
                    snapshot.place.term, snapshot.place.n
                ),
            }
        }
        // The keeper may have replaced both in the meantime.
        let now = read_manifest(connection, keys)?;
        if now == manifest {
            break;
        }
        manifest = now;
    }
    let places = parse(&manifest).iter().map(|listed| listed.place).collect();
    Err(LoadError::Damaged { places, key: keys.snapshot() })
}

/// The number of the entry of the newest snapshot, how long it is, and when it was saved (Unix time in milliseconds, 0:
/// not known). `None`: there is none.
pub(crate) fn newest(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<Option<(u64, u64, u64)>, RedisError> {
    let listed = parse(&read_manifest(connection, keys)?);
    Ok(listed.first().map(|newest| (newest.place.n, newest.bytes as u64, newest.at)))
}

/// Saves a snapshot, removes all but the one before, and trims the log.
///
/// If there is one already that is as new, another keeper is at work, and only the log is trimmed.
pub(crate) fn save(
    connection: &mut Connection,
    keys: &Keys,
    replica: &Replica,
) -> Result<Saved, RedisError> {
    let place = replica.nodes.place();
    let manifest = read_manifest(connection, keys)?;
    let mut listed = parse(&manifest);
    let mut bytes = None;
    if listed.first().is_none_or(|newest| newest.place < place) {
        let snapshot = replica.write();
        let hash = hash(&snapshot);
        let new = Listed { place, bytes: snapshot.len(), hash, at: unix_millis(SystemTime::now()) };
        for (index, piece) in snapshot.chunks(PIECE_BYTES).enumerate() {
            connection.call(cmd("SET").arg(keys.piece(place.n, index)).arg(piece))?;
        }
        // A snapshot of a lost branch may have had the same number.
        let same = |old: &Listed| old.place.n == place.n;
        let mut removed: Vec<Listed> = listed.extract_if(.., |old| same(old)).collect();
        listed.insert(0, new);
        removed.extend(listed.drain(listed.len().min(2)..));
        let text: String = listed.iter().map(ToString::to_string).collect();
        let mut replace = cmd("EVAL");
        replace.arg(REPLACE).arg(1).arg(keys.snapshot()).arg(&manifest).arg(text);
        let is_replaced = connection.call(&replace)? == Value::Int(1);
        if is_replaced {
            bytes = Some(snapshot.len() as u64);
            for old in removed {
                let kept = if same(&old) { pieces(snapshot.len()) } else { 0 };
                remove(connection, keys, &old, kept)?;
            }
        } else {
            listed = parse(&read_manifest(connection, keys)?);
            if !listed.iter().any(same) {
                remove(
                    connection,
                    keys,
                    &Listed { place, bytes: snapshot.len(), hash: String::new(), at: 0 },
                    0,
                )?;
            }
        }
    }
    let trimmed = match listed.get(1) {
        Some(older) => trim(connection, keys, older.place)?,
        None => 0,
    };
    Ok(Saved { bytes, trimmed })
}

/// Whether the log has this entry. The one before the first is in every log.
pub(super) fn has_entry(
    connection: &mut Connection,
    keys: &Keys,
    place: EntryId,
) -> Result<bool, RedisError> {
    if place == EntryId::default() {
        return Ok(true);
    }
    let id = format!("{}-{}", place.term, place.n);
    let reply = connection.call(cmd("XRANGE").arg(keys.log()).arg(&id).arg(&id))?;
    Ok(!items(&reply).is_empty())
}

/// Trims the log up to this entry, which stays: whoever has applied it can see that nothing is missing.
fn trim(connection: &mut Connection, keys: &Keys, up_to: EntryId) -> Result<u64, RedisError> {
    let mut trim = cmd("XTRIM");
    trim.arg(keys.log()).arg("MINID").arg(format!("{}-{}", up_to.term, up_to.n));
    Ok(number(&connection.call(&trim)?).unwrap_or(0))
}

/// Removes the pieces of a snapshot from the index `first` on.
fn remove(
    connection: &mut Connection,
    keys: &Keys,
    snapshot: &Listed,
    first: usize,
) -> Result<(), RedisError> {
    for index in first..pieces(snapshot.bytes) {
        connection.call(cmd("UNLINK").arg(keys.piece(snapshot.place.n, index)))?;
    }
    Ok(())
}

fn read_manifest(connection: &mut Connection, keys: &Keys) -> Result<String, RedisError> {
    let reply = connection.call(cmd("GET").arg(keys.snapshot()))?;
    if reply == Value::Nil {
        return Ok(String::new());
    }
    let manifest = text(&reply).map(str::to_owned);
    manifest.ok_or_else(|| connection.unexpected("GET", "the list of snapshots is no text"))
}

/// Reads a snapshot. The inner error says in words what is wrong with it.
fn read(
    connection: &mut Connection,
    keys: &Keys,
    snapshot: &Listed,
) -> Result<Result<Replica, &'static str>, RedisError> {
    let mut bytes = Vec::new();
    for index in 0..pieces(snapshot.bytes) {
        let reply = connection.call(cmd("GET").arg(keys.piece(snapshot.place.n, index)))?;
        match reply {
            Value::BulkString(piece) => bytes.extend(piece),
            _ => return Ok(Err("a piece of it is missing")),
        }
    }
    if bytes.len() != snapshot.bytes || hash(&bytes) != snapshot.hash {
        return Ok(Err("its bytes are not those that were saved"));
    }
    let Ok(replica) = Replica::read(&bytes) else {
        return Ok(Err("this version of wschat cannot read it"));
    };
    if replica.nodes.place() != snapshot.place {
        return Ok(Err("it is of another entry"));
    }
    if !has_entry(connection, keys, snapshot.place)? {
        return Ok(Err("the log does not have that entry"));
    }
    Ok(Ok(replica))
}

/// How many pieces a snapshot of this length has.
fn pieces(bytes: usize) -> usize {
    bytes.div_ceil(PIECE_BYTES)
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The snapshots that a manifest names, the newest first. A line that is not understood is left out.
fn parse(manifest: &str) -> Vec<Listed> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let n = words.next()?.parse().ok()?;
        let term = words.next()?.parse().ok()?;
        let (bytes, hash) = (words.next()?.parse().ok()?, words.next()?.to_owned());
        let at = words.next().and_then(|at| at.parse().ok()).unwrap_or(0);
        Some(Listed { place: EntryId { term, n }, bytes, hash, at })
    };
    manifest.lines().filter_map(line).collect()
}

impl fmt::Display for Listed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place: EntryId { term, n }, bytes, hash, at } = self;
        writeln!(out, "{n} {term} {bytes} {hash} {at}")
    }
}

impl From<RedisError> for LoadError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(out),
            Self::Damaged { places, key } => {
                let places: Vec<_> =
                    places.iter().map(|place| format!("{}-{}", place.term, place.n)).collect();
                let places =
                    if places.is_empty() { "any entry".to_owned() } else { places.join(" and ") };
                write!(
                    out,
                    "the snapshots in Redis ({key}, at {places}) cannot be used; if a backup of Redis has them whole, \
                     restore it, and if nodes of a newer version run, give this node that version"
                )
            }
        }
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests;
