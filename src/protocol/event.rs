//! What the server says, as base protocol frames: exactly these members, in exactly this order.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, Serializer};

use super::ErrorReply;
use super::frame::push_text_frame;
use crate::chat::{Chat, Content, Event, Person, Room, Said};

/// Every kind of frame that the server sends. The order of the members is part of the protocol.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Outgoing<'a> {
    Welcome {
        user: User<'a>,
    },
    ListRooms {
        rooms: Rooms<'a>,
    },
    EnterRoom {
        user: User<'a>,
    },
    LeaveRoom {
        user: User<'a>,
    },
    Text {
        text: &'a str,
        from: User<'a>,
    },
    Gif {
        gif_id: u64,
        from: User<'a>,
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
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
}

/// A user as both versions show it.
#[derive(Serialize)]
pub(super) struct User<'a> {
    pub(super) id: u64,
    pub(super) name: &'a str,
}

/// All rooms, as an object with the ids for keys, ascending.
struct Rooms<'a>(&'a Chat);

#[derive(Serialize)]
struct RoomEntry<'a> {
    id: u64,
    title: &'a str,
    users: Users<'a>,
}

/// The members of a room, as an object with the ids for keys, ascending.
struct Users<'a>(&'a Chat, &'a Room);

/// Appends the frame of one event, if the base protocol has one for it.
pub(crate) fn push_event(out: &mut BytesMut, event: &Event) {
    match event {
        Event::Welcome { person, .. } => push(out, &Outgoing::Welcome { user: person.into() }),
        Event::Entered(person) => push(out, &Outgoing::EnterRoom { user: person.into() }),
        Event::Left(person) => push(out, &Outgoing::LeaveRoom { user: person.into() }),
        Event::Renamed { old_name, new_name, .. } => {
            push(out, &Outgoing::ChangeName { old_name, new_name });
        }
        Event::Refused(refusal) => push_error(out, &refusal.into()),
        Event::Typing(_) | Event::RoomAdded(_) => {}
    }
}

/// Appends the frame of something said.
pub(crate) fn push_said(out: &mut BytesMut, said: &Said) {
    let from = (&said.from).into();
    match &said.content {
        Content::Text(text) => push(out, &Outgoing::Text { text, from }),
        Content::Gif(gif) => push(out, &Outgoing::Gif { gif_id: *gif, from }),
    }
}

/// Appends an `error` frame. What only `wschat.v2` has in it is there only for its clients.
pub(crate) fn push_error(out: &mut BytesMut, error: &ErrorReply) {
    let ErrorReply { code, message, retry_after_ms, reference } = error;
    let (retry_after_ms, reference) = (*retry_after_ms, reference.as_deref());
    push(out, &Outgoing::Error { code, message, retry_after_ms, reference });
}

/// An `error` frame by itself.
pub(crate) fn error_frame(error: &ErrorReply) -> Bytes {
    let mut out = BytesMut::new();
    push_error(&mut out, error);
    out.freeze()
}

/// Appends the `list_rooms` frame that shows the chat as it is now.
pub(crate) fn push_room_list(out: &mut BytesMut, chat: &Chat) {
    push(out, &Outgoing::ListRooms { rooms: Rooms(chat) });
}

fn push(out: &mut BytesMut, outgoing: &Outgoing<'_>) {
    push_text_frame(out, |out| {
        serde_json::to_writer(out.writer(), outgoing)
            .expect("memory takes all, and all keys are numbers");
    });
}

impl<'a> From<&'a Person> for User<'a> {
    fn from(person: &'a Person) -> Self {
        Self { id: person.id.0, name: &person.name }
    }
}

impl Serialize for Rooms<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Rooms(chat) = *self;
        serializer.collect_map(chat.rooms().map(|(id, room)| {
            (id.0, RoomEntry { id: id.0, title: room.title(), users: Users(chat, room) })
        }))
    }
}

impl Serialize for Users<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Users(chat, room) = *self;
        serializer.collect_map(chat.members(room).map(|(id, name)| (id.0, User { id: id.0, name })))
    }
}
