//! Requests that are refused: each gets an error, and the connection works as before.

use wschat::Settings;

use crate::client::Client;
use crate::frame::{self, TEXT};
use crate::host::Host;

/// The request is refused with exactly this error, and the connection still works.
#[track_caller]
fn check(request: &str, code: &str, message: &str) {
    check_with(|_| {}, &[], request, code, message);
}

/// Like [`check`], with these changes to the settings and after these requests.
#[track_caller]
fn check_with(
    change: impl FnOnce(&mut Settings),
    before: &[&str],
    request: &str,
    code: &str,
    message: &str,
) {
    let host = Host::with(change);
    let mut user = host.endpoint.user();
    for request in before {
        user.request(request);
        user.text();
    }
    user.request(request);
    user.expect(&format!(r#"{{"type":"error","code":"{code}","message":"{message}"}}"#));
    expect_working(&mut user);
}

#[track_caller]
fn expect_working(user: &mut Client) {
    user.expect_nothing_more();
    let id = user.id;
    user.request(r#"{"type":"enter_room","roomId":2}"#);
    user.expect(&format!(r#"{{"type":"enter_room","user":{{"id":{id},"name":"User {id}"}}}}"#));
    user.say("still here");
    user.expect(&format!(
        r#"{{"type":"text","text":"still here","from":{{"id":{id},"name":"User {id}"}}}}"#
    ));
}

const ENTER: &str = r#"{"type":"enter_room","roomId":2}"#;
const NOT_A_NUMBER: &str =
    "must be a whole number from 0 to 9007199254740991, or a string of its digits.";

#[test]
fn not_json() {
    check("hello", "bad_json", "This is not JSON (line 1, column 1).");
}

#[test]
fn an_empty_message() {
    check("", "bad_json", "This is not JSON (line 1, column 0).");
}

#[test]
fn truncated_json() {
    check("{\"type\":\n\"list", "bad_json", "This is not JSON (line 2, column 5).");
}

#[test]
fn json_with_trailing_characters() {
    check(r#"{"type":"list_rooms"}{}"#, "bad_json", "This is not JSON (line 1, column 22).");
}

#[test]
fn not_an_object() {
    for json in ["null", "17", "true", "[]", r#""list_rooms""#, r#"["list_rooms"]"#] {
        check(json, "bad_request", r#"A request is a JSON object with a \"type\"."#);
    }
}

#[test]
fn as_many_brackets_as_fit_into_a_message() {
    for bracket in ["{", "[", r#"{"a":"#, r#"{"type":"#, r#"[{"a":"#] {
        let host = Host::start();
        let mut user = host.endpoint.user();
        user.request(&bracket.repeat(65_536 / bracket.len()));
        user.expect_error("bad_json");
        expect_working(&mut user);
    }
}

#[test]
fn deep_nesting_in_an_unknown_member_is_ignored() {
    let host = Host::start();
    let mut user = host.endpoint.user();
    let nested = "[".repeat(30_000) + &"]".repeat(30_000);
    user.request(&format!(r#"{{"deep":{nested},"type":"enter_room","roomId":1}}"#));
    user.expect(r#"{"type":"enter_room","user":{"id":1,"name":"User 1"}}"#);
}

#[test]
fn a_missing_type() {
    check(r#"{"roomId":1}"#, "bad_request", r#"\"type\" is missing."#);
}

#[test]
fn a_type_that_is_not_a_string() {
    check(r#"{"type":1}"#, "bad_request", r#"\"type\" must be a string."#);
}

#[test]
fn an_unknown_type() {
    check(r#"{"type":"Text"}"#, "unknown_type", r#"There is no request of type \"Text\"."#);
}

#[test]
fn a_long_unknown_type_is_shortened_in_the_error() {
    let long = format!(r#"{{"type":"{}"}}"#, "\\n".repeat(20_000));
    let message = format!(r#"There is no request of type \"{}\"."#, "\\n".repeat(32));
    check(&long, "unknown_type", &message);
}

#[test]
fn missing_members() {
    for (kind, member) in [
        ("enter_room", "roomId"),
        ("text", "text"),
        ("gif", "gifId"),
        ("create_room", "title"),
        ("change_name", "name"),
    ] {
        let message = format!(r#"\"{member}\" is missing."#);
        check(&format!(r#"{{"type":"{kind}"}}"#), "bad_request", &message);
        check(&format!(r#"{{"type":"{kind}","{member}":null}}"#), "bad_request", &message);
    }
}

#[test]
fn members_of_the_wrong_type() {
    for (kind, member) in [("text", "text"), ("create_room", "title"), ("change_name", "name")] {
        for value in ["1", "true", "[\"x\"]", "{}"] {
            let request = format!(r#"{{"type":"{kind}","{member}":{value}}}"#);
            check(&request, "bad_request", &format!(r#"\"{member}\" must be a string."#));
        }
    }
}

#[test]
fn members_that_are_not_numbers() {
    for (kind, member) in [("enter_room", "roomId"), ("gif", "gifId")] {
        for value in ["1.5", "-1", r#""1x""#, r#""""#, "true", "[1]", "9007199254740992"] {
            let request = format!(r#"{{"type":"{kind}","{member}":{value}}}"#);
            check(&request, "bad_request", &format!(r#"\"{member}\" {NOT_A_NUMBER}"#));
        }
    }
}

#[test]
fn an_unpaired_surrogate() {
    check(
        r#"{"type":"text","text":"\ud83d"}"#,
        "bad_request",
        r#"\"text\" holds an escape that is not a character."#,
    );
}

#[test]
fn a_duplicate_member() {
    check(
        r#"{"type":"list_rooms","type":"leave_room"}"#,
        "bad_request",
        "A member is given twice.",
    );
}

#[test]
fn an_unknown_room() {
    for room in ["9", r#""9""#] {
        let request = format!(r#"{{"type":"enter_room","roomId":{room}}}"#);
        check(&request, "unknown_room", "There is no room 9.");
    }
}

#[test]
fn a_user_who_asks_for_an_unknown_room_stays_in_the_present_one() {
    let host = Host::start();
    let mut user = host.endpoint.member();
    user.request(r#"{"type":"enter_room","roomId":0}"#);
    user.expect(r#"{"type":"error","code":"unknown_room","message":"There is no room 0."}"#);
    user.say("still in");
    user.expect(r#"{"type":"text","text":"still in","from":{"id":1,"name":"User 1"}}"#);
}

#[test]
fn requests_that_need_a_room_outside_of_any() {
    for request in
        [r#"{"type":"text","text":"x"}"#, r#"{"type":"gif","gifId":1}"#, r#"{"type":"leave_room"}"#]
    {
        check(request, "not_in_room", "Enter a room first.");
    }
}

#[test]
fn bad_names() {
    for (name, problem) in [
        (String::new(), "must not be empty."),
        (" \u{a0}\u{3000} ".to_owned(), "must not be empty."),
        ("é".repeat(33), "has at most 32 characters."),
        ("a\\nb".to_owned(), "must not hold control characters (U+000A)."),
        ("a\u{85}b".to_owned(), "must not hold control characters (U+0085)."),
    ] {
        let request = format!(r#"{{"type":"change_name","name":"{name}"}}"#);
        check(&request, "bad_name", &format!("A name {problem}"));
    }
}

#[test]
fn bad_titles() {
    for (title, problem) in [
        (String::new(), "must not be empty."),
        ("\\t".to_owned(), "must not be empty."),
        ("é".repeat(65), "has at most 64 characters."),
        ("a\\u001bb".to_owned(), "must not hold control characters (U+001B)."),
    ] {
        let request = format!(r#"{{"type":"create_room","title":"{title}"}}"#);
        check(&request, "bad_title", &format!("A title {problem}"));
    }
}

#[test]
fn bad_texts() {
    for (text, problem) in [
        (String::new(), "must not be empty."),
        (" \\n ".to_owned(), "must not be empty."),
        ("é".repeat(4_001), "has at most 4000 characters."),
        ("a\\u0000".to_owned(), &control_character("0000")),
        ("a\\u0007b".to_owned(), &control_character("0007")),
        ("a\\u001b[31m".to_owned(), &control_character("001B")),
        ("a\\rb".to_owned(), &control_character("000D")),
        ("a\u{7f}".to_owned(), &control_character("007F")),
        ("a\u{85}b".to_owned(), &control_character("0085")),
        ("\u{9b}31m".to_owned(), &control_character("009B")),
    ] {
        let host = Host::start();
        let error = format!(r#"{{"type":"error","code":"bad_text","message":"A text {problem}"}}"#);
        let good = "one\\n\\ttwo\\r\\nthree";
        let mut user = host.endpoint.user();
        user.request(ENTER);
        user.text();
        user.say(&text);
        user.expect(&error);
        user.say(good);
        user.expect(&format!(
            r#"{{"type":"text","text":"{good}","from":{{"id":1,"name":"User 1"}}}}"#
        ));
        let mut user = host.endpoint.v2_user();
        user.request(ENTER);
        user.skip_to("room");
        user.say(&text);
        user.expect(&error);
        user.say(good);
        assert_eq!(user.json()["text"], "one\n\ttwo\r\nthree");
    }
}

/// The refusal of a text for this character.
fn control_character(code: &str) -> String {
    format!("must not hold control characters other than tabs and line breaks (U+{code}).")
}

#[test]
fn too_many_rooms() {
    check_with(
        |settings| settings.limits.max_rooms = 4,
        &[r#"{"type":"create_room","title":"the fourth"}"#],
        r#"{"type":"create_room","title":"the fifth"}"#,
        "too_many_rooms",
        "There are 4 rooms already, and no more are allowed.",
    );
}

#[test]
fn bad_requests_in_one_segment_are_all_answered() {
    let host = Host::start();
    let mut user = host.endpoint.user();
    let table = [
        ("x", "bad_json"),
        ("[]", "bad_request"),
        ("{}", "bad_request"),
        (r#"{"type":"x"}"#, "unknown_type"),
        (r#"{"type":"enter_room","roomId":9}"#, "unknown_room"),
        (r#"{"type":"leave_room"}"#, "not_in_room"),
        (r#"{"type":"change_name","name":""}"#, "bad_name"),
        (r#"{"type":"create_room","title":""}"#, "bad_title"),
    ];
    let frames: Vec<Vec<u8>> =
        table.iter().map(|(request, _)| frame::masked(TEXT, request.as_bytes())).collect();
    user.send(frames.concat());
    for (_, code) in table {
        user.expect_error(code);
    }
    expect_working(&mut user);
}
