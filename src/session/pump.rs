//! The life of a WebSocket connection: frames in, requests out, and waiting in between.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::debug;
use rustix::event::{PollFd, PollFlags};
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::Connection;
use super::heartbeat::{Beat, Heartbeat};
use super::limiter::{Bucket, Limiter, Pace};
use crate::chat::Request;
use crate::dispatcher::Input;
use crate::net::stop::wait_for;
use crate::outbox::{Full, Outbox, Piece};
use crate::protocol::{CloseReason, ErrorReply, parse_request, ping_frame};

/// The read buffer, which each client has at rest. tungstenite's own default is 32 times as much.
const READ_BUFFER_BYTES: usize = 4096;

/// How much is read before the session looks after its other duties again.
const TURN_BYTES: usize = 65_536;

/// Reads one client's frames until there is a reason to end.
pub(super) struct Pump<'a> {
    connection: &'a Connection<'a>,
    socket: WebSocket<Reader<'a>>,
    heartbeat: Heartbeat,
    messages: Limiter,
    new_rooms: Bucket,
    write_timeout: Duration,
}

/// The stream as tungstenite sees it: reads come from the socket, writes go to the outbox.
struct Reader<'a> {
    outbox: &'a Outbox,
    is_tls: bool,
    /// The socket has been read empty: no call is needed to learn that it would block.
    is_drained: bool,
    /// How much may still be read in this turn.
    turn: usize,
    /// The client pings, and does not read the pongs.
    is_full: bool,
}

impl<'a> Pump<'a> {
    /// `read_ahead` is what the client sent before the connection was upgraded.
    pub(super) fn new(connection: &'a Connection<'a>, read_ahead: Vec<u8>) -> Self {
        let limits = &connection.session.shared.settings.limits;
        let now = Instant::now();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.max_message_bytes))
            .max_frame_size(Some(limits.max_message_bytes));
        let reader = Reader {
            outbox: &connection.outbox,
            is_tls: connection.outbox.is_tls(),
            is_drained: false,
            turn: 0,
            is_full: false,
        };
        Self {
            connection,
            socket: WebSocket::from_partially_read(reader, read_ahead, Role::Server, Some(config)),
            heartbeat: Heartbeat::new(
                Duration::from_millis(limits.ping_interval_ms),
                Duration::from_millis(limits.pong_timeout_ms),
                now,
            ),
            messages: Limiter::new(limits.messages_per_second, limits.message_burst, now),
            new_rooms: Bucket::new(limits.rooms_per_second, limits.room_burst, now),
            write_timeout: Duration::from_millis(limits.write_timeout_ms),
        }
    }

    /// Runs until the connection has to end, and says why.
    pub(super) fn run(mut self) -> CloseReason {
        // What was read ahead, or lies in TLS already, makes no socket readable.
        let mut is_readable = true;
        loop {
            if is_readable && let Err(reason) = self.read() {
                return reason;
            }
            match self.wait() {
                Ok(readable) => is_readable = readable,
                Err(reason) => return reason,
            }
        }
    }

    /// Waits for the client, the dispatcher, or the time. True when there is something to read.
    fn wait(&mut self) -> Result<bool, CloseReason> {
        let outbox = &*self.connection.outbox;
        // A turn that ended early leaves more to read than `poll` may know of: look, do not wait.
        let has_more = self.socket.get_ref().turn == 0;
        let deadline = if has_more { Instant::now() } else { self.deadline(outbox) };
        let mut interest = PollFlags::IN;
        interest.set(PollFlags::OUT, outbox.is_waiting_to_write());
        let tcp = &*self.connection.session.tcp;
        let mut fds =
            [PollFd::new(tcp, interest), PollFd::from_borrowed_fd(outbox.wake(), PollFlags::IN)];
        wait_for(&mut fds, Some(deadline)).map_err(|error| {
            debug!("user {}: cannot wait: {error}", self.connection.user.0);
            CloseReason::InternalError
        })?;
        let (tcp, wake) = (fds[0].revents(), fds[1].revents());
        if !wake.is_empty() {
            outbox.hear();
            if let Some(ending) = outbox.ending() {
                return Err(ending.reason);
            }
        }
        if tcp.contains(PollFlags::OUT) || !wake.is_empty() {
            outbox.flush();
        }
        self.keep_up(outbox)?;
        // TLS may have to write before it can read on.
        let is_readable = tcp.intersects(!PollFlags::OUT) || (outbox.is_tls() && !tcp.is_empty());
        Ok(is_readable || has_more)
    }

    /// When there is something to do even if nothing happens.
    fn deadline(&self, outbox: &Outbox) -> Instant {
        let heartbeat = self.heartbeat.deadline();
        let stalled_at = outbox.stalled_at(self.write_timeout);
        stalled_at.map_or(heartbeat, |stalled_at| stalled_at.min(heartbeat))
    }

    /// Sees to the heartbeat and to a client that takes nothing.
    fn keep_up(&mut self, outbox: &Outbox) -> Result<(), CloseReason> {
        let now = Instant::now();
        if outbox.stalled_at(self.write_timeout).is_some_and(|stalled_at| stalled_at <= now) {
            return Err(CloseReason::SlowConsumer);
        }
        match self.heartbeat.beat(now) {
            Beat::Quiet => Ok(()),
            Beat::Ping => {
                let ping = ping_frame();
                outbox.send(&[Piece::whole(&ping)]).map_err(|Full| CloseReason::SlowConsumer)
            }
            Beat::GiveUp => Err(CloseReason::PongTimeout),
        }
    }

    /// Reads what there is, up to a turn's worth.
    fn read(&mut self) -> Result<(), CloseReason> {
        self.socket.get_mut().begin_turn();
        let result = loop {
            match self.socket.read() {
                Ok(message) => {
                    if let Err(reason) = self.take(message) {
                        break Err(reason);
                    }
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(self.reason(&error)),
            }
        };
        if self.socket.get_ref().turn < TURN_BYTES {
            self.heartbeat.hear(Instant::now());
        }
        result
    }

    fn take(&mut self, message: Message) -> Result<(), CloseReason> {
        match message {
            Message::Text(text) => {
                let user = self.connection.user;
                let input = match self.judge(&text)? {
                    Ok(request) => Input::Request { user, request },
                    Err(error) => Input::Refuse { user, error },
                };
                // The dispatcher is gone only when the process is about to be.
                self.connection.session.inputs.send(input).map_err(|_| CloseReason::InternalError)
            }
            Message::Binary(_) => Err(CloseReason::BinaryMessage),
            // tungstenite has put the pong into the outbox, or will with the next read.
            Message::Ping(_) => match self.messages.judge(Instant::now()) {
                Pace::Fine | Pace::TooFast(_) => Ok(()),
                Pace::Hopeless => Err(CloseReason::TooFast),
            },
            Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Close(frame) => {
                Err(CloseReason::ClosedByClient(frame.map(|frame| frame.code.into())))
            }
        }
    }

    /// What one text message asks for, or why it is refused.
    fn judge(&mut self, text: &str) -> Result<Result<Request, ErrorReply>, CloseReason> {
        let now = Instant::now();
        match self.messages.judge(now) {
            Pace::Fine => {}
            Pace::TooFast(wait) => return Ok(Err(ErrorReply::rate_limited("messages", wait))),
            Pace::Hopeless => return Err(CloseReason::TooFast),
        }
        let request = match parse_request(text) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error)),
        };
        if matches!(request, Request::CreateRoom(_))
            && let Err(wait) = self.new_rooms.take(now)
        {
            return Ok(Err(ErrorReply::rate_limited("new rooms", wait)));
        }
        Ok(Ok(request))
    }

    /// The reason that an error of tungstenite's is for us.
    fn reason(&self, error: &Error) -> CloseReason {
        debug!("user {}: {error}", self.connection.user.0);
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseReason::MessageTooBig,
            Error::Utf8(_) => CloseReason::InvalidUtf8,
            Error::Io(_) if self.socket.get_ref().is_full => CloseReason::SlowConsumer,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::Io(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed => CloseReason::ConnectionLost,
            _ => CloseReason::ProtocolError,
        }
    }
}

impl Reader<'_> {
    fn begin_turn(&mut self) {
        self.is_drained = false;
        self.turn = TURN_BYTES;
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.is_drained || self.turn == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let read = self.outbox.read(buf)?;
        self.turn = self.turn.saturating_sub(read);
        // TLS hands out one record at a time, so there a short read says nothing of the next.
        self.is_drained = !self.is_tls && 0 < read && read < buf.len();
        Ok(read)
    }
}

impl Write for Reader<'_> {
    /// Takes whole frames: with its own buffer switched off, tungstenite writes each by itself.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let bytes = Bytes::copy_from_slice(frame);
        self.outbox.send(&[Piece::whole(&bytes)]).map_err(|Full| {
            self.is_full = true;
            io::Error::other("the outbox is full")
        })?;
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
