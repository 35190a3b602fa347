//! One socket: how it is opened, and reading and writing it with or without TLS, never blocking.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use native_tls::{HandshakeError, MidHandshakeTlsStream, TlsConnector, TlsStream};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with};

/// A connection in one of the states it goes through; a plain one is `Plain` from the start.
#[derive(Debug)]
pub enum Stream {
    Plain(TcpStream),
    /// The TLS handshake waits for the server.
    Shaking(MidHandshakeTlsStream<TcpStream>),
    Tls(TlsStream<TcpStream>),
    /// Closed; everything fails.
    Gone,
}

/// Begins to connect, from a given source address if there is one.
pub fn open(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        Some(ipproto::TCP),
    )?;
    if let Some(source) = source {
        bind(&socket, &SocketAddr::new(source, 0))?;
    }
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from_std(socket.into()))
}

impl Stream {
    /// Whether the connection of a plain stream is made. An error is why it cannot be.
    pub fn is_connected(&self) -> io::Result<bool> {
        let Self::Plain(tcp) = self else { return Ok(true) };
        if let Some(error) = tcp.take_error()? {
            return Err(error);
        }
        match tcp.peer_addr() {
            Ok(_) => {
                tcp.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes on with the TLS handshake, or begins it. Returns whether it is over.
    pub fn shake(&mut self, connector: &TlsConnector, host: &str) -> io::Result<bool> {
        let result = match mem::replace(self, Self::Gone) {
            Self::Plain(tcp) => connector.connect(host, tcp),
            Self::Shaking(handshake) => handshake.handshake(),
            done => {
                *self = done;
                return Ok(true);
            }
        };
        match result {
            Ok(tls) => {
                *self = Self::Tls(tls);
                Ok(true)
            }
            Err(HandshakeError::WouldBlock(handshake)) => {
                *self = Self::Shaking(handshake);
                Ok(false)
            }
            Err(HandshakeError::Failure(error)) => Err(io::Error::other(error)),
        }
    }

    /// Whether a read that did not fill its buffer has taken all there is. TLS gives one record at
    /// a time, so only `WouldBlock` says so there.
    #[inline]
    pub fn is_drained_by_short_read(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
            Self::Shaking(_) | Self::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
            Self::Shaking(_) | Self::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }
}
