//! Random runs of several nodes on one log: whatever the log, the nodes and the ways between them do, all
//! nodes that follow the log have the same state, and each batch counts once.
//!
//! | file | subject |
//! |---|---|
//! | `log.rs` | a log that loses its last entries in a failover |
//! | `node.rs` | a node: what it proposes, and what it does with what comes back |
//! | `anything.rs` | entries with anything at all in them |
//!
//! `WSCHAT_LOG_SEED=7` runs one seed, `WSCHAT_LOG_RUNS=10000` more of them.

mod anything;
mod log;
mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::batch::Batch;
use super::nodes::Verdict;
use super::replica::Replica;
use crate::chat::{Content, Effect, Event, NodeId, ResumeKey};
use crate::simulation::random::Dice;
use log::SimLog;
use node::SimNode;

const LEASE: Duration = Duration::from_secs(6);

const STEPS: usize = 1_500;

fn seeds() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    match number("WSCHAT_LOG_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WSCHAT_LOG_RUNS").unwrap_or(20),
    }
}

/// What has happened in the runs, to check that nothing of interest is missing.
#[derive(Debug, Default)]
struct Seen {
    applied: usize,
    duplicates: usize,
    gaps: usize,
    fenced: usize,
    gone: usize,
    forked: usize,
    new_epochs: usize,
    left: usize,
    from_snapshots: usize,
    skipped: usize,
    texts: usize,
    resumed: usize,
}

impl Seen {
    fn check(&self) {
        let Self { applied, duplicates, gaps, fenced, gone, forked, .. } = self;
        let Self { new_epochs, left, from_snapshots, skipped, texts, resumed, .. } = self;
        let counts = [
            applied,
            duplicates,
            gaps,
            fenced,
            gone,
            forked,
            new_epochs,
            left,
            from_snapshots,
            skipped,
            texts,
            resumed,
        ];
        assert!(counts.iter().all(|count| **count > 0), "the runs are too tame: {self:?}");
    }
}

/// Several nodes, a log, and what is on its way to it.
struct World {
    dice: Dice,
    seen: Seen,
    log: SimLog,
    nodes: Vec<SimNode>,
    /// Batches that have been sent and have not arrived.
    on_the_way: Vec<Vec<u8>>,
    /// The keys of all users that there may have been.
    keys: Vec<ResumeKey>,
    /// Makes node ids, keys and texts different.
    last: u64,
}

impl World {
    fn new(seed: u64, so_far: Seen) -> Self {
        let mut world = Self {
            dice: Dice::new(seed),
            seen: so_far,
            log: SimLog::default(),
            nodes: Vec::new(),
            on_the_way: Vec::new(),
            keys: Vec::new(),
            last: 0,
        };
        for _ in 0..3 {
            let node = world.start(None);
            world.nodes.push(node);
        }
        world
    }

    fn fresh(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A node that joins, from a snapshot if there is one.
    fn start(&mut self, forked: Option<crate::chat::EntryId>) -> SimNode {
        // In no order.
        let id = NodeId(self.fresh().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let replica = match self.log.snapshot() {
            Some(bytes) => {
                self.seen.from_snapshots += 1;
                Replica::read(bytes).expect("it was written")
            }
            None => Replica::fresh(),
        };
        let mut node = SimNode::new(id, replica);
        let join = node.join(forked);
        self.on_the_way.push(join);
        node
    }

    fn restart(&mut self, index: usize, forked: Option<crate::chat::EntryId>) {
        self.nodes[index] = self.start(forked);
    }

    fn step(&mut self) {
        let index = self.dice.index(self.nodes.len());
        match self.dice.below(1_000) {
            0..350 => {
                if let Some(batch) = self.propose(index) {
                    self.on_the_way.push(batch);
                }
            }
            350..650 => (0..=self.dice.below(5)).for_each(|_| self.deliver()),
            650..660 => self.on_the_way.extend(self.nodes[index].unseen()),
            660..900 => {
                let count = self.dice.below(20);
                self.read(index, count);
            }
            900..950 => self.log.pass(Duration::from_millis(self.dice.below(500))),
            950..952 => self.log.pass(LEASE + Duration::from_millis(1)),
            952..955 => {
                let lost = self.dice.below(6);
                self.log.fail_over(lost);
            }
            955..957 => self.restart(index, None),
            957..959 => {
                let leave = self.nodes[index].leave();
                self.on_the_way.push(leave);
                self.restart(index, None);
            }
            959..963 => self.log.append(vec![0; index], false),
            963..966 => {
                let batch = self.propose(index);
                self.log.append(batch.unwrap_or_default(), true);
            }
            966..970 => self.log.take_snapshot(&mut self.dice),
            _ => self.read(index, u64::MAX),
        }
    }

    fn propose(&mut self, index: usize) -> Option<Vec<u8>> {
        let node = &mut self.nodes[index];
        node.propose(&mut self.dice, &mut self.keys, &mut self.last)
    }

    /// One that is on its way arrives: any, and some twice. Few are lost.
    fn deliver(&mut self) {
        if self.on_the_way.is_empty() {
            return;
        }
        // Mostly the one that was sent first.
        let behind = if self.dice.percent(90) { 1 } else { self.on_the_way.len() };
        let index = self.dice.index(behind);
        match self.dice.below(100) {
            0..4 => drop(self.on_the_way.remove(index)),
            4..12 => self.log.append(self.on_the_way[index].clone(), false),
            _ => {
                let batch = self.on_the_way.remove(index);
                self.log.append(batch, false);
            }
        }
    }

    /// The node applies the next few entries.
    fn read(&mut self, index: usize, count: u64) {
        for _ in 0..count {
            let node = &mut self.nodes[index];
            let Some(entry) = self.log.after(node.replica.nodes.place()) else { return };
            match node.apply(entry, &mut self.seen) {
                Ok(again) => self.on_the_way.extend(again),
                Err(forked) => return self.restart(index, forked),
            }
        }
    }

    /// Nothing goes wrong any more, and everything that was proposed arrives.
    fn settle(&mut self) {
        // Who has applied what was lost learns it from the next entry.
        self.log.append(Vec::new(), false);
        for _ in 0..50 {
            for batch in std::mem::take(&mut self.on_the_way) {
                self.log.append(batch, false);
            }
            for index in 0..self.nodes.len() {
                self.read(index, u64::MAX);
            }
            self.on_the_way.extend(self.nodes.iter().flat_map(SimNode::unseen));
            if self.on_the_way.is_empty() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// All nodes have the state to which the whole log leads, and so has who begins in the middle.
    fn check(&mut self) {
        let mut whole = Replica::fresh();
        let mut others = Vec::new();
        let mut counters = BTreeMap::new();
        let mut texts = BTreeSet::new();
        let entries: Vec<_> = self.log.all().collect();
        for entry in entries {
            if self.dice.percent(1) {
                others.push(Replica::read(&whole.write()).expect("it was written"));
            }
            let before = whole.chat.write_snapshot();
            let batch = entry.batch.as_ref().map(|batch| (batch.node, batch.counter));
            for other in &mut others {
                other.apply(entry.clone(), &mut Vec::new()).expect("it follows");
            }
            let mut effects = Vec::new();
            let taken = whole.apply(entry, &mut effects).expect("it follows");
            self.check_counts(taken.verdict, batch, &mut counters);
            if taken.verdict != Verdict::Applied && taken.gone.is_empty() {
                assert_eq!(effects, []);
                assert!(whole.chat.write_snapshot() == before, "{:?}", taken.verdict);
            }
            for text in effects.iter().filter_map(text_of) {
                self.seen.texts += 1;
                assert!(texts.insert(text.to_owned()), "{text} was said twice");
            }
        }
        let expected = whole.write();
        assert_eq!(Replica::read(&expected).map(|read| read.write()), Ok(expected.clone()));
        for node in &self.nodes {
            assert!(node.replica.write() == expected, "{:?} differs", node.id);
            assert_eq!(whole.nodes.counter(node.id), Some(node.counter()));
        }
        assert!(others.iter().all(|other| other.write() == expected), "snapshot and rest");
    }

    fn check_counts(
        &mut self,
        verdict: Verdict,
        batch: Option<(NodeId, u64)>,
        counters: &mut BTreeMap<NodeId, u64>,
    ) {
        let Some((node, counter)) = batch else { return self.seen.skipped += 1 };
        let last = counters.entry(node).or_default();
        match verdict {
            Verdict::Applied => {
                assert_eq!(counter, *last + 1, "{node:?}");
                *last = counter;
                self.seen.applied += 1;
            }
            Verdict::Duplicate => {
                assert!(counter <= *last, "{node:?}");
                self.seen.duplicates += 1;
            }
            Verdict::Gap => {
                assert!(counter > *last + 1, "{node:?}");
                self.seen.gaps += 1;
            }
            Verdict::Fenced => self.seen.fenced += 1,
        }
    }
}

fn text_of(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Tell { event: Event::Said(said), .. } => match &said.content {
            Content::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn all_nodes_that_follow_the_log_are_equal() {
    let mut seen = Seen::default();
    for seed in seeds() {
        println!("seed {seed}");
        let mut world = World::new(seed, seen);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        world.check();
        seen = world.seen;
    }
    if seeds().count() > 1 {
        println!("{seen:?}");
        seen.check();
    }
}

/// A snapshot that was damaged is refused, or a state that can go on.
#[test]
fn a_damaged_snapshot_is_refused_or_can_go_on() {
    for seed in seeds().take(2) {
        let mut world = World::new(seed, Seen::default());
        for _ in 0..400 {
            world.step();
        }
        let entries: Vec<_> = world.log.all().collect();
        let mut replica = Replica::fresh();
        for entry in &entries[..entries.len() / 2] {
            replica.apply(entry.clone(), &mut Vec::new()).expect("it follows");
        }
        let good = replica.write();
        for len in 0..good.len() {
            assert!(Replica::read(&good[..len]).is_err(), "cut to {len} bytes");
        }
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1 << world.dice.below(8);
            let Ok(mut replica) = Replica::read(&bad) else { continue };
            for entry in &entries[entries.len() / 2..] {
                if replica.apply(entry.clone(), &mut Vec::new()).is_err() {
                    break;
                }
            }
        }
    }
}

/// What the log has is what the nodes read.
fn read_batch(bytes: &[u8], is_poisoned: bool) -> Option<Batch> {
    Batch::decode(bytes).ok().filter(|_| !is_poisoned)
}
