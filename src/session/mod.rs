//! One client, one thread: from the first byte of its connection to the last.
//!
//! A session shakes hands (TLS, HTTP, the upgrade), then reads: frames become requests, requests are
//! counted against the client's rate and sent to the dispatcher. It also flushes what the
//! dispatcher could not write at once, and pings a client that is silent. It holds no room and no
//! member, and whatever goes wrong in it is its own end alone.

mod handshake;
mod heartbeat;
mod limiter;
mod origin;
mod pump;

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use log::{debug, error, info};
use rustix::event::{PollFd, PollFlags};

use crate::chat::UserId;
use crate::dispatcher::Input;
use crate::net::admission::Ticket;
use crate::net::stop::{Stop, wait_for};
use crate::net::tls::TlsAcceptor;
use crate::outbox::Outbox;
use crate::protocol::CloseReason;
use crate::settings::Settings;

use handshake::Upgraded;
use pump::Pump;

/// How long a session waits for the dispatcher to end it. It only ever waits in vain when the
/// dispatcher is gone, and then the process goes, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all sessions of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) stop: Stop,
    /// The id of the user who came last. Ids count from 1.
    pub(crate) last_user: AtomicU64,
}

/// A connection that has been accepted, and what its session needs to serve it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inputs: Sender<Input>,
    pub(crate) tcp: Arc<TcpStream>,
    pub(crate) peer: SocketAddr,
    pub(crate) ticket: Ticket,
    /// The server is full: the client is to be told so, and no more.
    pub(crate) is_turned_away: bool,
}

/// A client that has become a user.
struct Connection<'a> {
    session: &'a Session,
    user: UserId,
    address: IpAddr,
    outbox: Arc<Outbox>,
}

impl Session {
    /// Serves the connection until it ends. Returns when nothing of it is left.
    pub(crate) fn run(mut self) {
        match handshake::shake_hands(&mut self) {
            Ok(Some(upgraded)) => self.serve(upgraded),
            // The page, a refusal: answered in full.
            Ok(None) => self.shared.stop.linger(&self.tcp),
            Err(failure) => debug!("{}: no handshake: {failure}", self.peer),
        }
    }

    /// Lives the life of a WebSocket connection.
    fn serve(&self, upgraded: Upgraded) {
        let Upgraded { outbox, address, read_ahead } = upgraded;
        let user = UserId(self.shared.last_user.fetch_add(1, Ordering::Relaxed) + 1);
        let began = Instant::now();
        info!("user {} connected from {address} (port {})", user.0, self.peer.port());
        let outbox = Arc::new(outbox);
        let connection = Connection { session: self, user, address, outbox };
        let reason = connection.live(read_ahead);
        let seconds = began.elapsed().as_secs();
        info!("user {} from {address} gone after {seconds} s: {reason}", user.0);
    }
}

impl Connection<'_> {
    /// Connects, reads until there is a reason to end, and ends well.
    fn live(&self, read_ahead: Vec<u8>) -> CloseReason {
        let connect = Input::Connect { user: self.user, outbox: self.outbox.clone() };
        if self.session.inputs.send(connect).is_err() {
            return CloseReason::InternalError;
        }
        let pump = AssertUnwindSafe(|| Pump::new(self, read_ahead).run());
        let reason = catch_unwind(pump).unwrap_or_else(|_| {
            error!("the session of user {} ({}) panicked", self.user.0, self.address);
            CloseReason::InternalError
        });
        let disconnect = Input::Disconnect { user: self.user, reason };
        if self.session.inputs.send(disconnect).is_err() {
            return CloseReason::InternalError;
        }
        if reason == CloseReason::ConnectionLost {
            return reason;
        }
        self.see_off().unwrap_or(reason)
    }

    /// Flushes what is left, up to the Close frame, and gives it time to arrive. Returns why the
    /// connection ended, as the dispatcher saw it, unless that was this session's own doing.
    fn see_off(&self) -> Option<CloseReason> {
        let patience = Instant::now() + PATIENCE;
        let stop = &self.session.shared.stop;
        let tcp = &*self.session.tcp;
        let mut ending = self.outbox.ending();
        while ending.is_none() || !self.outbox.is_flushed() {
            let until = ending.map_or(patience, |ending| stop.limit(ending.until));
            let mut fds = [
                PollFd::from_borrowed_fd(self.outbox.wake(), PollFlags::IN),
                PollFd::new(tcp, PollFlags::OUT),
            ];
            let watched = if self.outbox.is_waiting_to_write() { 2 } else { 1 };
            if !matches!(wait_for(&mut fds[..watched], Some(until)), Ok(1..)) {
                break;
            }
            self.outbox.hear();
            self.outbox.flush();
            ending = self.outbox.ending();
        }
        self.outbox.close_notify();
        stop.linger(tcp);
        ending.map(|ending| ending.reason)
    }
}
