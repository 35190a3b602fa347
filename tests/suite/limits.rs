//! The limits on the requests of one client: rates, sizes, and the answers when it exceeds them.

use std::thread;
use std::time::{Duration, Instant};

use crate::frame::{self, CLOSE, Frame, PING, TEXT};
use crate::host::Host;

/// The delay after which the refused request may be repeated.
fn retry_after(refusal: &serde_json::Value) -> Duration {
    let millis = refusal["retryAfterMs"].as_u64().expect("retryAfterMs");
    let words = format!("try again in {millis} ms.");
    let message = refusal["message"].as_str().unwrap();
    assert!(message.ends_with(&words), "{message}");
    Duration::from_millis(millis)
}

#[test]
fn a_request_that_is_too_fast_succeeds_after_retry_after_ms() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 2.0;
        settings.limits.message_burst = 3;
    });
    let mut user = host.endpoint.user();
    let mut witness = host.endpoint.member();
    let requests = [r#"{"type":"enter_room","roomId":1}"#; 3];
    let frames: Vec<Vec<u8>> =
        requests.iter().map(|text| frame::masked(TEXT, text.as_bytes())).collect();
    user.send(frames.concat());
    for _ in 0..3 {
        user.expect(r#"{"type":"enter_room","user":{"id":1,"name":"User 1"}}"#);
    }
    witness.expect(r#"{"type":"enter_room","user":{"id":1,"name":"User 1"}}"#);

    user.say("refused");
    let wait = retry_after(&user.expect_error("rate_limited"));
    assert!(wait <= Duration::from_millis(500), "{wait:?}");
    // Waiting for exactly this time must suffice.
    thread::sleep(wait);
    user.say("granted");
    for member in [&mut user, &mut witness] {
        member.expect(r#"{"type":"text","text":"granted","from":{"id":1,"name":"User 1"}}"#);
    }
}

#[test]
fn a_rate_limited_error_has_exactly_these_members() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.001;
        settings.limits.message_burst = 1;
    });
    let mut user = host.endpoint.user();
    user.request(r#"{"type":"leave_room"}"#);
    user.expect_error("not_in_room");
    user.request(r#"{"type":"leave_room"}"#);
    let text = user.text();
    let wait = text.rsplit(&[':', '}']).nth(1).unwrap().to_owned();
    assert_eq!(
        text,
        format!(
            r#"{{"type":"error","code":"rate_limited","message":"Too many messages: try again in {wait} ms.","retryAfterMs":{wait}}}"#
        )
    );
    let millis: u64 = wait.parse().unwrap();
    assert!((900_000..=1_000_000).contains(&millis), "{millis}");
}

#[test]
fn a_client_that_ignores_the_refusals_is_closed() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.001;
        settings.limits.message_burst = 3;
    });
    let mut user = host.endpoint.user();
    user.send(frame::masked(TEXT, br#"{"type":"leave_room"}"#).repeat(10));
    for _ in 0..3 {
        user.expect_error("not_in_room");
    }
    for _ in 0..3 {
        user.expect_error("rate_limited");
    }
    user.expect_close(1008);
}

#[test]
fn bad_requests_count_towards_the_rate() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.001;
        settings.limits.message_burst = 2;
    });
    let mut user = host.endpoint.user();
    user.send(frame::masked(TEXT, b"x").repeat(5));
    user.expect_error("bad_json");
    user.expect_error("bad_json");
    user.expect_error("rate_limited");
    user.expect_error("rate_limited");
    user.expect_close(1008);
}

#[test]
fn a_client_that_is_too_fast_does_not_slow_down_another() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.001;
        settings.limits.message_burst = 2;
    });
    let mut fast = host.endpoint.member();
    let mut calm = host.endpoint.member();
    fast.send(frame::masked(TEXT, br#"{"type":"leave_room"}"#).repeat(10));
    assert_eq!(fast.skip_to_close().0, 1008);
    calm.say("calm");
    calm.expect(r#"{"type":"leave_room","user":{"id":1,"name":"User 1"}}"#);
    calm.expect(r#"{"type":"text","text":"calm","from":{"id":2,"name":"User 2"}}"#);
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let host = Host::with(|settings| settings.limits.messages_per_second = 0.0);
    let mut user = host.endpoint.user();
    user.send(frame::masked(TEXT, br#"{"type":"leave_room"}"#).repeat(1_000));
    for _ in 0..1_000 {
        user.expect_error("not_in_room");
    }
    user.expect_nothing_more();
}

#[test]
fn creating_rooms_has_its_own_rate() {
    let host = Host::with(|settings| {
        settings.limits.rooms_per_second = 2.0;
        settings.limits.room_burst = 1;
        settings.limits.room_list_interval_ms = 0;
    });
    let mut user = host.endpoint.user();
    let create = r#"{"type":"create_room","title":"x"}"#;
    user.request(create);
    assert!(user.text().contains(r#""4":"#));
    user.request(create);
    let refusal = user.expect_error("rate_limited");
    assert!(refusal["message"].as_str().unwrap().starts_with("Too many new rooms: "));
    // Other requests are served meanwhile, and the room was not created.
    user.request(r#"{"type":"enter_room","roomId":5}"#);
    user.expect_error("unknown_room");
    thread::sleep(retry_after(&refusal));
    user.request(create);
    assert!(user.text().contains(r#""5":"#));
}

#[test]
fn pings_count_towards_the_rate() {
    let host = Host::start();
    let mut user = host.endpoint.user();
    let began = Instant::now();
    // The default burst is served, as many again are refused, and then the connection is closed.
    user.send(frame::masked(PING, b"x").repeat(1_000));
    let (code, _) = user.skip_to_close();
    assert_eq!(code, 1008, "after {:?}", began.elapsed());
}

#[test]
fn a_long_frame_may_exceed_the_outbox_of_a_client_that_keeps_up() {
    let host = Host::with(|settings| {
        settings.limits.outbox_max_bytes = 4_096;
        settings.limits.max_text_chars = 60_000;
    });
    let mut user = host.endpoint.member();
    let text = "x".repeat(60_000);
    for _ in 0..10 {
        user.say(&text);
        user.expect(&format!(
            r#"{{"type":"text","text":"{text}","from":{{"id":1,"name":"User 1"}}}}"#
        ));
    }
}

#[test]
fn every_close_frame_says_why() {
    let host = Host::with(|settings| settings.limits.message_burst = 1);
    for (bytes, code, words) in [
        (frame::unmasked(TEXT, b"x"), 1002, "WebSocket protocol error"),
        (frame::masked(frame::BINARY, b"x"), 1003, "binary messages are not accepted"),
        (frame::masked(TEXT, b"\xff"), 1007, "text is not UTF-8"),
        (frame::masked(TEXT, b"x").repeat(9), 1008, "too many messages"),
        (frame::header(TEXT, 1 << 30), 1009, "message too big"),
    ] {
        let mut user = host.endpoint.user();
        user.send(bytes);
        assert_eq!(user.skip_to_close(), (code, words.to_owned()));
    }
    let mut user = host.endpoint.user();
    host.handle.shutdown();
    let payload = [&1001u16.to_be_bytes()[..], b"server stopping"].concat();
    assert_eq!(user.frame(), Frame { first: CLOSE, payload });
}
