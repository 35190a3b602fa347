//! The order of several nodes: that of the log in Redis.
//!
//! What the dispatcher proposes goes to the writer. It comes back through the reader, among what other nodes have
//! proposed, and only then it counts. Requests that concern this node alone wait for the proposals of the same
//! connection that are still on their way.

mod proposals;

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use log::{error, info, warn};

use super::{Local, Log, Lost, Notice, Now, Ordered, Proposal};
use crate::chat::{Action, Chat, Effect, EntryId, Link, NodeId};
use crate::cluster::{
    Batch, Break, Command, Figures, Follower, LogEntry, NodeStatus, Step, Taken, Verdict,
    mark_poisoned,
};
use crate::protocol::Since;
use proposals::{Kind, Proposals, Proposed};

/// How much of the log one tick applies, in commands.
const MAX_TICK_COMMANDS: usize = 4_000;

/// After how long without a proposal that comes back the log counts as away.
const AWAY_AFTER: Duration = Duration::from_secs(3);

/// A dispatcher that lives has a tick at least every second. After a longer pause the log has so much time before it
/// counts as away.
const STANDSTILL: Duration = Duration::from_millis(2_500);
const TIME_TO_CATCH_UP: Duration = Duration::from_secs(1);

/// How many proposals may be on their way. Above this, the log counts as away.
const MAX_PROPOSALS: usize = 100_000;

/// How often the operator's figures of all nodes are renewed, and when a node joins, leaves or is gone. With many users that takes some milliseconds.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// A node shows at least so often that it lives. An entry moves the log's clock by 2 s at most, so while nothing else
/// happens, the clock goes on as fast as the beats let it.
const MAX_BEAT: Duration = Duration::from_millis(1_500);

/// The nodes propose that time passes one after the other, so that mostly one of them does.
const WAIT_STEP: Duration = Duration::from_millis(50);

/// See the module's documentation.
pub(crate) struct SharedLog {
    node: NodeId,
    follower: Follower,
    now: Now,
    /// How often this node shows that it lives.
    beat_every: Duration,
    beat_at: Duration,
    /// When the operator's figures are renewed.
    report_at: Duration,
    /// Proposed in this tick.
    gathered: Vec<Command>,
    proposals: Proposals,
    /// Read from the log and not taken yet.
    entries: VecDeque<LogEntry>,
    /// Ready for the dispatcher.
    ordered: VecDeque<Ordered>,
    /// How many commands this tick has taken from the log.
    taken: usize,
    /// There may be more to take.
    has_more: bool,
    /// The log's clock at the last entry, and this node's own clock then.
    clock: (Duration, Duration),
    /// The entry that is being applied.
    applying: Option<EntryId>,
    is_away: bool,
    /// Until then the log is not away: this node itself stood still.
    not_away_before: Duration,
    lost: Option<Lost>,
    is_leaving: bool,
}

impl SharedLog {
    /// `lease` is how long other nodes wait for a sign of life.
    pub(crate) fn new(node: NodeId, mut follower: Follower, lease: Duration) -> Self {
        let entries = std::mem::take(&mut follower.ahead).into();
        let clock = (follower.nodes.at(), Duration::ZERO);
        // That the log was away before this node joined anew is over: its own first batch has come back.
        follower.figures.away_since.store(0, Ordering::Relaxed);
        Self {
            node,
            follower,
            now: Now::default(),
            beat_every: (lease / 4).min(MAX_BEAT),
            beat_at: Duration::ZERO,
            report_at: Duration::ZERO,
            gathered: Vec::new(),
            proposals: Proposals::default(),
            entries,
            ordered: VecDeque::new(),
            taken: 0,
            has_more: true,
            clock,
            applying: None,
            is_away: false,
            not_away_before: Duration::ZERO,
            lost: None,
            is_leaving: false,
        }
    }

    fn figures(&self) -> &Figures {
        &self.follower.figures
    }

    fn push(&mut self, command: Command, kind: Kind, since: Option<Box<Since>>) {
        self.proposals.push(kind, self.now.at, since);
        self.gathered.push(command);
    }

    /// Lets something wait behind what its connection has proposed.
    fn push_local(&mut self, local: Local) {
        let now = if self.is_away || local.is_urgent() {
            if let Local::Close { connection, reason } = local {
                // Nothing more is answered. What the connection has proposed may still come back, so what that leaves
                // behind is cleared away by another end after it.
                self.proposals.forget(connection);
                self.proposals.wait(Local::Close { connection, reason });
            }
            Some(local)
        } else {
            self.proposals.wait(local)
        };
        self.ordered.extend(now.map(Ordered::Local));
    }

    /// Takes one entry of the log.
    fn take(&mut self, entry: LogEntry) {
        let id = entry.id;
        let (is_own, commands) = match &entry.batch {
            Some(batch) => (batch.node == self.node, batch.commands.len()),
            None => (false, 0),
        };
        let counter = entry.batch.as_ref().map_or(0, |batch| batch.counter);
        let time = entry.time;
        self.taken += commands + 1;
        if entry.batch.as_ref().is_some_and(is_of_membership) {
            self.report_at = Duration::ZERO;
        }
        let taken = match self.follower.nodes.take(entry) {
            Ok(taken) => taken,
            Err(why) => return self.end_by(why),
        };
        self.note(id, time, commands);
        self.look(&taken);
        let mut steps = taken.steps.into_iter();
        for _ in 0..taken.gone.len() {
            self.order(steps.next(), None);
        }
        if is_own {
            match taken.verdict {
                Verdict::Applied => {
                    self.follower.writer.confirm(counter);
                    self.take_own(commands, &mut steps);
                }
                Verdict::Gap => self.follower.writer.repeat(),
                Verdict::Duplicate => {}
                Verdict::Fenced => self.lose(Lost::Expired),
            }
        }
        for step in steps {
            self.order(Some(step), None);
        }
    }

    /// The first of this node's proposals on their way have been applied.
    fn take_own(&mut self, commands: usize, steps: &mut impl Iterator<Item = Step>) {
        for _ in 0..commands {
            let Some(Proposed { at, kind, since, .. }) = self.proposals.pop() else { return };
            if kind != Kind::Sign {
                self.order(steps.next(), since);
            }
            if let Kind::Step(Some(connection)) = kind {
                while let Some(local) = self.proposals.next_behind(connection) {
                    self.ordered.push_back(Ordered::Local(local));
                }
            }
            let round_trip = self.now.at.saturating_sub(at).as_micros();
            let round_trip = u64::try_from(round_trip).unwrap_or(u64::MAX);
            self.figures().round_trip_us.store(round_trip, Ordering::Relaxed);
        }
    }

    fn order(&mut self, step: Option<Step>, since: Option<Box<Since>>) {
        match step {
            Some(Step::Entry(entry)) => self.ordered.push_back(Ordered::Entry { entry, since }),
            Some(Step::Notice(link, notice)) if link.node != self.node => {
                self.ordered.push_back(Ordered::Notice(link, notice));
            }
            Some(Step::Notice(..)) | None => {}
        }
    }

    /// What an entry says about the cluster.
    fn look(&mut self, taken: &Taken) {
        let Taken { gone, is_new_epoch, skipped, differs, .. } = taken;
        for node in gone {
            self.report_at = Duration::ZERO;
            info!(
                "node {:016x} has not been heard of for longer than its lease: it is gone",
                node.0
            );
        }
        if gone.contains(&self.node) {
            self.lose(Lost::Expired);
        }
        if *is_new_epoch {
            self.lose(Lost::NewEpoch);
        }
        if !skipped.is_empty() {
            self.lose(Lost::Poisoned);
        }
        if *differs && self.figures().differences.fetch_add(1, Ordering::Relaxed) == 0 {
            error!(
                "another node has come to another state by the same entries, which is a defect: restart the nodes one \
                 by one"
            );
        }
    }

    /// The log cannot be followed any more.
    fn end_by(&mut self, why: Break) {
        self.lose(match why {
            Break::Behind => Lost::Behind,
            Break::Newer { .. } => Lost::TooOld,
            Break::Forked => Lost::Forked(self.follower.nodes.place()),
        });
    }

    /// This node has to join anew. From now on it is not ready, before its clients are closed.
    fn lose(&mut self, lost: Lost) {
        self.lost.get_or_insert(lost);
        self.follower.health.set_failing(true);
    }

    fn note(&mut self, id: EntryId, time: u64, commands: usize) {
        self.clock = (self.follower.nodes.at(), self.now.at);
        let figures = self.figures();
        figures.term.store(id.term, Ordering::Relaxed);
        figures.n.store(id.n, Ordering::Relaxed);
        figures.lag_ms.store(self.now.time.saturating_sub(time), Ordering::Relaxed);
        figures.entries.fetch_add(1, Ordering::Relaxed);
        figures.commands.fetch_add(commands as u64, Ordering::Relaxed);
    }

    /// Notices that proposals no longer come back, or do again.
    fn watch(&mut self) {
        let oldest = self.proposals.oldest();
        let is_late = self.now.at >= self.not_away_before
            && oldest.is_some_and(|at| self.now.at.saturating_sub(at) >= AWAY_AFTER);
        let is_away = is_late || self.proposals.len() >= MAX_PROPOSALS;
        if is_away == self.is_away {
            return;
        }
        self.is_away = is_away;
        let since = if is_away { self.now.time } else { 0 };
        self.figures().away_since.store(since, Ordering::Relaxed);
        self.follower.health.set_failing(is_away);
        if is_away {
            warn!(
                "the log is away: what this node appends does not come back, so requests are refused"
            );
            self.release_closes();
        } else {
            info!("the log is back");
        }
    }

    /// Ends the connections that wait to be closed.
    fn release_closes(&mut self) {
        // They stay, too: what these connections have proposed may still come back.
        for (connection, reason) in self.proposals.closing() {
            self.ordered.push_back(Ordered::Local(Local::Close { connection, reason }));
        }
    }

    /// Shows the others that this node lives.
    fn beat(&mut self) {
        if self.is_leaving || self.beat_at > self.now.at {
            return;
        }
        self.beat_at = self.now.at + self.beat_every;
        // It only rises while nodes live, so to learn of it late harms nobody.
        self.follower.writer.set_level(self.follower.nodes.level());
        // One on its way is enough.
        if !self.proposals.has_sign() {
            self.push(self.follower.nodes.beat(), Kind::Sign, None);
        }
    }
}

/// Whether a node joins with it, or leaves.
fn is_of_membership(batch: &Batch) -> bool {
    matches!(batch.commands.first(), Some(Command::Join(_)))
        || matches!(batch.commands.last(), Some(Command::Leave))
}

impl Log for SharedLog {
    const IS_SHARED: bool = true;

    fn node(&self) -> NodeId {
        self.node
    }

    fn set_time(&mut self, now: Now) {
        if now.at.saturating_sub(self.now.at) > STANDSTILL {
            self.not_away_before = now.at + TIME_TO_CATCH_UP;
        }
        self.now = now;
        self.taken = 0;
        self.watch();
        self.beat();
    }

    fn propose(&mut self, proposal: Proposal) {
        match proposal {
            Proposal::Local(local) => self.push_local(local),
            Proposal::Action { action, since } => {
                let kind = match &action {
                    Action::Wait => Kind::Wait,
                    Action::Connect { link, .. }
                    | Action::Ask { link, .. }
                    | Action::Disconnect { link, .. } => Kind::Step(Some(link.connection)),
                    _ => Kind::Step(None),
                };
                self.push(Command::Act(action), kind, since);
            }
        }
    }

    fn next(&mut self) -> Option<Ordered> {
        loop {
            if let Some(ordered) = self.ordered.pop_front() {
                if let Ordered::Entry { entry, .. } = &ordered {
                    self.applying = Some(entry.id);
                }
                return Some(ordered);
            }
            // Whoever stops taking before this is known has more to take.
            self.has_more = self.lost.is_none();
            if self.lost.is_some() || self.taken >= MAX_TICK_COMMANDS {
                return None;
            }
            if self.entries.is_empty() {
                let Some(entries) = self.follower.reader.take() else {
                    self.has_more = false;
                    return None;
                };
                self.entries.extend(entries);
            }
            let entry = self.entries.pop_front()?;
            self.take(entry);
        }
    }

    fn next_local(&mut self) -> Option<Local> {
        let Some(Ordered::Local(_)) = self.ordered.front() else { return None };
        match self.ordered.pop_front()? {
            Ordered::Local(local) => Some(local),
            Ordered::Entry { .. } | Ordered::Notice(..) => None,
        }
    }

    fn due_at(&self, deadline: Duration) -> Option<Duration> {
        if self.proposals.has_wait() || self.is_leaving {
            return None;
        }
        let (log, own) = self.clock;
        let rank = u32::try_from(self.follower.nodes.rank(self.node)).unwrap_or(u32::MAX);
        Some(own + deadline.saturating_sub(log) + WAIT_STEP.saturating_mul(rank))
    }

    fn next_deadline(&self) -> Option<Duration> {
        if self.has_more {
            return Some(self.now.at);
        }
        let beat = (!self.is_leaving).then_some(self.beat_at);
        let oldest = self.proposals.oldest().map(|at| at + AWAY_AFTER);
        let away = oldest.filter(|_| !self.is_away).map(|at| at.max(self.not_away_before));
        [beat, away].into_iter().flatten().min()
    }

    fn flush(&mut self) {
        if !self.gathered.is_empty() {
            let commands = std::mem::take(&mut self.gathered);
            if self.follower.writer.send(commands).is_err() {
                self.lose(Lost::Defect);
            }
        }
    }

    fn observe(&mut self, effects: &[Effect]) {
        self.follower.nodes.mix(effects);
        self.applying = None;
    }

    fn report(&mut self, chat: &Chat) {
        if self.report_at > self.now.at {
            return;
        }
        self.report_at = self.now.at + REPORT_EVERY;
        let users = chat.connected_by_node();
        let at = self.follower.nodes.at();
        let nodes = self.follower.nodes.live().map(|(id, node)| NodeStatus {
            id: id.0,
            name: node.name.clone(),
            version: node.version.clone(),
            level: node.level,
            silent_ms: u64::try_from(at.saturating_sub(node.seen).as_millis()).unwrap_or(u64::MAX),
            is_this: id == self.node,
            is_leaving: node.is_leaving,
            users: users.get(&id).copied().unwrap_or(0),
        });
        self.figures().set_nodes(nodes.collect());
    }

    fn notify(&mut self, link: Link, notice: Notice) {
        if !self.is_away || notice != Notice::Typing {
            self.push(Command::Notice(link, notice), Kind::Step(None), None);
        }
    }

    fn is_away(&self) -> bool {
        self.is_away
    }

    fn proposed(&self) -> u64 {
        self.proposals.count()
    }

    fn applied(&self) -> u64 {
        self.proposals.returned()
    }

    fn leave(&mut self) {
        self.is_leaving = true;
        self.push(Command::Leave, Kind::Sign, None);
    }

    fn lost(&self) -> Option<Lost> {
        self.lost
    }

    fn end(&mut self) {
        self.flush();
        self.follower.writer.end();
    }

    fn note_panic(&mut self) {
        let Some(id) = self.applying else { return };
        match mark_poisoned(&self.follower.engine, id) {
            Ok(()) => error!(
                "entry {}-{} of the log makes this node panic, which is a defect; all nodes skip it from now on",
                id.term, id.n
            ),
            Err(error) => error!("cannot mark the entry that makes this node panic: {error}"),
        }
    }
}
