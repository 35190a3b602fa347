//! The part of HTTP/1.1 (RFC 9112) that is needed to serve a page and to upgrade to WebSocket.
//!
//! A connection carries one request: its head is parsed, one response is written, and the connection
//! closes or becomes a WebSocket. Pure, bytes in and bytes out; session threads call it. Which
//! response a request gets is decided in `session::handshake`.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use httparse::Status;

/// How many header fields a request may have. Browsers send about 15, and proxies add some.
const MAX_HEADERS: usize = 64;

/// A body that is no longer than this is sent in one write with its head.
const JOINED_BODY_BYTES: usize = 16_384;

/// A request without its body.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
}

/// The result of parsing the bytes read so far.
#[derive(Debug)]
pub(crate) enum ParsedHead {
    /// The head is not complete: read more.
    Partial,
    /// The head and its length in bytes.
    Complete(Box<RequestHead>, usize),
    /// Not a request that can be served. The response says why.
    Refused(Response),
}

/// A whole response, head and body.
#[derive(Debug)]
pub(crate) struct Response {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// Parses the request head at the start of `bytes`. It may have at most `max_bytes`.
pub(crate) fn parse_head(bytes: &[u8], max_bytes: usize) -> ParsedHead {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let len = match request.parse(bytes) {
        Ok(Status::Complete(len)) if len <= max_bytes => len,
        Ok(Status::Partial) if bytes.len() < max_bytes => return ParsedHead::Partial,
        Ok(_) => return ParsedHead::Refused(too_large(&format!("{max_bytes} bytes"))),
        Err(httparse::Error::TooManyHeaders) => {
            return ParsedHead::Refused(too_large(&format!("{MAX_HEADERS} fields")));
        }
        Err(error) => {
            return ParsedHead::Refused(Response::bad_request(&format!("not HTTP/1.1: {error}")));
        }
    };
    match RequestHead::new(&request) {
        Ok(head) => ParsedHead::Complete(Box::new(head), len),
        Err(problem) => ParsedHead::Refused(Response::bad_request(&problem)),
    }
}

fn too_large(limit: &str) -> Response {
    let text = format!("The request head is longer than {limit}.");
    Response::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &text)
}

impl RequestHead {
    fn new(request: &httparse::Request<'_, '_>) -> Result<Self, String> {
        let method = request.method.unwrap_or_default();
        let method = method.parse().map_err(|_| format!("no method: {method}"))?;
        let target = request.path.unwrap_or_default();
        let uri = target.parse().map_err(|_| format!("no request target: {target}"))?;
        let version = match request.version {
            Some(1) => Version::HTTP_11,
            _ => Version::HTTP_10,
        };
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for field in request.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_bytes(field.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(format!("a malformed field: {}", field.name));
            };
            headers.append(name, value);
        }
        let hosts = headers.get_all(header::HOST).iter().count();
        // RFC 9112 §3.2: exactly one; only HTTP/1.0 may leave it out.
        if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
            return Err(format!("{hosts} Host fields where there must be one"));
        }
        Ok(Self { method, uri, version, headers })
    }

    /// The value of a field that occurs exactly once and is text.
    pub(crate) fn single(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// Whether a comma-separated field holds `token`, ignoring case.
    pub(crate) fn has_token(&self, name: &HeaderName, token: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// The items of a comma-separated field.
    pub(crate) fn items(&self, name: &HeaderName) -> impl Iterator<Item = &str> {
        self.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
    }
}

/// The host of `host[:port]`. An IPv6 address keeps its brackets.
pub(crate) fn host_name(authority: &str) -> Option<&str> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => &authority[..rest.find(']')? + 2],
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

impl Response {
    /// A plain text response with a sentence for the reader.
    pub(crate) fn text(status: StatusCode, text: &str) -> Self {
        let reason = status.canonical_reason().unwrap_or_default();
        let body = format!("{} {reason}\n{text}\n", status.as_str());
        Self::new(status, body.into())
            .with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
    }

    pub(crate) fn bad_request(problem: &str) -> Self {
        Self::text(StatusCode::BAD_REQUEST, &format!("This request cannot be read: {problem}."))
    }

    /// 405, with the methods that are allowed.
    pub(crate) fn method_not_allowed(methods: &'static str) -> Self {
        let text = format!("The methods here are {methods}.");
        Self::text(StatusCode::METHOD_NOT_ALLOWED, &text)
            .with(header::ALLOW, HeaderValue::from_static(methods))
    }

    /// 503: the client may retry in some seconds (RFC 9110 §15.6.4).
    pub(crate) fn unavailable(text: &str) -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, text)
            .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// A response with this body and no header fields yet.
    pub(crate) fn new(status: StatusCode, body: Bytes) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// Adds a header field.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The response as bytes, with `Connection: close`. A `HEAD` request gets no body.
    pub(crate) fn into_bytes(self, method: &Method) -> Vec<u8> {
        self.into_bytes_at(SystemTime::now(), method)
    }

    /// The same in two pieces. A long body is not copied: thousands of clients may be slow to take the same
    /// picture.
    pub(crate) fn into_pieces(mut self, method: &Method) -> [Bytes; 2] {
        if self.body.len() <= JOINED_BODY_BYTES || !self.has_body(method) {
            return [self.into_bytes(method).into(), Bytes::new()];
        }
        let head = self.head(SystemTime::now()).into();
        [head, std::mem::take(&mut self.body)]
    }

    fn into_bytes_at(self, now: SystemTime, method: &Method) -> Vec<u8> {
        let mut bytes = self.head(now);
        if self.has_body(method) {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    fn has_body(&self, method: &Method) -> bool {
        method != Method::HEAD && self.status != StatusCode::NOT_MODIFIED
    }

    fn head(&self, now: SystemTime) -> Vec<u8> {
        let mut head = status_line(self.status);
        if let Some(date) = http_date(now) {
            let _ = write!(head, "date: {date}\r\n");
        }
        push_headers(&mut head, &self.headers);
        if self.status != StatusCode::NOT_MODIFIED {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        head.push_str("x-content-type-options: nosniff\r\nconnection: close\r\n\r\n");
        head.into_bytes()
    }
}

/// The response that upgrades the connection to WebSocket (RFC 6455 §4.2.2), with the accept value of
/// the client's key and the subprotocol that was agreed on, if any.
pub(crate) fn switching_protocols(key: &str, protocol: Option<&str>) -> Vec<u8> {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let mut head = status_line(StatusCode::SWITCHING_PROTOCOLS);
    let _ = write!(
        head,
        "upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n"
    );
    if let Some(protocol) = protocol {
        let _ = write!(head, "sec-websocket-protocol: {protocol}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn status_line(status: StatusCode) -> String {
    format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default())
}

/// The value of `Date`. A server whose clock is clearly wrong must not send one (RFC 9110 §6.6.1), and
/// outside the years 1970 to 9999 there is no form for it.
fn http_date(now: SystemTime) -> Option<String> {
    const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);
    let since = now.duration_since(UNIX_EPOCH).ok()?;
    (since < YEAR_10000).then(|| httpdate::fmt_http_date(now))
}

fn push_headers(head: &mut String, headers: &[(HeaderName, HeaderValue)]) {
    for (name, value) in headers {
        let value = value.to_str().expect("we write visible ASCII only");
        let _ = write!(head, "{name}: {value}\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_not_copied() {
        let body = Bytes::from(vec![b'x'; JOINED_BODY_BYTES + 1]);
        let response = |len| Response::new(StatusCode::OK, body.slice(..len));
        let [head, sent] = response(body.len()).into_pieces(&Method::GET);
        assert_eq!((sent.as_ptr(), sent.len()), (body.as_ptr(), body.len()));
        assert!(head.ends_with(b"\r\n\r\n"));
        let [head, sent] = response(body.len()).into_pieces(&Method::HEAD);
        assert!(head.ends_with(b"\r\n\r\n") && sent.is_empty());
        let [all, rest] = response(5).into_pieces(&Method::GET);
        assert!(all.ends_with(b"\r\n\r\nxxxxx") && rest.is_empty());
    }

    #[test]
    fn a_response_is_sent_whatever_the_clock_shows() {
        let date = |now| {
            let bytes = Response::text(StatusCode::OK, "x").into_bytes_at(now, &Method::GET);
            let text = String::from_utf8(bytes).unwrap();
            text.lines().find_map(|line| line.strip_prefix("date: ").map(str::to_owned))
        };
        let seconds = Duration::from_secs;
        let (first, last) = (UNIX_EPOCH, UNIX_EPOCH + seconds(253_402_300_799));
        assert_eq!(date(first).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(date(last).as_deref(), Some("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert_eq!(date(last + seconds(1)), None);
        assert_eq!(date(UNIX_EPOCH + seconds(i64::MAX.unsigned_abs())), None);
        assert_eq!(date(first - Duration::from_nanos(1)), None);
    }
}
