//! The pace belongs to the session and to the network it comes from, and is charged by what a request
//! costs. Reconnecting is no way around it.

use std::thread;
use std::time::Duration;

use serde_json::json;
use wschat::Settings;

use crate::client::{Client, upgrade_offering};
use crate::frame::{self, PONG, TEXT};
use crate::host::{Host, Program};

/// So slow that no test sees a token come back.
const SLOW: f64 = 0.001;

fn slow(burst: u32) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.limits.messages_per_second = SLOW;
        settings.limits.message_burst = burst;
    }
}

/// A server that takes the client's address from `X-Forwarded-For`.
fn behind_a_proxy(burst: u32) -> Host {
    Host::with(|settings| {
        slow(burst)(settings);
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
}

/// A new user who comes from this address.
fn user_from(host: &Host, address: &str) -> Client {
    let head = upgrade_offering("wschat.v2");
    let head = head.replacen("\r\n", &format!("\r\nX-Forwarded-For: {address}\r\n"), 1);
    let mut client = host.endpoint.connect();
    client.send(head);
    client.expect_switch_to(Some("wschat.v2"));
    let welcome = client.json();
    client.note_welcome(&welcome);
    client
}

/// How many of these requests are not refused as too fast.
fn granted(client: &mut Client, requests: usize) -> usize {
    (0..requests)
        .filter(|_| {
            client.request(r#"{"type":"leave_room"}"#);
            client.json()["code"] != "rate_limited"
        })
        .count()
}

#[test]
fn a_resumed_session_has_no_fresh_burst() {
    let host = Host::with(slow(4));
    let mut user = host.endpoint.v2_user();
    assert_eq!(granted(&mut user, 4), 4);
    let token = user.token.clone();
    user.abort();
    for _ in 0..3 {
        let mut resumed = host.endpoint.resume(&token);
        assert_eq!(granted(&mut resumed, 1), 0);
        resumed.abort();
    }
    assert_eq!(granted(&mut host.endpoint.v2_user(), 4), 4, "another user has its own");
}

#[test]
fn new_users_from_one_address_share_its_pace() {
    let host = behind_a_proxy(2);
    let mut total = 0;
    for _ in 0..20 {
        total += granted(&mut user_from(&host, "203.0.113.7"), 2);
    }
    assert_eq!(total, 20, "ten times what a session may do");
    assert_eq!(granted(&mut user_from(&host, "203.0.113.8"), 2), 2);
}

#[test]
fn a_long_answer_costs_more() {
    let host = Host::with(|settings| {
        slow(20)(settings);
        settings.limits.max_text_chars = 65_000;
        settings.limits.history_on_enter = 0;
    });
    let mut author = host.endpoint.v2_user();
    author.request(r#"{"type":"enter_room","roomId":1}"#);
    author.skip_to("room");
    for _ in 0..4 {
        author.say(&"x".repeat(60_000));
        author.skip_to("text");
    }
    let mut reader = host.endpoint.v2_user();
    let pages = (0..20).take_while(|_| {
        reader.request(r#"{"type":"history","roomId":1}"#);
        reader.json()["type"] == "history"
    });
    assert_eq!(pages.count(), 6, "each costs as much as 3.66 messages");
}

#[test]
fn a_title_that_is_refused_uses_up_no_room() {
    let host = Host::with(|settings| {
        settings.limits.rooms_per_second = SLOW;
        settings.limits.room_burst = 1;
    });
    let mut user = host.endpoint.v2_user();
    for _ in 0..3 {
        user.request(r#"{"type":"create_room","title":" "}"#);
        user.expect_error("bad_title");
    }
    user.request(r#"{"type":"create_room","title":"x"}"#);
    user.skip_to("room_added");
    user.request(r#"{"type":"create_room","title":"y"}"#);
    user.expect_error("rate_limited");
}

/// The library that reads frames handles pongs and empty fragments by itself.
#[test]
fn frames_that_ask_for_nothing_count() {
    let empty_fragments = [vec![0x01, 0x80, 0, 0, 0, 0], [0, 0x80, 0, 0, 0, 0].repeat(1_000)];
    for flood in [frame::masked(PONG, b"").repeat(1_000), empty_fragments.concat()] {
        let host = Host::with(slow(3));
        let mut user = host.endpoint.user();
        let mut witness = host.endpoint.user();
        let leave = frame::masked(TEXT, br#"{"type":"leave_room"}"#);
        let finish = [0x80, 0x80, 0, 0, 0, 0].to_vec();
        user.send([leave.clone(), flood, finish, leave].concat());
        user.expect_error("not_in_room");
        // The server serves others, and reads no more from this one for now.
        assert_eq!(granted(&mut witness, 3), 3);
        host.handle.shutdown();
        user.expect_close(1001);
    }
}

#[test]
fn a_room_is_told_no_more_than_its_members_can_follow() {
    let host = Host::with(|settings| settings.limits.room_bytes_per_second = 1_024.0);
    let mut loud = host.endpoint.member();
    let long = "x".repeat(400);
    let mut said = 0;
    let refusal = loop {
        loud.say(&long);
        let answer = loud.json();
        if answer["type"] == "error" {
            break answer;
        }
        said += 1;
        assert!(said < 10, "nothing was refused");
    };
    // Four seconds' worth at once, of which a part is left to those who have said less.
    assert!((3..=6).contains(&said), "{said}");
    assert_eq!(refusal["code"], "rate_limited");
    assert!(refusal["retryAfterMs"].as_u64().is_some_and(|millis| millis <= 4_000), "{refusal}");
    // Another room has a rate of its own.
    loud.request(r#"{"type":"enter_room","roomId":2}"#);
    loud.say(&long);
    loud.skip_to("text");
}

#[test]
fn what_was_sent_while_the_process_stood_still_is_no_haste() {
    // In five seconds that is more than ten times the burst.
    let program =
        Program::start(json!({ "limits": { "messagesPerSecond": 100, "messageBurst": 30 } }));
    let mut user = program.endpoint.v2_user();
    user.request(r#"{"type":"enter_room","roomId":1}"#);
    assert_eq!(user.json()["type"], "room");
    program.stop();
    for number in 0..400 {
        user.request(&json!({ "type": "text", "text": number.to_string() }).to_string());
    }
    thread::sleep(Duration::from_secs(5));
    program.signal("CONT");
    for number in 0..400 {
        let said = user.json();
        assert_eq!(said["text"], number.to_string(), "{said}");
    }
    program.expect_log("nothing ran for");
}
