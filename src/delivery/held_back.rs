//! What is held back for a client that waits for an answer from the history.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::outbox::Full;
use crate::recall::Query;

/// The most queries that a client may have waiting.
const MAX_QUERIES: usize = 256;

/// A client's open queries, and the frames behind them.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    /// Begins with the place of an answer, unless it is empty.
    queue: VecDeque<Held>,
    /// A query has been asked and not been answered yet. One at a time, so that no client's queries wait
    /// for all of another's.
    is_asking: bool,
    /// The queries after that one.
    queries: VecDeque<Query>,
    /// What the queue and the queries hold, in bytes.
    bytes: usize,
}

/// One thing in the queue.
#[derive(Debug)]
pub(super) enum Held {
    /// The place of an answer.
    Answer,
    Frames(Bytes),
}

impl HeldBack {
    /// Whether everything for the client has to wait.
    pub(super) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Takes a query; returns it if it is to be asked at once. Fails if the client has too many.
    pub(super) fn ask(&mut self, query: Query, max_bytes: usize) -> Result<Option<Query>, Full> {
        if !std::mem::replace(&mut self.is_asking, true) {
            return Ok(Some(query));
        }
        self.bytes += query.weight();
        self.queries.push_back(query);
        let is_full = self.queries.len() > MAX_QUERIES || self.bytes > max_bytes;
        if is_full { Err(Full) } else { Ok(None) }
    }

    /// After an answer: what is to be asked next.
    pub(super) fn next_query(&mut self) -> Option<Query> {
        let next = self.queries.pop_front();
        self.is_asking = next.is_some();
        self.bytes -= next.as_ref().map_or(0, Query::weight);
        next
    }

    /// Takes what follows. Returns the frames before the first place of an answer, which can be sent.
    pub(super) fn hold(
        &mut self,
        more: impl Iterator<Item = Held>,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, Full> {
        for held in more {
            if let Held::Frames(frames) = &held {
                self.bytes += frames.len();
            }
            self.queue.push_back(held);
        }
        if self.bytes > max_bytes { Err(Full) } else { Ok(self.take_ready()) }
    }

    /// The oldest answer is there. Returns it, with the frames behind it that can be sent.
    pub(super) fn answer(&mut self, frames: Bytes) -> Vec<Bytes> {
        if let Some(first @ Held::Answer) = self.queue.front_mut() {
            self.bytes += frames.len();
            *first = Held::Frames(frames);
        }
        self.take_ready()
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn take_ready(&mut self) -> Vec<Bytes> {
        let mut ready = Vec::new();
        while let Some(Held::Frames(_)) = self.queue.front()
            && let Some(Held::Frames(frames)) = self.queue.pop_front()
        {
            self.bytes -= frames.len();
            ready.push(frames);
        }
        ready
    }
}
