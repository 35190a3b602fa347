//! Entries that made a node panic. It marks them, and every node that reads the log later skips them.

use std::collections::BTreeSet;

use ::redis::cmd;

use super::redis::{Connection, Engine, Keys, RedisError};
use crate::chat::EntryId;

/// The entries that are marked.
pub(crate) fn poisoned(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<BTreeSet<EntryId>, RedisError> {
    let reply = connection.call(cmd("SMEMBERS").arg(keys.poisoned()))?;
    let marks: Vec<String> = ::redis::from_redis_value(reply).unwrap_or_default();
    Ok(marks.iter().filter_map(|mark| parse(mark)).collect())
}

/// Marks an entry.
pub(crate) fn mark_poisoned(engine: &Engine, id: EntryId) -> Result<(), RedisError> {
    let mark = format!("{}-{}", id.term, id.n);
    let mut connection = engine.master()?;
    connection.call(cmd("SADD").arg(engine.keys().poisoned()).arg(mark)).map(drop)
}

fn parse(mark: &str) -> Option<EntryId> {
    let (term, n) = mark.split_once('-')?;
    Some(EntryId { term: term.parse().ok()?, n: n.parse().ok()? })
}
