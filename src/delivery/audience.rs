//! The seats of one room, and the frames for them in this tick.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::chat::ConnectionId;
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::protocol::Version;

/// How many bytes are reserved at most before a tick's first frame.
const MAX_RESERVED_BYTES: usize = 4_096;

/// The seats of a room, and one buffer for each version of the protocol.
#[derive(Debug, Default)]
pub(super) struct Audience {
    pub(super) seats: Vec<Seat>,
    tracks: [Track; Version::COUNT],
}

/// A room's frames in one version of the protocol.
#[derive(Debug, Default)]
struct Track {
    /// How many seats have this version. Without any, nothing is encoded.
    seats: usize,
    /// This tick's frames so far.
    buffer: BytesMut,
    /// How long the buffer was in the last tick that had one.
    last_len: usize,
    /// The tick's frames while it is delivered.
    chunk: Bytes,
}

/// One client's place in a room.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) connection: ConnectionId,
    pub(super) outbox: Arc<Outbox>,
    /// Where the client's part of this tick's frames begins.
    pub(super) cursor: usize,
    pub(super) version: Version,
    /// The client's frames are held back behind an answer from the history.
    pub(super) is_waiting: bool,
}

impl Audience {
    /// Adds a seat that gets the room's frames from now on; returns its index.
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

    /// Removes a seat. Returns the client whose seat has moved to this index, if there is one.
    pub(super) fn remove(&mut self, index: usize) -> Option<ConnectionId> {
        let seat = self.seats.swap_remove(index);
        self.tracks[seat.version.index()].seats -= 1;
        self.seats.get(index).map(|moved| moved.connection)
    }

    /// Whether there are frames to deliver.
    pub(super) fn is_told(&self) -> bool {
        self.tracks.iter().any(|track| !track.buffer.is_empty())
    }

    /// Appends to the frames of each version that has a seat. Returns how many bytes all seats together
    /// get more.
    pub(super) fn tell(&mut self, encode: impl Fn(Version, &mut BytesMut)) -> usize {
        let mut bytes = 0;
        for version in Version::ALL {
            let track = &mut self.tracks[version.index()];
            if track.seats > 0 {
                let buffer = track.open();
                let start = buffer.len();
                encode(version, buffer);
                bytes += (buffer.len() - start) * track.seats;
            }
        }
        bytes
    }

    /// Moves a seat's cursor to the end of the frames so far; returns the range that it skipped.
    pub(super) fn skip(&mut self, index: usize) -> (usize, usize) {
        let seat = &mut self.seats[index];
        let end = self.tracks[seat.version.index()].buffer.len();
        (std::mem::replace(&mut seat.cursor, end), end)
    }

    /// Ends the tick: its frames become chunks, which can be sent.
    pub(super) fn close(&mut self, memory: &Arc<Memory>) {
        self.tracks.iter_mut().for_each(|track| track.close(memory));
    }

    /// The tick's frames in this version, after [`Audience::close`].
    pub(super) fn chunk(&self, version: Version) -> &Bytes {
        &self.tracks[version.index()].chunk
    }

    /// Takes the tick's frames in all versions.
    pub(super) fn take_chunks(&mut self) -> [Bytes; Version::COUNT] {
        self.tracks.each_mut().map(|track| std::mem::take(&mut track.chunk))
    }
}

impl Track {
    /// The buffer to append to.
    fn open(&mut self) -> &mut BytesMut {
        if self.buffer.is_empty() {
            // A room that was busy in its last tick is likely to be busy in this one.
            self.buffer.reserve(self.last_len.min(MAX_RESERVED_BYTES));
        }
        &mut self.buffer
    }

    fn close(&mut self, memory: &Arc<Memory>) {
        self.last_len = self.buffer.len();
        self.chunk = memory.hold(std::mem::take(&mut self.buffer).freeze());
    }
}
