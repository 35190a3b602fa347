//! Commits that fail. They leave nothing behind, and later ones succeed.

use std::fs;
use std::os::unix::fs::FileExt;

use super::*;
use crate::chat::{Content, IdLimits};
use crate::health::Health;

#[track_caller]
fn check_fails(result: Result<(), HistoryError>, words: &str) {
    let error = result.expect_err("it should fail").to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn a_full_disk() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=10);
    server.fill_disk(true);
    // A part of the batch would fit.
    let long = Said { content: Content::Text("x".repeat(100_000)), ..text(12) };
    let batch = [(LOBBY, &text(11)), (BAR, &text(1)), (LOBBY, &long)];
    let memos = [Memo::Ids(IdLimits { user: 99, room: 99 }), Memo::RoomGone(BAR)];
    for _ in 0..3 {
        let failed = server.writer.commit(Batch { said: &batch, memos: &memos });
        assert!(failed.as_ref().is_err_and(HistoryError::may_pass));
        check_fails(failed, "history.db cannot be written: the disk is full; free some space");
        assert_eq!(server.all(LOBBY), (1..=10).collect::<Vec<_>>());
        assert_eq!(server.all(BAR), NOTHING);
    }
    // A batch that fits is saved even now, with the numbers that are still free.
    server.say(LOBBY, 11..=11);
    check_fails(
        server
            .writer
            .commit(Batch { said: &[(LOBBY, &Said { seq: 12, ..long.clone() })], memos: &[] }),
        "full",
    );
    // All are, once there is space.
    server.fill_disk(false);
    server.say(LOBBY, 12..=14);
    server.say(BAR, 1..=2);
    assert_eq!(server.all(LOBBY), (1..=14).collect::<Vec<_>>());
    drop(server);
    let mut server = TestServer::start(&path);
    assert_eq!(server.last_seqs(), [(1, 14), (2, 2)]);
    assert_eq!(server.remembered.last_user, 0);
    assert_eq!(server.all(BAR), [1, 2]);
}

#[test]
fn a_disk_that_became_read_only() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=10);
    server.writer.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 11..=12), "read-only");
    server.say(LOBBY, 11..=11);
    assert_eq!(server.all(LOBBY), (1..=11).collect::<Vec<_>>());
}

#[test]
fn another_program_writes() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    check_fails(server.try_say(LOBBY, 1..=1), "locked by another program");
    assert_eq!(server.all(LOBBY), NOTHING);
    other.execute_batch("ROLLBACK").unwrap();
    server.say(LOBBY, 1..=2);
    assert_eq!(server.all(LOBBY), [1, 2]);
}

#[test]
fn a_missing_file_is_not_created_again() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=3);
    // After a failure the server opens the file again.
    server.writer.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 4..=4), "read-only");
    let away = path.with_extension("away");
    fs::rename(&path, &away).unwrap();
    for _ in 0..2 {
        check_fails(server.try_say(LOBBY, 4..=4), "no longer in its place");
        assert!(!path.exists());
    }
    fs::rename(&away, &path).unwrap();
    server.say(LOBBY, 4..=5);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4, 5]);
}

#[test]
fn nothing_is_saved_while_a_file_is_away() {
    for suffix in ["", "-wal", "-shm"] {
        let (_folder, path) = new_path();
        let mut server = TestServer::start_anew(&path);
        let health = Health::default();
        server.say(LOBBY, 1..=3);
        let (file, away) = (beside(&path, suffix), path.with_extension("away"));
        fs::rename(&file, &away).unwrap();
        for _ in 0..2 {
            check_fails(server.try_say(LOBBY, 4..=4), "no longer in its place");
            server.upkeep.check_place(&health).unwrap_err();
            assert!(health.is_failing());
        }
        // Another file there is not the same.
        fs::copy(&away, &file).unwrap();
        check_fails(server.try_say(LOBBY, 4..=4), "no longer the file");
        server.upkeep.check_place(&health).unwrap_err();
        fs::rename(&away, &file).unwrap();
        server.upkeep.check_place(&health).unwrap();
        assert!(!health.is_failing());
        server.say(LOBBY, 4..=5);
        drop(server);
        assert_eq!(TestServer::start(&path).all(LOBBY), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn files_that_another_program_has_cut_short_are_not_written() {
    for suffix in ["", "-wal"] {
        let (_folder, path) = new_path();
        let mut server = TestServer::start_anew(&path);
        server.say(LOBBY, 1..=3);
        let file = fs::OpenOptions::new().write(true).open(beside(&path, suffix)).unwrap();
        file.set_len(0).unwrap();
        for _ in 0..2 {
            check_fails(server.try_say(LOBBY, 4..=4), "was cut short by another program");
        }
    }
}

#[test]
fn another_program_may_empty_the_wal() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=3);
    let other = Connection::open(&path).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert_eq!(fs::metadata(wal(&path)).unwrap().len(), 0);
    server.say(LOBBY, 4..=5);
    let (_killed_folder, killed) = killed(&path);
    assert_eq!(TestServer::start(&killed).all(LOBBY), [1, 2, 3, 4, 5]);
}

/// `replace` replaces the server's file.
#[track_caller]
fn check_replaced(replace: impl FnOnce(&Path)) {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=3);
    server.writer.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 4..=4), "read-only");
    replace(&path);
    for _ in 0..2 {
        check_fails(server.try_say(LOBBY, 4..=4), "no longer the file");
    }
}

#[test]
fn a_different_file_is_not_written() {
    check_replaced(|path| {
        let other = path.with_extension("other");
        drop(TestServer::start_anew(&other));
        let _ = fs::remove_file(wal(path));
        fs::rename(other, path).unwrap();
    });
}

#[test]
fn an_older_copy_of_the_file_is_not_written() {
    check_replaced(|path| {
        let other = Connection::open(path).unwrap();
        other.execute("DELETE FROM event WHERE room = 1 AND seq = 3", []).unwrap();
    });
}

#[test]
fn what_a_failed_commit_wrote_is_deleted() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=3);
    server.fill_disk(true);
    let long = |seq| Said { content: Content::Text("x".repeat(100_000)), ..text(seq) };
    for (room, seq) in [(LOBBY, 4), (BAR, 1), (LOBBY, 4)] {
        let failed = server.writer.commit(Batch { said: &[(room, &long(seq))], memos: &[] });
        check_fails(failed, "full");
    }
    server.fill_disk(false);
    // The rows reached the file, and only the result of the commit was lost.
    let other = Connection::open(&path).unwrap();
    let sql = "INSERT INTO event SELECT ?1, ?2, time, user, 'lost', ref, kind, body FROM event
        WHERE room = 1 AND seq = 1";
    for (room, seq) in [(1, 4), (1, 5), (1, 6), (2, 1)] {
        other.execute(sql, [room, seq]).unwrap();
    }
    other.execute("INSERT INTO reference VALUES (1, 7, 1, 4, 'lost')", []).unwrap();
    server.say(BAR, 1..=1);
    server.say(LOBBY, 4..=4);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4]);
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM event WHERE name = 'lost'"), 0);
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM reference"), 0);
}

/// Writes a commit with the message 4 to the end of the WAL, as one does whose fsync fails: SQLite reports
/// an error, and does not count it.
fn write_without_counting(path: &Path) {
    let (_folder, twin) = new_path();
    fs::copy(path, &twin).unwrap();
    fs::copy(wal(path), wal(&twin)).unwrap();
    let before = fs::read(wal(&twin)).unwrap().len();
    let other = Connection::open(&twin).unwrap();
    let sql = "INSERT INTO event SELECT room, 4, time, user, 'lost', ref, kind, body FROM event
        WHERE room = 1 AND seq = 3";
    other.execute(sql, []).unwrap();
    let whole = fs::read(wal(&twin)).unwrap();
    assert!(whole.len() > before);
    let file = fs::OpenOptions::new().write(true).open(wal(path)).unwrap();
    file.write_all_at(&whole[before..], before as u64).unwrap();
}

#[test]
fn what_a_failed_commit_wrote_is_gone_after_a_kill() {
    for durability in [Durability::Process, Durability::PowerLoss] {
        let (_folder, path) = new_path();
        let mut server = TestServer::start_as(&path, durability, EVERYTHING);
        server.remember(&[room(LOBBY, "Lobby")]);
        server.say(LOBBY, 1..=3);
        // As a kill would leave it, which shows that a start finds the message.
        write_without_counting(&path);
        assert_eq!(after_a_kill(&path), [1, 2, 3, 4]);
        server.writer.connection().pragma_update(None, "query_only", true).unwrap();
        check_fails(server.try_say(LOBBY, 4..=4), "read-only");
        assert_eq!(after_a_kill(&path), [1, 2, 3]);
        server.say(LOBBY, 4..=5);
        assert_eq!(after_a_kill(&path), [1, 2, 3, 4, 5]);
        assert_eq!(query::<i64>(&path, "SELECT count(*) FROM event WHERE name = 'lost'"), 0);
    }
}

/// What a start finds if the server is killed now.
fn after_a_kill(path: &Path) -> Vec<u64> {
    let (_folder, left) = killed(path);
    TestServer::start(&left).all(LOBBY)
}

#[test]
fn what_a_failed_commit_skipped_is_restored() {
    let (_folder, path) = new_path();
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby")]);
    server.say(LOBBY, 1..=3);
    server.writer.connection().pragma_update(None, "query_only", true).unwrap();
    check_fails(server.try_say(LOBBY, 4..=6), "read-only");
    Connection::open(&path).unwrap().execute("UPDATE room SET pruned = 6", []).unwrap();
    server.say(LOBBY, 4..=4);
    drop(server);
    assert_eq!(TestServer::start(&path).last_seqs(), [(1, 4)]);
}

#[test]
fn a_seq_is_not_used_twice() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=3);
    server.try_say(LOBBY, 3..=4).unwrap_err();
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
}

#[test]
fn a_reader_recovers_from_an_error() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=3);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE event RENAME TO hidden").unwrap();
    server.reader.since(LOBBY, 0, 9, usize::MAX).unwrap_err();
    other.execute_batch("ALTER TABLE hidden RENAME TO event").unwrap();
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
}
