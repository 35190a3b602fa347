//! Refusals of `wschat.v2`: the error has the `ref` of the request, and nothing has changed.

use serde_json::{Value, json};

use crate::client::Client;
use crate::host::Program;

fn in_memory(limits: &Value) -> Program {
    Program::start(json!({ "history": { "file": null }, "limits": limits }))
}

/// The request, sent with a `ref`, is refused with this code, the `ref` and these further members.
#[track_caller]
fn check(client: &mut Client, mut request: Value, code: &str, members: &[&str]) {
    request["ref"] = json!("mine");
    client.request(&request.to_string());
    let text = client.text();
    let value: Value = serde_json::from_str(&text).expect(&text);
    assert_eq!((&value["type"], &value["code"]), (&json!("error"), &json!(code)), "{text}");
    assert!(!value["message"].as_str().expect(&text).is_empty(), "{text}");
    assert!(text.ends_with(r#","ref":"mine"}"#), "{text}");
    let expected = 4 + members.len();
    assert_eq!(value.as_object().expect(&text).len(), expected, "{text}");
    for member in members {
        assert!(value[member].is_u64(), "{text}");
    }
}

#[test]
fn invalid_members() {
    let program = in_memory(&json!({ "messagesPerSecond": 0 }));
    let mut client = program.endpoint.v2_user();
    for since in [
        json!(null),
        json!(5),
        json!("0"),
        json!([]),
        json!({}),
        json!({ "epoch": "0" }),
        json!({ "seq": 0 }),
        json!({ "epoch": 0, "seq": 0 }),
        json!({ "epoch": "0", "seq": -1 }),
        json!({ "epoch": "0", "seq": null }),
    ] {
        let request = json!({ "type": "enter_room", "roomId": 1, "since": since });
        check(&mut client, request, "bad_request", &[]);
    }
    for (member, value) in [
        ("limit", json!(0)),
        ("limit", json!(101)),
        ("limit", json!(null)),
        ("limit", json!(true)),
        ("before", json!(null)),
        ("before", json!(-1)),
        ("before", json!(1.5)),
        ("roomId", json!(null)),
    ] {
        let mut request = json!({ "type": "history", "roomId": 1 });
        request[member] = value;
        check(&mut client, request, "bad_request", &[]);
    }
    check(&mut client, json!({ "type": "history" }), "bad_request", &[]);
    check(&mut client, json!({ "type": 7 }), "bad_request", &[]);
    check(&mut client, json!({}), "bad_request", &[]);
    // The refused requests to enter had no effect.
    check(&mut client, json!({ "type": "text", "text": "x" }), "not_in_room", &[]);
    client.expect_nothing_more();
}

#[test]
fn an_invalid_ref_is_not_echoed() {
    let program = in_memory(&json!({ "messagesPerSecond": 0 }));
    let mut client = program.endpoint.v2_user();
    for reference in [json!(null), json!(1), json!(""), json!("x".repeat(65)), json!(["x"])] {
        let request = json!({ "type": "list_rooms", "ref": reference });
        client.request(&request.to_string());
        let error = client.expect_error("bad_request");
        assert_eq!(error.get("ref"), None, "{error}");
    }
    client.request(r#"{"ref":"mine","type":"list_rooms""#);
    assert_eq!(client.expect_error("bad_json").get("ref"), None);
    client.expect_nothing_more();
}

#[test]
fn requests_that_are_too_fast() {
    let program = in_memory(&json!({
        "messagesPerSecond": 0.1, "messageBurst": 1, "roomsPerSecond": 0.1, "roomBurst": 1,
    }));
    let mut client = program.endpoint.v2_user();
    client.request(r#"{"type":"enter_room","roomId":1}"#);
    client.skip_to("room");
    let text = json!({ "type": "text", "text": "x" });
    check(&mut client, text, "rate_limited", &["retryAfterMs"]);
    let mut client = program.endpoint.v2_user();
    client.request(r#"{"type":"history","roomId":1}"#);
    // The refused text was not said.
    assert_eq!(client.json()["events"], json!([]));
}

#[test]
fn texts_titles_and_names_that_are_too_long_or_empty() {
    let program = in_memory(&json!({
        "messagesPerSecond": 0, "roomsPerSecond": 0, "maxTextChars": 6, "maxTitleChars": 6,
        "maxNameChars": 6, "maxRooms": 3,
    }));
    let mut client = program.endpoint.v2_user();
    client.request(r#"{"type":"enter_room","roomId":1}"#);
    client.skip_to("room");
    for wrong in ["", "  ", "1234567"] {
        check(&mut client, json!({ "type": "text", "text": wrong }), "bad_text", &[]);
        check(&mut client, json!({ "type": "create_room", "title": wrong }), "bad_title", &[]);
        check(&mut client, json!({ "type": "change_name", "name": wrong }), "bad_name", &[]);
    }
    check(&mut client, json!({ "type": "create_room", "title": "x" }), "too_many_rooms", &[]);
    check(&mut client, json!({ "type": "change_name", "name": "a\u{7}" }), "bad_name", &[]);
    // A refused text has used up neither its `ref` nor a seq.
    client.request(r#"{"type":"text","text":"right","ref":"mine"}"#);
    let text = client.json();
    assert_eq!((&text["text"], &text["seq"]), (&json!("right"), &json!(1)), "{text}");
    client.expect_nothing_more();
}
