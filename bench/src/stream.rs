//! One non-blocking socket, with or without TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use native_tls::{HandshakeError, MidHandshakeTlsStream, TlsConnector, TlsStream};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with};

/// The states of a connection; one without TLS stays `Plain`.
#[derive(Debug)]
pub enum Stream {
    Plain(TcpStream),
    /// In the TLS handshake.
    Shaking(MidHandshakeTlsStream<TcpStream>),
    Tls(TlsStream<TcpStream>),
    /// Closed: every call fails.
    Gone,
}

/// Starts to connect, from this source address if one is given.
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
    /// Whether the TCP connection is established; an error if it failed.
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

    /// Starts or continues the TLS handshake; returns whether it is complete.
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

    /// Whether a short read has drained the socket. Under TLS a read returns one record, so only
    /// `WouldBlock` shows that.
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
