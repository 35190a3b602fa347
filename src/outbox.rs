//! What is on its way to one client: written at once where the socket takes it, queued where not.
//!
//! Everything that goes out to a client goes through its outbox, so frames never interleave. The
//! dispatcher's thread puts events in, the client's session thread its pings and pongs; the session
//! thread alone waits for the socket and flushes the queue. The lock is held for non-blocking calls
//! only, so neither ever waits for the other's client. What frames mean is `protocol`'s business,
//! who gets them is `delivery`'s.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::net::stop::{reset, signal};
use crate::net::stream::Stream;
use crate::protocol::{CloseReason, close_frame, frame_end};

/// Pieces that are together no longer than this are joined, so that one write carries them.
const JOIN_BYTES: usize = 16_384;

/// The way out to one client.
#[derive(Debug)]
pub(crate) struct Outbox {
    writer: Mutex<Writer>,
    /// Whether the session has to wait for the socket to be writable. Set under the lock.
    unsent: AtomicBool,
    /// Tells the session to look: there is something to flush, or the end has come.
    wake: OwnedFd,
    tcp: Arc<TcpStream>,
    is_tls: bool,
}

/// The client does not keep up: its queue holds more than `outboxMaxBytes` already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// How and until when a connection is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) reason: CloseReason,
    /// What is not sent by then is dropped.
    pub(crate) until: Instant,
}

/// Whole frames: the bytes of `chunk` from `start` to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) chunk: &'a Bytes,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug)]
struct Writer {
    stream: Stream,
    /// Each entry begins with a frame's first byte.
    queue: VecDeque<Bytes>,
    /// How much of the queue's first entry has been sent.
    head_sent: usize,
    /// What waits, in bytes.
    queued: usize,
    max_queued: usize,
    /// Since when the socket has taken nothing, while something waits.
    blocked_since: Option<Instant>,
    ending: Option<Ending>,
    /// The socket failed. The session learns why from reading it.
    broken: bool,
}

impl<'a> Piece<'a> {
    pub(crate) fn whole(chunk: &'a Bytes) -> Self {
        Self { chunk, start: 0, end: chunk.len() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn bytes(&self) -> &'a [u8] {
        &self.chunk[self.start..self.end]
    }
}

impl Outbox {
    /// Takes over all writing to `stream`, whose socket is `tcp`, and queues about `max_queued`
    /// bytes. `wake` is the event by which the session is told.
    pub(crate) fn new(
        stream: Stream,
        tcp: Arc<TcpStream>,
        wake: OwnedFd,
        max_queued: usize,
    ) -> Self {
        let is_tls = stream.is_tls();
        let writer = Writer {
            stream,
            queue: VecDeque::new(),
            head_sent: 0,
            queued: 0,
            max_queued,
            blocked_since: None,
            ending: None,
            broken: false,
        };
        let unsent = AtomicBool::new(false);
        Self { writer: Mutex::new(writer), unsent, wake, tcp, is_tls }
    }

    /// Sends whole frames, in their order, after what was sent before.
    ///
    /// A queue at its limit takes nothing more, but what is put in while there is room may exceed
    /// it: so a client that keeps up is never cut off for one long frame.
    pub(crate) fn send(&self, pieces: &[Piece<'_>]) -> Result<(), Full> {
        if pieces.len() > 1 {
            let len = pieces.iter().map(|piece| piece.bytes().len()).sum();
            if len <= JOIN_BYTES {
                let mut joined = BytesMut::with_capacity(len);
                for piece in pieces {
                    joined.extend_from_slice(piece.bytes());
                }
                return self.send_each(&[Piece::whole(&joined.freeze())]);
            }
        }
        self.send_each(pieces)
    }

    fn send_each(&self, pieces: &[Piece<'_>]) -> Result<(), Full> {
        let mut writer = self.lock();
        if writer.ending.is_some() || writer.broken {
            return Ok(());
        }
        if writer.queued > writer.max_queued {
            return Err(Full);
        }
        for piece in pieces {
            writer.put(*piece);
        }
        self.after_writing(&writer);
        Ok(())
    }

    /// Ends the connection: after what is queued comes the Close frame for `reason`, if it has one,
    /// and then nothing more. The session does the rest, until `until` at the latest.
    pub(crate) fn finish(&self, reason: CloseReason, until: Instant) {
        let mut writer = self.lock();
        if writer.ending.is_some() {
            return;
        }
        if reason.drops_backlog() {
            writer.drop_backlog();
        }
        if let Some(frame) = close_frame(reason)
            && !writer.broken
        {
            writer.put(Piece::whole(&frame));
        }
        writer.ending = Some(Ending { reason, until });
        self.after_writing(&writer);
        drop(writer);
        signal(&self.wake);
    }

    /// Writes what the socket takes of the queue. For the session, when the socket is writable.
    pub(crate) fn flush(&self) {
        let mut writer = self.lock();
        writer.flush();
        self.after_writing(&writer);
    }

    /// Reads from the client. For the session.
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.is_tls {
            return (&*self.tcp).read(buf);
        }
        let mut writer = self.lock();
        let result = writer.stream.read(buf);
        self.after_writing(&writer);
        result
    }

    /// Whether the session has to wait for the socket to be writable, and flush.
    pub(crate) fn is_waiting_to_write(&self) -> bool {
        self.unsent.load(Ordering::Acquire)
    }

    /// Whether everything has been handed to the socket, or will never be.
    pub(crate) fn is_flushed(&self) -> bool {
        let writer = self.lock();
        writer.broken || writer.queue.is_empty()
    }

    /// When a client that takes nothing for `timeout` has taken nothing for too long.
    pub(crate) fn stalled_at(&self, timeout: Duration) -> Option<Instant> {
        if !self.is_waiting_to_write() {
            return None;
        }
        self.lock().blocked_since.map(|since| since + timeout)
    }

    /// How the connection is to end, once that is known.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.lock().ending
    }

    /// Tells a TLS peer that nothing follows.
    pub(crate) fn close_notify(&self) {
        self.lock().stream.close_notify();
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// What a session waits for besides its socket; see [`Outbox::hear`].
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Acknowledges the wake-up, so that the next one is noticed.
    pub(crate) fn hear(&self) {
        reset(self.wake.as_fd());
    }

    /// Tells the session when there is something left to flush that it does not know of.
    fn after_writing(&self, writer: &Writer) {
        let unsent = !writer.broken && (!writer.queue.is_empty() || writer.stream.write_blocked());
        if self.unsent.swap(unsent, Ordering::AcqRel) != unsent && unsent {
            signal(&self.wake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic elsewhere does not harm a queue of bytes.
        self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Writer {
    /// Writes the piece now if nothing waits, and queues what is left of it.
    fn put(&mut self, piece: Piece<'_>) {
        let bytes = piece.bytes();
        let mut sent = 0;
        if self.queue.is_empty() && !self.broken {
            match self.stream.write_some(bytes) {
                Ok(written) => sent = written,
                Err(_) => self.broken = true,
            }
            if sent == bytes.len() || self.broken {
                return;
            }
            self.head_sent = sent;
            self.blocked_since = Some(Instant::now());
        }
        self.queued += bytes.len() - sent;
        self.queue.push_back(piece.chunk.slice(piece.start..piece.end));
    }

    fn flush(&mut self) {
        while let Some(head) = self.queue.front()
            && !self.broken
        {
            let rest = &head[self.head_sent..];
            let left = rest.len();
            match self.stream.write_some(rest) {
                Ok(sent) => {
                    self.queued -= sent;
                    self.head_sent += sent;
                    if sent > 0 {
                        self.blocked_since = Some(Instant::now());
                    }
                    if sent < left {
                        return;
                    }
                    self.queue.pop_front();
                    self.head_sent = 0;
                }
                Err(_) => self.broken = true,
            }
        }
        self.blocked_since = None;
    }

    /// Drops what waits, save the rest of the frame that has been sent in part.
    fn drop_backlog(&mut self) {
        let Some(head) = self.queue.front_mut() else { return };
        let begun = self.head_sent + self.stream.committed(head.len() - self.head_sent);
        head.truncate(frame_end(head, begun));
        self.queued = head.len() - self.head_sent;
        self.queue.truncate(1);
        if self.queued == 0 {
            self.queue.clear();
            self.head_sent = 0;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
