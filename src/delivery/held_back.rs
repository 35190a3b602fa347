//! The frames that are held back while a client waits for an answer from the history.

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
    /// `recall` has a query of this client. It gets one at a time, so that many queries of one client do
    /// not delay those of others.
    is_asking: bool,
    /// The queries that wait behind that one.
    queries: VecDeque<Query>,
    /// The size of the frames and queries that wait, in bytes.
    bytes: usize,
}

/// One thing in the queue.
#[derive(Debug)]
pub(super) enum Held {
    /// The place of an answer.
    Placeholder,
    Frames(Bytes),
}

impl HeldBack {
    /// Whether nothing waits, and no query is open.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_asking
    }

    /// Whether new frames for the client have to wait.
    pub(super) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Takes a query; returns it if it is to be sent to `recall` now. Fails if the client has too many.
    pub(super) fn ask(&mut self, query: Query, max_bytes: usize) -> Result<Option<Query>, Full> {
        if !std::mem::replace(&mut self.is_asking, true) {
            return Ok(Some(query));
        }
        self.bytes += query.weight();
        self.queries.push_back(query);
        let is_full = self.queries.len() > MAX_QUERIES || self.bytes > max_bytes;
        if is_full { Err(Full) } else { Ok(None) }
    }

    /// After an answer: the query to send next.
    pub(super) fn next_query(&mut self) -> Option<Query> {
        let next = self.queries.pop_front();
        self.is_asking = next.is_some();
        self.bytes -= next.as_ref().map_or(0, Query::weight);
        next
    }

    /// Appends to the queue. Returns the frames in front of the first missing answer, which can be sent.
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

    /// Puts the oldest missing answer in its place. Returns it, with the frames behind it that can be sent.
    pub(super) fn answer(&mut self, frames: Bytes) -> Vec<Bytes> {
        if let Some(first @ Held::Placeholder) = self.queue.front_mut() {
            self.bytes += frames.len();
            *first = Held::Frames(frames);
        }
        self.take_ready()
    }

    /// How many bytes wait.
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
