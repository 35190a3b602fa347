//! A client that tries the way to a server, as a browser would, and says where it ends. It never waits for long.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use http::header::{LOCATION, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, StatusCode, Uri};
use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use crate::cli::wire::{Trust, Wire};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long all steps may take together. What answers may send a byte now and then, for ever.
const LONGEST: Duration = Duration::from_secs(20);

/// A public URL.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) is_tls: bool,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// With a slash at the beginning.
    path: String,
    /// `host:port`, or `host` with the usual port.
    authority: String,
}

/// Where the way ends.
#[derive(Debug)]
pub(super) enum Failure {
    /// The name has no address.
    Unknown(io::Error),
    /// No connection to any of the addresses.
    Unreachable(io::Error),
    /// The TLS handshake fails: the certificate is refused, or it is not TLS.
    Tls(String),
    /// An HTTP response instead of a WebSocket, and where it redirects to.
    Status(StatusCode, Option<String>),
    /// What answers does not speak HTTP, or ends the connection.
    Broken(String),
    /// A WebSocket, but no welcome on it.
    NoWelcome,
}

/// A WebSocket to the server.
pub(super) struct Probe {
    socket: WebSocket<Wire>,
    /// From which address this machine has connected.
    pub(super) local: IpAddr,
    /// The id of the user.
    pub(super) user: u64,
}

/// What becomes of a connection on which nobody says anything.
#[derive(Debug)]
pub(super) enum Silence {
    /// The server's ping came.
    Pinged,
    /// Neither a ping nor an end.
    Quiet,
    /// It was cut off.
    Cut(Duration),
}

impl Target {
    /// Parses `https://chat.example.org/` and the like. The scheme may be left out.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let url = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
        let uri: Uri = url.parse().ok()?;
        let is_tls = match uri.scheme_str()? {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let usual = if is_tls { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let host = uri.host().filter(|host| !host.is_empty())?;
        let authority = if port == usual { host.to_owned() } else { format!("{host}:{port}") };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { is_tls, host, port, path: uri.path().to_owned(), authority })
    }

    /// Opens a WebSocket as a page from there would, and waits for the welcome.
    pub(super) fn connect(&self) -> Result<Probe, Failure> {
        self.connect_within(LONGEST)
    }

    fn connect_within(&self, longest: Duration) -> Result<Probe, Failure> {
        let target = self.clone();
        let (connected, waiting) = bounded(1);
        thread::spawn(move || {
            // Nobody may wait for it any more.
            let _ = connected.send(target.try_to_connect());
        });
        waiting.recv_timeout(longest).unwrap_or_else(|_| {
            let text = format!("no whole answer comes within {} s", longest.as_secs());
            Err(Failure::Broken(text))
        })
    }

    fn try_to_connect(&self) -> Result<Probe, Failure> {
        let tcp = self.reach()?;
        let local = tcp.local_addr().map_err(Failure::Unreachable)?.ip();
        let wire = if self.is_tls {
            Wire::encrypt(&self.host, tcp, Trust::Name).map_err(Failure::Tls)?
        } else {
            Wire::Plain(tcp)
        };
        let (ws, http) = if self.is_tls { ("wss", "https") } else { ("ws", "http") };
        let broken = |error: &dyn fmt::Display| Failure::Broken(error.to_string());
        let mut request = format!("{ws}://{}{}", self.authority, self.path)
            .into_client_request()
            .map_err(|error| broken(&error))?;
        let origin = format!("{http}://{}", self.authority);
        let origin = HeaderValue::from_str(&origin).map_err(|error| broken(&error))?;
        request.headers_mut().insert(ORIGIN, origin);
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("wschat.v2"));
        let (mut socket, _) = tungstenite::client(request, wire).map_err(|error| match error {
            tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response)) => {
                let location = response.headers().get(LOCATION);
                let location = location.and_then(|text| text.to_str().ok()).map(str::to_owned);
                Failure::Status(response.status(), location)
            }
            tungstenite::HandshakeError::Failure(error) => broken(&error),
            tungstenite::HandshakeError::Interrupted(_) => broken(&"it does not answer"),
        })?;
        let user = welcome(&mut socket).ok_or(Failure::NoWelcome)?;
        Ok(Probe { socket, local, user })
    }

    /// The resolver may try for longer than anybody waits.
    fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let place = (self.host.clone(), self.port);
        let (resolved, waiting) = bounded(1);
        thread::spawn(move || resolved.send(place.to_socket_addrs().map(Iterator::collect)));
        waiting.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    fn reach(&self) -> Result<TcpStream, Failure> {
        let addresses = self.resolve().map_err(Failure::Unknown)?;
        let mut last = io::Error::from(ErrorKind::NotFound);
        for address in addresses {
            match open(address, PATIENCE) {
                Ok(tcp) => return Ok(tcp),
                Err(error) => last = error,
            }
        }
        Err(Failure::Unreachable(last))
    }
}

impl Probe {
    /// Says nothing until the server pings, for no longer than `patience`.
    pub(super) fn be_silent(&mut self, patience: Duration) -> Silence {
        let started = Instant::now();
        loop {
            let Some(left) = patience.checked_sub(started.elapsed()).filter(|left| !left.is_zero())
            else {
                return Silence::Quiet;
            };
            let _ = self.socket.get_ref().tcp().set_read_timeout(Some(left));
            match self.socket.read() {
                Ok(Message::Ping(_)) => {
                    // With the pong that it has queued.
                    let _ = self.socket.flush();
                    return Silence::Pinged;
                }
                Ok(Message::Close(_)) => return Silence::Cut(started.elapsed()),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if is_timeout(&error) => return Silence::Quiet,
                Err(_) => return Silence::Cut(started.elapsed()),
            }
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.socket.close(None);
        let _ = self.socket.flush();
    }
}

/// The id of the user, from the first message.
fn welcome(socket: &mut WebSocket<Wire>) -> Option<u64> {
    loop {
        match socket.read().ok()? {
            Message::Text(text) => {
                let value: Value = serde_json::from_str(&text).ok()?;
                return (value["type"] == "welcome").then(|| value["user"]["id"].as_u64())?;
            }
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return None,
        }
    }
}

fn open(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect_timeout(&address, patience)?;
    tcp.set_read_timeout(Some(patience))?;
    tcp.set_write_timeout(Some(patience))?;
    Ok(tcp)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_answer_that_never_ends_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let trickle = thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\nX: ").unwrap();
            // Until the other end has gone.
            while tcp.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        });
        let failure = target.connect_within(Duration::from_secs(1)).err();
        assert!(matches!(failure, Some(Failure::Broken(_))), "{failure:?}");
        drop(trickle);
    }
}
