//! New limits for connections that are open: they take effect, and nobody is disconnected for them.

use serde_json::json;
use wschat::Settings;

use super::reload;
use crate::client::{Client, V2};
use crate::frame::{CLOSE, PING};
use crate::host::Host;

const REQUEST: &str = r#"{"type":"leave_room"}"#;

fn slow(settings: &mut Settings) {
    settings.limits.messages_per_second = 0.001;
    settings.limits.message_burst = 1;
}

fn no_rate(settings: &mut Settings) {
    settings.limits.messages_per_second = 0.0;
}

fn expect_refusals(user: &mut Client, codes: &[&str]) {
    for code in codes {
        user.request(REQUEST);
        user.expect_error(code);
    }
}

#[test]
fn a_new_pace_holds_for_open_connections() {
    let host = Host::start();
    let mut old = host.endpoint.user();
    expect_refusals(&mut old, &["not_in_room"; 3]);
    reload(&host, slow);
    let mut new = host.endpoint.user();
    for user in [&mut old, &mut new] {
        expect_refusals(user, &["not_in_room", "rate_limited"]);
    }
    reload(&host, no_rate);
    for user in [&mut old, &mut new] {
        expect_refusals(user, &["not_in_room"; 50]);
    }
}

#[test]
fn a_new_rate_of_rooms_holds_for_open_connections() {
    let burst = |burst| move |settings: &mut Settings| settings.limits.room_burst = burst;
    let host = Host::with(burst(5));
    let mut user = host.endpoint.v2_user();
    let mut create = || {
        user.request(r#"{"type":"create_room","title":"A room"}"#);
        user.json()
    };
    assert_eq!(create()["type"], "room_added");
    reload(&host, burst(1));
    assert_eq!(create()["type"], "room_added");
    assert_eq!(create()["code"], "rate_limited");
}

#[test]
fn the_first_message_after_a_reload_may_be_as_long_as_the_new_limit_allows() {
    let max = |bytes| {
        move |settings: &mut Settings| {
            settings.limits.max_message_bytes = bytes;
            settings.limits.max_text_chars = 40_000;
            settings.limits.message_burst = 100;
        }
    };
    for host in [Host::with(max(1_000)), Host::with_tls(max(1_000))] {
        let mut member = host.endpoint.member();
        let mut witness = host.endpoint.user();
        for len in [30_000, 900] {
            reload(&host, max(40_000));
            let text = "x".repeat(len);
            member.say(&text);
            assert_eq!(member.json()["text"], text);
        }
        reload(&host, max(1_000));
        member.say(&"x".repeat(1_001));
        assert_eq!(member.skip_to_close().0, 1009);
        witness.expect_nothing_more();
    }
}

#[test]
fn a_new_ping_interval_and_pong_timeout_hold_for_open_connections() {
    let times = |ping, pong| {
        move |settings: &mut Settings| {
            settings.limits.ping_interval_ms = ping;
            settings.limits.pong_timeout_ms = pong;
        }
    };
    let host = Host::with(times(3_600_000, 600_000));
    let mut user = host.endpoint.user();
    reload(&host, times(100, 100));
    user.expect_nothing_more();
    assert_eq!(user.frame().first, PING);
    assert_eq!(user.frame().first, CLOSE, "the client has not answered");
}

/// Speaks until the one who does not read has been closed as a slow consumer.
fn speak_until_it_leaves(speaker: &mut Client, slow: &mut Client) {
    let leaves =
        format!(r#"{{"type":"leave_room","user":{{"id":{0},"name":"User {0}"}}}}"#, slow.id);
    let text = "x".repeat(4_000);
    let has_left = (0..20_000).any(|_| {
        speaker.say(&text);
        let next = speaker.text();
        if next == leaves {
            speaker.text();
        }
        next == leaves
    });
    assert!(has_left, "it is still there");
    assert_eq!(slow.skip_to_close().0, 1013);
}

#[test]
fn a_new_size_of_outboxes_and_a_new_write_timeout_hold_for_open_connections() {
    let bounds = |max_bytes, write_timeout_ms| {
        move |settings: &mut Settings| {
            no_rate(settings);
            settings.limits.outbox_max_bytes = max_bytes;
            settings.limits.write_timeout_ms = write_timeout_ms;
        }
    };
    let host = Host::with(bounds(1 << 30, 600_000));
    let mut speaker = host.endpoint.member();
    for new in [bounds(65_536, 600_000), bounds(1 << 30, 100)] {
        reload(&host, bounds(1 << 30, 600_000));
        let mut slow = host.endpoint.connect_with_small_buffer().into_user().into_member();
        speaker.skip_to("enter_room");
        reload(&host, new);
        speak_until_it_leaves(&mut speaker, &mut slow);
        speaker.expect_nothing_more();
    }
}

#[test]
fn no_frame_is_longer_than_the_welcome_has_said() {
    let outbox = |bytes| {
        move |settings: &mut Settings| {
            settings.limits.outbox_max_bytes = bytes;
            settings.limits.messages_per_second = 0.0;
        }
    };
    let host = Host::with(outbox(65_536));
    let (mut old, welcome) = host.endpoint.connect_offering(V2);
    assert_eq!(welcome["limits"]["maxFrameBytes"], 57_344);
    reload(&host, outbox(1_048_576));
    let (mut new, welcome) = host.endpoint.connect_offering(V2);
    assert_eq!(welcome["limits"]["maxFrameBytes"], 917_504);
    let hello = |client: &mut Client| {
        client.request(r#"{"type":"hello"}"#);
        client.skip_to("hello")["maxFrameBytes"].clone()
    };
    assert_eq!([hello(&mut old), hello(&mut new)], [json!(57_344), json!(917_504)]);
    reload(&host, outbox(32_768));
    assert_eq!([hello(&mut old), hello(&mut new)], [json!(28_672), json!(28_672)]);
}
