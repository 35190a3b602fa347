//! Upkeep keeps the file small while the dispatcher goes on.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::*;
use crate::chat::Content;
use crate::health::Health;

/// Ends the other threads when it is dropped, even if the test panics.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Commits in both rooms until `is_over`, and returns how often.
fn talk(server: &mut TestServer, is_over: &AtomicBool) -> u64 {
    let mut seq = 0;
    while !is_over.load(Ordering::Relaxed) {
        seq += 1;
        let said = text(seq);
        let batch = [(LOBBY, &said), (BAR, &said)];
        server.writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
    }
    seq
}

/// How often the WAL was reused from its start: the checkpoint sequence number in its header (SQLite's
/// file format, 4.1).
fn wal_restarts(path: &Path) -> u32 {
    let mut number = [0; 4];
    File::open(wal(path)).unwrap().read_exact_at(&mut number, 12).unwrap();
    u32::from_be_bytes(number)
}

#[test]
fn the_wal_stays_bounded_under_constant_load() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.upkeep.set_wal_max_bytes(2 << 20);
    let TestServer { mut writer, mut reader, mut upkeep, remembered, archive: _ } = server;
    let mut seq = 0;
    // A writer that never pauses, and a reader at the same time.
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
        let first = wal_restarts(&path);
        while wal_restarts(&path) < first + 3 {
            seq += 1;
            let said = text(seq);
            writer.commit(Batch { said: &[(LOBBY, &said), (BAR, &said)], memos: &[] }).unwrap();
            // Far more than is written while the others wait for a processor.
            let bytes = fs::metadata(wal(&path)).unwrap().len();
            assert!(bytes < 256 << 20, "{bytes} bytes after {seq} commits");
        }
    });
    drop((writer, reader, upkeep, remembered));
    assert_eq!(TestServer::start(&path).last_seqs(), [(1, seq), (2, seq)]);
}

#[test]
fn pruning_and_writing_do_not_fail_each_other() {
    let (_folder, path) = new_path();
    let retention = Retention { max_events: 100, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
    let mut upkeep =
        Upkeep::new(server.upkeep.database().clone(), crossbeam_channel::never()).unwrap();
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
fn messages_of_a_deleted_room_are_deleted() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=1_000);
    server.say(BAR, 1..=10);
    server.remember(&[Memo::RoomGone(LOBBY)]);
    // Even if the server ends before it is done.
    drop(server);
    let mut server = TestServer::start(&path);
    server.upkeep.catch_up().unwrap();
    let left: (i64, i64) =
        (query(&path, "SELECT count(*) FROM event"), query(&path, "SELECT count(*) FROM gone"));
    assert_eq!(left, (10, 0));
}

#[test]
fn messages_before_a_gap_are_deleted() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=200);
    drop(server);
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.say(LOBBY, 201..=201);
    // It ends before upkeep has run.
    drop(server);
    let mut server = TestServer::start(&path);
    server.say(LOBBY, 202..=203);
    server.upkeep.catch_up().unwrap();
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM event"), 2);
    assert_eq!(server.all(LOBBY), [202, 203]);
    assert_eq!(query::<i64>(&path, "SELECT pruned FROM room WHERE id = 1"), 201);
}

#[test]
fn seqs_freed_while_it_waits_for_the_lock_are_not_pruned() {
    let (_folder, path) = new_path();
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby")]);
    server.say(LOBBY, 1..=9);
    let TestServer { mut writer, mut reader, mut upkeep, .. } = server;
    let shared = upkeep.database().clone();
    let turn = shared.lock_for_writing();
    let (tell, told) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        scope.spawn(move || tell.send(upkeep.catch_up().map_err(|error| error.to_string())));
        // By then it has most likely looked at the room, and found nine messages.
        told.recv_timeout(Duration::from_millis(200)).expect_err("it should wait");
        // As the dispatcher deletes what a failed batch left.
        writer.connection().execute("DELETE FROM event WHERE seq >= 5", []).unwrap();
        drop(turn);
        told.recv().unwrap().unwrap();
    });
    assert_eq!(query::<i64>(&path, "SELECT pruned FROM room"), 3);
    writer.commit(Batch { said: &[(LOBBY, &text(5))], memos: &[] }).unwrap();
    assert_eq!(seqs(&reader.since(LOBBY, 0, 9, 1_000).unwrap()), [4, 5]);
}

#[test]
fn more_than_fits_in_a_round_takes_several() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    // A round has 256 steps of 64 messages.
    let count = 20_000;
    server.say(LOBBY, 1..=count);
    drop(server);
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), [count]);
}

#[test]
fn an_idle_file_is_not_touched() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
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
fn a_short_wal_is_copied_after_a_while_and_a_long_one_at_once() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.upkeep.catch_up().unwrap();
    let now = Instant::now() + Duration::from_secs(3_600);
    server.upkeep.round(now, &|_| true).unwrap();
    server.say(LOBBY, 1..=10);
    let before = fs::read(&path).unwrap();
    server.upkeep.round(now + Duration::from_secs(59), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() == before);
    server.upkeep.round(now + Duration::from_secs(61), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() != before);
    // A long WAL does not wait.
    let before = fs::read(&path).unwrap();
    let long = Said { content: Content::Text("x".repeat(5 << 20)), ..text(11) };
    server.writer.commit(Batch { said: &[(LOBBY, &long)], memos: &[] }).unwrap();
    server.upkeep.round(now + Duration::from_secs(62), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() != before);
}

#[test]
fn a_short_wal_is_copied_at_once_while_commits_fail() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.upkeep.catch_up().unwrap();
    server.say(LOBBY, 1..=10);
    server.fill_disk(true);
    let long = Said { content: Content::Text("x".repeat(100_000)), ..text(11) };
    server.writer.commit(Batch { said: &[(LOBBY, &long)], memos: &[] }).unwrap_err();
    let before = fs::read(&path).unwrap();
    server.upkeep.round(Instant::now(), &|_| true).unwrap();
    assert!(fs::read(&path).unwrap() != before);
}

#[test]
fn it_stops_when_told_to() {
    let (_folder, path) = new_path();
    let server = TestServer::start_anew(&path);
    let (stop, stopped) = crossbeam_channel::bounded(0);
    let upkeep = server.upkeep;
    let working = thread::spawn(move || upkeep.run(&stopped, &Health::default()));
    drop(stop);
    working.join().unwrap();
}

#[test]
fn each_of_many_rooms_is_pruned() {
    let (_folder, path) = new_path();
    let rooms: Vec<RoomId> = (1..=600).map(RoomId).collect();
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    let memos: Vec<Memo> = rooms.iter().map(|id| room(*id, "Room")).collect();
    server.remember(&memos);
    let (one, two) = (text(1), text(2));
    let batch: Vec<_> = rooms.iter().flat_map(|id| [(*id, &one), (*id, &two)]).collect();
    server.writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
    // A round has 256 steps. Busy rooms must not use up all of them.
    let now = Instant::now() + Duration::from_secs(3_600);
    for round in 0..3 {
        server.upkeep.round(now, &|_| true).unwrap();
        let seq = 3 + round;
        let said = text(seq);
        let batch: Vec<_> = rooms[..300].iter().map(|id| (*id, &said)).collect();
        server.writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
    }
    assert_eq!(server.all(rooms[599]), [2]);
}

#[test]
fn it_waits_for_the_write_lock_however_long_a_commit_takes() {
    let (_folder, path) = new_path();
    let retention = Retention { max_events: 1, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
    server.say(LOBBY, 1..=9);
    server.say(BAR, 1..=9);
    server.remember(&[Memo::RoomGone(BAR)]);
    let TestServer { writer, mut reader, mut upkeep, .. } = server;
    let turn = writer.database().lock_for_writing();
    writer.connection().execute_batch("BEGIN IMMEDIATE").unwrap();
    let (tell, told) = crossbeam_channel::bounded(1);
    thread::scope(|scope| {
        scope.spawn(move || tell.send(upkeep.catch_up().map_err(|error| error.to_string())));
        // Longer than it waits for SQLite itself, which shows that it waits for the lock.
        let early = told.recv_timeout(Duration::from_millis(200));
        writer.connection().execute_batch("ROLLBACK").unwrap();
        drop(turn);
        early.expect_err("it should wait");
        told.recv().unwrap().unwrap();
    });
    assert_eq!(seqs(&reader.since(LOBBY, 0, 9, 1_000).unwrap()), [9]);
}

const HOUR: Duration = Duration::from_secs(3_600);
const YEAR_MS: i64 = 365 * 24 * 3_600 * 1_000;

/// A message of now, or of some hours before.
fn said_before(seq: u64, hours: u32) -> Said {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.saturating_sub(hours * HOUR);
    Said { time: u64::try_from(now.as_millis()).unwrap(), ..text(seq) }
}

/// A server that keeps messages for a week, with these messages.
fn keeps_a_week(path: &Path, messages: &[Said]) -> TestServer {
    let retention = Retention { max_age: Some(7 * 24 * HOUR), ..EVERYTHING };
    let mut server = TestServer::start_as(path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby")]);
    let batch: Vec<_> = messages.iter().map(|said| (LOBBY, said)).collect();
    server.writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
    server
}

#[test]
fn a_clock_that_is_wrong_for_less_than_a_day_deletes_nothing() {
    let (_folder, path) = new_path();
    let mut server =
        keeps_a_week(&path, &[said_before(1, 2), said_before(2, 1), said_before(3, 0)]);
    for jump in [75 * YEAR_MS, -130 * YEAR_MS, 8_000 * YEAR_MS] {
        server.upkeep.shift_clock(HOUR, jump);
        server.upkeep.catch_up().unwrap();
        assert_eq!(server.all(LOBBY), [1, 2, 3], "{jump}");
    }
    // Neither does a restart while it is wrong, whatever was said meanwhile.
    drop(server);
    let mut server = keeps_a_week(&path, &[]);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
    server.upkeep.shift_clock(23 * HOUR, 8 * YEAR_MS);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
    // After a day the clock counts.
    server.upkeep.shift_clock(25 * HOUR, 0);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), NOTHING);
}

#[test]
fn messages_with_a_wrong_time_neither_stay_for_ever_nor_take_others_along() {
    let (_folder, path) = new_path();
    let of_9999 = |seq| Said { time: 253_370_764_800_000, ..text(seq) };
    let of_1970 = |seq| Said { time: 0, ..text(seq) };
    let week = 7 * 24;
    let messages = [
        of_9999(1),
        said_before(2, week + 2),
        of_9999(3),
        said_before(4, week - 1),
        of_1970(5),
        said_before(6, 0),
    ];
    let mut server = keeps_a_week(&path, &messages);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), [3, 4, 5, 6]);
    server.upkeep.shift_clock(2 * HOUR, 0);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), [6]);
}

#[test]
fn many_messages_with_a_time_to_come_go_with_the_next_one_that_is_too_old() {
    let (_folder, path) = new_path();
    let of_9999 = |seq| Said { time: 253_370_764_800_000, ..text(seq) };
    let mut messages: Vec<Said> = (1..=500).map(of_9999).collect();
    messages.push(said_before(501, 7 * 24 - 1));
    messages.extend((502..=900).map(of_9999));
    let mut server = keeps_a_week(&path, &messages);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY).len(), 900, "none of them need be old");
    server.upkeep.shift_clock(2 * HOUR, 0);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), (502..=900).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_too_large_loses_the_oldest_messages_of_the_rooms_that_take_most() {
    let (_folder, path) = new_path();
    let max_file_bytes = 1 << 20;
    let retention = Retention { max_file_bytes, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
    // Many short messages take less than fewer long ones.
    server.say(LOBBY, 1..=3_000);
    let mut longest = 0;
    for seq in 1..=2_000 {
        let long = Said { content: Content::Text("x".repeat(4_000)), ..text(seq) };
        server.writer.commit(Batch { said: &[(BAR, &long)], memos: &[] }).unwrap();
        if seq % 100 == 0 {
            server.upkeep.catch_up().unwrap();
            longest = longest.max(fs::metadata(&path).unwrap().len());
        }
    }
    assert!(longest < max_file_bytes + (1 << 20), "{longest}");
    let used = super::super::shrink::used_bytes(server.writer.connection()).unwrap();
    assert!(used <= max_file_bytes && used > max_file_bytes / 2, "{used}");
    assert_eq!(server.all(LOBBY).len(), 3_000);
    let kept = server.all(BAR);
    assert!((100..250).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept, (2_001 - kept.len() as u64..=2_000).collect::<Vec<_>>());
    drop(server);
    assert_eq!(TestServer::start(&path).last_seqs(), [(1, 3_000), (2, 2_000)]);
}

#[test]
fn a_new_limit_is_kept_to_even_if_nothing_more_is_said() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=9);
    server.upkeep.catch_up().unwrap();
    server.writer.set_retention(Retention { max_events: 2, ..EVERYTHING });
    server.upkeep.round(Instant::now() + Duration::from_secs(600), &|_| true).unwrap();
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM event"), 2);
}
