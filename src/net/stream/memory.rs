//! A connection in memory, for tests: it takes the place of a TCP socket and needs no descriptor.
//!
//! The outbox under test writes to it. The test holds a second handle to the same connection, decides
//! how much the socket takes, and looks at what was written. It carries nothing to the server: there
//! is never anything to read.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A handle to one connection. Clones lead to the same connection.
#[derive(Clone, Debug)]
pub(crate) struct MemorySocket(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    written: Vec<u8>,
    /// How many more bytes writes take before they block; `usize::MAX` is no limit.
    room: usize,
    is_reset: bool,
    is_write_shut_down: bool,
    is_read_shut_down: bool,
}

impl MemorySocket {
    /// A connection that takes every write in full.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            written: Vec::new(),
            room: usize::MAX,
            is_reset: false,
            is_write_shut_down: false,
            is_read_shut_down: false,
        })))
    }

    /// From now on writes take `bytes` in all, then `WouldBlock`. The write that meets the limit is
    /// a short one. `usize::MAX` takes off the limit.
    pub(crate) fn set_room(&self, bytes: usize) {
        self.state().room = bytes;
    }

    /// Takes nothing more until the next [`MemorySocket::set_room`].
    pub(crate) fn stall(&self) {
        self.set_room(0);
    }

    /// The client resets the connection: every later write fails.
    pub(crate) fn reset(&self) {
        self.state().is_reset = true;
    }

    /// What has been written since this was last called.
    pub(crate) fn take_written(&self) -> Vec<u8> {
        std::mem::take(&mut self.state().written)
    }

    /// Whether the server has ended its side: the client reads to the end of the stream.
    pub(crate) fn is_write_shut_down(&self) -> bool {
        self.state().is_write_shut_down
    }

    /// Whether the server has shut down both directions, without waiting for the client.
    pub(crate) fn is_cut_off(&self) -> bool {
        let state = self.state();
        state.is_write_shut_down && state.is_read_shut_down
    }

    pub(super) fn read(&self) -> io::Result<usize> {
        let state = self.state();
        if state.is_reset {
            Err(ErrorKind::ConnectionReset.into())
        } else if state.is_read_shut_down {
            Ok(0)
        } else {
            Err(ErrorKind::WouldBlock.into())
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.is_reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if state.is_write_shut_down {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if state.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(state.room);
        if state.room != usize::MAX {
            state.room -= taken;
        }
        state.written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        let mut state = self.state();
        state.is_write_shut_down |= how != Shutdown::Read;
        state.is_read_shut_down |= how != Shutdown::Write;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that has failed on another thread is not to hide its reason behind a second one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_socket_writes_short_then_blocks_until_there_is_room() {
        let socket = MemorySocket::new();
        let kind = |result: io::Result<usize>| result.map_err(|error| error.kind());
        assert_eq!(kind(socket.write(b"abc")), Ok(3));
        socket.set_room(2);
        assert_eq!(kind(socket.write(b"def")), Ok(2));
        assert_eq!(kind(socket.write(b"f")), Err(ErrorKind::WouldBlock));
        socket.set_room(usize::MAX);
        assert_eq!(kind(socket.write(b"f")), Ok(1));
        assert_eq!(socket.take_written(), b"abcdef");
        assert_eq!(socket.take_written(), b"");
    }

    #[test]
    fn a_socket_that_is_shut_down_or_reset_refuses_writes() {
        let socket = MemorySocket::new();
        socket.shutdown(Shutdown::Write);
        assert!(socket.is_write_shut_down() && !socket.is_cut_off());
        assert_eq!(socket.write(b"a").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(socket.read().unwrap_err().kind(), ErrorKind::WouldBlock);
        socket.shutdown(Shutdown::Both);
        assert!(socket.is_cut_off());
        assert_eq!(socket.read().unwrap(), 0);
        socket.reset();
        assert_eq!(socket.write(b"a").unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}
