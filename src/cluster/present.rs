//! The state of the cluster as it is now, for whoever is no node: the newest snapshot, and what the log has after it.
//!
//! Whoever asks runs it. It follows the log to the entry that was the last when it began. The keeper may trim meanwhile:
//! then it begins again.

use std::collections::BTreeMap;
use std::time::Duration;

use log::debug;
use redis::{Value, cmd};

use super::nodes::{Break, LogEntry};
use super::poison::{log_entry, poisoned};
use super::redis::{ClusterError, Connection, Keys, RedisError, items, text};
use super::replica::Replica;
use super::store::{self, LoadError};
use crate::chat::{Effect, EntryId, Erased, Event, RoomId, Said};

/// How many entries are read at once.
const READ_ENTRIES: usize = 1_000;

/// How often it begins again because the keeper has trimmed what was to be read.
const ATTEMPTS: usize = 3;

/// After how long without an entry no node runs: the longest lease.
#[cfg(feature = "sqlite")]
const SILENCE: Duration = Duration::from_secs(60);

/// See the module's documentation.
pub(crate) struct Present {
    pub(crate) replica: Replica,
    /// What was said since the snapshot. The keeper may not have written it yet.
    pub(crate) said: BTreeMap<RoomId, Vec<Said>>,
    /// What was erased since then, likewise.
    pub(crate) erased: BTreeMap<RoomId, Vec<Erased>>,
    /// When Redis took the last entry, in Unix milliseconds. `None`: there is none.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "only who moves a history asks")
    )]
    last: Option<u64>,
}

impl Present {
    /// Whether there is a cluster.
    pub(crate) fn exists(connection: &mut Connection, keys: &Keys) -> Result<bool, RedisError> {
        let reply = connection.call(cmd("EXISTS").arg(keys.log()).arg(keys.snapshot()))?;
        Ok(reply != Value::Int(0))
    }

    /// `connection` leads to the master.
    pub(crate) fn read(connection: &mut Connection, keys: &Keys) -> Result<Self, ClusterError> {
        for _ in 0..ATTEMPTS {
            if let Some(present) = Self::try_read(connection, keys)? {
                return Ok(present);
            }
        }
        let behind = "the log in Redis lacks entries that came after the newest snapshot; try once more, and if it stays \
                      so, look into the logs of the nodes";
        Err(behind.to_owned().into())
    }

    /// `None`: the log has been trimmed meanwhile.
    fn try_read(connection: &mut Connection, keys: &Keys) -> Result<Option<Self>, ClusterError> {
        if !Self::exists(connection, keys)? {
            return Err(format!(
                "Redis at {} has no cluster with the prefix of these settings; correct cluster.prefix or cluster.redis",
                connection.address()
            )
            .into());
        }
        let last = last_entry(connection, keys)?;
        let loaded = store::load(connection, keys)?;
        let poisoned = poisoned(connection, keys)?;
        let replica = loaded.unwrap_or_else(Replica::fresh);
        let (said, erased) = (BTreeMap::new(), BTreeMap::new());
        let mut present = Self { replica, said, erased, last: last.map(|(_, time)| time) };
        let goal = last.map_or(EntryId::default(), |(place, _)| place);
        while present.replica.nodes.place() < goal {
            let place = present.replica.nodes.place();
            let entries = connection.read(keys, place, READ_ENTRIES, Duration::ZERO)?;
            if entries.is_empty() {
                return Ok(None);
            }
            for entry in entries {
                if let Err(why) = present.apply(log_entry(entry, &poisoned)) {
                    return match why {
                        Break::Newer { level } => Err(newer(level)),
                        Break::Behind | Break::Forked => {
                            debug!("reading the cluster begins again: {why:?}");
                            Ok(None)
                        }
                    };
                }
            }
        }
        Ok(Some(present))
    }

    fn apply(&mut self, entry: LogEntry) -> Result<(), Break> {
        let mut effects = Vec::new();
        self.replica.apply(entry, &mut effects)?;
        for effect in effects {
            match effect {
                Effect::Tell { room, event: Event::Said(said), .. } => {
                    self.said.entry(room).or_default().push(said);
                }
                Effect::Tell { room, event: Event::Erased(erased), .. } => {
                    self.erased.entry(room).or_default().push(erased);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a node may put something into the log after this.
    #[cfg(feature = "sqlite")]
    pub(crate) fn is_running(&self, connection: &mut Connection) -> Result<bool, RedisError> {
        let reply = connection.call(&cmd("TIME"))?;
        let seconds =
            items(&reply).first().and_then(text).and_then(|text| text.parse::<u64>().ok());
        let now = seconds.unwrap_or(0).saturating_mul(1_000);
        let silence = self.last.map(|last| Duration::from_millis(now.saturating_sub(last)));
        let is_silent = silence.is_none_or(|silence| silence > SILENCE);
        Ok(!is_silent && self.replica.nodes.live().any(|(_, node)| !node.is_leaving))
    }
}

fn newer(level: u32) -> ClusterError {
    format!(
        "the cluster has level {level}, which this version of wschat does not know; use the version that the nodes have"
    )
    .into()
}

/// The place of the last entry of the log, and when Redis took it, in Unix milliseconds. `None`: there is no log.
pub(super) fn last_entry(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<Option<(EntryId, u64)>, RedisError> {
    let mut last = cmd("XREVRANGE");
    last.arg(keys.log()).arg("+").arg("-").arg("COUNT").arg(1);
    let reply = connection.call(&last)?;
    let Some(entry) = items(&reply).first() else { return Ok(None) };
    let place = || {
        let [id, fields] = items(entry) else { return None };
        let (term, n) = text(id)?.split_once('-')?;
        let time = text(items(fields).get(3)?)?.parse().ok()?;
        Some((EntryId { term: term.parse().ok()?, n: n.parse().ok()? }, time))
    };
    match place() {
        Some(place) => Ok(Some(place)),
        None => Err(connection.unexpected("XREVRANGE", "the last entry is not of wschat")),
    }
}

impl From<LoadError> for ClusterError {
    fn from(error: LoadError) -> Self {
        error.to_string().into()
    }
}
