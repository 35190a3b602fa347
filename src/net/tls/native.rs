//! The default backend: native-tls, which on Linux is OpenSSL with settings of its own.
//!
//! Its server side speaks TLS 1.2 and no other version: native-tls builds on Mozilla's old
//! "intermediate" profile, which switches 1.3 off, and offers suites in CBC mode beside the AEAD
//! ones. Every browser still speaks that; the feature `openssl` serves them better.

use std::error::Error;
use std::io::{self, Read, Write};

use native_tls::Protocol;

use super::certificate::Identity;
use super::{Blocked, Handshake, TlsStream, explain};

pub(super) type Acceptor = native_tls::TlsAcceptor;
pub(super) type Stream<S> = native_tls::TlsStream<S>;
pub(super) type Suspended<S> = native_tls::MidHandshakeTlsStream<S>;

pub(super) fn acceptor(identity: &Identity) -> Result<Acceptor, Box<dyn Error>> {
    // Encoded anew, because native-tls takes no comment before the key.
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
    outcome: Result<Stream<S>, native_tls::HandshakeError<S>>,
) -> io::Result<Handshake<S>> {
    match outcome {
        Ok(stream) => Ok(Handshake::Done(TlsStream::new(stream))),
        Err(native_tls::HandshakeError::WouldBlock(suspended)) => {
            Ok(Handshake::Blocked(Blocked(suspended)))
        }
        Err(native_tls::HandshakeError::Failure(error)) => Err(explain(&error)),
    }
}

pub(super) fn close_notify<S: Read + Write>(stream: &mut Stream<S>) -> io::Result<()> {
    stream.shutdown()
}
