//! What the server says, as base protocol frames: exactly these members, in exactly this order.

use bytes::{BufMut, BytesMut};
use serde::{Serialize, Serializer};

use super::ErrorReply;
use super::frame::push_text_frame;
use crate::chat::{Chat, Event, Person, Room};

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
    },
}

#[derive(Serialize)]
struct User<'a> {
    id: u64,
    name: &'a str,
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

/// Appends the frame of one event.
pub(crate) fn push_event(out: &mut BytesMut, event: &Event) {
    match event {
        Event::Welcome(person) => push(out, &Outgoing::Welcome { user: person.into() }),
        Event::Entered(person) => push(out, &Outgoing::EnterRoom { user: person.into() }),
        Event::Left(person) => push(out, &Outgoing::LeaveRoom { user: person.into() }),
        Event::Text { text, from } => push(out, &Outgoing::Text { text, from: from.into() }),
        Event::Gif { gif, from } => push(out, &Outgoing::Gif { gif_id: *gif, from: from.into() }),
        Event::Renamed { old_name, new_name } => {
            push(out, &Outgoing::ChangeName { old_name, new_name });
        }
        Event::Refused(refusal) => push_error(out, &refusal.into()),
    }
}

/// Appends an `error` frame.
pub(crate) fn push_error(out: &mut BytesMut, error: &ErrorReply) {
    let ErrorReply { code, message, retry_after_ms } = error;
    push(out, &Outgoing::Error { code, message, retry_after_ms: *retry_after_ms });
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
