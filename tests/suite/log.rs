//! The program's log: it holds up nobody, comes in whole lines, and can change while the server runs.

use std::fs;
use std::io::pipe;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat};
use serde_json::{Value, json};

use crate::client::Client;
use crate::host::{Program, eventually};

/// A pipe that nobody reads and that is full, so that a write to it waits for ever.
fn full_pipe() -> (std::io::PipeReader, OwnedFd) {
    let (reader, writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    while rustix::io::write(&writer, b"x").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, OwnedFd::from(writer))
}

#[test]
fn nobody_reads_the_log_and_nobody_is_held_up() {
    let (_unread, stderr) = full_pipe();
    let mut program = Program::start_with_stderr(
        "true",
        Stdio::from(stderr),
        json!({
            "limits": { "maxConnectionsPerIp": 0, "messagesPerSecond": 0 }
        }),
    );
    // Each connection makes two lines, which is more than a pipe takes.
    let mut users: Vec<Client> = (0..400).map(|_| program.endpoint.user()).collect();
    let mut member = program.endpoint.member();
    member.say("still here");
    assert!(member.text().contains("still here"));

    program.write_settings(&json!({ "rooms": ["New title"] }));
    program.signal("HUP");
    eventually("the settings are reloaded", || {
        let mut late = program.endpoint.user();
        late.request(r#"{"type":"list_rooms"}"#);
        late.text().contains("New title")
    });
    program.signal("TERM");
    for user in &mut users {
        assert_eq!(user.skip_to_close().0, 1001);
    }
    drop((users, member));
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_start_that_fails_ends_though_nobody_reads_why() {
    let (_unread, stderr) = full_pipe();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_wschat"))
        .args(["--settings", "/nowhere.json"])
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut status = None;
    eventually("it ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(3));
}

#[test]
fn the_reader_of_the_log_goes_away_and_the_chat_goes_on() {
    let (reader, writer) = pipe().unwrap();
    let mut program = Program::start_with_stderr("true", Stdio::from(writer), json!({}));
    drop(reader);
    drop(program.endpoint.user());
    let mut member = program.endpoint.member();
    member.say("hello");
    member.text();
    program.signal("TERM");
    assert_eq!(member.skip_to_close().0, 1001);
    drop(member);
    assert_eq!(program.wait().code(), Some(0));
}

/// A datagram socket keeps the bounds of each `write(2)`.
#[test]
fn each_line_is_one_write_and_in_the_journal_has_its_priority() {
    for is_journal in [false, true] {
        let (reader, stderr) = UnixDatagram::pair().unwrap();
        reader.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let stat = fstat(stderr.as_fd()).unwrap();
        let stream = format!("{}:{}", stat.st_dev, stat.st_ino);
        let preparation = if is_journal {
            format!("export JOURNAL_STREAM={stream}")
        } else {
            "export JOURNAL_STREAM=1:1".to_owned()
        };
        let program =
            Program::start_with_stderr(&preparation, Stdio::from(OwnedFd::from(stderr)), json!({}));
        drop(program.endpoint.user());
        let mut has_ended = false;
        while !has_ended {
            let mut bytes = [0; 4096];
            let length = reader.recv(&mut bytes).unwrap();
            let line = std::str::from_utf8(&bytes[..length]).unwrap();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(line.ends_with('\n'), "{line}");
            assert_eq!(line.starts_with("<6>"), is_journal, "{line}");
            has_ended = line.contains("user 1 from");
        }
    }
}

#[test]
fn the_log_changes_its_level_form_and_file_while_the_server_runs() {
    let program = Program::start(json!({ "log": { "file": "one.log" } }));
    let mut member = program.endpoint.member();
    let log = |name: &str| fs::read_to_string(program.file(name)).unwrap_or_default();
    eventually("the connection is logged", || log("one.log").contains("connection 1 from"));

    program.write_settings(&json!({
        "log": { "file": "two.log", "format": "json", "level": "debug" }
    }));
    program.signal("HUP");
    eventually("a request is logged in the new file", || {
        program.endpoint.ask("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n");
        log("two.log").contains("/nowhere")
    });
    for line in log("two.log").lines() {
        let line: Value = serde_json::from_str(line).expect(line);
        let members: Vec<_> = line.as_object().unwrap().keys().collect();
        assert_eq!(members, ["level", "message", "time"]);
    }
    assert!(!log("one.log").contains("/nowhere"));

    // A log that cannot be opened changes nothing at all.
    program.write_settings(&json!({ "rooms": ["Other"], "log": { "file": "/nowhere/log" } }));
    program.signal("HUP");
    eventually("it is refused", || log("two.log").contains("/nowhere/log cannot be written"));
    assert!(log("two.log").contains("the old ones stay"));
    member.request(r#"{"type":"list_rooms"}"#);
    assert!(member.text().contains("Room 1"));
}
