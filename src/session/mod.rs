//! One client, one thread: from the first byte of its connection to the last.
//!
//! A session performs the handshake (TLS, HTTP, upgrade), then reads: it parses frames into requests,
//! applies the client's rate limits and sends the requests to the dispatcher. It waits for nothing but
//! its own client, and pings a silent one. It holds no room and no member, and a failure in it ends
//! this one connection only.

mod condition;
mod frame_counter;
mod handshake;
mod heartbeat;
mod live;
mod pump;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use log::{debug, error, info};

use crate::chat::{ConnectionId, Source};
#[cfg(feature = "cluster")]
use crate::cluster::Figures;
use crate::health::Health;
use crate::input::{Arrival, Input};
use crate::liveness::Liveness;
use crate::mailbox::MailboxSender;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::net::admission::{Admission, Ticket};
use crate::net::sockets::Peer;
use crate::net::stop::{Discarded, LINGER, Stop};
use crate::net::stream::{Tcp, read_blocking};
use crate::outbox::{Bounds, Flusher, Outbox, OutboxParts};
use crate::pace::{Pace, PaceLimits, Paces};
use crate::protocol::{CloseReason, Version};
use crate::settings::Limits;

pub(crate) use condition::Condition;
use handshake::{Outcome, Upgraded};
pub(crate) use live::{Live, LiveCell};
use pump::Pump;

/// What the sessions of one server have in common.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) live: LiveCell,
    pub(crate) stop: Stop,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) health: Arc<Health>,
    pub(crate) paces: Paces,
    pub(crate) memory: Arc<Memory>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) metrics: Arc<Metrics>,
    /// `None`: this server is a chat of its own.
    #[cfg(feature = "cluster")]
    pub(crate) cluster: Option<Arc<Figures>>,
}

/// An accepted connection, with what its session needs to serve it.
#[derive(Debug)]
pub(crate) struct Session {
    /// In the order in which connections were accepted.
    pub(crate) id: ConnectionId,
    pub(crate) context: Arc<Context>,
    /// What was live when the connection was accepted.
    pub(crate) live: Arc<Live>,
    pub(crate) inputs: MailboxSender<Input>,
    pub(crate) tcp: Tcp,
    pub(crate) peer: Peer,
    /// A header of the PROXY protocol comes first.
    pub(crate) has_proxy_header: bool,
    pub(crate) ticket: Ticket,
}

/// A session after its handshake: its client speaks WebSocket.
#[derive(Debug)]
pub(crate) struct UpgradedSession {
    session: Session,
    upgraded: Upgraded,
}

/// A client that speaks WebSocket.
struct Connection {
    inputs: MailboxSender<Input>,
    id: ConnectionId,
    version: Version,
    address: IpAddr,
    outbox: Arc<Outbox>,
    pace: Arc<Pace>,
    context: Arc<Context>,
}

impl Session {
    /// Performs the handshake. A connection that does not become a WebSocket is closed when this returns.
    pub(crate) fn shake_hands(mut self) -> Option<UpgradedSession> {
        match handshake::perform(&mut self) {
            Ok(Outcome::Upgraded(upgraded)) => {
                return Some(UpgradedSession { session: self, upgraded });
            }
            Ok(Outcome::Responded) => self.context.stop.linger(self.tcp.socket()),
            Err(failure) => debug!("{}: no handshake: {failure}", self.peer),
        }
        None
    }
}

impl UpgradedSession {
    pub(crate) fn is_tls(&self) -> bool {
        self.upgraded.stream.is_tls()
    }

    /// Serves the connection until it closes.
    pub(crate) fn run(self) {
        let Session { id, context, live, inputs, tcp, peer, ticket, .. } = self.session;
        let Upgraded { stream, response, arrival, address, read_ahead } = self.upgraded;
        let outbox = Outbox::new(OutboxParts {
            connection: id,
            ticket,
            tcp,
            stream,
            upgrade_response: response,
            bounds: context.bounds.clone(),
            flusher: context.flusher.clone(),
        });
        let began = Instant::now();
        match peer {
            Peer::Address(peer) => {
                info!("connection {} from {address} (port {})", id.0, peer.port());
            }
            Peer::Unix => info!("connection {} from {address} {peer}", id.0),
        }
        context.metrics.connections.add(1);
        let version = arrival.version();
        let source = Source::of(address);
        let limits = pace_limits(&live.settings.limits);
        let pace = Arc::new(context.paces.connect(&arrival.pace_keys(), source, limits));
        let connection = Connection { inputs, id, version, address, outbox, pace, context };
        let pump = Pump::new(&connection, &live, read_ahead);
        // A connection must not keep the old settings and pictures after a reload.
        drop(live);
        let reason = connection.run(arrival, pump);
        connection.context.metrics.ended(reason);
        let (user, seconds) = (connection.outbox.user().0, began.elapsed().as_secs());
        info!("connection {}: user {user} from {address} gone after {seconds} s: {reason}", id.0);
    }
}

impl Connection {
    /// Registers with the dispatcher, reads until there is a reason to close, and closes.
    fn run(&self, arrival: Arrival, pump: Pump<'_>) -> CloseReason {
        let (connection, address) = (self.id, self.address);
        let (outbox, pace) = (self.outbox.clone(), self.pace.clone());
        let connect = Input::Connect { connection, address, outbox, arrival, pace };
        if self.inputs.send(connect).is_err() {
            return CloseReason::InternalError;
        }
        let pump = AssertUnwindSafe(|| pump.run());
        let reason = catch_unwind(pump).unwrap_or_else(|_| {
            error!("the session of connection {} ({}) panicked", self.id.0, self.address);
            CloseReason::InternalError
        });
        let disconnect = Input::Disconnect { connection, reason };
        if self.inputs.send(disconnect).is_err() {
            return CloseReason::InternalError;
        }
        if self.outbox.waits_for_client(reason) {
            self.discard_input();
        }
        // The dispatcher may have closed the connection before, for another reason.
        self.outbox.ending().map_or(reason, |ending| ending.reason)
    }

    /// Discards input until the client closes, so that everything sent to it, up to the Close frame,
    /// has time to arrive: closing a socket with unread input sends RST. The flusher cuts off a
    /// client that takes too long.
    fn discard_input(&self) {
        let tcp = self.outbox.tcp();
        let (mut sink, mut discarded) = ([0; Discarded::BUFFER_BYTES], Discarded::default());
        // The flusher's deadline is no later than this, unless the dispatcher has not set it yet.
        if tcp.set_read_timeout(Some(LINGER)).is_ok() {
            while let Ok(len @ 1..) = read_blocking(tcp, &mut sink) {
                discarded.count(len);
            }
        }
    }
}

fn pace_limits(limits: &Limits) -> PaceLimits {
    PaceLimits {
        messages_per_second: limits.messages_per_second,
        message_burst: limits.message_burst,
        rooms_per_second: limits.rooms_per_second,
        room_burst: limits.room_burst,
    }
}
