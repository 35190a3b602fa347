//! From an accepted connection to a WebSocket, a page, or a refusal: TLS, HTTP head, answer.
//!
//! One deadline covers all of it, so that a client which trickles bytes gains nothing by it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, Method, StatusCode, Version};
use ipnet::IpNet;
use log::debug;
use rustix::event::PollFlags;

use super::{Session, Shared, origin};
use crate::input::{Arrival, Credentials, Secret};
use crate::net::admission::Ticket;
use crate::net::http::{Parsed, RequestHead, Response, parse_head, switching_protocols};
use crate::net::stop::{Stop, Waited};
use crate::net::stream::{Socket, Stream, Tcp};
use crate::net::tls::{Handshake, TlsAcceptor};
use crate::protocol::Version as Language;

/// How much is read at once. A browser's request fits.
const READ_BYTES: usize = 2048;

/// The version of RFC 6455, the only one there is.
const WEBSOCKET_VERSION: &str = "13";

/// The subprotocol with memory.
const V2_PROTOCOL: &str = "wschat.v2";

/// In front of a session's secret, which is offered as if it were a subprotocol: browsers can send
/// nothing else.
const SESSION_PREFIX: &str = "session.";

const HEALTH_PATH: &str = "/health";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A connection that speaks WebSocket from here on.
pub(super) struct Upgraded {
    pub(super) stream: Stream,
    /// The answer to its request, not yet sent.
    pub(super) answer: Bytes,
    pub(super) arrival: Arrival,
    /// Where the client is: its own address, or the one a trusted proxy gave.
    pub(super) address: IpAddr,
    /// What the client has sent after its request already.
    pub(super) read_ahead: Vec<u8>,
}

/// A connection in the hands of one session alone, with the time it has.
struct Line<'a> {
    stream: Stream,
    tcp: &'a Tcp,
    stop: &'a Stop,
    deadline: Instant,
}

/// Who asks.
struct Visitor<'a> {
    shared: &'a Shared,
    peer: SocketAddr,
    ticket: &'a mut Ticket,
    is_turned_away: bool,
}

/// What a request gets.
enum Answer {
    Upgrade { key: String, arrival: Arrival },
    Response(Response),
}

/// Shakes hands. `None` means that the client has been answered, and that this was all.
pub(super) fn shake_hands(session: &mut Session) -> io::Result<Option<Upgraded>> {
    let Session { shared, tcp, peer, ticket, is_turned_away, .. } = session;
    let mut visitor = Visitor { shared, peer: *peer, ticket, is_turned_away: *is_turned_away };
    let limits = &shared.settings.limits;
    let deadline = Instant::now() + Duration::from_millis(limits.handshake_timeout_ms);
    let write_timeout = Duration::from_millis(limits.write_timeout_ms);
    let stream = open(tcp, shared.tls.as_ref(), &shared.stop, deadline)?;
    let mut line = Line { stream, tcp, stop: &shared.stop, deadline };

    let (head, read_ahead) = match line.read_head(limits.max_request_head_bytes)? {
        Ok(complete) => complete,
        Err(refusal) => {
            debug!("{peer}: {}", refusal.status());
            line.write(&refusal.into_bytes(&Method::GET), write_timeout)?;
            return Ok(None);
        }
    };
    let address = visitor.address(&head);
    match answer(&mut visitor, &head, address)? {
        Answer::Upgrade { key, arrival } => {
            let protocol = match arrival.version() {
                Language::Base => None,
                Language::V2 => Some(V2_PROTOCOL),
            };
            let answer = switching_protocols(&key, protocol).into();
            Ok(Some(Upgraded { stream: line.stream, answer, arrival, address, read_ahead }))
        }
        Answer::Response(response) => {
            debug!("{address}: {} {} {}", head.method, head.uri.path(), response.status());
            line.write(&response.into_bytes(&head.method), write_timeout)?;
            line.stream.close_notify();
            Ok(None)
        }
    }
}

/// Makes the connection readable: with a certificate, that takes the TLS handshake, and a socket that
/// can be shared.
fn open(
    tcp: &Tcp,
    tls: Option<&TlsAcceptor>,
    stop: &Stop,
    deadline: Instant,
) -> io::Result<Stream> {
    let Some(tls) = tls else { return Ok(Stream::Plain) };
    let Tcp::Shared(shared) = tcp else { unreachable!("with a certificate all are shared") };
    let mut handshake = tls.accept(Socket::new(shared.clone()))?;
    loop {
        match handshake {
            Handshake::Done(stream) => return Ok(Stream::Tls(Box::new(stream))),
            Handshake::Blocked(blocked) => {
                wait(tcp, stop, blocked.get_ref().write_blocked(), deadline)?;
                handshake = blocked.resume()?;
            }
        }
    }
}

impl Line<'_> {
    /// Reads until the end of the request's head. Returns it with what came after it, or the
    /// refusal of what will never be one.
    #[allow(clippy::type_complexity)] // It is named nowhere else.
    fn read_head(
        &mut self,
        max_bytes: usize,
    ) -> io::Result<Result<(Box<RequestHead>, Vec<u8>), Response>> {
        let mut bytes = Vec::with_capacity(READ_BYTES);
        loop {
            match parse_head(&bytes, max_bytes) {
                Parsed::Partial => self.read_more(&mut bytes)?,
                Parsed::Complete(head, len) => return Ok(Ok((head, bytes.split_off(len)))),
                Parsed::Refused(response) => return Ok(Err(response)),
            }
        }
    }

    fn read_more(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let len = bytes.len();
        bytes.resize(len + READ_BYTES, 0);
        loop {
            match self.stream.read(self.tcp, &mut bytes[len..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    bytes.truncate(len + read);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(self.tcp, self.stop, self.stream.reads_by_writing(), self.deadline)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all of `bytes`, as long as the client takes some of it every `timeout`.
    fn write(&mut self, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write_some(self.tcp, bytes)? {
                0 => wait(self.tcp, self.stop, true, Instant::now() + timeout)?,
                written => bytes = &bytes[written..],
            }
        }
        Ok(())
    }
}

fn wait(tcp: &Tcp, stop: &Stop, for_writing: bool, deadline: Instant) -> io::Result<()> {
    let interest = if for_writing { PollFlags::OUT } else { PollFlags::IN };
    match stop.wait(tcp.socket(), interest, Some(deadline))? {
        Waited::Ready => Ok(()),
        Waited::TimedOut => Err(io::Error::new(ErrorKind::TimedOut, "it took too long")),
        Waited::Stopping => Err(io::Error::other("the server is stopping")),
    }
}

impl Visitor<'_> {
    /// The client's own address: what the nearest trusted proxies say, or where the connection is from.
    fn address(&self, head: &RequestHead) -> IpAddr {
        let trusted = &self.shared.settings.trusted_proxies;
        let is_trusted = |address: &IpAddr| trusted.iter().any(|net: &IpNet| net.contains(address));
        let mut address = self.peer.ip().to_canonical();
        let values = head.headers.get_all(FORWARDED_FOR);
        let mut hops = values
            .iter()
            .rev()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.rsplit(',').map(|hop| hop.trim().parse::<IpAddr>()));
        // Each trusted hop vouches for the one before it, and for no other.
        while is_trusted(&address)
            && let Some(Ok(hop)) = hops.next()
        {
            address = hop.to_canonical();
        }
        address
    }
}

/// Decides what a request gets.
fn answer(visitor: &mut Visitor<'_>, head: &RequestHead, address: IpAddr) -> io::Result<Answer> {
    let shared = visitor.shared;
    if let Some(response) = refusal(visitor, head, address) {
        return Ok(Answer::Response(response));
    }
    if head.has_token(&header::UPGRADE, "websocket") {
        return Ok(match check_upgrade(head, shared) {
            Ok(key) => Answer::Upgrade { key, arrival: arrival(head)? },
            Err(response) => Answer::Response(response),
        });
    }
    if head.headers.contains_key(header::SEC_WEBSOCKET_KEY) {
        let text =
            "The Upgrade header is missing. A proxy in front of the server has to pass it on.";
        return Ok(Answer::Response(upgrade_required(text)));
    }
    Ok(Answer::Response(if head.uri.path() == HEALTH_PATH {
        health(shared)
    } else {
        shared.site.respond(head)
    }))
}

/// Why a request gets nothing, whatever it asks for.
fn refusal(visitor: &mut Visitor<'_>, head: &RequestHead, address: IpAddr) -> Option<Response> {
    if visitor.is_turned_away {
        return Some(Response::unavailable("The server is full."));
    }
    let is_proxied = address != visitor.peer.ip().to_canonical();
    if is_proxied && !visitor.ticket.count_for(address) {
        let text = "There are too many connections from your address.";
        return Some(Response::unavailable(text));
    }
    if head.method != Method::GET && head.method != Method::HEAD {
        return Some(not_allowed("GET, HEAD"));
    }
    None
}

/// Whether the server does what it is there for, for programs that watch it.
fn health(shared: &Shared) -> Response {
    if shared.health.is_failing() {
        let text = "The history cannot be saved, so nothing that is said is told. See the log.";
        Response::text(StatusCode::SERVICE_UNAVAILABLE, text)
    } else {
        Response::new(StatusCode::OK, Bytes::from_static(b"ok\n"))
            .with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
    }
    .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// Who comes with this request, by the subprotocols that it offers (RFC 6455 §1.9).
fn arrival(head: &RequestHead) -> io::Result<Arrival> {
    if !head.items(&header::SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == V2_PROTOCOL) {
        return Ok(Arrival::Base);
    }
    let resumed = head
        .items(&header::SEC_WEBSOCKET_PROTOCOL)
        .find_map(|item| Secret::parse(item.strip_prefix(SESSION_PREFIX)?));
    Ok(Arrival::V2(Box::new(Credentials { resumed, fresh: Secret::random()? })))
}

/// Checks a request for a WebSocket (RFC 6455 §4.2.1) and returns its key.
fn check_upgrade(head: &RequestHead, shared: &Shared) -> Result<String, Response> {
    if head.method != Method::GET {
        return Err(not_allowed("GET"));
    }
    if head.version != Version::HTTP_11 {
        return Err(Response::bad_request("a WebSocket needs HTTP/1.1"));
    }
    if !head.has_token(&header::CONNECTION, "upgrade") {
        return Err(Response::bad_request("Upgrade without \"Connection: Upgrade\""));
    }
    if head.single(&header::SEC_WEBSOCKET_VERSION) != Some(WEBSOCKET_VERSION) {
        let text = format!("This server speaks version {WEBSOCKET_VERSION} of WebSocket.");
        return Err(upgrade_required(&text));
    }
    let Some(key) = head.single(&header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)) else {
        return Err(Response::bad_request("Sec-WebSocket-Key is not 16 bytes in base64"));
    };
    let settings = &shared.settings;
    if !origin::is_allowed(head, settings.domain.as_deref(), &settings.allowed_origins) {
        return Err(Response::text(
            StatusCode::FORBIDDEN,
            "Pages from this origin may not connect. The server's \"allowedOrigins\" names those that may.",
        ));
    }
    Ok(key.to_owned())
}

/// Whether `key` looks like 16 bytes in base64 (RFC 6455 §4.1, item 7).
fn is_key(key: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    // 128 bits are 21 digits of 6 bits and one of 2.
    key.len() == 24
        && key.as_bytes()[..21].iter().copied().all(is_base64)
        && matches!(key.as_bytes()[21], b'A' | b'Q' | b'g' | b'w')
        && key.ends_with("==")
}

fn not_allowed(methods: &'static str) -> Response {
    let text = format!("The methods here are {methods}.");
    Response::text(StatusCode::METHOD_NOT_ALLOWED, &text)
        .with(header::ALLOW, HeaderValue::from_static(methods))
}

fn upgrade_required(text: &str) -> Response {
    Response::text(StatusCode::UPGRADE_REQUIRED, text)
        .with(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(WEBSOCKET_VERSION))
}
