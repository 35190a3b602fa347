//! `status`, `rooms` and `clients`: what the running server tells, in tables. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::table::{Align, Table, count, duration, escape, size, time};

/// `GET /v1/status`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: String,
    commit: Option<String>,
    features: Vec<String>,
    pid: u32,
    started_at: i64,
    uptime_seconds: u64,
    listening: Vec<String>,
    connections: u64,
    max_connections: u64,
    users: u64,
    away_users: u64,
    rooms: u64,
    history: History,
    health: Vec<String>,
    certificate: Option<Certificate>,
    resident_bytes: u64,
    threads: u64,
    open_files: u64,
    max_open_files: u64,
    is_draining: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    file: Option<String>,
    /// In Redis, for all nodes of the cluster.
    #[cfg(feature = "cluster")]
    #[serde(default)]
    is_shared: bool,
    is_saving: bool,
    file_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    subject: String,
    expires_at: i64,
}

/// `GET /v1/rooms`.
#[derive(Deserialize)]
struct Rooms {
    rooms: Vec<Room>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Room {
    id: u64,
    title: String,
    users: u64,
    away: u64,
    seq: u64,
    is_permanent: bool,
}

/// `GET /v1/clients`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Clients {
    clients: Vec<Client>,
    #[serde(default)]
    away: Vec<Away>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    connection: u64,
    id: u64,
    name: String,
    address: String,
    room: Option<RoomName>,
    since: i64,
    queued_bytes: u64,
    protocol: String,
}

#[derive(Deserialize)]
struct Away {
    id: u64,
    name: String,
    room: Option<RoomName>,
}

#[derive(Deserialize)]
struct RoomName {
    id: u64,
    title: String,
}

/// The text for a person, or `None` if the answer is of another form.
pub(super) type Shown = Option<String>;

pub(super) fn status(answer: Value, now_ms: i64) -> Shown {
    let status: Status = read(answer)?;
    let commit = status.commit.map(|commit| format!("{commit}; ")).unwrap_or_default();
    let health = match status.health.as_slice() {
        [] if status.is_draining => "stopping: connections are being closed".to_owned(),
        [] => "all is well".to_owned(),
        problems => problems.join("; "),
    };
    let mut lines = vec![
        ("version", format!("{} ({commit}{})", status.version, status.features.join(", "))),
        ("health", health),
        (
            "running",
            format!(
                "for {}, since {}, as process {}",
                duration(Duration::from_secs(status.uptime_seconds)),
                time(status.started_at),
                status.pid
            ),
        ),
        ("listening", status.listening.join(", ")),
        ("connections", of(status.connections, status.max_connections)),
        ("users", format!("{}, and {} away", count(status.users), count(status.away_users))),
        ("rooms", count(status.rooms)),
        ("history", history(&status.history)),
    ];
    if let Some(Certificate { subject, expires_at }) = status.certificate {
        lines.push(("certificate", format!("{subject}, {}", expiry(expires_at, now_ms))));
    }
    lines.push(("memory", size(status.resident_bytes)));
    lines.push(("threads", count(status.threads)));
    lines.push(("descriptors", of(status.open_files, status.max_open_files)));
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<11}  {}", escape(&value));
    }
    Some(text)
}

pub(super) fn rooms(answer: Value) -> Shown {
    let Rooms { rooms } = read(answer)?;
    let mut table = Table::new(&[
        ("ROOM", Align::Right),
        ("USERS", Align::Right),
        ("AWAY", Align::Right),
        ("MESSAGES", Align::Right),
        ("PERMANENT", Align::Left),
        ("TITLE", Align::Left),
    ]);
    for room in rooms {
        let is_permanent = if room.is_permanent { "yes" } else { "no" }.to_owned();
        let numbers = [room.users, room.away, room.seq].map(count);
        let [users, away, messages] = numbers;
        table.add(&[room.id.to_string(), users, away, messages, is_permanent, room.title]);
    }
    Some(table.render())
}

pub(super) fn clients(answer: Value, now_ms: i64) -> Shown {
    let Clients { clients, away } = read(answer)?;
    let mut table = Table::new(&[
        ("USER", Align::Right),
        ("ADDRESS", Align::Left),
        ("CONNECTION", Align::Right),
        ("FOR", Align::Right),
        ("QUEUED", Align::Right),
        ("PROTOCOL", Align::Left),
        ("ROOM", Align::Left),
        ("NAME", Align::Left),
    ]);
    for client in clients {
        table.add(&[
            client.id.to_string(),
            client.address,
            client.connection.to_string(),
            duration(since(client.since, now_ms)),
            size(client.queued_bytes),
            client.protocol,
            room_name(client.room.as_ref()),
            client.name,
        ]);
    }
    let none = String::new;
    for Away { id, name, room } in away {
        let room = room_name(room.as_ref());
        table.add(&[id.to_string(), "away".to_owned(), none(), none(), none(), none(), room, name]);
    }
    Some(table.render())
}

pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Option<T> {
    serde_json::from_value(answer).ok()
}

fn of(number: u64, most: u64) -> String {
    match most {
        0 => count(number),
        most => format!("{} of {}", count(number), count(most)),
    }
}

fn history(history: &History) -> String {
    let state = if history.is_saving { "" } else { ", cannot be saved" };
    match &history.file {
        #[cfg(feature = "cluster")]
        None if history.is_shared => format!("in Redis{state}"),
        None => "in memory only".to_owned(),
        Some(file) => {
            let bytes = history.file_bytes.map(|bytes| format!(", {}", size(bytes)));
            format!("{file}{}{state}", bytes.unwrap_or_default())
        }
    }
}

fn expiry(expires_at: i64, now_ms: i64) -> String {
    if expires_at < now_ms {
        format!("expired {} ago, at {}", duration(since(expires_at, now_ms)), time(expires_at))
    } else {
        format!("expires in {}, at {}", duration(since(now_ms, expires_at)), time(expires_at))
    }
}

fn room_name(room: Option<&RoomName>) -> String {
    room.map_or_else(|| "-".to_owned(), |room| format!("{} {}", room.id, room.title))
}

/// The time between two times in Unix milliseconds; none if the clock has been set back.
pub(super) fn since(then_ms: i64, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms.saturating_sub(then_ms)).unwrap_or_default())
}
