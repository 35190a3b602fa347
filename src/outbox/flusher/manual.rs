//! The flusher driven by hand, for tests: no thread, no `epoll`, no clock.
//!
//! A test calls these in any order in place of [`FlusherThread::run`]. Each does what the thread would
//! on the same occasion, with the same code. The outboxes must be memory connections.

use std::time::Instant;

use super::{FlushRequest, FlusherThread, Tracked};
use crate::outbox::ConnectionId;

impl FlusherThread {
    /// How many requests wait to be taken.
    pub(crate) fn pending_requests(&self) -> usize {
        self.requests.len()
    }

    /// Takes the oldest request: flushes the outbox that made it, and keeps track of it as long as
    /// something is queued or its client is to close. `None` when no outbox has a request.
    pub(crate) fn take_next_request(&mut self) -> Option<ConnectionId> {
        while let Ok(request) = self.requests.try_recv() {
            let connection = match &request {
                FlushRequest::Flush(outbox) => Some(outbox.connection),
                FlushRequest::Drain | FlushRequest::Stop => None,
            };
            self.take_request(request);
            if connection.is_some() {
                return connection;
            }
        }
        None
    }

    /// The connections with a backlog, whose sockets `epoll` would watch, in ascending order.
    pub(crate) fn watched(&self) -> Vec<ConnectionId> {
        let is_behind = |tracked: &Tracked| matches!(tracked, Tracked::Behind(_));
        let keys = self.tracked.iter().filter(|(_, tracked)| is_behind(tracked));
        let mut watched: Vec<_> = keys.map(|(key, _)| ConnectionId(*key)).collect();
        watched.sort_unstable();
        watched
    }

    /// A watched socket has become writable or has failed: flushes its outbox. Does nothing for any
    /// other connection.
    pub(crate) fn socket_ready(&mut self, connection: ConnectionId) {
        self.flush_tracked(connection.0);
    }

    /// When connections that are ending will be cut off, the next one first. An entry may outlive its
    /// connection; then nothing happens at that time.
    pub(crate) fn deadlines(&self) -> Vec<(Instant, ConnectionId)> {
        self.deadlines.iter().map(|(deadline, key)| (*deadline, ConnectionId(*key))).collect()
    }

    /// Time has come to `now`: cuts off every connection whose deadline is not later.
    pub(crate) fn time_passes(&mut self, now: Instant) {
        self.cut_off_expired(now);
    }
}
