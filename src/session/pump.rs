//! Reads one client's WebSocket: frames in, requests to the dispatcher out.
//!
//! Runs on the session's thread. Owns the heartbeat of the connection, and keeps to its pace: it rejects
//! requests that come too fast, and reads no more for a while from a client that sends too much. All
//! output goes to the outbox; what a request does is left to the dispatcher. With each read it looks whether
//! the settings have been reloaded, and then keeps to the new limits.

use std::collections::VecDeque;
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

use super::frame_counter::FrameCounter;
use super::heartbeat::{Heartbeat, HeartbeatTimes, TimeoutAction};
use super::{Connection, Live, pace_limits};
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
    /// The [`Live::generation`] that the limits are from.
    generation: u64,
    /// What was read when the limits turned out to be old. It waits for the new ones.
    set_aside: VecDeque<u8>,
    /// Nothing is read until then.
    paused_until: Instant,
    /// A pong did not fit: the client pings and does not read.
    is_full: bool,
    /// There is no memory for the rest of the client's message.
    is_out_of_memory: bool,
}

impl<'a> Pump<'a> {
    /// `read_ahead` is what the client sent right after its upgrade request.
    /// `live` is what the connection was accepted with.
    pub(super) fn new(connection: &'a Connection, live: &Live, read_ahead: Vec<u8>) -> Self {
        let limits = &live.settings.limits;
        let mut config =
            WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        set_sizes(&mut config, limits);
        let mut stream = OutboxStream {
            connection,
            heartbeat: Heartbeat::new(heartbeat_times(limits)),
            frames: FrameCounter::default(),
            partial: PartialMessage::new(connection.context.memory.clone()),
            generation: live.generation(),
            set_aside: VecDeque::new(),
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
                    self.on_pause()?;
                }
                Err(error) => return Err(self.close_reason(&error)),
            }
        }
    }

    /// The client has been silent for the whole timeout, or what it has sent waits for new limits.
    fn on_pause(&mut self) -> Result<(), CloseReason> {
        let stream = self.socket.get_mut();
        let is_silent = stream.set_aside.is_empty();
        if is_silent {
            stream.heartbeat.on_timeout();
        }
        if stream.is_outdated() {
            self.adopt_limits();
        }
        if is_silent {
            self.end_silence()?;
        }
        self.arm_timeout()
    }

    /// Pings a client that has been silent for long, or gives it up.
    fn end_silence(&mut self) -> Result<(), CloseReason> {
        match self.socket.get_mut().heartbeat.due() {
            TimeoutAction::Wait => Ok(()),
            TimeoutAction::Close => Err(CloseReason::PongTimeout),
            TimeoutAction::Ping => {
                let outbox = &self.connection.outbox;
                outbox.send_waiting(&ping_frame()).map_err(|Full| CloseReason::SlowConsumer)
            }
        }
    }

    /// Keeps to the limits of the settings as they are now.
    fn adopt_limits(&mut self) {
        let live = self.connection.context.live.get();
        let limits = &live.settings.limits;
        self.connection.pace.set_limits(pace_limits(limits));
        self.socket.set_config(|config| set_sizes(config, limits));
        let stream = self.socket.get_mut();
        stream.heartbeat.set_times(heartbeat_times(limits));
        stream.generation = live.generation();
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

fn set_sizes(config: &mut WebSocketConfig, limits: &Limits) {
    config.max_message_size = Some(limits.max_message_bytes);
    config.max_frame_size = Some(limits.max_message_bytes);
}

fn heartbeat_times(limits: &Limits) -> HeartbeatTimes {
    HeartbeatTimes {
        ping_interval: Duration::from_millis(limits.ping_interval_ms),
        pong_timeout: Duration::from_millis(limits.pong_timeout_ms),
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

    /// Whether the settings have been reloaded since the limits were taken from them.
    fn is_outdated(&self) -> bool {
        self.connection.context.live.generation() != self.generation
    }

    /// The client has sent these bytes.
    fn on_received(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.count(bytes);
        let partial = self.frames.partial();
        if !self.partial.set_len(partial) && partial > SMALL_MESSAGE_BYTES {
            self.is_out_of_memory = true;
            return Err(io::Error::other("too many messages have come in part"));
        }
        if self.heartbeat.on_received() {
            self.arm_timeout()?;
        }
        Ok(())
    }

    /// Takes from what was set aside.
    fn take_aside(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.set_aside.read(buf)?;
        if self.set_aside.is_empty() {
            // Its memory will not be needed for long.
            self.set_aside = VecDeque::new();
        }
        Ok(read)
    }
}

impl Read for OutboxStream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.sit_out_pause();
        if self.is_ending() {
            return Err(io::Error::other("the connection has been ended"));
        }
        let read = if self.set_aside.is_empty() {
            let read = self.connection.outbox.read(buf, self.heartbeat.timeout())?;
            if self.is_outdated() && read > 0 {
                // The limits of tungstenite, too, are from before.
                self.set_aside.extend(&buf[..read]);
                return Err(ErrorKind::WouldBlock.into());
            }
            read
        } else {
            self.take_aside(buf)?
        };
        self.on_received(&buf[..read])?;
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
