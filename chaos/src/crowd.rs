//! All clients, on one thread: it connects them, has them talk at the wanted rate, cuts some of them, and
//! keeps the ledger.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use fastrand::Rng;
use mio::{Events, Interest, Poll, Token};

use crate::client::{Client, Mind};
use crate::ledger::{Kind, Ledger};
use crate::shared::{Command, Shared};
use crate::v2::Doings;
use crate::wire::{End, Wire};

/// How long a client waits for an answer, in milliseconds, before it tries another connection.
const PATIENCE: u64 = 6_000;

/// How often all clients are counted and looked at, in milliseconds.
pub const ROUND: u64 = 25;

/// How many clients there are, and what they do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub clients: usize,
    pub rooms: u32,
    /// Texts a second of all clients together.
    pub rate: u64,
    /// About how often a shaky client is cut, in milliseconds.
    pub shake: u64,
}

#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    clients: Vec<Client>,
    pub ledger: Ledger,
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    random: Rng,
    plan: Plan,
    /// When clients have to do something, the next one first.
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    buffer: Vec<u8>,
    is_resting: bool,
    /// Texts that are due, in thousandths.
    due: u64,
    round_at: u64,
    /// How each connection ended.
    log: BufWriter<File>,
}

impl Crowd {
    pub fn new(
        plan: Plan,
        ledger: Ledger,
        shared: Arc<Shared>,
        commands: Receiver<Command>,
        mut random: Rng,
        log: File,
    ) -> io::Result<Self> {
        let probes = shared.doors.len();
        let mut clients = Vec::new();
        for index in 0..probes + plan.clients {
            let home = (index < probes).then_some(index);
            clients.push(Client::new(index, home, plan.rooms, &mut random));
        }
        let spread = 1 + plan.clients as u64;
        let mut timers = BinaryHeap::new();
        for (index, client) in clients.iter_mut().enumerate() {
            client.connect_at =
                shared.now() + if index < probes { 0 } else { random.u64(0..spread) };
            client.act_at = shared.now() + random.u64(plan.shake / 2..plan.shake * 2);
            timers.push(Reverse((client.connect_at, index)));
            timers.push(Reverse((client.act_at, index)));
        }
        Ok(Self {
            poll: Poll::new()?,
            clients,
            ledger,
            shared,
            commands,
            random,
            plan,
            timers,
            buffer: vec![0; 128 << 10],
            is_resting: false,
            due: 0,
            round_at: 0,
            log: BufWriter::new(log),
        })
    }

    /// Runs until it is told to end.
    pub fn run(mut self) -> io::Result<Self> {
        let mut events = Events::with_capacity(1024);
        let mut last = self.shared.now();
        loop {
            match self.poll.poll(&mut events, Some(Duration::from_millis(2))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.ledger.now = self.shared.now();
            for event in &events {
                self.advance(event.token().0);
            }
            for command in self.commands.try_iter().collect::<Vec<_>>() {
                if matches!(command, Command::End) {
                    return Ok(self);
                }
                self.obey(command);
            }
            self.run_timers();
            self.talk(self.ledger.now - last);
            last = self.ledger.now;
            if self.round_at <= last {
                self.round_at = last + ROUND;
                self.look_round();
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Storm { node } => {
                for index in 0..self.clients.len() {
                    if self.clients[index].wire.is_some() && self.clients[index].node == node {
                        self.end(index, &End::Cut);
                    }
                }
            }
            Command::Disturb { node, ms } => {
                self.ledger.people.disturb(node, self.ledger.now + ms);
            }
            Command::Drain { node } => self.ledger.people.drain(node, self.ledger.now),
            Command::Rest => self.is_resting = true,
            Command::End => {}
        }
    }

    fn run_timers(&mut self) {
        let now = self.ledger.now;
        while let Some(Reverse((at, index))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            let client = &mut self.clients[index];
            if client.wire.is_none() && client.connect_at <= now {
                self.connect(index);
            } else if client.retry_at.is_some_and(|at| at <= now) {
                client.retry_at = None;
                let requests = client.retry(now);
                self.send(index, &requests);
            } else if client.act_at <= now {
                client.act_at = now + self.random.u64(self.plan.shake / 2..self.plan.shake * 2);
                self.timers.push(Reverse((client.act_at, index)));
                self.act(index);
            }
        }
    }

    fn connect(&mut self, index: usize) {
        let now = self.ledger.now;
        let node = match self.clients[index].home {
            Some(home) => home,
            None => self.pick_node(),
        };
        let door = &self.shared.doors[node];
        let client = &mut self.clients[index];
        client.node = node;
        if !door.exists.load(SeqCst) {
            return self.connect_later(index, 100);
        }
        let offer = match &client.mind {
            Mind::V2(mind) => Some(mind.offer()),
            Mind::Base(_) => None,
        };
        match Wire::open(door.address, offer.as_deref(), now) {
            Ok(mut wire) => {
                let both = Interest::READABLE | Interest::WRITABLE;
                let registered = self.poll.registry().register(&mut wire.tcp, Token(index), both);
                registered.expect("the socket is new");
                client.wire = Some(wire);
            }
            Err(_) => self.connect_later(index, 200),
        }
    }

    /// A node that a load balancer would choose, or now and then any.
    fn pick_node(&mut self) -> usize {
        let doors = &self.shared.doors;
        let is_strict = self.random.u8(..) > 20;
        let open: Vec<usize> = (0..doors.len())
            .filter(|&node| {
                let door = &doors[node];
                if is_strict { door.is_open.load(SeqCst) } else { door.exists.load(SeqCst) }
            })
            .collect();
        self.random.choice(open).unwrap_or(0)
    }

    fn connect_later(&mut self, index: usize, ms: u64) {
        let at = self.ledger.now + ms;
        self.clients[index].connect_at = at;
        self.timers.push(Reverse((at, index)));
    }

    fn advance(&mut self, index: usize) {
        let Client { mind, wire, node, home, .. } = &mut self.clients[index];
        let Some(wire) = wire else { return };
        let mut doings = Doings::default();
        let (ledger, node) = (&mut self.ledger, *node);
        let result = wire.advance(&mut self.buffer, |frame, requests| {
            match mind {
                Mind::V2(mind) => mind.take(frame, node, ledger, &mut doings),
                Mind::Base(mind) => mind.take(frame, node, ledger, &mut doings),
            }
            requests.append(&mut doings.requests);
        });
        if let Some(home) = *home {
            for (from, sent_at, gap) in self.ledger.heard.drain(..) {
                self.shared.hear(from, home, sent_at, gap);
            }
        }
        if let Some(at) = doings.retry_at {
            self.clients[index].retry_at = Some(at);
            self.timers.push(Reverse((at, index)));
        }
        match result {
            Ok(()) => {
                if self.clients[index].is_listening() {
                    self.clients[index].failures = 0;
                }
            }
            Err(end) => self.end(index, &end),
        }
    }

    fn send(&mut self, index: usize, requests: &[String]) {
        let Some(wire) = &mut self.clients[index].wire else { return };
        for request in requests {
            wire.push(request);
        }
        if let Err(end) = wire.flush() {
            self.end(index, &end);
        }
    }

    fn end(&mut self, index: usize, end: &End) {
        let client = &mut self.clients[index];
        client.wire = None;
        client.retry_at = None;
        let is_own = match end {
            End::Cut | End::Closed { code: 1011 | 1013, .. } => true,
            End::Closed { .. } | End::Lost(_) => false,
        };
        let mut is_overtaken = false;
        match &mut client.mind {
            Mind::V2(mind) => {
                mind.gone(is_own, &mut self.ledger);
                if matches!(end, End::Closed { code: 4001, .. }) {
                    is_overtaken = mind.was_overtaken();
                }
            }
            Mind::Base(mind) => mind.gone(&mut self.ledger),
        }
        client.failures += 1;
        let (name, node, now) = (client.name().to_owned(), client.node + 1, self.ledger.now);
        // It only helps to understand what happened.
        let _ = writeln!(self.log, "{now} {name} at node{node}: {end}");
        if let End::Closed { code, reason } = end {
            self.ledger.counts.replaced += u64::from(*code == 4001);
            self.ledger.counts.slow_consumers += u64::from(reason == "slow consumer");
            let is_allowed = matches!(code, 1001 | 1011 | 1012 | 1013) || is_overtaken;
            if !is_allowed {
                self.ledger.violation(Kind::Closed, &name, format!("{end}"));
            }
        }
        let wait = match (client.home, end) {
            (Some(_), _) => 20,
            (None, End::Closed { .. }) => 50 + self.random.u64(..900),
            (None, _) => 20 + self.random.u64(..300 << client.failures.min(3)),
        };
        self.connect_later(index, wait);
    }

    /// A restless client changes its room; a shaky one cuts its connection, perhaps within a request.
    fn act(&mut self, index: usize) {
        let (rooms, is_resting) = (self.plan.rooms, self.is_resting);
        let client = &mut self.clients[index];
        if is_resting || client.home.is_some() || client.wire.is_none() {
            return;
        }
        let mut requests = Vec::new();
        if let Mind::V2(mind) = &mut client.mind
            && mind.habits.is_restless
            && mind.is_listening()
            && !mind.has_pending()
        {
            requests.push(mind.enter(self.random.u32(1..=rooms)));
            return self.send(index, &requests);
        }
        if !client.is_shaky {
            return;
        }
        if client.is_ready(4) {
            requests.push(client.say(&mut self.ledger));
        }
        let Some(wire) = &mut client.wire else { return };
        for request in &requests {
            wire.push(request);
        }
        match self.random.u8(0..3) {
            0 => wire.flush_part(usize::MAX),
            1 => {
                wire.flush_part(self.random.usize(..90));
                wire.reset();
            }
            _ => wire.reset(),
        }
        self.end(index, &End::Cut);
    }

    /// Has clients say something, as many as are due after so many milliseconds.
    fn talk(&mut self, elapsed: u64) {
        let probes = self.shared.doors.len();
        if self.is_resting {
            return;
        }
        for index in 0..probes {
            if self.clients[index].is_ready(1) && self.ledger.now >= self.clients[index].say_at {
                self.clients[index].say_at = self.ledger.now + 10;
                let request = self.clients[index].say(&mut self.ledger);
                self.send(index, &[request]);
            }
        }
        self.due = (self.due + elapsed * self.plan.rate).min(self.plan.rate * 200);
        while self.due >= 1_000 && self.plan.clients > 0 {
            self.due -= 1_000;
            let index = probes + self.random.usize(..self.plan.clients);
            if self.clients[index].is_ready(4) {
                let request = self.clients[index].say(&mut self.ledger);
                self.send(index, &[request]);
            }
        }
    }

    /// Looks at all clients: those that have waited for too long give their connection up.
    fn look_round(&mut self) {
        let now = self.ledger.now;
        let mut listening = 0;
        for index in 0..self.clients.len() {
            let client = &self.clients[index];
            listening += usize::from(client.is_listening());
            let Some(wire) = &client.wire else { continue };
            let since = if client.is_listening() {
                client.waits_since().unwrap_or(now)
            } else {
                wire.opened_at
            };
            if since + PATIENCE < now {
                self.ledger.counts.impatient += 1;
                self.end(index, &End::Cut);
            }
        }
        self.shared.listening.store(listening, SeqCst);
        self.shared.unrested.store(self.unrested().len(), SeqCst);
        self.shared.violations.store(self.ledger.violations.len(), SeqCst);
        self.shared.texts.store(self.ledger.counts.acknowledged, SeqCst);
    }

    /// What can be checked at the end only.
    pub fn check_stays(&mut self) {
        for client in &self.clients {
            if let Mind::Base(mind) = &client.mind {
                mind.check_stays(&mut self.ledger);
            }
        }
    }

    /// Clients that are not in their room or wait for an answer, except probes of nodes that do not serve.
    pub fn unrested(&self) -> Vec<String> {
        let doors = &self.shared.doors;
        let serves = |home: usize| doors[home].is_open.load(SeqCst);
        let clients = self.clients.iter().filter(|client| client.home.is_none_or(serves));
        let unrested = clients.filter(|client| !client.is_ready(1));
        unrested.map(|client| client.name().to_owned()).collect()
    }
}
