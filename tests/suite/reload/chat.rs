//! What a reload means for the chat: those who are connected follow the new rules, and learn which rooms
//! there are. No client reconnects in these tests: every exchange is over its first connection.

use serde_json::{Value, json};
use wschat::Settings;

use super::{reload, settings};
use crate::client::{Client, Endpoint, V2};
use crate::host::Host;

/// These rooms, and every change of their list is sent at once.
fn rooms(titles: &'static [&str]) -> impl Fn(&mut Settings) {
    move |settings| {
        settings.rooms = titles.iter().copied().map(str::to_owned).collect();
        settings.limits.room_list_interval_ms = 0;
    }
}

/// A client of `wschat.v2` that follows the list of rooms.
fn follower(endpoint: &Endpoint) -> Client {
    let mut client = endpoint.v2_user();
    client.request(r#"{"type":"list_rooms"}"#);
    client.skip_to("list_rooms");
    client
}

/// Enters a room as a client of `wschat.v2`; returns the title that it is shown.
fn enter(client: &mut Client, room: u64) -> Value {
    client.request(&json!({ "type": "enter_room", "roomId": room }).to_string());
    let frame = client.json();
    assert_eq!((&frame["type"], &frame["room"]["id"]), (&json!("room"), &json!(room)));
    frame["room"]["title"].clone()
}

/// Asserts that the next frame is a list of rooms with these ids and titles, and no others.
#[track_caller]
fn expect_list(client: &mut Client, expected: &[(&str, &str)]) {
    let frame = client.json();
    assert_eq!(frame["type"], "list_rooms", "{frame}");
    let rooms = frame["rooms"].as_object().expect("an object");
    let found: Vec<_> = rooms
        .iter()
        .map(|(id, room)| (id.as_str(), room["title"].as_str().expect("a title")))
        .collect();
    assert_eq!(found, expected);
}

/// Asserts that the next frame tells this change of a room, which has no messages.
#[track_caller]
fn expect_change(client: &mut Client, kind: &str, (id, title): (u64, &str), users: u64) {
    client.expect(&format!(
        r#"{{"type":"{kind}","room":{{"id":{id},"title":"{title}","userCount":{users},"seq":0}}}}"#
    ));
}

#[test]
fn texts_names_and_titles_follow_the_new_limits_for_those_who_are_connected() {
    let host = Host::start();
    let mut base = host.endpoint.member();
    let mut v2 = host.endpoint.v2_user();
    assert_eq!(enter(&mut v2, 1), "Room 1");
    base.skip_to("enter_room");
    reload(&host, |settings| {
        settings.limits.max_text_chars = 4;
        settings.limits.max_name_chars = 3;
        settings.limits.max_title_chars = 6;
    });
    for client in [&mut base, &mut v2] {
        for (request, code) in [
            (r#"{"type":"text","text":"fives"}"#, "bad_text"),
            (r#"{"type":"change_name","name":"four"}"#, "bad_name"),
            (r#"{"type":"create_room","title":"sevens!"}"#, "bad_title"),
        ] {
            client.request(request);
            client.expect_error(code);
        }
    }
    v2.say("four");
    assert_eq!(base.json()["text"], "four");
    assert_eq!(v2.json()["text"], "four");
    // Longer again.
    reload(&host, |_| {});
    base.say("fives");
    assert_eq!(base.json()["text"], "fives");
    assert_eq!(v2.json()["text"], "fives");
}

#[test]
fn later_welcomes_show_the_new_limits_and_pictures() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("7 a kite.gif"), b"GIF89a kite").unwrap();
    let host = Host::start();
    let (mut old, welcome) = host.endpoint.connect_offering(V2);
    assert_eq!(welcome["limits"]["maxTextChars"], 4_000);
    reload(&host, |settings| {
        settings.gifs_directory = Some(directory.path().to_owned());
        settings.limits.max_text_chars = 4;
        settings.limits.ping_interval_ms = 20_000;
        settings.limits.messages_per_second = 5.0;
    });
    let (_, welcome) = host.endpoint.connect_offering(V2);
    let limits = &welcome["limits"];
    assert_eq!(limits["maxTextChars"], 4);
    assert_eq!(limits["pingIntervalMs"], 20_000);
    assert_eq!(limits["messagesPerSecond"], 5.0);
    assert_eq!(limits["maxNameChars"], 32, "this has not changed");
    assert_eq!(welcome["gifs"], json!([{ "id": 7, "alt": "a kite" }]));
    old.expect_nothing_more();
}

#[test]
fn rooms_that_are_added_and_renamed_are_told_to_everyone() {
    let host = Host::with(rooms(&["A", "B"]));
    let mut base = host.endpoint.user();
    let mut member = host.endpoint.v2_user();
    assert_eq!(enter(&mut member, 2), "B");
    let mut follower = follower(&host.endpoint);
    reload(&host, rooms(&["A", "Bar", "C"]));
    expect_list(&mut base, &[("1", "A"), ("2", "Bar"), ("3", "C")]);
    expect_change(&mut follower, "room_changed", (2, "Bar"), 1);
    expect_change(&mut follower, "room_added", (3, "C"), 0);
    // The room is the same, with the same people.
    member.say("still here");
    assert_eq!(member.json()["roomId"], 2);
    assert_eq!(enter(&mut member, 2), "Bar");
    follower.skip_to("room_changed");
    // The same settings again change nothing.
    reload(&host, rooms(&["A", "Bar", "C"]));
    for client in [&mut base, &mut follower, &mut member] {
        client.expect_nothing_more();
    }
}

#[test]
fn a_room_that_is_no_longer_named_goes_when_it_is_empty() {
    let with_ttl = |titles| {
        move |settings: &mut Settings| {
            rooms(titles)(settings);
            settings.limits.empty_room_ttl_seconds = 1;
        }
    };
    let host = Host::with(with_ttl(&["A", "B", "C"]));
    let mut base = host.endpoint.user();
    let mut member = host.endpoint.v2_user();
    assert_eq!(enter(&mut member, 3), "C");
    let mut follower = follower(&host.endpoint);
    reload(&host, with_ttl(&["A"]));
    // Both are now rooms like those that users make, which shows nowhere. Nobody is in the one.
    expect_list(&mut base, &[("1", "A"), ("3", "C")]);
    follower.expect(r#"{"type":"room_removed","roomId":2}"#);
    // The other stays until its last member leaves.
    member.expect_nothing_more();
    member.request(r#"{"type":"leave_room"}"#);
    assert_eq!(member.json()["type"], "leave_room");
    expect_list(&mut base, &[("1", "A")]);
    expect_change(&mut follower, "room_changed", (3, "C"), 0);
    follower.expect(r#"{"type":"room_removed","roomId":3}"#);
    // A room that is named again is a new one.
    reload(&host, with_ttl(&["A", "B"]));
    expect_list(&mut base, &[("1", "A"), ("4", "B")]);
    expect_change(&mut follower, "room_added", (4, "B"), 0);
}

#[test]
fn the_number_of_rooms_follows_the_new_limit() {
    let max = |max| {
        move |settings: &mut Settings| {
            rooms(&["A", "B"])(settings);
            settings.limits.max_rooms = max;
        }
    };
    let host = Host::with(max(3));
    let mut user = host.endpoint.v2_user();
    let create = |user: &mut Client| {
        user.request(r#"{"type":"create_room","title":"C"}"#);
        user.json()
    };
    assert_eq!(create(&mut user)["type"], "room_added");
    assert_eq!(create(&mut user)["code"], "too_many_rooms");
    reload(&host, max(4));
    assert_eq!(create(&mut user)["type"], "room_added");
    // Below what there is: nothing is removed.
    reload(&host, max(2));
    user.request(r#"{"type":"list_rooms"}"#);
    expect_list(&mut user, &[("1", "A"), ("2", "B"), ("3", "C"), ("4", "C")]);
}

#[test]
fn a_new_grace_period_holds_for_connections_that_are_lost_from_then_on() {
    let host = Host::start();
    let mut base = host.endpoint.member();
    let mut v2 = host.endpoint.v2_user();
    enter(&mut v2, 1);
    base.skip_to("enter_room");
    reload(&host, |settings| settings.limits.resume_grace_seconds = 0);
    let (id, token) = (v2.id, v2.token.clone());
    v2.abort();
    assert_eq!(base.skip_to("leave_room")["user"]["id"], id);
    let (_, welcome) = host.endpoint.connect_offering(&format!("{V2}, session.{token}"));
    assert_eq!(welcome["resumed"], false);
}

#[test]
fn a_broken_setting_changes_nothing_in_the_chat() {
    let host = Host::with(rooms(&["A", "B"]));
    let (mut base, mut follower) = (host.endpoint.user(), follower(&host.endpoint));
    let error = host.handle.reload(settings(|settings| {
        rooms(&["A", "C"])(settings);
        settings.limits.max_text_chars = 0;
    }));
    assert!(error.is_err());
    base.expect_nothing_more();
    follower.expect_nothing_more();
}

#[test]
fn what_is_shown_and_kept_of_the_history_follows_the_new_limits() {
    let limits = |on_enter, max_events| {
        move |settings: &mut Settings| {
            settings.limits.history_on_enter = on_enter;
            settings.limits.history_max_events = max_events;
        }
    };
    let host = Host::with(limits(50, 10));
    let mut speaker = host.endpoint.member();
    for text in ["one", "two", "three", "four"] {
        speaker.say(text);
        speaker.skip_to("text");
    }
    let shown = || {
        let mut client = host.endpoint.v2_user();
        client.request(r#"{"type":"enter_room","roomId":1}"#);
        let entered = client.json();
        let events = entered["events"].as_array().expect("events");
        events.iter().map(|event| event["text"].clone()).collect::<Value>()
    };
    assert_eq!(shown(), json!(["one", "two", "three", "four"]));
    reload(&host, limits(3, 10));
    assert_eq!(shown(), json!(["two", "three", "four"]));
    reload(&host, limits(50, 2));
    assert_eq!(shown(), json!(["three", "four"]));
}
