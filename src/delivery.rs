//! From steps to bytes in outboxes: what each client is to get in this tick, encoded once.
//!
//! Owns every connection's outbox and its seat in a room; the dispatcher's thread runs it. All that is
//! told to a room in one tick becomes one buffer of finished frames for each version of the protocol
//! that somebody there speaks, and each seat has a cursor into it: someone who enters in mid-tick gets
//! the rest from there. A reply to a client takes its slice up to now first, so that replies and room
//! events keep their order, and a change of membership never cuts a room's buffer short. Where an
//! answer has to be read from the history first, everything behind it waits. Who is told what is
//! `chat`'s decision.

mod client;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use self::client::{Client, Waiting};
use crate::chat::{Event, RoomId, Said};
use crate::net::stop::LINGER;
use crate::outbox::{ConnectionId, Full, Outbox, Piece};
use crate::protocol::{
    CloseReason, ErrorReply, Reference, Version, push_error, push_event, push_said, push_v2_event,
    push_v2_said,
};
use crate::recall::{Asked, Question};

/// So many outboxes are fetched from memory at once, which takes little longer than one: far fewer than
/// are soon forgotten again by the processor.
const ROW_SEATS: usize = 16;

/// At most so much room is made for a tick's frames before they are there.
const MAX_EXPECTED_BYTES: usize = 4_096;

/// Who is connected, and what they are to get.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    clients: HashMap<ConnectionId, Client>,
    /// Rooms with seats, and rooms that were told something in this tick.
    rooms: HashMap<RoomId, Audience>,
    /// The frames of all replies of this tick.
    replies: BytesMut,
    /// Clients who get more than their room's frames from their cursor on.
    touched: Vec<ConnectionId>,
    /// Rooms that were told something in this tick.
    told: Vec<RoomId>,
    /// Clients whose outbox took nothing more.
    fallen_behind: Vec<ConnectionId>,
}

/// Who hears one room.
#[derive(Debug, Default)]
struct Audience {
    seats: Vec<Seat>,
    /// What they hear, for each version.
    tracks: [Track; Version::COUNT],
}

/// What a room is told in one version of the protocol.
#[derive(Debug, Default)]
struct Track {
    /// How many seats are of this version. Without any, nothing is encoded.
    seats: usize,
    /// This tick's frames, growing.
    buffer: BytesMut,
    /// How many bytes they were the last time.
    last_len: usize,
    /// The same when the tick is delivered.
    chunk: Bytes,
}

#[derive(Debug)]
struct Seat {
    connection: ConnectionId,
    outbox: Arc<Outbox>,
    /// Where in the room's frames of this tick the client's own begin.
    cursor: usize,
    version: Version,
    /// What the client gets waits for an answer from the history.
    is_waiting: bool,
}

/// Some frames for one client.
#[derive(Debug)]
enum Part {
    Reply(Range<usize>),
    Told(RoomId, Version, Range<usize>),
    Shared(Bytes),
    /// What follows waits for an answer.
    Answer,
}

/// Who gets frames that are the same for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharers {
    /// Everyone who speaks this version.
    Speaking(Version),
    /// Everyone who watches the list of rooms.
    Watching,
}

impl Delivery {
    /// From here on the client can be reached.
    pub(crate) fn connect(
        &mut self,
        connection: ConnectionId,
        outbox: Arc<Outbox>,
        version: Version,
    ) {
        self.clients.insert(connection, Client::new(outbox, version));
    }

    /// Ends the connection as soon as this tick's frames have been delivered to it.
    pub(crate) fn end(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.leave(connection);
        if let Some(client) = self.clients.get_mut(&connection) {
            client.ending = Some(reason);
            self.touched.push(connection);
        }
    }

    /// Ends all connections at once, delivering nothing more; they have until `until` to take what is queued for them.
    pub(crate) fn end_all(&mut self, reason: CloseReason, until: Instant) {
        self.rooms.clear();
        for (_, client) in self.clients.drain() {
            client.outbox.finish(reason, until);
        }
    }

    /// Seats the client in `room`: it gets what the room is told from now on.
    pub(crate) fn enter(&mut self, room: RoomId, connection: ConnectionId) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let audience = self.rooms.entry(room).or_default();
        client.seat = Some((room, audience.seats.len()));
        let version = client.version;
        let track = &mut audience.tracks[version.index()];
        track.seats += 1;
        let (outbox, cursor) = (client.outbox.clone(), track.buffer.len());
        let is_waiting = client.is_waiting();
        audience.seats.push(Seat { connection, outbox, cursor, version, is_waiting });
    }

    /// Takes the client out of its room, with what the room has been told up to now.
    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        self.take_slice(connection);
        let Some((room, index)) = self.clients.get_mut(&connection).and_then(|c| c.seat.take())
        else {
            return;
        };
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let seat = audience.seats.swap_remove(index);
        audience.tracks[seat.version.index()].seats -= 1;
        if let Some(moved) = audience.seats.get(index)
            && let Some(client) = self.clients.get_mut(&moved.connection)
        {
            client.seat = Some((room, index));
        }
        if audience.seats.is_empty() && !audience.is_told() {
            self.rooms.remove(&room);
        }
    }

    /// Tells everyone who is seated in `room` what happened there at `time`.
    pub(crate) fn tell(&mut self, room: RoomId, event: &Event, time: u64) {
        self.push_told(room, |version, buffer| match version {
            Version::Base => push_event(buffer, event),
            Version::V2 => push_v2_event(buffer, event, Some(room), time, None),
        });
    }

    /// The same, without one client.
    pub(crate) fn tell_others(
        &mut self,
        room: RoomId,
        but: Option<ConnectionId>,
        event: &Event,
        time: u64,
    ) {
        let seat = |delivery: &Self| delivery.clients.get(&but?)?.seat;
        if let Some(but) = but {
            self.take_slice(but);
        }
        self.tell(room, event, time);
        if let Some((room, index)) = seat(self)
            && let Some(audience) = self.rooms.get_mut(&room)
        {
            audience.skip(index);
        }
    }

    /// Tells everyone who is seated in `room` what was said there.
    pub(crate) fn say(&mut self, room: RoomId, said: &Said) {
        self.push_told(room, |version, buffer| match version {
            Version::Base => push_said(buffer, said),
            Version::V2 => push_v2_said(buffer, room, said),
        });
    }

    /// Tells one client.
    pub(crate) fn reply(
        &mut self,
        to: ConnectionId,
        event: &Event,
        time: u64,
        reference: &Reference,
    ) {
        let Some(version) = self.clients.get(&to).map(|client| client.version) else { return };
        self.reply_with(to, |replies| match version {
            Version::Base => push_event(replies, event),
            Version::V2 => push_v2_event(replies, event, None, time, reference.as_deref()),
        });
    }

    /// Refuses one client's request.
    pub(crate) fn refuse(&mut self, to: ConnectionId, error: &ErrorReply) {
        self.reply_with(to, |replies| push_error(replies, error));
    }

    /// Gives one client frames that are ready.
    pub(crate) fn give(&mut self, to: ConnectionId, frames: Bytes) {
        self.add_part(to, Part::Shared(frames));
    }

    /// Gives many the same frames.
    pub(crate) fn share(&mut self, with: Sharers, frames: &Bytes) {
        let is_one = |client: &Client| match with {
            Sharers::Speaking(version) => client.version == version,
            Sharers::Watching => client.watches,
        };
        let all: Vec<ConnectionId> = self
            .clients
            .iter()
            .filter_map(|(connection, client)| is_one(client).then_some(*connection))
            .collect();
        for connection in all {
            self.give(connection, frames.clone());
        }
    }

    /// From here on the client gets what is shared with those who watch the list of rooms.
    pub(crate) fn watch(&mut self, connection: ConnectionId) {
        if let Some(client) = self.clients.get_mut(&connection) {
            client.watches = true;
        }
    }

    /// Holds back everything that follows for the client until [`Delivery::answer`]. Returns the
    /// question if it is to be asked now: a client's others wait until it is answered. A client that
    /// has too many falls behind.
    pub(crate) fn await_answer(
        &mut self,
        connection: ConnectionId,
        question: Question,
    ) -> Option<Asked> {
        self.add_part(connection, Part::Answer);
        let client = self.clients.get_mut(&connection)?;
        let Ok(question) = client.ask(question) else {
            self.fallen_behind.push(connection);
            return None;
        };
        client.asked(connection, question)
    }

    /// Gives a client the answer it has waited for longest, and what has been held back behind it.
    /// One that is gone gets nothing. Returns the client's next question, if it has one.
    pub(crate) fn answer(&mut self, connection: ConnectionId, frames: Bytes) -> Option<Asked> {
        let client = self.clients.get_mut(&connection)?;
        if client.answer(frames) == Err(Full) {
            self.fallen_behind.push(connection);
        }
        let next = client.next_question();
        let asked = client.asked(connection, next);
        let is_waiting = client.is_waiting();
        self.mark_seat(connection, is_waiting);
        asked
    }

    /// Hands everything to the outboxes and begins the next tick.
    ///
    /// Returns who has fallen too far behind to be sent anything more.
    pub(crate) fn deliver(&mut self) -> Vec<ConnectionId> {
        for room in &self.told {
            if let Some(audience) = self.rooms.get_mut(room) {
                audience.tracks.iter_mut().for_each(Track::close);
            }
        }
        let replies = std::mem::take(&mut self.replies).freeze();
        for connection in std::mem::take(&mut self.touched) {
            self.deliver_parts(connection, &replies);
        }
        for room in std::mem::take(&mut self.told) {
            self.deliver_room(room);
        }
        std::mem::take(&mut self.fallen_behind)
    }

    /// Hands a client its parts and the rest of its room's frames, and ends it if that is due.
    fn deliver_parts(&mut self, connection: ConnectionId, replies: &Bytes) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if client.ending.is_none_or(|reason| !reason.drops_backlog()) {
            if let Some((room, index)) = client.seat
                && let Some(audience) = self.rooms.get_mut(&room)
            {
                let seat = &mut audience.seats[index];
                let end = audience.tracks[seat.version.index()].chunk.len();
                let start = std::mem::replace(&mut seat.cursor, end);
                client.parts.push(Part::Told(room, seat.version, start..end));
            }
            let parts = std::mem::take(&mut client.parts);
            let is_held =
                client.is_waiting() || parts.iter().any(|part| matches!(part, Part::Answer));
            let sent = if is_held {
                let waiting = parts.iter().filter_map(|part| part.waiting(replies, &self.rooms));
                client.hold(waiting)
            } else {
                let pieces: Vec<Piece<'_>> = parts
                    .iter()
                    .filter_map(|part| part.piece(replies, &self.rooms))
                    .filter(|piece| !piece.is_empty())
                    .collect();
                client.outbox.send(&pieces)
            };
            if sent == Err(Full) {
                self.fallen_behind.push(connection);
            }
            if is_held {
                let is_waiting = client.is_waiting();
                self.mark_seat(connection, is_waiting);
            }
        }
        self.finish_if_due(connection);
    }

    fn finish_if_due(&mut self, connection: ConnectionId) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if let Some(reason) = client.ending {
            client.outbox.finish(reason, Instant::now() + LINGER);
            self.clients.remove(&connection);
        }
    }

    /// Hands everyone in a room their slice of this tick's frames.
    fn deliver_room(&mut self, room: RoomId) {
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let chunks = audience.tracks.each_mut().map(|track| std::mem::take(&mut track.chunk));
        for row in audience.seats.chunks_mut(ROW_SEATS) {
            for seat in row.iter() {
                seat.outbox.prefetch();
            }
            for seat in row {
                let start = std::mem::take(&mut seat.cursor);
                let chunk = &chunks[seat.version.index()];
                if start == chunk.len() {
                    continue;
                }
                let sent = if seat.is_waiting {
                    let held = Waiting::Frames(chunk.slice(start..));
                    let client = self.clients.get_mut(&seat.connection);
                    client.map_or(Ok(()), |client| client.hold([held].into_iter()))
                } else {
                    seat.outbox.send(&[Piece { chunk, start, end: chunk.len() }])
                };
                if sent == Err(Full) {
                    self.fallen_behind.push(seat.connection);
                }
            }
        }
        if audience.seats.is_empty() {
            self.rooms.remove(&room);
        }
    }

    /// Appends a frame to what `room` is told, for each version that is spoken there.
    fn push_told(&mut self, room: RoomId, push: impl Fn(Version, &mut BytesMut)) {
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let was_told = audience.is_told();
        for version in Version::ALL {
            let track = &mut audience.tracks[version.index()];
            if track.seats > 0 {
                push(version, track.open());
            }
        }
        // Not every event is one in every version.
        if !was_told && audience.is_told() {
            self.told.push(room);
        }
    }

    fn reply_with(&mut self, to: ConnectionId, push: impl FnOnce(&mut BytesMut)) {
        let start = self.replies.len();
        push(&mut self.replies);
        let end = self.replies.len();
        self.add_part(to, Part::Reply(start..end));
    }

    fn add_part(&mut self, to: ConnectionId, part: Part) {
        self.take_slice(to);
        if let Some(client) = self.clients.get_mut(&to) {
            if client.parts.is_empty() {
                self.touched.push(to);
            }
            client.parts.push(part);
        }
    }

    /// Makes what its room has been told since its cursor part of what the client gets.
    fn take_slice(&mut self, connection: ConnectionId) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let Some((room, index)) = client.seat else { return };
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let (start, end) = audience.skip(index);
        if start < end {
            if client.parts.is_empty() {
                self.touched.push(connection);
            }
            client.parts.push(Part::Told(room, client.version, start..end));
        }
    }

    fn mark_seat(&mut self, connection: ConnectionId, is_waiting: bool) {
        if let Some((room, index)) = self.clients.get(&connection).and_then(|client| client.seat)
            && let Some(audience) = self.rooms.get_mut(&room)
        {
            audience.seats[index].is_waiting = is_waiting;
        }
    }
}

impl Audience {
    /// Whether there is something to deliver.
    fn is_told(&self) -> bool {
        self.tracks.iter().any(|track| !track.buffer.is_empty())
    }

    /// Moves a seat's cursor to the end of what the room has been told; returns what it skipped.
    fn skip(&mut self, index: usize) -> (usize, usize) {
        let seat = &mut self.seats[index];
        let end = self.tracks[seat.version.index()].buffer.len();
        (std::mem::replace(&mut seat.cursor, end), end)
    }
}

impl Track {
    /// Where what the room is told is appended.
    fn open(&mut self) -> &mut BytesMut {
        if self.buffer.is_empty() {
            // In a room where much is said, much is said again.
            self.buffer.reserve(self.last_len.min(MAX_EXPECTED_BYTES));
        }
        &mut self.buffer
    }

    /// The tick is over.
    fn close(&mut self) {
        self.last_len = self.buffer.len();
        self.chunk = std::mem::take(&mut self.buffer).freeze();
    }
}

impl Part {
    /// `None` for what is no frames.
    fn piece<'a>(
        &'a self,
        replies: &'a Bytes,
        rooms: &'a HashMap<RoomId, Audience>,
    ) -> Option<Piece<'a>> {
        let (chunk, range) = match self {
            Part::Reply(range) => (replies, range),
            Part::Told(room, version, range) => {
                (&rooms.get(room)?.tracks[version.index()].chunk, range)
            }
            Part::Shared(frames) => return Some(Piece::whole(frames)),
            Part::Answer => return None,
        };
        Some(Piece { chunk, start: range.start, end: range.end })
    }

    fn waiting(&self, replies: &Bytes, rooms: &HashMap<RoomId, Audience>) -> Option<Waiting> {
        if matches!(self, Part::Answer) {
            return Some(Waiting::Answer);
        }
        let piece = self.piece(replies, rooms).filter(|piece| !piece.is_empty())?;
        Some(Waiting::Frames(piece.chunk.slice(piece.start..piece.end)))
    }
}

#[cfg(test)]
mod tests;
