//! The connection during its handshake: TLS, reading the request head, writing a response.
//!
//! All waiting ends at the handshake's deadline, or soon after the server stops. What the head asks for is
//! left to `routes`.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::net::http::{ParsedHead, RequestHead, Response, parse_head};
use crate::net::stop::Stop;
use crate::net::stream::{Socket, Stream, Tcp};
use crate::net::tls::{Handshake, TlsAcceptor};

/// How much is read at once. A browser's request fits.
const READ_BYTES: usize = 2048;

/// A connection that only its session's thread uses, with its deadline.
pub(super) struct HandshakeStream<'a> {
    stream: Stream,
    tcp: &'a Tcp,
    patience: Patience<'a>,
}

/// How long the handshake may wait.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) stop: &'a Stop,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
}

/// What was read.
pub(super) enum RequestRead {
    /// A request head, and what the client sent after it.
    Complete { head: Box<RequestHead>, read_ahead: Vec<u8> },
    /// Not a request head, and what to respond.
    Refused(Response),
}

impl<'a> HandshakeStream<'a> {
    /// Makes the connection readable. With a certificate, that takes the TLS handshake. The socket is shared
    /// with TLS, unless it is a Unix socket, which has none.
    pub(super) fn open(
        tcp: &'a Tcp,
        tls: Option<&TlsAcceptor>,
        patience: Patience<'a>,
    ) -> io::Result<Self> {
        let (Some(tls), Tcp::Shared(shared)) = (tls, tcp) else {
            return Ok(Self { stream: Stream::Plain, tcp, patience });
        };
        let mut handshake = tls.accept(Socket::new(shared.clone()))?;
        loop {
            match handshake {
                Handshake::Done(stream) => {
                    return Ok(Self { stream: Stream::Tls(Box::new(stream)), tcp, patience });
                }
                Handshake::Blocked(blocked) => {
                    patience.wait(tcp.socket(), blocked.get_ref().write_blocked())?;
                    handshake = blocked.resume()?;
                }
            }
        }
    }

    /// Reads until the end of the request head.
    pub(super) fn read_request(&mut self, max_bytes: usize) -> io::Result<RequestRead> {
        let mut bytes = Vec::with_capacity(READ_BYTES);
        loop {
            match parse_head(&bytes, max_bytes) {
                ParsedHead::Partial => self.read_more(&mut bytes)?,
                ParsedHead::Complete(head, len) => {
                    let read_ahead = bytes.split_off(len);
                    return Ok(RequestRead::Complete { head, read_ahead });
                }
                ParsedHead::Refused(response) => return Ok(RequestRead::Refused(response)),
            }
        }
    }

    fn read_more(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let len = bytes.len();
        bytes.resize(len + READ_BYTES, 0);
        loop {
            match self.stream.read(self.tcp, &mut bytes[len..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    bytes.truncate(len + read);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.patience.wait(self.tcp.socket(), self.stream.reads_by_writing())?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all of `bytes`. The client has to take some of it within each `timeout`.
    pub(super) fn write(&mut self, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write_some(self.tcp, bytes)? {
                0 => {
                    let patience = Patience { deadline: Instant::now() + timeout, ..self.patience };
                    patience.wait(self.tcp.socket(), true)?;
                }
                written => bytes = &bytes[written..],
            }
        }
        Ok(())
    }

    /// Ends TLS, if there is any.
    pub(super) fn close_notify(&mut self) {
        self.stream.close_notify();
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}

impl Patience<'_> {
    pub(super) fn wait(&self, socket: &TcpStream, for_writing: bool) -> io::Result<()> {
        let interest = if for_writing { PollFlags::OUT } else { PollFlags::IN };
        self.stop.wait_in_handshake(socket, interest, self.began, self.deadline)
    }
}
