//! The socket of a connection: finding the addresses of a host, connecting, and TLS on top.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::error::{RESOLVE, RedisError, RedisErrorKind};
use super::tls::{TlsConnector, TlsStream};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// An open connection, whose reads and writes have the time-out of its socket.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(TlsStream),
}

impl Address {
    /// All addresses of the host. The system's resolver has no time-out of its own, so it gets a thread.
    pub(super) fn resolve(&self, limit: Duration) -> Result<Vec<SocketAddr>, RedisErrorKind> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![(address, self.port).into()]);
        }
        let (sender, receiver) = bounded(1);
        let (host, port) = (self.host.clone(), self.port);
        let resolver = move || {
            let found = (&*host, port).to_socket_addrs();
            // Nobody waits any more if it took too long.
            let _ = sender.send(found.map(Iterator::collect));
        };
        thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(resolver)
            .map_err(|error| RedisErrorKind::Failed(error.to_string()))?;
        match receiver.recv_timeout(limit) {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(RedisErrorKind::Failed(error.to_string())),
            Err(RecvTimeoutError::Timeout) => Err(RedisErrorKind::TimedOut(limit)),
            Err(RecvTimeoutError::Disconnected) => {
                Err(RedisErrorKind::Failed("the resolver has failed".to_owned()))
            }
        }
    }

    /// Connects. Each step may take `limit`: finding the addresses, each of them, and TLS.
    pub(super) fn connect(
        &self,
        tls: Option<&TlsConnector>,
        limit: Duration,
    ) -> Result<Socket, RedisError> {
        let error = |step: &str, kind| RedisError::new(&self.to_string(), step, kind);
        let addresses = self.resolve(limit).map_err(|kind| error(RESOLVE, kind))?;
        let mut last = RedisErrorKind::Failed("the name has no address".to_owned());
        for address in addresses {
            match open(&address, limit) {
                Ok(socket) => {
                    let Some(tls) = tls else { return Ok(Socket::Plain(socket)) };
                    let stream = tls.connect(&self.host, socket, limit);
                    return stream.map(Socket::Tls).map_err(|kind| error("TLS", kind));
                }
                Err(cause) => last = RedisErrorKind::of_socket(&cause, limit),
            }
        }
        Err(error("connect", last))
    }
}

fn open(address: &SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(address, limit)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(limit))?;
    socket.set_write_timeout(Some(limit))?;
    Ok(socket)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl Socket {
    pub(super) fn has_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The socket below TLS.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
