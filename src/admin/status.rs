//! `GET /v1/status`: how the server fares, in figures that a person reads.

use std::time::{Instant, SystemTime};

use serde_json::{Value, json};

use super::commands::Commands;
use super::process::Process;
use crate::clock;
use crate::session::{Condition, Context};
use crate::{COMMIT, FEATURES};

/// What stays the same while the server runs.
#[derive(Debug)]
pub(crate) struct Status {
    /// Where clients connect.
    listening: Vec<String>,
    started: Instant,
    /// In Unix milliseconds.
    pub(super) started_at: u64,
}

impl Status {
    /// The server starts now, and listens on these addresses.
    pub(crate) fn new(listening: Vec<String>) -> Self {
        let started_at = clock::unix_millis(SystemTime::now());
        Self { listening, started: Instant::now(), started_at }
    }

    pub(super) fn show(&self, context: &Context, commands: &Commands) -> Value {
        let Condition { failures, warnings } = Condition::of(context);
        let (chat, process, live) = (commands.chat(), Process::read(), context.live.get());
        let certificate = live.tls.as_ref().map(|tls| tls.expiry().first()).map(
            |first| json!({ "subject": first.subject, "expiresAt": first.expires_at * 1_000 }),
        );
        let place = commands.archive.place();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "commit": COMMIT,
            "features": FEATURES,
            "pid": std::process::id(),
            "startedAt": self.started_at,
            "uptimeSeconds": self.started.elapsed().as_secs(),
            "listening": self.listening,
            "connections": context.admission.places(),
            "maxConnections": live.admission_limits().max_connections,
            "users": chat.map(|chat| chat.users),
            "awayUsers": chat.map(|chat| chat.away_users),
            "rooms": chat.map(|chat| chat.rooms),
            "history": {
                "file": place.as_ref().map(|(path, _)| path.to_string_lossy()),
                "isSaving": !context.health.is_failing(),
                "fileBytes": place.as_ref().map(|(_, bytes)| bytes),
            },
            "health": failures.into_iter().chain(warnings).collect::<Vec<_>>(),
            "certificate": certificate,
            "residentBytes": process.resident_bytes,
            "threads": process.threads,
            "openFiles": process.open_files,
            "maxOpenFiles": process.max_open_files,
            "isDraining": context.stop.is_announced(),
        });
        #[cfg(feature = "cluster")]
        let status = of_node(status, context.cluster.is_some());
        status
    }
}

/// Says whether the history is kept in Redis, for all nodes of the cluster.
#[cfg(feature = "cluster")]
fn of_node(mut status: Value, is_shared: bool) -> Value {
    status["history"]["isShared"] = is_shared.into();
    status
}
