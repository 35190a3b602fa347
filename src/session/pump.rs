//! The life of a WebSocket connection: frames in, requests out, and waiting in between.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::debug;
use rustix::net::sockopt::set_tcp_quickack;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::Connection;
use super::heartbeat::{Beat, Heartbeat};
use super::limiter::{Bucket, Limiter, Pace};
use crate::chat;
use crate::input::Input;
use crate::outbox::{Full, Outbox, Piece};
use crate::protocol::{
    CloseReason, ErrorReply, Reference, Request, Version, ping_frame, reference_of,
};

/// The read buffer, which each client has at rest, and which tungstenite fills with zeros before each
/// read. What people type fits; tungstenite's own default is 128 times as much.
const READ_BUFFER_BYTES: usize = 1024;

/// A request, and what its author calls it, or why it is refused.
type Judged = Result<(Request, Reference), ErrorReply>;

/// Reads one client's frames until there is a reason to end.
pub(super) struct Pump<'a> {
    connection: &'a Connection,
    socket: WebSocket<Reader<'a>>,
    messages: Limiter,
    new_rooms: Bucket,
}

/// The stream as tungstenite sees it: reads wait for the socket, writes go to the outbox.
struct Reader<'a> {
    outbox: &'a Arc<Outbox>,
    heartbeat: Heartbeat,
    /// The client pings, and does not read the pongs.
    is_full: bool,
}

impl<'a> Pump<'a> {
    /// `read_ahead` is what the client sent before the connection was upgraded.
    pub(super) fn new(connection: &'a Connection, read_ahead: Vec<u8>) -> Self {
        let limits = &connection.shared.settings.limits;
        let now = Instant::now();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.max_message_bytes))
            .max_frame_size(Some(limits.max_message_bytes));
        let heartbeat = Heartbeat::new(
            Duration::from_millis(limits.ping_interval_ms),
            Duration::from_millis(limits.pong_timeout_ms),
        );
        let reader = Reader { outbox: &connection.outbox, heartbeat, is_full: false };
        Self {
            connection,
            socket: WebSocket::from_partially_read(reader, read_ahead, Role::Server, Some(config)),
            messages: Limiter::new(limits.messages_per_second, limits.message_burst, now),
            new_rooms: Bucket::new(limits.rooms_per_second, limits.room_burst, now),
        }
    }

    /// Runs until the connection has to end, and says why.
    pub(super) fn run(mut self) -> CloseReason {
        match self.pump() {
            Ok(never) => match never {},
            Err(reason) => reason,
        }
    }

    fn pump(&mut self) -> Result<Infallible, CloseReason> {
        self.socket.get_ref().bear_silence().map_err(|error| self.reason(&error.into()))?;
        // What a client sends is acknowledged with what it is answered, not by a packet of its own
        // before. It fails where there is no such choice, and nothing depends on it.
        let _ = set_tcp_quickack(self.connection.outbox.tcp(), false);
        loop {
            match self.socket.read() {
                Ok(message) => self.take(message)?,
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => self.beat()?,
                Err(error) => return Err(self.reason(&error)),
            }
        }
    }

    /// The client has been silent for as long as is borne.
    fn beat(&mut self) -> Result<(), CloseReason> {
        match self.socket.get_mut().heartbeat.beat() {
            Beat::GiveUp => Err(CloseReason::PongTimeout),
            Beat::Ping => {
                let ping = ping_frame();
                let outbox = &self.connection.outbox;
                outbox.send(&[Piece::whole(&ping)]).map_err(|Full| CloseReason::SlowConsumer)?;
                self.socket.get_ref().bear_silence().map_err(|error| self.reason(&error.into()))
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<(), CloseReason> {
        match message {
            Message::Text(text) => {
                let connection = self.connection.id;
                let input = match self.judge(&text)? {
                    Ok((request, reference)) => Input::Request { connection, request, reference },
                    Err(error) => Input::Refuse { connection, error },
                };
                // The dispatcher is gone only when the process is about to be.
                self.connection.inputs.send(input).map_err(|_| CloseReason::InternalError)
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
    fn judge(&mut self, text: &str) -> Result<Judged, CloseReason> {
        let now = Instant::now();
        match self.messages.judge(now) {
            Pace::Fine => {}
            Pace::TooFast(wait) => {
                let reference = match self.connection.version {
                    Version::Base => None,
                    Version::V2 => reference_of(text),
                };
                return Ok(Err(ErrorReply::rate_limited("messages", wait).to(reference)));
            }
            Pace::Hopeless => return Err(CloseReason::TooFast),
        }
        let parsed = self.connection.version.parse(text);
        if let Ok((Request::Chat(chat::Request::CreateRoom(_), _), reference)) = &parsed
            && let Err(wait) = self.new_rooms.take(now)
        {
            return Ok(Err(ErrorReply::rate_limited("new rooms", wait).to(reference.clone())));
        }
        Ok(parsed)
    }

    /// The reason that an error of tungstenite's is for us.
    fn reason(&self, error: &Error) -> CloseReason {
        if let Some(ending) = self.connection.outbox.ending() {
            return ending.reason;
        }
        debug!("connection {}: {error}", self.connection.id.0);
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
    /// Lets reads wait for as long as a silence is borne.
    fn bear_silence(&self) -> io::Result<()> {
        self.outbox.tcp().set_read_timeout(Some(self.heartbeat.patience()))
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.outbox.ending().is_some() {
            return Err(io::Error::other("the connection has been ended"));
        }
        let read = self.outbox.read(buf, self.heartbeat.patience())?;
        if self.heartbeat.hear() {
            self.bear_silence()?;
        }
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
