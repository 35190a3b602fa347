//! One connection, as delivery sees it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::audience::Audience;
use super::held_back::{Held, HeldBack};
use crate::chat::{ConnectionId, RoomId};
use crate::input::Credentials;
use crate::outbox::{Full, Outbox, Piece};
use crate::pace::Pace;
use crate::protocol::{CloseReason, Version};
use crate::recall::{PendingQuery, Query};

#[derive(Debug)]
pub(super) struct Client {
    pub(super) outbox: Arc<Outbox>,
    /// Is charged for what the client's requests lead to.
    pub(super) pace: Arc<Pace>,
    pub(super) version: Version,
    /// `None` once the client is welcomed.
    pub(super) credentials: Option<Box<Credentials>>,
    /// The room whose events the client gets, and the index of its seat there.
    pub(super) seat: Option<(RoomId, usize)>,
    /// What the client gets in this tick before the rest of its room's frames, in order.
    pub(super) parts: Vec<Part>,
    /// The reason to close the connection at the end of the tick.
    pub(super) ending: Option<CloseReason>,
    /// Boxed, and there only while the client has a query: most clients never have one.
    pub(super) held_back: Option<Box<HeldBack>>,
}

/// Some frames for one client.
#[derive(Debug)]
pub(super) enum Part {
    /// A range of the tick's replies.
    Reply(Range<usize>),
    /// A range of a room's frames.
    Told(RoomId, Version, Range<usize>),
    /// Frames that other clients get as well.
    Shared(Bytes),
    /// The place of an answer from the history. Later parts wait for it.
    Placeholder,
}

impl Client {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        pace: Arc<Pace>,
        version: Version,
        credentials: Option<Box<Credentials>>,
    ) -> Self {
        Self {
            outbox,
            pace,
            version,
            credentials,
            seat: None,
            parts: Vec::new(),
            ending: None,
            held_back: None,
        }
    }

    /// Whether new frames for the client have to wait.
    pub(super) fn is_waiting(&self) -> bool {
        self.held_back.as_ref().is_some_and(|held_back| held_back.is_waiting())
    }

    /// The client is ending, and its outbox does not take what comes before the Close frame. Returns false
    /// if it is not ending yet.
    pub(super) fn end_as_slow(&mut self) -> bool {
        match &mut self.ending {
            None => return false,
            Some(CloseReason::ConnectionLost) => {}
            // The client does not get what waits for it, and the Close frame says why.
            Some(reason) if reason.drops_backlog() => {}
            // A Close frame for any other reason would hide that frames are missing.
            Some(reason) => *reason = CloseReason::SlowConsumer,
        }
        true
    }

    /// Addresses a query of this client to `recall`.
    pub(super) fn pending(&self, connection: ConnectionId, query: Query) -> PendingQuery {
        PendingQuery { connection, outbox: Arc::downgrade(&self.outbox), query }
    }
}

impl Part {
    /// `None` for the place of an answer.
    pub(super) fn piece<'a>(
        &'a self,
        replies: &'a Bytes,
        rooms: &'a HashMap<RoomId, Audience>,
    ) -> Option<Piece<'a>> {
        let (chunk, range) = match self {
            Part::Reply(range) => (replies, range),
            Part::Told(room, version, range) => (rooms.get(room)?.chunk(*version), range),
            Part::Shared(frames) => return Some(Piece::whole(frames)),
            Part::Placeholder => return None,
        };
        Some(Piece { chunk, start: range.start, end: range.end })
    }
}

/// Sends a client its parts, or holds them back behind an answer.
pub(super) fn send_parts(
    client: &mut Client,
    replies: &Bytes,
    rooms: &HashMap<RoomId, Audience>,
    bytes: &mut u64,
) -> Result<(), Full> {
    let parts = std::mem::take(&mut client.parts);
    let has_placeholder = parts.iter().any(|part| matches!(part, Part::Placeholder));
    if !client.is_waiting() && !has_placeholder {
        let pieces: Vec<Piece<'_>> = parts
            .iter()
            .filter_map(|part| part.piece(replies, rooms))
            .filter(|piece| !piece.is_empty())
            .inspect(|piece| *bytes += (piece.end - piece.start) as u64)
            .collect();
        return client.outbox.send(&pieces);
    }
    let held = parts.iter().filter_map(|part| {
        if matches!(part, Part::Placeholder) {
            return Some(Held::Placeholder);
        }
        let piece = part.piece(replies, rooms).filter(|piece| !piece.is_empty())?;
        Some(Held::Frames(piece.chunk.slice(piece.start..piece.end)))
    });
    hold(client, held, bytes)
}

pub(super) fn hold(
    client: &mut Client,
    held: impl Iterator<Item = Held>,
    bytes: &mut u64,
) -> Result<(), Full> {
    let held_back = client.held_back.get_or_insert_default();
    let ready = held_back.hold(held, client.outbox.max_queued())?;
    send_all(client, &ready, bytes)
}

pub(super) fn send_all(client: &Client, frames: &[Bytes], bytes: &mut u64) -> Result<(), Full> {
    *bytes += frames.iter().map(|frames| frames.len() as u64).sum::<u64>();
    let pieces: Vec<Piece<'_>> = frames.iter().map(Piece::whole).collect();
    client.outbox.send(&pieces)
}
