//! Frames of which only a part is known beforehand: whether one is what a client has to get.

use super::frames::{JsonFrame, PreviewInFrame, RoomInFrame, UserInFrame};
use super::store::FaultyStore;
use crate::chat::{RoomId, Version, Welcome};
use crate::protocol::RoomPreview;
use crate::recall::{Lookup, Query};

pub(super) fn is_welcome(welcome: &Welcome, frame: &JsonFrame) -> bool {
    let user =
        UserInFrame { id: welcome.person.id.0, name: welcome.person.name.to_string(), away: false };
    let is_same = frame.kind == "welcome" && frame.user.as_ref() == Some(&user);
    is_same
        && (welcome.version == Version::Base
            || frame.session.is_some() == welcome.can_resume
                && frame.resumed == Some(welcome.resumed)
                && frame.room_id == welcome.room.map(|room| room.0))
}

pub(super) fn is_answer(query: &Query, frame: &JsonFrame, store: &FaultyStore) -> bool {
    if frame.reference.as_deref() != query.reference.as_deref() {
        return false;
    }
    let is_unreadable = |room: RoomId| {
        frame.code.as_deref() == Some("not_readable") && store.was_unreadable(room.0)
    };
    match &query.what {
        Lookup::Room { snapshot, .. } => {
            let users = format!("[{}]", snapshot.users.json());
            let users: Vec<UserInFrame> = serde_json::from_str(&users).unwrap();
            let is_room =
                |room: &RoomInFrame| room.id == snapshot.id.0 && *room.title == *snapshot.title;
            frame.kind == "room"
                && frame.room.as_ref().is_some_and(is_room)
                && frame.users.as_ref() == Some(&users)
                && frame.user_count == Some(users.len())
                && frame.seq == Some(snapshot.seq)
        }
        Lookup::Page { room, .. } => {
            (frame.kind == "history" && frame.room_id == Some(room.0)) || is_unreadable(*room)
        }
        Lookup::Message(position) => {
            let (room, seq) = (position.room, position.seq);
            let is_message = frame.room_id == Some(room.0) && frame.seq == Some(seq);
            let is_gone = frame.code.as_deref() == Some("already_said");
            is_message || is_gone || is_unreadable(room)
        }
        Lookup::Previews { rooms, .. } => {
            let is_it = |(room, preview): (&RoomPreview, &PreviewInFrame)| {
                let users: Vec<UserInFrame> =
                    serde_json::from_str(&format!("[{}]", room.users.json())).unwrap();
                preview.room_id == room.id.0
                    && preview.users == users
                    && preview.user_count == room.users.count()
            };
            let is_whole = |previews: &[PreviewInFrame]| {
                previews.len() == rooms.len() || frame.more == Some(true)
            };
            frame.previews.as_ref().map_or_else(
                || rooms.iter().any(|room| is_unreadable(room.id)),
                |previews| is_whole(previews) && rooms.iter().zip(previews).all(is_it),
            )
        }
    }
}
