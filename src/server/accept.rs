//! What the listener's thread does with a new connection: count it, and give it to a session thread.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use http::Method;

use super::Control;
use crate::chat::{ConnectionId, Source};
use crate::metrics::TurnedAway;
use crate::net::admission::{Admission, NotAdmitted};
use crate::net::http::Response;
use crate::net::listener::{self, Unserved};
use crate::net::sockets::{Accepted, ListenSocket, Peer};
use crate::net::stream::Tcp;
use crate::session::Session;

/// The state of the listener's thread.
pub(super) struct AcceptLoop {
    control: Control,
    admission: Arc<Admission>,
    /// Hands a session to an idle thread.
    idle_threads: Sender<Session>,
    /// The number of the connection accepted last.
    last_connection: u64,
}

impl AcceptLoop {
    /// `idle_threads` hands a session to an idle thread.
    pub(super) fn new(control: Control, idle_threads: Sender<Session>) -> Self {
        let admission = control.context.admission.clone();
        Self { control, admission, idle_threads, last_connection: 0 }
    }

    /// Accepts connections until the server stops.
    pub(super) fn run(mut self, sockets: &[ListenSocket]) -> io::Result<()> {
        let control = self.control.clone();
        let metrics = control.context.metrics.clone();
        // Who is refused without an attempt to serve it finds the machine short of descriptors.
        let is_counted = Cell::new(false);
        let busy_response = |socket: &ListenSocket| {
            if !is_counted.replace(false) {
                metrics.turned_away(TurnedAway::NoResources);
            }
            // Under TLS a response takes a handshake, and a handshake takes a thread.
            let is_tls = !socket.is_unix() && control.context.live.get().tls.is_some();
            (!is_tls).then(|| Response::unavailable("The server is busy.").into_bytes(&Method::GET))
        };
        let start = |accepted| {
            self.start(accepted).inspect_err(|Unserved { why, .. }| {
                metrics.turned_away(why_turned_away(why));
                is_counted.set(true);
            })
        };
        let look = || super::log_warnings(&control.context.live.get());
        let result = listener::run(sockets, &control.context.stop, busy_response, start, look);
        control.shut_down();
        result
    }

    /// Starts a session for a new connection.
    fn start(&mut self, accepted: Accepted) -> Result<(), Unserved> {
        let Accepted { tcp, peer, has_proxy_header } = accepted;
        let Control { context, inputs, .. } = self.control.clone();
        let live = context.live.get();
        // Only until the upgrade: to cut it off in its handshake.
        let handle = tcp.try_clone();
        // What comes over a Unix socket stays on this machine, and is not encrypted.
        let is_tls = live.tls.is_some() && peer != Peer::Unix;
        let tcp = if is_tls { Tcp::Shared(Arc::new(tcp)) } else { Tcp::Own(tcp) };
        let is_known = !has_proxy_header && !live.trusts(peer);
        let source = is_known.then(|| Source::of(peer.ip()));
        let admitted = handle.and_then(|handle| {
            let (limits, now) = (live.admission_limits(), Instant::now());
            self.admission.admit(source, Some(handle), limits, now).map_err(io::Error::other)
        });
        let ticket = match admitted {
            Ok(ticket) => ticket,
            Err(why) => return Err(Unserved { tcp, why }),
        };
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let session = Session { id, context, live, inputs, tcp, peer, has_proxy_header, ticket };
        match self.idle_threads.try_send(session) {
            Ok(()) => Ok(()),
            Err(no_idle_thread) => self.control.sessions.start(no_idle_thread.into_inner()),
        }
    }
}

fn why_turned_away(error: &io::Error) -> TurnedAway {
    let not_admitted = error.get_ref().and_then(|error| error.downcast_ref::<NotAdmitted>());
    not_admitted.map_or(TurnedAway::NoResources, |why| TurnedAway::from(*why))
}
