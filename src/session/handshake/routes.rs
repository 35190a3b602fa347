//! What a request gets: the upgrade, the page, the health check, or a refusal.
//!
//! Decides from the request head, the settings and the admission counts, and neither reads nor
//! writes. The checks of the upgrade itself are left to `upgrade`, the files of the page to `web`.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use http::header;
use http::{HeaderValue, Method, StatusCode};
use log::warn;

use super::forwarded::{self, Doubt, NamedClient};
use super::upgrade::{self, Upgrade};
use crate::chat::{ResumeKey, Source};
use crate::metrics::{Metrics, TurnedAway};
use crate::net::admission::{AdmissionLimits, NotAdmitted, Ticket};
use crate::net::http::{RequestHead, Response};
use crate::net::sockets::Peer;
use crate::session::Context;
use crate::session::condition::Condition;
use crate::session::live::Live;

const HEALTH_PATH: &str = "/health";

/// Who sent a request.
pub(super) struct Visitor<'a> {
    live: &'a Live,
    context: &'a Context,
    ticket: &'a mut Ticket,
    peer: Peer,
    client: NamedClient,
    is_known: &'a dyn Fn(ResumeKey) -> bool,
}

/// What a request gets.
pub(super) enum Route {
    Upgrade(Upgrade),
    Respond(Response),
}

impl<'a> Visitor<'a> {
    /// `is_known` asks the dispatcher whether a secret belongs to a user.
    pub(super) fn new(
        live: &'a Live,
        context: &'a Context,
        ticket: &'a mut Ticket,
        peer: Peer,
        head: &RequestHead,
        is_known: &'a dyn Fn(ResumeKey) -> bool,
    ) -> Self {
        let is_proxy = |address: &IpAddr| live.is_proxy(address);
        let client = forwarded::client(peer.ip(), live.trusts(peer), head, is_proxy);
        Self { live, context, ticket, peer, client, is_known }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.client.address
    }

    /// Decides what the request gets.
    pub(super) fn route(&mut self, head: &RequestHead) -> io::Result<Route> {
        self.warn_of_doubt();
        // Whoever watches the server is answered also when it is full.
        let is_upgrade = head.has_token(&header::UPGRADE, "websocket");
        let is_readable = head.method == Method::GET || head.method == Method::HEAD;
        if is_readable && !is_upgrade && head.uri.path() == HEALTH_PATH {
            return Ok(Route::Respond(health_response(&Condition::of(self.context))));
        }
        let limits = self.live.admission_limits();
        if let Err(why) = self.count(limits) {
            return Ok(Route::Respond(Response::unavailable(why)));
        }
        if !is_readable {
            return Ok(Route::Respond(Response::method_not_allowed("GET, HEAD")));
        }
        if is_upgrade {
            return self.upgrade(head, limits);
        }
        Ok(Route::Respond(if self.ticket.is_full(limits) {
            self.server_is_full()
        } else if head.headers.contains_key(header::SEC_WEBSOCKET_KEY) {
            let text =
                "The Upgrade header is missing. A proxy in front of the server has to pass it on.";
            upgrade::required(text)
        } else {
            self.live.site.respond(head)
        }))
    }

    fn upgrade(&mut self, head: &RequestHead, limits: AdmissionLimits) -> io::Result<Route> {
        let key = match upgrade::check(head, self.live) {
            Ok(key) => key,
            Err(response) => return Ok(Route::Respond(response)),
        };
        let arrival = upgrade::arrival(head)?;
        let resumed = || arrival.offer().and_then(|offer| offer.resumed);
        let is_resuming = self.ticket.is_full(limits) && resumed().is_some_and(self.is_known);
        Ok(if self.ticket.take_place(is_resuming, limits) {
            Route::Upgrade(Upgrade { key, arrival })
        } else {
            Route::Respond(self.server_is_full())
        })
    }

    /// Counts the connection for its source, unless that has been done: a trusted proxy is not
    /// counted before it is known for whom it speaks.
    fn count(&mut self, limits: AdmissionLimits) -> Result<(), &'static str> {
        if !self.live.trusts(self.peer) {
            return Ok(());
        }
        let source = Source::of(self.client.address);
        // A proxy on this machine that does not say clearly for whom it speaks is limited like any client.
        let is_exempt = !matches!(self.client.doubt, Some(Doubt::Unreadable(_)));
        let counted = self.ticket.count_for(source, is_exempt, limits, Instant::now());
        counted.map_err(|why| refusal(why, &self.context.metrics))
    }

    fn server_is_full(&self) -> Response {
        self.context.metrics.turned_away(TurnedAway::Full);
        Response::unavailable("The server is full.")
    }

    fn warn_of_doubt(&self) {
        let told = &self.live.told;
        let peer = match self.peer {
            Peer::Address(_) => self.peer.ip().to_string(),
            Peer::Unix => "at the Unix socket".to_owned(),
        };
        match &self.client.doubt {
            Some(Doubt::Unreadable(hop)) if told.unreadable_hop.is_first() => warn!(
                "the proxy {peer} names a client by {hop:.60?}, which is no address: all such clients \
                 together count as {}, and have its limits; make the proxy send addresses",
                self.client.address
            ),
            Some(Doubt::Ambiguous) if told.ambiguous_hops.is_first() => warn!(
                "the proxy {peer} sends both X-Forwarded-For and Forwarded, and they name different \
                 clients: X-Forwarded-For counts; make the proxy remove the one that it does not write itself"
            ),
            _ => {}
        }
    }
}

/// Counts a client that is not served, and says what it is told.
pub(super) fn refusal(why: NotAdmitted, metrics: &Metrics) -> &'static str {
    metrics.turned_away(why.into());
    match why {
        NotAdmitted::TooFast => "Your address connects too often.",
        NotAdmitted::SourceHasTooMany | NotAdmitted::Full => {
            "There are too many connections from your address."
        }
    }
}

/// What needs the operator, for monitors. 503 if clients cannot use the server now; otherwise 200, with a line
/// for each thing that will fail soon.
fn health_response(condition: &Condition) -> Response {
    let warnings = condition.warnings.iter().map(|warning| format!("warning: {warning}"));
    if condition.failures.is_empty() {
        let lines: Vec<_> = std::iter::once("ok".to_owned()).chain(warnings).collect();
        Response::new(StatusCode::OK, (lines.join("\n") + "\n").into())
            .with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
    } else {
        let problems: Vec<_> = condition.failures.iter().cloned().chain(warnings).collect();
        Response::text(StatusCode::SERVICE_UNAVAILABLE, &problems.join("\n"))
    }
    .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
