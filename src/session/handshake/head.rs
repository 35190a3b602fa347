//! The connection during its handshake: TLS, reading the request head, writing a response.
//!
//! All waiting ends at the handshake's deadline or when the server stops. What the head asks for is
//! left to `routes`.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::net::http::{ParsedHead, RequestHead, Response, parse_head};
use crate::net::stop::{Stop, Wakeup};
use crate::net::stream::{Socket, Stream, Tcp};
use crate::net::tls::{Handshake, TlsAcceptor};

/// How much is read at once. A browser's request fits.
const READ_BYTES: usize = 2048;

/// A connection that only its session's thread uses, with its deadline.
pub(super) struct HandshakeStream<'a> {
    stream: Stream,
    tcp: &'a Tcp,
    stop: &'a Stop,
    deadline: Instant,
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
        stop: &'a Stop,
        deadline: Instant,
    ) -> io::Result<Self> {
        let (Some(tls), Tcp::Shared(shared)) = (tls, tcp) else {
            return Ok(Self { stream: Stream::Plain, tcp, stop, deadline });
        };
        let mut handshake = tls.accept(Socket::new(shared.clone()))?;
        loop {
            match handshake {
                Handshake::Done(stream) => {
                    return Ok(Self { stream: Stream::Tls(Box::new(stream)), tcp, stop, deadline });
                }
                Handshake::Blocked(blocked) => {
                    wait(tcp, stop, blocked.get_ref().write_blocked(), deadline)?;
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
                    wait(self.tcp, self.stop, self.stream.reads_by_writing(), self.deadline)?;
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
                0 => wait(self.tcp, self.stop, true, Instant::now() + timeout)?,
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

fn wait(tcp: &Tcp, stop: &Stop, for_writing: bool, deadline: Instant) -> io::Result<()> {
    let interest = if for_writing { PollFlags::OUT } else { PollFlags::IN };
    match stop.wait(tcp.socket(), interest, Some(deadline))? {
        Wakeup::Ready => Ok(()),
        Wakeup::TimedOut => Err(io::Error::new(ErrorKind::TimedOut, "it took too long")),
        Wakeup::Stopping => Err(io::Error::other("the server is stopping")),
    }
}
