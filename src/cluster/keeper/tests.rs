//! Keepers at work on a real Redis, with a node that says something.

mod faults;
mod node;
mod rooms;

use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::super::redis::test_server::{TestServer, eventually, start};
use super::super::replica::Replica;
use super::super::store;
use super::*;
use crate::chat::{Content, RoomId};
use crate::history::contract_test::EVERYTHING;
pub(in crate::cluster) use node::TestNode;

pub(in crate::cluster) const LOBBY: RoomId = RoomId(1);
pub(in crate::cluster) const BAR: RoomId = RoomId(2);

/// A keeper's thread.
struct Running {
    figures: Arc<Figures>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(server: &TestServer) -> Self {
        let figures = Arc::<Figures>::default();
        let retention = SharedRetention::new(EVERYTHING);
        let keeper = Keeper::new(server.engine(), "node", retention, figures.clone());
        let (stop, stopped) = bounded(0);
        let thread = Some(thread::spawn(move || keeper.run(&stopped)));
        Self { figures, stop: Some(stop), thread }
    }

    fn is_keeper(&self) -> bool {
        self.figures.is_keeper.load(Ordering::Relaxed)
    }

    /// Stops it cleanly.
    fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a keeper's thread does, step by step. It has no lease.
pub(in crate::cluster) struct Steps {
    pub(in crate::cluster) engine: Engine,
    connection: Connection,
    follower: Follower,
    figures: Figures,
}

impl Steps {
    pub(in crate::cluster) fn begin(server: &TestServer) -> Self {
        let engine = server.engine();
        let mut connection = engine.master().unwrap();
        let follower = Follower::load(&mut connection, engine.keys()).unwrap();
        Self { engine, connection, follower, figures: Figures::default() }
    }

    /// Goes on with another connection.
    fn reconnect(self) -> Self {
        let Self { engine, figures, .. } = self;
        let mut connection = engine.master().unwrap();
        let follower = Follower::load(&mut connection, engine.keys()).unwrap();
        Self { engine, connection, follower, figures }
    }

    pub(in crate::cluster) fn read(&mut self) {
        while self.follower.read(&mut self.connection, self.engine.keys()).unwrap() {}
    }

    /// Whether the log has what comes after the snapshot.
    pub(in crate::cluster) fn has_what_follows(&mut self) -> bool {
        match self.follower.read(&mut self.connection, self.engine.keys()) {
            Ok(_) => true,
            Err(KeeperError::Behind) => false,
            Err(error) => panic!("{error}"),
        }
    }

    pub(in crate::cluster) fn write(&mut self) {
        self.follower.write(&mut self.connection, self.engine.keys()).unwrap();
    }

    pub(in crate::cluster) fn save(&mut self) {
        self.follower.save(&mut self.connection, self.engine.keys(), &self.figures).unwrap();
    }

    fn upkeep(&mut self, max_age: Option<Duration>) {
        self.follower.upkeep(&mut self.connection, self.engine.keys(), max_age).unwrap();
    }

    /// All of it.
    pub(in crate::cluster) fn keep(&mut self) {
        self.read();
        self.write();
        self.save();
    }
}

/// The texts in a room's stream, each with its number.
fn kept(server: &TestServer, room: RoomId) -> Vec<(u64, String)> {
    let engine = server.engine();
    let mut range = cmd("XRANGE");
    range.arg(engine.keys().room(room)).arg("-").arg("+");
    let reply = engine.master().unwrap().call(&range).unwrap();
    let entries = super::super::replies::room_entries(&reply).unwrap().into_iter();
    let text = |(seq, bytes): (u64, Vec<u8>)| {
        let said = super::super::said::decode(seq, &bytes).unwrap();
        match said.content {
            Content::Text(text) => (seq, text),
            other => panic!("{other:?}"),
        }
    };
    entries.map(text).collect()
}

/// The messages of `TestNode::say` with these numbers.
fn said(seqs: impl IntoIterator<Item = u64>) -> Vec<(u64, String)> {
    seqs.into_iter().map(|seq| (seq, seq.to_string())).collect()
}

fn load(server: &TestServer) -> Option<Replica> {
    let engine = server.engine();
    store::load(&mut engine.master().unwrap(), engine.keys()).unwrap()
}

/// What has applied all that the node has proposed, from the newest snapshot on.
fn followed(server: &TestServer) -> Replica {
    let mut steps = Steps::begin(server);
    steps.read();
    steps.follower.into_replica()
}

#[test]
fn what_is_said_is_kept_and_a_clean_stop_saves_a_snapshot() {
    let Some(server) = start() else { return };
    let keeper = Running::start(&server);
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=50);
    eventually("all of it is kept", || kept(&server, LOBBY) == said(1..=50));
    assert!(keeper.is_keeper());
    assert_eq!(keeper.figures.redis_max_bytes.load(Ordering::Relaxed), 0);
    assert!(keeper.figures.redis_bytes.load(Ordering::Relaxed) > 0);
    let figures = keeper.figures.clone();
    keeper.stop();
    assert!(!figures.is_keeper.load(Ordering::Relaxed));
    let replica = load(&server).unwrap();
    assert_eq!(replica.nodes.place(), node.place());
    assert_eq!(replica.chat.last_seq(LOBBY), 50);
    assert_eq!(figures.snapshot_n.load(Ordering::Relaxed), node.place().n);
    assert_eq!(figures.snapshot_bytes.load(Ordering::Relaxed), replica.write().len() as u64,);
    assert_eq!(server.cli(&["exists", "{wschat}:keeper"]).trim(), "0", "the lease is given back");
}

#[test]
fn the_log_is_trimmed_to_the_older_of_two_snapshots() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    let mut steps = Steps::begin(&server);
    let mut places = Vec::new();
    for seq in 1..=3 {
        node.say([seq]);
        steps.keep();
        places.push(node.place());
    }
    assert_eq!(load(&server).unwrap().nodes.place(), places[2]);
    let log = server.cli(&["xrange", "{wschat}:log", "-", "+"]);
    assert!(log.contains(&format!("{}-{}", places[1].term, places[1].n)), "{log}");
    assert!(!log.contains(&format!("{}-{}", places[0].term, places[0].n)), "{log}");
    assert_eq!(steps.figures.trimmed.load(Ordering::Relaxed), places[1].n - 1);
    let pieces = server.cli(&["keys", "{wschat}:snap:*"]);
    assert_eq!(pieces.lines().count(), 2, "{pieces}");
    // Nothing has happened since.
    steps.save();
    assert_eq!(server.cli(&["keys", "{wschat}:snap:*"]), pieces);
}

#[test]
fn whoever_waits_knows_the_keeper_and_the_newest_snapshot() {
    let Some(server) = start() else { return };
    let node = TestNode::join(&server, LOBBY);
    Steps::begin(&server).keep();
    let one = Running::start(&server);
    eventually("it is at work", || one.is_keeper());
    let two = Running::start(&server);
    eventually("it has looked", || two.figures.snapshot_at.load(Ordering::Relaxed) != 0);
    assert!(!two.is_keeper());
    assert_eq!(two.figures.keeper().as_deref(), Some("node"));
    assert_eq!(two.figures.snapshot_n.load(Ordering::Relaxed), node.place().n);
    let bytes = load(&server).unwrap().write().len() as u64;
    assert_eq!(two.figures.snapshot_bytes.load(Ordering::Relaxed), bytes);
}

#[test]
fn another_keeper_takes_over() {
    let Some(server) = start() else { return };
    let one = Running::start(&server);
    eventually("one is at work", || one.is_keeper());
    let other = Running::start(&server);
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=10);
    eventually("it is kept", || kept(&server, LOBBY) == said(1..=10));
    assert!(!other.is_keeper());
    one.stop();
    node.say(11..=20);
    eventually("the other is at work", || kept(&server, LOBBY) == said(1..=20));
    assert!(other.is_keeper());
    // Somebody takes the lease away.
    server.cli(&["set", "{wschat}:keeper", "somebody else"]);
    eventually("it has lost the lease", || !other.is_keeper());
    node.say(21..=30);
    server.cli(&["del", "{wschat}:keeper"]);
    eventually("it is at work again", || kept(&server, LOBBY) == said(1..=30));
}
