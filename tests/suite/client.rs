//! The suite's own client. It is blocking, belongs to one test, and can break every rule of the
//! protocol.

use std::io::{self, ErrorKind, Read, Write};
use std::iter;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use openssl::ssl::{HandshakeError, ShutdownState, SslConnector, SslMethod, SslStream};
use openssl::x509::X509;
use rustix::net::{AddressFamily, SocketType, sockopt};
use serde_json::Value;

use crate::cork::Corkable;
use crate::frame::{self, CLOSE, Frame, PING, PONG, TEXT};

/// The timeout of every read and write. Only a failing test waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The key of the example in RFC 6455 §1.3, and the matching `Sec-WebSocket-Accept`.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The upgrade request of an ordinary client.
pub(crate) const UPGRADE: &str = "GET / HTTP/1.1\r\n\
    Host: localhost\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The subprotocol with history and resumable sessions.
pub(crate) const V2: &str = "wschat.v2";

/// The upgrade request of a client that offers these subprotocols.
pub(crate) fn upgrade_offering(protocols: &str) -> String {
    let head = UPGRADE.strip_suffix("\r\n").expect("it ends with an empty line");
    format!("{head}Sec-WebSocket-Protocol: {protocols}\r\n\r\n")
}

/// The address of a server, and the certificate to trust if it speaks TLS.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) root: Option<X509>,
}

/// One connection, from the client's end.
#[derive(Debug)]
pub(crate) struct Client {
    wire: Wire,
    /// Received, but not yet consumed by the test.
    unread: Vec<u8>,
    /// From the welcome; 0 before it.
    pub(crate) id: u64,
    /// The secret to resume the session with, from the welcome; empty before it and in the base
    /// protocol.
    pub(crate) token: String,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<SslStream<Corkable>>),
}

/// The response to a plain HTTP request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The whole head. The server writes field names in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Endpoint {
    /// Connects, with TLS if the server speaks it. Sends no HTTP yet.
    pub(crate) fn connect(&self) -> Client {
        Client::over(TcpStream::connect(self.address).expect("the server listens"), self)
    }

    /// Like [`Endpoint::connect`], from this address of the loopback network.
    pub(crate) fn connect_from(&self, source: Ipv4Addr) -> Client {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((source, 0))).unwrap();
        rustix::net::connect(&socket, &self.address).expect("the server listens");
        Client::over(socket.into(), self)
    }

    /// Like [`Endpoint::connect`], with a tiny receive buffer, so that the server's writes soon stall
    /// when this client does not read.
    pub(crate) fn connect_with_small_buffer(&self) -> Client {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
        rustix::net::connect(&socket, &self.address).expect("the server listens");
        Client::over(socket.into(), self)
    }

    /// Tries a TLS handshake.
    pub(crate) fn try_tls(&self) -> Result<(), HandshakeError<Corkable>> {
        let root = self.root.as_ref().expect("a server that speaks TLS");
        connect_tls(TcpStream::connect(self.address).expect("the server listens"), root).map(drop)
    }

    /// Opens a WebSocket and reads the welcome.
    pub(crate) fn user(&self) -> Client {
        self.connect().into_user()
    }

    /// Opens a WebSocket that speaks `wschat.v2`, and reads the welcome.
    pub(crate) fn v2_user(&self) -> Client {
        self.connect_offering(V2).0
    }

    /// Resumes the session of this token. The welcome has to confirm it.
    pub(crate) fn resume(&self, token: &str) -> Client {
        let (client, welcome) = self.connect_offering(&format!("{V2}, session.{token}"));
        assert_eq!(welcome["resumed"], true, "{welcome}");
        client
    }

    /// Opens a WebSocket and offers these subprotocols, of which the server selects `wschat.v2`. Reads
    /// the welcome.
    pub(crate) fn connect_offering(&self, protocols: &str) -> (Client, Value) {
        self.connect().offer(protocols)
    }

    /// Connects a user and enters room 1.
    pub(crate) fn member(&self) -> Client {
        self.user().into_member()
    }

    /// Sends a plain HTTP request and reads the whole response.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect();
        client.send(request);
        client.response()
    }
}

impl Client {
    pub(crate) fn over(tcp: TcpStream, endpoint: &Endpoint) -> Self {
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        // A Unix socket has no such option, and needs none.
        let _ = tcp.set_nodelay(true);
        let wire = match &endpoint.root {
            None => Wire::Plain(tcp),
            Some(root) => {
                Wire::Tls(Box::new(connect_tls(tcp, root).expect("the TLS handshake succeeds")))
            }
        };
        Self { wire, unread: Vec::new(), id: 0, token: String::new() }
    }

    /// See [`Endpoint::connect_offering`].
    pub(crate) fn offer(mut self, protocols: &str) -> (Self, Value) {
        self.send(upgrade_offering(protocols));
        self.expect_switch_to(Some(V2));
        let welcome = self.json();
        self.note_welcome(&welcome);
        (self, welcome)
    }

    pub(crate) fn into_user(mut self) -> Self {
        self.send(UPGRADE);
        self.expect_switch();
        self.expect_welcome();
        self
    }

    pub(crate) fn into_member(mut self) -> Self {
        self.request(r#"{"type":"enter_room","roomId":1}"#);
        let id = self.id;
        self.expect(&format!(r#"{{"type":"enter_room","user":{{"id":{id},"name":"User {id}"}}}}"#));
        self
    }

    /// Reads the welcome of the base protocol, which is exact except for the id.
    pub(crate) fn expect_welcome(&mut self) {
        let welcome = self.text();
        let value: Value = serde_json::from_str(&welcome).expect(&welcome);
        self.id = value["user"]["id"].as_u64().expect(&welcome);
        let id = self.id;
        let expected = format!(r#"{{"type":"welcome","user":{{"id":{id},"name":"User {id}"}}}}"#);
        assert_eq!(welcome, expected);
    }

    /// Sends these bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server keeps reading");
    }

    /// Like [`Client::send`], where the server may close the connection meanwhile.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(tcp) => tcp.write_all(bytes.as_ref()),
            Wire::Tls(tls) => tls.write_all(bytes.as_ref()),
        }
    }

    /// Sends nothing from now on before there are many TLS records to send at once.
    pub(crate) fn cork(&mut self) {
        if let Wire::Tls(tls) = &mut self.wire {
            tls.get_mut().cork();
        }
    }

    /// Sends as many of these bytes as the socket takes, and returns how many. Under TLS the next call
    /// has to continue with the rest.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Plain(tcp) => tcp.write(bytes),
            Wire::Tls(tls) => tls.write(bytes),
        }
    }

    /// Sends one text message.
    pub(crate) fn request(&mut self, json: &str) {
        self.send(frame::masked(TEXT, json.as_bytes()));
    }

    /// Sends a text to the room that this client is in.
    pub(crate) fn say(&mut self, text: &str) {
        self.request(&format!(r#"{{"type":"text","text":"{text}"}}"#));
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> Frame {
        self.frame_or_end().expect("a frame instead of the end of the connection")
    }

    /// The next frame, or `None` if the server has closed the connection cleanly, between two frames.
    pub(crate) fn frame_or_end(&mut self) -> Option<Frame> {
        let frame = self.frame_or_cut().expect("the connection is open or ends cleanly");
        assert!(frame.is_some() || self.unread.is_empty(), "the connection ended inside a frame");
        frame
    }

    /// The next frame, or `None` at the end of the connection, also inside a frame.
    pub(crate) fn frame_or_cut(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some((frame, len)) = frame::parse(&self.unread) {
                self.unread.drain(..len);
                return Ok(Some(frame));
            }
            if self.read_more()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next text message. Answers pings meanwhile, as every client has to: they keep the connection open, so what
    /// never comes ends this, and not the time-out of a read.
    #[track_caller]
    pub(crate) fn text(&mut self) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let Frame { first, payload } = self.frame();
            assert!(first != PING || Instant::now() < until, "nothing comes but pings");
            match first {
                TEXT => return String::from_utf8(payload).expect("the server sends UTF-8"),
                PING => self.send(frame::masked(PONG, &payload)),
                _ => panic!("expected a text, got frame 0x{first:02x} with {payload:x?}"),
            }
        }
    }

    /// The next text message, as JSON.
    pub(crate) fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).expect(&text)
    }

    /// The next text message of this type, as JSON. Skips others.
    pub(crate) fn skip_to(&mut self, kind: &str) -> Value {
        let mut values = iter::repeat_with(|| self.json());
        values.find(|value| value["type"] == kind).expect("it has no end")
    }

    /// Stores the id and the token from a welcome.
    pub(crate) fn note_welcome(&mut self, welcome: &Value) {
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        self.id = welcome["user"]["id"].as_u64().expect("an id");
        welcome["session"].as_str().unwrap_or_default().clone_into(&mut self.token);
    }

    /// Asserts that the next text message is exactly this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let found = self.text();
        assert_eq!(found, text, "sent to user {}", self.id);
    }

    /// Asserts that the next message is an `error` with this code; returns it.
    #[track_caller]
    pub(crate) fn expect_error(&mut self, code: &str) -> Value {
        let text = self.text();
        let beginning = format!(r#"{{"type":"error","code":"{code}","message":""#);
        assert!(text.starts_with(&beginning), "expected {code}, got {text}");
        serde_json::from_str(&text).expect(&text)
    }

    /// Asserts that nothing unread was sent to this client: the answer to a request comes next.
    #[track_caller]
    pub(crate) fn expect_nothing_more(&mut self) {
        self.request(r#"{"type":"anything more?"}"#);
        self.expect(
            r#"{"type":"error","code":"unknown_type","message":"There is no request of type \"anything more?\"."}"#,
        );
    }

    /// Asserts that the next frame is a Close with this code and that the connection then ends cleanly.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, code: u16) {
        let frame = self.frame();
        let (found, text) = frame.close_reason();
        assert_eq!(found, code, "closed as {text:?}");
        self.expect_end();
    }

    /// Reads up to the Close frame and the clean end after it; returns code and text.
    #[track_caller]
    pub(crate) fn skip_to_close(&mut self) -> (u16, String) {
        loop {
            let frame = self.frame();
            if frame.first == CLOSE {
                let (code, text) = frame.close_reason();
                let reason = (code, text.to_owned());
                self.expect_end();
                return reason;
            }
        }
    }

    /// Asserts that the connection ends here. Under TLS it has to end with `close_notify`, which tells
    /// an end from a truncated stream (RFC 8446 §6.1).
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        self.expect_end_of_stream();
        if let Wire::Tls(tls) = &mut self.wire {
            let has_come = tls.get_shutdown().contains(ShutdownState::RECEIVED);
            assert!(has_come, "the connection ended without close_notify");
        }
    }

    /// Asserts that the stream ends here, without a reset.
    #[track_caller]
    pub(crate) fn expect_end_of_stream(&mut self) {
        match self.read_more() {
            Ok(0) => assert!(self.unread.is_empty(), "{} unread bytes", self.unread.len()),
            other => panic!("expected the end of the stream, got {other:?}"),
        }
    }

    /// Asserts that the server closes the connection without a Close frame. A reset is allowed: before
    /// the handshake is complete, the server may close abruptly.
    #[track_caller]
    pub(crate) fn expect_cut(&mut self) {
        match self.read_more() {
            Ok(0) => {}
            Err(error) if is_reset(&error) => {}
            other => panic!("expected a closed connection, got {other:?} with {:?}", self.unread),
        }
    }

    /// Closes with 1000 and waits for the answering Close frame and the end of the connection. Skips
    /// whatever comes before it.
    pub(crate) fn close(mut self) {
        self.send(frame::close(1000, ""));
        assert_eq!(self.skip_to_close().0, 1000);
    }

    /// Reads everything up to the end of the connection or a reset.
    pub(crate) fn read_to_cut(&mut self) -> Vec<u8> {
        while self.read_more().is_ok_and(|read| read > 0) {}
        std::mem::take(&mut self.unread)
    }

    /// Resets the connection.
    pub(crate) fn abort(self) {
        sockopt::set_socket_linger(self.tcp(), Some(Duration::ZERO)).unwrap();
    }

    /// Shuts down the writing side, and can still read.
    pub(crate) fn shut_down_writing(&self) {
        self.tcp().shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => &tls.get_ref().tcp,
        }
    }

    /// Reads a plain HTTP response, which ends with the connection.
    pub(crate) fn response(&mut self) -> Response {
        let head = self.read_head();
        while self.read_more().expect("the response ends cleanly") > 0 {}
        let body = std::mem::take(&mut self.unread);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Response { status: status.expect(&head), head, body }
    }

    /// Reads the 101 response, which must select no subprotocol.
    pub(crate) fn expect_switch(&mut self) {
        self.expect_switch_to(None);
    }

    /// Reads the 101 response, which must select this subprotocol.
    pub(crate) fn expect_switch_to(&mut self, protocol: Option<&str>) {
        let head = self.read_head();
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        for field in [
            "upgrade: websocket",
            "connection: Upgrade",
            &format!("sec-websocket-accept: {ACCEPT}"),
        ] {
            assert!(head.contains(&format!("\r\n{field}\r\n")), "{field} is not in {head}");
        }
        let agreed = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(agreed, protocol, "{head}");
    }

    /// Reads the head of a response, up to the empty line.
    pub(crate) fn read_head(&mut self) -> String {
        self.read_to_head().expect("a response instead of the end of the connection")
    }

    /// Like [`Client::read_head`]; `None` if the server closes the connection instead.
    pub(crate) fn read_to_head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).collect();
                return Some(String::from_utf8(head).expect("a head is ASCII"));
            }
            match self.read_more() {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if is_reset(&error) => return None,
                Err(error) => panic!("expected a response or the end of the connection: {error}"),
            }
        }
    }

    /// What was received, but not yet consumed by the test.
    pub(crate) fn into_unread(self) -> Vec<u8> {
        self.unread
    }

    fn read_more(&mut self) -> io::Result<usize> {
        let mut buf = [0; 16_384];
        let read = loop {
            let read = match &mut self.wire {
                Wire::Plain(tcp) => tcp.read(&mut buf),
                Wire::Tls(tls) => tls.read(&mut buf),
            };
            // A read with a timeout is interrupted when the process is stopped and continued.
            if !matches!(&read, Err(error) if error.kind() == ErrorKind::Interrupted) {
                break read?;
            }
        };
        self.unread.extend_from_slice(&buf[..read]);
        Ok(read)
    }
}

impl Response {
    /// The value of a field that must occur exactly once.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut values = self.head.split("\r\n").skip(1).filter_map(|line| {
            let (field, value) = line.split_once(": ")?;
            (field == name).then_some(value)
        });
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => panic!("{name} must occur exactly once: {}", self.head),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// Whether the peer has reset the connection.
pub(crate) fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn connect_tls(
    tcp: TcpStream,
    root: &X509,
) -> Result<SslStream<Corkable>, HandshakeError<Corkable>> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.cert_store_mut().add_cert(root.clone()).unwrap();
    connector.build().connect("localhost", Corkable::new(tcp))
}
