//! What is counted and known of the cluster on this node. Its threads write it; metrics, commands and checks read it.

use std::sync::atomic::{AtomicBool, AtomicU64};
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
    /// The place, time and length of the newest snapshot, of the keeper on this node.
    pub(crate) snapshot_n: AtomicU64,
    pub(crate) snapshot_at: AtomicU64,
    pub(crate) snapshot_bytes: AtomicU64,
    /// Entries that the keeper on this node has trimmed.
    pub(crate) trimmed: AtomicU64,
    /// What Redis uses, and may use (0: no limit), in bytes.
    pub(crate) redis_bytes: AtomicU64,
    pub(crate) redis_max_bytes: AtomicU64,
    nodes: Mutex<Vec<NodeStatus>>,
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
    /// The live nodes.
    pub(crate) fn nodes(&self) -> Vec<NodeStatus> {
        self.lock().clone()
    }

    pub(crate) fn set_nodes(&self, nodes: Vec<NodeStatus>) {
        *self.lock() = nodes;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<NodeStatus>> {
        // Nothing panics while it is held.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
