//! The default backend: native-tls, which on Linux is OpenSSL with its own configuration.
//!
//! The server side speaks TLS 1.2 only: native-tls uses Mozilla's old "intermediate" profile, which
//! disables 1.3 and offers CBC suites beside the AEAD ones. Every browser still accepts that; the
//! feature `openssl` is the better choice.

use std::error::Error;
use std::io::{self, Read, Write};

use native_tls::Protocol;

use super::certificate::Identity;
use super::{Blocked, Handshake, TlsStream, explain};

pub(super) type BackendAcceptor = native_tls::TlsAcceptor;
pub(super) type BackendStream<S> = native_tls::TlsStream<S>;
pub(super) type BackendHandshake<S> = native_tls::MidHandshakeTlsStream<S>;

pub(super) fn acceptor(identity: &Identity) -> Result<BackendAcceptor, Box<dyn Error>> {
    // Encoded again, because native-tls refuses a comment before the key.
    let mut chain = identity.leaf().to_pem()?;
    for certificate in identity.intermediates() {
        chain.extend(certificate.to_pem()?);
    }
    let key = identity.key.private_key_to_pem_pkcs8()?;
    let identity = native_tls::Identity::from_pkcs8(&chain, &key)?;
    let mut builder = native_tls::TlsAcceptor::builder(identity);
    Ok(builder.min_protocol_version(Some(Protocol::Tlsv12)).build()?)
}

pub(super) fn step<S: Read + Write>(
    outcome: Result<BackendStream<S>, native_tls::HandshakeError<S>>,
) -> io::Result<Handshake<S>> {
    match outcome {
        Ok(stream) => Ok(Handshake::Done(TlsStream::new(stream))),
        Err(native_tls::HandshakeError::WouldBlock(blocked)) => {
            Ok(Handshake::Blocked(Blocked(blocked)))
        }
        Err(native_tls::HandshakeError::Failure(error)) => Err(explain(&error)),
    }
}

pub(super) fn close_notify<S: Read + Write>(stream: &mut BackendStream<S>) -> io::Result<()> {
    stream.shutdown()
}
