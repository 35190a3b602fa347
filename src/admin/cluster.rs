//! The cluster as this node sees it: its figures among the metrics, and `GET /v1/cluster`.
//!
//! The thread that serves the request runs it. Only a server with `cluster` in its settings has any of it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::commands::Failure;
use super::page::{Family, Kind, Page, seconds};
use super::process::as_f64;
use crate::cluster::{Figures, NodeStatus};

/// Each figure: its name, its type, and what it is.
pub(super) const FAMILIES: [Family; 20] = [
    (
        "wschat_cluster_nodes",
        Kind::Gauge,
        "Live nodes of the cluster, as this one knows them, without those that are leaving.",
    ),
    (
        "wschat_cluster_log_away",
        Kind::Gauge,
        "1 while what this node puts into the log does not come back, so that messages are refused, otherwise 0.",
    ),
    (
        "wschat_cluster_term",
        Kind::Gauge,
        "The term of the log: another one with each Redis server that takes it over.",
    ),
    (
        "wschat_cluster_place",
        Kind::Gauge,
        "The number of the entry of the log that this node has applied last.",
    ),
    (
        "wschat_cluster_lag_seconds",
        Kind::Gauge,
        "How old the last entry was when this node applied it, by the clocks of both machines.",
    ),
    (
        "wschat_cluster_round_trip_seconds",
        Kind::Gauge,
        "How long the last of this node's batches took through the log and back.",
    ),
    ("wschat_cluster_entries_total", Kind::Counter, "Entries of the log that this node applied."),
    (
        "wschat_cluster_commands_total",
        Kind::Counter,
        "Commands in the entries of the log that this node applied.",
    ),
    (
        "wschat_cluster_repeated_batches_total",
        Kind::Counter,
        "Batches that this node sent once more, as it was not known whether they are in the log.",
    ),
    (
        "wschat_cluster_connections_total",
        Kind::Counter,
        "Connections of this node to Redis, by purpose.",
    ),
    (
        "wschat_cluster_rejoins_total",
        Kind::Counter,
        "How often this node joined the cluster anew, which closes its clients with 1001.",
    ),
    (
        "wschat_cluster_forks_total",
        Kind::Counter,
        "How often the log had lost entries that this node had applied.",
    ),
    (
        "wschat_cluster_differences_total",
        Kind::Counter,
        "How often the state of another node was not that of this one at the same place.",
    ),
    ("wschat_cluster_keeper", Kind::Gauge, "1 if this node is the keeper, otherwise 0."),
    (
        "wschat_cluster_snapshot_timestamp_seconds",
        Kind::Gauge,
        "When the newest snapshot that this node knows of was written, in Unix time.",
    ),
    ("wschat_cluster_snapshot_bytes", Kind::Gauge, "The size of that snapshot."),
    (
        "wschat_cluster_snapshot_place",
        Kind::Gauge,
        "The number of the entry up to which that snapshot goes.",
    ),
    (
        "wschat_cluster_trimmed_total",
        Kind::Counter,
        "Entries that this node, as the keeper, trimmed off the log.",
    ),
    ("wschat_cluster_redis_memory_bytes", Kind::Gauge, "Memory that Redis uses."),
    (
        "wschat_cluster_redis_max_memory_bytes",
        Kind::Gauge,
        "Memory that Redis may use, as its `maxmemory` says.",
    ),
];

impl Page {
    /// What is not known yet is left out.
    pub(super) fn cluster(&mut self, figures: &Figures) {
        let nodes = figures.nodes().iter().filter(|node| !node.is_leaving).count();
        self.single("wschat_cluster_nodes", nodes);
        let is_away = figures.away_since().is_some();
        self.single("wschat_cluster_log_away", u8::from(is_away));
        self.single("wschat_cluster_term", get(&figures.term));
        self.single("wschat_cluster_place", get(&figures.n));
        self.single("wschat_cluster_lag_seconds", seconds(get(&figures.lag_ms)));
        let round_trip = known(&figures.round_trip_us).map(|time| as_f64(time) / 1_000_000.0);
        self.optional("wschat_cluster_round_trip_seconds", round_trip);
        self.single("wschat_cluster_entries_total", get(&figures.entries));
        self.single("wschat_cluster_commands_total", get(&figures.commands));
        self.single("wschat_cluster_repeated_batches_total", get(&figures.repeated_batches));
        let connections = [
            ("write", get(&figures.writer_connections)),
            ("read", get(&figures.reader_connections)),
        ];
        self.labelled("wschat_cluster_connections_total", "purpose", connections.into_iter());
        self.single("wschat_cluster_rejoins_total", get(&figures.rejoins));
        self.single("wschat_cluster_forks_total", get(&figures.forks));
        self.single("wschat_cluster_differences_total", get(&figures.differences));
        self.single("wschat_cluster_keeper", u8::from(is_keeper(figures)));
        let written_at = known(&figures.snapshot_at);
        self.optional("wschat_cluster_snapshot_timestamp_seconds", written_at.map(seconds));
        let of_snapshot = |figure| written_at.map(|_| get(figure));
        self.optional("wschat_cluster_snapshot_bytes", of_snapshot(&figures.snapshot_bytes));
        self.optional("wschat_cluster_snapshot_place", of_snapshot(&figures.snapshot_n));
        self.single("wschat_cluster_trimmed_total", get(&figures.trimmed));
        self.optional("wschat_cluster_redis_memory_bytes", known(&figures.redis_bytes));
        self.optional("wschat_cluster_redis_max_memory_bytes", known(&figures.redis_max_bytes));
    }
}

/// `GET /v1/cluster`. `None`: the server is no node.
pub(super) fn show(figures: Option<&Figures>) -> Result<Value, Failure> {
    let no_node = "This server is no node of a cluster: it has no \"cluster\" in its settings.";
    let figures = figures.ok_or_else(|| (404, no_node.to_owned()))?;
    let (writes_to, reads_from) = figures.servers();
    let (nodes, keeper) = (figures.nodes(), keeper(figures));
    let snapshot = known(&figures.snapshot_at).map(|at| {
        let (n, bytes) = (get(&figures.snapshot_n), get(&figures.snapshot_bytes));
        json!({ "n": n, "at": at, "bytes": bytes })
    });
    Ok(json!({
        "nodes": nodes.iter().map(|node| node_json(node, keeper.as_deref())).collect::<Vec<_>>(),
        "level": nodes.iter().map(|node| node.level).min(),
        "keeper": keeper,
        "place": { "term": get(&figures.term), "n": get(&figures.n) },
        "lagMs": get(&figures.lag_ms),
        "roundTripUs": known(&figures.round_trip_us),
        "awaySince": figures.away_since(),
        "redis": {
            "writesTo": writes_to,
            "readsFrom": reads_from,
            "bytes": known(&figures.redis_bytes),
            "maxBytes": known(&figures.redis_max_bytes),
        },
        "snapshot": snapshot,
        "rejoins": get(&figures.rejoins),
        "forks": get(&figures.forks),
        "differences": get(&figures.differences),
        "repeatedBatches": get(&figures.repeated_batches),
    }))
}

fn node_json(node: &NodeStatus, keeper: Option<&str>) -> Value {
    let NodeStatus { id, name, version, level, silent_ms, is_this, is_leaving, users } = node;
    json!({
        // JavaScript would round the number.
        "id": format!("{id:016x}"),
        "name": name,
        "version": version,
        "level": level,
        "users": users,
        "silentMs": silent_ms,
        "isThis": is_this,
        "isLeaving": is_leaving,
        "isKeeper": keeper == Some(&**name) && !is_leaving,
    })
}

/// The name of the node that is the keeper. Of itself a node knows it first.
fn keeper(figures: &Figures) -> Option<String> {
    let this = figures.nodes().into_iter().find(|node| node.is_this && is_keeper(figures));
    this.map(|node| node.name).or_else(|| figures.keeper())
}

fn is_keeper(figures: &Figures) -> bool {
    figures.is_keeper.load(Ordering::Relaxed)
}

fn get(figure: &AtomicU64) -> u64 {
    figure.load(Ordering::Relaxed)
}

/// A figure that is never 0 once it is known.
fn known(figure: &AtomicU64) -> Option<u64> {
    Some(get(figure)).filter(|value| *value != 0)
}

#[cfg(test)]
mod tests;
