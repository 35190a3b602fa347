use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::keeper::tests::{LOBBY, Steps, TestNode};
use super::super::redis::Engine;
use super::super::redis::test_server::{TestServer, start};
use super::*;
use crate::chat::{Action, Rules};

fn connect(server: &TestServer) -> (Engine, Connection) {
    let engine = server.engine();
    let connection = engine.master().unwrap();
    (engine, connection)
}

/// Saves snapshots of several pieces after each of these numbers was said.
fn save_after(server: &TestServer, texts: impl IntoIterator<Item = u64>) -> Vec<EntryId> {
    let mut node = TestNode::join(server, LOBBY);
    let long = "x".repeat(PIECE_BYTES);
    node.act(Action::SetRules(Box::new(Rules::sample(&["Lobby", &long]))));
    let mut steps = Steps::begin(server);
    let save = |text| {
        node.say([text]);
        steps.keep();
        node.place()
    };
    texts.into_iter().map(save).collect()
}

#[test]
fn there_is_nothing_at_first() {
    let Some(server) = start() else { return };
    let (engine, mut connection) = connect(&server);
    assert!(load(&mut connection, engine.keys()).unwrap().is_none());
}

#[test]
fn a_snapshot_of_several_pieces_is_read_back() {
    let Some(server) = start() else { return };
    let (engine, mut connection) = connect(&server);
    let places = save_after(&server, [1]);
    let replica = load(&mut connection, engine.keys()).unwrap().unwrap();
    assert_eq!(replica.nodes.place(), places[0]);
    assert!(replica.write().len() > PIECE_BYTES);
    let pieces = server.cli(&["keys", "{wschat}:snap:*"]);
    assert_eq!(pieces.lines().count(), replica.write().len().div_ceil(PIECE_BYTES));
    // The log stays as it is while there is nothing older.
    assert_eq!(server.cli(&["xlen", "{wschat}:log"]).trim(), places[0].n.to_string());
}

#[test]
fn one_that_is_torn_is_skipped() {
    let Some(server) = start() else { return };
    let (engine, mut connection) = connect(&server);
    let places = save_after(&server, 1..=3);
    let piece = |place: EntryId, index| engine.keys().piece(place.n, index);
    let damages: [&[&str]; 3] = [
        &["setrange", &piece(places[2], 0), "500", "\u{1}"],
        &["append", &piece(places[2], 1), "more"],
        &["del", &piece(places[2], 1)],
    ];
    for damage in damages {
        server.cli(damage);
        let replica = load(&mut connection, engine.keys()).unwrap().unwrap();
        assert_eq!(replica.nodes.place(), places[1], "{damage:?}");
    }
    // The log still has all that follows.
    let mut steps = Steps::begin(&server);
    steps.keep();
    server.cli(&["del", &piece(places[1], 0)]);
    let error = load(&mut connection, engine.keys()).err().unwrap().to_string();
    let listed =
        format!("{}-{} and {}-{}", places[2].term, places[2].n, places[1].term, places[1].n);
    assert!(error.contains(&listed) && error.contains("{wschat}:snap"), "{error}");
}

#[test]
fn one_that_the_log_does_not_lead_to_is_skipped() {
    let Some(server) = start() else { return };
    let (engine, mut connection) = connect(&server);
    let places = save_after(&server, 1..=3);
    let id = format!("{}-{}", places[2].term, places[2].n);
    server.cli(&["xdel", "{wschat}:log", &id]);
    let replica = load(&mut connection, engine.keys()).unwrap().unwrap();
    assert_eq!(replica.nodes.place(), places[1]);
}

#[test]
fn a_list_that_is_not_understood_is_refused() {
    let Some(server) = start() else { return };
    let (engine, mut connection) = connect(&server);
    for list in ["what", "1 2 3", "a 1 2 3\nb 1 2 3"] {
        server.cli(&["set", "{wschat}:snap", list]);
        let error = load(&mut connection, engine.keys()).err().unwrap();
        assert!(matches!(error, LoadError::Damaged { .. }), "{error}");
    }
}

#[test]
fn whoever_loads_while_the_log_is_trimmed_finds_what_follows() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say([0]);
    Steps::begin(&server).keep();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut steps = Steps::begin(&server);
            for text in 1..=50 {
                node.say([text]);
                steps.keep();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let mut loads = 0;
        while !is_over.load(Ordering::Relaxed) || loads == 0 {
            // Only if two more snapshots are saved before it reads, it has to begin again.
            loads += u32::from(Steps::begin(&server).has_what_follows());
        }
    });
}
