//! One client, one thread: from the first byte of its connection to the last.
//!
//! A session shakes hands (TLS, HTTP, the upgrade), then reads: frames become requests, requests are
//! counted against the client's rate and sent to the dispatcher. It waits for nothing but its client,
//! and pings one that is silent. It holds no room and no member, and whatever goes wrong in it is its
//! own end alone.

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

use log::{debug, error, info};

use crate::chat::UserId;
use crate::dispatcher::Input;
use crate::mailbox::Inlet;
use crate::net::admission::Ticket;
use crate::net::stop::{LINGER, Stop};
use crate::net::stream::read_when_there;
use crate::net::tls::TlsAcceptor;
use crate::outbox::{Bounds, Flusher, Outbox};
use crate::protocol::CloseReason;
use crate::settings::Settings;

use handshake::Upgraded;
use pump::Pump;

/// What all sessions of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) stop: Stop,
    pub(crate) flusher: Arc<Flusher>,
    /// The id of the user who came last. Ids count from 1.
    pub(crate) last_user: AtomicU64,
}

/// A connection that has been accepted, and what its session needs to serve it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inputs: Inlet<Input>,
    pub(crate) tcp: Arc<TcpStream>,
    pub(crate) peer: SocketAddr,
    pub(crate) ticket: Ticket,
    /// The server is full: the client is to be told so, and no more.
    pub(crate) is_turned_away: bool,
}

/// A client that has become a user.
struct Connection {
    shared: Arc<Shared>,
    inputs: Inlet<Input>,
    user: UserId,
    address: IpAddr,
    outbox: Arc<Outbox>,
}

impl Session {
    /// Serves the connection until it ends.
    pub(crate) fn run(mut self) {
        match handshake::shake_hands(&mut self) {
            Ok(Some(upgraded)) => self.serve(upgraded),
            // The page, a refusal: answered in full.
            Ok(None) => self.shared.stop.linger(&self.tcp),
            Err(failure) => debug!("{}: no handshake: {failure}", self.peer),
        }
    }

    /// Lives the life of a WebSocket connection.
    fn serve(self, upgraded: Upgraded) {
        let Self { shared, inputs, tcp, peer, ticket, .. } = self;
        let Upgraded { stream, answer, address, read_ahead } = upgraded;
        let user = UserId(shared.last_user.fetch_add(1, Ordering::Relaxed) + 1);
        let limits = &shared.settings.limits;
        let bounds = Bounds {
            max_queued: limits.outbox_max_bytes,
            write_timeout: Duration::from_millis(limits.write_timeout_ms),
        };
        let flusher = shared.flusher.clone();
        let outbox = Outbox::new(stream, tcp, (user.0, ticket), answer, bounds, flusher);
        let began = Instant::now();
        info!("user {} connected from {address} (port {})", user.0, peer.port());
        let connection = Connection { shared, inputs, user, address, outbox: Arc::new(outbox) };
        let reason = connection.live(read_ahead);
        let seconds = began.elapsed().as_secs();
        info!("user {} from {address} gone after {seconds} s: {reason}", user.0);
    }
}

impl Connection {
    /// Connects, reads until there is a reason to end, and ends well.
    fn live(&self, read_ahead: Vec<u8>) -> CloseReason {
        let connect = Input::Connect { user: self.user, outbox: self.outbox.clone() };
        if self.inputs.send(connect).is_err() {
            return CloseReason::InternalError;
        }
        let pump = AssertUnwindSafe(|| Pump::new(self, read_ahead).run());
        let reason = catch_unwind(pump).unwrap_or_else(|_| {
            error!("the session of user {} ({}) panicked", self.user.0, self.address);
            CloseReason::InternalError
        });
        let disconnect = Input::Disconnect { user: self.user, reason };
        if self.inputs.send(disconnect).is_err() {
            return CloseReason::InternalError;
        }
        if self.outbox.waits_for_client(reason) {
            self.see_off();
        }
        // The dispatcher may have had another reason before.
        self.outbox.ending().map_or(reason, |ending| ending.reason)
    }

    /// Drops what still comes in until the client has closed, so that what was sent to it, up to the
    /// Close frame, has time to arrive: closing a socket that has unread input would destroy it. A
    /// client that takes longer than it may is cut off by the flusher.
    fn see_off(&self) {
        let tcp = self.outbox.tcp();
        let mut sink = [0; 1024];
        // The flusher's deadline is no later than this unless the dispatcher has yet to come to it.
        if tcp.set_read_timeout(Some(LINGER)).is_ok() {
            while matches!(read_when_there(tcp, &mut sink), Ok(1..)) {}
        }
    }
}
