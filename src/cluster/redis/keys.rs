//! The names of the keys. All have the prefix in braces, so that they are in one slot. Pure.

use crate::chat::RoomId;

/// The keys of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// `{wschat}:`
    start: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { start: format!("{{{prefix}}}:") }
    }

    /// What all keys of the cluster begin with.
    pub(crate) fn start(&self) -> &str {
        &self.start
    }

    /// The log: a stream. An entry has the id `term-n`, and the fields `a`, `t` and `b`.
    pub(crate) fn log(&self) -> String {
        self.key("log")
    }

    /// The run id of the server that took the last entry.
    pub(crate) fn run(&self) -> String {
        self.key("run")
    }

    /// The number of the newest snapshot, and of the one before.
    pub(crate) fn snapshot(&self) -> String {
        self.key("snap")
    }

    /// A piece of the snapshot that was taken at `n`.
    pub(crate) fn piece(&self, n: u64, index: usize) -> String {
        self.key(&format!("snap:{n}:{index}"))
    }

    /// What was said in a room: a stream. An event has the id `seq-0`, and the field `e`.
    pub(crate) fn room(&self, room: RoomId) -> String {
        self.key(&format!("h:{}", room.0))
    }

    /// What was erased in a room: a hash of the `seq` of each message to its time.
    pub(crate) fn erased(&self, room: RoomId) -> String {
        self.key(&format!("e:{}", room.0))
    }

    /// The lease of the keeper.
    pub(crate) fn keeper(&self) -> String {
        self.key("keeper")
    }

    /// The entries that are to be skipped: a set of `term-n`.
    pub(crate) fn poisoned(&self) -> String {
        self.key("poisoned")
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.start)
    }
}
