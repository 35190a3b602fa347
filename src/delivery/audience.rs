//! Who hears one room, and what they are told in this tick.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::chat::ConnectionId;
use crate::outbox::Outbox;
use crate::protocol::Version;

/// At most so much room is made for a tick's frames before they are there, in bytes.
const MAX_RESERVED_BYTES: usize = 4_096;

/// The seats of a room, and one buffer for each version of the protocol.
#[derive(Debug, Default)]
pub(super) struct Audience {
    pub(super) seats: Vec<Seat>,
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

/// One client's place in a room.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) connection: ConnectionId,
    pub(super) outbox: Arc<Outbox>,
    /// Where in the room's frames of this tick the client's own begin.
    pub(super) cursor: usize,
    pub(super) version: Version,
    /// What the client gets is held back behind an answer from the history.
    pub(super) is_waiting: bool,
}

impl Audience {
    /// Adds a seat that gets what the room is told from now on; returns its place.
    pub(super) fn add(
        &mut self,
        connection: ConnectionId,
        outbox: Arc<Outbox>,
        version: Version,
        is_waiting: bool,
    ) -> usize {
        let track = &mut self.tracks[version.index()];
        track.seats += 1;
        let cursor = track.buffer.len();
        self.seats.push(Seat { connection, outbox, cursor, version, is_waiting });
        self.seats.len() - 1
    }

    /// Removes a seat. Returns the client whose seat has taken its place, if one has.
    pub(super) fn remove(&mut self, index: usize) -> Option<ConnectionId> {
        let seat = self.seats.swap_remove(index);
        self.tracks[seat.version.index()].seats -= 1;
        self.seats.get(index).map(|moved| moved.connection)
    }

    /// Whether there is something to deliver.
    pub(super) fn is_told(&self) -> bool {
        self.tracks.iter().any(|track| !track.buffer.is_empty())
    }

    /// Appends to what the room is told, for each version that is spoken there.
    pub(super) fn tell(&mut self, encode: impl Fn(Version, &mut BytesMut)) {
        for version in Version::ALL {
            let track = &mut self.tracks[version.index()];
            if track.seats > 0 {
                encode(version, track.open());
            }
        }
    }

    /// Moves a seat's cursor to the end of what the room has been told; returns what it skipped.
    pub(super) fn skip(&mut self, index: usize) -> (usize, usize) {
        let seat = &mut self.seats[index];
        let end = self.tracks[seat.version.index()].buffer.len();
        (std::mem::replace(&mut seat.cursor, end), end)
    }

    /// The tick is over: what the room was told can be sent.
    pub(super) fn close(&mut self) {
        self.tracks.iter_mut().for_each(Track::close);
    }

    /// What the room was told in this version, once the tick is over.
    pub(super) fn chunk(&self, version: Version) -> &Bytes {
        &self.tracks[version.index()].chunk
    }

    /// The same for all versions, and the next tick begins.
    pub(super) fn take_chunks(&mut self) -> [Bytes; Version::COUNT] {
        self.tracks.each_mut().map(|track| std::mem::take(&mut track.chunk))
    }
}

impl Track {
    /// Where what the room is told is appended.
    fn open(&mut self) -> &mut BytesMut {
        if self.buffer.is_empty() {
            // A busy room stays busy.
            self.buffer.reserve(self.last_len.min(MAX_RESERVED_BYTES));
        }
        &mut self.buffer
    }

    fn close(&mut self) {
        self.last_len = self.buffer.len();
        self.chunk = std::mem::take(&mut self.buffer).freeze();
    }
}
