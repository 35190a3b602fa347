//! What the server says to clients of `wschat.v2`: the base protocol's events with their place and
//! time, and what it has beyond them. `docs/protocol-v2.md` is the same in prose.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::event::User;
use super::frame::push_text_frame;
use super::push_error;
use crate::chat::{Chat, Content, Event, Person, RoomChange, RoomId, RoomSummary, Said, UserId};
use crate::settings::Limits;

/// The most events of one `history` frame, and how many there are unless the client says.
pub(crate) const HISTORY_MAX_PAGE: usize = 100;
pub(crate) const HISTORY_PAGE: usize = 50;

/// Every kind of frame that only `wschat.v2` has, or has more in. The order of the members is part of
/// the protocol.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Outgoing<'a> {
    Welcome {
        user: User<'a>,
        session: &'a str,
        resumed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<u64>,
        #[serde(flatten)]
        greeting: &'a Greeting,
    },
    ListRooms {
        rooms: &'a RawValue,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    RoomAdded {
        room: RoomEntry<'a>,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    RoomChanged {
        room: RoomEntry<'a>,
    },
    RoomRemoved {
        room_id: u64,
    },
    Room {
        room: RoomHead<'a>,
        users: &'a [User<'a>],
        epoch: &'a str,
        seq: u64,
        complete: bool,
        events: Vec<Outgoing<'a>>,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    EnterRoom {
        user: User<'a>,
        room_id: u64,
        time: u64,
    },
    LeaveRoom {
        user: User<'a>,
        room_id: u64,
        time: u64,
    },
    Text {
        text: &'a str,
        from: User<'a>,
        room_id: u64,
        time: u64,
        seq: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    Gif {
        gif_id: u64,
        from: User<'a>,
        room_id: u64,
        time: u64,
        seq: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    ChangeName {
        old_name: &'a str,
        new_name: &'a str,
        user_id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<u64>,
        time: u64,
    },
    Typing {
        user: User<'a>,
        room_id: u64,
        time: u64,
    },
    History {
        room_id: u64,
        events: Vec<Outgoing<'a>>,
        more: bool,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomEntry<'a> {
    id: u64,
    title: &'a str,
    user_count: usize,
    seq: u64,
}

#[derive(Serialize)]
struct RoomHead<'a> {
    id: u64,
    title: &'a str,
}

/// All rooms, as an object with the ids for keys, ascending.
struct Rooms<'a>(&'a Chat);

/// What every welcome says of the server.
#[derive(Debug, Serialize)]
pub(crate) struct Greeting {
    server: Server,
    limits: PoliteLimits,
    gifs: Vec<Gif>,
}

#[derive(Debug, Serialize)]
struct Server {
    name: &'static str,
    version: &'static str,
}

/// What a client has to know so as not to be refused.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PoliteLimits {
    max_message_bytes: usize,
    max_text_chars: usize,
    max_name_chars: usize,
    max_title_chars: usize,
    messages_per_second: f64,
    message_burst: u32,
    ping_interval_ms: u64,
    resume_grace_seconds: u64,
    history_on_enter: usize,
    history_max_page: usize,
}

/// A picture that the server has, and what it shows, in words.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gif {
    pub(crate) id: u64,
    pub(crate) alt: String,
}

/// A room as it was when somebody entered it, without what was said in it.
#[derive(Debug)]
pub(crate) struct RoomSnapshot {
    pub(crate) id: RoomId,
    pub(crate) title: Arc<str>,
    pub(crate) users: Vec<Person>,
    /// The `seq` of what was said last.
    pub(crate) seq: u64,
}

/// What was said, as an answer to somebody who enters.
#[derive(Debug)]
pub(crate) struct Backlog<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) complete: bool,
    pub(crate) events: &'a [Said],
}

impl Greeting {
    pub(crate) fn new(limits: &Limits, gifs: Vec<Gif>) -> Self {
        let limits = PoliteLimits {
            max_message_bytes: limits.max_message_bytes,
            max_text_chars: limits.max_text_chars,
            max_name_chars: limits.max_name_chars,
            max_title_chars: limits.max_title_chars,
            messages_per_second: limits.messages_per_second,
            message_burst: limits.message_burst,
            ping_interval_ms: limits.ping_interval_ms,
            resume_grace_seconds: limits.resume_grace_seconds,
            history_on_enter: limits.history_on_enter,
            history_max_page: HISTORY_MAX_PAGE,
        };
        let server = Server { name: "wschat", version: env!("CARGO_PKG_VERSION") };
        Self { server, limits, gifs }
    }
}

/// Appends the frame that greets a user on a new connection.
pub(crate) fn push_welcome(
    out: &mut BytesMut,
    person: &Person,
    session: &str,
    (resumed, room): (bool, Option<RoomId>),
    greeting: &Greeting,
) {
    let room_id = room.map(|room| room.0);
    push(out, &Outgoing::Welcome { user: person.into(), session, resumed, room_id, greeting });
}

/// Appends the frame of an event that `room` is told, or its author alone.
pub(crate) fn push_v2_event(
    out: &mut BytesMut,
    event: &Event,
    room: Option<RoomId>,
    time: u64,
    reference: Option<&str>,
) {
    let in_room = room.unwrap_or(RoomId(0)).0;
    match event {
        Event::Entered(person) => {
            push(out, &Outgoing::EnterRoom { user: person.into(), room_id: in_room, time });
        }
        Event::Left(person) => {
            push(out, &Outgoing::LeaveRoom { user: person.into(), room_id: in_room, time });
        }
        Event::Typing(person) => {
            push(out, &Outgoing::Typing { user: person.into(), room_id: in_room, time });
        }
        Event::Renamed { user: UserId(user_id), old_name, new_name } => {
            let (user_id, room_id) = (*user_id, room.map(|room| room.0));
            push(out, &Outgoing::ChangeName { old_name, new_name, user_id, room_id, time });
        }
        Event::RoomAdded(room) => push(out, &Outgoing::RoomAdded { room: room.into(), reference }),
        Event::Refused(refusal) => {
            push_error(out, &super::ErrorReply::from(refusal).to(reference.map(Arc::from)));
        }
        Event::Welcome { .. } => unreachable!("a welcome takes a session's secret"),
    }
}

/// Appends the frame of something said in `room`.
pub(crate) fn push_v2_said(out: &mut BytesMut, room: RoomId, said: &Said) {
    push(out, &outgoing(room, said));
}

/// The rooms of the chat as they are now, for [`list_frame`].
pub(crate) fn list_of_rooms(chat: &Chat) -> Box<RawValue> {
    serde_json::value::to_raw_value(&Rooms(chat)).expect("all keys are numbers")
}

/// The `list_rooms` frame.
pub(crate) fn list_frame(rooms: &RawValue, reference: Option<&str>) -> Bytes {
    frame_of(&Outgoing::ListRooms { rooms, reference })
}

/// The frames that tell of changes in the list of rooms.
pub(crate) fn room_change_frames(changes: &[RoomChange]) -> Bytes {
    let mut out = BytesMut::new();
    for change in changes {
        let frame = match change {
            RoomChange::Added(room) => Outgoing::RoomAdded { room: room.into(), reference: None },
            RoomChange::Changed(room) => Outgoing::RoomChanged { room: room.into() },
            RoomChange::Removed(room) => Outgoing::RoomRemoved { room_id: room.0 },
        };
        push(&mut out, &frame);
    }
    out.freeze()
}

/// The `room` frame, which shows a room to somebody who enters it.
pub(crate) fn room_frame(
    snapshot: &RoomSnapshot,
    backlog: &Backlog<'_>,
    reference: Option<&str>,
) -> Bytes {
    let users: Vec<User<'_>> = snapshot.users.iter().map(User::from).collect();
    let frame = Outgoing::Room {
        room: RoomHead { id: snapshot.id.0, title: &snapshot.title },
        users: &users,
        epoch: backlog.epoch,
        seq: snapshot.seq,
        complete: backlog.complete,
        events: backlog.events.iter().map(|said| outgoing(snapshot.id, said)).collect(),
        reference,
    };
    frame_of(&frame)
}

/// The `history` frame.
pub(crate) fn history_frame(
    room: RoomId,
    events: &[Said],
    more: bool,
    reference: Option<&str>,
) -> Bytes {
    let events = events.iter().map(|said| outgoing(room, said)).collect();
    frame_of(&Outgoing::History { room_id: room.0, events, more, reference })
}

/// The frame of something said, by itself.
pub(crate) fn said_frame(room: RoomId, said: &Said) -> Bytes {
    frame_of(&outgoing(room, said))
}

fn outgoing(room: RoomId, said: &Said) -> Outgoing<'_> {
    let Said { seq, time, from, content, reference } = said;
    let (room_id, time, seq, reference) = (room.0, *time, *seq, reference.as_deref());
    let from = from.into();
    match content {
        Content::Text(text) => Outgoing::Text { text, from, room_id, time, seq, reference },
        Content::Gif(gif) => Outgoing::Gif { gif_id: *gif, from, room_id, time, seq, reference },
    }
}

fn frame_of(outgoing: &Outgoing<'_>) -> Bytes {
    let mut out = BytesMut::new();
    push(&mut out, outgoing);
    out.freeze()
}

fn push(out: &mut BytesMut, outgoing: &Outgoing<'_>) {
    push_text_frame(out, |out| {
        serde_json::to_writer(out.writer(), outgoing)
            .expect("memory takes all, and all keys are numbers");
    });
}

impl<'a> From<&'a RoomSummary> for RoomEntry<'a> {
    fn from(room: &'a RoomSummary) -> Self {
        Self { id: room.id.0, title: &room.title, user_count: room.users, seq: room.seq }
    }
}

impl Serialize for Rooms<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.rooms().map(|(id, room)| {
            let (title, user_count, seq) = (room.title(), room.users(), room.kept_seq());
            (id.0, RoomEntry { id: id.0, title, user_count, seq })
        }))
    }
}
