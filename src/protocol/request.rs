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
use super::previews::PREVIEWS_MAX_ROOMS;
use super::v2::{MENTIONS, PRESENCE};
use crate::chat::{self, Content, Reference, RoomId, UserId};

/// The largest whole number that survives JavaScript: 2⁵³ − 1.
pub(crate) const MAX_NUMBER: u64 = (1 << 53) - 1;

/// How long a reference may be, in characters.
const MAX_REFERENCE_CHARS: usize = 64;

/// How many messages a client may ask for with `history`.
pub(crate) const HISTORY_MAX_PAGE: usize = 100;

/// How many users a client may ask for with `users`.
pub(crate) const USERS_MAX_PAGE: usize = 250;

/// The smallest longest frame that a client may have, in bytes.
const MIN_FRAME_BYTES: u64 = 4_096;

/// The smallest `maxBytes` of `history`.
const MIN_PAGE_BYTES: u64 = 1_024;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LocalRequest {
    /// The list of rooms, or only those with higher ids than this.
    ListRooms { after: Option<RoomId> },
    /// Messages of a room, at most `limit` of them.
    History {
        room: RoomId,
        part: HistoryPart,
        limit: usize,
        /// How long the answer may be.
        max_bytes: Option<usize>,
    },
    /// The users of a room with higher ids than this, at most `limit` of them.
    Users { room: RoomId, after: UserId, limit: usize },
    /// Who is in these rooms, and what was said last.
    Previews(Vec<RoomId>),
    /// The user is typing. Refused if the user is in another room than this.
    Typing(Option<RoomId>),
    /// The client says what it can take.
    Hello(HelloRequest),
}

/// Which messages of a room a client asks for, by `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryPart {
    Newest,
    Before(u64),
    After(u64),
    /// This one, and those before and after it.
    Around(u64),
}

/// What a client says that it can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HelloRequest {
    /// The client wants to be told who is away.
    pub(crate) presence: bool,
    /// The client wants to know how many messages mention its user.
    pub(crate) mentions: bool,
    /// The longest frame that the client takes, in bytes.
    pub(crate) max_frame_bytes: Option<usize>,
}

/// The last message of a room that a client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// Names the history in which `seq` counts.
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    /// The time of that message, if the client says it: to find out whether it is the same one.
    pub(crate) time: Option<u64>,
}

/// All members that any request has, each as raw JSON.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    room_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    room_ids: Option<&'a RawValue>,
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
    after: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    around: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    max_bytes: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    limit: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    features: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    max_frame_bytes: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref", default, deserialize_with = "null_is_a_value")]
    reference: Option<&'a RawValue>,
}

/// The members that the base protocol has. It ignores all others, even if one is given twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaseMembers<'a> {
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

impl<'a> From<BaseMembers<'a>> for Members<'a> {
    fn from(base: BaseMembers<'a>) -> Self {
        let BaseMembers { kind, room_id, text, gif_id, title, name } = base;
        Self { kind, room_id, text, gif_id, title, name, ..Self::default() }
    }
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
    #[serde(borrow, default, deserialize_with = "null_is_a_value")]
    rev: Option<&'a RawValue>,
}

/// Parses one request of the base protocol.
pub(super) fn parse_base(text: &str) -> Result<(Request, Reference), ErrorReply> {
    let members = Members::from(parse_members::<BaseMembers<'_>>(text)?);
    let kind = string("type", members.kind)?;
    Ok((base_request(&kind, &members)?, None))
}

/// Parses one request of `wschat.v2`.
pub(super) fn parse_v2(text: &str) -> Result<(Request, Reference), ErrorReply> {
    let members = parse_members::<Members<'_>>(text)?;
    let reference = members.reference.map(reference).transpose()?;
    match v2_request(&members) {
        Ok(request) => Ok((request, reference)),
        Err(error) => Err(error.to(reference)),
    }
}

/// The reference of a request that is refused without being parsed, if it has a valid one.
pub(crate) fn reference_of(text: &str) -> Reference {
    parse_members::<Members<'_>>(text).ok()?.reference.and_then(|raw| reference(raw).ok())
}

fn v2_request(members: &Members<'_>) -> Result<Request, ErrorReply> {
    let kind = string("type", members.kind)?;
    Ok(match &*kind {
        "enter_room" => {
            let room = room(members)?;
            let since = members.since.map(since).transpose()?.map(Box::new);
            Request::Chat(chat::Request::EnterRoom(room), since)
        }
        "history" => Request::Local(LocalRequest::History {
            room: room(members)?,
            part: history_part(members)?,
            limit: limit(members, HISTORY_PAGE, HISTORY_MAX_PAGE)?,
            max_bytes: bytes("maxBytes", members.max_bytes, MIN_PAGE_BYTES)?,
        }),
        "users" => Request::Local(LocalRequest::Users {
            room: room(members)?,
            after: UserId(optional_number("after", members.after)?.unwrap_or(0)),
            limit: limit(members, USERS_MAX_PAGE, USERS_MAX_PAGE)?,
        }),
        "previews" => Request::Local(LocalRequest::Previews(preview_rooms(members)?)),
        "list_rooms" => {
            let after = optional_number("after", members.after)?.map(RoomId);
            Request::Local(LocalRequest::ListRooms { after })
        }
        "typing" => Request::Local(LocalRequest::Typing(meant_room(members)?)),
        "hello" => Request::Local(LocalRequest::Hello(hello(members)?)),
        kind => {
            let mut request = base_request(kind, members)?;
            if let Request::Chat(
                chat::Request::LeaveRoom(meant) | chat::Request::Say(_, meant),
                _,
            ) = &mut request
            {
                *meant = meant_room(members)?;
            }
            return Ok(request);
        }
    })
}

fn base_request(kind: &str, members: &Members<'_>) -> Result<Request, ErrorReply> {
    use chat::Request::{ChangeName, CreateRoom, EnterRoom, LeaveRoom, Say};

    let request = match kind {
        "list_rooms" => return Ok(Request::Local(LocalRequest::ListRooms { after: None })),
        "enter_room" => EnterRoom(RoomId(number("roomId", members.room_id)?)),
        "leave_room" => LeaveRoom(None),
        "text" => Say(Content::Text(string("text", members.text)?.into_owned()), None),
        "gif" => Say(Content::Gif(number("gifId", members.gif_id)?), None),
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
    // Reserved.
    optional_number("rev", members.rev)?;
    Ok(Since { epoch, seq, time })
}

/// The room that a request must name. As in the base protocol, `null` counts as left out.
fn room(members: &Members<'_>) -> Result<RoomId, ErrorReply> {
    number("roomId", members.room_id.filter(|raw| raw.get() != "null")).map(RoomId)
}

/// The room that a request is meant for, if it says so. One that says `null` is meant for none: it must not
/// act on the room that the user happens to be in.
fn meant_room(members: &Members<'_>) -> Result<Option<RoomId>, ErrorReply> {
    Ok(optional_number("roomId", members.room_id)?.map(RoomId))
}

/// The rooms that a client wants to see previews of, each once.
fn preview_rooms(members: &Members<'_>) -> Result<Vec<RoomId>, ErrorReply> {
    let raw = present("roomIds", members.room_ids)?;
    let wrong = || {
        let max = PREVIEWS_MAX_ROOMS;
        ErrorReply::bad_request(format!("\"roomIds\" must be an array of 1 to {max} ids of rooms."))
    };
    let ids: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| wrong())?;
    if !(1..=PREVIEWS_MAX_ROOMS).contains(&ids.len()) {
        return Err(wrong());
    }
    let mut rooms = Vec::with_capacity(ids.len());
    for id in ids {
        let room = RoomId(number("roomIds", Some(id)).map_err(|_| wrong())?);
        if !rooms.contains(&room) {
            rooms.push(room);
        }
    }
    Ok(rooms)
}

/// Features that this server does not know are ignored.
fn hello(members: &Members<'_>) -> Result<HelloRequest, ErrorReply> {
    let features: Vec<Cow<'_, str>> = match members.features {
        None => Vec::new(),
        Some(raw) => serde_json::from_str(raw.get())
            .map_err(|_| ErrorReply::bad_request("\"features\" must be an array of strings."))?,
    };
    Ok(HelloRequest {
        presence: features.iter().any(|feature| feature == PRESENCE),
        mentions: features.iter().any(|feature| feature == MENTIONS),
        max_frame_bytes: bytes("maxFrameBytes", members.max_frame_bytes, MIN_FRAME_BYTES)?,
    })
}

fn optional_number(name: &str, member: Option<&RawValue>) -> Result<Option<u64>, ErrorReply> {
    member.map(|_| number(name, member)).transpose()
}

fn history_part(members: &Members<'_>) -> Result<HistoryPart, ErrorReply> {
    let before = optional_number("before", members.before)?;
    let after = optional_number("after", members.after)?;
    let around = optional_number("around", members.around)?;
    match (before, after, around) {
        (None, None, None) => Ok(HistoryPart::Newest),
        (Some(seq), None, None) => Ok(HistoryPart::Before(seq)),
        (None, Some(seq), None) => Ok(HistoryPart::After(seq)),
        (None, None, Some(seq)) => Ok(HistoryPart::Around(seq)),
        _ => Err(ErrorReply::bad_request(
            "Only one of \"before\", \"after\" and \"around\" can be given.",
        )),
    }
}

/// `limit`, which may not be given.
fn limit(members: &Members<'_>, absent: usize, max: usize) -> Result<usize, ErrorReply> {
    let Some(limit) = optional_number("limit", members.limit)? else { return Ok(absent) };
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| ErrorReply::bad_request(format!("\"limit\" must be from 1 to {max}.")))
}

/// An optional number of bytes, at least `min`.
fn bytes(name: &str, member: Option<&RawValue>, min: u64) -> Result<Option<usize>, ErrorReply> {
    let bytes = optional_number(name, member)?;
    if bytes.is_some_and(|bytes| bytes < min) {
        return Err(ErrorReply::bad_request(format!("\"{name}\" must be {min} or more.")));
    }
    Ok(bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)))
}

fn parse_members<'a, M: Deserialize<'a>>(text: &'a str) -> Result<M, ErrorReply> {
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

/// A whole number, given as a number in any spelling of JSON or as a string of digits.
fn number(name: &str, member: Option<&RawValue>) -> Result<u64, ErrorReply> {
    let raw = present(name, member)?;
    let number = if raw.starts_with('"') {
        string(name, member).ok().and_then(|digits| digits_value(&digits))
    } else {
        digits_value(raw).or_else(|| whole_value(raw))
    };
    number.filter(|number| *number <= MAX_NUMBER).ok_or_else(|| {
        ErrorReply::bad_request(format!(
            "\"{name}\" must be a whole number from 0 to {MAX_NUMBER}, or a string of its digits."
        ))
    })
}

/// The value of decimal digits. `parse` alone would also accept a plus sign.
fn digits_value(digits: &str) -> Option<u64> {
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_digits)
}

/// The value of a JSON number that is whole, such as `1.0`, `1e0` or `-0`, as JavaScript reads it.
fn whole_value(number: &str) -> Option<u64> {
    let value: f64 = number.parse().ok()?;
    let is_whole = value >= 0.0 && value.fract() == 0.0;
    // Without a fraction and a sign, these are digits.
    is_whole.then(|| format!("{:.0}", value.abs())).and_then(|digits| digits_value(&digits))
}

/// The value of a member that must be there. A mandatory member that is `null` counts as missing.
fn present<'a>(name: &str, member: Option<&'a RawValue>) -> Result<&'a str, ErrorReply> {
    let raw = member.ok_or_else(|| ErrorReply::bad_request(format!("\"{name}\" is missing.")))?;
    Ok(raw.get())
}

#[cfg(test)]
mod tests;
