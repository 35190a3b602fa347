//! Answers that are read from the history: the recent messages of a room, pages of older ones, and a
//! message that was sent before under the same reference.
//!
//! One thread reads and encodes them, in the order of the queries, so that the dispatcher never waits for
//! the disk. The dispatcher asks when the tick that led to a query has been committed, holds back what
//! follows for that client, and gets the answer as an input.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use log::error;

use crate::chat::{ConnectionId, Event, Person, Position, RoomId, Said, Version};
use crate::history::{HistoryError, HistoryReader};
use crate::input::Input;
use crate::mailbox::WeakMailboxSender;
use crate::outbox::Outbox;
use crate::protocol::{ErrorReply, Outgoing, RecentMessages, Reference, RoomSnapshot, Since};

/// Only clients of this version ask.
const VERSION: Version = Version::V2;

/// What is to be read for a client.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) what: Lookup,
    /// The name of the request.
    pub(crate) reference: Reference,
}

#[derive(Debug)]
pub(crate) enum Lookup {
    /// The recent messages of a room, for a client that enters it and may know some of them.
    Room { snapshot: RoomSnapshot, since: Option<Box<Since>> },
    /// A page of messages.
    Page { room: RoomId, before: u64, limit: usize },
    /// One message.
    Message(Position),
}

/// A query, and the client that waits for the answer.
#[derive(Debug)]
pub(crate) struct PendingQuery {
    pub(crate) connection: ConnectionId,
    /// If it is gone, nobody needs the answer.
    pub(crate) outbox: Weak<Outbox>,
    pub(crate) query: Query,
}

/// How many answers may be on their way to the dispatcher. They can be long.
const MAX_ANSWERS: usize = 8;

/// The dispatcher's end. The thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Recall {
    queries: Sender<PendingQuery>,
    permits: Receiver<Permit>,
}

/// The thread's end.
pub(crate) struct RecallThread {
    queries: Receiver<PendingQuery>,
    /// Takes one for each answer that the dispatcher has not come to yet, and blocks when there is none
    /// left.
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
    /// How many messages a client that enters without `since` is shown.
    on_enter: usize,
    /// How many bytes of messages one frame may have.
    max_bytes: usize,
}

impl Recall {
    pub(crate) fn new(
        reader: Box<dyn HistoryReader>,
        epoch: Arc<str>,
        on_enter: usize,
        max_bytes: usize,
    ) -> (Self, RecallThread) {
        // Holds one query for each client at most.
        let (query_sender, queries) = unbounded();
        let (permit_taker, permits) = bounded(MAX_ANSWERS);
        let messages = Messages { reader, epoch, on_enter, max_bytes };
        let thread = RecallThread { queries, permits: permit_taker, messages };
        (Self { queries: query_sender, permits }, thread)
    }

    pub(crate) fn ask(&self, query: PendingQuery) {
        // It fails when the thread has panicked, and then the server is ending.
        let _ = self.queries.send(query);
    }

    /// The dispatcher has come to an answer, so there may be another.
    pub(crate) fn release_permit(&self) {
        // It is there: each answer takes one before it is sent.
        let _ = self.permits.try_recv();
    }

    /// Whether the dispatcher has come to every answer.
    #[cfg(test)]
    pub(crate) fn has_all_permits(&self) -> bool {
        self.permits.is_empty()
    }
}

impl Query {
    /// About how many bytes it takes while it waits.
    pub(crate) fn weight(&self) -> usize {
        match &self.what {
            Lookup::Room { snapshot, .. } => size_of::<Person>() * snapshot.users.len(),
            Lookup::Page { .. } | Lookup::Message(_) => 0,
        }
    }
}

impl RecallThread {
    /// Answers until nobody is left to ask.
    pub(crate) fn run(mut self, inputs: &WeakMailboxSender<Input>) {
        while let Ok(query) = self.queries.recv() {
            let Some(answer) = self.answer(query) else { continue };
            // Before the inlet, which must not be held while nobody takes answers any more.
            if self.permits.send(Permit).is_err() {
                return;
            }
            let Some(inlet) = inputs.upgrade() else { return };
            if inlet.send(answer).is_err() {
                return;
            }
        }
    }

    /// The answer to the next query, if there is one. For tests without threads.
    #[cfg(test)]
    pub(crate) fn answer_next(&mut self) -> Option<Input> {
        while let Ok(query) = self.queries.try_recv() {
            if let Some(answer) = self.answer(query) {
                let _ = self.permits.try_send(Permit);
                return Some(answer);
            }
        }
        None
    }

    /// `None` if nobody waits for it any more.
    fn answer(&mut self, query: PendingQuery) -> Option<Input> {
        let PendingQuery { connection, outbox, query } = query;
        let is_wanted = outbox.upgrade().is_some_and(|outbox| outbox.ending().is_none());
        is_wanted.then(|| Input::Recalled { connection, frames: self.messages.frames(query) })
    }
}

impl Messages {
    fn frames(&mut self, query: Query) -> Bytes {
        let Query { what, reference } = query;
        let frames = match what {
            Lookup::Room { snapshot, since } => {
                return self.room(&snapshot, since.as_deref(), reference.as_deref());
            }
            Lookup::Page { room, before, limit } => {
                self.page(room, before, limit, reference.as_deref())
            }
            Lookup::Message(position) => self.message(position, &reference),
        };
        frames.unwrap_or_else(|error| {
            error!("cannot read the history: {error}");
            VERSION.frame(&Outgoing::Error(&ErrorReply::not_readable().to(reference)))
        })
    }

    fn room(
        &mut self,
        room: &RoomSnapshot,
        since: Option<&Since>,
        reference: Option<&str>,
    ) -> Bytes {
        // The user has entered, whether or not the messages can be read.
        let (messages, complete) = self.recent(room, since).unwrap_or_else(|error| {
            error!("cannot read the messages of room {}: {error}", room.id.0);
            (Vec::new(), false)
        });
        let messages = RecentMessages { epoch: &self.epoch, complete, messages: &messages };
        VERSION.frame(&Outgoing::Room { room, messages: &messages, reference })
    }

    fn page(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        reference: Option<&str>,
    ) -> Result<Bytes, HistoryError> {
        let (page, more) = self.reader.before(room, before, limit, self.max_bytes)?;
        Ok(VERSION.frame(&Outgoing::History { room, page: &page, more, reference }))
    }

    fn message(
        &mut self,
        position: Position,
        reference: &Reference,
    ) -> Result<Bytes, HistoryError> {
        let room = position.room;
        Ok(match self.reader.message(position)? {
            Some(said) => {
                let (time, event) = (said.time, Event::Said(said));
                VERSION.frame(&Outgoing::Event { room, time, event: &event })
            }
            None => {
                let error = ErrorReply::already_said().to(reference.clone());
                VERSION.frame(&Outgoing::Error(&error))
            }
        })
    }

    /// The messages of a room up to the snapshot, and whether they join what the client knows.
    fn recent(
        &mut self,
        snapshot: &RoomSnapshot,
        since: Option<&Since>,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let (room, up_to) = (snapshot.id, snapshot.seq);
        match since {
            Some(since) if *since.epoch == *self.epoch && since.seq <= up_to => {
                let messages = self.reader.since(room, since.seq, up_to, self.max_bytes)?;
                // The reader leaves no gap between two messages.
                let ends = messages.first().zip(messages.last()).map(|(a, b)| (a.seq, b.seq));
                let (first, last) = ends.unwrap_or((up_to + 1, up_to));
                Ok((messages, first == since.seq + 1 && last == up_to))
            }
            _ => {
                let before = up_to + 1;
                let (messages, _) =
                    self.reader.before(room, before, self.on_enter, self.max_bytes)?;
                Ok((messages, since.is_none()))
            }
        }
    }
}
