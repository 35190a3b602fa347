//! `cluster status`: the cluster as the running node sees it, for a person. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::show::{Shown, read, since};
use super::table::{Align, Table, count, duration, escape, size, time};

/// `GET /v1/cluster`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    nodes: Vec<Node>,
    level: Option<u32>,
    keeper: Option<String>,
    place: Place,
    lag_ms: u64,
    round_trip_us: Option<u64>,
    away_since: Option<i64>,
    redis: Redis,
    snapshot: Option<Snapshot>,
    rejoins: u64,
    forks: u64,
    differences: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    name: String,
    version: String,
    level: u32,
    users: u64,
    silent_ms: u64,
    is_this: bool,
    is_leaving: bool,
    is_keeper: bool,
}

#[derive(Deserialize)]
struct Place {
    term: u64,
    n: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redis {
    writes_to: Option<String>,
    reads_from: Option<String>,
    bytes: Option<u64>,
    max_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Snapshot {
    n: u64,
    at: i64,
    bytes: u64,
}

pub(super) fn status(answer: Value, now_ms: i64) -> Shown {
    let cluster: Cluster = read(answer)?;
    let Cluster { nodes, level, keeper, place, redis, snapshot, .. } = &cluster;
    let mut lines = vec![
        ("log", log_state(&cluster, now_ms)),
        ("place", format!("entry {} of term {}", count(place.n), place.term)),
        ("delay", delay(&cluster)),
        ("writes to", server(redis.writes_to.as_ref())),
        ("reads from", server(redis.reads_from.as_ref())),
    ];
    if let Some(bytes) = redis.bytes {
        let most = redis
            .max_bytes
            .map_or_else(|| ", without a limit".to_owned(), |most| format!(" of {}", size(most)));
        lines.push(("memory", format!("{}{most}, in Redis", size(bytes))));
    }
    lines.push(("keeper", keeper.clone().unwrap_or_else(|| "not known".to_owned())));
    lines.push((
        "snapshot",
        snapshot.as_ref().map_or_else(
            || "none yet".to_owned(),
            |snapshot| {
                format!(
                    "{} ago, {}, up to entry {}",
                    duration(since(snapshot.at, now_ms)),
                    size(snapshot.bytes),
                    count(snapshot.n)
                )
            },
        ),
    ));
    if let Some(level) = level {
        lines.push(("level", level_of(*level, nodes)));
    }
    lines.push(("since start", events(&cluster)));
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<11}  {}", escape(&value));
    }
    text.push('\n');
    if let Some(at) = cluster.away_since {
        let _ = writeln!(text, "The nodes as of {}, when this one last heard of them:", time(at));
    }
    text.push_str(&list(nodes));
    Some(text)
}

fn log_state(cluster: &Cluster, now_ms: i64) -> String {
    let Redis { writes_to, reads_from, .. } = &cluster.redis;
    match cluster.away_since {
        None if writes_to.is_none() || reads_from.is_none() => {
            "not connected at the moment: texts wait".to_owned()
        }
        None => "all is well".to_owned(),
        Some(at) => format!(
            "away for {}, since {}: messages are refused; `wschat doctor` says why",
            duration(since(at, now_ms)),
            time(at)
        ),
    }
}

fn delay(cluster: &Cluster) -> String {
    let round_trip = cluster.round_trip_us.map(|time| {
        format!("{}.{:02} ms through the log and back, ", time / 1_000, time % 1_000 / 10)
    });
    format!("{}{} ms behind it", round_trip.unwrap_or_default(), count(cluster.lag_ms))
}

fn server(address: Option<&String>) -> String {
    address.cloned().unwrap_or_else(|| "no server: not connected".to_owned())
}

fn level_of(level: u32, nodes: &[Node]) -> String {
    if nodes.iter().all(|node| node.level == level) {
        return level.to_string();
    }
    format!("{level}, until the nodes of that level are upgraded")
}

fn events(cluster: &Cluster) -> String {
    let Cluster { rejoins, forks, differences, .. } = cluster;
    format!(
        "joined anew {} times, losses of the log {}, differences from other nodes {}",
        count(*rejoins),
        count(*forks),
        count(*differences)
    )
}

fn list(nodes: &[Node]) -> String {
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("VERSION", Align::Left),
        ("LEVEL", Align::Right),
        ("USERS", Align::Right),
        ("HEARD OF", Align::Right),
        ("", Align::Left),
    ]);
    for node in nodes {
        let marks =
            [(node.is_this, "this node"), (node.is_keeper, "keeper"), (node.is_leaving, "leaving")];
        let marks: Vec<_> = marks.iter().filter(|mark| mark.0).map(|mark| mark.1).collect();
        let silent = Duration::from_millis(node.silent_ms);
        table.add(&[
            node.name.clone(),
            node.version.clone(),
            node.level.to_string(),
            count(node.users),
            format!("{} ago", duration(silent)),
            marks.join(", "),
        ]);
    }
    table.render()
}
