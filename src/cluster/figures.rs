//! What is counted and known of the cluster on this node. Its threads write it; metrics, commands and checks read it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One for each node. Times are Unix times in milliseconds; 0 stands for never.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// The place of the entry that was applied last.
    pub(crate) term: AtomicU64,
    pub(crate) n: AtomicU64,
    /// How long the last of this node's batches took through the log and back, in microseconds.
    pub(crate) round_trip_us: AtomicU64,
    /// How far behind the log the last entry was applied, by the clocks of both machines.
    pub(crate) lag_ms: AtomicU64,
    /// Since when batches of this node do not come back; 0: they do.
    pub(crate) away_since: AtomicU64,
    /// Entries applied, and the commands in them.
    pub(crate) entries: AtomicU64,
    pub(crate) commands: AtomicU64,
    /// Batches that were sent once more.
    pub(crate) repeated_batches: AtomicU64,
    /// How often this node has connected to the server that it writes to, and to the one that it reads from.
    pub(crate) writer_connections: AtomicU64,
    pub(crate) reader_connections: AtomicU64,
    /// How often this node has joined anew, and how often because the log had lost entries.
    pub(crate) rejoins: AtomicU64,
    pub(crate) forks: AtomicU64,
    /// How often another node's digest was not that of this node.
    pub(crate) differences: AtomicU64,
    /// Whether this node's keeper has the lease.
    pub(crate) is_keeper: AtomicBool,
    /// The place, time and length of the newest snapshot in Redis, as the keeper on this node has seen it.
    pub(crate) snapshot_n: AtomicU64,
    pub(crate) snapshot_at: AtomicU64,
    pub(crate) snapshot_bytes: AtomicU64,
    /// Entries that the keeper on this node has trimmed.
    pub(crate) trimmed: AtomicU64,
    /// What Redis uses, and may use (0: no limit), in bytes.
    pub(crate) redis_bytes: AtomicU64,
    pub(crate) redis_max_bytes: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    nodes: Vec<NodeStatus>,
    keeper: Option<String>,
    writes_to: Option<String>,
    reads_from: Option<String>,
}

/// One live node, as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeStatus {
    /// Its number, anew each time that it joins.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) level: u32,
    /// How long it has not been heard of, by the log's clock.
    pub(crate) silent_ms: u64,
    pub(crate) is_this: bool,
    pub(crate) is_leaving: bool,
    /// Users that are connected to it.
    pub(crate) users: u64,
}

impl Figures {
    /// The live nodes, by their names. One that is leaving is there until its lease ends.
    pub(crate) fn nodes(&self) -> Vec<NodeStatus> {
        self.lock().nodes.clone()
    }

    pub(crate) fn set_nodes(&self, mut nodes: Vec<NodeStatus>) {
        nodes.sort_by(|one, other| one.name.cmp(&other.name).then(one.id.cmp(&other.id)));
        self.lock().nodes = nodes;
    }

    /// The name of the node whose keeper has the lease. `None`: nobody has it, or this node has not looked yet.
    pub(crate) fn keeper(&self) -> Option<String> {
        self.lock().keeper.clone()
    }

    pub(crate) fn set_keeper(&self, name: Option<&str>) {
        self.lock().keeper = name.map(str::to_owned);
    }

    /// The addresses of the server that this node writes to, and of the one that it reads from. `None`: it has none.
    pub(crate) fn servers(&self) -> (Option<String>, Option<String>) {
        let known = self.lock();
        (known.writes_to.clone(), known.reads_from.clone())
    }

    /// This node is connected to the server that it writes to, and counts it; `None`: it has lost it.
    pub(crate) fn set_writes_to(&self, address: Option<&str>) {
        self.lock().writes_to = address.map(str::to_owned);
        if address.is_some() {
            self.writer_connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As [`set_writes_to`](Self::set_writes_to), of the server that it reads from.
    pub(crate) fn set_reads_from(&self, address: Option<&str>) {
        self.lock().reads_from = address.map(str::to_owned);
        if address.is_some() {
            self.reader_connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Since when batches of this node do not come back.
    pub(crate) fn away_since(&self) -> Option<u64> {
        Some(self.away_since.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
