//! What one client's socket has not taken yet, in its order. There is one while something waits, and
//! none else.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::Bounds;
use crate::protocol::frame_end;

#[derive(Debug)]
pub(super) struct Backlog {
    /// Never empty, and no entry is. Each begins with a frame's first byte, but for the first of all
    /// with the answer.
    queue: VecDeque<Bytes>,
    /// How much of the queue's first entry has been sent.
    head_sent: usize,
    /// How much of the queue's first entry is the answer to the client's HTTP request.
    head_answer: usize,
    /// What waits, in bytes.
    queued: usize,
    /// Since when the socket has taken nothing.
    blocked_since: Instant,
}

impl Backlog {
    /// Begins with what is left of `head` when `sent` bytes of it are, less than all; the answer is the
    /// first `answer` bytes of it.
    pub(super) fn new(head: Bytes, sent: usize, answer: usize) -> Self {
        Self {
            queued: head.len() - sent,
            queue: VecDeque::from([head]),
            head_sent: sent,
            head_answer: answer,
            blocked_since: Instant::now(),
        }
    }

    pub(super) fn push(&mut self, frames: Bytes) {
        self.queued += frames.len();
        self.queue.push_back(frames);
    }

    /// Whether nothing more is to be put in.
    pub(super) fn is_full(&self, bounds: &Bounds) -> bool {
        self.queued > bounds.max_queued || self.blocked_since.elapsed() >= bounds.write_timeout
    }

    /// What is to be sent next.
    pub(super) fn next(&self) -> &[u8] {
        &self.queue[0][self.head_sent..]
    }

    /// Notes how much of what was next has been sent. False when nothing is left.
    #[must_use]
    pub(super) fn advance(&mut self, sent: usize) -> bool {
        if sent > 0 {
            self.blocked_since = Instant::now();
        }
        self.queued -= sent;
        self.head_sent += sent;
        if self.head_sent == self.queue[0].len() {
            self.queue.pop_front();
            self.head_sent = 0;
            self.head_answer = 0;
        }
        !self.queue.is_empty()
    }

    /// Drops all that waits, save the answer and the rest of the frame that has been begun. `committed`:
    /// how much of what is next counts as begun, sent or not. False when nothing is left.
    #[must_use]
    pub(super) fn drop_unbegun(&mut self, committed: usize) -> bool {
        let begun = self.head_sent + committed;
        let frames = self.head_answer;
        let head = &mut self.queue[0];
        head.truncate(frames + frame_end(&head[frames..], begun.saturating_sub(frames)));
        self.queued = head.len() - self.head_sent;
        self.queue.truncate(1);
        self.queued > 0
    }
}
