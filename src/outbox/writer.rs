//! The writer: what is used in turns to write to one client's connection, and to read it under TLS.
//!
//! Runs on whichever thread has the turn. It writes what the socket takes, without waiting, and queues
//! the rest.

use bytes::Bytes;

use super::Piece;
use super::backlog::Backlog;
use super::orders::Behind;
use crate::net::stream::{Stream, Tcp};

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) stream: Stream,
    /// `None` once it has been sent, or queued in front of the first frame.
    upgrade_response: Option<Box<Bytes>>,
    /// `None` while nothing is queued.
    pub(super) backlog: Option<Box<Backlog>>,
    /// The flusher has been asked to write the backlog.
    pub(super) is_flush_requested: bool,
    pub(super) state: State,
    /// Those who leave orders have been told of a backlog.
    pub(super) is_known_behind: bool,
}

/// What may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The Close frame has been sent or queued: nothing may follow it.
    Ending,
    /// Nothing: a write failed. The session learns why when it reads.
    Broken,
}

impl Writer {
    pub(super) fn new(stream: Stream, upgrade_response: Bytes) -> Self {
        Self {
            stream,
            upgrade_response: Some(Box::new(upgrade_response)),
            backlog: None,
            is_flush_requested: false,
            state: State::Open,
            is_known_behind: false,
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.backlog.is_none()
    }

    pub(super) fn behind(&self) -> Option<Behind> {
        self.backlog.as_ref().map(|backlog| backlog.behind())
    }

    /// Sends the piece; the first one with the upgrade response in front of it.
    pub(super) fn send(&mut self, tcp: &Tcp, piece: Piece<'_>) {
        match self.upgrade_response.take() {
            None => self.write_or_queue(tcp, piece, 0),
            Some(response) => {
                let both = Bytes::from([&response, piece.bytes()].concat());
                self.write_or_queue(tcp, Piece::whole(&both), response.len());
            }
        }
    }

    /// Writes the piece now if nothing is queued, and queues what is left of it. Its first
    /// `response_len` bytes are the upgrade response.
    fn write_or_queue(&mut self, tcp: &Tcp, piece: Piece<'_>, response_len: usize) {
        if let Some(backlog) = &mut self.backlog {
            backlog.push(piece.to_bytes());
            return;
        }
        if self.state == State::Broken {
            return;
        }
        let bytes = piece.bytes();
        match self.stream.write_some(tcp, bytes) {
            Ok(sent) if sent == bytes.len() => {}
            Ok(sent) => {
                self.backlog = Some(Box::new(Backlog::new(piece.to_bytes(), sent, response_len)));
            }
            Err(_) => self.mark_broken(),
        }
    }

    /// Writes what the socket takes of the backlog.
    pub(super) fn flush(&mut self, tcp: &Tcp) {
        while let Some(backlog) = &mut self.backlog {
            let next = backlog.next();
            let left = next.len();
            match self.stream.write_some(tcp, next) {
                Ok(sent) => {
                    if !backlog.advance(sent) {
                        self.backlog = None;
                    }
                    if sent < left {
                        return;
                    }
                }
                Err(_) => self.mark_broken(),
            }
        }
    }

    /// Drops what is queued, except for the rest of a frame that has been sent in part.
    pub(super) fn drop_unstarted_frames(&mut self) {
        if let Some(backlog) = &mut self.backlog
            && !backlog.drop_unstarted_frames(self.stream.committed(backlog.next().len()))
        {
            self.backlog = None;
        }
    }

    /// Nothing can be sent any more.
    pub(super) fn mark_broken(&mut self) {
        self.state = State::Broken;
        self.backlog = None;
    }
}
