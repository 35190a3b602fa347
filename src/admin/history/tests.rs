//! Against a history in a file or in memory; a thread of the test stands in for the dispatcher.

use std::thread;

use super::*;
use crate::chat::{Memo, Person, StoredRoom, UserId};
use crate::history::{self, Batch, Location, Opened, Retention};
use crate::input::{Input, RoomStatus};
use crate::mailbox::{MailboxSender, WaitOutcome, mailbox};
use crate::settings::Durability;

const ROOM: RoomId = RoomId(1);

/// With two messages in room 1.
struct Stage {
    opened: Opened,
    /// As long as it lives, the dispatcher answers.
    inputs: MailboxSender<Input>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(is_in_file: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let location = if is_in_file {
            Location::File { path, durability: Durability::Process }
        } else {
            Location::Memory
        };
        let retention = Retention {
            max_events: 1_000,
            max_age: None,
            max_memory_bytes: usize::MAX,
            max_references: usize::MAX,
            max_file_bytes: 0,
        };
        let mut opened = history::open(&location, retention).unwrap();
        let room = Memo::Room(StoredRoom { id: ROOM, title: "Lobby".into(), place: None });
        let from = Person { id: UserId(7), name: "Ann".into() };
        let said = |seq, content| Said {
            seq,
            time: 1_000 + seq,
            from: from.clone(),
            content,
            reference: None,
        };
        let messages =
            [said(1, Content::Text("Hi \u{1f600}".to_owned())), said(2, Content::Gif(3))];
        let messages: Vec<_> = messages.iter().map(|said| (ROOM, said)).collect();
        opened.history.commit(Batch { said: &messages, memos: &[room] }).unwrap();
        let (inputs, received) = mailbox(8);
        thread::spawn(move || {
            while let WaitOutcome::Received(input) = received.wait(None) {
                let Input::Control(control) = input else { continue };
                let Control::Rooms(answer) = *control else { continue };
                let room = RoomStatus {
                    id: 1,
                    title: "Lobby".to_owned(),
                    users: 0,
                    away: 0,
                    seq: 2,
                    is_permanent: true,
                };
                let _ = answer.send(vec![room]);
            }
        });
        Self { opened, inputs, folder }
    }

    /// The media type and the body, or the error.
    fn get(&self, path: &str, query: &str) -> Result<(String, Vec<u8>), Answer> {
        let commands = Commands::new(self.inputs.downgrade(), self.opened.archive.clone());
        let stream = commands.stream("GET", path, query).expect("it is a command")?;
        let mut body = Vec::new();
        (stream.write)(&mut body).unwrap();
        Ok((stream.media_type.to_owned(), body))
    }
}

/// A client that has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts how often what is written so far has to be sent.
struct Sent(usize);

impl Write for Sent {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn an_export_is_not_sent_message_by_message() {
    let stage = Stage::new(false);
    let commands = Commands::new(stage.inputs.downgrade(), stage.opened.archive.clone());
    let stream = commands.stream("GET", "/v1/export", "room=1").unwrap().unwrap();
    let mut sent = Sent(0);
    (stream.write)(&mut sent).unwrap();
    assert_eq!(sent.0, 1);
}

#[test]
fn an_export_is_a_line_for_each_message() {
    for is_in_file in [false, true] {
        let (media, body) = Stage::new(is_in_file).get("/v1/export", "room=1").unwrap();
        assert_eq!(media, "application/jsonl");
        let lines: Vec<Value> = String::from_utf8(body)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let from = json!({ "id": 7, "name": "Ann" });
        assert_eq!(
            lines,
            [
                json!({ "roomId": 1, "seq": 1, "time": 1_001, "from": from, "text": "Hi \u{1f600}" }),
                json!({ "roomId": 1, "seq": 2, "time": 1_002, "from": from, "gifId": 3 }),
            ]
        );
    }
}

#[test]
fn an_export_of_no_room_says_what_to_do() {
    let stage = Stage::new(false);
    let unknown = stage.get("/v1/export", "room=9").unwrap_err();
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("GET /v1/rooms lists them"), "{}", unknown.body);
    for query in ["", "room=", "room=x", "rom=1"] {
        assert_eq!(stage.get("/v1/export", query).unwrap_err().status, 400, "{query}");
    }
}

#[test]
fn a_backup_is_announced_by_lines_and_then_sent() {
    let stage = Stage::new(true);
    let (media, body) = stage.get("/v1/backup", "").unwrap();
    assert_eq!(media, "application/octet-stream");
    let mut rest = &body[..];
    let mut phases = Vec::new();
    let total = loop {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let line: Value = serde_json::from_slice(&rest[..end]).unwrap();
        rest = &rest[end + 1..];
        phases.push(line["phase"].as_str().unwrap().to_owned());
        if line["phase"] == "sending" {
            break line["total"].as_u64().unwrap();
        }
        assert_eq!(line["done"], line["total"], "it fits into one step");
    };
    assert_eq!(phases, ["copying", "sending"]);
    assert_eq!(rest.len() as u64, total);
    assert!(rest.starts_with(b"SQLite format 3\0"));
    assert!(rest.windows(3).any(|window| window == b"Ann"));
}

#[test]
fn a_backup_of_what_is_in_memory_says_what_to_do() {
    let refused = Stage::new(false).get("/v1/backup", "").unwrap_err();
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("name a file in"), "{}", refused.body);
}

#[test]
fn a_client_that_has_gone_ends_the_backup() {
    let stage = Stage::new(true);
    let commands = Commands::new(stage.inputs.downgrade(), stage.opened.archive.clone());
    let stream = commands.stream("GET", "/v1/backup", "").unwrap().unwrap();
    let second = commands.stream("GET", "/v1/backup", "").unwrap().unwrap_err();
    assert_eq!(second.status, 409, "one is made at a time");
    assert!((stream.write)(&mut Gone).is_err());
    assert!(!stage.folder.path().join("history.db.backup").exists());
    // One that is never begun ends as well.
    drop(commands.stream("GET", "/v1/backup", "").unwrap().unwrap());
    assert!(stage.get("/v1/backup", "").is_ok(), "the next one can be made");
    assert!(commands.stream("POST", "/v1/backup", "").is_none());
}
