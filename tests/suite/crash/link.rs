//! A connection that is cut after a number of bytes that is planned in advance.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::sockopt;

use crate::client::PATIENCE;
use crate::frame::{self, CLOSE, Frame, PING, PONG, TEXT};
use crate::random::Random;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// According to its plan.
    Cut,
    /// By the server.
    Lost(String),
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Close,
    /// With a reset.
    Abort,
    /// It stays open, but the client no longer reads or writes.
    Freeze,
}

/// When a connection is cut: before more than this is read, or written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) how: How,
    readable: usize,
    writable: usize,
}

#[derive(Debug)]
pub(crate) struct Link {
    tcp: TcpStream,
    unread: Vec<u8>,
    pub(crate) plan: Option<Plan>,
}

impl Plan {
    pub(crate) fn new(random: &mut Random) -> Self {
        let how = [How::Close, How::Abort, How::Freeze][random.below(3)];
        // Some end within the handshake.
        let limit = if random.one_in(8) { 400 } else { 6_000 };
        let len = random.below(limit);
        let (readable, writable) =
            if random.one_in(2) { (len, usize::MAX) } else { (usize::MAX, len / 3) };
        Self { how, readable, writable }
    }
}

impl Link {
    /// Connects, if the server listens.
    pub(crate) fn connect(address: SocketAddr, plan: Option<Plan>) -> io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, unread: Vec::new(), plan })
    }

    pub(crate) fn request(&mut self, json: &str) -> Result<(), End> {
        self.send(&frame::masked(TEXT, json.as_bytes()))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        let len = self.plan.map_or(bytes.len(), |plan| plan.writable.min(bytes.len()));
        self.tcp.write_all(&bytes[..len]).map_err(|error| End::Lost(error.to_string()))?;
        if let Some(plan) = &mut self.plan {
            plan.writable -= len;
            if len < bytes.len() {
                return Err(End::Cut);
            }
        }
        Ok(())
    }

    /// Reads the head of the response to the upgrade.
    pub(crate) fn head(&mut self) -> Result<String, End> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).collect();
                return Ok(String::from_utf8(head).expect("a head is ASCII"));
            }
            self.read()?;
        }
    }

    /// Reads the next text message.
    pub(crate) fn text(&mut self) -> Result<String, End> {
        loop {
            let Frame { first, payload } = self.frame()?;
            match first {
                TEXT => return Ok(String::from_utf8(payload).expect("the server sends UTF-8")),
                PING => self.send(&frame::masked(PONG, &payload))?,
                CLOSE => {
                    let frame = Frame { first, payload };
                    return Err(End::Lost(format!("closed: {:?}", frame.close_reason())));
                }
                _ => return Err(End::Lost(format!("a frame 0x{first:02x}"))),
            }
        }
    }

    /// Reads up to the Close frame; returns its code and text.
    pub(crate) fn close_reason(&mut self) -> Result<(u16, String), End> {
        loop {
            let frame = self.frame()?;
            if frame.first == CLOSE {
                let (code, text) = frame.close_reason();
                return Ok((code, text.to_owned()));
            }
        }
    }

    /// Resets the connection.
    pub(crate) fn abort(self) {
        let _ = sockopt::set_socket_linger(&self.tcp, Some(Duration::ZERO));
    }

    fn frame(&mut self) -> Result<Frame, End> {
        loop {
            if let Some((frame, len)) = frame::parse(&self.unread) {
                self.unread.drain(..len);
                return Ok(frame);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<(), End> {
        let mut buf = [0; 4096];
        let limit = self.plan.map_or(buf.len(), |plan| plan.readable.min(buf.len()));
        if limit == 0 {
            return Err(End::Cut);
        }
        let len = match self.tcp.read(&mut buf[..limit]) {
            Ok(0) => return Err(End::Lost("the end of the stream".to_owned())),
            Ok(len) => len,
            Err(error) => return Err(End::Lost(error.to_string())),
        };
        if let Some(plan) = &mut self.plan {
            plan.readable -= len;
        }
        self.unread.extend_from_slice(&buf[..len]);
        Ok(())
    }
}
