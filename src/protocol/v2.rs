//! The frames of `wschat.v2`, which `docs/protocol-v2.md` documents: the events of the base protocol with
//! their room and time, and those that only this version has.

use std::sync::Arc;

use bytes::BytesMut;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::base::{UserJson, encode_error};
use super::frame::push_json_frame;
use super::{ErrorReply, Outgoing, RoomListChange, ServerInfo};
use crate::chat::{
    Chat, Content, Erased, Erasure, Event, Renaming, Reply, RoomId, RoomSummary, Said,
};

/// The feature of clients that want to be told who is away.
pub(super) const PRESENCE: &str = "presence";

/// The feature of clients that want to know how many messages mention their users.
pub(super) const MENTIONS: &str = "mentions";

/// What this server can do beyond the core of the protocol.
const FEATURES: &[&str] =
    &[PRESENCE, "users", "history.after", "history.around", MENTIONS, "previews"];

/// The frames of `wschat.v2`, except those of `page`, and `error`, which is the same in both versions. The order of the members
/// is part of the protocol.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum V2Frame<'a> {
    Welcome {
        user: UserJson<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<&'a str>,
        resumed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<u64>,
        epoch: &'a str,
        time: u64,
        features: &'static [&'static str],
        #[serde(flatten)]
        server: &'a ServerInfo,
    },
    Hello {
        features: &'static [&'static str],
        max_frame_bytes: usize,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    ListRooms {
        rooms: &'a RawValue,
        epoch: &'a str,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    RoomAdded {
        room: SummaryJson<'a>,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    RoomChanged {
        room: SummaryJson<'a>,
    },
    RoomRemoved {
        room_id: u64,
    },
    EnterRoom {
        user: UserJson<'a>,
        room_id: u64,
        time: u64,
    },
    LeaveRoom {
        user: UserJson<'a>,
        room_id: u64,
        time: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    Text {
        text: &'a str,
        from: UserJson<'a>,
        room_id: u64,
        time: u64,
        seq: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    Gif {
        gif_id: u64,
        from: UserJson<'a>,
        room_id: u64,
        time: u64,
        seq: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    /// What is left of an erased message.
    Gone {
        room_id: u64,
        time: u64,
        seq: u64,
    },
    /// What the operator tells everyone.
    Announcement {
        text: &'a str,
        time: u64,
    },
    /// The messages of a room up to `up_to` are gone: all, those of a user, or those before a time.
    Erased {
        room_id: u64,
        time: u64,
        up_to: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
    },
    ChangeName {
        old_name: &'a str,
        new_name: &'a str,
        user_id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        room_id: Option<u64>,
        time: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    Typing {
        user: UserJson<'a>,
        room_id: u64,
        time: u64,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
    },
    Presence {
        room_id: u64,
        users: Vec<PresenceJson>,
        time: u64,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SummaryJson<'a> {
    id: u64,
    title: &'a str,
    user_count: usize,
    seq: u64,
    /// How many messages have mentioned the user who is shown this.
    #[serde(skip_serializing_if = "is_zero")]
    mentions: u64,
}

#[derive(Serialize)]
pub(super) struct RoomHead<'a> {
    pub(super) id: u64,
    pub(super) title: &'a str,
}

#[derive(Serialize)]
pub(super) struct PresenceJson {
    id: u64,
    away: bool,
}

/// All rooms, as an object whose keys are the ids in ascending order.
pub(super) struct Summaries<'a>(pub(super) &'a Chat);

/// Appends the frame for `outgoing`, or nothing if `wschat.v2` has none.
pub(super) fn encode(outgoing: &Outgoing<'_>, out: &mut BytesMut) {
    if let Outgoing::Reply { reply: Reply::Refused(refusal), reference, .. } = *outgoing {
        return encode_error(&ErrorReply::from(refusal).to(reference.map(Arc::from)), out);
    }
    let frame = match *outgoing {
        Outgoing::Welcome { welcome, secret: session, epoch, server } => V2Frame::Welcome {
            user: (&welcome.person).into(),
            session,
            resumed: welcome.resumed,
            room_id: welcome.room.map(|room| room.0),
            epoch,
            time: welcome.time,
            features: FEATURES,
            server,
        },
        Outgoing::Event { room, time, event } => event_frame(room, time, event),
        Outgoing::Announcement { text, time } => V2Frame::Announcement { text, time },
        Outgoing::Typing { room, time, person, reference } => {
            V2Frame::Typing { user: person.into(), room_id: room.0, time, reference }
        }
        Outgoing::Hello { hello, reference } => V2Frame::Hello {
            features: match (hello.presence, hello.mentions) {
                (false, false) => &[],
                (true, false) => &[PRESENCE],
                (false, true) => &[MENTIONS],
                (true, true) => &[PRESENCE, MENTIONS],
            },
            max_frame_bytes: hello.max_frame_bytes,
            reference,
        },
        Outgoing::Reply { reply, time, reference } => match reply_frame(reply, time, reference) {
            Some(frame) => frame,
            None => return,
        },
        Outgoing::Error(error) => return encode_error(error, out),
        Outgoing::RoomList { rooms, epoch, reference } => {
            V2Frame::ListRooms { rooms: &rooms.0, epoch, reference }
        }
        Outgoing::RoomListChange { change, mentions } => match change {
            RoomListChange::Added(room) => {
                V2Frame::RoomAdded { room: SummaryJson::new(room, mentions), reference: None }
            }
            RoomListChange::Updated(room) => {
                V2Frame::RoomChanged { room: SummaryJson::new(room, mentions) }
            }
            RoomListChange::Removed(room) => V2Frame::RoomRemoved { room_id: room.0 },
        },
        Outgoing::Presence { room, time, users } => {
            let users = users.iter().map(|(user, away)| PresenceJson { id: user.0, away: *away });
            V2Frame::Presence { room_id: room.0, users: users.collect(), time }
        }
    };
    push_json_frame(out, &frame);
}

/// `None`: a client of this version gets something else instead.
fn reply_frame<'a>(reply: &'a Reply, time: u64, reference: Option<&'a str>) -> Option<V2Frame<'a>> {
    match reply {
        Reply::Renamed(it) => Some(renaming_frame(None, time, it)),
        Reply::Said(room, said) => Some(said_frame(*room, said)),
        Reply::RoomAdded(room) => {
            Some(V2Frame::RoomAdded { room: SummaryJson::new(room, 0), reference })
        }
        Reply::Erased(room, erased) => Some(erased_frame(*room, *erased)),
        // The whole room, and an error.
        Reply::Entered(_) | Reply::Refused(_) => None,
    }
}

fn event_frame(room: RoomId, time: u64, event: &Event) -> V2Frame<'_> {
    let room_id = room.0;
    match event {
        Event::Entered(person) => V2Frame::EnterRoom { user: person.into(), room_id, time },
        Event::Left(person, reference) => {
            let (user, reference) = (person.into(), reference.as_deref());
            V2Frame::LeaveRoom { user, room_id, time, reference }
        }
        Event::Renamed(it) => renaming_frame(Some(room_id), time, it),
        Event::Said(said) => said_frame(room, said),
        Event::Erased(erased) => erased_frame(room, *erased),
    }
}

fn erased_frame(room: RoomId, erased: Erased) -> V2Frame<'static> {
    let Erased { what, up_to, time } = erased;
    let (user_id, before) = match what {
        Erasure::User(user) => (Some(user.0), None),
        Erasure::Room(_) => (None, None),
        Erasure::Before(time) => (None, Some(time)),
    };
    V2Frame::Erased { room_id: room.0, time, up_to, user_id, before }
}

fn renaming_frame(room_id: Option<u64>, time: u64, it: &Renaming) -> V2Frame<'_> {
    V2Frame::ChangeName {
        old_name: &it.old_name,
        new_name: &it.new_name,
        user_id: it.user.0,
        room_id,
        time,
        reference: it.reference.as_deref(),
    }
}

pub(super) fn said_frame(room: RoomId, said: &Said) -> V2Frame<'_> {
    let Said { seq, time, from, content, reference } = said;
    let (room_id, time, seq, reference) = (room.0, *time, *seq, reference.as_deref());
    let from = from.into();
    match content {
        Content::Text(text) => V2Frame::Text { text, from, room_id, time, seq, reference },
        Content::Gif(gif) => V2Frame::Gif { gif_id: *gif, from, room_id, time, seq, reference },
        Content::Erased => V2Frame::Gone { room_id, time, seq },
    }
}

impl<'a> SummaryJson<'a> {
    pub(super) fn new(room: &'a RoomSummary, mentions: u64) -> Self {
        let RoomSummary { id, title, users, seq } = room;
        Self { id: id.0, title, user_count: *users, seq: *seq, mentions }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Serialize for Summaries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By way of `RoomSummary`, so that the list and its changes show a room with the same fields.
        let mut map = serializer.serialize_map(None)?;
        for (id, room) in self.0.rooms() {
            map.serialize_entry(&id.0, &SummaryJson::new(&room.summary(id), 0))?;
        }
        map.end()
    }
}
