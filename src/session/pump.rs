//! Reads one client's WebSocket: frames in, requests to the dispatcher out.
//!
//! Runs on the session's thread. Owns the heartbeat of the connection, and keeps to its pace: it rejects
//! requests that come too fast, and reads no more for a while from a client that sends too much. All
//! output goes to the outbox; what a request does is left to the dispatcher.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::debug;
use rustix::net::sockopt::set_tcp_quickack;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::Connection;
use super::frame_counter::FrameCounter;
use super::heartbeat::{Heartbeat, TimeoutAction};
use crate::chat;
use crate::input::Input;
use crate::memory::PartialMessage;
use crate::outbox::Full;
use crate::pace::RateDecision;
use crate::protocol::{
    CloseReason, ErrorReply, Reference, Request, Version, ping_frame, reference_of,
};
use crate::settings::Limits;

/// The size of tungstenite's read buffer. Every idle client holds one, and tungstenite zeroes it before
/// each read. What people type fits in; tungstenite's default is 128 times as much.
const READ_BUFFER_BYTES: usize = 1024;

/// A message that has come in part is not given up before it is longer than this, however little memory
/// there is.
const SMALL_MESSAGE_BYTES: usize = 4_096;

/// The longest pause after which a client is read from again.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// How long a pause goes on after the connection has been ended.
const PAUSE_STEP: Duration = Duration::from_millis(100);

/// A request and its reference, or why it is refused.
type ParsedRequest = Result<(Request, Reference), ErrorReply>;

/// Reads one client's frames until there is a reason to close.
pub(super) struct Pump<'a> {
    connection: &'a Connection,
    socket: WebSocket<OutboxStream<'a>>,
}

/// The stream that tungstenite uses: reads wait for the socket, writes go to the outbox.
struct OutboxStream<'a> {
    connection: &'a Connection,
    heartbeat: Heartbeat,
    frames: FrameCounter,
    partial: PartialMessage,
    /// Nothing is read until then.
    paused_until: Instant,
    /// A pong did not fit: the client pings and does not read.
    is_full: bool,
    /// There is no memory for the rest of the client's message.
    is_out_of_memory: bool,
}

impl<'a> Pump<'a> {
    /// `read_ahead` is what the client sent right after its upgrade request.
    pub(super) fn new(connection: &'a Connection, limits: &Limits, read_ahead: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.max_message_bytes))
            .max_frame_size(Some(limits.max_message_bytes));
        let heartbeat = Heartbeat::new(
            Duration::from_millis(limits.ping_interval_ms),
            Duration::from_millis(limits.pong_timeout_ms),
        );
        let mut stream = OutboxStream {
            connection,
            heartbeat,
            frames: FrameCounter::default(),
            partial: PartialMessage::new(connection.memory.clone()),
            paused_until: Instant::now(),
            is_full: false,
            is_out_of_memory: false,
        };
        stream.count(&read_ahead);
        let socket = WebSocket::from_partially_read(stream, read_ahead, Role::Server, Some(config));
        Self { connection, socket }
    }

    /// Runs until the connection has to close, and returns why.
    pub(super) fn run(mut self) -> CloseReason {
        match self.pump() {
            Ok(never) => match never {},
            Err(reason) => reason,
        }
    }

    fn pump(&mut self) -> Result<Infallible, CloseReason> {
        self.arm_timeout()?;
        // The response to a request acknowledges it, so that no extra ACK packet is needed. Where the
        // option is missing this fails, which does no harm.
        let _ = set_tcp_quickack(self.connection.outbox.tcp(), false);
        loop {
            match self.socket.read() {
                Ok(message) => self.on_message(message)?,
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.on_timeout()?;
                }
                Err(error) => return Err(self.close_reason(&error)),
            }
        }
    }

    /// The client has been silent for the whole timeout.
    fn on_timeout(&mut self) -> Result<(), CloseReason> {
        match self.socket.get_mut().heartbeat.on_timeout() {
            TimeoutAction::Close => Err(CloseReason::PongTimeout),
            TimeoutAction::Ping => {
                let ping = ping_frame();
                let outbox = &self.connection.outbox;
                outbox.send_waiting(&ping).map_err(|Full| CloseReason::SlowConsumer)?;
                self.arm_timeout()
            }
        }
    }

    fn arm_timeout(&self) -> Result<(), CloseReason> {
        self.socket.get_ref().arm_timeout().map_err(|error| self.close_reason(&error.into()))
    }

    fn on_message(&mut self, message: Message) -> Result<(), CloseReason> {
        match message {
            Message::Text(text) => {
                let connection = self.connection.id;
                let input = match self.parse(&text)? {
                    Ok((request, reference)) => Input::Request { connection, request, reference },
                    Err(error) => Input::Refuse { connection, error },
                };
                // The dispatcher is gone only when the server is about to end.
                self.connection.inputs.send(input).map_err(|_| CloseReason::InternalError)
            }
            Message::Binary(_) => Err(CloseReason::BinaryMessage),
            // tungstenite queues the pong itself.
            Message::Ping(ping) => match self.connection.pace.message(ping.len()) {
                RateDecision::Allow | RateDecision::Reject { .. } => Ok(()),
                RateDecision::Disconnect => Err(CloseReason::TooFast),
            },
            Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Close(frame) => {
                Err(CloseReason::ClosedByClient(frame.map(|frame| frame.code.into())))
            }
        }
    }

    /// Parses one text message, within the rate limits.
    fn parse(&mut self, text: &str) -> Result<ParsedRequest, CloseReason> {
        match self.connection.pace.message(text.len()) {
            RateDecision::Allow => {}
            RateDecision::Reject { retry_after } => {
                let reference = match self.connection.version {
                    Version::Base => None,
                    Version::V2 => reference_of(text),
                };
                return Ok(Err(ErrorReply::rate_limited("messages", retry_after).to(reference)));
            }
            RateDecision::Disconnect => return Err(CloseReason::TooFast),
        }
        let parsed = self.connection.version.parse(text);
        if let Ok((Request::Chat(chat::Request::CreateRoom(_), _), reference)) = &parsed
            && let Err(retry_after) = self.connection.pace.take_room()
        {
            let error = ErrorReply::rate_limited("new rooms", retry_after);
            return Ok(Err(error.to(reference.clone())));
        }
        Ok(parsed)
    }

    /// The close reason that an error of tungstenite stands for.
    fn close_reason(&self, error: &Error) -> CloseReason {
        if let Some(ending) = self.connection.outbox.ending() {
            return ending.reason;
        }
        debug!("connection {}: {error}", self.connection.id.0);
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseReason::MessageTooBig,
            Error::Utf8(_) => CloseReason::InvalidUtf8,
            Error::Io(_) if self.socket.get_ref().is_full => CloseReason::SlowConsumer,
            Error::Io(_) if self.socket.get_ref().is_out_of_memory => CloseReason::OutOfMemory,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::Io(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed => CloseReason::ConnectionLost,
            Error::Protocol(ProtocolError::UnmaskedFrameFromClient)
                if self.socket.get_ref().frames.is_closed_unmasked() =>
            {
                CloseReason::ProxyStopping
            }
            _ => CloseReason::ProtocolError,
        }
    }
}

impl OutboxStream<'_> {
    /// Sets the socket's receive timeout to the heartbeat's.
    fn arm_timeout(&self) -> io::Result<()> {
        self.connection.outbox.tcp().set_read_timeout(Some(self.heartbeat.timeout()))
    }

    /// Counts what was read. A client that sends too much is not read from for a while, and TCP slows it
    /// down.
    fn count(&mut self, bytes: &[u8]) {
        let pause = self.connection.pace.intake(bytes.len(), self.frames.count(bytes));
        if !pause.is_zero() {
            self.paused_until = Instant::now() + pause.min(MAX_PAUSE);
        }
    }

    /// Waits for the end of the pause, or of the connection.
    fn sit_out_pause(&self) {
        while !self.is_ending() {
            let rest = self.paused_until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            thread::sleep(rest.min(PAUSE_STEP));
        }
    }

    fn is_ending(&self) -> bool {
        self.connection.outbox.ending().is_some()
    }
}

impl Read for OutboxStream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.sit_out_pause();
        if self.is_ending() {
            return Err(io::Error::other("the connection has been ended"));
        }
        let read = self.connection.outbox.read(buf, self.heartbeat.timeout())?;
        self.count(&buf[..read]);
        let partial = self.frames.partial();
        if !self.partial.set_len(partial) && partial > SMALL_MESSAGE_BYTES {
            self.is_out_of_memory = true;
            return Err(io::Error::other("too many messages have come in part"));
        }
        if self.heartbeat.on_received() {
            self.arm_timeout()?;
        }
        Ok(read)
    }
}

impl Write for OutboxStream<'_> {
    /// Gets whole frames: tungstenite's write buffer is off, so it writes each frame by itself.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let bytes = Bytes::copy_from_slice(frame);
        self.connection.outbox.send_waiting(&bytes).map_err(|Full| {
            self.is_full = true;
            io::Error::other("the outbox is full")
        })?;
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
