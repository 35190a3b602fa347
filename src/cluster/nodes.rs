//! The nodes of the cluster, and what an entry of the log means.
//!
//! Owns who is in the cluster, which batches count, and at which place of the log all of this holds. A closed
//! state machine like the chat: [`Nodes::take`] turns an entry of the log into steps for the chat, and the
//! same entries give the same steps on every node. No entry makes it panic. The dispatcher's thread runs it
//! for its node, the keeper's for the snapshots; each has one of its own.

mod snapshot;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::batch::{Batch, Command, Join, MAX_SKIPPED, Notice};
use super::digest::Digest;
use crate::chat::{Action, Effect, Entry, EntryId, Link, NodeId, Request};

pub(crate) use super::batch::LEVEL;

/// How many of the last places are remembered with their digests, to compare beats with.
const MAX_DIGESTS: usize = 1_000;

/// How many nodes that have ended are remembered, so that a late copy of a batch does not bring one back.
const MAX_ENDED: usize = 1_000;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogEntry {
    pub(crate) id: EntryId,
    /// The log's clock.
    pub(crate) at: Duration,
    /// The time of day in Unix milliseconds.
    pub(crate) time: u64,
    /// `None`: it cannot be read, or is to be skipped. It has no effect but its place.
    pub(crate) batch: Option<Batch>,
}

/// Which nodes there are, at a place of the log.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// The entry that was taken last.
    place: EntryId,
    /// The latest time of an entry, by the log's clock.
    at: Duration,
    /// The first part of the epoch; `None`: no node has joined yet.
    base: Option<String>,
    /// The term in which a node told last that the log has lost something; 0: never.
    loss: u64,
    live: BTreeMap<NodeId, Node>,
    /// The last nodes that have ended, in this order.
    ended: VecDeque<NodeId>,
    /// The last entries that had no batch.
    skipped: BTreeSet<EntryId>,
    digest: Digest,
    /// The digests after the last places, in order. Not part of the replicated state.
    digests: VecDeque<(EntryId, Digest)>,
}

/// A node whose lease has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The highest level that it knows.
    pub(crate) level: u32,
    pub(crate) lease: Duration,
    /// When it was heard of last, by the log's clock.
    pub(crate) seen: Duration,
    /// The number of its last batch that was applied.
    pub(crate) counter: u64,
    /// It has said that it ends. Nothing that it proposes has an effect any more.
    pub(crate) is_leaving: bool,
}

/// What an entry means.
#[derive(Debug, PartialEq)]
pub(crate) struct Taken {
    pub(crate) verdict: Verdict,
    /// What to do, in this order.
    pub(crate) steps: Vec<Step>,
    /// The nodes whose leases have ended.
    pub(crate) gone: Vec<NodeId>,
    /// The epoch is another one now. Every node that was in the cluster before has to join anew. One that has
    /// not joined yet, and is still reading what has happened, has not.
    pub(crate) is_new_epoch: bool,
    /// Entries that have been applied here, and that a node has skipped which is in the cluster now.
    pub(crate) skipped: Vec<EntryId>,
    /// The digest of another node is not the one here.
    pub(crate) differs: bool,
}

/// Whether a batch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Applied,
    /// It has been applied before.
    Duplicate,
    /// One before it is missing. Its node has to send all of them once more.
    Gap,
    /// Its node is not in the cluster, or no longer. Also: the entry has no batch.
    Fenced,
}

/// Something to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// To be applied to the chat.
    Entry(Entry),
    /// To be told to the lobby.
    Notice(Link, Notice),
}

/// The entry does not follow what has been taken. What there is now is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// Entries between are missing: the log has been trimmed.
    Behind,
    /// What has been taken last is no longer in the log: it was lost.
    Forked,
    /// The cluster has a level that this program does not know. Only a newer version can take part.
    Newer { level: u32 },
}

impl Taken {
    fn nothing(verdict: Verdict) -> Self {
        let (steps, gone, skipped) = (Vec::new(), Vec::new(), Vec::new());
        Self { verdict, steps, gone, is_new_epoch: false, skipped, differs: false }
    }
}

impl Node {
    fn new(join: &Join, seen: Duration) -> Self {
        Self {
            name: join.name.clone(),
            version: join.version.clone(),
            level: join.max_level,
            lease: join.lease,
            seen,
            counter: 1,
            is_leaving: false,
        }
    }

    fn hear(&mut self, at: Duration) {
        if !self.is_leaving {
            self.seen = at;
        }
    }

    fn is_over(&self, at: Duration) -> bool {
        at.saturating_sub(self.seen) > self.lease
    }
}

impl Nodes {
    /// A cluster before its first entry.
    pub(crate) fn new() -> Self {
        Self {
            place: EntryId::default(),
            at: Duration::ZERO,
            base: None,
            loss: 0,
            live: BTreeMap::new(),
            ended: VecDeque::new(),
            skipped: BTreeSet::new(),
            digest: Digest::default(),
            digests: VecDeque::new(),
        }
    }

    /// A cluster that begins with what was said elsewhere, in this epoch.
    #[cfg(feature = "sqlite")]
    pub(crate) fn with_base(epoch: String) -> Self {
        Self { base: Some(epoch), ..Self::new() }
    }

    /// Takes the next entry. One that has been taken already leads to nothing.
    pub(crate) fn take(&mut self, entry: LogEntry) -> Result<Taken, Break> {
        let LogEntry { id, at, time, batch } = entry;
        if id <= self.place {
            return Ok(Taken::nothing(Verdict::Duplicate));
        }
        self.move_to(id, at)?;
        let mut taken = Taken::nothing(Verdict::Fenced);
        if let Some(batch) = batch {
            self.end_leases(time, &mut taken);
            taken.verdict = self.judge(&batch)?;
            if taken.verdict == Verdict::Applied {
                self.follow(batch, time, &mut taken);
            }
        } else {
            self.skipped.insert(id);
            if self.skipped.len() > MAX_SKIPPED {
                self.skipped.pop_first();
            }
        }
        self.digest.number(taken.verdict as u64);
        Ok(taken)
    }

    /// The entry that was taken last.
    pub(crate) fn place(&self) -> EntryId {
        self.place
    }

    /// The log's clock.
    pub(crate) fn at(&self) -> Duration {
        self.at
    }

    /// The sign of life of a node that has come so far. It has the digest of the place before the last one: of the last
    /// entry, not all steps may have been counted in yet.
    pub(crate) fn beat(&self) -> Command {
        let (place, Digest(digest)) = self.digests.back().copied().unwrap_or_default();
        Command::Beat { place, digest }
    }

    /// The digest of all entries so far, and of the effects that were counted in.
    #[cfg(test)]
    pub(crate) fn digest(&self) -> u64 {
        self.digest.0
    }

    /// Counts in what the steps of the last entry have led to. All of it has to be counted in before the next
    /// entry is taken, in one part or several.
    pub(crate) fn mix(&mut self, effects: &[Effect]) {
        self.digest.effects(effects);
    }

    /// The epoch of all that was said: another one whenever something was lost. Empty before the first node
    /// joins.
    pub(crate) fn epoch(&self) -> String {
        let base = self.base.as_deref().unwrap_or_default();
        // Two branches of the log never have the same term, so what is lost does not have this epoch.
        if self.loss == 0 { base.to_owned() } else { format!("{base}-{}", self.loss) }
    }

    /// The level of the cluster: the least of all live nodes.
    pub(crate) fn level(&self) -> u32 {
        self.least_level().unwrap_or(LEVEL)
    }

    /// All live nodes, by id. Those that are leaving are among them until their leases end.
    pub(crate) fn live(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.live.iter().map(|(id, node)| (*id, node))
    }

    /// How many nodes that are not leaving come before this one, by id.
    pub(crate) fn rank(&self, node: NodeId) -> usize {
        self.live.range(..node).filter(|(_, node)| !node.is_leaving).count()
    }

    /// The number of the node's last batch that was applied; `None`: it is not in the cluster.
    pub(crate) fn counter(&self, node: NodeId) -> Option<u64> {
        self.live.get(&node).map(|node| node.counter)
    }

    /// The last entries that had no batch, in order: at most [`MAX_SKIPPED`].
    #[cfg(test)]
    pub(crate) fn skipped(&self) -> impl Iterator<Item = EntryId> {
        self.skipped.iter().copied()
    }

    /// Goes on to the next place, if it is the next one.
    fn move_to(&mut self, id: EntryId, at: Duration) -> Result<(), Break> {
        let before = self.place;
        if id.term > before.term && id.n <= before.n {
            return Err(Break::Forked);
        }
        if before.n.checked_add(1) != Some(id.n) {
            return Err(Break::Behind);
        }
        if self.digests.len() == MAX_DIGESTS {
            self.digests.pop_front();
        }
        self.digests.push_back((before, self.digest));
        self.place = id;
        self.digest.place(id);
        self.at = self.at.max(at);
        if id.term > before.term {
            // The log was away, and no node could be heard of.
            for node in self.live.values_mut() {
                node.seen = self.at;
            }
        }
        Ok(())
    }

    fn end_leases(&mut self, time: u64, taken: &mut Taken) {
        let over = self.live.iter().filter(|(_, node)| node.is_over(self.at));
        taken.gone = over.map(|(id, _)| *id).collect();
        for node in taken.gone.clone() {
            self.live.remove(&node);
            if self.ended.len() == MAX_ENDED {
                self.ended.pop_front();
            }
            self.ended.push_back(node);
            taken.steps.push(self.step(time, Action::NodeGone { node }));
        }
    }

    fn least_level(&self) -> Option<u32> {
        self.live.values().map(|node| node.level).min()
    }

    /// Decides whether the batch counts, and notes that its node was heard of.
    fn judge(&mut self, batch: &Batch) -> Result<Verdict, Break> {
        // All programs decide this alike, even one that cannot read the commands.
        if self.least_level().is_some_and(|least| batch.level > least) {
            return Ok(Verdict::Fenced);
        }
        if batch.level > LEVEL {
            return Err(Break::Newer { level: batch.level });
        }
        let Some(node) = self.live.get_mut(&batch.node) else { return Ok(self.admit(batch)) };
        if batch.counter > node.counter && node.is_leaving {
            return Ok(Verdict::Fenced);
        }
        node.hear(self.at);
        if batch.counter <= node.counter {
            return Ok(Verdict::Duplicate);
        }
        if batch.counter - 1 > node.counter {
            return Ok(Verdict::Gap);
        }
        node.counter = batch.counter;
        Ok(Verdict::Applied)
    }

    fn admit(&mut self, batch: &Batch) -> Verdict {
        let Some(Command::Join(join)) = batch.commands.first() else { return Verdict::Fenced };
        let is_known = self.least_level().is_none_or(|least| join.max_level >= least);
        if batch.counter != 1 || !is_known || self.ended.contains(&batch.node) {
            return Verdict::Fenced;
        }
        self.live.insert(batch.node, Node::new(join, self.at));
        Verdict::Applied
    }

    /// Turns the commands of a batch into steps.
    fn follow(&mut self, batch: Batch, time: u64, taken: &mut Taken) {
        let Batch { node, commands, counter, .. } = batch;
        let mut is_said = false;
        taken.steps.reserve(commands.len() + 1);
        for (index, command) in commands.into_iter().enumerate() {
            if command.link().is_some_and(|link| link.node != node) {
                continue;
            }
            match command {
                Command::Join(join) if (counter, index) == (1, 0) => self.join(*join, time, taken),
                Command::Join(_) => {}
                Command::Leave => {
                    if let Some(node) = self.live.get_mut(&node) {
                        node.is_leaving = true;
                    }
                    break;
                }
                Command::Beat { place, digest } => {
                    taken.differs |= self.digest_at(place).is_some_and(|ours| ours.0 != digest);
                }
                Command::Notice(link, notice) => taken.steps.push(Step::Notice(link, notice)),
                Command::Act(action) => {
                    is_said |= matches!(&action, Action::Ask { request: Request::Say(..), .. });
                    taken.steps.push(self.step(time, action));
                }
            }
        }
        if is_said {
            taken.steps.push(self.step(time, Action::Saved));
        }
    }

    fn join(&mut self, join: Join, time: u64, taken: &mut Taken) {
        let Join { base, rules, forked, skipped, .. } = join;
        if self.base.is_none() {
            self.base = Some(base);
            taken.steps.push(self.step(time, Action::SetRules(Box::new(rules))));
        }
        // Many nodes tell of the same loss. All of them had a term from before it was told first.
        if forked.is_some_and(|lost| lost.term >= self.loss && lost.term < self.place.term) {
            self.loss = self.place.term;
            taken.is_new_epoch = true;
        }
        let applied = |id: &EntryId| *id <= self.place && !self.skipped.contains(id);
        taken.skipped = skipped.into_iter().filter(applied).collect();
    }

    fn step(&self, time: u64, action: Action) -> Step {
        Step::Entry(Entry { id: self.place, at: self.at, time, action })
    }

    /// The digest after this place, if it is remembered.
    fn digest_at(&self, place: EntryId) -> Option<Digest> {
        let index = self.digests.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        self.digests.get(index).map(|(_, digest)| *digest)
    }
}

#[cfg(test)]
mod tests;
