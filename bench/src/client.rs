//! One client: it connects, upgrades, reads the welcome and enters its room. From then on it is ready,
//! and a [`Handler`] interprets its frames.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::mem;

use native_tls::TlsConnector;

use crate::clock::Clock;
use crate::frame::{self, CLOSE, Frame, PING, PONG, TEXT};
use crate::stream::Stream;
use crate::target::Target;

/// The example key of RFC 6455, section 1.3, with its `Sec-WebSocket-Accept`: a fixed key avoids SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The longest response head that is accepted.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How many reads a client gets per turn, so that none starves the others.
const READS_PER_TURN: usize = 16;

/// A scenario's callbacks.
pub trait Handler {
    /// A client has its welcome and, if it was given a room, has entered it.
    fn ready(&mut self, slot: usize, opened_at: u64, now: u64) -> Then;

    /// A ready client received a text frame. What is appended to `out` is sent.
    fn text(&mut self, slot: usize, payload: &[u8], now: u64, out: &mut Vec<u8>);

    /// A client's connection has ended. Its slot is free.
    fn gone(&mut self, slot: usize, ending: Ending, opened_at: u64, now: u64);
}

/// What a client does once it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Stay,
    /// Sends a Close frame and waits for the server to close the connection (RFC 6455 §7.1.1).
    Leave,
}

/// How a client's connection ended.
#[derive(Debug)]
pub enum Ending {
    /// The client left.
    Left,
    /// For another reason.
    Lost(String),
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    pub stream: Stream,
    pub opened_at: u64,
    stage: Stage,
    /// The room to enter, as its `roomId`.
    room: Option<u32>,
    /// Its node, as a place in [`Shared::targets`].
    node: usize,
    /// Its user id.
    user: u64,
    /// An incomplete frame.
    partial: Vec<u8>,
    out: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    Connecting,
    Securing,
    Upgrading,
    Welcoming,
    Entering,
    Ready,
    Leaving,
}

/// What all clients share.
#[derive(Debug)]
pub struct Shared {
    pub clock: Clock,
    pub targets: Vec<Target>,
    pub tls: Option<TlsConnector>,
    pub buffer: Vec<u8>,
}

impl Client {
    pub fn new(stream: Stream, node: usize, room: Option<u32>, opened_at: u64) -> Self {
        Self {
            stream,
            opened_at,
            stage: Stage::Connecting,
            room,
            node,
            user: 0,
            partial: Vec::new(),
            out: Vec::new(),
        }
    }

    /// The buffer of unsent bytes; [`flush`](Self::flush) sends it.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Does everything that is possible without blocking. With `all`, it reads until the socket would
    /// block, since a short read does not show that the server has closed. Returns whether there may be
    /// more to read.
    pub fn advance<H: Handler>(
        &mut self,
        slot: usize,
        all: bool,
        shared: &mut Shared,
        handler: &mut H,
    ) -> Result<bool, Ending> {
        if self.stage <= Stage::Securing && !self.connect(shared).map_err(|e| self.ending(&e))? {
            return Ok(false);
        }
        let more = self.read(slot, all, shared, handler)?;
        self.flush()?;
        Ok(more)
    }

    /// Sends as many unsent bytes as the socket takes.
    pub fn flush(&mut self) -> Result<(), Ending> {
        let mut sent = 0;
        while sent < self.out.len() {
            match self.stream.write(&self.out[sent..]) {
                Ok(written) => sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.ending(&error)),
            }
        }
        self.out.drain(..sent);
        Ok(())
    }

    /// Continues the TCP and TLS handshakes, and then sends the upgrade request. Returns whether they are
    /// done.
    fn connect(&mut self, shared: &Shared) -> io::Result<bool> {
        if self.stage == Stage::Connecting {
            if !self.stream.is_connected()? {
                return Ok(false);
            }
            self.stage = Stage::Securing;
        }
        let Target { tls, host, path, authority, .. } = &shared.targets[self.node];
        if let Some(connector) = shared.tls.as_ref().filter(|_| *tls)
            && !self.stream.shake(connector, host)?
        {
            return Ok(false);
        }
        self.out.extend_from_slice(
            format!(
                "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            .as_bytes(),
        );
        self.stage = Stage::Upgrading;
        self.flush().map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        Ok(true)
    }

    fn read<H: Handler>(
        &mut self,
        slot: usize,
        all: bool,
        shared: &mut Shared,
        handler: &mut H,
    ) -> Result<bool, Ending> {
        for _ in 0..READS_PER_TURN {
            let kept = self.partial.len();
            if shared.buffer.len() < 2 * kept {
                shared.buffer.resize(2 * kept, 0);
            }
            let read = match self.stream.read(&mut shared.buffer[kept..]) {
                Ok(0) => return Err(self.ending(&ErrorKind::UnexpectedEof.into())),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.ending(&error)),
            };
            let now = shared.clock.now();
            shared.buffer[..kept].copy_from_slice(&self.partial);
            let bytes = &shared.buffer[..kept + read];
            let used = self.take(slot, bytes, now, handler)?;
            self.partial.clear();
            self.partial.extend_from_slice(&bytes[used..]);
            let is_short = kept + read < shared.buffer.len();
            if is_short && !all && self.stream.is_drained_by_short_read() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Handles the complete frames at the start of `bytes`; returns their length.
    fn take<H: Handler>(
        &mut self,
        slot: usize,
        bytes: &[u8],
        now: u64,
        handler: &mut H,
    ) -> Result<usize, Ending> {
        let mut used = 0;
        if self.stage == Stage::Upgrading {
            match self.upgrade(bytes)? {
                Some(head) => used = head,
                None => return Ok(0),
            }
        }
        loop {
            let frame = match frame::scan(&bytes[used..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(used),
                Err(frame::Malformed) => return Err(lost("the server sent a malformed frame")),
            };
            used += frame.length;
            if frame.opcode == TEXT && self.stage == Stage::Ready {
                handler.text(slot, frame.payload, now, &mut self.out);
            } else {
                self.take_other(slot, &frame, now, handler)?;
            }
        }
    }

    #[cold]
    fn take_other<H: Handler>(
        &mut self,
        slot: usize,
        frame: &Frame<'_>,
        now: u64,
        handler: &mut H,
    ) -> Result<(), Ending> {
        match (frame.opcode, self.stage) {
            (PING, _) => {
                frame::push_masked(&mut self.out, PONG, frame.payload);
            }
            (CLOSE, Stage::Leaving) | (PONG, _) => {}
            (CLOSE, _) => return Err(lost(&describe_close(frame.payload))),
            (TEXT, Stage::Welcoming) => {
                let id =
                    starts(frame.payload, "welcome").then(|| first_id(frame.payload)).flatten();
                self.user = id.ok_or_else(|| unexpected("a welcome", frame.payload))?;
                match self.room {
                    Some(room) => {
                        let request = format!(r#"{{"type":"enter_room","roomId":{room}}}"#);
                        frame::push_masked(&mut self.out, TEXT, request.as_bytes());
                        self.stage = Stage::Entering;
                    }
                    None => self.become_ready(slot, now, handler),
                }
            }
            (TEXT, Stage::Entering) => {
                if starts(frame.payload, "error") {
                    return Err(unexpected("to enter a room", frame.payload));
                }
                if starts(frame.payload, "enter_room") && first_id(frame.payload) == Some(self.user)
                {
                    self.become_ready(slot, now, handler);
                }
            }
            (TEXT, _) => {}
            (opcode, _) => {
                return Err(lost(&format!("the server sent a frame of opcode {opcode}")));
            }
        }
        Ok(())
    }

    fn become_ready<H: Handler>(&mut self, slot: usize, now: u64, handler: &mut H) {
        self.stage = Stage::Ready;
        if handler.ready(slot, self.opened_at, now) == Then::Leave {
            frame::push_masked(&mut self.out, CLOSE, &1000u16.to_be_bytes());
            self.stage = Stage::Leaving;
        }
    }

    /// Checks the response to the upgrade. Returns the length of its head, or `None` if it is
    /// incomplete.
    fn upgrade(&mut self, bytes: &[u8]) -> Result<Option<usize>, Ending> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            if bytes.len() > MAX_HEAD_BYTES {
                return Err(lost("the response to the upgrade is too long"));
            }
            return Ok(None);
        };
        let head = &bytes[..end];
        if !head.starts_with(b"HTTP/1.1 101 ") || !head.windows(ACCEPT.len()).any(|w| w == ACCEPT) {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(unexpected("an upgrade", line));
        }
        self.stage = Stage::Welcoming;
        Ok(Some(end + 4))
    }

    fn ending(&mut self, error: &io::Error) -> Ending {
        let stage = self.stage;
        mem::take(&mut self.out);
        match (stage, error.kind()) {
            (Stage::Leaving, _) => Ending::Left,
            (Stage::Ready, ErrorKind::UnexpectedEof) => {
                lost("the server closed without a close frame")
            }
            (_, ErrorKind::UnexpectedEof) => lost(&format!("the server closed while {stage:?}")),
            _ => lost(&format!("{error} while {stage:?}")),
        }
    }
}

/// Whether a server's frame has this type, which is the first member in the base protocol.
pub fn starts(payload: &[u8], kind: &str) -> bool {
    payload
        .strip_prefix(br#"{"type":""#)
        .and_then(|rest| rest.strip_prefix(kind.as_bytes()))
        .is_some_and(|rest| rest.first() == Some(&b'"'))
}

/// The first `"id"` in a frame.
fn first_id(payload: &[u8]) -> Option<u64> {
    const NAME: &[u8] = br#""id":"#;
    let start = payload.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = payload[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(&payload[start..start + digits]).ok()?.parse().ok()
}

fn lost(why: &str) -> Ending {
    Ending::Lost(format!("a connection failed: {why}"))
}

fn unexpected(expected: &str, found: &[u8]) -> Ending {
    const SHOWN: usize = 200;
    let found = String::from_utf8_lossy(&found[..found.len().min(SHOWN)]);
    Ending::Lost(format!("expected {expected}, got: {found}"))
}

fn describe_close(payload: &[u8]) -> String {
    let mut text = "the server sent a close frame".to_owned();
    if let Some((code, reason)) = payload.split_first_chunk::<2>() {
        let code = u16::from_be_bytes(*code);
        let _ = write!(text, " with {code} {:?}", String::from_utf8_lossy(reason));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_recognised_by_its_first_member() {
        let payload = br#"{"type":"enter_room","user":{"id":42,"name":"User 42"}}"#;
        assert!(starts(payload, "enter_room"));
        assert!(!starts(payload, "enter"));
        assert_eq!(first_id(payload), Some(42));
        assert_eq!(first_id(br#"{"type":"error","code":"x"}"#), None);
    }

    #[test]
    fn a_close_frame_is_told_in_words() {
        assert_eq!(describe_close(b""), "the server sent a close frame");
        assert_eq!(
            describe_close(b"\x03\xf0slow"),
            r#"the server sent a close frame with 1008 "slow""#
        );
    }
}
