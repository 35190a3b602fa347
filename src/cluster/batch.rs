//! Batches: what one node proposes in one tick, as the log has it.
//!
//! Owns the form of a batch as bytes. Whatever the bytes are, reading them never panics. The writer's thread
//! writes batches, the reader's and the keeper's threads read them. What a batch leads to is decided in `nodes`.

use std::time::Duration;

use crate::chat::{
    Action, ByteReader, ByteWriter, EntryId, Link, Malformed, NodeId, Read, Rules, ensure,
};

/// The level of a batch by which a node joins, which every program can read.
pub(super) const JOIN_LEVEL: u32 = 1;

/// The level of behaviour that this program knows. It goes up when the same entries lead to something else, so
/// that a cluster does nothing new before all of its nodes know it.
pub(crate) const LEVEL: u32 = 1;

/// The longest batch that can be read, in bytes. No node writes a longer one.
pub(crate) const MAX_BATCH_BYTES: usize = 32 << 20;

/// The longest lease that a node can have.
pub(crate) const MAX_LEASE: Duration = Duration::from_secs(60);

/// How long a node's name, its version, and the epoch that it brings may be, in bytes.
pub(crate) const MAX_LABEL_BYTES: usize = 255;

/// At most how many skipped entries a node can name.
pub(crate) const MAX_SKIPPED: usize = 100;

/// What one node proposes at once. All of it is applied, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) node: NodeId,
    /// Counts the batches of this node, from 1.
    pub(crate) counter: u64,
    /// The level of the cluster when it was proposed: only nodes of this level know what it leads to.
    pub(crate) level: u32,
    pub(crate) commands: Vec<Command>,
}

/// One proposal of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// The node joins. The first command of its first batch, and no other.
    Join(Box<Join>),
    /// The node ends. What it proposes afterwards has no effect. The links that it has left stay until its
    /// lease ends, so whoever resumes elsewhere by then never was away.
    Leave,
    /// The node lives, and had this digest after this place.
    Beat { place: EntryId, digest: u64 },
    /// Something that the other nodes are told and that changes nothing in the chat.
    Notice(Link, Notice),
    /// Changes the chat.
    Act(Action),
}

/// What the nodes tell each other of the user of a link. It is no part of the replicated state, so a node that joins
/// later does not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It is typing.
    Typing,
    /// Its mentions are counted from now on, or no longer.
    Mentions(bool),
}

/// What a node brings along.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Join {
    /// What the operator calls the node, up to [`MAX_LABEL_BYTES`].
    pub(crate) name: String,
    /// The version of the program, up to [`MAX_LABEL_BYTES`].
    pub(crate) version: String,
    /// The node counts as gone if it is not heard of for longer, by the log's clock. Up to [`MAX_LEASE`].
    pub(crate) lease: Duration,
    /// The highest level that the node knows.
    pub(crate) max_level: u32,
    /// The epoch, if the cluster has none yet, up to [`MAX_LABEL_BYTES`].
    pub(crate) base: String,
    /// The rules, if the cluster has none yet.
    pub(crate) rules: Rules,
    /// What the node had applied last, if it has found that the log has lost it.
    pub(crate) forked: Option<EntryId>,
    /// The entries that the node has skipped, up to [`MAX_SKIPPED`]. A node that has applied one of them has
    /// another state.
    pub(crate) skipped: Vec<EntryId>,
}

/// The bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedBatch;

/// The first byte of each command. Part of the log's form: a number is never given to another command.
mod tag {
    pub(super) const JOIN: u64 = 0;
    pub(super) const LEAVE: u64 = 1;
    pub(super) const BEAT: u64 = 2;
    pub(super) const TYPING: u64 = 3;
    pub(super) const ACT: u64 = 4;
    pub(super) const MENTIONS: u64 = 5;
    pub(super) const NO_MENTIONS: u64 = 6;
}

impl Command {
    /// The link that this is about, if it is about one.
    pub(super) fn link(&self) -> Option<Link> {
        match self {
            Self::Notice(link, _) => Some(*link),
            Self::Act(action) => action.link(),
            Self::Join(_) | Self::Leave | Self::Beat { .. } => None,
        }
    }
}

impl Batch {
    /// Writes it. Commands about links of other nodes are left out: a node speaks for its own alone.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = ByteWriter(Vec::with_capacity(32 + 32 * self.commands.len()));
        out.number(self.level.into());
        out.fixed(self.node.0);
        out.number(self.counter);
        let is_own = |it: &&Command| it.link().is_none_or(|link| link.node == self.node);
        for command in self.commands.iter().filter(is_own) {
            out.command(command);
        }
        out.0
    }

    /// Reads it. The commands of a batch of a level that is not known are not looked at.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MalformedBatch> {
        Self::read(bytes).map_err(|Malformed| MalformedBatch)
    }

    fn read(bytes: &[u8]) -> Read<Self> {
        ensure(bytes.len() <= MAX_BATCH_BYTES)?;
        let mut from = ByteReader(bytes);
        let level = from.level()?;
        let (node, counter) = (NodeId(from.fixed()?), from.number()?);
        ensure(counter > 0)?;
        let mut commands = Vec::new();
        if level > LEVEL {
            return Ok(Self { node, counter, level, commands });
        }
        while !from.0.is_empty() {
            let command = from.command(node)?;
            let is_first_of_all = counter == 1 && commands.is_empty();
            ensure(matches!(command, Command::Join(_)) == is_first_of_all)?;
            commands.push(command);
        }
        ensure(counter > 1 || !commands.is_empty())?;
        Ok(Self { node, counter, level, commands })
    }
}

impl ByteWriter {
    /// A number that is mostly high.
    pub(super) fn fixed(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn entry_id(&mut self, id: EntryId) {
        self.number(id.term);
        self.number(id.n);
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Join(join) => {
                self.number(tag::JOIN);
                self.join(join);
            }
            Command::Leave => self.number(tag::LEAVE),
            Command::Beat { place, digest } => {
                self.number(tag::BEAT);
                self.entry_id(*place);
                self.fixed(*digest);
            }
            Command::Notice(link, notice) => {
                self.number(match notice {
                    Notice::Typing => tag::TYPING,
                    Notice::Mentions(true) => tag::MENTIONS,
                    Notice::Mentions(false) => tag::NO_MENTIONS,
                });
                self.number(link.connection.0);
            }
            Command::Act(action) => {
                self.number(tag::ACT);
                action.write(self);
            }
        }
    }

    fn join(&mut self, join: &Join) {
        self.text(&join.name);
        self.text(&join.version);
        self.duration(join.lease);
        self.number(join.max_level.into());
        self.text(&join.base);
        self.rules(&join.rules);
        self.option(join.forked, Self::entry_id);
        self.all(join.skipped.iter(), |out, id| out.entry_id(*id));
    }
}

impl ByteReader<'_> {
    pub(super) fn fixed(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn entry_id(&mut self) -> Read<EntryId> {
        Ok(EntryId { term: self.number()?, n: self.number()? })
    }

    pub(super) fn level(&mut self) -> Read<u32> {
        u32::try_from(self.number()?).ok().filter(|level| *level > 0).ok_or(Malformed)
    }

    pub(super) fn label(&mut self) -> Read<String> {
        let label = self.text()?;
        ensure(label.len() <= MAX_LABEL_BYTES)?;
        Ok(label.to_owned())
    }

    pub(super) fn lease(&mut self) -> Read<Duration> {
        let lease = self.duration()?;
        ensure(lease <= MAX_LEASE)?;
        Ok(lease)
    }

    pub(super) fn skipped(&mut self) -> Read<Vec<EntryId>> {
        let skipped = self.all(Self::entry_id)?;
        ensure(skipped.len() <= MAX_SKIPPED)?;
        Ok(skipped)
    }

    fn command(&mut self, node: NodeId) -> Read<Command> {
        Ok(match self.number()? {
            tag::JOIN => Command::Join(Box::new(self.join()?)),
            tag::LEAVE => Command::Leave,
            tag::BEAT => Command::Beat { place: self.entry_id()?, digest: self.fixed()? },
            tag::TYPING => Command::Notice(self.link_of(node)?, Notice::Typing),
            tag::MENTIONS => Command::Notice(self.link_of(node)?, Notice::Mentions(true)),
            tag::NO_MENTIONS => Command::Notice(self.link_of(node)?, Notice::Mentions(false)),
            tag::ACT => Command::Act(Action::read(self, node)?),
            _ => return Err(Malformed),
        })
    }

    fn join(&mut self) -> Read<Join> {
        Ok(Join {
            name: self.label()?,
            version: self.label()?,
            lease: self.lease()?,
            max_level: self.level()?,
            base: self.label()?,
            rules: self.rules()?,
            forked: self.option(Self::entry_id)?,
            skipped: self.skipped()?,
        })
    }
}

#[cfg(test)]
mod tests;
