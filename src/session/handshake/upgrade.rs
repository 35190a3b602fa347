//! The upgrade to WebSocket: the checks of RFC 6455 and the choice of the subprotocol.
//!
//! Pure, except that a new session needs random bytes for its secret, and that the operator is warned once.

use std::io;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Version, header};
use log::warn;

use super::origin::{self, Refused};
use crate::input::{Arrival, Credentials, Secret};
use crate::net::http::{RequestHead, Response, switching_protocols};
use crate::protocol::Version as ProtocolVersion;
use crate::session::live::Live;

/// The version of RFC 6455, the only one in use.
const WEBSOCKET_VERSION: &str = "13";

/// The subprotocol with memory.
const V2_PROTOCOL: &str = "wschat.v2";

/// The prefix of a session's secret, which a client offers like a subprotocol: a browser can send no
/// other header field with the upgrade.
const SESSION_PREFIX: &str = "session.";

/// An upgrade that is granted.
pub(super) struct Upgrade {
    /// The client's `Sec-WebSocket-Key`.
    pub(super) key: String,
    pub(super) arrival: Arrival,
}

impl Upgrade {
    /// The 101 response.
    pub(super) fn response(&self) -> Bytes {
        let protocol = match self.arrival.version() {
            ProtocolVersion::Base => None,
            ProtocolVersion::V2 => Some(V2_PROTOCOL),
        };
        switching_protocols(&self.key, protocol).into()
    }
}

/// Checks a request for an upgrade (RFC 6455 §4.2.1) and returns its key.
pub(super) fn check(head: &RequestHead, live: &Live) -> Result<String, Response> {
    if head.method != Method::GET {
        return Err(Response::method_not_allowed("GET"));
    }
    if head.version != Version::HTTP_11 {
        return Err(Response::bad_request("a WebSocket needs HTTP/1.1"));
    }
    if !head.has_token(&header::CONNECTION, "upgrade") {
        return Err(Response::bad_request("Upgrade without \"Connection: Upgrade\""));
    }
    if head.single(&header::SEC_WEBSOCKET_VERSION) != Some(WEBSOCKET_VERSION) {
        let text = format!("This server speaks version {WEBSOCKET_VERSION} of WebSocket.");
        return Err(required(&text));
    }
    let Some(key) = head.single(&header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)) else {
        return Err(Response::bad_request("Sec-WebSocket-Key is not 16 bytes in base64"));
    };
    if let Err(Refused { advice, is_own_name }) = origin::check(head, &live.origins) {
        if is_own_name && live.told.unknown_name.is_first() {
            warn!("{advice}");
        }
        return Err(Response::text(StatusCode::FORBIDDEN, &advice));
    }
    Ok(key.to_owned())
}

/// Who arrives, by the subprotocols that the request offers (RFC 6455 §1.9).
pub(super) fn arrival(head: &RequestHead) -> io::Result<Arrival> {
    if !head.items(&header::SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == V2_PROTOCOL) {
        return Ok(Arrival::Base);
    }
    let resumed = head
        .items(&header::SEC_WEBSOCKET_PROTOCOL)
        .find_map(|item| Secret::parse(item.strip_prefix(SESSION_PREFIX)?));
    Ok(Arrival::V2(Box::new(Credentials { resumed, fresh: Secret::random()? })))
}

/// 426: the client has to send an upgrade of this version.
pub(super) fn required(text: &str) -> Response {
    Response::text(StatusCode::UPGRADE_REQUIRED, text)
        .with(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(WEBSOCKET_VERSION))
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
