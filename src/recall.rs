//! Answers that are read from the history: the recent messages of a room, pages of older ones, and a
//! message that was sent before under the same reference.
//!
//! One thread reads and encodes them, in the order of the queries, so that the dispatcher never waits for
//! the disk. The dispatcher sends a query when the tick that led to it has been committed, and gets the
//! answer as an input. Until then `delivery` holds back all later output for that client.

mod filler;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use log::error;

use crate::chat::{ConnectionId, Content, Event, Position, RoomId, Said, Version};
use crate::history::{HistoryError, HistoryReader};
use crate::input::Input;
use crate::mailbox::WeakMailboxSender;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::protocol::{
    ErrorReply, EventPage, Fit, HistoryPart, Joint, Outgoing, Reference, RoomPreview, RoomSnapshot,
    Since, previews_frame,
};

use filler::Filler;

/// Only clients of this version query the history.
const VERSION: Version = Version::V2;

/// What is to be read for a client.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) what: Lookup,
    /// The reference of the request.
    pub(crate) reference: Reference,
}

#[derive(Debug)]
pub(crate) enum Lookup {
    /// The recent messages of a room, for a client that enters it and may know some of them.
    Room {
        snapshot: RoomSnapshot,
        since: Option<Box<Since>>,
        /// How long the answer may be.
        max_frame: usize,
    },
    /// A page of messages.
    Page {
        room: RoomId,
        part: HistoryPart,
        limit: usize,
        /// How long the answer should be, and may be for one message alone.
        max_bytes: (usize, usize),
    },
    /// One message.
    Message(Position),
    /// What was said last in each of these rooms.
    Previews {
        rooms: Vec<RoomPreview>,
        /// How long the answer may be.
        max_frame: usize,
    },
}

/// A query, and the client that waits for the answer.
#[derive(Debug)]
pub(crate) struct PendingQuery {
    pub(crate) connection: ConnectionId,
    /// Once it is dropped, nobody needs the answer.
    pub(crate) outbox: Weak<Outbox>,
    pub(crate) query: Query,
}

/// How many answers may be on their way to the dispatcher. They can be long, so this bounds memory.
const MAX_RESULTS: usize = 8;

/// How many erased messages a preview looks behind, besides the newest.
const MAX_ERASED: usize = 20;
/// How much these may weigh, so that few texts are read behind them.
const PREVIEW_WEIGHT: usize = 8_192;

/// The dispatcher's end. The thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Recall {
    queries: Sender<PendingQuery>,
    permits: Receiver<Permit>,
    on_enter: Arc<AtomicUsize>,
}

/// The thread's end.
pub(crate) struct RecallThread {
    queries: Receiver<PendingQuery>,
    /// Holds a permit for each answer that the dispatcher has not taken yet. Sending blocks at
    /// [`MAX_RESULTS`].
    permits: Sender<Permit>,
    messages: Messages,
}

/// The right to have one answer on its way.
#[derive(Debug)]
struct Permit;

/// Reads and encodes.
struct Messages {
    reader: Box<dyn HistoryReader>,
    epoch: Arc<str>,
    /// How many messages a client gets that enters without `since`.
    on_enter: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Recall {
    pub(crate) fn new(
        reader: Box<dyn HistoryReader>,
        epoch: Arc<str>,
        on_enter: usize,
        metrics: Arc<Metrics>,
    ) -> (Self, RecallThread) {
        // Bounded by the number of clients: each has one query here at a time.
        let (query_sender, queries) = unbounded();
        let (permit_taker, permits) = bounded(MAX_RESULTS);
        let on_enter = Arc::new(AtomicUsize::new(on_enter));
        let messages = Messages { reader, epoch, on_enter: on_enter.clone(), metrics };
        let thread = RecallThread { queries, permits: permit_taker, messages };
        (Self { queries: query_sender, permits, on_enter }, thread)
    }

    /// Changes how many messages a client gets that enters without `since`.
    pub(crate) fn set_on_enter(&self, on_enter: usize) {
        self.on_enter.store(on_enter, Ordering::Relaxed);
    }

    pub(crate) fn ask(&self, query: PendingQuery) {
        // This fails only if the thread has panicked, and then the server is ending.
        let _ = self.queries.send(query);
    }

    /// Makes room for another answer. Call it for each answer that is taken.
    pub(crate) fn release_permit(&self) {
        // There is one, since the thread takes one for each answer.
        let _ = self.permits.try_recv();
    }

    /// How many answers the dispatcher has not taken yet.
    #[cfg(test)]
    pub(crate) fn results_on_their_way(&self) -> usize {
        self.permits.len()
    }
}

impl Query {
    /// About how many bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        match &self.what {
            // The users are shared.
            Lookup::Room { since, .. } => {
                since.as_ref().map_or(0, |since| size_of::<Since>() + since.epoch.len())
            }
            Lookup::Previews { rooms, .. } => {
                rooms.iter().map(|room| size_of::<RoomPreview>() + room.users.json().len()).sum()
            }
            Lookup::Page { .. } | Lookup::Message(_) => 0,
        }
    }
}

impl RecallThread {
    /// Answers queries until the [`Recall`] is dropped.
    pub(crate) fn run(mut self, inputs: &WeakMailboxSender<Input>) {
        while let Ok(query) = self.queries.recv() {
            let Some(answer) = self.answer(query) else { continue };
            // The permit first: waiting for one with a sender in hand would keep the mailbox connected, and
            // with it the dispatcher running.
            if self.permits.send(Permit).is_err() {
                return;
            }
            let Some(sender) = inputs.upgrade() else { return };
            if sender.send(answer).is_err() {
                return;
            }
        }
    }

    /// The answer to the next query, if there is one. For tests without threads.
    #[cfg(test)]
    pub(crate) fn next_result(&mut self) -> Option<Input> {
        while let Ok(query) = self.queries.try_recv() {
            if let Some(answer) = self.answer(query) {
                let _ = self.permits.try_send(Permit);
                return Some(answer);
            }
        }
        None
    }

    /// `None` if the connection has ended or is ending.
    fn answer(&mut self, query: PendingQuery) -> Option<Input> {
        let PendingQuery { connection, outbox, query } = query;
        let is_wanted = outbox.upgrade().is_some_and(|outbox| outbox.ending().is_none());
        is_wanted.then(|| Input::QueryResult { connection, frames: self.messages.frames(query) })
    }
}

impl Messages {
    fn frames(&mut self, query: Query) -> Bytes {
        let Query { what, reference } = query;
        let frames = match what {
            Lookup::Room { snapshot, since, max_frame } => {
                return self.room(&snapshot, since.as_deref(), reference.as_deref(), max_frame);
            }
            Lookup::Page { room, part, limit, max_bytes } => {
                self.page(room, (part, limit), &reference, max_bytes)
            }
            Lookup::Message(position) => self.message(position, &reference),
            Lookup::Previews { rooms, max_frame } => {
                self.previews(rooms, reference.as_deref(), max_frame)
            }
        };
        frames.unwrap_or_else(|error| {
            error!("cannot read the history: {error}");
            self.refuse(&ErrorReply::not_readable().to(reference))
        })
    }

    fn refuse(&self, error: &ErrorReply) -> Bytes {
        self.metrics.refused(error.code, 1);
        VERSION.frame(&Outgoing::Error(error))
    }

    fn room(
        &mut self,
        room: &RoomSnapshot,
        since: Option<&Since>,
        reference: Option<&str>,
        max_frame: usize,
    ) -> Bytes {
        // The user has entered, whether or not the messages can be read.
        let (messages, mut joint) = self.recent(room, since, max_frame).unwrap_or_else(|error| {
            error!("cannot read the messages of room {}: {error}", room.id.0);
            (Vec::new(), Joint { is_complete: false, is_reset: false })
        });
        let mut page = EventPage::room(room, &self.epoch, reference, max_frame);
        for said in messages.iter().rev() {
            match page.add_older(said) {
                Fit::Taken => {}
                // A client that asks for what it has missed has to know that this is not all.
                Fit::Full => {
                    joint.is_complete &= since.is_none();
                    break;
                }
                Fit::TooLong => joint.is_complete = false,
            }
        }
        page.into_room(joint)
    }

    fn page(
        &mut self,
        room: RoomId,
        (part, limit): (HistoryPart, usize),
        reference: &Reference,
        max_bytes: (usize, usize),
    ) -> Result<Bytes, HistoryError> {
        let page = EventPage::history(room, &self.epoch, reference.as_deref(), max_bytes);
        let mut filler = Filler::new(&mut *self.reader, room, page, max_bytes.1);
        match part {
            HistoryPart::Newest => filler.before(u64::MAX, limit)?,
            HistoryPart::Before(seq) => filler.before(seq, limit)?,
            HistoryPart::After(seq) => filler.after(seq, limit)?,
            HistoryPart::Around(seq) => filler.around(seq, limit)?,
        }
        Ok(filler.finish().unwrap_or_else(|position| {
            let error = ErrorReply::too_long(position, max_bytes.1).to(reference.clone());
            self.refuse(&error)
        }))
    }

    fn message(
        &mut self,
        position: Position,
        reference: &Reference,
    ) -> Result<Bytes, HistoryError> {
        let room = position.room;
        let said = self.reader.message(position)?;
        let Some(said) = said.filter(|said| said.content != Content::Erased) else {
            let error = ErrorReply::already_said(position).to(reference.clone());
            return Ok(self.refuse(&error));
        };
        let (time, event) = (said.time, Event::Said(said));
        Ok(VERSION.frame(&Outgoing::Event { room, time, event: &event }))
    }

    fn previews(
        &mut self,
        rooms: Vec<RoomPreview>,
        reference: Option<&str>,
        max_frame: usize,
    ) -> Result<Bytes, HistoryError> {
        let mut previews = Vec::with_capacity(rooms.len());
        for room in rooms {
            let last = self.last(&room)?;
            previews.push((room, last));
        }
        Ok(previews_frame(&previews, &self.epoch, reference, max_frame))
    }

    /// The newest message of a room, as it was, that has not been erased, if it is among the newest few.
    fn last(&mut self, room: &RoomPreview) -> Result<Option<Said>, HistoryError> {
        let mut before = room.seq.saturating_add(1);
        // Nearly always it is the newest one.
        for limit in [1, MAX_ERASED] {
            let (messages, _) = self.reader.before(room.id, before, limit, PREVIEW_WEIGHT)?;
            let Some(oldest) = messages.first() else { return Ok(None) };
            before = oldest.seq;
            let last = messages.into_iter().rfind(|said| said.content != Content::Erased);
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    /// The messages of a room up to the snapshot, and how these join what the client knows.
    fn recent(
        &mut self,
        snapshot: &RoomSnapshot,
        since: Option<&Since>,
        max_frame: usize,
    ) -> Result<(Vec<Said>, Joint), HistoryError> {
        let (room, up_to) = (snapshot.id, snapshot.seq);
        let max_bytes = max_weight(max_frame);
        if let Some(since) = since
            && self.knows(room, up_to, since)?
        {
            let messages = self.reader.since(room, since.seq, up_to, max_bytes)?;
            // The reader leaves no gap between two messages.
            let ends = messages.first().zip(messages.last()).map(|(a, b)| (a.seq, b.seq));
            let (first, last) = ends.unwrap_or((up_to + 1, up_to));
            let is_complete = first == since.seq + 1 && last == up_to;
            return Ok((messages, Joint { is_complete, is_reset: false }));
        }
        let on_enter = self.on_enter.load(Ordering::Relaxed);
        let (messages, _) = self.reader.before(room, up_to + 1, on_enter, max_bytes)?;
        Ok((messages, Joint { is_complete: since.is_none(), is_reset: since.is_some() }))
    }

    /// Whether what the client has seen is from this history.
    fn knows(&mut self, room: RoomId, up_to: u64, since: &Since) -> Result<bool, HistoryError> {
        if *since.epoch != *self.epoch || since.seq > up_to {
            return Ok(false);
        }
        let Some(time) = since.time else { return Ok(true) };
        let last = self.reader.message(Position { room, seq: since.seq })?;
        Ok(last.is_none_or(|said| said.time == time))
    }
}

/// How much the messages in a frame of this length weigh at most: the JSON of each is longer than half its
/// weight.
fn max_weight(max_frame: usize) -> usize {
    max_frame.saturating_mul(2)
}

#[cfg(test)]
mod tests;
