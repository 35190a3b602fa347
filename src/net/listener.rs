//! The listener: one thread that accepts connections and starts a session thread for each.
//!
//! It blocks in `poll` on the socket and on the server's stop. Running out of descriptors, threads or
//! memory is a state of the machine, not an end: the connection concerned is turned away, the log
//! says so once a second at most, and accepting goes on.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use log::warn;
use rustix::event::PollFlags;

use super::stop::{Stop, Waited};
use super::stream::{Tcp, read_now, write_now};

/// How many connections the kernel holds that have not been accepted yet (it may hold fewer).
const BACKLOG: i32 = 4096;

/// How many connections are accepted before it is asked again whether the server stops.
const ACCEPT_AT_ONCE: usize = 64;

/// How long to wait before accepting again when the machine has nothing left to accept with.
const BREATHER: Duration = Duration::from_millis(50);

/// Listens on the first address that `host` stands for and that can be had.
pub(crate) fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let listener = TcpListener::bind(addresses.as_slice())?;
    // std asks for 128, which a burst of new clients overflows; asking again raises it.
    rustix::net::listen(&listener, BACKLOG)?;
    // `poll` does the waiting. A connection that is gone again by then must not block `accept`.
    listener.set_nonblocking(true)?;
    // Frames are small, and each is somebody waiting for an answer. Linux hands this down to every
    // connection that is accepted.
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    Ok(listener)
}

/// A connection that the machine lacks what it takes to serve.
pub(crate) struct Unserved {
    pub(crate) tcp: Tcp,
    pub(crate) why: io::Error,
}

/// Accepts until the stop, and hands each connection to `start`. What that does not serve is told
/// `regret`, if any.
pub(crate) fn run(
    listener: &TcpListener,
    stop: &Stop,
    regret: Option<&[u8]>,
    mut start: impl FnMut(TcpStream, SocketAddr) -> Result<(), Unserved>,
) -> io::Result<()> {
    let mut spare = Spare::new();
    let mut complaint = Complaint::default();
    while stop.wait(listener, PollFlags::IN, None)? == Waited::Ready {
        for _ in 0..ACCEPT_AT_ONCE {
            match listener.accept() {
                Ok((tcp, peer)) => {
                    if let Err(Unserved { tcp, why }) = start(tcp, peer) {
                        complaint.warn(format_args!("cannot serve {peer}: {why}"));
                        turn_away(tcp.socket(), regret);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    complaint.warn(format_args!("cannot accept a connection: {error}"));
                    if !spare.turn_away_one(listener, regret) {
                        std::thread::sleep(BREATHER);
                    }
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Whether the error says something of one connection, which is gone, and nothing of the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

/// Tells a client why it is not served, as far as that goes without waiting for it.
fn turn_away(tcp: &TcpStream, regret: Option<&[u8]>) {
    if let Some(regret) = regret {
        let _ = write_now(tcp, regret);
        let _ = tcp.shutdown(std::net::Shutdown::Write);
        // Closing with unread input would send RST, which can overtake the answer.
        let _ = read_now(tcp, &mut [0; 4096]);
    }
}

/// A descriptor held in reserve, to be able to accept a connection, and turn it away, when there is
/// no other left. Otherwise it would wait in the kernel's queue, and `poll` would not wait at all.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// False when there was nothing in reserve, or it did not help.
    fn turn_away_one(&mut self, listener: &TcpListener, regret: Option<&[u8]>) -> bool {
        let had_one = self.0.take().is_some();
        let accepted = listener.accept();
        if let Ok((tcp, _)) = &accepted {
            turn_away(tcp, regret);
        }
        drop(accepted);
        self.0 = File::open("/dev/null").ok();
        had_one && self.0.is_some()
    }
}

/// Warns once a second at most, and then says how often it kept silent.
#[derive(Default)]
struct Complaint {
    last: Option<Instant>,
    suppressed: u64,
}

impl Complaint {
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
