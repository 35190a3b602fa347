//! The listener: one thread that accepts connections and has a session started for each.
//!
//! It blocks in `poll` on all listening sockets and on the stop signal. When the machine runs out of
//! descriptors, threads or memory, it refuses the connection at hand, logs that once a second at
//! most, and goes on accepting. How a session starts is left to the caller.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use log::warn;

use super::sockets::{Accepted, ListenSocket};
use super::stop::{Stop, Wakeup};
use super::stream::{Tcp, read_now, write_now};

/// How many connections are accepted between two checks of the stop signal.
const ACCEPT_BATCH: usize = 64;

/// The pause before the next `accept` when the machine has no resources for it.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// How long the listener sleeps at most, so that what depends on the time of day is looked at even if nobody
/// connects.
const LOOK_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// A connection that cannot be served, because of a limit or because the machine lacks resources.
pub(crate) struct Unserved {
    pub(crate) tcp: Tcp,
    pub(crate) why: io::Error,
}

/// Accepts connections until the stop and hands each to `start`. A connection that is not served
/// gets the `busy_response` of its socket, if there is one. Each time it wakes, and every hour at least, it
/// calls `look`.
pub(crate) fn run(
    sockets: &[ListenSocket],
    stop: &Stop,
    busy_response: impl Fn(&ListenSocket) -> Option<Vec<u8>>,
    mut start: impl FnMut(Accepted) -> Result<(), Unserved>,
    mut look: impl FnMut(),
) -> io::Result<()> {
    let mut spare = SpareDescriptor::new();
    let mut warnings = ThrottledWarnings::default();
    let mut watched = stop.watch(sockets);
    loop {
        match stop.wait_for_any(&mut watched, Instant::now() + LOOK_INTERVAL)? {
            Wakeup::Ready | Wakeup::TimedOut => look(),
            Wakeup::Stopping => return Ok(()),
        }
        for (socket, _) in sockets.iter().zip(&watched).filter(|(_, fd)| !fd.revents().is_empty()) {
            let busy_response = || busy_response(socket);
            accept_batch(socket, busy_response, &mut start, &mut spare, &mut warnings);
        }
    }
}

/// Accepts what waits at one socket, up to a number.
fn accept_batch(
    socket: &ListenSocket,
    busy_response: impl Fn() -> Option<Vec<u8>>,
    start: &mut impl FnMut(Accepted) -> Result<(), Unserved>,
    spare: &mut SpareDescriptor,
    warnings: &mut ThrottledWarnings,
) {
    for _ in 0..ACCEPT_BATCH {
        match socket.accept() {
            Ok(accepted) => {
                let peer = accepted.peer;
                if let Err(Unserved { tcp, why }) = start(accepted) {
                    warnings.warn(format_args!("cannot serve {peer}: {why}"));
                    refuse(tcp.socket(), busy_response());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                warnings.warn(format_args!("cannot accept a connection: {error}"));
                if !spare.refuse_one(socket, busy_response()) {
                    std::thread::sleep(ACCEPT_RETRY_DELAY);
                }
                break;
            }
        }
    }
}

/// Whether the error is about one lost connection and says nothing about the next one.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

/// Sends the response, if there is one, without waiting for the client.
pub(crate) fn refuse(tcp: &TcpStream, response: Option<Vec<u8>>) {
    if let Some(response) = response {
        let _ = write_now(tcp, &response);
        let _ = tcp.shutdown(std::net::Shutdown::Write);
        // Closing with unread input would send RST, which can overtake the response.
        let _ = read_now(tcp, &mut [0; 4096]);
    }
}

/// A file descriptor held in reserve, to accept a connection and refuse it when no other descriptor
/// is left. Otherwise the connection would stay in the kernel's queue, and `poll` would return
/// immediately again and again.
struct SpareDescriptor(Option<File>);

impl SpareDescriptor {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Returns false when there was no spare descriptor, or none could be opened again.
    fn refuse_one(&mut self, socket: &ListenSocket, response: Option<Vec<u8>>) -> bool {
        let had_spare = self.0.take().is_some();
        let accepted = socket.accept();
        if let Ok(Accepted { tcp, .. }) = &accepted {
            refuse(tcp, response);
        }
        drop(accepted);
        self.0 = File::open("/dev/null").ok();
        had_spare && self.0.is_some()
    }
}

/// Logs one warning a second at most, and counts those it leaves out.
#[derive(Default)]
struct ThrottledWarnings {
    last: Option<Instant>,
    suppressed: u64,
}

impl ThrottledWarnings {
    fn warn(&mut self, what: fmt::Arguments<'_>) {
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last < Duration::from_secs(1)) {
            self.suppressed += 1;
            return;
        }
        match std::mem::take(&mut self.suppressed) {
            0 => warn!("{what}"),
            more => warn!("{what} (and {more} more since the last such line)"),
        }
        self.last = Some(now);
    }
}
