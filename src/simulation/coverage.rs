//! Counts what has happened over all runs, so that the simulation cannot become tame unnoticed.

use std::collections::BTreeMap;

/// Each of these has to happen in the default runs.
const KINDS: [&str; 56] = [
    // Connections.
    "resumed",
    "resumed into a room",
    "resume refused: a new user",
    "replaced by a newer connection",
    "an older connection came late",
    "closed by the client",
    "lost, and the server noticed late",
    "reset",
    "cut off by the flusher",
    "slow consumer",
    "server stopped",
    "ping",
    // Sockets.
    "short write",
    "stopped reading",
    "flushed later",
    // The store.
    "commit failed",
    "commit failed: full",
    "read failed",
    "slow commit",
    "recovered",
    "not saved",
    "not saved: a repeat in the same tick",
    // The history.
    "answer held something back",
    "joined what the client knew",
    "complete: false",
    "older messages were dropped",
    "page",
    "last page",
    "repeated",
    "already said",
    "not readable",
    // Requests.
    "malformed request",
    "refused request",
    "entered",
    "entered again",
    "left",
    "created a room",
    "renamed",
    "typing",
    "sent again",
    "acknowledged",
    "acknowledged by the history",
    "said before entering",
    "hello",
    "users",
    "previews",
    "presence",
    "page in the middle",
    // Others.
    "room removed",
    "left after the grace period",
    "rules changed",
    "announced",
    "kicked",
    "tick was full",
    "list broadcast",
    "list changed",
];

#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(super) fn hit(&mut self, kind: &'static str) {
        debug_assert!(KINDS.contains(&kind), "no such kind: {kind}");
        *self.0.entry(kind).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// Panics if something has never happened.
    pub(super) fn check(&self) {
        let missing: Vec<_> = KINDS.iter().filter(|kind| !self.0.contains_key(*kind)).collect();
        assert!(
            missing.is_empty(),
            "the simulation is too tame, these never happened: {missing:?}"
        );
    }
}
