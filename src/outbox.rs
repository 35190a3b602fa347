//! The outbox: everything that is on its way to one client.
//!
//! All output of a client goes through its outbox, so frames never interleave. What the socket takes is
//! written at once, by the thread that sends: the dispatcher for replies and room events, the client's
//! session for pings and pongs. What the socket does not take is queued, and the flusher's thread writes
//! it later. The lock is held for non-blocking calls only, so no thread ever waits for a client. What
//! frames mean is left to `protocol`, who gets them to `delivery`.

mod backlog;
mod flusher;
#[cfg(any(test, feature = "bench"))]
mod memory;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rustix::event::PollFlags;

use crate::chat::{ConnectionId, UserId};
use crate::net::admission::Ticket;
use crate::net::stop::wait_ready;
use crate::net::stream::{Stream, Tcp};
use crate::protocol::{CloseReason, close_frame};

use backlog::Backlog;
pub(crate) use flusher::{Flusher, FlusherThread};
#[cfg(feature = "bench")]
pub(crate) use memory::discarding_outbox;
#[cfg(test)]
pub(crate) use memory::memory_outbox;

/// Pieces that are together no longer than this are copied into one buffer, so that one write sends them.
const JOIN_MAX_BYTES: usize = 16_384;

/// The way out to one client.
#[derive(Debug)]
pub(crate) struct Outbox {
    hot: HotState,
    /// Set once, under the lock.
    ending: OnceLock<Ending>,
    is_tls: bool,
    connection: ConnectionId,
    bounds: Bounds,
    /// The user at the other end; 0 until it is known.
    user: AtomicU64,
    flusher: Arc<Flusher>,
    /// The connection counts against the limits until its outbox is dropped.
    _ticket: Ticket,
}

/// What an outbox is made of.
#[derive(Debug)]
pub(crate) struct OutboxParts {
    pub(crate) connection: ConnectionId,
    pub(crate) ticket: Ticket,
    pub(crate) tcp: Tcp,
    pub(crate) stream: Stream,
    /// The HTTP response 101 to the client's upgrade request. It goes out in front of the first
    /// frame, in the same write.
    pub(crate) upgrade_response: Bytes,
    pub(crate) bounds: Bounds,
    pub(crate) flusher: Arc<Flusher>,
}

/// How much an outbox may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How much may be queued, in bytes.
    pub(crate) max_queued: usize,
    /// How long a client may take none of what is queued.
    pub(crate) write_timeout: Duration,
}

/// The client is a slow consumer: its queue is longer than `outboxMaxBytes`, or it has taken nothing
/// of it for `writeTimeoutMs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) reason: CloseReason,
    /// What has not been sent by then is dropped.
    pub(crate) until: Instant,
}

/// Whole frames: the bytes of `chunk` from `start` to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) chunk: &'a Bytes,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// How far a flush came, and how the connection ends if that is decided.
#[derive(Debug)]
enum FlushOutcome {
    /// Nothing is queued any more.
    Done(Option<Ending>),
    /// The socket takes no more for now.
    Blocked(Option<Ending>),
}

/// Everything that sending looks at, on one line of the processor's cache. A room's frames are sent to
/// one client after the other, and a cache miss costs about as much as the frame itself.
#[derive(Debug)]
#[repr(align(64))]
struct HotState {
    tcp: Tcp,
    writer: Mutex<Writer>,
}

const _: () = assert!(size_of::<HotState>() == 64, "box what is rarely used");

/// Writes what the socket takes, and queues the rest.
#[derive(Debug)]
struct Writer {
    stream: Stream,
    /// `None` once it has been sent, or queued in front of the first frame.
    upgrade_response: Option<Box<Bytes>>,
    /// `None` while nothing is queued.
    backlog: Option<Box<Backlog>>,
    /// The flusher has been asked to write the backlog.
    is_flush_requested: bool,
    /// The Close frame has been sent or queued: nothing may follow it.
    is_ending: bool,
    /// A write failed. The session learns why when it reads.
    is_broken: bool,
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

    /// A handle to the same bytes that outlives the borrow.
    fn to_bytes(self) -> Bytes {
        self.chunk.slice(self.start..self.end)
    }
}

impl Outbox {
    pub(crate) fn new(parts: OutboxParts) -> Arc<Self> {
        let OutboxParts { connection, ticket, tcp, stream, upgrade_response, bounds, flusher } =
            parts;
        let is_tls = stream.is_tls();
        let writer = Writer {
            stream,
            upgrade_response: Some(Box::new(upgrade_response)),
            backlog: None,
            is_flush_requested: false,
            is_ending: false,
            is_broken: false,
        };
        Arc::new(Self {
            hot: HotState { tcp, writer: Mutex::new(writer) },
            ending: OnceLock::new(),
            is_tls,
            connection,
            bounds,
            user: AtomicU64::new(0),
            flusher,
            _ticket: ticket,
        })
    }

    /// Sends whole frames, in order, after everything sent before.
    ///
    /// A queue above its limit takes nothing more. A send that starts below the limit may exceed it,
    /// so a client that keeps up is never closed for one long frame.
    pub(crate) fn send(self: &Arc<Self>, pieces: &[Piece<'_>]) -> Result<(), Full> {
        if pieces.len() > 1
            && let Some(joined) = join(pieces.iter().map(Piece::bytes))
        {
            return self.send_each(&[Piece::whole(&joined)]);
        }
        self.send_each(pieces)
    }

    fn send_each(self: &Arc<Self>, pieces: &[Piece<'_>]) -> Result<(), Full> {
        let mut writer = self.lock();
        if writer.is_ending || writer.is_broken {
            return Ok(());
        }
        if writer.backlog.as_ref().is_some_and(|backlog| backlog.is_full(&self.bounds)) {
            return Err(Full);
        }
        for piece in pieces {
            writer.send(&self.hot.tcp, *piece);
        }
        if !writer.is_flushed() {
            self.flush_later(&mut writer);
        }
        Ok(())
    }

    /// Ends the connection: sends the Close frame for `reason`, if it has one, behind what is queued,
    /// and nothing after it. The flusher cuts the connection off at `until` if it still stands.
    pub(crate) fn finish(self: &Arc<Self>, reason: CloseReason, until: Instant) {
        let mut writer = self.lock();
        if writer.is_ending {
            return;
        }
        if reason.drops_backlog() {
            writer.drop_unstarted_frames();
        }
        if let Some(frame) = close_frame(reason) {
            writer.send(&self.hot.tcp, Piece::whole(&frame));
        }
        writer.is_ending = true;
        self.ending.get_or_init(|| Ending { reason, until });
        let is_flushed = writer.is_flushed();
        if is_flushed {
            self.end_output(&mut writer, reason);
        }
        if !is_flushed || self.waits_for_client(reason) {
            // Asked again even if it knows of the backlog: now there is a deadline, too.
            writer.is_flush_requested = false;
            self.flush_later(&mut writer);
        }
    }

    /// Whether the server, once it has sent everything, waits for the client to close the connection.
    ///
    /// Not where the client closed it first. Under TLS it waits even then: the client may still send
    /// its `close_notify`, and the RST in answer to that could destroy our Close frame on its way.
    pub(crate) fn waits_for_client(&self, reason: CloseReason) -> bool {
        match reason {
            CloseReason::ConnectionLost => false,
            CloseReason::ClosedByClient(_) => self.is_tls,
            _ => true,
        }
    }

    /// Reads what the client sends, blocking for up to `timeout`, to which the socket's read timeout
    /// must be set, too. `WouldBlock` means that nothing came. For the session.
    pub(crate) fn read(&self, buf: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if !self.is_tls {
            return self.hot.tcp.read_blocking(buf);
        }
        let deadline = Instant::now() + timeout;
        loop {
            let interest = {
                let mut writer = self.lock();
                match writer.stream.read(&self.hot.tcp, buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
                // TLS may have to write before it can read on.
                let waits_to_write = writer.is_flushed() && writer.stream.reads_by_writing();
                if waits_to_write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
            };
            wait_ready(self.tcp(), interest, deadline)?;
        }
    }

    /// How the connection ends, once that is decided.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }

    /// How much may be queued, in bytes.
    pub(crate) fn max_queued(&self) -> usize {
        self.bounds.max_queued
    }

    /// How many bytes are queued.
    pub(crate) fn queued(&self) -> usize {
        self.lock().backlog.as_ref().map_or(0, |backlog| backlog.queued())
    }

    /// Notes which user is at the other end.
    pub(crate) fn set_user(&self, user: UserId) {
        self.user.store(user.0, Ordering::Relaxed);
    }

    /// The user at the other end; 0 until it is known.
    pub(crate) fn user(&self) -> UserId {
        UserId(self.user.load(Ordering::Relaxed))
    }

    /// Prefetches the cache line that [`Outbox::send`] needs.
    ///
    /// Safe Rust has no prefetch instruction. Reading the lock's poison flag loads the same cache line,
    /// and as nothing depends on the result, the processor does not wait for it.
    pub(crate) fn prefetch(&self) {
        std::hint::black_box(self.hot.writer.is_poisoned());
    }

    /// The socket, for its options and for `poll`. Panics on a connection in memory.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.hot.tcp.socket()
    }

    /// Writes what the socket takes of the queue. For the flusher.
    fn flush(&self) -> FlushOutcome {
        let mut writer = self.lock();
        let was_flushed = writer.is_flushed();
        writer.flush(&self.hot.tcp);
        if !writer.is_flushed() {
            return FlushOutcome::Blocked(self.ending());
        }
        writer.is_flush_requested = false;
        if let Some(ending) = self.ending()
            && !was_flushed
        {
            self.end_output(&mut writer, ending.reason);
        }
        FlushOutcome::Done(self.ending())
    }

    /// Ends the connection at once. The session's read returns, and it ends.
    fn cut_off(&self) {
        self.lock().mark_broken();
        let _ = self.hot.tcp.shutdown(Shutdown::Both);
    }

    /// The last frame has been written: tells the client that nothing follows.
    fn end_output(&self, writer: &mut Writer, reason: CloseReason) {
        if self.waits_for_client(reason) {
            writer.stream.close_notify();
            let _ = self.hot.tcp.shutdown(Shutdown::Write);
        }
    }

    /// Asks the flusher to write the rest, unless it has been asked.
    fn flush_later(self: &Arc<Self>, writer: &mut Writer) {
        if !std::mem::replace(&mut writer.is_flush_requested, true) {
            self.flusher.flush_later(self.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A thread that panicked while it held the lock leaves a queue of bytes that is still whole.
        self.hot.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Writer {
    fn is_flushed(&self) -> bool {
        self.backlog.is_none()
    }

    /// Sends the piece; the first one with the upgrade response in front of it.
    fn send(&mut self, tcp: &Tcp, piece: Piece<'_>) {
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
        if self.is_broken {
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
    fn flush(&mut self, tcp: &Tcp) {
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
    fn drop_unstarted_frames(&mut self) {
        if let Some(backlog) = &mut self.backlog
            && !backlog.drop_unstarted_frames(self.stream.committed(backlog.next().len()))
        {
            self.backlog = None;
        }
    }

    /// Nothing can be sent any more.
    fn mark_broken(&mut self) {
        self.is_broken = true;
        self.backlog = None;
    }
}

/// Copies the pieces into one buffer, unless it would be long.
fn join<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Bytes> {
    let len = pieces.clone().map(<[u8]>::len).sum();
    (len <= JOIN_MAX_BYTES).then(|| {
        let mut joined = BytesMut::with_capacity(len);
        pieces.for_each(|piece| joined.extend_from_slice(piece));
        joined.freeze()
    })
}

#[cfg(test)]
pub(crate) mod tests;
