//! Patience and its end: handshakes that do not get on, and peers that fall silent.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use wschat::Settings;

use crate::client::{Client, Door, PATIENCE, UPGRADE, is_reset};
use crate::frame::{self, Frame, PING, PONG, TEXT};
use crate::host::Host;

/// Long enough to shake hands over TLS on a busy machine.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);

fn impatient(settings: &mut Settings) {
    settings.limits.handshake_timeout_ms = 1_000;
}

/// Pings after 150 ms of silence, and waits 100 ms for the answer.
fn attentive(settings: &mut Settings) {
    settings.limits.ping_interval_ms = 150;
    settings.limits.pong_timeout_ms = 100;
}

/// Pings after half a second, and leaves time to answer, on a busy machine, too.
fn forgiving(settings: &mut Settings) {
    settings.limits.ping_interval_ms = 500;
    settings.limits.pong_timeout_ms = 500;
}

/// The port of a server that speaks TLS, to be spoken to without.
fn bare(host: &Host) -> Door {
    Door { address: host.door.address, root: None }
}

/// Connects, sends these bytes and is cut off, but not before the time.
#[track_caller]
fn check_cut(door: &Door, bytes: impl AsRef<[u8]>) {
    let began = Instant::now();
    let mut client = door.knock();
    client.send(bytes);
    client.expect_cut();
    let elapsed = began.elapsed();
    assert!(elapsed >= HANDSHAKE_TIMEOUT, "{elapsed:?}");
    assert!(elapsed < PATIENCE / 2, "{elapsed:?}");
}

/// Sends these bytes one after the other, and is cut off before the last of them.
#[track_caller]
fn check_trickle(client: &Client, bytes: &[u8]) {
    let pause = HANDSHAKE_TIMEOUT / 10;
    assert!(pause * u32::try_from(bytes.len()).unwrap() > HANDSHAKE_TIMEOUT * 2);
    let mut tcp = client.tcp();
    tcp.set_read_timeout(Some(pause)).unwrap();
    for byte in bytes {
        if tcp.write(&[*byte]).is_err() {
            return;
        }
        // The pause between two bytes is a wait for the end.
        match tcp.read(&mut [0]) {
            Ok(0) => return,
            Ok(_) => panic!("an answer to half a request"),
            Err(error) if is_reset(&error) => return,
            Err(_) => {}
        }
    }
    panic!("the trickle was taken to its last byte");
}

#[test]
fn silence_before_the_handshake() {
    let host = Host::with(impatient);
    check_cut(&host.door, "");
    check_cut(&host.door, &UPGRADE[..40]);
}

#[test]
fn a_trickle_of_a_request() {
    let host = Host::with(impatient);
    check_trickle(&host.door.knock(), UPGRADE.as_bytes());
}

#[test]
fn silence_before_the_tls_handshake() {
    let host = Host::with_tls(impatient);
    check_cut(&bare(&host), "");
    // Half a ClientHello: the header of a record of 512 bytes, and some of it.
    check_cut(&bare(&host), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
}

#[test]
fn a_trickle_of_a_tls_handshake() {
    let host = Host::with_tls(impatient);
    let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    hello.resize(200, 0);
    check_trickle(&bare(&host).knock(), &hello);
}

#[test]
fn silence_after_the_tls_handshake() {
    let host = Host::with_tls(impatient);
    check_cut(&host.door, "");
    check_cut(&host.door, &UPGRADE[..40]);
}

#[test]
fn the_handshakes_deadline_ends_with_the_handshake() {
    let host = Host::with(|settings| {
        impatient(settings);
        settings.limits.ping_interval_ms = 1_500;
        settings.limits.pong_timeout_ms = 1_500;
    });
    let mut user = host.door.user();
    // The first ping comes when the deadline has passed.
    assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
    user.expect_nothing_more();
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    for host in [Host::with(attentive), Host::with_tls(attentive)] {
        let mut user = host.door.user();
        assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
        assert_eq!(user.skip_to_close(), (1011, "no pong".to_owned()));
    }
}

#[test]
fn half_a_frame_and_silence() {
    let host = Host::with(attentive);
    let whole = frame::masked(TEXT, br#"{"type":"list_rooms"}"#);
    for len in [1, 2, 6, whole.len() - 1] {
        let mut user = host.door.user();
        user.send(&whole[..len]);
        assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
        user.expect_close(1011);
    }
}

#[test]
fn half_a_message_and_silence() {
    let host = Host::with(attentive);
    let mut user = host.door.user();
    user.send(frame::masked(frame::TEXT_BEGINS, b"{"));
    assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
    user.expect_close(1011);
}

#[test]
fn a_peer_that_answers_stays() {
    for host in [Host::with(forgiving), Host::with_tls(forgiving)] {
        let mut user = host.door.user();
        for _ in 0..3 {
            assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
            user.send(frame::masked(PONG, b""));
        }
        user.expect_nothing_more();
    }
}

#[test]
fn whatever_it_sends_is_a_sign_of_life() {
    let host = Host::with(forgiving);
    let mut user = host.door.user();
    for _ in 0..3 {
        assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
        user.request("x");
        user.expect_error("bad_json");
    }
}

#[test]
fn a_peer_that_is_given_up_has_left() {
    let host = Host::with(forgiving);
    let mut witness = host.door.member();
    let silent = host.door.member();
    // The witness answers its own pings while it waits.
    witness.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    witness.expect(r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#);
    drop(silent);
}
