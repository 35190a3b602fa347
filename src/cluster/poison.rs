//! Entries that made a node panic. It marks them, and every node that reads the log later skips them.

use std::collections::BTreeSet;

use ::redis::cmd;
use log::error;

use super::batch::Batch;
use super::nodes::LogEntry;
use super::redis::{Connection, Engine, Keys, RawEntry, RedisError};
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

/// An entry as all nodes take it: one that is marked has no batch, and neither has one that cannot be read.
pub(super) fn log_entry(entry: RawEntry, poisoned: &BTreeSet<EntryId>) -> LogEntry {
    let RawEntry { id, at, time, batch } = entry;
    if poisoned.contains(&id) {
        return LogEntry { id, at, time, batch: None };
    }
    let batch = Batch::decode(&batch);
    if batch.is_err() {
        let EntryId { term, n } = id;
        error!(
            "entry {term}-{n} of the log cannot be read and is skipped: is another node newer than this one?"
        );
    }
    LogEntry { id, at, time, batch: batch.ok() }
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
