//! Upkeep keeps the file small while the dispatcher goes on.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::chat::Content;

/// Ends what runs beside, even when a test fails meanwhile.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Commits in both rooms until `is_over`, and tells how many there were.
fn talk(server: &mut Server, is_over: &AtomicBool) -> u64 {
    let mut seq = 0;
    while !is_over.load(Ordering::Relaxed) {
        seq += 1;
        let said = text(seq);
        let batch = [(LOBBY, &said), (BAR, &said)];
        server.keeper.commit(Batch { said: &batch, memos: &[] }).unwrap();
    }
    seq
}

/// How often the WAL has begun anew: the checkpoint sequence number in its header (SQLite's file format, 4.1).
fn beginnings(path: &Path) -> u32 {
    let mut number = [0; 4];
    File::open(wal(path)).unwrap().read_exact_at(&mut number, 12).unwrap();
    u32::from_be_bytes(number)
}

#[test]
fn the_wal_does_not_grow_for_ever_under_constant_load() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.upkeep.set_wal_max_bytes(2 << 20);
    let Server { mut keeper, mut reader, mut upkeep, remembered } = server;
    let mut seq = 0;
    // A writer who never pauses, and a reader beside it.
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = EndOf(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                reader.since(LOBBY, 0, u64::MAX, 10_000).unwrap();
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                upkeep.catch_up().unwrap();
            }
        });
        let first = beginnings(&path);
        while beginnings(&path) < first + 3 {
            seq += 1;
            let said = text(seq);
            keeper.commit(Batch { said: &[(LOBBY, &said), (BAR, &said)], memos: &[] }).unwrap();
            // Far beyond what comes while the others wait for a processor.
            let bytes = fs::metadata(wal(&path)).unwrap().len();
            assert!(bytes < 256 << 20, "{bytes} bytes after {seq} commits");
        }
    });
    drop((keeper, reader, upkeep, remembered));
    assert_eq!(Server::start(&path).last_seqs(), [(1, seq), (2, seq)]);
}

#[test]
fn prunes_beside_a_writer_and_neither_fails() {
    let (_folder, path) = place();
    let retention = Retention { max_events: 100, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
    let mut upkeep =
        Upkeep::new(server.upkeep.shared().clone(), crossbeam_channel::never(), retention).unwrap();
    let is_over = AtomicBool::new(false);
    let last = thread::scope(|scope| {
        let talking = scope.spawn(|| talk(&mut server, &is_over));
        let end = EndOf(&is_over);
        for _ in 0..20 {
            upkeep.catch_up().unwrap();
        }
        drop(end);
        talking.join().unwrap()
    });
    server.upkeep.catch_up().unwrap();
    let expected: Vec<u64> = (last.saturating_sub(100) + 1..=last).collect();
    assert_eq!(server.all(LOBBY), expected);
    assert_eq!(server.all(BAR), expected);
}

#[test]
fn what_was_said_in_a_room_that_is_gone_leaves_the_file() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=1_000);
    server.say(BAR, 1..=10);
    server.remember(&[Memo::RoomGone(LOBBY)]);
    // Even if the server ends before it is done.
    drop(server);
    let mut server = Server::start(&path);
    server.upkeep.catch_up().unwrap();
    let left: (i64, i64) =
        (look(&path, "SELECT count(*) FROM event"), look(&path, "SELECT count(*) FROM gone"));
    assert_eq!(left, (10, 0));
}

#[test]
fn what_lies_before_what_was_not_kept_leaves_the_file() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=200);
    drop(server);
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.say(LOBBY, 201..=201);
    // It ends before upkeep has run.
    drop(server);
    let mut server = Server::start(&path);
    server.say(LOBBY, 202..=203);
    server.upkeep.catch_up().unwrap();
    assert_eq!(look::<i64>(&path, "SELECT count(*) FROM event"), 2);
    assert_eq!(server.all(LOBBY), [202, 203]);
    assert_eq!(look::<i64>(&path, "SELECT pruned FROM room WHERE id = 1"), 201);
}

#[test]
fn numbers_that_are_used_again_while_it_waits_are_not_pruned() {
    let (_folder, path) = place();
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby")]);
    server.say(LOBBY, 1..=9);
    let Server { mut keeper, mut reader, mut upkeep, .. } = server;
    let shared = upkeep.shared().clone();
    let turn = shared.turn();
    let (tell, told) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        scope.spawn(move || tell.send(upkeep.catch_up().map_err(|error| error.to_string())));
        // It has seen nine of them by then, as far as can be told.
        told.recv_timeout(Duration::from_millis(200)).expect_err("it waits");
        // As the dispatcher takes out what a failed batch left.
        keeper.connection().execute("DELETE FROM event WHERE seq >= 5", []).unwrap();
        drop(turn);
        told.recv().unwrap().unwrap();
    });
    assert_eq!(look::<i64>(&path, "SELECT pruned FROM room"), 3);
    keeper.commit(Batch { said: &[(LOBBY, &text(5))], memos: &[] }).unwrap();
    assert_eq!(seqs(&reader.since(LOBBY, 0, 9, 1_000).unwrap()), [4, 5]);
}

#[test]
fn more_than_a_round_can_do_is_done_in_several() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    // A round has 256 steps of 64 events.
    let count = 20_000;
    server.say(LOBBY, 1..=count);
    drop(server);
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), [count]);
}

#[test]
fn an_idle_file_is_left_alone() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=10);
    server.upkeep.catch_up().unwrap();
    let changed = || (fs::read(&path).unwrap(), fs::read(wal(&path)).unwrap());
    let before = changed();
    let later = Instant::now() + Duration::from_secs(3_600);
    for round in 0..5 {
        server.upkeep.round(later + Duration::from_secs(round), &|_| true).unwrap();
    }
    assert!(before == changed());
}

#[test]
fn a_little_waits_for_a_while_before_it_is_copied_back() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.upkeep.catch_up().unwrap();
    let now = Instant::now() + Duration::from_secs(3_600);
    server.upkeep.round(now, &|_| true).unwrap();
    server.say(LOBBY, 1..=10);
    let before = fs::read(&path).unwrap();
    server.upkeep.round(now + Duration::from_secs(59), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() == before);
    server.upkeep.round(now + Duration::from_secs(61), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() != before);
    // Much does not.
    let before = fs::read(&path).unwrap();
    let long = Said { content: Content::Text("x".repeat(5 << 20)), ..text(11) };
    server.keeper.commit(Batch { said: &[(LOBBY, &long)], memos: &[] }).unwrap();
    server.upkeep.round(now + Duration::from_secs(62), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() != before);
}

#[test]
fn a_small_wal_is_copied_back_at_once_when_the_dispatcher_is_stuck() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.upkeep.catch_up().unwrap();
    server.say(LOBBY, 1..=10);
    server.fill_disk(true);
    let long = Said { content: Content::Text("x".repeat(100_000)), ..text(11) };
    server.keeper.commit(Batch { said: &[(LOBBY, &long)], memos: &[] }).unwrap_err();
    let before = fs::read(&path).unwrap();
    server.upkeep.round(Instant::now(), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() != before);
}

#[test]
fn it_ends_when_it_is_told_to() {
    let (_folder, path) = place();
    let server = Server::start_anew(&path);
    let (stop, stopped) = crossbeam_channel::bounded(0);
    let upkeep = server.upkeep;
    let working = thread::spawn(move || upkeep.run(&stopped));
    drop(stop);
    working.join().unwrap();
}

#[test]
fn each_of_many_rooms_gets_its_turn() {
    let (_folder, path) = place();
    let rooms: Vec<RoomId> = (1..=600).map(RoomId).collect();
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    let memos: Vec<Memo> = rooms.iter().map(|id| room(*id, "Room")).collect();
    server.remember(&memos);
    let (one, two) = (text(1), text(2));
    let batch: Vec<_> = rooms.iter().flat_map(|id| [(*id, &one), (*id, &two)]).collect();
    server.keeper.commit(Batch { said: &batch, memos: &[] }).unwrap();
    // A round has 256 steps. Those who talk on must not keep it from the others.
    let now = Instant::now() + Duration::from_secs(3_600);
    for round in 0..3 {
        server.upkeep.round(now, &|_| true).unwrap();
        let seq = 3 + round;
        let said = text(seq);
        let batch: Vec<_> = rooms[..300].iter().map(|id| (*id, &said)).collect();
        server.keeper.commit(Batch { said: &batch, memos: &[] }).unwrap();
    }
    assert_eq!(server.all(rooms[599]), [2]);
}

#[test]
fn waits_for_its_turn_however_long_a_commit_takes() {
    let (_folder, path) = place();
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
    server.say(LOBBY, 1..=9);
    server.say(BAR, 1..=9);
    server.remember(&[Memo::RoomGone(BAR)]);
    let Server { keeper, mut reader, mut upkeep, .. } = server;
    let turn = keeper.shared().turn();
    keeper.connection().execute_batch("BEGIN IMMEDIATE").unwrap();
    let (tell, told) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        scope.spawn(move || tell.send(upkeep.catch_up().map_err(|error| error.to_string())));
        // Longer than it would wait without a turn; no sooner can it be seen to wait.
        let early = told.recv_timeout(Duration::from_millis(200));
        keeper.connection().execute_batch("ROLLBACK").unwrap();
        drop(turn);
        early.expect_err("it waits");
        told.recv().unwrap().unwrap();
    });
    assert_eq!(seqs(&reader.since(LOBBY, 0, 9, 1_000).unwrap()), [9]);
}
