//! The outbox: everything that is on its way to one client.
//!
//! All output of a client goes through its outbox, so frames never interleave. What the socket takes is
//! written at once, by the thread that sends: the dispatcher for replies and room events, the client's
//! session for pings and pongs. What the socket does not take is queued, and the flusher's thread writes
//! it later. What frames mean is left to `protocol`, who gets them to `delivery`.
//!
//! These threads use the writer in turns. Under TLS the session also reads in its turn, and that takes as
//! long as the client likes. So nobody else waits for a turn: who finds it taken leaves an order, which
//! is carried out by whoever has it (`handoff`).

mod backlog;
mod flusher;
mod handoff;
#[cfg(test)]
mod handoff_test;
#[cfg(any(test, feature = "bench"))]
mod memory;
mod orders;
mod writer;

use std::convert::Infallible;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rustix::event::PollFlags;

use crate::chat::{ConnectionId, UserId};
use crate::net::admission::Ticket;
use crate::net::stop::wait_ready;
use crate::net::stream::{Stream, Tcp};
use crate::protocol::{CloseReason, close_frame};

pub(crate) use flusher::{Flusher, FlusherThread};
use handoff::{Handoff, Turns, lock};
#[cfg(feature = "bench")]
pub(crate) use memory::discarding_outbox;
#[cfg(test)]
pub(crate) use memory::memory_outbox;
use orders::{Order, Orders};
use writer::{State, Writer};

/// What `handoff` is built on. Its test builds it on the same types of a checker.
mod sync {
    pub(super) use std::sync::atomic::{AtomicBool, Ordering};
    pub(super) use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
}

/// Pieces that are together no longer than this are copied into one buffer, so that one write sends them.
const JOIN_MAX_BYTES: usize = 16_384;

/// The way out to one client.
#[derive(Debug)]
pub(crate) struct Outbox {
    hot: HotState,
    /// What is to be done by whoever has the turn.
    orders: Mutex<Orders>,
    /// Set when the end is decided. The Close frame may follow later.
    ending: OnceLock<Ending>,
    is_tls: bool,
    connection: ConnectionId,
    bounds: Arc<Bounds>,
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
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) flusher: Arc<Flusher>,
}

/// How much an outbox may hold, and for how long. All outboxes of a server share it, and it may change at any
/// time. It is only looked at when something is queued.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// How much may be queued, in bytes.
    max_queued: AtomicUsize,
    /// How long a client may take none of what is queued, in milliseconds.
    write_timeout_ms: AtomicU64,
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
    /// Another thread has the turn and will write what the socket takes. It asks for a flush if it is not
    /// all.
    HandedOver(Option<Ending>),
}

/// Everything that sending looks at, on one line of the processor's cache. A room's frames are sent to
/// one client after the other, and a cache miss costs about as much as the frame itself.
#[derive(Debug)]
#[repr(align(64))]
struct HotState {
    tcp: Tcp,
    writer: Handoff<Writer>,
}

const _: () = assert!(size_of::<HotState>() == 64, "box what is rarely used");

impl Bounds {
    pub(crate) fn new(max_queued: usize, write_timeout: Duration) -> Arc<Self> {
        let bounds = Self { max_queued: AtomicUsize::new(0), write_timeout_ms: AtomicU64::new(0) };
        bounds.set(max_queued, write_timeout);
        Arc::new(bounds)
    }

    pub(crate) fn set(&self, max_queued: usize, write_timeout: Duration) {
        let write_timeout_ms = u64::try_from(write_timeout.as_millis()).unwrap_or(u64::MAX);
        self.max_queued.store(max_queued, Ordering::Relaxed);
        self.write_timeout_ms.store(write_timeout_ms, Ordering::Relaxed);
    }

    fn max_queued(&self) -> usize {
        self.max_queued.load(Ordering::Relaxed)
    }

    fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms.load(Ordering::Relaxed))
    }
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
        let writer = Writer::new(stream, upgrade_response);
        Arc::new(Self {
            hot: HotState { tcp, writer: Handoff::new(writer) },
            orders: Mutex::default(),
            ending: OnceLock::new(),
            is_tls,
            connection,
            bounds,
            user: AtomicU64::new(0),
            flusher,
            _ticket: ticket,
        })
    }

    /// Sends whole frames, in order, after everything sent before. Never waits.
    ///
    /// A queue above its limit takes nothing more. A send that starts below the limit may exceed it,
    /// so a client that keeps up is never closed for one long frame.
    pub(crate) fn send(self: &Arc<Self>, pieces: &[Piece<'_>]) -> Result<(), Full> {
        if pieces.len() > 1
            && let Some(joined) = join(pieces.iter().map(Piece::bytes))
        {
            let joined = self.flusher.memory.hold(joined);
            return self.send_each(&[Piece::whole(&joined)]);
        }
        self.send_each(pieces)
    }

    /// Like [`Outbox::send`], but waits while another thread writes. For the client's own session: it
    /// answers as fast as the client asks, and must not keep others busy with what it leaves for them.
    pub(crate) fn send_waiting(self: &Arc<Self>, frame: &Bytes) -> Result<(), Full> {
        self.send_now(&mut self.wait_for_turn(), &[Piece::whole(frame)])
    }

    fn send_each(self: &Arc<Self>, pieces: &[Piece<'_>]) -> Result<(), Full> {
        if let Some(mut turn) = self.try_turn() {
            return self.send_now(&mut turn, pieces);
        }
        if self.ending().is_some() {
            return Ok(());
        }
        self.hand_over(|orders| orders.leave_frames(pieces, &self.bounds))
    }

    fn send_now(self: &Arc<Self>, writer: &mut Writer, pieces: &[Piece<'_>]) -> Result<(), Full> {
        if writer.state != State::Open {
            return Ok(());
        }
        if writer.behind().is_some_and(|behind| behind.is_full(&self.bounds)) {
            return Err(Full);
        }
        self.write(writer, pieces);
        self.settle(writer, 0);
        Ok(())
    }

    fn write(self: &Arc<Self>, writer: &mut Writer, pieces: &[Piece<'_>]) {
        for piece in pieces {
            writer.send(&self.hot.tcp, *piece);
        }
        if !writer.is_flushed() {
            self.flush_later(writer);
        }
    }

    /// Ends the connection: sends the Close frame for `reason`, if it has one, behind what is queued,
    /// and nothing after it. The flusher cuts the connection off at `until` if it still stands. Never
    /// waits.
    pub(crate) fn finish(self: &Arc<Self>, reason: CloseReason, until: Instant) {
        if self.ending.set(Ending { reason, until }).is_err() {
            return;
        }
        if let Some(mut turn) = self.try_turn() {
            self.finish_now(&mut turn, reason);
            return;
        }
        self.leave(Order::Finish);
        // Until then it has to know the deadline: there may be no end to the turn.
        self.flusher.flush_later(self.clone());
    }

    fn finish_now(self: &Arc<Self>, writer: &mut Writer, reason: CloseReason) {
        if reason.drops_backlog() {
            writer.drop_unstarted_frames();
        }
        if let Some(frame) = close_frame(reason) {
            writer.send(&self.hot.tcp, Piece::whole(&frame));
        }
        if writer.state == State::Open {
            writer.state = State::Ending;
        }
        let is_flushed = writer.is_flushed();
        if is_flushed {
            self.end_output(writer, reason);
        }
        if !is_flushed || self.waits_for_client(reason) {
            // Asked again even if it knows of the backlog: now there is a deadline, too.
            writer.is_flush_requested = false;
            self.flush_later(writer);
        }
        self.settle(writer, 0);
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
    pub(crate) fn read(self: &Arc<Self>, buf: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if !self.is_tls {
            return self.hot.tcp.read_blocking(buf);
        }
        let deadline = Instant::now() + timeout;
        loop {
            let interest = {
                let mut writer = self.wait_for_turn();
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
        self.bounds.max_queued()
    }

    /// How many bytes are queued.
    pub(crate) fn queued(&self) -> usize {
        lock(&self.orders).queued()
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
    /// Safe Rust has no prefetch instruction. Looking for calls loads the same cache line,
    /// and as nothing depends on the result, the processor does not wait for it.
    pub(crate) fn prefetch(&self) {
        std::hint::black_box(self.hot.writer.is_called());
    }

    /// The socket, for its options and for `poll`. Panics on a connection in memory.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.hot.tcp.socket()
    }

    /// Writes what the socket takes of the queue. For the flusher. Never waits.
    fn flush(self: &Arc<Self>) -> FlushOutcome {
        if let Some(mut turn) = self.try_turn() {
            return self.flush_now(&mut turn);
        }
        self.leave(Order::Flush);
        FlushOutcome::HandedOver(self.ending())
    }

    fn flush_now(&self, writer: &mut Writer) -> FlushOutcome {
        let was_flushed = writer.is_flushed();
        writer.flush(&self.hot.tcp);
        self.settle(writer, 0);
        if !writer.is_flushed() {
            return FlushOutcome::Blocked(self.ending());
        }
        writer.is_flush_requested = false;
        if let Some(ending) = self.ending()
            && writer.state == State::Ending
            && !was_flushed
        {
            self.end_output(writer, ending.reason);
        }
        FlushOutcome::Done(self.ending())
    }

    /// Ends the connection at once. The session's read returns, and it ends. Never waits.
    fn cut_off(self: &Arc<Self>) {
        let _ = self.hot.tcp.shutdown(Shutdown::Both);
        match self.try_turn() {
            Some(mut turn) => self.mark_cut_off(&mut turn),
            None => self.leave(Order::CutOff),
        }
    }

    fn mark_cut_off(&self, writer: &mut Writer) {
        writer.mark_broken();
        self.settle(writer, 0);
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

    fn leave(self: &Arc<Self>, order: Order) {
        let Ok(()) = self.hand_over(|orders| {
            orders.leave(order);
            Ok::<(), Infallible>(())
        });
    }

    /// Notes for those who leave orders how far the client is behind now, whenever that may have changed,
    /// and that orders for frames of this many bytes have been carried out.
    fn settle(&self, writer: &mut Writer, carried_out: usize) {
        let behind = writer.behind();
        if carried_out > 0 || behind.is_some() || writer.is_known_behind {
            writer.is_known_behind = behind.is_some();
            if let Some(behind) = behind {
                self.flusher.memory.note_queue(behind.queued);
            }
            lock(&self.orders).settle(carried_out, behind);
        }
    }
}

impl Turns for Arc<Outbox> {
    type Value = Writer;
    type Orders = Orders;

    fn handoff(&self) -> &Handoff<Writer> {
        &self.hot.writer
    }

    fn orders(&self) -> &Mutex<Orders> {
        &self.orders
    }

    fn carry_out_orders(&self, writer: &mut Writer) {
        let orders = lock(&self.orders).take();
        for order in orders {
            match order {
                Order::Send(frames) => {
                    // There was room for it when it was left.
                    if writer.state == State::Open {
                        self.write(writer, &[Piece::whole(&frames)]);
                    }
                    self.settle(writer, frames.len());
                }
                Order::Finish => {
                    if let Some(ending) = self.ending() {
                        self.finish_now(writer, ending.reason);
                    }
                }
                Order::Flush => {
                    // The flusher does not watch the socket meanwhile, and does not know that all has been sent.
                    if !matches!(self.flush_now(writer), FlushOutcome::Done(None)) {
                        writer.is_flush_requested = false;
                        self.flush_later(writer);
                    }
                }
                Order::CutOff => self.mark_cut_off(writer),
            }
        }
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
