//! What a keeper at work knows: the replica that follows the log, what is not written yet, and what is due.
//!
//! The keeper's thread runs it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use log::warn;

use super::super::figures::Figures;
use super::super::nodes::{Break, LogEntry};
use super::super::poison::{log_entry, poisoned};
use super::super::redis::{Connection, Keys, RedisError};
use super::super::replica::Replica;
use super::super::store::{self, Saved};
use super::upkeep::{Upkeep, repair};
use super::writer::Writer;
use super::{KeeperError, READ_ENTRIES, READ_PAUSE};
use crate::clock::unix_millis;

/// A snapshot is saved after so many entries, or after this time if there was any.
const SNAPSHOT_ENTRIES: u64 = 10_000;
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(60);

/// See the module's documentation.
pub(super) struct Follower {
    replica: Replica,
    writer: Writer,
    upkeep: Option<Upkeep>,
    /// Entries since the last snapshot.
    unsaved: u64,
    snapshot_due: Instant,
    /// Whether an entry was read since the replica was loaded.
    has_read: bool,
}

impl Follower {
    /// Begins with the newest snapshot.
    pub(super) fn load(connection: &mut Connection, keys: &Keys) -> Result<Self, KeeperError> {
        let replica = store::load(connection, keys)?.unwrap_or_else(Replica::fresh);
        let snapshot_due = Instant::now() + SNAPSHOT_PAUSE;
        let writer = Writer::default();
        Ok(Self { replica, writer, upkeep: None, unsaved: 0, snapshot_due, has_read: false })
    }

    /// As `load`. What the rooms have that the log may lack is taken out, and comes again from the log.
    fn load_and_repair(connection: &mut Connection, keys: &Keys) -> Result<Self, KeeperError> {
        let new = Self::load(connection, keys)?;
        repair(connection, keys, &new.replica.chat)?;
        Ok(new)
    }

    /// Reads and applies what is next. Waits for it a little. Returns whether there is more.
    pub(super) fn read(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
    ) -> Result<bool, KeeperError> {
        let place = self.replica.nodes.place();
        let entries = connection.read(keys, place, READ_ENTRIES, READ_PAUSE)?;
        let is_full = entries.len() >= READ_ENTRIES;
        let Some(newest) = entries.last() else { return Ok(false) };
        self.upkeep.get_or_insert_with(|| Upkeep::new(newest.time));
        let poisoned = poisoned(connection, keys)?;
        for entry in entries {
            match self.apply(log_entry(entry, &poisoned)) {
                Ok(()) => {}
                Err(Break::Forked) => {
                    warn!("cluster: the log has lost entries: the keeper begins with the snapshot");
                    *self = Self::load_and_repair(connection, keys)?;
                    return Ok(true);
                }
                Err(Break::Behind) if self.has_read => {
                    // Another keeper has trimmed the log, and so has saved what this one lacks.
                    *self = Self::load(connection, keys)?;
                    return Ok(true);
                }
                Err(Break::Behind) => return Err(KeeperError::Behind),
                Err(Break::Newer { level }) => return Err(KeeperError::Newer { level }),
            }
        }
        Ok(is_full)
    }

    fn apply(&mut self, entry: LogEntry) -> Result<(), Break> {
        let mut effects = Vec::new();
        self.replica.apply(entry, &mut effects)?;
        self.writer.take(effects);
        self.unsaved += 1;
        self.has_read = true;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn into_replica(self) -> Replica {
        self.replica
    }

    /// Writes what was said. After an error it can be tried again.
    pub(super) fn write(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
    ) -> Result<(), RedisError> {
        self.writer.flush(connection, keys, self.replica.chat.max_kept())
    }

    /// Does a step of what is to be done now and then.
    pub(super) fn upkeep(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
        max_age: Option<Duration>,
    ) -> Result<(), RedisError> {
        match &mut self.upkeep {
            Some(upkeep) => upkeep.step(connection, keys, &self.replica.chat, max_age),
            None => Ok(()),
        }
    }

    /// Saves a snapshot if it is time to.
    pub(super) fn save_if_due(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
        figures: &Figures,
    ) -> Result<(), RedisError> {
        let is_due = self.unsaved >= SNAPSHOT_ENTRIES || Instant::now() >= self.snapshot_due;
        if is_due { self.save(connection, keys, figures) } else { Ok(()) }
    }

    /// Saves a snapshot if anything has happened. All that was said is written before.
    pub(super) fn save(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
        figures: &Figures,
    ) -> Result<(), RedisError> {
        if self.unsaved > 0 {
            let Saved { bytes, trimmed } = store::save(connection, keys, &self.replica)?;
            figures.trimmed.fetch_add(trimmed, Ordering::Relaxed);
            if let Some(bytes) = bytes {
                figures.snapshot_n.store(self.replica.nodes.place().n, Ordering::Relaxed);
                figures.snapshot_at.store(unix_millis(SystemTime::now()), Ordering::Relaxed);
                figures.snapshot_bytes.store(bytes, Ordering::Relaxed);
            }
        }
        self.unsaved = 0;
        self.snapshot_due = Instant::now() + SNAPSHOT_PAUSE;
        Ok(())
    }
}
