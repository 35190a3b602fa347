//! Appending and reading.

use std::process::Command;
use std::thread;
use std::time::Duration;

use redis::cmd;

use crate::chat::EntryId;
use crate::cluster::redis::test_server::{TestServer, start};
use crate::cluster::redis::{Connection, Engine, RawEntry, RedisErrorKind};

const BEGIN: EntryId = EntryId { term: 0, n: 0 };

fn connect(server: &TestServer) -> (Engine, Connection) {
    let engine = server.engine();
    let connection = engine.master().unwrap();
    (engine, connection)
}

fn read_all(engine: &Engine) -> Vec<RawEntry> {
    engine.master().unwrap().read(engine.keys(), BEGIN, 1000, Duration::ZERO).unwrap()
}

#[test]
fn the_script_is_known_by_its_hash() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cluster/redis/append.lua");
    let output = Command::new("sha1sum").arg(file).output().unwrap().stdout;
    let sha = String::from_utf8(output).unwrap();
    assert!(
        sha.starts_with(crate::cluster::redis::log::APPEND_SHA),
        "append.lua has changed: set APPEND_SHA to {sha}"
    );
}

#[test]
fn what_is_appended_is_read_in_order() {
    let Some(server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let first = writer.append(engine.keys(), BEGIN, b"one").unwrap();
    let second = writer.append(engine.keys(), first, b"two\r\n\0\xff").unwrap();
    assert_eq!(first.n, 1);
    assert_eq!(second, EntryId { term: first.term, n: 2 });
    let entries = read_all(&engine);
    let batches: Vec<_> = entries.iter().map(|entry| (entry.id, &*entry.batch)).collect();
    assert_eq!(batches, [(first, &b"one"[..]), (second, b"two\r\n\0\xff")]);
    assert!(entries[0].time > 1_700_000_000_000);
    assert_eq!(entries[0].at, Duration::ZERO);
    assert!(entries[1].at <= Duration::from_secs(2));
    let rest = engine.master().unwrap().read(engine.keys(), first, 1, Duration::ZERO).unwrap();
    assert_eq!(rest, entries[1..]);
}

#[test]
fn a_reader_waits_for_the_next_entry() {
    let Some(server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let mut reader = engine.source().unwrap();
    let keys = engine.keys().clone();
    let waiting = thread::spawn(move || {
        loop {
            // One wait may end before the other thread has appended.
            let found = reader.read(&keys, BEGIN, 10, Duration::from_millis(200)).unwrap();
            if !found.is_empty() {
                return found;
            }
        }
    });
    let place = writer.append(engine.keys(), BEGIN, b"x").unwrap();
    assert_eq!(waiting.join().unwrap()[0].id, place);
}

#[test]
fn a_reader_is_stopped_from_another_thread() {
    let Some(server) = start() else { return };
    let (engine, mut reader) = connect(&server);
    let stopper = reader.stopper().unwrap();
    let keys = engine.keys().clone();
    let waiting = thread::spawn(move || {
        let error = reader.read(&keys, BEGIN, 10, Duration::from_secs(600)).unwrap_err();
        assert!(reader.is_dead());
        error
    });
    stopper.stop();
    let error = waiting.join().unwrap();
    assert_eq!(*error.kind(), RedisErrorKind::Closed, "{error}");
}

#[test]
fn a_server_that_has_started_anew_begins_a_term() {
    let Some(mut server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let before = writer.append(engine.keys(), BEGIN, b"one").unwrap();
    server.kill();
    let error = writer.append(engine.keys(), before, b"lost").unwrap_err();
    assert!(writer.is_dead(), "{error}");
    server.restart();
    let again = writer.append(engine.keys(), before, b"lost").unwrap_err();
    assert_eq!(again.to_string(), error.to_string(), "it is dead for ever");
    let mut writer = engine.master().unwrap();
    let after = writer.append(engine.keys(), before, b"two").unwrap();
    assert!(after.term > before.term);
    assert_eq!(after.n, 2);
    assert_eq!(read_all(&engine).len(), 2);
}

#[test]
fn a_log_that_lacks_what_was_seen_begins_a_term() {
    let Some(server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let first = writer.append(engine.keys(), BEGIN, b"one").unwrap();
    let second = writer.append(engine.keys(), first, b"two").unwrap();
    let id = format!("{}-{}", second.term, second.n);
    assert_eq!(server.cli(&["XDEL", &engine.keys().log(), &id]), "1\n");
    let other = writer.append(engine.keys(), second, b"other").unwrap();
    assert!(other.term > second.term);
    assert_eq!(other.n, 2);
    // Whoever has not seen that yet does not begin another one.
    let third = writer.append(engine.keys(), second, b"three").unwrap();
    assert_eq!(third, EntryId { term: other.term, n: 3 });
    // A term is never below one that somebody has seen.
    let far = EntryId { term: other.term + 1_000_000_000, n: 1 };
    assert_eq!(writer.append(engine.keys(), far, b"far").unwrap().term, far.term + 1);
}

#[test]
fn a_refused_entry_does_not_hide_that_the_server_is_another_one() {
    let Some(server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let keys = engine.keys();
    let place = writer.append(keys, BEGIN, b"one").unwrap();
    server.cli(&["SET", &keys.run(), "other"]);
    server.cli(&["XSETID", &keys.log(), "99999999999999-0"]);
    writer.append(keys, place, b"two").unwrap_err();
    assert_eq!(server.cli(&["GET", &keys.run()]), "other\n");
}

#[test]
fn a_master_that_becomes_a_replica_is_not_written_to_any_more() {
    let Some(server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let place = writer.append(engine.keys(), BEGIN, b"one").unwrap();
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = writer.append(engine.keys(), place, b"two").unwrap_err();
    assert_eq!(error.code(), Some("READONLY"), "{error}");
    assert!(writer.is_dead());
}

#[test]
fn what_others_wrote_into_the_log_is_refused() {
    let Some(server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let log = engine.keys().log();
    server.cli(&["XADD", &log, "1-1", "not", "ours"]);
    let error = writer.read(engine.keys(), BEGIN, 10, Duration::ZERO).unwrap_err().to_string();
    assert!(
        error.ends_with("1-1 of {wschat}:log is not of wschat; delete it: XDEL {wschat}:log 1-1"),
        "{error}"
    );
    let error = writer.append(engine.keys(), BEGIN, b"x").unwrap_err();
    assert_eq!(error.code(), Some("FOREIGN"), "{error}");
    // It lives on.
    server.cli(&["XDEL", &log, "1-1"]);
    assert_eq!(writer.append(engine.keys(), BEGIN, b"x").unwrap().n, 1);
}

#[test]
fn a_pipeline_tells_each_command_what_became_of_it() {
    let Some(server) = start() else { return };
    let (_, mut connection) = connect(&server);
    let commands = [
        cmd("SET").arg("{wschat}:keeper").arg("x").take(),
        cmd("XADD").arg("{wschat}:keeper").arg("*").arg("a").arg("b").take(),
        cmd("GET").arg("{wschat}:keeper").take(),
    ];
    let replies = connection.pipeline(&commands).unwrap();
    assert_eq!(replies.len(), 3);
    assert!(replies[0].is_ok());
    assert_eq!(replies[1].as_ref().unwrap_err().code(), Some("WRONGTYPE"));
    assert_eq!(crate::cluster::redis::text(replies[2].as_ref().unwrap()), Some("x"));
    assert!(connection.pipeline(&[]).unwrap().is_empty());
}

#[test]
fn a_batch_may_be_large() {
    let Some(server) = start() else { return };
    let (engine, mut writer) = connect(&server);
    let batch: Vec<u8> = (0..8 << 20).map(|index: u32| index.to_le_bytes()[1]).collect();
    writer.append(engine.keys(), BEGIN, &batch).unwrap();
    assert!(read_all(&engine)[0].batch == batch);
}
