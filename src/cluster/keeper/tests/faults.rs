//! What dies meanwhile, and what is lost.

use super::*;
use crate::chat::{Action, EntryId, Erasure, NodeId, Request};

#[test]
fn after_redis_was_killed_nothing_is_missing() {
    let Some(mut server) = start() else { return };
    let keeper = Running::start(&server);
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=50);
    eventually("it is kept", || kept(&server, LOBBY).len() >= 10);
    server.kill();
    server.restart();
    node.reconnect();
    node.say(51..=100);
    eventually("all of it is kept", || kept(&server, LOBBY) == said(1..=100));
    keeper.stop();
    let replica = load(&server).unwrap();
    assert_eq!(replica.nodes.place(), node.place());
    assert_eq!(replica.chat.last_seq(LOBBY), 100);
}

#[test]
fn a_keeper_that_dies_before_the_snapshot_does_no_harm() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=10);
    let mut steps = Steps::begin(&server);
    steps.keep();
    let digest = load(&server).unwrap().nodes.digest();
    node.say(11..=20);
    steps.read();
    steps.write();
    drop(steps);
    assert_eq!(kept(&server, LOBBY), said(1..=20));
    assert_eq!(load(&server).unwrap().nodes.digest(), digest, "the snapshot is older");
    node.say(21..=30);
    let mut next = Steps::begin(&server);
    next.keep();
    assert_eq!(kept(&server, LOBBY), said(1..=30));
    assert_eq!(load(&server).unwrap().chat.last_seq(LOBBY), 30);
}

#[test]
fn two_keepers_at_once_do_no_harm() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    let (mut one, mut other) = (Steps::begin(&server), Steps::begin(&server));
    for turn in 0..6 {
        node.say(turn * 10 + 1..=turn * 10 + 10);
        one.read();
        other.read();
        one.write();
        node.say_text("between");
        node.act(Action::Erased { what: Erasure::Before(0), reach: vec![(LOBBY, 1)] });
        other.read();
        other.write();
        // One is late, and saves what is older than what the other has saved.
        other.save();
        one.save();
        one.read();
        one.write();
    }
    let numbers: Vec<u64> = kept(&server, LOBBY).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(numbers, (1..=66).collect::<Vec<_>>());
    let replica = followed(&server);
    assert_eq!(replica.nodes.place(), node.place());
    assert_eq!(replica.chat.last_seq(LOBBY), 66);
    let pieces = server.cli(&["keys", "{wschat}:snap:*"]);
    assert_eq!(pieces.lines().count(), 2, "{pieces}");
}

/// The log loses all that came after this place, as after a failover to a replica that was behind.
fn lose_after(server: &TestServer, place: EntryId) {
    let engine = server.engine();
    let mut connection = engine.master().unwrap();
    let lost = connection.read(engine.keys(), place, 1_000, Duration::ZERO).unwrap();
    let mut delete = cmd("XDEL");
    delete.arg(engine.keys().log());
    for entry in &lost {
        delete.arg(format!("{}-{}", entry.id.term, entry.id.n));
    }
    connection.call(&delete).unwrap();
    let mut id = cmd("XSETID");
    id.arg(engine.keys().log()).arg(format!("{}-{}", place.term, place.n));
    connection.call(&id).unwrap();
}

/// A keeper whose rooms have what the log then loses. Returns it, and where the log goes on.
fn with_a_loss(server: &TestServer, is_erased: bool) -> (Steps, EntryId) {
    let mut node = TestNode::join(server, LOBBY);
    node.say(1..=5);
    let mut steps = Steps::begin(server);
    steps.keep();
    node.say(6..=10);
    let last = node.place();
    node.say_text("lost");
    node.say_text("lost, too");
    if is_erased {
        node.act(Action::Erased { what: Erasure::Room(LOBBY), reach: vec![(LOBBY, 11)] });
    }
    node.ask(Request::CreateRoom("Lost".to_owned()));
    node.ask(Request::EnterRoom(RoomId(3)));
    node.say_text("lost");
    steps.read();
    steps.write();
    assert_eq!(kept(server, LOBBY).len(), if is_erased { 1 } else { 12 });
    assert_eq!(kept(server, RoomId(3)).len(), 1);
    lose_after(server, last);
    // Another node says something else, and is in another room 3.
    let mut other = TestNode::join_as(server, NodeId(2), LOBBY, node.place());
    assert!(other.place().term > last.term);
    other.say(11..=12);
    other.ask(Request::CreateRoom("Another".to_owned()));
    (steps, other.place())
}

#[test]
fn what_the_log_has_lost_goes_out_of_the_rooms() {
    for is_erased in [true, false] {
        let Some(server) = start() else { return };
        let (mut steps, place) = with_a_loss(&server, is_erased);
        steps.keep();
        // What a lost erasure took of before the snapshot is gone; otherwise it stays.
        let first = if is_erased { 6 } else { 1 };
        assert_eq!(kept(&server, LOBBY), said(first..=12));
        assert_eq!(kept(&server, RoomId(3)), []);
        let replica = load(&server).unwrap();
        assert_eq!(replica.nodes.place(), place);
        assert_eq!(replica.chat.last_seq(LOBBY), 12);
    }
}

#[test]
fn what_a_failover_has_lost_of_the_rooms_is_written_again() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=5);
    let mut steps = Steps::begin(&server);
    steps.keep();
    node.say(6..=10);
    steps.read();
    steps.write();
    // The new master has the log, and not all of what the keeper wrote after it.
    server.cli(&["xdel", "{wschat}:h:1", "8-0", "9-0", "10-0"]);
    server.cli(&["xsetid", "{wschat}:h:1", "7-0"]);
    assert_eq!(kept(&server, LOBBY), said(1..=7));
    let mut steps = steps.reconnect();
    node.say([11]);
    steps.keep();
    assert_eq!(kept(&server, LOBBY), said(1..=11));
}

#[test]
fn an_entry_that_makes_nodes_panic_is_skipped() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say([1]);
    let place = node.place();
    server.cli(&["sadd", "{wschat}:poisoned", &format!("{}-{}", place.term, place.n)]);
    let mut steps = Steps::begin(&server);
    steps.keep();
    assert_eq!(kept(&server, LOBBY), []);
    let replica = load(&server).unwrap();
    assert_eq!((replica.nodes.place(), replica.chat.last_seq(LOBBY)), (place, 0));
    assert_eq!(replica.nodes.skipped().collect::<Vec<_>>(), [place]);
}

#[test]
fn a_log_without_its_snapshot_is_not_followed() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    let mut steps = Steps::begin(&server);
    for seq in 1..=3 {
        node.say([seq]);
        steps.keep();
    }
    server.cli(&["del", "{wschat}:snap"]);
    let mut steps = Steps::begin(&server);
    let error = steps.follower.read(&mut steps.connection, steps.engine.keys()).unwrap_err();
    assert!(matches!(error, KeeperError::Behind), "{error:?}");
}

#[test]
fn what_cannot_be_written_is_written_later() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=10);
    let mut steps = Steps::begin(&server);
    steps.read();
    server.cli(&["config", "set", "maxmemory", "1"]);
    let error = steps.follower.write(&mut steps.connection, steps.engine.keys()).unwrap_err();
    assert_eq!(error.code(), Some("OOM"), "{error}");
    assert_eq!(kept(&server, LOBBY), []);
    server.cli(&["config", "set", "maxmemory", "0"]);
    let mut steps = steps.reconnect();
    steps.keep();
    assert_eq!(kept(&server, LOBBY), said(1..=10));
}
