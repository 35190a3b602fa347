//! The handshake: from an accepted connection to a WebSocket, or to one HTTP response.
//!
//! Runs on the session's thread. One deadline covers TLS, the request head and the upgrade, so a
//! client gains nothing by sending one byte at a time. What a WebSocket says is left to `pump`.
//!
//! | file | owns |
//! |---|---|
//! | `proxy_header.rs` | the client that the PROXY protocol names |
//! | `head.rs` | TLS, reading the request head, writing a response |
//! | `routes.rs` | what a request gets: the upgrade, the page, health, a refusal |
//! | `upgrade.rs` | the checks of RFC 6455, subprotocols |
//! | `origin.rs` | which web pages may connect |
//! | `forwarded.rs` | for whom a proxy speaks |

mod forwarded;
mod head;
mod origin;
mod proxy_header;
mod routes;
mod upgrade;

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::bounded;
use http::Method;
use log::debug;

use self::head::{HandshakeStream, Patience, RequestRead};
use self::routes::{Route, Visitor};
use super::Session;
use crate::chat::{ResumeKey, Source};
use crate::input::{Arrival, Input, Recognition};
use crate::mailbox::MailboxSender;
use crate::net::http::Response;
use crate::net::listener;
use crate::net::sockets::Peer;
use crate::net::stream::{Stream, Tcp};

/// How a handshake ended.
pub(super) enum Outcome {
    Upgraded(Upgraded),
    /// The client got an HTTP response, and the connection closes.
    Responded,
}

/// A connection that is a WebSocket from here on.
#[derive(Debug)]
pub(super) struct Upgraded {
    pub(super) stream: Stream,
    /// The 101 response, not sent yet.
    pub(super) response: Bytes,
    pub(super) arrival: Arrival,
    /// The client's address: the peer's, or the one that a trusted proxy named.
    pub(super) address: IpAddr,
    /// What the client sent after its request.
    pub(super) read_ahead: Vec<u8>,
}

/// Performs the handshake of one connection.
pub(super) fn perform(session: &mut Session) -> io::Result<Outcome> {
    let timeout = Duration::from_millis(session.live.settings.limits.handshake_timeout_ms);
    let began = Instant::now();
    let deadline = began + timeout;
    let context = session.context.clone();
    let patience = Patience { stop: &context.stop, began, deadline };
    if session.has_proxy_header {
        let proxy = session.peer;
        session.peer = proxy_header::read(session, patience)?;
        count_named(session, proxy)?;
    }
    let Session { live, inputs, tcp, peer, ticket, .. } = session;
    let limits = &live.settings.limits;
    let write_timeout = Duration::from_millis(limits.write_timeout_ms);
    let mut stream = HandshakeStream::open(tcp, live.tls.as_ref(), patience)?;

    let (head, read_ahead) = match stream.read_request(limits.max_request_head_bytes)? {
        RequestRead::Complete { head, read_ahead } => (head, read_ahead),
        RequestRead::Refused(response) => {
            debug!("{peer}: {}", response.status());
            context.metrics.responded(response.status().as_str());
            stream.write(&response.into_bytes(&Method::GET), write_timeout)?;
            return Ok(Outcome::Responded);
        }
    };
    ticket.end_handshake();
    let is_known = |key| ask_dispatcher(inputs, key, deadline);
    let mut visitor = Visitor::new(live, &context, ticket, *peer, &head, &is_known);
    let address = visitor.address();
    match visitor.route(&head)? {
        Route::Upgrade(upgrade) => {
            context.metrics.responded("101");
            let response = upgrade.response();
            let (stream, arrival) = (stream.into_stream(), upgrade.arrival);
            Ok(Outcome::Upgraded(Upgraded { stream, response, arrival, address, read_ahead }))
        }
        Route::Respond(response) => {
            context.metrics.responded(response.status().as_str());
            debug!("{address}: {} {} {}", head.method, head.uri.path(), response.status());
            for piece in response.into_pieces(&head.method) {
                stream.write(&piece, write_timeout)?;
            }
            stream.close_notify();
            Ok(Outcome::Responded)
        }
    }
}

/// Counts the connection for the peer that the PROXY protocol has named, or for the proxy. Another proxy that
/// is trusted has still to say for whom it speaks.
fn count_named(session: &mut Session, proxy: Peer) -> io::Result<()> {
    let Session { context, live, tcp, peer, ticket, .. } = session;
    if live.trusts(*peer) {
        return Ok(());
    }
    let (source, is_exempt) = (Source::of(peer.ip()), *peer == proxy);
    let counted = ticket.count_for(source, is_exempt, live.admission_limits(), Instant::now());
    counted.map_err(|why| {
        let text = routes::refusal(why, &context.metrics);
        if let Tcp::Own(tcp) = tcp {
            let response = Response::unavailable(text);
            listener::refuse(tcp, Some(response.into_bytes(&Method::GET)));
        }
        io::Error::other(why)
    })
}

/// Whether this is the key of a user who can be resumed. The dispatcher does not wait for the answer to be
/// taken.
fn ask_dispatcher(inputs: &MailboxSender<Input>, key: ResumeKey, deadline: Instant) -> bool {
    let (answer, answered) = bounded(1);
    let question = Input::Recognize(Box::new(Recognition { key, answer }));
    inputs.send(question).is_ok() && answered.recv_deadline(deadline).unwrap_or(false)
}
