//! What is deleted is gone from all files, not only from what a reader finds.

use std::fs;
use std::ops::ControlFlow::Continue;

use super::backup::{back_up, whole};
use super::*;
use crate::chat::{Content, Erasure, Person, UserId};
use crate::history::ArchiveError;

const ANN: UserId = UserId(7);

/// A message with a text that no other has.
fn secret(seq: u64) -> Said {
    let name = format!("Ann the {seq}th").into();
    let from = Person { id: ANN, name };
    Said {
        content: Content::Text(format!("secret number {seq}, {}", "x".repeat(200))),
        from,
        ..text(seq)
    }
}

fn of_bob(seq: u64) -> Said {
    let from = Person { id: UserId(8), name: "Bob".into() };
    Said { content: Content::Text(format!("harmless number {seq}, ")), from, ..text(seq) }
}

/// Whether some file in the folder has these bytes.
fn is_in_a_file(folder: &TempDir, words: &str) -> bool {
    let mut files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    files.any(|file| {
        let bytes = fs::read(file).unwrap();
        bytes.windows(words.len()).any(|window| window == words.as_bytes())
    })
}

/// With messages of both in turns.
fn start_with_secrets(path: &Path, last: u64) -> TestServer {
    let mut server = TestServer::start_anew(path);
    for seq in 1..=last {
        let said = if seq % 2 == 1 { secret(seq) } else { of_bob(seq) };
        server.writer.commit(Batch { said: &[(LOBBY, &said)], memos: &[] }).unwrap();
    }
    server
}

#[test]
fn nothing_of_what_is_erased_is_left_in_any_file() {
    for what in [Erasure::User(ANN), Erasure::Room(LOBBY), Erasure::Before(u64::MAX >> 1)] {
        let (folder, path) = new_path();
        let mut server = start_with_secrets(&path, 1_000);
        // Some are in the database, some in the WAL only.
        server.upkeep.catch_up().unwrap();
        server.writer.commit(Batch { said: &[(LOBBY, &secret(1_001))], memos: &[] }).unwrap();
        assert!(
            is_in_a_file(&folder, "secret number 1,") && is_in_a_file(&folder, "Ann the 1001th")
        );
        server.archive.erase(what, &[(LOBBY, 1_001)]).unwrap();
        for words in ["secret number", "Ann the"] {
            assert!(!is_in_a_file(&folder, words), "{what:?}: {words}");
        }
        assert_eq!(is_in_a_file(&folder, "harmless number 500,"), what == Erasure::User(ANN));
        // Nor is it in a backup, and the server goes on.
        server.say(LOBBY, 1_002..=1_003);
        drop(back_up(&server.archive, &mut whole).unwrap());
        assert!(!is_in_a_file(&folder, "secret number"));
    }
}

#[test]
fn nothing_of_what_is_pruned_is_left_in_the_database() {
    let (folder, path) = new_path();
    drop(start_with_secrets(&path, 1_000));
    let retention = Retention { max_events: 10, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.upkeep.catch_up().unwrap();
    drop(server);
    assert!(is_in_a_file(&folder, "secret number 999,"));
    for seq in (1..=989).step_by(2) {
        assert!(!is_in_a_file(&folder, &format!("secret number {seq},")), "{seq}");
    }
}

#[test]
fn nothing_is_erased_while_it_is_copied() {
    let (folder, path) = new_path();
    let server = start_with_secrets(&path, 10);
    let erase = || server.archive.erase(Erasure::User(ANN), &[(LOBBY, 10)]);
    let backup = back_up(&server.archive, &mut |_, _| {
        assert!(matches!(erase(), Err(ArchiveError::Busy)));
        Continue(())
    });
    drop(backup.unwrap());
    assert_eq!(erase().unwrap(), 5);
    assert!(!is_in_a_file(&folder, "secret number"));
}

#[test]
fn a_reader_does_not_keep_what_is_erased_in_the_wal() {
    let (folder, path) = new_path();
    let server = start_with_secrets(&path, 10);
    let erase = || server.archive.erase(Erasure::User(ANN), &[(LOBBY, 10)]);
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM event").unwrap();
    // It says that it is not done, and to repeat it does the rest.
    assert!(matches!(erase(), Err(ArchiveError::Busy)));
    drop(reader);
    assert_eq!(erase().unwrap(), 0);
    assert!(!is_in_a_file(&folder, "secret number"));
}
