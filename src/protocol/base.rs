//! The frames of the base protocol: exactly these members, in exactly this order.

use bytes::BytesMut;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::frame::push_json_frame;
use super::{ErrorReply, Outgoing};
use crate::chat::{Chat, Content, Event, Person, Reply, Room};

/// All frames that the server sends. The order of the members is part of the protocol.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum BaseFrame<'a> {
    Welcome {
        user: UserJson<'a>,
    },
    ListRooms {
        rooms: &'a RawValue,
    },
    EnterRoom {
        user: UserJson<'a>,
    },
    LeaveRoom {
        user: UserJson<'a>,
    },
    Text {
        text: &'a str,
        from: UserJson<'a>,
    },
    Gif {
        gif_id: u64,
        from: UserJson<'a>,
    },
    ChangeName {
        old_name: &'a str,
        new_name: &'a str,
    },
    Error {
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
}

/// A user, as in both versions.
#[derive(Serialize)]
pub(super) struct UserJson<'a> {
    pub(super) id: u64,
    pub(super) name: &'a str,
}

/// From whom announcements are. No user has this id.
const SERVER: UserJson<'static> = UserJson { id: 0, name: "Server" };

/// All rooms, as an object whose keys are the ids in ascending order.
pub(super) struct Rooms<'a>(pub(super) &'a Chat);

#[derive(Serialize)]
struct RoomJson<'a> {
    id: u64,
    title: &'a str,
    users: Members<'a>,
}

/// The members of a room, as an object whose keys are the ids in ascending order.
struct Members<'a>(&'a Chat, &'a Room);

/// Appends the frame for `outgoing`, or nothing if the base protocol has none.
pub(super) fn encode(outgoing: &Outgoing<'_>, out: &mut BytesMut) {
    let frame = match *outgoing {
        Outgoing::Welcome { welcome, .. } => BaseFrame::Welcome { user: (&welcome.person).into() },
        Outgoing::Event { event, .. } => match event {
            Event::Entered(person) => BaseFrame::EnterRoom { user: person.into() },
            Event::Left(person, _) => BaseFrame::LeaveRoom { user: person.into() },
            Event::Renamed(it) => {
                BaseFrame::ChangeName { old_name: &it.old_name, new_name: &it.new_name }
            }
            Event::Said(said) => match &said.content {
                Content::Text(text) => BaseFrame::Text { text, from: (&said.from).into() },
                Content::Gif(gif) => BaseFrame::Gif { gif_id: *gif, from: (&said.from).into() },
                Content::Erased => return,
            },
            Event::Erased(_) => return,
        },
        Outgoing::Reply { reply, .. } => match reply {
            Reply::Entered(person) => BaseFrame::EnterRoom { user: person.into() },
            Reply::Refused(refusal) => return encode_error(&refusal.into(), out),
            Reply::Renamed(_) | Reply::Said(..) | Reply::RoomAdded(_) | Reply::Erased(..) => {
                return;
            }
        },
        // The base protocol has nothing else that old clients show.
        Outgoing::Announcement { text, .. } => BaseFrame::Text { text, from: SERVER },
        Outgoing::Error(error) => return encode_error(error, out),
        Outgoing::RoomList { rooms, .. } => BaseFrame::ListRooms { rooms: &rooms.0 },
        Outgoing::Typing { .. }
        | Outgoing::Hello { .. }
        | Outgoing::RoomListChange { .. }
        | Outgoing::Presence { .. } => return,
    };
    push_json_frame(out, &frame);
}

/// Appends an `error` frame, which is the same in both versions. Only clients of `wschat.v2` have set
/// `reference`, and only they are told a position.
pub(super) fn encode_error(error: &ErrorReply, out: &mut BytesMut) {
    let ErrorReply { code, message, retry_after_ms, position, reference } = error;
    let frame = BaseFrame::Error {
        code,
        message,
        retry_after_ms: *retry_after_ms,
        room_id: position.map(|position| position.room.0),
        // The position of a room that was created has none.
        seq: position.map(|position| position.seq).filter(|seq| *seq > 0),
        reference: reference.as_deref(),
    };
    push_json_frame(out, &frame);
}

impl<'a> From<&'a Person> for UserJson<'a> {
    fn from(person: &'a Person) -> Self {
        Self { id: person.id.0, name: &person.name }
    }
}

impl Serialize for Rooms<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Rooms(chat) = *self;
        serializer.collect_map(chat.rooms().map(|(id, room)| {
            (id.0, RoomJson { id: id.0, title: room.title(), users: Members(chat, room) })
        }))
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Members(chat, room) = *self;
        let users = chat.members(room);
        serializer.collect_map(users.map(|(id, name)| (id.0, UserJson { id: id.0, name })))
    }
}
