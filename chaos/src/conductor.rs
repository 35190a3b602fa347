//! Lets one fault after the other happen, and waits after each until everything is well again. It runs on
//! the main thread.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::crowd::ROUND;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::ledger::{Kind, Violation};
use crate::nodes::Nodes;
use crate::options::Options;
use crate::report::Record;
use crate::shared::{Command, Shared};

/// How long the cluster may take after a fault, in milliseconds.
const PATIENCE: u64 = 60_000;

type Deed = Box<dyn FnOnce(&mut Conductor) -> Result<(), String>>;

/// Something to do some time after a fault began.
pub struct Later {
    after: u64,
    deed: Deed,
}

/// A fault that has begun.
pub struct Began {
    /// Texts that were sent after this show that all is well again.
    since: u64,
    pub later: Vec<Later>,
    waits_for_all: bool,
}

#[derive(Debug)]
pub struct Conductor {
    pub options: Options,
    pub shared: Arc<Shared>,
    pub nodes: Nodes,
    pub engine: Option<Engine>,
    pub random: Rng,
    /// The nodes whose texts must come to each other.
    pub members: Vec<usize>,
    /// Whether the nodes run the other program.
    pub is_other: bool,
    pub records: Vec<Record>,
    pub violations: Vec<Violation>,
    commands: Sender<Command>,
}

impl Conductor {
    pub fn new(
        options: &Options,
        shared: &Arc<Shared>,
        nodes: Nodes,
        engine: Option<Engine>,
        commands: Sender<Command>,
    ) -> Self {
        Self {
            options: options.clone(),
            shared: Arc::clone(shared),
            nodes,
            engine,
            random: Rng::with_seed(options.seed),
            members: (0..options.nodes).collect(),
            is_other: false,
            records: Vec::new(),
            violations: Vec::new(),
            commands,
        }
    }

    pub fn tell(&self, command: Command) {
        // The crowd is there until it is told to end.
        let _ = self.commands.send(command);
    }

    pub fn engine(&mut self) -> Result<&mut Engine, String> {
        self.engine.as_mut().ok_or_else(|| "there is no Redis".to_owned())
    }

    pub fn pick_node(&mut self) -> usize {
        self.random.usize(..self.options.nodes)
    }

    /// This node may be out of touch for so long.
    pub fn disturb(&self, node: usize, ms: u64) {
        self.tell(Command::Disturb { node, ms });
    }

    /// This node is about to drain.
    pub fn announce_drain(&self, node: usize) {
        self.tell(Command::Drain { node });
    }

    /// A fault that has done its harm now.
    pub fn begun(&self) -> Began {
        Began { since: self.shared.now(), later: Vec::new(), waits_for_all: false }
    }

    /// Runs faults until the time is over, or each has been often enough.
    pub fn run(&mut self, faults: &[Fault]) -> Result<(), String> {
        self.settle("the start")?;
        let mut bag: Vec<Fault> = Vec::new();
        let end = self.shared.now() + self.options.seconds * 1_000;
        let mut left = self.options.each.map(|each| each * faults.len());
        while self.shared.now() < end && left != Some(0) {
            if faults.is_empty() {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            if bag.is_empty() {
                bag = faults.to_vec();
                self.random.shuffle(&mut bag);
            }
            let Some(fault) = bag.pop() else { break };
            thread::sleep(Duration::from_millis(self.random.u64(200..1_500)));
            self.strike(fault)?;
            left = left.map(|left| left - 1);
        }
        Ok(())
    }

    /// Lets one fault happen, and waits until all is well.
    fn strike(&mut self, fault: Fault) -> Result<(), String> {
        let all = self.members.clone();
        let why = |why: String| format!("{}: {why}", fault.name());
        fault.prepare(self).map_err(why)?;
        self.shared.take_gap(&all);
        if self.options.is_alone {
            // Without other nodes, everything of the node is out of touch.
            self.disturb(0, 20_000);
        }
        let began_at = self.shared.now();
        let Began { since, mut later, waits_for_all } = fault.begin(self).map_err(why)?;
        later.sort_by_key(|later| std::cmp::Reverse(later.after));
        let (mut recovered, mut over_at) = (None, self.shared.now());
        while recovered.is_none() || !later.is_empty() {
            let now = self.shared.now();
            if let Some(next) = later.pop_if(|next| began_at + next.after <= now) {
                (next.deed)(self).map_err(why)?;
                over_at = self.shared.now();
            }
            let is_well =
                self.shared.is_fresh(&self.members, since) && (!waits_for_all || self.all_listen());
            if is_well && recovered.is_none() {
                recovered = Some(self.shared.now());
            }
            if now > over_at + PATIENCE && now > began_at + PATIENCE {
                return Err(why(self.why_not_well(since)));
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.settle(fault.name())?;
        let record = Record {
            fault: fault.name().to_owned(),
            at: began_at,
            held: over_at - began_at,
            recovery: recovered.unwrap_or(over_at) - began_at,
            stall: self.shared.take_gap(&all),
        };
        eprintln!(
            "{:>8.1} s  {:<22} recovery {:>6} ms, stall {:>6} ms, {} texts, {} violations",
            to_seconds(record.at),
            record.fault,
            record.recovery,
            record.stall,
            self.shared.texts.load(SeqCst),
            self.shared.violations.load(SeqCst) + self.violations.len(),
        );
        self.records.push(record);
        Ok(())
    }

    fn all_listen(&self) -> bool {
        // The probe of the spare node has no node to be at, and some cut themselves off all the time.
        let all = self.options.clients + self.members.len();
        self.shared.listening.load(SeqCst) >= all - all / 30
    }

    fn why_not_well(&self, since: u64) -> String {
        let stale = self.shared.stale(&self.members, since);
        let who = stale.map(|(from, to)| {
            format!("no text of {} comes to {}", self.nodes.all[from].name, self.nodes.all[to].name)
        });
        let listening = self.shared.listening.load(SeqCst);
        format!("not well after {} s: {who:?}, {listening} clients in their room", PATIENCE / 1_000)
    }

    /// Waits until texts that are sent after this come to every node.
    pub fn wait_until_fresh(&self, since: u64) -> Result<(), String> {
        let until = self.shared.now() + PATIENCE;
        while !self.shared.is_fresh(&self.members, since) {
            if self.shared.now() > until {
                return Err(self.why_not_well(since));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until everybody is where they should be: processes, roles of Redis, nodes, clients.
    fn settle(&mut self, after: &str) -> Result<(), String> {
        let until = self.shared.now() + PATIENCE;
        let why = loop {
            let why = match self.is_settled() {
                Ok(()) => break None,
                Err(why) => why,
            };
            self.bury();
            if self.shared.now() > until {
                break Some(why);
            }
            thread::sleep(Duration::from_millis(50));
        };
        if let Some(why) = why {
            return Err(format!("{} s after {after}: {why}", PATIENCE / 1_000));
        }
        self.wait_until_fresh(self.shared.now())
    }

    fn is_settled(&mut self) -> Result<(), String> {
        if let Some(engine) = &self.engine {
            engine.is_settled()?;
        }
        for &node in &self.members {
            self.nodes.health(node)?;
        }
        if !self.all_listen() {
            return Err(format!(
                "{} clients are in their room",
                self.shared.listening.load(SeqCst)
            ));
        }
        Ok(())
    }

    /// Reports processes that have ended by themselves, and starts the nodes again.
    fn bury(&mut self) {
        let mut dead = self.nodes.dead();
        dead.extend(self.engine.iter_mut().flat_map(Engine::dead));
        for name in dead {
            self.violation(&name, "has ended by itself".to_owned());
            if let Some(node) = self.nodes.all.iter().position(|node| node.name == name) {
                let _ = self.nodes.start(node, None);
            }
        }
    }

    pub fn violation(&mut self, who: &str, what: String) {
        let (who, at) = (who.to_owned(), self.shared.now());
        self.violations.push(Violation { kind: Kind::NotRecovered, who, what, at });
    }

    /// Has the crowd rest, and waits until nobody has to wait for an answer any more.
    pub fn rest(&mut self) {
        self.tell(Command::Rest);
        let until = self.shared.now() + PATIENCE;
        // Some rounds of the crowd, so that the numbers are of now.
        thread::sleep(Duration::from_millis(10 * ROUND));
        while self.shared.unrested.load(SeqCst) > 0 {
            if self.shared.now() > until {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.tell(Command::End);
    }
}

impl Began {
    /// Does this so many milliseconds after the beginning.
    pub fn then(
        mut self,
        after: u64,
        deed: impl FnOnce(&mut Conductor) -> Result<(), String> + 'static,
    ) -> Self {
        self.later.push(Later::new(after, deed));
        self
    }

    /// It is over once all clients are in their room again.
    pub fn until_all_listen(mut self) -> Self {
        self.waits_for_all = true;
        self
    }
}

impl Later {
    pub fn new(
        after: u64,
        deed: impl FnOnce(&mut Conductor) -> Result<(), String> + 'static,
    ) -> Self {
        Self { after, deed: Box::new(deed) }
    }
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "after {} ms", self.after)
    }
}

impl std::fmt::Debug for Began {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "since {}: {:?}", self.since, self.later)
    }
}

#[allow(clippy::cast_precision_loss)]
fn to_seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
