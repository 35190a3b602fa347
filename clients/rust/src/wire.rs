//! One connection: WebSocket over a stream, blocking up to a time.

use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::error::ProtocolError::SecWebSocketSubProtocolError;
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error as WsError, HandshakeError, Message, WebSocket};

/// How long connecting, the handshake and each write may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to the server, such as a `TcpStream`.
pub trait Stream: Read + Write + Send {
    /// Sets how long a read may block; like `TcpStream::set_read_timeout`.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }
}

#[cfg(feature = "native-tls")]
impl Stream for native_tls::TlsStream<TcpStream> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.get_ref().set_read_timeout(timeout)
    }
}

/// Opens a connection: for proxies, own certificates, and tests.
pub type Dial = Box<dyn FnMut() -> io::Result<Box<dyn Stream>> + Send>;

/// Opens connections to this address.
pub(crate) fn dial(uri: &Uri) -> Result<Dial, String> {
    let host = uri.host().ok_or("the address has no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match uri.scheme_str() {
        Some("ws") => {
            let port = uri.port_u16().unwrap_or(80);
            Ok(Box::new(move || Ok(Box::new(connect(&host, port)?))))
        }
        #[cfg(feature = "native-tls")]
        Some("wss") => {
            let port = uri.port_u16().unwrap_or(443);
            let connector = native_tls::TlsConnector::new().map_err(|error| error.to_string())?;
            Ok(Box::new(move || {
                let tcp = connect(&host, port)?;
                let tls = connector.connect(&host, tcp).map_err(io::Error::other)?;
                Ok(Box::new(tls))
            }))
        }
        #[cfg(not(feature = "native-tls"))]
        Some("wss") => Err("wss:// needs the feature native-tls of wschat-client".to_owned()),
        _ => Err("the address must begin with ws:// or wss://".to_owned()),
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                tcp.set_read_timeout(Some(PATIENCE))?;
                tcp.set_write_timeout(Some(PATIENCE))?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

pub(crate) const NOT_V2: &str = "the server does not speak wschat.v2";

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Loss {
    /// It will not be there later either.
    Final(String),
    /// It closed the connection with this code and text.
    Closed(u16, String),
    Failed(String),
}

pub(crate) type Socket = WebSocket<Box<dyn Stream>>;

/// Opens a WebSocket, and offers to resume this session.
pub(crate) fn open(
    uri: &Uri,
    stream: Box<dyn Stream>,
    session: Option<&str>,
    max_frame_bytes: usize,
) -> Result<Socket, Loss> {
    stream.set_read_timeout(Some(PATIENCE)).map_err(WsError::from)?;
    let session = session.map_or_else(String::new, |session| format!(", session.{session}"));
    let offer = HeaderValue::try_from(format!("wschat.v2{session}"));
    let mut request = uri.into_client_request()?;
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", offer.map_err(|error| Loss::Failed(error.to_string()))?);
    let config = WebSocketConfig::default()
        .max_message_size(Some(max_frame_bytes))
        .max_frame_size(Some(max_frame_bytes));
    match client_with_config(request, stream, Some(config)) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(WsError::Http(response))) => {
            let status = response.status().as_u16();
            // Too many clients, or requests: it may be better later.
            let kind = if matches!(status, 408 | 429 | 500..) { Loss::Failed } else { Loss::Final };
            Err(kind(format!("the server answered with HTTP status {status}")))
        }
        Err(HandshakeError::Failure(WsError::Protocol(SecWebSocketSubProtocolError(_)))) => {
            Err(Loss::Final(NOT_V2.to_owned()))
        }
        Err(HandshakeError::Failure(error)) => Err(error.into()),
        Err(HandshakeError::Interrupted(_)) => {
            Err(Loss::Failed("the handshake takes too long".to_owned()))
        }
    }
}

/// Waits for a message, at most so long.
pub(crate) fn hear(socket: &mut Socket, within: Duration) -> Result<Option<Message>, Loss> {
    // A timeout of zero would mean none.
    let within = within.max(Duration::from_millis(1));
    socket.get_ref().set_read_timeout(Some(within)).map_err(WsError::from)?;
    match socket.read() {
        Ok(Message::Close(frame)) => {
            // Sends the answer, which is queued.
            let _ = socket.flush();
            let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                (frame.code.into(), frame.reason.to_string())
            });
            Err(Loss::Closed(code, reason))
        }
        Ok(message) => Ok(Some(message)),
        Err(WsError::Io(error)) if matches!(error.kind(), WouldBlock | TimedOut) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl From<WsError> for Loss {
    fn from(error: WsError) -> Self {
        Self::Failed(error.to_string())
    }
}
