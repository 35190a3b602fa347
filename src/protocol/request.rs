//! JSON text from a client → [`Request`].
//!
//! Read into one flat structure of all members that any request has. A member's value stays raw
//! until the request's type says what it has to be, and what is nested is skipped by `serde_json`
//! without recursion, so that depth costs no stack. Unknown members are ignored.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::ErrorReply;
use crate::chat::{Request, RoomId};

/// The largest whole number that survives JavaScript: 2⁵³ − 1.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The members that some request has, each as it was written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    room_id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    gif_id: Option<&'a RawValue>,
    #[serde(borrow)]
    title: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
}

/// Reads one request; the error is what its author is to be told.
pub(crate) fn parse_request(text: &str) -> Result<Request, ErrorReply> {
    let members = parse_members(text)?;
    let kind = string("type", members.kind)?;
    Ok(match &*kind {
        "list_rooms" => Request::ListRooms,
        "enter_room" => Request::EnterRoom(RoomId(number("roomId", members.room_id)?)),
        "leave_room" => Request::LeaveRoom,
        "text" => Request::Text(string("text", members.text)?.into_owned()),
        "gif" => Request::Gif(number("gifId", members.gif_id)?),
        "create_room" => Request::CreateRoom(string("title", members.title)?.into_owned()),
        "change_name" => Request::ChangeName(string("name", members.name)?.into_owned()),
        _ => return Err(ErrorReply::unknown_type(&kind)),
    })
}

fn parse_members(text: &str) -> Result<Members<'_>, ErrorReply> {
    // Asked first, because a list would do for a structure as far as serde is concerned.
    if !text.trim_start().starts_with('{') {
        return Err(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => ErrorReply::bad_request("A request is a JSON object with a \"type\"."),
            Err(error) => ErrorReply::bad_json(&error),
        });
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        // The one way for an object not to fit: serde names the member that stands there twice.
        Category::Data => ErrorReply::bad_request("A member is given twice."),
        Category::Syntax | Category::Eof | Category::Io => ErrorReply::bad_json(&error),
    })
}

/// A string, copied only where it holds an escape.
fn string<'a>(name: &str, member: Option<&'a RawValue>) -> Result<Cow<'a, str>, ErrorReply> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    let raw = present(name, member)?;
    serde_json::from_str(raw).map(|Borrowed(string)| string).map_err(|_| {
        ErrorReply::bad_request(if raw.starts_with('"') {
            format!("\"{name}\" holds an escape that is not a character.")
        } else {
            format!("\"{name}\" must be a string.")
        })
    })
}

/// A whole number, given as a number or as a string of digits.
fn number(name: &str, member: Option<&RawValue>) -> Result<u64, ErrorReply> {
    let raw = present(name, member)?;
    let digits = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
    // `parse` by itself would take a plus sign, too.
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_digits && *number <= MAX_NUMBER).ok_or_else(|| {
        ErrorReply::bad_request(format!(
            "\"{name}\" must be a whole number from 0 to {MAX_NUMBER}, or a string of its digits."
        ))
    })
}

/// A member that is there and not null.
fn present<'a>(name: &str, member: Option<&'a RawValue>) -> Result<&'a str, ErrorReply> {
    let raw = member.ok_or_else(|| ErrorReply::bad_request(format!("\"{name}\" is missing.")))?;
    Ok(raw.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Request, (&str, &str)>) {
        let expected = expected.map_err(|(code, message)| (code, message.to_owned()));
        let parsed = parse_request(text).map_err(|error| (error.code, error.message));
        assert_eq!(parsed, expected, "{text}");
    }

    #[test]
    fn every_request() {
        check(r#"{"type":"list_rooms"}"#, Ok(Request::ListRooms));
        check(r#"{"type":"enter_room","roomId":"1"}"#, Ok(Request::EnterRoom(RoomId(1))));
        check(r#" { "roomId" : 12 , "type" : "enter_room" } "#, Ok(Request::EnterRoom(RoomId(12))));
        check(r#"{"type":"leave_room"}"#, Ok(Request::LeaveRoom));
        check(
            r#"{"type":"text","text":"a\n\"b\" \ud83d\ude00"}"#,
            Ok(Request::Text("a\n\"b\" 😀".into())),
        );
        check(r#"{"type":"gif","gifId":3}"#, Ok(Request::Gif(3)));
        check(r#"{"type":"gif","gifId":"003"}"#, Ok(Request::Gif(3)));
        check(
            r#"{"type":"create_room","title":"some new room"}"#,
            Ok(Request::CreateRoom("some new room".into())),
        );
        check(
            r#"{"type":"change_name","name":"my new name"}"#,
            Ok(Request::ChangeName("my new name".into())),
        );
    }

    #[test]
    fn unknown_members_are_ignored_however_deep() {
        let deep =
            format!(r#"{{"x":{}{},"type":"list_rooms"}}"#, "[".repeat(30_000), "]".repeat(30_000));
        check(&deep, Ok(Request::ListRooms));
        check(r#"{"type":"gif","text":[1],"gifId":1}"#, Ok(Request::Gif(1)));
    }

    #[test]
    fn not_json() {
        for text in ["", " ", "{", "nonsense", "{\"type\":\"text\",}", "{}x", "[1,", "\u{feff}{}"] {
            assert_eq!(parse_request(text).unwrap_err().code, "bad_json", "{text}");
        }
        check(
            "{\"type\":\n \"text\" \"text\":\"x\"}",
            Err(("bad_json", "This is not JSON (line 2, column 9).")),
        );
        for bracket in ["{", "["] {
            assert_eq!(parse_request(&bracket.repeat(10_000)).unwrap_err().code, "bad_json");
        }
        assert_eq!(parse_request(&"{\"type\":".repeat(10_000)).unwrap_err().code, "bad_json");
    }

    #[test]
    fn json_that_is_no_request() {
        for text in ["null", "1", "\"text\"", "[]", "[\"list_rooms\"]", "true"] {
            check(text, Err(("bad_request", "A request is a JSON object with a \"type\".")));
        }
        check("{}", Err(("bad_request", "\"type\" is missing.")));
        check(r#"{"type":null}"#, Err(("bad_request", "\"type\" is missing.")));
        check(r#"{"type":7}"#, Err(("bad_request", "\"type\" must be a string.")));
        check(r#"{"type":"text"}"#, Err(("bad_request", "\"text\" is missing.")));
        check(
            r#"{"type":"text","text":{"a":1}}"#,
            Err(("bad_request", "\"text\" must be a string.")),
        );
        check(
            r#"{"type":"text","text":"\ud800"}"#,
            Err(("bad_request", "\"text\" holds an escape that is not a character.")),
        );
        check(
            r#"{"type":"text","text":"a","text":"b"}"#,
            Err(("bad_request", "A member is given twice.")),
        );
        check(
            r#"{"type":"Text","text":"a"}"#,
            Err(("unknown_type", "There is no request of type \"Text\".")),
        );
        let long = format!(r#"{{"type":"{}"}}"#, "é".repeat(1_000));
        let shown = format!("There is no request of type \"{}\".", "é".repeat(32));
        check(&long, Err(("unknown_type", &shown)));
    }

    #[test]
    fn numbers_are_whole_and_safe() {
        for wrong in [
            "-1",
            "1.5",
            "1e3",
            "\"\"",
            "\"+1\"",
            "\"a\"",
            "\" 1\"",
            "true",
            "[1]",
            "9007199254740992",
        ] {
            let text = format!(r#"{{"type":"enter_room","roomId":{wrong}}}"#);
            check(
                &text,
                Err((
                    "bad_request",
                    "\"roomId\" must be a whole number from 0 to 9007199254740991, or a string of its digits.",
                )),
            );
        }
        let text = r#"{"type":"enter_room","roomId":9007199254740991}"#;
        check(text, Ok(Request::EnterRoom(RoomId(MAX_NUMBER))));
    }
}
