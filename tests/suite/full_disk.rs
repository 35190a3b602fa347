//! The history's disk is full: what is said is refused and told to nobody, all else goes on, and when
//! there is room again everything is as before.
//!
//! The program gets a small file system of its own, in a mount name space that goes with it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Client;
use crate::host::Program;

/// Runs a shell as the owner of name spaces in which it may mount.
const SHELL: [&str; 3] = ["unshare", "-rm", "sh"];

const MOUNT: &str = "mkdir small && mount -t tmpfs -o size=2m tmpfs small";

/// As many texts as a disk of this size can never hold.
const MANY: u64 = 5_000;

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
    println!("skipped, since nothing can be mounted here: {why}");
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

/// Says this with this `ref`; returns the answer.
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
fn a_full_disk_refuses_what_is_said_and_nothing_else() {
    if !can_mount() {
        return;
    }
    let program = Program::start_by(
        &SHELL,
        MOUNT,
        json!({
            "history": { "file": "small/wschat.db" },
            "limits": { "messagesPerSecond": 0, "historyMaxEvents": 1_000_000 },
        }),
    );
    let filler = program.inner_file("small/filler");
    let mut speaker = program.door.v2_user();
    let mut listener = program.door.v2_user();
    let mut base = program.door.user();
    for client in [&mut speaker, &mut listener] {
        client.request(r#"{"type":"enter_room","roomId":1}"#);
        client.skip_to("room");
    }
    base.request(r#"{"type":"enter_room","roomId":1}"#);
    base.skip_to("enter_room");
    let mut watcher = program.door.v2_user();
    watcher.request(r#"{"type":"list_rooms"}"#);
    watcher.skip_to("list_rooms");
    assert_eq!(say(&mut speaker, "0", "0")["seq"], 1);

    // There may be room in the files as they are.
    fill(&filler);
    let padding = "x".repeat(1_000);
    let said = (1..MANY)
        .find(|number| {
            let number = number.to_string();
            is_refused(&say(&mut speaker, &format!("{number} {padding}"), &number))
        })
        .expect("the disk is full at last");
    println!("{said} texts are kept");

    // The same twice in one tick is refused twice, and so is who speaks the base protocol.
    let twice = json!({ "type": "text", "text": padding, "ref": "twice" }).to_string();
    let frame = crate::frame::masked(crate::frame::TEXT, twice.as_bytes());
    speaker.send(frame.repeat(10));
    for _ in 0..10 {
        let answer = speaker.skip_to("error");
        assert_eq!((&answer["code"], &answer["ref"]), (&json!("not_saved"), &json!("twice")));
    }
    base.say(&padding);
    assert_eq!(base.skip_to("error")["code"], "not_saved");

    // The list of rooms has not counted on any of it.
    watcher.request(r#"{"type":"list_rooms","ref":"again"}"#);
    let mut told = 0;
    loop {
        let value = watcher.json();
        let seq = match value["type"].as_str() {
            Some("room_changed") => &value["room"]["seq"],
            _ => &value["rooms"]["1"]["seq"],
        };
        let before = std::mem::replace(&mut told, seq.as_u64().expect("a seq"));
        assert!((before..=said).contains(&told), "{told} after {before}, of {said}");
        if value["ref"] == "again" {
            break;
        }
    }
    assert_eq!(told, said);

    // Who comes, goes, or has another name is told as ever, and who is gone for a moment comes back.
    let mut guest = program.door.v2_user();
    guest.request(r#"{"type":"enter_room","roomId":1}"#);
    assert_eq!(guest.skip_to("room")["seq"], said);
    guest.request(r#"{"type":"change_name","name":"Guest"}"#);
    guest.skip_to("change_name");
    let (token, id) = (guest.token.clone(), guest.id);
    guest.abort();
    let mut guest = program.door.resume(&token);
    assert_eq!(guest.id, id);
    guest.request(r#"{"type":"enter_room","roomId":2}"#);
    guest.skip_to("room");
    for kind in ["enter_room", "change_name", "leave_room"] {
        loop {
            let value = listener.json();
            if value["type"] == kind && (kind == "change_name" || value["user"]["id"] == id) {
                break;
            }
        }
    }
    assert!(program.log().contains("cannot be saved"), "{}", program.log());

    // With room again, it goes on by itself, and there is no gap.
    fs::remove_file(&filler).unwrap();
    let mut tries = 0;
    while is_refused(&say(&mut speaker, "at last", "at last")) {
        tries += 1;
        assert!(tries < 1_000_000, "never again");
    }
    assert_eq!(say(&mut speaker, "and on", "and on")["seq"], said + 2);
    let seen: Vec<Value> = std::iter::from_fn(|| Some(listener.skip_to("text"))).take(2).collect();
    let texts: Vec<_> = seen.iter().map(|value| (&value["text"], &value["seq"])).collect();
    assert_eq!(
        texts,
        [(&json!("at last"), &json!(said + 1)), (&json!("and on"), &json!(said + 2))]
    );

    // Exactly what was told is there.
    speaker.request(r#"{"type":"history","roomId":1,"limit":3}"#);
    let page = speaker.skip_to("history");
    let kept = page["events"].as_array().expect("events").iter();
    let kept: Vec<&Value> = kept.map(|said| &said["ref"]).collect();
    assert_eq!(kept, [&(said - 1).to_string(), "at last", "and on"]);
    assert!(program.log().contains("is saved again"), "{}", program.log());
}
