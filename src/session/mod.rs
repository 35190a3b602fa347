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

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, error, info};

use crate::chat::ConnectionId;
use crate::dispatcher::Health;
use crate::input::{Arrival, Input};
use crate::mailbox::MailboxSender;
use crate::net::admission::Ticket;
use crate::net::stop::{LINGER, Stop};
use crate::net::stream::{Tcp, read_blocking};
use crate::net::tls::TlsAcceptor;
use crate::outbox::{Bounds, Flusher, Outbox, OutboxParts};
use crate::protocol::{CloseReason, Version};
use crate::settings::Settings;
use crate::web::Site;

use handshake::Upgraded;
use pump::Pump;

/// What all sessions of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) site: Site,
    pub(crate) stop: Stop,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) health: Arc<Health>,
}

/// A connection that has been accepted, and what its session needs to serve it.
#[derive(Debug)]
pub(crate) struct Session {
    /// In the order in which connections were accepted.
    pub(crate) id: ConnectionId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inputs: MailboxSender<Input>,
    pub(crate) tcp: Tcp,
    pub(crate) peer: SocketAddr,
    pub(crate) ticket: Ticket,
    /// The server is full: the client is to be told so, and no more.
    pub(crate) is_turned_away: bool,
}

/// A client that speaks WebSocket.
struct Connection {
    shared: Arc<Shared>,
    inputs: MailboxSender<Input>,
    id: ConnectionId,
    version: Version,
    address: IpAddr,
    outbox: Arc<Outbox>,
}

impl Session {
    /// Serves the connection until it ends.
    pub(crate) fn run(mut self) {
        match handshake::shake_hands(&mut self) {
            Ok(Some(upgraded)) => self.serve(upgraded),
            // The page, a refusal: answered in full.
            Ok(None) => self.shared.stop.linger(self.tcp.socket()),
            Err(failure) => debug!("{}: no handshake: {failure}", self.peer),
        }
    }

    /// Lives the life of a WebSocket connection.
    fn serve(self, upgraded: Upgraded) {
        let Self { id, shared, inputs, tcp, peer, ticket, .. } = self;
        let Upgraded { stream, answer, arrival, address, read_ahead } = upgraded;
        let limits = &shared.settings.limits;
        let bounds = Bounds {
            max_queued: limits.outbox_max_bytes,
            write_timeout: Duration::from_millis(limits.write_timeout_ms),
        };
        let outbox = Outbox::new(OutboxParts {
            connection: id,
            ticket,
            tcp,
            stream,
            upgrade_response: answer,
            bounds,
            flusher: shared.flusher.clone(),
        });
        let began = Instant::now();
        info!("connection {} from {address} (port {})", id.0, peer.port());
        let version = arrival.version();
        let connection = Connection { shared, inputs, id, version, address, outbox };
        let reason = connection.live(arrival, read_ahead);
        let (user, seconds) = (connection.outbox.user().0, began.elapsed().as_secs());
        info!("connection {}: user {user} from {address} gone after {seconds} s: {reason}", id.0);
    }
}

impl Connection {
    /// Connects, reads until there is a reason to end, and ends well.
    fn live(&self, arrival: Arrival, read_ahead: Vec<u8>) -> CloseReason {
        let (connection, outbox) = (self.id, self.outbox.clone());
        let connect = Input::Connect { connection, outbox, arrival };
        if self.inputs.send(connect).is_err() {
            return CloseReason::InternalError;
        }
        let pump = AssertUnwindSafe(|| Pump::new(self, read_ahead).run());
        let reason = catch_unwind(pump).unwrap_or_else(|_| {
            error!("the session of connection {} ({}) panicked", self.id.0, self.address);
            CloseReason::InternalError
        });
        let disconnect = Input::Disconnect { connection, reason };
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
            while matches!(read_blocking(tcp, &mut sink), Ok(1..)) {}
        }
    }
}
