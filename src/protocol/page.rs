//! Frames of `wschat.v2` that hold as many users, rooms or messages as fit: the room that a user enters,
//! pages of its history and of its users, and a list of rooms that is too long for the client.
//!
//! Lengths are those of the whole frame, encoded, with its header and every escape.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::frame::{MAX_HEADER, push_text_frame};
use super::outgoing::RoomSnapshot;
use super::users::UserEntry;
use super::v2::{RoomHead, SummaryJson, said_frame};
use crate::chat::{RoomId, RoomSummary, Said};

/// A `room` or `history` frame while it is filled with messages.
pub(crate) struct EventPage {
    room: RoomId,
    /// What comes before and after the part that is decided last.
    head: String,
    tail: String,
    /// The messages, oldest first.
    events: VecDeque<String>,
    /// How many bytes of messages there may be; the second number is for a message that is alone.
    left: usize,
    left_for_one: usize,
}

/// Whether a message has found a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Taken,
    /// There is no space left.
    Full,
    /// It is too long for any frame of this client.
    TooLong,
}

/// How a page joins what the client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Joint {
    /// No message is missing between those that the client has and these.
    pub(crate) is_complete: bool,
    /// What the client has is from another history.
    pub(crate) is_reset: bool,
}

/// The longest text that [`EventPage::room`] and [`EventPage::history`] leave to the end.
const LONGEST_MIDDLE: usize = r#"false,"reset":true,"events":["#.len();
const LONGEST_END: usize = r#"],"more":false,"newer":false"#.len();

impl EventPage {
    /// A room that a user enters. At most half of the frame is for the users.
    pub(crate) fn room(
        room: &RoomSnapshot,
        epoch: &str,
        reference: Option<&str>,
        max_bytes: usize,
    ) -> Self {
        let RoomSnapshot { id, title, users, user, seq } = room;
        let of_room = json(&RoomHead { id: id.0, title });
        let before = format!(r#"{{"type":"room","room":{of_room},"users":["#);
        let (count, epoch) = (users.count(), json(epoch));
        let after = format!(r#"],"userCount":{count},"epoch":{epoch},"seq":{seq},"complete":"#);
        let tail = format!("{}}}", reference_member(reference));
        let own = json(&UserEntry { id: user.id.0, name: &user.name, away: false });
        let fixed = before.len() + after.len() + tail.len() + LONGEST_MIDDLE + 1 + MAX_HEADER;
        let for_users = (max_bytes.saturating_sub(fixed) / 2).saturating_sub(own.len() + 1);
        let (users, last) = users.within(for_users);
        let own = match (last < user.id, users.is_empty()) {
            (false, _) => String::new(),
            (true, true) => own,
            (true, false) => format!(",{own}"),
        };
        let head = format!("{before}{users}{own}{after}");
        let fixed = fixed + users.len() + own.len();
        Self::new(*id, (head, tail), fixed, (max_bytes, max_bytes))
    }

    /// A page of history. If no message fits into `max_bytes`, it may have one that fits into `max_frame`.
    pub(crate) fn history(
        room: RoomId,
        epoch: &str,
        reference: Option<&str>,
        (max_bytes, max_frame): (usize, usize),
    ) -> Self {
        let (id, epoch) = (room.0, json(epoch));
        let head = format!(r#"{{"type":"history","roomId":{id},"epoch":{epoch},"events":["#);
        let tail = format!("{}}}", reference_member(reference));
        let fixed = head.len() + tail.len() + LONGEST_END + MAX_HEADER;
        Self::new(room, (head, tail), fixed, (max_bytes, max_frame))
    }

    fn new(
        room: RoomId,
        (head, tail): (String, String),
        fixed: usize,
        (max_bytes, max_frame): (usize, usize),
    ) -> Self {
        let left = max_bytes.saturating_sub(fixed);
        let left_for_one = max_frame.saturating_sub(fixed);
        Self { room, head, tail, events: VecDeque::new(), left, left_for_one }
    }

    /// Adds a message in front of the others, if there is space.
    pub(crate) fn add_older(&mut self, said: &Said) -> Fit {
        self.add(said, VecDeque::push_front)
    }

    /// Adds a message behind the others, if there is space.
    pub(crate) fn add_newer(&mut self, said: &Said) -> Fit {
        self.add(said, VecDeque::push_back)
    }

    fn add(&mut self, said: &Said, push: fn(&mut VecDeque<String>, String)) -> Fit {
        let event = json(&said_frame(self.room, said));
        let (len, is_first) = (event.len() + 1, self.events.is_empty());
        if len > self.left_for_one {
            return Fit::TooLong;
        }
        if len > self.left && !is_first {
            return Fit::Full;
        }
        self.left = self.left.saturating_sub(len);
        push(&mut self.events, event);
        Fit::Taken
    }

    /// The `room` frame.
    pub(crate) fn into_room(self, joint: Joint) -> Bytes {
        let reset = if joint.is_reset { r#","reset":true"# } else { "" };
        let middle = format!(r#"{}{reset},"events":["#, joint.is_complete);
        self.into_frame(&middle, "]")
    }

    /// The `history` frame. There are older messages than these, or newer ones.
    pub(crate) fn into_history(self, more: bool, newer: bool) -> Bytes {
        self.into_frame("", &format!(r#"],"more":{more},"newer":{newer}"#))
    }

    fn into_frame(self, middle: &str, end: &str) -> Bytes {
        let mut out = BytesMut::new();
        push_text_frame(&mut out, |out| {
            out.extend_from_slice(self.head.as_bytes());
            out.extend_from_slice(middle.as_bytes());
            for (index, event) in self.events.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b",");
                }
                out.extend_from_slice(event.as_bytes());
            }
            out.extend_from_slice(end.as_bytes());
            out.extend_from_slice(self.tail.as_bytes());
        });
        out.freeze()
    }
}

/// A `users` frame: as many of these users as fit, the first of a room with `count`.
pub(crate) fn users_frame<'a>(
    room: RoomId,
    users: impl Iterator<Item = UserEntry<'a>>,
    limit: usize,
    count: usize,
    reference: Option<&str>,
    max_bytes: usize,
) -> Bytes {
    let (room, reference) = (room.0, reference_member(reference));
    let head = format!(r#"{{"type":"users","roomId":{room},"users":["#);
    let tail = |more| format!(r#"],"userCount":{count},"more":{more}{reference}}}"#);
    items_frame(&head, users.map(|user| json(&user)), limit, tail, max_bytes)
}

/// A `list_rooms` frame: as many of these rooms as fit, each with how many messages have mentioned the user. If there are more, it says so.
pub(crate) fn rooms_frame(
    rooms: impl Iterator<Item = (RoomSummary, u64)>,
    epoch: &str,
    reference: Option<&str>,
    max_bytes: usize,
) -> Bytes {
    let (epoch, reference) = (json(epoch), reference_member(reference));
    let tail = |more| {
        let more = if more { r#","more":true"# } else { "" };
        format!(r#"}},"epoch":{epoch}{more}{reference}}}"#)
    };
    let rooms = rooms.map(|(room, mentions)| {
        format!("\"{}\":{}", room.id.0, json(&SummaryJson::new(&room, mentions)))
    });
    items_frame(r#"{"type":"list_rooms","rooms":{"#, rooms, usize::MAX, tail, max_bytes)
}

/// A frame with as many items as fit, at most `limit`, but at least one. `tail` is told whether some are
/// left.
pub(super) fn items_frame(
    head: &str,
    mut items: impl Iterator<Item = String>,
    limit: usize,
    tail: impl Fn(bool) -> String,
    max_bytes: usize,
) -> Bytes {
    let fixed = head.len() + tail(true).len().max(tail(false).len()) + MAX_HEADER;
    let mut text = head.to_owned();
    let mut taken = 0;
    let more = loop {
        let Some(item) = items.next() else { break false };
        let len = text.len() - head.len() + item.len() + 1;
        if taken == limit || (taken > 0 && fixed + len > max_bytes) {
            break true;
        }
        if taken > 0 {
            text.push(',');
        }
        text.push_str(&item);
        taken += 1;
    };
    text.push_str(&tail(more));
    let mut out = BytesMut::new();
    push_text_frame(&mut out, |out| out.extend_from_slice(text.as_bytes()));
    out.freeze()
}

/// The end of a frame that answers a request with this reference.
pub(super) fn reference_member(reference: Option<&str>) -> String {
    reference.map_or(String::new(), |name| format!(r#","ref":{}"#, json(name)))
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("all keys are strings")
}
