//! JSON text from a client → [`Request`].
//!
//! A request is read into one flat structure with all members that any request has. The value of a member
//! stays raw JSON until the type of the request says what it must be. `serde_json` skips nested values
//! without recursion, so deep nesting takes no stack. Unknown members are ignored.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::ErrorReply;
use crate::chat::{self, Content, Reference, RoomId};

/// The largest whole number that survives JavaScript: 2⁵³ − 1.
pub(crate) const MAX_NUMBER: u64 = (1 << 53) - 1;

/// How long a reference may be, in characters.
const MAX_REFERENCE_CHARS: usize = 64;

/// How many messages a client may ask for with `history`.
pub(crate) const HISTORY_MAX_PAGE: usize = 100;

/// How many messages a client gets that does not say how many it wants.
const HISTORY_PAGE: usize = 50;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A request to the chat. `EnterRoom` may come with what the client knows of the room.
    Chat(chat::Request, Option<Box<Since>>),
    /// A request that this node answers by itself.
    Local(LocalRequest),
}

/// A request that one node answers by itself, because it does not change the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalRequest {
    ListRooms,
    /// The messages of a room before this `seq`, at most `limit` of them.
    History {
        room: RoomId,
        before: u64,
        limit: usize,
    },
    /// The user is typing.
    Typing,
}

/// The last message of a room that a client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// Names the history in which `seq` counts.
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    /// When that message was said, in Unix milliseconds, if the client says so.
    pub(crate) time: Option<u64>,
}

/// All members that any request has, each as raw JSON.
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
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    since: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    before: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    limit: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref", default, deserialize_with = "null_is_a_value")]
    reference: Option<&'a RawValue>,
}

/// Reads an optional member. `null` does not count as left out, but as a wrong value.
fn null_is_a_value<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The members of `since`.
#[derive(Deserialize)]
struct SinceMembers<'a> {
    #[serde(borrow)]
    epoch: Option<&'a RawValue>,
    #[serde(borrow)]
    seq: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    time: Option<&'a RawValue>,
}

/// Parses one request of the base protocol.
pub(super) fn parse_base(text: &str) -> Result<(Request, Reference), ErrorReply> {
    let members = parse_members(text)?;
    let kind = string("type", members.kind)?;
    Ok((base_request(&kind, &members)?, None))
}

/// Parses one request of `wschat.v2`.
pub(super) fn parse_v2(text: &str) -> Result<(Request, Reference), ErrorReply> {
    let members = parse_members(text)?;
    let reference = members.reference.map(reference).transpose()?;
    match v2_request(&members) {
        Ok(request) => Ok((request, reference)),
        Err(error) => Err(error.to(reference)),
    }
}

/// The reference of a request that is refused without being parsed, if it has a valid one.
pub(crate) fn reference_of(text: &str) -> Reference {
    parse_members(text).ok()?.reference.and_then(|raw| reference(raw).ok())
}

fn v2_request(members: &Members<'_>) -> Result<Request, ErrorReply> {
    let kind = string("type", members.kind)?;
    Ok(match &*kind {
        "enter_room" => {
            let room = RoomId(number("roomId", members.room_id)?);
            let since = members.since.map(since).transpose()?.map(Box::new);
            Request::Chat(chat::Request::EnterRoom(room), since)
        }
        "history" => Request::Local(LocalRequest::History {
            room: RoomId(number("roomId", members.room_id)?),
            before: optional_number("before", members.before)?.unwrap_or(MAX_NUMBER),
            limit: match optional_number("limit", members.limit)? {
                None => HISTORY_PAGE,
                Some(limit) => page(limit)?,
            },
        }),
        "typing" => Request::Local(LocalRequest::Typing),
        kind => return base_request(kind, members),
    })
}

fn base_request(kind: &str, members: &Members<'_>) -> Result<Request, ErrorReply> {
    use chat::Request::{ChangeName, CreateRoom, EnterRoom, LeaveRoom, Say};

    let request = match kind {
        "list_rooms" => return Ok(Request::Local(LocalRequest::ListRooms)),
        "enter_room" => EnterRoom(RoomId(number("roomId", members.room_id)?)),
        "leave_room" => LeaveRoom,
        "text" => Say(Content::Text(string("text", members.text)?.into_owned())),
        "gif" => Say(Content::Gif(number("gifId", members.gif_id)?)),
        "create_room" => CreateRoom(string("title", members.title)?.into_owned()),
        "change_name" => ChangeName(string("name", members.name)?.into_owned()),
        _ => return Err(ErrorReply::unknown_type(kind)),
    };
    Ok(Request::Chat(request, None))
}

fn reference(raw: &RawValue) -> Result<Arc<str>, ErrorReply> {
    let reference = string("ref", Some(raw))?;
    if (1..=MAX_REFERENCE_CHARS).contains(&reference.chars().count()) {
        Ok(reference.into())
    } else {
        let text = format!("\"ref\" must be a string of 1 to {MAX_REFERENCE_CHARS} characters.");
        Err(ErrorReply::bad_request(text))
    }
}

fn since(raw: &RawValue) -> Result<Since, ErrorReply> {
    let wrong =
        || ErrorReply::bad_request("\"since\" must be an object with \"epoch\" and \"seq\".");
    if !raw.get().starts_with('{') {
        return Err(wrong());
    }
    let members: SinceMembers<'_> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    let epoch = string("epoch", members.epoch)?.into_owned();
    let (seq, time) = (number("seq", members.seq)?, optional_number("time", members.time)?);
    Ok(Since { epoch, seq, time })
}

fn optional_number(name: &str, member: Option<&RawValue>) -> Result<Option<u64>, ErrorReply> {
    member.map(|_| number(name, member)).transpose()
}

fn page(limit: u64) -> Result<usize, ErrorReply> {
    usize::try_from(limit).ok().filter(|limit| (1..=HISTORY_MAX_PAGE).contains(limit)).ok_or_else(
        || ErrorReply::bad_request(format!("\"limit\" must be from 1 to {HISTORY_MAX_PAGE}.")),
    )
}

fn parse_members(text: &str) -> Result<Members<'_>, ErrorReply> {
    // Checked first, because serde would read an array as a structure, too.
    if !text.trim_start().starts_with('{') {
        return Err(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => ErrorReply::bad_request("A request is a JSON object with a \"type\"."),
            Err(error) => ErrorReply::bad_json(&error),
        });
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        // The only way in which an object does not fit.
        Category::Data => ErrorReply::bad_request("A member is given twice."),
        Category::Syntax | Category::Eof | Category::Io => ErrorReply::bad_json(&error),
    })
}

/// A string, copied only if it contains an escape.
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
    // `parse` alone would also accept a plus sign.
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_digits && *number <= MAX_NUMBER).ok_or_else(|| {
        ErrorReply::bad_request(format!(
            "\"{name}\" must be a whole number from 0 to {MAX_NUMBER}, or a string of its digits."
        ))
    })
}

/// The value of a member that must be there. A mandatory member that is `null` counts as missing.
fn present<'a>(name: &str, member: Option<&'a RawValue>) -> Result<&'a str, ErrorReply> {
    let raw = member.ok_or_else(|| ErrorReply::bad_request(format!("\"{name}\" is missing.")))?;
    Ok(raw.get())
}

#[cfg(test)]
mod tests;
