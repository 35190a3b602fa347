//! What is on its way to one client: written at once where the socket takes it, queued where not.
//!
//! Everything that goes out to a client goes through its outbox, so frames never interleave. The
//! dispatcher's thread puts events in, the client's session thread its pings and pongs, and what a
//! socket does not take the flusher's thread finishes. The lock is held for non-blocking calls only,
//! so none of them ever waits for the other's client. What frames mean is `protocol`'s business,
//! who gets them is `delivery`'s.

mod flusher;

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rustix::event::PollFlags;

use crate::chat::UserId;
use crate::net::admission::Ticket;
use crate::net::stop::wait_ready;
use crate::net::stream::{Stream, Tcp, read_when_there};
use crate::protocol::{CloseReason, close_frame, frame_end};

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
    writer: Mutex<Writer>,
    /// The connection is to end. Set once, under the lock.
    is_ending: AtomicBool,
    is_tls: bool,
    connection: ConnectionId,
    /// What `writer` holds to, for those who hold no lock.
    max_queued: usize,
    /// The user at the other end, once that is known; 0 before.
    user: AtomicU64,
    tcp: Tcp,
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

#[derive(Debug)]
struct Writer {
    stream: Stream,
    /// The answer to the client's HTTP request, which goes out with the first frame.
    answer: Option<Bytes>,
    /// Each entry begins with a frame's first byte, but for the first of all with the answer.
    queue: VecDeque<Bytes>,
    /// How much of the queue's first entry has been sent.
    head_sent: usize,
    /// How much of the queue's first entry is the answer.
    head_answer: usize,
    /// What waits, in bytes.
    queued: usize,
    bounds: Bounds,
    /// Since when the socket has taken nothing, while something waits.
    blocked_since: Option<Instant>,
    /// The flusher knows that something waits.
    is_tended: bool,
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
            answer: Some(answer),
            queue: VecDeque::new(),
            head_sent: 0,
            head_answer: 0,
            queued: 0,
            bounds,
            blocked_since: None,
            is_tended: false,
            ending: None,
            broken: false,
        };
        let is_ending = AtomicBool::new(false);
        Self {
            writer: Mutex::new(writer),
            is_ending,
            is_tls,
            connection,
            max_queued: bounds.max_queued,
            user: AtomicU64::new(0),
            tcp,
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
        if writer.ending.is_some() || writer.broken {
            return Ok(());
        }
        if writer.is_full() {
            return Err(Full);
        }
        for piece in pieces {
            writer.put(&self.tcp, *piece);
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
        if writer.ending.is_some() {
            return;
        }
        if reason.drops_backlog() {
            writer.drop_backlog();
        }
        if let Some(frame) = close_frame(reason)
            && !writer.broken
        {
            writer.put(&self.tcp, Piece::whole(&frame));
        }
        writer.ending = Some(Ending { reason, until });
        self.is_ending.store(true, Ordering::Release);
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
            return read_when_there(&self.tcp, buf);
        }
        let deadline = Instant::now() + timeout;
        loop {
            let interest = {
                let mut writer = self.lock();
                match writer.stream.read(&self.tcp, buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
                // TLS may have to write before it can read on.
                let waits_to_write = writer.queue.is_empty() && writer.stream.reads_by_writing();
                if waits_to_write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
            };
            wait_ready(&self.tcp, interest, deadline)?;
        }
    }

    /// How the connection is to end, once that is known. Costs nothing before.
    pub(crate) fn ending(&self) -> Option<Ending> {
        if self.is_ending.load(Ordering::Acquire) { self.lock().ending } else { None }
    }

    /// What may wait to be sent, in bytes.
    pub(crate) fn max_queued(&self) -> usize {
        self.max_queued
    }

    /// Notes whom this leads to.
    pub(crate) fn set_user(&self, user: UserId) {
        self.user.store(user.0, Ordering::Relaxed);
    }

    /// Whom this leads to; 0 before that is known.
    pub(crate) fn user(&self) -> UserId {
        UserId(self.user.load(Ordering::Relaxed))
    }

    /// Fetches what [`Outbox::send`] looks at first, the lock, without waiting for it.
    pub(crate) fn touch(&self) {
        std::hint::black_box(self.writer.is_poisoned());
    }

    fn key(&self) -> u64 {
        self.connection.0
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Writes what the socket takes of the queue. For the flusher.
    fn flush(&self) -> Flushed {
        let mut writer = self.lock();
        let was_flushed = writer.is_flushed();
        writer.flush(&self.tcp);
        if !writer.is_flushed() {
            return Flushed::InPart(writer.ending);
        }
        writer.is_tended = false;
        if let Some(ending) = writer.ending
            && !was_flushed
        {
            self.end_output(&mut writer, ending.reason);
        }
        Flushed::Whole(writer.ending)
    }

    /// Ends the connection at once. The session notices.
    fn cut_off(&self) {
        self.lock().broken = true;
        let _ = self.tcp.shutdown(Shutdown::Both);
    }

    /// After the last frame: nothing follows.
    fn end_output(&self, writer: &mut Writer, reason: CloseReason) {
        if self.waits_for_client(reason) {
            writer.stream.close_notify();
            let _ = self.tcp.shutdown(Shutdown::Write);
        }
    }

    fn hand_over(self: &Arc<Self>, writer: &mut Writer) {
        if !std::mem::replace(&mut writer.is_tended, true) {
            self.flusher.tend(self.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic elsewhere does not harm a queue of bytes.
        self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Writer {
    fn is_flushed(&self) -> bool {
        self.broken || self.queue.is_empty()
    }

    fn is_full(&self) -> bool {
        self.queued > self.bounds.max_queued
            || self.blocked_since.is_some_and(|since| since.elapsed() >= self.bounds.write_timeout)
    }

    /// Writes the piece now if nothing waits, and queues what is left of it.
    fn put(&mut self, tcp: &TcpStream, piece: Piece<'_>) {
        if let Some(answer) = self.answer.take() {
            self.head_answer = answer.len();
            let both = Bytes::from([&answer, piece.bytes()].concat());
            return self.put(tcp, Piece::whole(&both));
        }
        let bytes = piece.bytes();
        let mut sent = 0;
        if self.queue.is_empty() && !self.broken {
            match self.stream.write_some(tcp, bytes) {
                Ok(written) => sent = written,
                Err(_) => self.broken = true,
            }
            if sent == bytes.len() || self.broken {
                self.head_answer = 0;
                return;
            }
            self.head_sent = sent;
            self.blocked_since = Some(Instant::now());
        }
        self.queued += bytes.len() - sent;
        self.queue.push_back(piece.chunk.slice(piece.start..piece.end));
    }

    fn flush(&mut self, tcp: &TcpStream) {
        while let Some(head) = self.queue.front()
            && !self.broken
        {
            let rest = &head[self.head_sent..];
            let left = rest.len();
            match self.stream.write_some(tcp, rest) {
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
                    self.head_answer = 0;
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
        let frames = self.head_answer;
        head.truncate(frames + frame_end(&head[frames..], begun.saturating_sub(frames)));
        self.queued = head.len() - self.head_sent;
        self.queue.truncate(1);
        if self.queued == 0 {
            self.queue.clear();
            self.head_sent = 0;
        }
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
