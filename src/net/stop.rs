//! The stop signal, and waiting for sockets with `poll`.
//!
//! Owns the event that wakes threads which wait for a socket when the server shuts down. Any thread
//! may announce the stop; the listener and the session threads wait for it. What to do then is left
//! to them.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::stream::read_now;

/// How long a socket stays open after its last frame, so that the frame can arrive.
///
/// Closing a socket with unread input sends RST, which can destroy data still in flight.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// The same while the server stops. Clients that are still there answer a Close frame much sooner, and nobody
/// should wait for one that does not.
pub(crate) const DRAIN_LINGER: Duration = Duration::from_millis(500);

/// What is discarded of the input that comes after the end: at first what may have been on its way, at once;
/// then only so much in each pause. A peer can send as fast as it likes, and nothing is gained by taking it
/// as fast.
#[derive(Debug, Default)]
pub(crate) struct Discarded {
    bytes: usize,
}

impl Discarded {
    /// The size of the buffer for one read.
    pub(crate) const BUFFER_BYTES: usize = 4_096;
    const AT_ONCE: usize = 65_536;
    const PAUSE: Duration = Duration::from_millis(5);
    /// A read counts for at least this much.
    const MIN_READ: usize = 1_024;

    /// Counts what has been read, and waits if that is much.
    pub(crate) fn count(&mut self, len: usize) {
        self.bytes += len.max(Self::MIN_READ);
        if self.bytes > Self::AT_ONCE {
            thread::sleep(Self::PAUSE);
        }
    }
}

/// The stop signal of one server: once announced, it stays.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Readable from the announcement on.
    event: OwnedFd,
    /// When all connections have to be closed.
    deadline: OnceLock<Instant>,
}

/// Why [`Stop::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wakeup {
    Ready,
    TimedOut,
    Stopping,
}

impl Stop {
    /// Fails when the process has no file descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { event: new_event()?, deadline: OnceLock::new() })
    }

    /// Announces the stop. Connections have until `deadline` to close. Later calls do nothing.
    pub(crate) fn announce(&self, deadline: Instant) {
        if self.deadline.set(deadline).is_ok() {
            signal(&self.event);
        }
    }

    pub(crate) fn is_announced(&self) -> bool {
        self.deadline.get().is_some()
    }

    /// The earlier of `deadline` and the deadline of the stop, if it is announced.
    pub(crate) fn limit(&self, deadline: Instant) -> Instant {
        self.deadline.get().map_or(deadline, |stop| deadline.min(*stop))
    }

    /// Waits until `fd` is ready for `interest`, has an error or is hung up, until the stop is
    /// announced, or until `deadline`.
    pub(crate) fn wait(
        &self,
        fd: impl AsFd,
        interest: PollFlags,
        deadline: Option<Instant>,
    ) -> io::Result<Wakeup> {
        let mut fds = [PollFd::new(&fd, interest), PollFd::new(&self.event, PollFlags::IN)];
        if wait_for(&mut fds, deadline)? == 0 {
            Ok(Wakeup::TimedOut)
        } else if fds[1].revents().is_empty() {
            Ok(Wakeup::Ready)
        } else {
            Ok(Wakeup::Stopping)
        }
    }

    /// Like [`Stop::wait`], for a connection whose handshake `began` then, and has to be over at `deadline`.
    ///
    /// The stop does not cut off one that has hardly come: within [`DRAIN_LINGER`] of its beginning it gets its answer.
    /// Otherwise, with a socket that systemd keeps, a restart would refuse those that have been accepted last.
    pub(crate) fn wait_in_handshake(
        &self,
        fd: impl AsFd,
        interest: PollFlags,
        began: Instant,
        deadline: Instant,
    ) -> io::Result<()> {
        match self.wait(&fd, interest, Some(deadline))? {
            Wakeup::Ready => Ok(()),
            Wakeup::TimedOut => Err(io::Error::new(ErrorKind::TimedOut, "it took too long")),
            Wakeup::Stopping => {
                let grace = self.limit(deadline.min(began + DRAIN_LINGER));
                match wait_for(&mut [PollFd::new(&fd, interest)], Some(grace))? {
                    0 => Err(io::Error::other("the server is stopping")),
                    _ => Ok(()),
                }
            }
        }
    }

    /// What [`Stop::wait_for_any`] waits for: input on one of these, and the stop.
    pub(crate) fn watch<'a>(&'a self, fds: &'a [impl AsFd]) -> Vec<PollFd<'a>> {
        let inputs = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN));
        inputs.chain([PollFd::new(&self.event, PollFlags::IN)]).collect()
    }

    /// Waits until some of the descriptors that are `watched` have input, until the stop is announced, or
    /// until `deadline`. Notes which have.
    pub(crate) fn wait_for_any(
        &self,
        watched: &mut [PollFd<'_>],
        deadline: Instant,
    ) -> io::Result<Wakeup> {
        if wait_for(watched, Some(deadline))? == 0 {
            Ok(Wakeup::TimedOut)
        } else if self.is_announced() {
            Ok(Wakeup::Stopping)
        } else {
            Ok(Wakeup::Ready)
        }
    }

    /// Closes a connection so that the peer can read all that was written: shuts down the writing
    /// side, then discards input until the peer closes, for at most [`LINGER`], and once the server stops, for
    /// at most [`DRAIN_LINGER`].
    pub(crate) fn linger(&self, tcp: &TcpStream) {
        let _ = tcp.shutdown(std::net::Shutdown::Write);
        let mut deadline = Instant::now() + LINGER;
        let mut is_stopping = false;
        let (mut sink, mut discarded) = ([0; Discarded::BUFFER_BYTES], Discarded::default());
        loop {
            if !is_stopping && self.is_announced() {
                is_stopping = true;
                deadline = deadline.min(Instant::now() + DRAIN_LINGER);
            }
            match read_now(tcp, &mut sink) {
                Ok(0) => return,
                Ok(len) if Instant::now() < self.limit(deadline) => discarded.count(len),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut fds =
                        [PollFd::new(tcp, PollFlags::IN), PollFd::new(&self.event, PollFlags::IN)];
                    // A stop already announced would end every wait immediately.
                    let watched = if is_stopping { 1 } else { 2 };
                    match wait_for(&mut fds[..watched], Some(self.limit(deadline))) {
                        Ok(1..) => {}
                        Ok(0) | Err(_) => return,
                    }
                }
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Creates an event that `poll` and `epoll` can wait for.
pub(crate) fn new_event() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Makes an event readable.
pub(crate) fn signal(event: &OwnedFd) {
    // Fails only when the counter is full, and then the event is readable already.
    let _ = rustix::io::write(event, &1u64.to_ne_bytes());
}

/// Clears an event, so that it can be waited for again.
pub(crate) fn reset(event: &OwnedFd) {
    let _ = rustix::io::read(event, &mut [0; 8]);
}

/// Waits until `tcp` is ready for `interest`, has an error or is hung up. Returns `WouldBlock` at the
/// deadline.
pub(crate) fn wait_ready(
    tcp: &TcpStream,
    interest: PollFlags,
    deadline: Instant,
) -> io::Result<()> {
    match wait_for(&mut [PollFd::new(tcp, interest)], Some(deadline))? {
        0 => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// Calls `poll` with a deadline, and returns the number of descriptors that are ready.
fn wait_for(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
        });
        match poll(fds, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
