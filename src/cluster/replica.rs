//! The whole replicated state: the nodes and the chat, at one place of the log.
//!
//! Owns the form of a snapshot. The keeper's thread follows the log with one, and a node that joins reads one.

use super::nodes::{Break, LogEntry, Nodes, Step, Taken};
use crate::chat::{ByteReader, ByteWriter, Chat, Effect, Malformed, MalformedSnapshot};

/// The first bytes of every snapshot. The number goes up when the rest is written differently.
const HEADER: &[u8] = b"wschat cluster 1\n";

/// What all nodes have in common.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) nodes: Nodes,
    pub(crate) chat: Chat,
}

impl Replica {
    /// The state before the first entry of a log. The first node that joins brings the rules.
    pub(crate) fn fresh() -> Self {
        Self { nodes: Nodes::new(), chat: Chat::empty() }
    }

    /// Applies one entry and appends its effects. After a [`Break`] the replica is of no more use.
    pub(crate) fn apply(
        &mut self,
        entry: LogEntry,
        effects: &mut Vec<Effect>,
    ) -> Result<Taken, Break> {
        let before = effects.len();
        let mut taken = self.nodes.take(entry)?;
        for step in std::mem::take(&mut taken.steps) {
            if let Step::Entry(entry) = step {
                self.chat.apply(entry, effects);
            }
        }
        self.nodes.mix(&effects[before..]);
        Ok(taken)
    }

    /// Writes a snapshot. The same state always has the same bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = ByteWriter(HEADER.to_vec());
        self.nodes.write(&mut out);
        out.0.extend(self.chat.write_snapshot());
        out.0
    }

    /// Reads a snapshot, whatever the bytes are.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, MalformedSnapshot> {
        let mut from = ByteReader(bytes.strip_prefix(HEADER).ok_or(MalformedSnapshot)?);
        let nodes = Nodes::read(&mut from).map_err(|Malformed| MalformedSnapshot)?;
        Ok(Self { nodes, chat: Chat::read_snapshot(from.0)? })
    }
}
