//! One connection, as delivery sees it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::Part;
use crate::chat::RoomId;
use crate::outbox::{ConnectionId, Full, Outbox, Piece};
use crate::protocol::{CloseReason, Version};
use crate::recall::{Asked, Question};

#[derive(Debug)]
pub(super) struct Client {
    pub(super) outbox: Arc<Outbox>,
    pub(super) version: Version,
    pub(super) seat: Option<(RoomId, usize)>,
    /// Gets what is shared with those who watch the list of rooms.
    pub(super) watches: bool,
    /// What this client gets before the slice of its present room, in order.
    pub(super) parts: Vec<Part>,
    pub(super) ending: Option<CloseReason>,
    /// Begins with the answer it waits for, if it waits.
    waiting: VecDeque<Waiting>,
    /// The frames among it, and what the questions show, in bytes.
    held: usize,
    /// A question has been asked and not been answered yet. One at a time, so that nobody's questions
    /// wait for all of another's.
    is_asking: bool,
    /// The questions after that one.
    questions: VecDeque<Question>,
}

/// The most questions that a client may have.
const MAX_QUESTIONS: usize = 256;

/// What a client gets as soon as an answer is there.
#[derive(Debug)]
pub(super) enum Waiting {
    Answer,
    Frames(Bytes),
}

impl Client {
    pub(super) fn new(outbox: Arc<Outbox>, version: Version) -> Self {
        Self {
            outbox,
            version,
            seat: None,
            watches: false,
            parts: Vec::new(),
            ending: None,
            waiting: VecDeque::new(),
            held: 0,
            is_asking: false,
            questions: VecDeque::new(),
        }
    }

    /// Takes a question; returns it if it is to be asked at once.
    pub(super) fn ask(&mut self, question: Question) -> Result<Option<Question>, Full> {
        if !std::mem::replace(&mut self.is_asking, true) {
            return Ok(Some(question));
        }
        self.held += question.weight();
        self.questions.push_back(question);
        let is_full = self.questions.len() > MAX_QUESTIONS || self.held > self.outbox.max_queued();
        if is_full { Err(Full) } else { Ok(None) }
    }

    /// After an answer: what is to be asked next.
    pub(super) fn next_question(&mut self) -> Option<Question> {
        let next = self.questions.pop_front();
        self.is_asking = next.is_some();
        self.held -= next.as_ref().map_or(0, Question::weight);
        next
    }

    pub(super) fn asked(
        &self,
        connection: ConnectionId,
        question: Option<Question>,
    ) -> Option<Asked> {
        question.map(|question| Asked {
            connection,
            outbox: Arc::downgrade(&self.outbox),
            question,
        })
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Holds these back until the answers before them are there, and sends what comes before the
    /// first.
    pub(super) fn hold(&mut self, more: impl Iterator<Item = Waiting>) -> Result<(), Full> {
        for waiting in more {
            if let Waiting::Frames(frames) = &waiting {
                self.held += frames.len();
            }
            self.waiting.push_back(waiting);
        }
        if self.held > self.outbox.max_queued() {
            return Err(Full);
        }
        self.send_until_answer()
    }

    /// The answer that it has waited for longest is there.
    pub(super) fn answer(&mut self, frames: Bytes) -> Result<(), Full> {
        let Some(Waiting::Answer) = self.waiting.front() else { return Ok(()) };
        self.held += frames.len();
        self.waiting[0] = Waiting::Frames(frames);
        self.send_until_answer()
    }

    fn send_until_answer(&mut self) -> Result<(), Full> {
        let is_frames = |waiting: &Waiting| matches!(waiting, Waiting::Frames(_));
        let count = self.waiting.iter().take_while(|waiting| is_frames(waiting)).count();
        let ready: Vec<Bytes> = self
            .waiting
            .drain(..count)
            .filter_map(|waiting| match waiting {
                Waiting::Frames(frames) => Some(frames),
                Waiting::Answer => None,
            })
            .collect();
        self.held -= ready.iter().map(Bytes::len).sum::<usize>();
        let pieces: Vec<Piece<'_>> = ready.iter().map(Piece::whole).collect();
        self.outbox.send(&pieces)
    }
}
