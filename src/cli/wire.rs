//! A connection to a server's public port, with TLS or without. A build without the feature `tls` has no TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;

#[cfg(feature = "tls")]
use native_tls::{HandshakeError, TlsConnector, TlsStream};

pub(super) enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whether the server must be who it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Its certificate is for this name, and of a known authority.
    Name,
    /// It may be anybody: nothing is told to it, and little believed.
    Anybody,
}

impl Wire {
    /// Makes the TLS handshake, or says why it fails.
    #[cfg(feature = "tls")]
    pub(super) fn encrypt(host: &str, tcp: TcpStream, trust: Trust) -> Result<Self, String> {
        let connector = TlsConnector::builder()
            .danger_accept_invalid_certs(trust == Trust::Anybody)
            .danger_accept_invalid_hostnames(trust == Trust::Anybody)
            .build()
            .map_err(|error| error.to_string())?;
        match connector.connect(host, tcp) {
            Ok(stream) => Ok(Self::Tls(Box::new(stream))),
            Err(HandshakeError::Failure(error)) => Err(error.to_string()),
            Err(HandshakeError::WouldBlock(_)) => Err("it does not answer".to_owned()),
        }
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn encrypt(_: &str, _: TcpStream, _: Trust) -> Result<Self, String> {
        Err("this wschat was built without the feature tls".to_owned())
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}
