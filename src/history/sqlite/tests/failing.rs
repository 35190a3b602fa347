//! Commits that fail: nothing is left of them, and the next one that can be kept is.

use std::fs;

use super::*;
use crate::chat::{Content, UserId};

#[track_caller]
fn check_fails(result: Result<(), HistoryError>, words: &str) {
    let error = result.expect_err("it cannot be kept").to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn on_a_full_disk() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=10);
    server.fill_disk(true);
    // Some of it would fit.
    let long = Said { content: Content::Text("x".repeat(100_000)), ..text(12) };
    let batch = [(LOBBY, &text(11)), (BAR, &text(1)), (LOBBY, &long)];
    let memos = [Memo::LastUser(UserId(99)), Memo::RoomGone(BAR)];
    for _ in 0..3 {
        let failed = server.keeper.commit(Batch { said: &batch, memos: &memos });
        check_fails(failed, "history.db cannot be written: the disk is full; free some space");
        assert_eq!(server.all(LOBBY), (1..=10).collect::<Vec<_>>());
        assert_eq!(server.all(BAR), NOTHING);
    }
    // What fits is kept even now, with the numbers that are still free,
    server.say(LOBBY, 11..=11);
    check_fails(
        server
            .keeper
            .commit(Batch { said: &[(LOBBY, &Said { seq: 12, ..long.clone() })], memos: &[] }),
        "full",
    );
    // and everything is, as soon as there is space.
    server.fill_disk(false);
    server.say(LOBBY, 12..=14);
    server.say(BAR, 1..=2);
    assert_eq!(server.all(LOBBY), (1..=14).collect::<Vec<_>>());
    drop(server);
    let mut server = Server::start(&path);
    assert_eq!(server.last_seqs(), [(1, 14), (2, 2)]);
    assert_eq!(server.remembered.last_user, 0);
    assert_eq!(server.all(BAR), [1, 2]);
}

#[test]
fn on_a_disk_that_became_read_only() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=10);
    server.keeper.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 11..=12), "read-only");
    server.say(LOBBY, 11..=11);
    assert_eq!(server.all(LOBBY), (1..=11).collect::<Vec<_>>());
}

#[test]
fn while_another_program_writes() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    check_fails(server.try_say(LOBBY, 1..=1), "held by another program");
    assert_eq!(server.all(LOBBY), NOTHING);
    other.execute_batch("ROLLBACK").unwrap();
    server.say(LOBBY, 1..=2);
    assert_eq!(server.all(LOBBY), [1, 2]);
}

#[test]
fn a_file_that_is_gone_is_waited_for_and_not_made_anew() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=3);
    // A failure makes the server open the file again.
    server.keeper.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 4..=4), "read-only");
    let away = path.with_extension("away");
    fs::rename(&path, &away).unwrap();
    for _ in 0..2 {
        check_fails(server.try_say(LOBBY, 4..=4), "cannot be opened");
        assert!(!path.exists());
    }
    fs::rename(&away, &path).unwrap();
    server.say(LOBBY, 4..=5);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4, 5]);
}

/// `exchange` puts another file in the place of the server's.
#[track_caller]
fn check_exchanged(exchange: impl FnOnce(&Path)) {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=3);
    server.keeper.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 4..=4), "read-only");
    exchange(&path);
    for _ in 0..2 {
        check_fails(server.try_say(LOBBY, 4..=4), "not the file any more");
    }
}

#[test]
fn another_file_in_its_place_is_not_written() {
    check_exchanged(|path| {
        let other = path.with_extension("other");
        drop(Server::start_anew(&other));
        let _ = fs::remove_file(wal(path));
        fs::rename(other, path).unwrap();
    });
}

#[test]
fn an_older_state_of_it_is_not_written() {
    check_exchanged(|path| {
        let other = Connection::open(path).unwrap();
        other.execute("DELETE FROM event WHERE room = 1 AND seq = 3", []).unwrap();
    });
}

#[test]
fn what_was_written_in_spite_of_an_error_is_taken_out_again() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=3);
    server.fill_disk(true);
    let long = |seq| Said { content: Content::Text("x".repeat(100_000)), ..text(seq) };
    for (room, seq) in [(LOBBY, 4), (BAR, 1), (LOBBY, 4)] {
        let failed = server.keeper.commit(Batch { said: &[(room, &long(seq))], memos: &[] });
        check_fails(failed, "full");
    }
    server.fill_disk(false);
    // It reached the file, and only the answer did not come back.
    let other = Connection::open(&path).unwrap();
    let sql = "INSERT INTO event SELECT ?1, ?2, time, user, 'lost', gif, text, ref FROM event
        WHERE room = 1 AND seq = 1";
    for (room, seq) in [(1, 4), (1, 5), (1, 6), (2, 1)] {
        other.execute(sql, [room, seq]).unwrap();
    }
    other.execute("INSERT INTO reference VALUES (1, 7, 1, 4, 'lost')", []).unwrap();
    server.say(BAR, 1..=1);
    server.say(LOBBY, 4..=4);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4]);
    assert_eq!(look::<i64>(&path, "SELECT count(*) FROM event WHERE name = 'lost'"), 0);
    assert_eq!(look::<i64>(&path, "SELECT count(*) FROM reference"), 0);
}

#[test]
fn what_no_backend_was_to_keep_is_taken_back_as_well() {
    let (_folder, path) = place();
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby")]);
    server.say(LOBBY, 1..=3);
    server.keeper.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 4..=6), "read-only");
    Connection::open(&path).unwrap().execute("UPDATE room SET pruned = 6", []).unwrap();
    server.say(LOBBY, 4..=4);
    drop(server);
    assert_eq!(Server::start(&path).last_seqs(), [(1, 4)]);
}

#[test]
fn a_number_that_is_taken_is_not_given_twice() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=3);
    server.try_say(LOBBY, 3..=4).unwrap_err();
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
}

#[test]
fn a_reader_that_failed_reads_again() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=3);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE event RENAME TO hidden").unwrap();
    server.reader.since(LOBBY, 0, 9, usize::MAX).unwrap_err();
    other.execute_batch("ALTER TABLE hidden RENAME TO event").unwrap();
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
}
