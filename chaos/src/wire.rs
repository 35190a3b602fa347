//! One client's connection: a non-blocking socket, the upgrade, and frames.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use rustix::net::sockopt;

use crate::frame::{self, CLOSE, PING, PONG, TEXT};

/// The example key of RFC 6455, section 1.3: a fixed key avoids SHA-1.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Why a connection ended.
#[derive(Debug)]
pub enum End {
    /// By a Close frame.
    Closed { code: u16, reason: String },
    /// Without one, or before the upgrade.
    Lost(String),
    /// By the client itself.
    Cut,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code, reason } => write!(f, "closed with {code} {reason}"),
            Self::Lost(why) => write!(f, "lost: {why}"),
            Self::Cut => f.write_str("cut by itself"),
        }
    }
}

#[derive(Debug)]
pub struct Wire {
    pub tcp: TcpStream,
    pub opened_at: u64,
    is_connected: bool,
    is_open: bool,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Wire {
    /// Starts to connect, offering this subprotocol if there is one.
    pub fn open(address: SocketAddr, offer: Option<&str>, now: u64) -> io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        let offer =
            offer.map(|offer| format!("Sec-WebSocket-Protocol: {offer}\r\n")).unwrap_or_default();
        let output = upgrade(&address.to_string(), &offer).into_bytes();
        let input = Vec::new();
        Ok(Self { tcp, opened_at: now, is_connected: false, is_open: false, input, output })
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Reads and writes what is possible now, and hands each text to `take`.
    pub fn advance(
        &mut self,
        buffer: &mut [u8],
        mut take: impl FnMut(&str, &mut Vec<String>),
    ) -> Result<(), End> {
        if !self.is_connected {
            if let Some(error) = self.tcp.take_error().map_err(lost)? {
                return Err(lost(error));
            }
            match self.tcp.peer_addr() {
                Ok(_) => self.tcp.set_nodelay(true).map_err(lost)?,
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(lost(error)),
            }
            self.is_connected = true;
        }
        let ended = loop {
            match self.tcp.read(buffer) {
                Ok(0) => break Some(End::Lost("the end of the stream".to_owned())),
                Ok(len) => self.input.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Some(lost(error)),
            }
        };
        self.take_input(&mut take)?;
        self.flush()?;
        ended.map_or(Ok(()), Err)
    }

    fn take_input(&mut self, take: &mut impl FnMut(&str, &mut Vec<String>)) -> Result<(), End> {
        let input = std::mem::take(&mut self.input);
        let mut used = 0;
        if !self.is_open {
            let Some(len) = head(&input)? else {
                self.input = input;
                return Ok(());
            };
            (self.is_open, used) = (true, len);
        }
        let mut requests = Vec::new();
        loop {
            let frame = match frame::scan(&input[used..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(frame::Malformed) => return Err(End::Lost("a malformed frame".to_owned())),
            };
            used += frame.length;
            match (frame.opcode, std::str::from_utf8(frame.payload)) {
                (TEXT, Ok(text)) => take(text, &mut requests),
                (PING, _) => {
                    frame::push_masked(&mut self.output, PONG, frame.payload);
                }
                (CLOSE, _) => return Err(closed(frame.payload)),
                (opcode, _) => return Err(End::Lost(format!("a frame of opcode {opcode}"))),
            }
            for request in requests.drain(..) {
                self.push(&request);
            }
        }
        self.input = input[used..].to_vec();
        Ok(())
    }

    /// Queues a request; [`flush`](Self::flush) sends it.
    pub fn push(&mut self, request: &str) {
        frame::push_masked(&mut self.output, TEXT, request.as_bytes());
    }

    pub fn flush(&mut self) -> Result<(), End> {
        if !self.is_connected {
            return Ok(());
        }
        let mut sent = 0;
        while sent < self.output.len() {
            match self.tcp.write(&self.output[sent..]) {
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
        self.output.drain(..sent);
        Ok(())
    }

    /// Sends only the beginning of what is queued, since the connection is about to be cut.
    pub fn flush_part(&mut self, len: usize) {
        self.output.truncate(len);
        let _ = self.flush();
    }

    /// Makes the kernel reset the connection when it is dropped.
    pub fn reset(&self) {
        let _ = sockopt::set_socket_linger(&self.tcp, Some(Duration::ZERO));
    }
}

/// The request that opens a WebSocket; `fields` are further fields of its head.
pub fn upgrade(host: &str, fields: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    )
}

/// The length of the response's head, once it is complete.
pub fn head(input: &[u8]) -> Result<Option<usize>, End> {
    let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    if input.starts_with(b"HTTP/1.1 101 ") {
        return Ok(Some(end + 4));
    }
    let line = input.split(|&byte| byte == b'\r').next().unwrap_or_default();
    Err(End::Lost(String::from_utf8_lossy(line).into_owned()))
}

fn closed(payload: &[u8]) -> End {
    match payload {
        [high, low, reason @ ..] => End::Closed {
            code: u16::from_be_bytes([*high, *low]),
            reason: String::from_utf8_lossy(reason).into_owned(),
        },
        _ => End::Closed { code: 1005, reason: String::new() },
    }
}

#[allow(clippy::needless_pass_by_value)]
fn lost(error: io::Error) -> End {
    End::Lost(error.to_string())
}
