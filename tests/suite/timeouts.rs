//! Timeouts: handshakes that stall, and peers that stop answering.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use wschat::Settings;

use crate::client::{Client, Endpoint, PATIENCE, UPGRADE, is_reset};
use crate::frame::{self, Frame, PING, PONG, TEXT};
use crate::host::Host;

/// Long enough for a TLS handshake on a busy machine.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);

fn short_handshake(settings: &mut Settings) {
    settings.limits.handshake_timeout_ms = 1_000;
}

/// Pings after 150 ms of silence and waits 100 ms for an answer.
fn short_heartbeat(settings: &mut Settings) {
    settings.limits.ping_interval_ms = 150;
    settings.limits.pong_timeout_ms = 100;
}

/// Pings after half a second and leaves enough time to answer, even on a busy machine.
fn tolerant_heartbeat(settings: &mut Settings) {
    settings.limits.ping_interval_ms = 500;
    settings.limits.pong_timeout_ms = 500;
}

/// Connects to a TLS server without TLS.
fn bare(host: &Host) -> Endpoint {
    Endpoint { address: host.endpoint.address, root: None }
}

/// Connects, sends these bytes, and is disconnected, but not before the timeout.
#[track_caller]
fn check_cut(endpoint: &Endpoint, bytes: impl AsRef<[u8]>) {
    let began = Instant::now();
    let mut client = endpoint.connect();
    client.send(bytes);
    client.expect_cut();
    let elapsed = began.elapsed();
    assert!(elapsed >= HANDSHAKE_TIMEOUT, "{elapsed:?}");
    assert!(elapsed < PATIENCE / 2, "{elapsed:?}");
}

/// Sends these bytes one by one, slowly, and is disconnected before the last.
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
        // Waits for the end of the connection between two bytes.
        match tcp.read(&mut [0]) {
            Ok(0) => return,
            Ok(_) => panic!("an answer to an incomplete request"),
            Err(error) if is_reset(&error) => return,
            Err(_) => {}
        }
    }
    panic!("the server accepted all bytes");
}

#[test]
fn silence_before_the_handshake() {
    let host = Host::with(short_handshake);
    check_cut(&host.endpoint, "");
    check_cut(&host.endpoint, &UPGRADE[..40]);
}

#[test]
fn a_request_that_trickles_in() {
    let host = Host::with(short_handshake);
    check_trickle(&host.endpoint.connect(), UPGRADE.as_bytes());
}

#[test]
fn silence_before_the_tls_handshake() {
    let host = Host::with_tls(short_handshake);
    check_cut(&bare(&host), "");
    // Half a ClientHello: the header of a record of 512 bytes, and some of it.
    check_cut(&bare(&host), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
}

#[test]
fn a_tls_handshake_that_trickles_in() {
    let host = Host::with_tls(short_handshake);
    let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    hello.resize(200, 0);
    check_trickle(&bare(&host).connect(), &hello);
}

#[test]
fn silence_after_the_tls_handshake() {
    let host = Host::with_tls(short_handshake);
    check_cut(&host.endpoint, "");
    check_cut(&host.endpoint, &UPGRADE[..40]);
}

#[test]
fn the_handshake_timeout_does_not_apply_after_the_handshake() {
    let host = Host::with(|settings| {
        short_handshake(settings);
        settings.limits.ping_interval_ms = 1_500;
        settings.limits.pong_timeout_ms = 1_500;
    });
    let mut user = host.endpoint.user();
    // The first ping comes after the handshake timeout would have expired.
    assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
    user.expect_nothing_more();
}

#[test]
fn a_silent_peer_is_pinged_and_then_closed() {
    for host in [Host::with(short_heartbeat), Host::with_tls(short_heartbeat)] {
        let mut user = host.endpoint.user();
        assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
        assert_eq!(user.skip_to_close(), (1011, "no pong".to_owned()));
    }
}

#[test]
fn silence_within_a_frame() {
    let host = Host::with(short_heartbeat);
    let whole = frame::masked(TEXT, br#"{"type":"list_rooms"}"#);
    for len in [1, 2, 6, whole.len() - 1] {
        let mut user = host.endpoint.user();
        user.send(&whole[..len]);
        assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
        user.expect_close(1011);
    }
}

#[test]
fn silence_within_a_message() {
    let host = Host::with(short_heartbeat);
    let mut user = host.endpoint.user();
    user.send(frame::masked(frame::FIRST_FRAGMENT, b"{"));
    assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
    user.expect_close(1011);
}

#[test]
fn a_peer_that_answers_pings_stays_connected() {
    for host in [Host::with(tolerant_heartbeat), Host::with_tls(tolerant_heartbeat)] {
        let mut user = host.endpoint.user();
        for _ in 0..3 {
            assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
            user.send(frame::masked(PONG, b""));
        }
        user.expect_nothing_more();
    }
}

#[test]
fn any_message_counts_as_an_answer() {
    let host = Host::with(tolerant_heartbeat);
    let mut user = host.endpoint.user();
    for _ in 0..3 {
        assert_eq!(user.frame(), Frame { first: PING, payload: Vec::new() });
        user.request("x");
        user.expect_error("bad_json");
    }
}

#[test]
fn a_peer_that_times_out_leaves_its_room() {
    let host = Host::with(tolerant_heartbeat);
    let mut witness = host.endpoint.member();
    let silent = host.endpoint.member();
    // The witness answers its pings while it waits.
    witness.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    witness.expect(r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#);
    drop(silent);
}
