//! The backlog: what one client's socket has not taken yet, in order.
//!
//! It belongs to the writer, and is there only while something is queued.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::orders::Behind;
use crate::protocol::frame_end;

#[derive(Debug)]
pub(super) struct Backlog {
    /// Never empty, and no entry is. Each starts at a frame boundary, except that the first one may
    /// have the upgrade response in front.
    queue: VecDeque<Bytes>,
    /// How many bytes of the first entry have been sent.
    head_sent: usize,
    /// How many bytes at the start of the first entry are the upgrade response.
    response_len: usize,
    behind: Behind,
}

impl Backlog {
    /// A backlog of `head`, of which `sent` bytes, less than all, have been sent. Its first
    /// `response_len` bytes are the upgrade response.
    pub(super) fn new(head: Bytes, sent: usize, response_len: usize) -> Self {
        Self {
            behind: Behind { queued: head.len() - sent, blocked_since: Instant::now() },
            queue: VecDeque::from([head]),
            head_sent: sent,
            response_len,
        }
    }

    pub(super) fn push(&mut self, frames: Bytes) {
        self.behind.queued += frames.len();
        self.queue.push_back(frames);
    }

    /// How far the client is behind.
    pub(super) fn behind(&self) -> Behind {
        self.behind
    }

    /// What to write next.
    pub(super) fn next(&self) -> &[u8] {
        &self.queue[0][self.head_sent..]
    }

    /// Notes that `sent` bytes of [`Backlog::next`] have been written. False when nothing is left.
    #[must_use]
    pub(super) fn advance(&mut self, sent: usize) -> bool {
        if sent > 0 {
            self.behind.blocked_since = Instant::now();
        }
        self.behind.queued -= sent;
        self.head_sent += sent;
        if self.head_sent == self.queue[0].len() {
            self.queue.pop_front();
            self.head_sent = 0;
            self.response_len = 0;
        }
        !self.queue.is_empty()
    }

    /// Drops what is queued, except for the upgrade response and the rest of a frame that has been
    /// sent in part. The first `committed` bytes of [`Backlog::next`] count as sent. False when
    /// nothing is left.
    #[must_use]
    pub(super) fn drop_unstarted_frames(&mut self, committed: usize) -> bool {
        let started = self.head_sent + committed;
        let frames = self.response_len;
        let head = &mut self.queue[0];
        let end = frames + frame_end(&head[frames..], started.saturating_sub(frames));
        // A copy, so that the memory of the rest is free.
        *head = Bytes::copy_from_slice(&head[..end]);
        self.behind.queued = head.len() - self.head_sent;
        self.queue.truncate(1);
        self.behind.queued > 0
    }
}
