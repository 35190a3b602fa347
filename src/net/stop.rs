//! How threads that wait for the network learn that the server stops.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::stream::read_now;

/// How long a closed connection is kept to let its last frames arrive.
///
/// Closing a socket that has unread input sends RST, which can destroy what is still on its way.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// A stop that is announced once and then holds: an event for `poll`, and the time left.
#[derive(Debug)]
pub(crate) struct Stop {
    event: OwnedFd,
    until: OnceLock<Instant>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Ready,
    TimedOut,
    Stopping,
}

impl Stop {
    /// Fails when no descriptor is left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { event: new_event()?, until: OnceLock::new() })
    }

    /// Announces the stop; connections have until `until` to end well. Only the first call counts,
    /// and returns true.
    pub(crate) fn announce(&self, until: Instant) -> bool {
        let is_first = self.until.set(until).is_ok();
        if is_first {
            signal(&self.event);
        }
        is_first
    }

    pub(crate) fn is_announced(&self) -> bool {
        self.until.get().is_some()
    }

    /// `deadline`, or the time at which everything has to be over if that is earlier.
    pub(crate) fn limit(&self, deadline: Instant) -> Instant {
        self.until.get().map_or(deadline, |until| deadline.min(*until))
    }

    /// Waits until `fd` is ready for `interest`, in error, or hung up; or for the stop, or `deadline`.
    pub(crate) fn wait(
        &self,
        fd: impl AsFd,
        interest: PollFlags,
        deadline: Option<Instant>,
    ) -> io::Result<Waited> {
        let mut fds = [PollFd::new(&fd, interest), PollFd::new(&self.event, PollFlags::IN)];
        if wait_for(&mut fds, deadline)? == 0 {
            Ok(Waited::TimedOut)
        } else if fds[1].revents().is_empty() {
            Ok(Waited::Ready)
        } else {
            Ok(Waited::Stopping)
        }
    }

    /// Lets the peer read what has been written: ends the writing side, then drops what still comes
    /// in until the peer closes, or for [`LINGER`] at most.
    pub(crate) fn linger(&self, tcp: &TcpStream) {
        let _ = tcp.shutdown(std::net::Shutdown::Write);
        let until = Instant::now() + LINGER;
        let mut sink = [0; 1024];
        loop {
            match read_now(tcp, &mut sink) {
                Ok(0) => return,
                Ok(_) if Instant::now() < self.limit(until) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let deadline = self.limit(until);
                    let mut fds =
                        [PollFd::new(tcp, PollFlags::IN), PollFd::new(&self.event, PollFlags::IN)];
                    // A stop that is under way would end each wait at once.
                    let watched = if self.is_announced() { 1 } else { 2 };
                    match wait_for(&mut fds[..watched], Some(deadline)) {
                        Ok(1..) => {}
                        Ok(0) | Err(_) => return,
                    }
                }
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// A new event that `poll` can wait for.
pub(crate) fn new_event() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Makes an event readable.
pub(crate) fn signal(event: &OwnedFd) {
    // It can only fail when the counter is full, and then the event is readable already.
    let _ = rustix::io::write(event, &1u64.to_ne_bytes());
}

/// Makes an event wait for its next signal.
pub(crate) fn reset(event: &OwnedFd) {
    let _ = rustix::io::read(event, &mut [0; 8]);
}

/// Waits until `tcp` is ready for `interest`, in error, or hung up; `WouldBlock` at the deadline.
pub(crate) fn wait_ready(
    tcp: &TcpStream,
    interest: PollFlags,
    deadline: Instant,
) -> io::Result<()> {
    match wait_for(&mut [PollFd::new(tcp, interest)], Some(deadline))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// `poll`, until `deadline` at the latest; the number of descriptors that are ready.
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
