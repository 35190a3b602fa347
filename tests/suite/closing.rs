//! A client that closes gets everything it has asked for first, however the answers come about.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use wschat::Settings;

use crate::client::{Client, UPGRADE, V2, upgrade_offering};
use crate::frame::{self, BINARY, CLOSE, Frame, PING, PONG, TEXT};
use crate::host::Host;

/// How often each is tried: whether an answer from the history is overtaken depends on the moment.
const ROUNDS: usize = 20;

/// Sends these requests, a Ping and a Close in one go, right behind the upgrade. Returns the text frames
/// that come before the Close frame.
fn answers(client: &mut Client, upgrade: &str, requests: &[&str]) -> Vec<Value> {
    let mut bytes = upgrade.as_bytes().to_vec();
    bytes.extend(requests.iter().flat_map(|request| frame::masked(TEXT, request.as_bytes())));
    bytes.extend(frame::masked(PING, b"!"));
    bytes.extend(frame::close(1000, "bye"));
    client.send(bytes);
    client.read_head();
    let mut answers = Vec::new();
    let mut has_pong = false;
    loop {
        let Frame { first, payload } = client.frame();
        match first {
            TEXT => answers.push(serde_json::from_slice(&payload).unwrap()),
            PONG => has_pong = true,
            CLOSE => break,
            other => panic!("frame 0x{other:02x}"),
        }
    }
    assert!(has_pong, "the Ping is answered, too");
    client.expect_end_of_stream();
    answers
}

fn types(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect()
}

#[track_caller]
fn check(host: &Host) {
    for round in 0..ROUNDS {
        let mut client = host.endpoint.connect();
        let requests = [
            r#"{"type":"enter_room","roomId":1,"ref":"r1"}"#,
            r#"{"type":"text","text":"once","ref":"r2"}"#,
            // Answered from the history: the text itself, and a page.
            r#"{"type":"text","text":"once","ref":"r2"}"#,
            r#"{"type":"history","roomId":1,"limit":1,"ref":"r3"}"#,
            r#"{"type":"typing"}"#,
            r#"{"type":"enter_room","roomId":2,"ref":"r4"}"#,
            r#"{"type":"enter_room","roomId":99,"ref":"r5"}"#,
            r#"{"type":"list_rooms","ref":"r6"}"#,
        ];
        let frames = answers(&mut client, &upgrade_offering(V2), &requests);
        let references: Vec<_> = frames.iter().filter_map(|frame| frame["ref"].as_str()).collect();
        assert_eq!(references[..4], ["r1", "r2", "r2", "r3"], "round {round}: {frames:?}");
        assert_eq!(frames[1]["type"], "room", "round {round}: {frames:?}");
        let page = frames.iter().find(|frame| frame["type"] == "history").unwrap();
        assert_eq!(page["events"][0]["text"], "once");
        assert_eq!(
            references[references.len() - 3..],
            ["r4", "r5", "r6"],
            "round {round}: {frames:?}"
        );

        let mut client = host.endpoint.connect();
        let requests = [
            r#"{"type":"enter_room","roomId":3}"#,
            r#"{"type":"text","text":"a"}"#,
            r#"{"type":"leave_room"}"#,
            r#"{"type":"nonsense"}"#,
            r#"{"type":"list_rooms"}"#,
        ];
        let frames = answers(&mut client, UPGRADE, &requests);
        let expected = ["welcome", "enter_room", "text", "leave_room", "error", "list_rooms"];
        assert_eq!(types(&frames), expected, "round {round}");
    }
}

#[test]
fn every_request_is_answered_before_the_close_frame() {
    let directory = tempfile::tempdir().unwrap();
    for with_file in [false, true] {
        let change = |settings: &mut Settings| {
            settings.limits.messages_per_second = 0.0;
            settings.history.file = with_file.then(|| directory.path().join("chat.db"));
        };
        let host = Host::with(change);
        check(&host);
        host.stop();
        let host = Host::with_tls(change);
        check(&host);
        host.stop();
    }
}

/// How much the kernel may have taken for a connection that is not read from.
const KERNEL_BYTES: usize = 32 << 20;

/// Sends as fast as the server takes it, until that has lingered for long enough. Returns how many bytes it
/// took.
fn flood(mut tcp: &TcpStream) -> usize {
    tcp.set_write_timeout(Some(Duration::from_secs(3))).unwrap();
    let rubbish = vec![0; 65_536];
    let mut sent = 0;
    loop {
        match tcp.write(&rubbish) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return sent,
        }
    }
}

/// Whoever has been told the end could otherwise keep a thread as busy as it likes, within no pace.
#[test]
fn what_comes_after_the_end_is_taken_slowly() {
    let host = Host::start();
    let mut closed = host.endpoint.user();
    closed.send(frame::masked(BINARY, b"x"));
    closed.expect_close(1003);
    let taken = flood(closed.tcp());
    assert!(taken < KERNEL_BYTES, "{taken} bytes after the Close frame");

    let mut answered = host.endpoint.connect();
    answered.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answered.response().status, 404);
    let taken = flood(answered.tcp());
    assert!(taken < KERNEL_BYTES, "{taken} bytes after the response");
}
