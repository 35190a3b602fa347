//! A client's connection: one socket, plain or under TLS, and how to read and write it without blocking.
//!
//! Any thread may use it. The socket itself is in blocking mode, for the session thread that waits for
//! its client. All other calls ask the kernel, one by one, not to block. When to try again is left to
//! the caller.

#[cfg(test)]
mod memory;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustix::io::retry_on_intr;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::tls::TlsStream;

#[cfg(test)]
pub(crate) use memory::MemorySocket;

/// How much plain text OpenSSL puts into one record (RFC 8446 §5.1), and so into one write.
const TLS_RECORD_BYTES: usize = 16_384;

/// How many TLS records one call reads at most. Each costs a few microseconds, however short it is, and
/// what others have to send to this client waits meanwhile.
const MAX_RECORDS: usize = 16;

/// A client's socket.
///
/// Where possible it lies in its owner's memory rather than behind a pointer: a room's frames are
/// written to a thousand sockets in a row, and each pointer would be one more cache miss.
#[derive(Debug)]
pub(crate) enum Tcp {
    Own(TcpStream),
    /// Under TLS: OpenSSL's side of the stream holds the socket as well.
    Shared(Arc<TcpStream>),
    /// No socket: a test sees what is written and decides how much is taken.
    #[cfg(test)]
    Memory(MemorySocket),
    /// No socket: every write succeeds and the bytes are dropped, so that benchmarks time what is above.
    #[cfg(feature = "bench")]
    Discard,
}

/// How to read and write a client's connection. It never blocks; each call is given the socket.
#[derive(Debug)]
pub(crate) enum Stream {
    /// The bytes of the socket itself.
    Plain,
    /// The content of its TLS records. The [`Socket`] inside is the same socket.
    Tls(Box<TlsStream<Socket>>),
}

/// A TCP socket under TLS. It never blocks, and remembers whether its last write would have.
///
/// TLS may have to write in order to read, and to read in order to write. Both come back as
/// `WouldBlock`; this tells the caller which readiness to wait for.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: Arc<TcpStream>,
    write_blocked: bool,
}

/// Reads, blocking for up to the socket's read timeout; then `WouldBlock`.
pub(crate) fn read_blocking(tcp: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    // A wait with a timeout is interrupted by every signal, even where the handler asks for restarts.
    Ok(retry_on_intr(|| recv(tcp, &mut *buf, RecvFlags::empty()))?.0)
}

/// Reads what has arrived; `WouldBlock` if nothing has.
pub(crate) fn read_now(tcp: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    Ok(recv(tcp, buf, RecvFlags::DONTWAIT)?.0)
}

/// Writes what the socket's buffer has room for; `WouldBlock` if it has none.
pub(crate) fn write_now(tcp: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(tcp, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

impl Tcp {
    /// The kernel's socket, for what needs a descriptor: `poll`, `epoll`, socket options.
    ///
    /// Panics without one, which happens in tests and benchmarks only.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Own(tcp) => tcp,
            Self::Shared(tcp) => tcp,
            #[cfg(test)]
            Self::Memory(_) => panic!("a memory connection has no descriptor"),
            #[cfg(feature = "bench")]
            Self::Discard => panic!("a discarding connection has no descriptor"),
        }
    }

    /// Reads, blocking for up to the socket's read timeout; then `WouldBlock`.
    pub(crate) fn read_blocking(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Own(tcp) => read_blocking(tcp, buf),
            Self::Shared(tcp) => read_blocking(tcp, buf),
            #[cfg(test)]
            Self::Memory(memory) => memory.read(),
            #[cfg(feature = "bench")]
            Self::Discard => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Shuts down one or both directions. An error means that the connection is gone already.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Own(tcp) => tcp.shutdown(how),
            Self::Shared(tcp) => tcp.shutdown(how),
            #[cfg(test)]
            Self::Memory(memory) => {
                memory.shutdown(how);
                Ok(())
            }
            #[cfg(feature = "bench")]
            Self::Discard => Ok(()),
        }
    }

    fn read_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Own(tcp) => read_now(tcp, buf),
            Self::Shared(tcp) => read_now(tcp, buf),
            #[cfg(test)]
            Self::Memory(memory) => memory.read(),
            #[cfg(feature = "bench")]
            Self::Discard => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Own(tcp) => write_now(tcp, bytes),
            Self::Shared(tcp) => write_now(tcp, bytes),
            #[cfg(test)]
            Self::Memory(memory) => memory.write(bytes),
            #[cfg(feature = "bench")]
            Self::Discard => Ok(bytes.len()),
        }
    }
}

impl Stream {
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether reading has to wait until the socket is writable, as can happen under TLS.
    pub(crate) fn reads_by_writing(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.get_ref().write_blocked())
    }

    /// After a write of `len` bytes that would have blocked: how many of them the next write must
    /// begin with.
    ///
    /// None without TLS. With TLS, OpenSSL may have encrypted them already and insists on them.
    pub(crate) fn committed(&self, len: usize) -> usize {
        match self {
            Self::Plain => 0,
            Self::Tls(_) => len.min(TLS_RECORD_BYTES),
        }
    }

    /// Reads what has arrived, under TLS from a limited number of records; `WouldBlock` if nothing has.
    pub(crate) fn read(&mut self, tcp: &Tcp, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain => tcp.read_now(buf),
            Self::Tls(tls) => tls.read_records(buf, MAX_RECORDS),
        }
    }

    /// Writes as much of `bytes` as the socket takes now, and returns how much that was; possibly 0.
    pub(crate) fn write_some(&mut self, tcp: &Tcp, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            let result = match self {
                Self::Plain => tcp.write_now(rest),
                Self::Tls(tls) => tls.write(&rest[..rest.len().min(TLS_RECORD_BYTES)]),
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

    /// Sends TLS's `close_notify` if the socket takes it now. Does nothing without TLS.
    pub(crate) fn close_notify(&mut self) {
        if let Self::Tls(tls) = self {
            // If it fails, the connection ends anyway, and the Close frame has said why.
            let _ = tls.shutdown();
        }
    }
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

fn is_would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
