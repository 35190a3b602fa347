//! What is on its way to one client: written at once where the socket takes it, queued where not.
//!
//! Everything that goes out to a client goes through its outbox, so frames never interleave. The
//! dispatcher's thread puts events in, the client's session thread its pings and pongs, and what a
//! socket does not take the flusher's thread finishes. The lock is held for non-blocking calls only,
//! so none of them ever waits for the other's client. What frames mean is `protocol`'s business,
//! who gets them is `delivery`'s.

mod backlog;
mod flusher;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rustix::event::PollFlags;

use crate::chat::UserId;
use crate::net::admission::Ticket;
use crate::net::stop::wait_ready;
use crate::net::stream::{Stream, Tcp, read_when_there};
use crate::protocol::{CloseReason, close_frame};

use backlog::Backlog;
pub(crate) use flusher::{Flusher, Flushing};

/// Pieces that are together no longer than this are joined, so that one write carries them.
const JOIN_BYTES: usize = 16_384;

/// A connection's number: counts from 1 in the order in which they were accepted, and is never reused
/// while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// The way out to one client.
#[derive(Debug)]
pub(crate) struct Outbox {
    way: Way,
    /// Set once, under the lock.
    ending: OnceLock<Ending>,
    is_tls: bool,
    connection: ConnectionId,
    bounds: Bounds,
    /// The user at the other end, once that is known; 0 before.
    user: AtomicU64,
    flusher: Arc<Flusher>,
    /// The connection counts for as long as there is a way out to it.
    _ticket: Ticket,
}

/// What an outbox may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// What may wait, in bytes.
    pub(crate) max_queued: usize,
    /// How long a client may take none of what waits.
    pub(crate) write_timeout: Duration,
}

/// The client does not keep up: its queue holds more than `outboxMaxBytes` already, or it has taken
/// nothing of it for `writeTimeoutMs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// How and until when a connection is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) reason: CloseReason,
    /// What is not sent by then is dropped.
    pub(crate) until: Instant,
}

/// How far a flush came, and how the connection is to end if it is.
#[derive(Debug)]
enum Flushed {
    Whole(Option<Ending>),
    InPart(Option<Ending>),
}

/// Whole frames: the bytes of `chunk` from `start` to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) chunk: &'a Bytes,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All that sending looks at: one line of the processor's cache. A room's frames go out to one client
/// after the other, and to wait for the memory of each would cost about what the frame does.
#[derive(Debug)]
#[repr(align(64))]
struct Way {
    tcp: Tcp,
    writer: Mutex<Writer>,
}

const _: () = assert!(size_of::<Way>() == 64, "what is rare lies in boxes");

/// Writes what the socket takes, and keeps the rest.
#[derive(Debug)]
struct Writer {
    stream: Stream,
    /// The answer to the client's HTTP request, which goes out with the first frame.
    answer: Option<Box<Bytes>>,
    /// What waits, while something does.
    backlog: Option<Box<Backlog>>,
    /// The flusher knows that something waits.
    is_tended: bool,
    /// The connection is to end, and nothing more to go out.
    is_ending: bool,
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

    /// The same, on its own.
    fn to_bytes(self) -> Bytes {
        self.chunk.slice(self.start..self.end)
    }
}

impl Outbox {
    /// Takes over all writing to `tcp`, by way of `stream`. `answer` goes out in front of the
    /// first frame, and in one write with it.
    pub(crate) fn new(
        stream: Stream,
        tcp: Tcp,
        (connection, ticket): (ConnectionId, Ticket),
        answer: Bytes,
        bounds: Bounds,
        flusher: Arc<Flusher>,
    ) -> Self {
        let is_tls = stream.is_tls();
        let writer = Writer {
            stream,
            answer: Some(Box::new(answer)),
            backlog: None,
            is_tended: false,
            is_ending: false,
            broken: false,
        };
        Self {
            way: Way { tcp, writer: Mutex::new(writer) },
            ending: OnceLock::new(),
            is_tls,
            connection,
            bounds,
            user: AtomicU64::new(0),
            flusher,
            _ticket: ticket,
        }
    }

    /// Sends whole frames, in their order, after what was sent before.
    ///
    /// A queue at its limit takes nothing more, but what is put in while there is room may exceed
    /// it: so a client that keeps up is never cut off for one long frame.
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
        if writer.is_ending || writer.broken {
            return Ok(());
        }
        if writer.backlog.as_ref().is_some_and(|backlog| backlog.is_full(&self.bounds)) {
            return Err(Full);
        }
        for piece in pieces {
            writer.put(&self.way.tcp, *piece);
        }
        if !writer.is_flushed() {
            self.hand_over(&mut writer);
        }
        Ok(())
    }

    /// Ends the connection: after what is queued comes the Close frame for `reason`, if it has one,
    /// and then nothing more. What is not done by `until` is cut off.
    pub(crate) fn finish(self: &Arc<Self>, reason: CloseReason, until: Instant) {
        let mut writer = self.lock();
        if writer.is_ending {
            return;
        }
        if reason.drops_backlog() {
            writer.drop_unbegun();
        }
        if let Some(frame) = close_frame(reason) {
            writer.put(&self.way.tcp, Piece::whole(&frame));
        }
        writer.is_ending = true;
        self.ending.get_or_init(|| Ending { reason, until });
        let is_flushed = writer.is_flushed();
        if is_flushed {
            self.end_output(&mut writer, reason);
        }
        if !is_flushed || self.waits_for_client(reason) {
            writer.is_tended = false;
            self.hand_over(&mut writer);
        }
    }

    /// Whether a connection that has been sent everything waits for its client to close. One that
    /// the client itself has ended is just dropped; under TLS the client may say goodbye once more,
    /// and to be answered with RST could cost it our Close frame.
    pub(crate) fn waits_for_client(&self, reason: CloseReason) -> bool {
        match reason {
            CloseReason::ConnectionLost => false,
            CloseReason::ClosedByClient(_) => self.is_tls,
            _ => true,
        }
    }

    /// Waits for what the client sends, for as long as `timeout`, which must be that of the socket,
    /// too. `WouldBlock` means that it has been silent for that long. For the session.
    pub(crate) fn read(&self, buf: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if !self.is_tls {
            return read_when_there(&self.way.tcp, buf);
        }
        let deadline = Instant::now() + timeout;
        loop {
            let interest = {
                let mut writer = self.lock();
                match writer.stream.read(&self.way.tcp, buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
                // TLS may have to write before it can read on.
                let waits_to_write = writer.is_flushed() && writer.stream.reads_by_writing();
                if waits_to_write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
            };
            wait_ready(&self.way.tcp, interest, deadline)?;
        }
    }

    /// How the connection is to end, once that is known.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }

    /// What may wait to be sent, in bytes.
    pub(crate) fn max_queued(&self) -> usize {
        self.bounds.max_queued
    }

    /// Notes whom this leads to.
    pub(crate) fn set_user(&self, user: UserId) {
        self.user.store(user.0, Ordering::Relaxed);
    }

    /// Whom this leads to; 0 before that is known.
    pub(crate) fn user(&self) -> UserId {
        UserId(self.user.load(Ordering::Relaxed))
    }

    /// Fetches what [`Outbox::send`] looks at, without waiting for it.
    pub(crate) fn touch(&self) {
        std::hint::black_box(self.way.writer.is_poisoned());
    }

    fn key(&self) -> u64 {
        self.connection.0
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.way.tcp
    }

    /// Writes what the socket takes of the queue. For the flusher.
    fn flush(&self) -> Flushed {
        let mut writer = self.lock();
        let was_flushed = writer.is_flushed();
        writer.flush(&self.way.tcp);
        if !writer.is_flushed() {
            return Flushed::InPart(self.ending());
        }
        writer.is_tended = false;
        if let Some(ending) = self.ending()
            && !was_flushed
        {
            self.end_output(&mut writer, ending.reason);
        }
        Flushed::Whole(self.ending())
    }

    /// Ends the connection at once. The session notices.
    fn cut_off(&self) {
        self.lock().give_up();
        let _ = self.way.tcp.shutdown(Shutdown::Both);
    }

    /// After the last frame: nothing follows.
    fn end_output(&self, writer: &mut Writer, reason: CloseReason) {
        if self.waits_for_client(reason) {
            writer.stream.close_notify();
            let _ = self.way.tcp.shutdown(Shutdown::Write);
        }
    }

    fn hand_over(self: &Arc<Self>, writer: &mut Writer) {
        if !std::mem::replace(&mut writer.is_tended, true) {
            self.flusher.tend(self.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic elsewhere does not harm a queue of bytes.
        self.way.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Writer {
    fn is_flushed(&self) -> bool {
        self.backlog.is_none()
    }

    /// Sends the piece, with the answer in front of the first.
    fn put(&mut self, tcp: &TcpStream, piece: Piece<'_>) {
        match self.answer.take() {
            None => self.write_or_keep(tcp, piece, 0),
            Some(answer) => {
                let both = Bytes::from([&answer, piece.bytes()].concat());
                self.write_or_keep(tcp, Piece::whole(&both), answer.len());
            }
        }
    }

    /// Writes the piece now if nothing waits, and keeps what is left of it. The answer is the first
    /// `answer` bytes of it.
    fn write_or_keep(&mut self, tcp: &TcpStream, piece: Piece<'_>, answer: usize) {
        if let Some(backlog) = &mut self.backlog {
            backlog.push(piece.to_bytes());
            return;
        }
        if self.broken {
            return;
        }
        let bytes = piece.bytes();
        match self.stream.write_some(tcp, bytes) {
            Ok(sent) if sent == bytes.len() => {}
            Ok(sent) => {
                self.backlog = Some(Box::new(Backlog::new(piece.to_bytes(), sent, answer)));
            }
            Err(_) => self.give_up(),
        }
    }

    /// Writes what the socket takes of the backlog.
    fn flush(&mut self, tcp: &TcpStream) {
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
                Err(_) => self.give_up(),
            }
        }
    }

    /// Drops what waits, save the rest of the frame that has been begun.
    fn drop_unbegun(&mut self) {
        if let Some(backlog) = &mut self.backlog
            && !backlog.drop_unbegun(self.stream.committed(backlog.next().len()))
        {
            self.backlog = None;
        }
    }

    /// Nothing gets through any more.
    fn give_up(&mut self) {
        self.broken = true;
        self.backlog = None;
    }
}

/// One buffer of all pieces, unless it would be long.
fn join<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Bytes> {
    let len = pieces.clone().map(<[u8]>::len).sum();
    (len <= JOIN_BYTES).then(|| {
        let mut joined = BytesMut::with_capacity(len);
        pieces.for_each(|piece| joined.extend_from_slice(piece));
        joined.freeze()
    })
}

#[cfg(test)]
pub(crate) mod tests;
