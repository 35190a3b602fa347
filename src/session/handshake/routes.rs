//! What a request gets: the upgrade, the page, the health check, or a refusal.
//!
//! Decides from the request head, the settings and the admission counts, and neither reads nor
//! writes. The checks of the upgrade itself are left to `upgrade`, the files of the page to `web`.

use std::io;
use std::net::IpAddr;

use http::header::{self, HeaderName};
use http::{HeaderValue, Method, StatusCode};

use super::upgrade::{self, Upgrade};
use crate::health::Health;
use crate::net::admission::Ticket;
use crate::net::http::{RequestHead, Response};
use crate::net::tls::{Expiring, Expiry};
use crate::session::live::Live;

const HEALTH_PATH: &str = "/health";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who sent a request.
pub(super) struct Visitor<'a> {
    live: &'a Live,
    health: &'a Health,
    ticket: &'a mut Ticket,
    /// The peer's address, or the one that a trusted proxy named.
    address: IpAddr,
    is_proxied: bool,
    /// There are too many connections.
    is_over_limit: bool,
}

/// What a request gets.
pub(super) enum Route {
    Upgrade(Upgrade),
    Respond(Response),
}

impl<'a> Visitor<'a> {
    pub(super) fn new(
        live: &'a Live,
        health: &'a Health,
        ticket: &'a mut Ticket,
        peer: IpAddr,
        head: &RequestHead,
        is_over_limit: bool,
    ) -> Self {
        let peer = peer.to_canonical();
        let address = client_address(live, peer, head);
        Self { live, health, ticket, address, is_proxied: address != peer, is_over_limit }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Decides what the request gets.
    pub(super) fn route(&mut self, head: &RequestHead) -> io::Result<Route> {
        if let Some(response) = self.refusal(head) {
            return Ok(Route::Respond(response));
        }
        if head.has_token(&header::UPGRADE, "websocket") {
            return Ok(match upgrade::check(head, &self.live.settings) {
                Ok(key) => Route::Upgrade(Upgrade { key, arrival: upgrade::arrival(head)? }),
                Err(response) => Route::Respond(response),
            });
        }
        if head.headers.contains_key(header::SEC_WEBSOCKET_KEY) {
            let text =
                "The Upgrade header is missing. A proxy in front of the server has to pass it on.";
            return Ok(Route::Respond(upgrade::required(text)));
        }
        Ok(Route::Respond(if head.uri.path() == HEALTH_PATH {
            health_response(self.health, &self.live.ask_expiry(Expiry::state))
        } else {
            self.live.site.respond(head)
        }))
    }

    /// Refuses a request for a reason that has nothing to do with what it asks for.
    fn refusal(&mut self, head: &RequestHead) -> Option<Response> {
        if self.is_over_limit {
            return Some(Response::unavailable("The server is full."));
        }
        let limits = self.live.admission_limits();
        if self.is_proxied && !self.ticket.count_for(self.address, limits) {
            let text = "There are too many connections from your address.";
            return Some(Response::unavailable(text));
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            return Some(Response::method_not_allowed("GET, HEAD"));
        }
        None
    }
}

/// The client's address: the peer's, or what the nearest trusted proxies say in `X-Forwarded-For`.
fn client_address(live: &Live, peer: IpAddr, head: &RequestHead) -> IpAddr {
    let trusted = &live.settings.trusted_proxies;
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let values = head.headers.get_all(FORWARDED_FOR);
    let mut hops = values
        .iter()
        .rev()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(',').map(|hop| hop.trim().parse::<IpAddr>()));
    let mut address = peer;
    // A trusted proxy vouches for the hop before it, and for no other.
    while is_trusted(&address)
        && let Some(Ok(hop)) = hops.next()
    {
        address = hop.to_canonical();
    }
    address
}

/// What needs the operator, for monitors. 503 if messages are refused or a certificate has expired, since
/// clients cannot use the server then; otherwise 200, with a line for each certificate that will expire soon.
fn health_response(health: &Health, expiring: &[Expiring]) -> Response {
    let mut problems = Vec::new();
    if health.is_failing() {
        problems
            .push("The history cannot be saved, so messages are refused. See the log.".to_owned());
    }
    let (over, soon): (Vec<_>, Vec<_>) = expiring.iter().partition(|expiring| expiring.is_over);
    let warnings = soon.iter().map(|expiring| format!("warning: {expiring}; renew it."));
    let expired =
        over.iter().map(|expiring| format!("TLS: {expiring}, so clients refuse it; renew it."));
    problems.extend(expired);
    if problems.is_empty() {
        let lines: Vec<_> = std::iter::once("ok".to_owned()).chain(warnings).collect();
        Response::new(StatusCode::OK, (lines.join("\n") + "\n").into())
            .with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
    } else {
        problems.extend(warnings);
        Response::text(StatusCode::SERVICE_UNAVAILABLE, &problems.join("\n"))
    }
    .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
