//! The changes of the list of rooms as the subscribers get them: the same frames for all, except for those whose
//! users have been mentioned.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::mentions::Mentions;
use crate::chat::{Chat, ConnectionId, RoomChange, RoomId, Version};
use crate::output::Output;
use crate::protocol::{Outgoing, RoomListChange};

/// The frames of changes that are sent together.
#[derive(Debug, Default)]
pub(super) struct Changes {
    frames: BytesMut,
    /// Where the frame of each change is.
    places: Vec<Range<usize>>,
    /// The frames that a client gets instead of these, by their numbers.
    own: BTreeMap<ConnectionId, BTreeMap<usize, Bytes>>,
}

impl Changes {
    /// How many bytes each subscriber gets, or about so many.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Adds a change, with the room as it is now.
    pub(super) fn add(
        &mut self,
        (id, change): (RoomId, RoomChange),
        chat: &Chat,
        mentions: &Mentions,
    ) {
        let change = shown_change(id, change, chat);
        let encode = |mentions, out: &mut BytesMut| {
            Version::V2.encode(&Outgoing::RoomListChange { change: &change, mentions }, out);
        };
        let start = self.frames.len();
        encode(0, &mut self.frames);
        for (connection, count) in mentions.in_room(id) {
            let mut frame = BytesMut::new();
            encode(count, &mut frame);
            self.own.entry(connection).or_default().insert(self.places.len(), frame.freeze());
        }
        self.places.push(start..self.frames.len());
    }

    /// What these subscribers are sent.
    pub(super) fn send(self, subscribers: &BTreeSet<ConnectionId>, outputs: &mut Vec<Output>) {
        let Self { frames, places, mut own } = self;
        own.retain(|connection, _| subscribers.contains(connection));
        let frames = frames.freeze();
        let others = subscribers.iter().filter(|connection| !own.contains_key(connection));
        let to: Vec<ConnectionId> = others.copied().collect();
        if !to.is_empty() {
            outputs.push(Output::Send { to, frames: frames.clone() });
        }
        for (connection, mut own) in own {
            let mut mixed = BytesMut::with_capacity(frames.len());
            for (index, place) in places.iter().enumerate() {
                let frame = own.remove(&index).unwrap_or_else(|| frames.slice(place.clone()));
                mixed.extend_from_slice(&frame);
            }
            outputs.push(Output::Send { to: vec![connection], frames: mixed.freeze() });
        }
    }
}

/// The change as it is sent, with the room as it is now.
fn shown_change(id: RoomId, change: RoomChange, chat: &Chat) -> RoomListChange {
    match (change, chat.room(id)) {
        (RoomChange::Removed, _) | (_, None) => RoomListChange::Removed(id),
        (RoomChange::Added, Some(room)) => RoomListChange::Added(room.summary(id)),
        (_, Some(room)) => RoomListChange::Updated(room.summary(id)),
    }
}
