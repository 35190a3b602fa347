//! The disk that holds the history is full: texts are refused and told to nobody, everything else
//! works, and saving resumes without a gap when there is space again.
//!
//! The program gets a small file system of its own, in a mount namespace that ends with it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Client;
use crate::frame::{self, TEXT};
use crate::host::{Program, skipped};

/// Runs a shell in namespaces in which it may mount.
const SHELL: [&str; 3] = ["unshare", "-rm", "sh"];

const MOUNT: &str = "mkdir small && mount -t tmpfs -o size=2m tmpfs small";

/// More texts than fit on this disk.
const MANY: u64 = 5_000;

/// A program whose disk is full, and its users. All but the watcher are in room 1.
struct FullDisk {
    program: Program,
    speaker: Client,
    listener: Client,
    /// Speaks the base protocol.
    base: Client,
    /// Is subscribed to the list of rooms.
    watcher: Client,
    padding: String,
    /// The seq of the last text that was saved.
    last_seq: u64,
}

fn can_mount() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(SHELL[0])
        .args(&SHELL[1..])
        .args(["-c", MOUNT])
        .current_dir(&directory)
        .output();
    let why = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    skipped(&format!("mounting is not permitted here: {}", why.trim_end()));
    false
}

/// Fills the disk to the last byte.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for len in [65_536, 512, 1] {
        let block = vec![0; len];
        let error = loop {
            if let Err(error) = file.write_all(&block) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }
}

/// Sends this text with this `ref`; returns the answer.
fn say(client: &mut Client, text: &str, reference: &str) -> Value {
    client.request(&json!({ "type": "text", "text": text, "ref": reference }).to_string());
    loop {
        let value = client.json();
        if value["ref"] == reference {
            return value;
        }
    }
}

fn is_refused(answer: &Value) -> bool {
    if answer["type"] == "text" {
        return false;
    }
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("not_saved")));
    true
}

#[test]
fn a_full_disk_refuses_texts_and_nothing_else() {
    if !can_mount() {
        return;
    }
    let mut disk = FullDisk::new();
    disk.refuses_texts_of_every_version();
    disk.room_list_counts_only_saved_texts();
    disk.presence_and_resumption_work();
    disk.saving_resumes_without_a_gap();
    disk.history_has_exactly_what_was_told();
}

impl FullDisk {
    fn new() -> Self {
        let program = Program::start_by(
            &SHELL,
            MOUNT,
            json!({
                "history": { "file": "small/wschat.db" },
                "limits": { "messagesPerSecond": 0, "historyMaxEvents": 1_000_000 },
            }),
        );
        let mut speaker = program.endpoint.v2_user();
        let mut listener = program.endpoint.v2_user();
        let mut base = program.endpoint.user();
        for client in [&mut speaker, &mut listener] {
            client.request(r#"{"type":"enter_room","roomId":1}"#);
            client.skip_to("room");
        }
        base.request(r#"{"type":"enter_room","roomId":1}"#);
        base.skip_to("enter_room");
        let mut watcher = program.endpoint.v2_user();
        watcher.request(r#"{"type":"list_rooms"}"#);
        watcher.skip_to("list_rooms");
        assert_eq!(say(&mut speaker, "0", "0")["seq"], 1);

        fill(&Self::filler(&program));
        // The files of the history may still have free pages.
        let padding = "x".repeat(1_000);
        let last_seq = (1..MANY)
            .find(|number| {
                let number = number.to_string();
                is_refused(&say(&mut speaker, &format!("{number} {padding}"), &number))
            })
            .expect("the disk is full at last");
        println!("{last_seq} texts are saved");
        Self { program, speaker, listener, base, watcher, padding, last_seq }
    }

    fn filler(program: &Program) -> PathBuf {
        program.inner_file("small/filler")
    }

    /// A `ref` that repeats within one tick is refused each time.
    fn refuses_texts_of_every_version(&mut self) {
        let text = json!({ "type": "text", "text": self.padding, "ref": "repeated" }).to_string();
        self.speaker.send(frame::masked(TEXT, text.as_bytes()).repeat(10));
        for _ in 0..10 {
            let answer = self.speaker.skip_to("error");
            assert_eq!(
                (&answer["code"], &answer["ref"]),
                (&json!("not_saved"), &json!("repeated"))
            );
        }
        self.base.say(&self.padding);
        assert_eq!(self.base.skip_to("error")["code"], "not_saved");
    }

    fn room_list_counts_only_saved_texts(&mut self) {
        self.watcher.request(r#"{"type":"list_rooms","ref":"again"}"#);
        let mut last = 0;
        loop {
            let value = self.watcher.json();
            let seq = match value["type"].as_str() {
                Some("room_changed") => &value["room"]["seq"],
                _ => &value["rooms"]["1"]["seq"],
            };
            let before = std::mem::replace(&mut last, seq.as_u64().expect("a seq"));
            assert!((before..=self.last_seq).contains(&last), "{last} after {before}");
            if value["ref"] == "again" {
                break;
            }
        }
        assert_eq!(last, self.last_seq);
    }

    fn presence_and_resumption_work(&mut self) {
        let mut guest = self.program.endpoint.v2_user();
        guest.request(r#"{"type":"enter_room","roomId":1}"#);
        assert_eq!(guest.skip_to("room")["seq"], self.last_seq);
        guest.request(r#"{"type":"change_name","name":"Guest"}"#);
        guest.skip_to("change_name");
        let (token, id) = (guest.token.clone(), guest.id);
        guest.abort();
        let mut guest = self.program.endpoint.resume(&token);
        assert_eq!(guest.id, id);
        guest.request(r#"{"type":"enter_room","roomId":2}"#);
        guest.skip_to("room");
        for kind in ["enter_room", "change_name", "leave_room"] {
            loop {
                let value = self.listener.json();
                if value["type"] == kind && (kind == "change_name" || value["user"]["id"] == id) {
                    break;
                }
            }
        }
        self.program.expect_log("cannot be saved");
    }

    fn saving_resumes_without_a_gap(&mut self) {
        fs::remove_file(Self::filler(&self.program)).unwrap();
        let mut tries = 0;
        while is_refused(&say(&mut self.speaker, "at last", "at last")) {
            tries += 1;
            assert!(tries < 1_000_000, "saving does not resume");
        }
        assert_eq!(say(&mut self.speaker, "and on", "and on")["seq"], self.last_seq + 2);
        for (text, seq) in [("at last", self.last_seq + 1), ("and on", self.last_seq + 2)] {
            let told = self.listener.skip_to("text");
            assert_eq!((&told["text"], &told["seq"]), (&json!(text), &json!(seq)));
        }
    }

    fn history_has_exactly_what_was_told(&mut self) {
        self.speaker.request(r#"{"type":"history","roomId":1,"limit":3}"#);
        let page = self.speaker.skip_to("history");
        let saved = page["events"].as_array().expect("events").iter();
        let saved: Vec<&Value> = saved.map(|said| &said["ref"]).collect();
        assert_eq!(saved, [&(self.last_seq - 1).to_string(), "at last", "and on"]);
        self.program.expect_log("is saved again");
    }
}
