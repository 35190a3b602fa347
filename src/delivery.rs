//! From effects to bytes in outboxes: what each client is to get in this tick, encoded once.
//!
//! Owns every client's outbox and its seat in a room; the dispatcher's thread runs it. All that is
//! told to a room in one tick becomes one buffer of finished frames, and each member has a cursor
//! into it: someone who enters in mid-tick gets the rest from there. A reply to a member takes the
//! member's slice up to now first, so that replies and room events keep their order, and a change of
//! membership never cuts a room's buffer short. Who is told what is `chat`'s decision.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::chat::{Event, RoomId, UserId};
use crate::net::stop::LINGER;
use crate::outbox::{Full, Outbox, Piece};
use crate::protocol::{CloseReason, ErrorReply, push_error, push_event};

/// Who is connected, and what they are to get.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    clients: HashMap<UserId, Client>,
    /// Rooms with members, and rooms that were told something in this tick.
    rooms: HashMap<RoomId, Audience>,
    /// The frames of all replies of this tick.
    replies: BytesMut,
    /// Clients who get more than their room's frames from their cursor on.
    touched: Vec<UserId>,
    /// Rooms that were told something in this tick.
    told: Vec<RoomId>,
    /// How many bytes have been encoded for rooms in this tick.
    encoded: usize,
    /// Clients whose outbox took nothing more.
    fallen_behind: Vec<UserId>,
}

#[derive(Debug)]
struct Client {
    outbox: Arc<Outbox>,
    seat: Option<(RoomId, usize)>,
    /// What this client gets before the slice of its present room, in order.
    parts: Vec<Part>,
    ending: Option<CloseReason>,
}

/// The members of one room.
#[derive(Debug, Default)]
struct Audience {
    seats: Vec<Seat>,
    /// This tick's frames, growing.
    buffer: BytesMut,
    /// This tick's frames, complete.
    chunk: Bytes,
}

#[derive(Debug)]
struct Seat {
    user: UserId,
    outbox: Arc<Outbox>,
    /// Where in the room's frames of this tick the member's own begin.
    cursor: usize,
}

/// Some frames for one client.
#[derive(Debug)]
enum Part {
    Reply(Range<usize>),
    Told(RoomId, Range<usize>),
    Shared(Bytes),
}

impl Delivery {
    /// From here on `user` can be reached.
    pub(crate) fn connect(&mut self, user: UserId, outbox: Arc<Outbox>) {
        let client = Client { outbox, seat: None, parts: Vec::new(), ending: None };
        self.clients.insert(user, client);
    }

    /// Ends the connection of `user` as soon as this tick's frames have been delivered to it.
    pub(crate) fn end(&mut self, user: UserId, reason: CloseReason) {
        if let Some(client) = self.clients.get_mut(&user) {
            client.ending = Some(reason);
            self.touched.push(user);
        }
    }

    /// Ends all connections at once, delivering nothing more; they have until `until` to take what is queued for them.
    pub(crate) fn end_all(&mut self, reason: CloseReason, until: Instant) {
        self.rooms.clear();
        for (_, client) in self.clients.drain() {
            client.outbox.finish(reason, until);
        }
    }

    pub(crate) fn is_connected(&self, user: UserId) -> bool {
        self.clients.contains_key(&user)
    }

    /// Seats `user` in `room`: it gets what the room is told from now on.
    pub(crate) fn enter(&mut self, room: RoomId, user: UserId) {
        let Some(client) = self.clients.get_mut(&user) else { return };
        let audience = self.rooms.entry(room).or_default();
        client.seat = Some((room, audience.seats.len()));
        let outbox = client.outbox.clone();
        audience.seats.push(Seat { user, outbox, cursor: audience.buffer.len() });
    }

    /// Takes `user` out of its room, with what the room has been told up to now.
    pub(crate) fn leave(&mut self, user: UserId) {
        self.take_slice(user);
        let Some((room, index)) = self.clients.get_mut(&user).and_then(|c| c.seat.take()) else {
            return;
        };
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        audience.seats.swap_remove(index);
        if let Some(moved) = audience.seats.get(index)
            && let Some(client) = self.clients.get_mut(&moved.user)
        {
            client.seat = Some((room, index));
        }
        if audience.seats.is_empty() && audience.buffer.is_empty() {
            self.rooms.remove(&room);
        }
    }

    /// Tells everyone who is seated in `room`.
    pub(crate) fn tell(&mut self, room: RoomId, event: &Event) {
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let before = audience.buffer.len();
        if before == 0 {
            self.told.push(room);
        }
        push_event(&mut audience.buffer, event);
        self.encoded += audience.buffer.len() - before;
    }

    /// Tells one client.
    pub(crate) fn reply(&mut self, to: UserId, event: &Event) {
        self.reply_with(to, |replies| push_event(replies, event));
    }

    /// Refuses one client's request.
    pub(crate) fn refuse(&mut self, to: UserId, error: &ErrorReply) {
        self.reply_with(to, |replies| push_error(replies, error));
    }

    /// Gives one client frames that others get, too.
    pub(crate) fn share(&mut self, to: UserId, frames: Bytes) {
        self.add_part(to, Part::Shared(frames));
    }

    /// Gives everyone the same frames.
    pub(crate) fn share_with_all(&mut self, frames: &Bytes) {
        let all: Vec<UserId> = self.clients.keys().copied().collect();
        for user in all {
            self.share(user, frames.clone());
        }
    }

    /// How many bytes this tick has encoded for rooms so far.
    pub(crate) fn encoded(&self) -> usize {
        self.encoded
    }

    /// Hands everything to the outboxes and begins the next tick.
    ///
    /// Returns who has fallen too far behind to be sent anything more.
    pub(crate) fn deliver(&mut self) -> Vec<UserId> {
        for room in &self.told {
            if let Some(audience) = self.rooms.get_mut(room) {
                audience.chunk = std::mem::take(&mut audience.buffer).freeze();
            }
        }
        let replies = std::mem::take(&mut self.replies).freeze();
        for user in std::mem::take(&mut self.touched) {
            self.deliver_parts(user, &replies);
        }
        for room in std::mem::take(&mut self.told) {
            self.deliver_room(room);
        }
        self.encoded = 0;
        std::mem::take(&mut self.fallen_behind)
    }

    /// Hands a client its parts and the rest of its room's frames, and ends it if that is due.
    fn deliver_parts(&mut self, user: UserId, replies: &Bytes) {
        let Some(client) = self.clients.get_mut(&user) else { return };
        if client.ending.is_none_or(|reason| !reason.drops_backlog()) {
            if let Some((room, index)) = client.seat
                && let Some(audience) = self.rooms.get_mut(&room)
            {
                let end = audience.chunk.len();
                let start = std::mem::replace(&mut audience.seats[index].cursor, end);
                client.parts.push(Part::Told(room, start..end));
            }
            let pieces: Vec<Piece<'_>> = client
                .parts
                .iter()
                .filter_map(|part| part.piece(replies, &self.rooms))
                .filter(|piece| !piece.is_empty())
                .collect();
            if client.outbox.send(&pieces) == Err(Full) {
                self.fallen_behind.push(user);
            }
            client.parts.clear();
        }
        if let Some(reason) = client.ending {
            client.outbox.finish(reason, Instant::now() + LINGER);
            self.clients.remove(&user);
        }
    }

    /// Hands every member of a room its slice of this tick's frames.
    fn deliver_room(&mut self, room: RoomId) {
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let chunk = std::mem::take(&mut audience.chunk);
        for seat in &mut audience.seats {
            let start = std::mem::take(&mut seat.cursor);
            if start == chunk.len() {
                continue;
            }
            let slice = Piece { chunk: &chunk, start, end: chunk.len() };
            if seat.outbox.send(&[slice]) == Err(Full) {
                self.fallen_behind.push(seat.user);
            }
        }
        if audience.seats.is_empty() {
            self.rooms.remove(&room);
        }
    }

    fn reply_with(&mut self, to: UserId, push: impl FnOnce(&mut BytesMut)) {
        let start = self.replies.len();
        push(&mut self.replies);
        let end = self.replies.len();
        self.add_part(to, Part::Reply(start..end));
    }

    fn add_part(&mut self, to: UserId, part: Part) {
        self.take_slice(to);
        if let Some(client) = self.clients.get_mut(&to) {
            if client.parts.is_empty() {
                self.touched.push(to);
            }
            client.parts.push(part);
        }
    }

    /// Makes what its room has been told since its cursor part of what `user` gets.
    fn take_slice(&mut self, user: UserId) {
        let Some(client) = self.clients.get_mut(&user) else { return };
        let Some((room, index)) = client.seat else { return };
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let end = audience.buffer.len();
        let start = std::mem::replace(&mut audience.seats[index].cursor, end);
        if start < end {
            if client.parts.is_empty() {
                self.touched.push(user);
            }
            client.parts.push(Part::Told(room, start..end));
        }
    }
}

impl Part {
    fn piece<'a>(
        &'a self,
        replies: &'a Bytes,
        rooms: &'a HashMap<RoomId, Audience>,
    ) -> Option<Piece<'a>> {
        let (chunk, range) = match self {
            Part::Reply(range) => (replies, range),
            Part::Told(room, range) => (&rooms.get(room)?.chunk, range),
            Part::Shared(frames) => return Some(Piece::whole(frames)),
        };
        Some(Piece { chunk, start: range.start, end: range.end })
    }
}

#[cfg(test)]
mod tests;
