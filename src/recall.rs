//! Answers that have to be read from the history: what a room looked like to somebody who enters, pages
//! of what was said, and what was said before under the same reference.
//!
//! One thread reads and encodes them, in the order of the questions, so that the dispatcher never waits
//! for it. The dispatcher asks when the tick that led to the question has been committed, holds back
//! what comes after for that client, and gets the answer as an input.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use log::error;

use crate::chat::{Person, Position, RoomId, Said, Since};
use crate::dispatcher::Input;
use crate::history::{HistoryError, HistoryReader};
use crate::mailbox::WeakInlet;
use crate::outbox::{ConnectionId, Outbox};
use crate::protocol::{
    Backlog, ErrorReply, Reference, RoomSnapshot, error_frame, history_frame, room_frame,
    said_frame,
};

/// What is to be read for a client.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) what: Recalled,
    /// What the client calls its request.
    pub(crate) reference: Reference,
}

#[derive(Debug)]
pub(crate) enum Recalled {
    /// A room as it was when the client entered it, with what was said from where the client knows it.
    Room { snapshot: RoomSnapshot, since: Option<Since> },
    /// A page of what was said.
    Page { room: RoomId, before: u64, limit: usize },
    /// One thing that was said.
    Said(Position),
}

/// A question, and who waits for the answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) connection: ConnectionId,
    /// Whoever is gone needs no answer.
    pub(crate) outbox: Weak<Outbox>,
    pub(crate) question: Question,
}

/// How many answers may be on their way to the dispatcher. They can be long.
const MAX_ANSWERS: usize = 8;

/// Where the dispatcher asks. The thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Recall {
    questions: Sender<Asked>,
    answers: Receiver<()>,
}

/// The thread's end.
pub(crate) struct Recalling {
    questions: Receiver<Asked>,
    /// Holds one for each answer that the dispatcher has not come to yet.
    answers: Sender<()>,
    reader: Box<dyn HistoryReader>,
    epoch: Arc<str>,
    /// How many events somebody who comes without `since` is shown.
    on_enter: usize,
    /// What the events of one frame may take.
    max_bytes: usize,
}

impl Recall {
    pub(crate) fn new(
        reader: Box<dyn HistoryReader>,
        epoch: Arc<str>,
        on_enter: usize,
        max_bytes: usize,
    ) -> (Self, Recalling) {
        // One for each client at most.
        let (asking, questions) = unbounded();
        let (answering, answers) = bounded(MAX_ANSWERS);
        let recalling =
            Recalling { questions, answers: answering, reader, epoch, on_enter, max_bytes };
        (Self { questions: asking, answers }, recalling)
    }

    pub(crate) fn ask(&self, asked: Option<Asked>) {
        if let Some(asked) = asked {
            // It fails when the thread has panicked, and then the server is ending.
            let _ = self.questions.send(asked);
        }
    }

    /// To be called for each answer, so that there may be another.
    pub(crate) fn take_note_of_answer(&self) {
        // It is there: each answer is announced before it is sent.
        let _ = self.answers.try_recv();
    }
}

impl Question {
    /// About how many bytes it takes while it waits.
    pub(crate) fn weight(&self) -> usize {
        match &self.what {
            Recalled::Room { snapshot, .. } => size_of::<Person>() * snapshot.users.len(),
            Recalled::Page { .. } | Recalled::Said(_) => 0,
        }
    }
}

impl Recalling {
    /// Answers until nobody is left to ask.
    pub(crate) fn run(mut self, inputs: &WeakInlet<Input>) {
        while let Ok(Asked { connection, outbox, question }) = self.questions.recv() {
            if outbox.upgrade().is_none_or(|outbox| outbox.ending().is_some()) {
                continue;
            }
            let frames = self.answer(question);
            // Before the inlet, which must not be held while nobody takes answers any more.
            if self.answers.send(()).is_err() {
                return;
            }
            let Some(inlet) = inputs.upgrade() else { return };
            if inlet.send(Input::Answer { connection, frames }).is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, question: Question) -> Bytes {
        let Question { what, reference } = question;
        let named = reference.as_deref();
        let result = match what {
            Recalled::Room { snapshot, since } => {
                // Whoever enters is in, whatever can be read.
                let read = self.since(&snapshot, since.as_ref());
                let (events, complete) = read.unwrap_or_else(|error| {
                    error!("cannot read what was said in room {}: {error}", snapshot.id.0);
                    (Vec::new(), false)
                });
                let backlog = Backlog { epoch: &self.epoch, complete, events: &events };
                return room_frame(&snapshot, &backlog, named);
            }
            Recalled::Page { room, before, limit } => self
                .reader
                .before(room, before, limit, self.max_bytes)
                .map(|(events, more)| history_frame(room, &events, more, named)),
            Recalled::Said(position) => self.reader.message(position).map(|said| match said {
                Some(said) => said_frame(position.room, &said),
                None => error_frame(&ErrorReply::already_said().to(reference.clone())),
            }),
        };
        result.unwrap_or_else(|error| {
            error!("cannot read the history: {error}");
            error_frame(&ErrorReply::not_readable().to(reference))
        })
    }

    /// What was said in a room up to the snapshot, and whether it joins what the client knows.
    fn since(
        &mut self,
        snapshot: &RoomSnapshot,
        since: Option<&Since>,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let (room, upto) = (snapshot.id, snapshot.seq);
        match since {
            Some(since) if *since.epoch == *self.epoch && since.seq <= upto => {
                let events = self.reader.since(room, since.seq, upto, self.max_bytes)?;
                // The reader leaves no gap between two events.
                let ends = events.first().zip(events.last()).map(|(a, b)| (a.seq, b.seq));
                let (first, last) = ends.unwrap_or((upto + 1, upto));
                Ok((events, first == since.seq + 1 && last == upto))
            }
            _ => {
                let before = upto + 1;
                let (events, _) =
                    self.reader.before(room, before, self.on_enter, self.max_bytes)?;
                Ok((events, since.is_none()))
            }
        }
    }
}
