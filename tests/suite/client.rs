//! A client of our own: blocking, in the hands of one test, and free to break every rule.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use openssl::ssl::{HandshakeError, ShutdownState, SslConnector, SslMethod, SslStream};
use openssl::x509::X509;
use rustix::net::{AddressFamily, SocketType, sockopt};
use serde_json::Value;

use crate::frame::{self, CLOSE, Frame, PING, PONG, TEXT};

/// How long a client waits for what has to come. Only a test that fails ever waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Key and answer of the RFC's example (RFC 6455 §1.3).
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request of an ordinary client.
pub(crate) const UPGRADE: &str = "GET / HTTP/1.1\r\n\
    Host: localhost\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The subprotocol with a memory.
pub(crate) const V2: &str = "wschat.v2";

/// The request of a client that offers these subprotocols.
pub(crate) fn upgrade_offering(protocols: &str) -> String {
    let head = UPGRADE.strip_suffix("\r\n").expect("an empty line at its end");
    format!("{head}Sec-WebSocket-Protocol: {protocols}\r\n\r\n")
}

/// Where a server is, and whom to trust if it speaks TLS.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) root: Option<X509>,
}

/// One connection, from the client's end.
#[derive(Debug)]
pub(crate) struct Client {
    wire: Wire,
    /// Read from the wire, but not yet by the test.
    unread: Vec<u8>,
    /// What the welcome said; 0 before.
    pub(crate) id: u64,
    /// The secret to resume with, as the welcome said; empty before, and in the base protocol.
    pub(crate) token: String,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

/// A response to a plain HTTP request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The whole head, with its field names in lower case as the server writes them.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Door {
    /// Connects, with TLS if the server speaks it, and sends nothing of HTTP yet.
    pub(crate) fn knock(&self) -> Client {
        Client::over(TcpStream::connect(self.address).expect("the server listens"), self)
    }

    /// As [`Door::knock`], from this address of the loopback network.
    pub(crate) fn knock_from(&self, source: Ipv4Addr) -> Client {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((source, 0))).unwrap();
        rustix::net::connect(&socket, &self.address).expect("the server listens");
        Client::over(socket.into(), self)
    }

    /// As [`Door::knock`], with room for next to nothing in the client's receive buffer, so that it
    /// takes little until the server feels that this client does not read.
    pub(crate) fn knock_narrowly(&self) -> Client {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
        rustix::net::connect(&socket, &self.address).expect("the server listens");
        Client::over(socket.into(), self)
    }

    /// Whether a TLS handshake comes to its end.
    pub(crate) fn try_tls(&self) -> Result<(), HandshakeError<TcpStream>> {
        let root = self.root.as_ref().expect("a server that speaks TLS");
        connect_tls(TcpStream::connect(self.address).expect("the server listens"), root).map(drop)
    }

    /// Opens a WebSocket and takes the welcome.
    pub(crate) fn user(&self) -> Client {
        self.knock().into_user()
    }

    /// Opens a WebSocket that speaks `wschat.v2`, and takes the welcome.
    pub(crate) fn v2_user(&self) -> Client {
        self.offering(V2).0
    }

    /// Comes back as the user of this token; the welcome has to agree.
    pub(crate) fn resume(&self, token: &str) -> Client {
        let (client, welcome) = self.offering(&format!("{V2}, session.{token}"));
        assert_eq!(welcome["resumed"], true, "{welcome}");
        client
    }

    /// Opens a WebSocket with this offer of subprotocols, of which the server takes `wschat.v2`, and
    /// takes the welcome.
    pub(crate) fn offering(&self, protocols: &str) -> (Client, Value) {
        let mut client = self.knock();
        client.send(upgrade_offering(protocols));
        client.expect_switch_to(Some(V2));
        let welcome = client.json();
        client.greeted(&welcome);
        (client, welcome)
    }

    /// A user who has entered room 1.
    pub(crate) fn member(&self) -> Client {
        self.user().into_member()
    }

    /// Sends a plain HTTP request and reads all that comes back.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.knock();
        client.send(request);
        client.response()
    }
}

impl Client {
    fn over(tcp: TcpStream, door: &Door) -> Self {
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let wire = match &door.root {
            None => Wire::Plain(tcp),
            Some(root) => {
                Wire::Tls(Box::new(connect_tls(tcp, root).expect("the TLS handshake succeeds")))
            }
        };
        Self { wire, unread: Vec::new(), id: 0, token: String::new() }
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

    /// Takes the welcome, whose exact words follow from the id.
    pub(crate) fn expect_welcome(&mut self) {
        let welcome = self.text();
        let value: Value = serde_json::from_str(&welcome).expect(&welcome);
        self.id = value["user"]["id"].as_u64().expect(&welcome);
        let id = self.id;
        let expected = format!(r#"{{"type":"welcome","user":{{"id":{id},"name":"User {id}"}}}}"#);
        assert_eq!(welcome, expected);
    }

    /// Sends these bytes, whatever they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes what it is sent");
    }

    /// As [`Client::send`], for what the server may cut off.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(tcp) => tcp.write_all(bytes.as_ref()),
            Wire::Tls(tls) => tls.write_all(bytes.as_ref()),
        }
    }

    /// Sends as much of these bytes as goes out at once, as it must go on if it is to go on.
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

    /// Says something in the room this client is in.
    pub(crate) fn say(&mut self, text: &str) {
        self.request(&format!(r#"{{"type":"text","text":"{text}"}}"#));
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> Frame {
        self.frame_or_end().expect("a frame, and not the end of the connection")
    }

    /// The next frame; `None` where the server has ended the connection well, between two frames.
    pub(crate) fn frame_or_end(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, len)) = frame::parse(&self.unread) {
                self.unread.drain(..len);
                return Some(frame);
            }
            if self.read_more().expect("the connection lives, or ends well") == 0 {
                assert!(self.unread.is_empty(), "the connection ended inside a frame");
                return None;
            }
        }
    }

    /// The next text message. Pings are answered on the way, as every client has to.
    pub(crate) fn text(&mut self) -> String {
        loop {
            let Frame { first, payload } = self.frame();
            match first {
                TEXT => return String::from_utf8(payload).expect("the server sends UTF-8"),
                PING => self.send(frame::masked(PONG, &payload)),
                _ => panic!("a text, and not frame 0x{first:02x} with {payload:x?}"),
            }
        }
    }

    /// The next text message, as JSON.
    pub(crate) fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).expect(&text)
    }

    /// The next text message, as JSON, that is of this type.
    pub(crate) fn skip_to(&mut self, kind: &str) -> Value {
        loop {
            let value = self.json();
            if value["type"] == kind {
                return value;
            }
        }
    }

    /// Remembers what a welcome said.
    pub(crate) fn greeted(&mut self, welcome: &Value) {
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        self.id = welcome["user"]["id"].as_u64().expect("an id");
        welcome["session"].as_str().unwrap_or_default().clone_into(&mut self.token);
    }

    /// The next text message is this one, to the byte.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let found = self.text();
        assert_eq!(found, text, "sent to user {}", self.id);
    }

    /// The next message is an `error` with this code; returns all of it.
    #[track_caller]
    pub(crate) fn expect_error(&mut self, code: &str) -> Value {
        let text = self.text();
        let beginning = format!(r#"{{"type":"error","code":"{code}","message":""#);
        assert!(text.starts_with(&beginning), "{code}, and not {text}");
        serde_json::from_str(&text).expect(&text)
    }

    /// Nothing has been sent to this client that it has not read: what it asks is answered next.
    #[track_caller]
    pub(crate) fn expect_nothing_more(&mut self) {
        self.request(r#"{"type":"anything more?"}"#);
        self.expect(
            r#"{"type":"error","code":"unknown_type","message":"There is no request of type \"anything more?\"."}"#,
        );
    }

    /// The next frame is a Close with this code, and then the connection ends, well.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, code: u16) {
        let frame = self.frame();
        let (found, text) = frame.close_reason();
        assert_eq!(found, code, "closed as {text:?}");
        self.expect_end();
    }

    /// Reads up to the Close frame; returns its code and text. Then the connection ends, well.
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

    /// The connection ends here, and under TLS by the `close_notify` that tells an end from a
    /// stream that somebody has cut (RFC 8446 §6.1).
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        self.expect_end_of_stream();
        if let Wire::Tls(tls) = &mut self.wire {
            let has_come = tls.get_shutdown().contains(ShutdownState::RECEIVED);
            assert!(has_come, "the end of the connection without an end of TLS");
        }
    }

    /// The connection ends here: by an end of the stream, not by a reset.
    #[track_caller]
    pub(crate) fn expect_end_of_stream(&mut self) {
        match self.read_more() {
            Ok(0) => assert!(self.unread.is_empty(), "{} bytes before it", self.unread.len()),
            other => panic!("the end of the connection, and not {other:?}"),
        }
    }

    /// The server ends the connection without a word, and it need not be gentle: whoever has not
    /// become a user may find the connection reset.
    #[track_caller]
    pub(crate) fn expect_cut(&mut self) {
        match self.read_more() {
            Ok(0) => {}
            Err(error) if is_reset(&error) => {}
            other => panic!("a cut, and not {other:?} with {:?}", self.unread),
        }
    }

    /// Sends a Close frame, takes the answer to it, whatever it is told before, and sees the connection end.
    pub(crate) fn close(mut self) {
        self.send(frame::close(1000, ""));
        assert_eq!(self.skip_to_close().0, 1000);
    }

    /// Everything up to the end of the connection, however it ends.
    pub(crate) fn read_to_cut(&mut self) -> Vec<u8> {
        while self.read_more().is_ok_and(|read| read > 0) {}
        std::mem::take(&mut self.unread)
    }

    /// Is gone at once, with a reset instead of an end.
    pub(crate) fn abort(self) {
        sockopt::set_socket_linger(self.tcp(), Some(Duration::ZERO)).unwrap();
    }

    /// Says that nothing more will be sent, and keeps reading.
    pub(crate) fn shut_down_writing(&self) {
        self.tcp().shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        match &self.wire {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => tls.get_ref(),
        }
    }

    /// Reads whatever there is, all of it plain HTTP, until the server ends the connection.
    pub(crate) fn response(&mut self) -> Response {
        let head = self.read_head();
        while self.read_more().expect("the response ends well") > 0 {}
        let body = std::mem::take(&mut self.unread);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Response { status: status.expect(&head), head, body }
    }

    /// The server agrees to speak WebSocket from here on, and the base protocol.
    pub(crate) fn expect_switch(&mut self) {
        self.expect_switch_to(None);
    }

    /// The server agrees to speak WebSocket from here on, with this subprotocol.
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

    /// A response's head up to the empty line.
    pub(crate) fn read_head(&mut self) -> String {
        self.read_to_head().expect("a response, and not the end of the connection")
    }

    /// As [`Client::read_head`]; `None` where the server cuts the connection instead.
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
                Err(error) => panic!("neither a response nor an end: {error}"),
            }
        }
    }

    /// What has been read from the wire, but not yet by the test.
    pub(crate) fn into_unread(self) -> Vec<u8> {
        self.unread
    }

    fn read_more(&mut self) -> io::Result<usize> {
        let mut buf = [0; 16_384];
        let read = match &mut self.wire {
            Wire::Plain(tcp) => tcp.read(&mut buf)?,
            Wire::Tls(tls) => tls.read(&mut buf)?,
        };
        self.unread.extend_from_slice(&buf[..read]);
        Ok(read)
    }
}

impl Response {
    /// The value of a field that is there exactly once.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut values = self.head.split("\r\n").skip(1).filter_map(|line| {
            let (field, value) = line.split_once(": ")?;
            (field == name).then_some(value)
        });
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => panic!("{name} is not there exactly once: {}", self.head),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }
}

/// Whether the peer threw the connection away.
pub(crate) fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn connect_tls(
    tcp: TcpStream,
    root: &X509,
) -> Result<SslStream<TcpStream>, HandshakeError<TcpStream>> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.cert_store_mut().add_cert(root.clone()).unwrap();
    connector.build().connect("localhost", tcp)
}
