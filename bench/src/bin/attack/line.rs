//! Connections of attackers and of the honest people: blocking sockets, one thread each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use native_tls::{TlsConnector, TlsStream};
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::frame::{self, CLOSE, PING, PONG, TEXT};

/// What this process has done so far.
pub static DIALS: AtomicU64 = AtomicU64::new(0);
pub static SENT: AtomicU64 = AtomicU64::new(0);

const PATIENCE: Duration = Duration::from_secs(5);

/// How to reach the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Door {
    pub server: SocketAddr,
    pub tls: bool,
    /// The own addresses, used in turn; any if there are none.
    pub sources: Vec<IpAddr>,
}

/// A socket, with or without TLS.
#[derive(Debug)]
pub enum Line {
    Plain(TcpStream),
    Tls(Box<TlsStream<Cork>>),
}

/// A socket that can hold back what is written, so that many TLS records leave in one packet.
#[derive(Debug)]
pub struct Cork {
    tcp: TcpStream,
    held: Option<Vec<u8>>,
}

/// What a client begins with.
#[derive(Debug, Default, Clone, Copy)]
pub struct Opening<'a> {
    /// Without `wschat.v2`.
    pub base: bool,
    /// The secret of the session to resume.
    pub session: Option<&'a str>,
    /// Sent together with the request head.
    pub first: &'a [u8],
    /// The size of the receive buffer.
    pub buffer: Option<usize>,
}

/// An upgraded connection.
#[derive(Debug)]
pub struct Chat {
    pub line: Line,
    bytes: Vec<u8>,
}

impl Door {
    /// Connects from the address whose turn it is, with `buffer` as the size of the receive buffer.
    pub fn dial(&self, turn: usize, buffer: Option<usize>) -> io::Result<Line> {
        let tcp = self.connect(turn, buffer)?;
        if !self.tls {
            return Ok(Line::Plain(tcp));
        }
        let connector = TlsConnector::builder().danger_accept_invalid_certs(true).build();
        let connector = connector.map_err(io::Error::other)?;
        let tls = connector.connect("localhost", Cork { tcp, held: None });
        tls.map(|tls| Line::Tls(Box::new(tls))).map_err(|error| io::Error::other(error.to_string()))
    }

    /// Connects and upgrades.
    pub fn open(&self, turn: usize, opening: &Opening<'_>) -> io::Result<Chat> {
        let mut line = self.dial(turn, opening.buffer)?;
        let mut bytes = self.head(opening).into_bytes();
        bytes.extend_from_slice(opening.first);
        line.write_all(&bytes)?;
        let mut chat = Chat { line, bytes: Vec::new() };
        loop {
            if let Some(end) = chat.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                if !chat.bytes.starts_with(b"HTTP/1.1 101 ") {
                    let status = String::from_utf8_lossy(&chat.bytes[..end.min(40)]).into_owned();
                    return Err(io::Error::new(ErrorKind::ConnectionRefused, status));
                }
                chat.bytes.drain(..end + 4);
                return Ok(chat);
            }
            chat.fill(4 << 10)?;
        }
    }

    /// The request head of an upgrade.
    pub fn head(&self, opening: &Opening<'_>) -> String {
        let protocol = match (opening.base, opening.session) {
            (true, _) => String::new(),
            (_, None) => "Sec-WebSocket-Protocol: wschat.v2\r\n".to_owned(),
            (_, Some(it)) => format!("Sec-WebSocket-Protocol: wschat.v2, session.{it}\r\n"),
        };
        format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n",
            self.server
        )
    }

    fn connect(&self, turn: usize, buffer: Option<usize>) -> io::Result<TcpStream> {
        let is_v4 = self.server.is_ipv4();
        let family = if is_v4 { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        if let Some(buffer) = buffer {
            set_socket_recv_buffer_size(&socket, buffer)?;
        }
        if !self.sources.is_empty() {
            bind(&socket, &SocketAddr::new(self.sources[turn % self.sources.len()], 0))?;
        }
        // On Linux it bounds connecting as well.
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        connect(&socket, &self.server)?;
        DIALS.fetch_add(1, Relaxed);
        let tcp = TcpStream::from(socket);
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }
}

impl Line {
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.get_ref().tcp,
        }
    }

    /// Waits as long as it takes from now on.
    pub fn be_patient(&self) -> io::Result<()> {
        self.tcp().set_read_timeout(None)?;
        self.tcp().set_write_timeout(None)
    }

    /// Writes each of `pieces` as a TLS record of its own, and sends them together.
    pub fn write_records(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let Self::Tls(tls) = self else { return Err(ErrorKind::Unsupported.into()) };
        tls.get_mut().held = Some(Vec::new());
        for piece in pieces {
            tls.write_all(piece)?;
        }
        let cork = tls.get_mut();
        let held = cork.held.take().unwrap_or_default();
        SENT.fetch_add(held.len() as u64, Relaxed);
        cork.tcp.write_all(&held)
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }?;
        SENT.fetch_add(written as u64, Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Cork {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(buffer)
    }
}

impl Write for Cork {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.held {
            Some(held) => held.write(bytes),
            None => self.tcp.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Chat {
    /// Sends a request.
    pub fn say(&mut self, request: &str) -> io::Result<()> {
        self.line.write_all(&text(request))
    }

    /// The next text frame that has arrived; `None` if more bytes are needed. Answers pings.
    pub fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let bad = |_| io::Error::from(ErrorKind::InvalidData);
            let Some(found) = frame::scan(&self.bytes).map_err(bad)? else { return Ok(None) };
            let (opcode, length) = (found.opcode, found.length);
            let payload = found.payload.to_vec();
            self.bytes.drain(..length);
            match opcode {
                TEXT => return Ok(Some(payload)),
                PING => self.line.write_all(&masked(PONG, &payload))?,
                CLOSE => {
                    let code = payload.first_chunk::<2>().map_or(0, |two| u16::from_be_bytes(*two));
                    return Err(io::Error::new(ErrorKind::ConnectionAborted, code.to_string()));
                }
                _ => {}
            }
        }
    }

    /// Reads once, at most `most` bytes.
    pub fn fill(&mut self, most: usize) -> io::Result<usize> {
        let kept = self.bytes.len();
        self.bytes.resize(kept + most, 0);
        let read = self.line.read(&mut self.bytes[kept..]);
        self.bytes.truncate(kept + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            other => other,
        }
    }

    /// The next frame of this type, leaving out others.
    pub fn until(&mut self, kind: &str) -> io::Result<Value> {
        loop {
            while let Some(payload) = self.take()? {
                let value: Value = serde_json::from_slice(&payload)?;
                if value["type"] == kind {
                    return Ok(value);
                }
            }
            self.fill(64 << 10)?;
        }
    }

    /// The secret of the session, from the welcome.
    pub fn session(&mut self) -> io::Result<String> {
        Ok(self.until("welcome")?["session"].as_str().unwrap_or_default().to_owned())
    }

    /// Stays and answers pings until the server ends the connection.
    pub fn stay(mut self) -> io::Result<()> {
        self.line.be_patient()?;
        loop {
            while self.take()?.is_some() {}
            self.fill(64 << 10)?;
        }
    }

    /// Reads until the server has closed, keeping nothing.
    pub fn read_out(mut self) -> io::Result<()> {
        let mut junk = vec![0; 64 << 10];
        while self.line.read(&mut junk)? > 0 {}
        Ok(())
    }
}

/// A masked text frame.
pub fn text(request: &str) -> Vec<u8> {
    masked(TEXT, request.as_bytes())
}

pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 14);
    frame::push_masked(&mut out, opcode, payload);
    out
}

/// An `enter_room` request.
pub fn enter(room: u32) -> Vec<u8> {
    text(&format!(r#"{{"type":"enter_room","roomId":{room}}}"#))
}
