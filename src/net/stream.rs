//! A client's connection: one socket, plain or under TLS, and what can be done with it without waiting.
//!
//! The socket itself is a blocking one, for the one thread that waits for what its client sends. All
//! others ask call by call not to wait.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::Arc;

use rustix::io::retry_on_intr;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::tls::TlsStream;

/// How much plain text OpenSSL takes into one record (RFC 8446 §5.1), and so into one write.
const TLS_RECORD_BYTES: usize = 16_384;

/// Waits until something comes in, for as long as the socket's time-out; then `WouldBlock`.
pub(crate) fn read_when_there(tcp: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    // A wait with a time-out is interrupted by every signal, whatever its handler says.
    Ok(retry_on_intr(|| recv(tcp, &mut *buf, RecvFlags::empty()))?.0)
}

/// Reads what has come in already; `WouldBlock` when that is nothing.
pub(crate) fn read_now(tcp: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    Ok(recv(tcp, buf, RecvFlags::DONTWAIT)?.0)
}

/// Writes what there is room for; `WouldBlock` when that is nothing.
pub(crate) fn write_now(tcp: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(tcp, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

/// A client's socket.
///
/// Where nobody else holds on to it, it lies in the memory of its owner: whoever has come to the one has
/// the other at hand, which shows where a thousand clients are written to one after the other.
#[derive(Debug)]
pub(crate) enum Tcp {
    Own(TcpStream),
    /// The library that encrypts holds on to it as well.
    Shared(Arc<TcpStream>),
}

impl Deref for Tcp {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        match self {
            Self::Own(tcp) => tcp,
            Self::Shared(tcp) => tcp,
        }
    }
}

/// A TCP socket under TLS, which never waits, and remembers whether its last write found no room.
///
/// Under TLS reading may have to write and writing to read, and both report the same `WouldBlock`;
/// this tells which of the two to wait for.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: Arc<TcpStream>,
    write_blocked: bool,
}

impl Socket {
    pub(crate) fn new(tcp: Arc<TcpStream>) -> Self {
        Self { tcp, write_blocked: false }
    }

    /// Whether to wait for writability before trying again.
    pub(crate) fn write_blocked(&self) -> bool {
        self.write_blocked
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_now(&self.tcp, buf)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let result = write_now(&self.tcp, buf);
        self.write_blocked = is_would_block(&result);
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What can be read from and written to a client's socket, which goes with each call. It never waits.
#[derive(Debug)]
pub(crate) enum Stream {
    /// The bytes of the socket itself.
    Plain,
    /// What is in its TLS records, read and written by way of a [`Socket`] that is the same.
    Tls(Box<TlsStream<Socket>>),
    /// Takes everything and gives nothing, so that what is above it can be timed by itself.
    #[cfg(feature = "bench")]
    Swallowing,
}

impl Stream {
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether reading waits for the socket to be writable, as it may under TLS.
    pub(crate) fn reads_by_writing(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.get_ref().write_blocked())
    }

    /// After a write of `len` bytes that would have blocked, the number of bytes at their start
    /// that the next write must begin with.
    ///
    /// None without TLS. With it OpenSSL may have encrypted them already, and insists.
    pub(crate) fn committed(&self, len: usize) -> usize {
        match self {
            Self::Plain => 0,
            Self::Tls(_) => len.min(TLS_RECORD_BYTES),
            #[cfg(feature = "bench")]
            Self::Swallowing => 0,
        }
    }

    /// Reads what has come in already; `WouldBlock` when that is nothing.
    pub(crate) fn read(&mut self, tcp: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain => read_now(tcp, buf),
            Self::Tls(tls) => tls.read(buf),
            #[cfg(feature = "bench")]
            Self::Swallowing => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes as much of `bytes` as the socket takes now, and says how much that was.
    pub(crate) fn write_some(&mut self, tcp: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            let result = match self {
                Self::Plain => write_now(tcp, rest),
                Self::Tls(tls) => tls.write(&rest[..rest.len().min(TLS_RECORD_BYTES)]),
                #[cfg(feature = "bench")]
                Self::Swallowing => Ok(rest.len()),
            };
            match result {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => {
                    written += len;
                    if written < bytes.len() && !self.is_tls() {
                        // A short write means a full socket: no second call is needed to learn it.
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Tells a TLS peer that nothing follows, if the socket takes it now. Nothing without TLS.
    pub(crate) fn close_notify(&mut self) {
        if let Self::Tls(tls) = self {
            // The connection ends either way, and the frame before it said why.
            let _ = tls.shutdown();
        }
    }
}

fn is_would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
