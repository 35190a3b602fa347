//! Files of older versions, and kinds of messages of newer ones.
//!
//! `version-1.sqlite` and its WAL were made by a wschat that wrote version 1 of the file. What they
//! hold is in `version-1.txt` and, with the WAL, in `version-1-killed.txt`.

use std::fmt::Write as _;
use std::fs;

use rusqlite::TransactionBehavior;

use super::*;
use crate::chat::{Content, Position, ReferenceHash};
use crate::history::sqlite::schema::{Marks, STEPS, VERSION, migrate};

const DATABASE: &[u8] = include_bytes!("version-1.sqlite");
const WAL: &[u8] = include_bytes!("version-1.sqlite-wal");

/// A copy of the file, as a clean end left it.
fn version_1() -> (TempDir, PathBuf) {
    let (folder, path) = new_path();
    fs::write(&path, DATABASE).unwrap();
    (folder, path)
}

/// A copy of the file with its WAL, as a kill left it.
fn version_1_killed() -> (TempDir, PathBuf) {
    let (folder, path) = version_1();
    fs::write(wal(&path), WAL).unwrap();
    (folder, path)
}

/// Compares what a server finds with a list beside the file; the epoch may differ.
#[track_caller]
fn check_contents(server: &mut TestServer, list: &str) {
    let found = contents(server);
    let listed = list.lines().filter(|line| !line.starts_with('#') && !line.starts_with("epoch "));
    let listed = listed.map(with_hash);
    for (found, listed) in found.lines().zip(listed.clone()) {
        assert_eq!(found, listed);
    }
    assert_eq!(found.lines().count(), listed.count());
}

/// What a start restores and a reader finds, in the form of the lists.
fn contents(server: &mut TestServer) -> String {
    let Stored { last_user, last_room, rooms, users } = &server.remembered;
    let mut list = format!("last_user {last_user}\nlast_room {last_room}\n");
    for (room, seq) in rooms {
        let place = room.place.map_or("-".to_owned(), |place| place.to_string());
        writeln!(list, "room {} {} place={place} seq={seq}", room.id.0, quoted(&room.title))
            .unwrap();
    }
    for (session, references) in users {
        let user = session.user.0;
        let room = session.room.map_or("-".to_owned(), |room| room.0.to_string());
        let key = session.key.0.iter().fold(String::new(), |key, byte| format!("{key}{byte:02x}"));
        writeln!(list, "session {user} {} room={room} key={key}", quoted(&session.name)).unwrap();
        for (reference, Position { room, seq }) in references {
            writeln!(list, "reference {user} {}/{seq} {}", room.0, hashed(*reference)).unwrap();
        }
    }
    for (room, _) in rooms {
        for said in server.reader.since(room.id, 0, u64::MAX, usize::MAX).unwrap() {
            let content = match &said.content {
                Content::Text(text) => format!("text {}", quoted(text)),
                Content::Gif(gif) => format!("gif {gif}"),
                Content::Erased => "erased".to_owned(),
            };
            let reference = said.reference.as_deref().map_or("-".to_owned(), quoted);
            writeln!(
                list,
                "said {}/{} time={} by={} {} {content} ref={reference}",
                room.id.0,
                said.seq,
                said.time,
                said.from.id.0,
                quoted(&said.from.name),
            )
            .unwrap();
        }
    }
    list
}

/// A line of the lists with the hash of the reference that it has.
fn with_hash(line: &str) -> String {
    let Some(reference) = line.strip_prefix("reference ") else { return line.to_owned() };
    let (place, reference) = reference.split_once(" \"").unwrap();
    let hash = ReferenceHash::of(reference.strip_suffix('"').unwrap(), 1);
    format!("reference {place} {}", hashed(hash))
}

fn hashed(reference: ReferenceHash) -> String {
    format!("{reference:?}")
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn marks(path: &Path) -> Marks {
    Marks::read(&Connection::open(path).unwrap()).unwrap()
}

#[test]
fn a_file_of_version_1_keeps_everything() {
    let (_folder, path) = version_1();
    let list = include_str!("version-1.txt");
    // The second start finds a file that is up to date.
    for _ in 0..2 {
        let mut server = TestServer::start(&path);
        check_contents(&mut server, list);
        let epoch = format!("epoch {}", server.writer.epoch());
        assert!(list.lines().any(|line| line == epoch), "{epoch}");
    }
    assert_eq!(marks(&path).version as usize, VERSION);
    assert_eq!(query::<String>(&path, "PRAGMA integrity_check"), "ok");
    assert_eq!(query::<i64>(&path, "SELECT pruned FROM room WHERE id = 3"), 10);
}

#[test]
fn a_file_of_version_1_that_was_killed_keeps_everything() {
    let (_folder, path) = version_1_killed();
    // Its epoch changes, once, unless this machine has not been booted since it was made.
    let mut server = TestServer::start(&path);
    check_contents(&mut server, include_str!("version-1-killed.txt"));
    let epoch = server.writer.epoch().to_owned();
    drop(server);
    let mut server = TestServer::start(&path);
    check_contents(&mut server, include_str!("version-1-killed.txt"));
    assert_eq!(server.writer.epoch(), epoch);
}

#[test]
fn a_migrated_file_is_written_and_pruned() {
    let (_folder, path) = version_1();
    let mut server = TestServer::start(&path);
    let busy = RoomId(3);
    server.say(busy, 31..=40);
    // What was said in the deleted room 5, and still in the file, goes.
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM event WHERE room = 5"), 2);
    server.upkeep.catch_up().unwrap();
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM event WHERE room = 5"), 0);
    drop(server);
    let mut server = TestServer::start(&path);
    assert_eq!(server.all(busy), (11..=40).collect::<Vec<_>>());
}

#[test]
fn a_gif_of_any_64_bits_is_migrated() {
    let (_folder, path) = version_1();
    let old = Connection::open(&path).unwrap();
    old.execute("UPDATE event SET gif = -1 WHERE room = 4 AND seq = 2", []).unwrap();
    old.close().unwrap();
    let mut server = TestServer::start(&path);
    let position = Position { room: RoomId(4), seq: 2 };
    let said = server.reader.message(position).unwrap().unwrap();
    assert_eq!(said.content, Content::Gif(u64::MAX));
}

#[test]
fn a_migration_that_is_killed_changes_nothing() {
    let (_folder, path) = version_1_killed();
    let mut connection = Connection::open(&path).unwrap();
    // So small a cache makes SQLite write pages before the transaction ends.
    connection.pragma_update(None, "cache_size", 1).unwrap();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    migrate(&transaction, STEPS).unwrap();
    let (_left_folder, left) = new_path();
    fs::copy(&path, &left).unwrap();
    fs::copy(wal(&path), wal(&left)).unwrap();
    assert!(fs::metadata(wal(&left)).unwrap().len() > WAL.len() as u64, "nothing was written yet");
    assert_eq!(marks(&left).version, 1);
    drop(transaction);
    check_contents(&mut TestServer::start(&left), include_str!("version-1-killed.txt"));
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let (_folder, path) = version_1();
    let old = Connection::open(&path).unwrap();
    // A row that version 1 never wrote: neither text nor gif.
    let sql = "UPDATE event SET text = NULL, gif = NULL WHERE room = 4 AND seq = 2";
    old.execute(sql, []).unwrap();
    old.close().unwrap();
    let before = fs::read(&path).unwrap();
    let error = super::super::open(&path, Durability::Process, EVERYTHING).err().unwrap();
    assert!(error.to_string().contains("unexpected contents"), "{error}");
    assert!(fs::read(&path).unwrap() == before);
    assert!(!wal(&path).exists() || fs::metadata(wal(&path)).unwrap().len() == 0);
}

#[test]
fn an_older_program_refuses_a_migrated_file() {
    let (_folder, path) = version_1();
    assert!(marks(&path).check(&path, 1).is_ok());
    drop(TestServer::start(&path));
    let error = marks(&path).check(&path, 1).unwrap_err().to_string();
    let words = format!("newer wschat (version {VERSION} of the file; this one knows 1)");
    assert!(error.contains(&words), "{error}");
}

#[test]
fn a_kind_of_message_that_is_not_known_is_an_error() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=3);
    let newer = Connection::open(&path).unwrap();
    let sql = r#"UPDATE event SET kind = 'poll', body = '{"question":"Lunch?"}' WHERE seq = 2"#;
    newer.execute(sql, []).unwrap();
    let errors = [
        server.reader.since(LOBBY, 0, 3, usize::MAX).unwrap_err(),
        server.reader.before(LOBBY, 4, 3, usize::MAX).unwrap_err(),
        server.reader.message(Position { room: LOBBY, seq: 2 }).unwrap_err(),
    ];
    let path = path.display();
    for error in errors {
        assert_eq!(
            error.to_string(),
            format!(
                "{path} has a message of the kind \"poll\", which this wschat cannot read; a newer \
                 wschat wrote it: run that version, or restore a backup from before it",
            ),
        );
    }
    // The others can still be read, and the room goes on.
    server.say(LOBBY, 4..=4);
    assert_eq!(seqs(&server.reader.since(LOBBY, 2, 4, usize::MAX).unwrap()), [3, 4]);
}
