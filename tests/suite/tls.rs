//! What TLS adds to the wire; that the chat itself is the same, `transcripts` shows.

use wschat::Settings;

use crate::client::Door;
use crate::frame::{self, TEXT};
use crate::host::Host;

/// Texts of up to a million characters, as fast as they come.
fn roomy(settings: &mut Settings) {
    let limits = &mut settings.limits;
    limits.max_text_chars = 1_000_000;
    limits.max_message_bytes = 4 << 20;
    limits.outbox_max_bytes = 64 << 20;
    limits.messages_per_second = 0.0;
}

#[test]
fn the_page_over_https() {
    let host = Host::with_tls(|_| {});
    let response = host.door.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-length"), response.body.len().to_string());
    assert!(response.text().to_ascii_lowercase().starts_with("<!doctype html>"));
}

#[test]
fn frames_of_many_records_both_ways() {
    let host = Host::with_tls(roomy);
    let mut user = host.door.member();
    for text in ["x".repeat(1_000_000), "😀".repeat(500_000), "y".repeat(16_384)] {
        user.say(&text);
        let told = user.text();
        let expected =
            format!(r#"{{"type":"text","text":"{text}","from":{{"id":1,"name":"User 1"}}}}"#);
        assert!(told == expected, "{} bytes came back as {}", text.len(), told.len());
    }
}

#[test]
fn both_ways_at_once() {
    let host = Host::with_tls(roomy);
    let mut one = host.door.member();
    let mut two = host.door.member();
    one.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    // Neither reads while both send, far more than the sockets hold.
    let text = |number: usize| format!("{number:020000}");
    for number in 0..200 {
        one.say(&text(number));
        two.say(&text(number));
    }
    for member in [&mut one, &mut two] {
        let mut heard = [0, 0];
        for _ in 0..400 {
            let told = member.text();
            let author = usize::from(told.contains(r#""from":{"id":2,"#));
            assert!(told.contains(&text(heard[author])), "text {} is next", heard[author]);
            heard[author] += 1;
        }
        assert_eq!(heard, [200, 200]);
        member.expect_nothing_more();
    }
}

#[test]
fn many_frames_in_one_record() {
    let host = Host::with_tls(roomy);
    let mut user = host.door.user();
    // They lie decrypted inside TLS, where no `poll` sees them.
    user.send(frame::masked(TEXT, b"x").repeat(2_000));
    for _ in 0..2_000 {
        user.expect_error("bad_json");
    }
    user.expect_nothing_more();
}

#[test]
fn a_peer_that_closes_without_close_notify() {
    let host = Host::with_tls(|_| {});
    let mut witness = host.door.member();
    let one = host.door.member();
    witness.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    one.shut_down_writing();
    witness.expect(r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#);
    let two = host.door.member();
    witness.expect(r#"{"type":"enter_room","user":{"id":3,"name":"User 3"}}"#);
    drop(two);
    witness.expect(r#"{"type":"leave_room","user":{"id":3,"name":"User 3"}}"#);
    witness.expect_nothing_more();
}

#[test]
fn what_is_not_tls_on_the_tls_port_is_cut_and_harms_nobody() {
    let host = Host::with_tls(|_| {});
    let mut user = host.door.user();
    let bare = Door { address: host.door.address, root: None };
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ] {
        let mut client = bare.knock();
        client.send(bytes);
        let answer = client.read_to_cut();
        // An alert of TLS at most (RFC 8446 §6): its header and two bytes.
        assert!(answer.is_empty() || (answer[0] == 0x15 && answer.len() == 7), "{answer:x?}");
    }
    user.expect_nothing_more();
    host.door.user().close();
}

#[test]
fn a_client_that_does_not_trust_the_certificate_harms_nobody() {
    let host = Host::with_tls(|_| {});
    let other = Host::with_tls(|_| {});
    let mistaken = Door { address: host.door.address, root: other.door.root.clone() };
    assert!(mistaken.try_tls().is_err());
    host.door.user().close();
}
