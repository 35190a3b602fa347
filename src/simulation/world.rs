//! The server's parts and its clients, and what may happen next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::client::SimClient;
use super::connection::{Phase, SimConnection, Uplink};
use super::coverage::Coverage;
use super::expected::ExpectedDelivery;
use super::random::Dice;
use super::recorder::{RecordingLog, Tape};
use super::store::FaultyStore;
use super::view::ClientView;
use crate::chat::{Chat, ConnectionId, NodeId, Rules, Stored, Version};
use crate::delivery::Delivery;
use crate::dispatcher::{Dispatcher, Parts, Saver};
use crate::history::Retention;
use crate::input::Input;
use crate::lobby::Lobby;
use crate::log::Now;
use crate::memory::Memory;
use crate::outbox::{Flusher, FlusherThread, Outbox, Piece, memory_outbox};
use crate::protocol::{AdvertisedLimits, CloseReason, ServerInfo, ping_frame};
use crate::recall::{Recall, RecallThread};

/// How many answers may be on their way to the dispatcher.
const MAX_RESULTS: usize = 8;

/// RFC 6455 §5.5: a control frame has at most 125 bytes behind its header.
const MAX_CLOSE_FRAME_BYTES: usize = 127;

/// Unix time in milliseconds at the start.
const START_TIME: u64 = 1_800_000_000_000;

/// Everything of one run.
pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) coverage: Coverage,
    pub(super) at: Duration,
    pub(super) sizes: Sizes,
    pub(super) rules: Rules,
    pub(super) retention: Retention,
    pub(super) dispatcher: Dispatcher<RecordingLog>,
    /// Inputs on their way to the dispatcher.
    pub(super) mailbox: VecDeque<Input>,
    pub(super) recall: RecallThread,
    pub(super) flusher: FlusherThread,
    flusher_handle: Arc<Flusher>,
    pub(super) store: FaultyStore,
    epoch: String,
    tape: Tape,
    pub(super) expected: ExpectedDelivery,
    pub(super) clients: Vec<SimClient>,
    pub(super) connections: BTreeMap<ConnectionId, SimConnection>,
    last_connection: u64,
    pub(super) outboxes: Vec<Weak<Outbox>>,
    /// Prints what happens.
    pub(super) is_traced: bool,
    /// Nothing fails any more.
    pub(super) is_settling: bool,
}

/// Limits of the server that differ from run to run.
pub(super) struct Sizes {
    pub(super) outbox_bytes: usize,
    pub(super) tick_bytes: usize,
    pub(super) frame_bytes: usize,
    pub(super) on_enter: usize,
}

impl Sizes {
    fn new(dice: &mut Dice) -> Self {
        Self {
            outbox_bytes: dice.pick(&[1_500, 3_000, 20_000]),
            tick_bytes: dice.pick(&[300, 1_000, 5_000]),
            frame_bytes: dice.pick(&[1_500, 4_000, 20_000]),
            on_enter: dice.index(6),
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, is_traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let sizes = Sizes::new(&mut dice);
        let rules = rules(&mut dice);
        let retention = Retention {
            max_events: rules.max_kept,
            max_age: None,
            max_memory_bytes: dice.pick(&[3_000, 1_000_000, 1_000_000]),
            max_references: rules.max_references,
            max_file_bytes: 0,
        };
        let store = FaultyStore::open(retention);
        let epoch: Arc<str> = store.epoch().into();
        let mut saver = Saver::new(Box::new(store.clone()), Arc::default());
        let (chat, effects) = Chat::restore(rules.clone(), Stored::default());
        saver.begin(&chat, effects).unwrap();
        let (recall, recall_thread) =
            Recall::new(Box::new(store.clone()), epoch.clone(), sizes.on_enter, Arc::default());
        let list_interval = dice.pick(&[Duration::ZERO, Duration::from_millis(500)]);
        let tape = Tape::default();
        let parts = Parts {
            log: RecordingLog::new(tape.clone()),
            chat,
            lobby: Lobby::new(NodeId(0), list_interval, epoch.clone(), sizes.frame_bytes),
            saver,
            delivery: Delivery::new(ServerInfo::sample(), epoch.clone(), Memory::plenty()),
            recall,
            metrics: Arc::default(),
        };
        let dispatcher = Dispatcher::new(parts, sizes.tick_bytes);
        let (flusher_handle, flusher) = Flusher::new(Memory::plenty()).unwrap();
        let clients = (0..dice.index(6) + 2).map(|number| {
            let version = dice.pick(&[Version::Base, Version::V2, Version::V2]);
            SimClient::new(number, version, dice.percent(60))
        });
        Self {
            clients: clients.collect(),
            expected: ExpectedDelivery::new(&rules, &epoch, sizes.frame_bytes, dice.below(150)),
            dice,
            coverage: Coverage::default(),
            at: Duration::ZERO,
            sizes,
            rules,
            retention,
            dispatcher,
            mailbox: VecDeque::new(),
            recall: recall_thread,
            flusher,
            flusher_handle: Arc::new(flusher_handle),
            store,
            epoch: epoch.to_string(),
            tape,
            connections: BTreeMap::new(),
            last_connection: 0,
            outboxes: Vec::new(),
            is_traced,
            is_settling: false,
        }
    }

    /// One thing happens, whichever.
    pub(super) fn step(&mut self) {
        self.at += Duration::from_millis(self.dice.below(40));
        match self.dice.below(100) {
            0..34 => self.client_acts(),
            34..54 => self.some_session_runs(),
            54..70 => self.tick_some(),
            70..76 => {
                self.recall_answers();
            }
            76..81 => self.flusher_works(),
            81..93 => self.some_client_reads(),
            _ => self.fault(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let millis = u64::try_from(self.at.as_millis()).unwrap();
        Now { at: self.at, time: START_TIME + millis }
    }

    /// One of those for which this holds.
    pub(super) fn some_connection(
        &mut self,
        is_meant: impl Fn(&SimConnection) -> bool,
    ) -> Option<ConnectionId> {
        let meant = self.connections.values().filter(|connection| is_meant(connection));
        let ids: Vec<ConnectionId> = meant.map(|connection| connection.id).collect();
        (!ids.is_empty()).then(|| self.dice.pick(&ids))
    }

    /// A client connects, sends something, closes the connection, or connects a second time.
    fn client_acts(&mut self) {
        let index = self.dice.index(self.clients.len());
        let Some(id) = self.clients[index].current else {
            return self.connect(index);
        };
        let can_resume = self.clients[index].memory.secret.is_some();
        match self.dice.below(100) {
            0..2 if can_resume => self.connect(index),
            2..4 => self.leave(id),
            _ => self.send_requests(id),
        }
    }

    /// A client opens a connection, with its secret if it has one.
    pub(super) fn connect(&mut self, index: usize) {
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let client = &mut self.clients[index];
        client.current = Some(id);
        let max_queued = self.sizes.outbox_bytes;
        let (outbox, socket) = memory_outbox(id, max_queued, &self.flusher_handle);
        self.outboxes.push(Arc::downgrade(&outbox));
        let may_be_slow = self.dice.percent(40) && !self.is_settling;
        let window = may_be_slow.then(|| 1 + self.dice.index(1_000));
        socket.set_room(window.unwrap_or(usize::MAX));
        let connection = SimConnection {
            id,
            client: index,
            version: client.version,
            offered: client.memory.secret.clone(),
            fresh: format!("{:032x}", id.0),
            uplink: VecDeque::new(),
            phase: Phase::Handshake,
            socket,
            outbox: Some(outbox),
            received: Vec::new(),
            window,
            may_be_slow,
            is_reading: true,
            is_gone: false,
            is_closed: false,
            view: ClientView::new(id, client.version, self.sizes.frame_bytes),
        };
        self.connections.insert(id, connection);
    }

    /// A client closes its connection and waits for the answer.
    pub(super) fn leave(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.is_ready() {
            connection.leave();
            self.clients[connection.client].current = None;
        }
    }

    pub(super) fn send_requests(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.is_ready() {
            return;
        }
        let client = &mut self.clients[connection.client];
        let is_behind = client.memory.unacknowledged.iter().any(|it| it.sent_on != Some(id));
        if is_behind && self.dice.percent(40) {
            let again = client.send_again(connection, usize::MAX);
            connection.uplink.extend(again.into_iter().map(Uplink::Text));
            self.coverage.hit("sent again");
            return;
        }
        for _ in 0..=self.dice.below(4) {
            let request = client.next_request(connection, &self.epoch, &mut self.dice);
            connection.uplink.push_back(Uplink::Text(request));
        }
    }

    /// Enters again, or sends again some of what is not acknowledged.
    pub(super) fn catch_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.is_ready() {
            return;
        }
        let client = &mut self.clients[connection.client];
        let requests = match client.reenter_room(connection, &self.epoch) {
            Some(request) => vec![request],
            // Not so many at once that a small outbox is full.
            None => client.send_again(connection, 3),
        };
        connection.uplink.extend(requests.into_iter().map(Uplink::Text));
    }

    fn some_session_runs(&mut self) {
        let is_meant = |it: &SimConnection| match it.phase {
            Phase::Open => {
                let is_ending = it.outbox.as_ref().is_some_and(|outbox| outbox.ending().is_some());
                !it.uplink.is_empty() || it.is_gone || is_ending
            }
            Phase::Handshake | Phase::Ended(_) => true,
            Phase::Over => false,
        };
        if let Some(id) = self.some_connection(is_meant) {
            for _ in 0..=self.dice.below(4) {
                self.session_runs(id);
            }
        }
    }

    /// A session completes its handshake, or takes what comes next.
    pub(super) fn session_runs(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.phase == Phase::Handshake {
            if connection.is_gone {
                self.connections.remove(&id);
            } else {
                self.mailbox.push_back(connection.connect());
            }
            return;
        }
        if let Some(input) = connection.run_session() {
            if matches!(input, Input::Refuse { .. }) {
                self.coverage.hit("malformed request");
            }
            self.mailbox.push_back(input);
        }
        if connection.phase == Phase::Over && (connection.is_gone || connection.is_closed) {
            self.connections.remove(&id);
            self.expected.forget(id);
        }
    }

    fn tick_some(&mut self) {
        let limit = match self.dice.below(3) {
            0 => usize::MAX,
            _ => self.dice.index(6),
        };
        self.tick(limit);
    }

    /// One tick of the dispatcher, with the first input and up to `limit` more.
    pub(super) fn tick(&mut self, limit: usize) {
        let (now, mailbox, mut left) = (self.now(), &mut self.mailbox, limit);
        let full = full_outboxes(self.connections.values());
        let first = mailbox.pop_front();
        self.dispatcher.tick(now, first, || {
            left = left.checked_sub(1)?;
            mailbox.pop_front()
        });
        if left > 0 && limit > 10 && !self.mailbox.is_empty() {
            self.coverage.hit("tick was full");
        }
        let held_back = self.dispatcher.delivery().max_held_back();
        assert!(held_back <= self.sizes.outbox_bytes, "{held_back} bytes are held back");
        for (outbox, queued) in full {
            let is_bounded = outbox.queued() <= queued + MAX_CLOSE_FRAME_BYTES;
            assert!(is_bounded, "a full outbox takes more");
        }
        self.check_tick();
    }

    /// Compares what the tick has led to with what it should have.
    fn check_tick(&mut self) {
        let recorded = std::mem::take(&mut *self.tape.borrow_mut());
        for recorded in recorded {
            if self.is_traced {
                println!("{:?} {recorded:?}", self.at);
            }
            self.expected.take(recorded, &self.store, &mut self.coverage);
        }
        self.expected.end_tick(&self.store);
    }

    /// The thread of `recall` answers a query, unless too many answers are on their way.
    pub(super) fn recall_answers(&mut self) -> bool {
        let is_answer = |input: &&Input| matches!(input, Input::QueryResult { .. });
        if self.mailbox.iter().filter(is_answer).count() >= MAX_RESULTS {
            return false;
        }
        let (_, failed_reads) = self.store.failures();
        let answer = self.recall.next_result();
        if self.store.failures().1 > failed_reads {
            self.coverage.hit("read failed");
        }
        let is_answered = answer.is_some();
        if let Some(Input::QueryResult { connection, .. }) = &answer
            && self.expected.held_back(*connection) > 1
        {
            self.coverage.hit("answer held something back");
        }
        self.mailbox.extend(answer);
        is_answered
    }

    fn flusher_works(&mut self) {
        if self.dice.percent(50) {
            self.flusher.take_next_request();
        } else {
            let watched = self.flusher.watched();
            if !watched.is_empty() {
                let id = self.dice.pick(&watched);
                self.flusher.socket_ready(id);
            }
        }
    }

    fn some_client_reads(&mut self) {
        if let Some(id) = self.some_connection(|it| it.is_reading && !it.is_gone) {
            self.read(id);
        }
    }

    /// The session pings its client.
    pub(super) fn ping(&mut self, id: ConnectionId) {
        let connection = self.connections.get_mut(&id).unwrap();
        let Some(outbox) = connection.outbox.clone().filter(|it| it.ending().is_none()) else {
            return;
        };
        if outbox.send(&[Piece::whole(&ping_frame())]).is_err() {
            let reason = CloseReason::SlowConsumer;
            connection.phase = Phase::Ended(reason);
            self.mailbox.push_back(Input::Disconnect { connection: id, reason });
        }
    }
}

/// The outboxes that take nothing more than a Close frame, and how much each holds.
fn full_outboxes<'a>(
    connections: impl Iterator<Item = &'a SimConnection>,
) -> Vec<(Arc<Outbox>, usize)> {
    let outboxes = connections.filter_map(|connection| connection.outbox.clone());
    let with_queued = outboxes.map(|outbox| {
        let queued = outbox.queued();
        (outbox, queued)
    });
    with_queued.filter(|(outbox, queued)| *queued > outbox.max_queued()).collect()
}

fn rules(dice: &mut Dice) -> Rules {
    Rules {
        rooms: vec!["Lobby".to_owned(), "Bar".to_owned()],
        max_rooms: dice.pick(&[0, 3, 6]),
        max_name_chars: 12,
        max_title_chars: 8,
        max_text_chars: 60,
        empty_room_ttl: Duration::from_secs(dice.pick(&[1, 5])),
        resume_grace: Duration::from_secs(dice.pick(&[0, 2, 5, 60])),
        reload_grace: Duration::from_secs(dice.pick(&[0, 1, 5])),
        max_away: dice.pick(&[1, 3, 100]),
        max_kept: dice.pick(&[2, 8, 100]),
        max_references: usize::MAX,
    }
}

pub(super) fn server_info() -> ServerInfo {
    ServerInfo::new(AdvertisedLimits::sample(), Vec::new())
}
