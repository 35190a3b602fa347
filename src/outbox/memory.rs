//! Outboxes without a socket, for tests and benchmarks: the real [`Outbox`] over a connection in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Bounds, ConnectionId, Flusher, Outbox, OutboxParts};
use crate::net::admission::{Admission, AdmissionLimits, Ticket};
#[cfg(test)]
use crate::net::stream::MemorySocket;
use crate::net::stream::{Stream, Tcp};

/// An outbox whose client is the test, and the test's handle on the connection.
///
/// There is no upgrade response in front of the first frame, and no write timeout. To see to what it
/// queues, drive the flusher by hand (`flusher/manual.rs`).
#[cfg(test)]
pub(crate) fn memory_outbox(
    connection: ConnectionId,
    max_queued: usize,
    flusher: &Arc<Flusher>,
) -> (Arc<Outbox>, MemorySocket) {
    let bounds = Bounds::new(max_queued, Duration::MAX);
    let socket = MemorySocket::new();
    let parts = parts(connection, Tcp::Memory(socket.clone()), bounds, flusher);
    (Outbox::new(parts), socket)
}

/// An outbox whose client takes everything at once, and where it goes nowhere.
#[cfg(feature = "bench")]
pub(crate) fn discarding_outbox(connection: ConnectionId, flusher: &Arc<Flusher>) -> Arc<Outbox> {
    let bounds = Bounds::new(usize::MAX, Duration::MAX);
    Outbox::new(parts(connection, Tcp::Discard, bounds, flusher))
}

/// A plain connection without upgrade response, which counts against no limit.
pub(super) fn parts(
    connection: ConnectionId,
    tcp: Tcp,
    bounds: Arc<Bounds>,
    flusher: &Arc<Flusher>,
) -> OutboxParts {
    OutboxParts {
        connection,
        ticket: ticket(),
        tcp,
        stream: Stream::Plain,
        upgrade_response: Bytes::new(),
        bounds,
        flusher: flusher.clone(),
    }
}

fn ticket() -> Ticket {
    let (admission, limits) = (Arc::<Admission>::default(), AdmissionLimits::default());
    admission.admit(None, None, limits, Instant::now()).expect("0 is no limit")
}

#[cfg(test)]
impl Outbox {
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.hot.tcp, Tcp::Memory(_))
    }
}
