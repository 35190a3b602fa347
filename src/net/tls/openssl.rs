//! The backend of the feature `openssl`: TLS 1.2 and 1.3, and only suites that are authenticated
//! (AEAD) and forward secret.

use std::io::{self, Read, Write};

use openssl::error::ErrorStack;
use openssl::ssl::{
    self, MidHandshakeSslStream, SslAcceptor, SslMethod, SslOptions, SslSessionCacheMode, SslStream,
};

use super::certificate::Identity;
use super::{Blocked, Handshake, TlsStream, explain};

pub(super) type Acceptor = SslAcceptor;
pub(super) type Stream<S> = SslStream<S>;
pub(super) type Suspended<S> = MidHandshakeSslStream<S>;

/// The TLS 1.2 suites of Mozilla's "intermediate" profile, version 5, without its two over
/// finite-field Diffie-Hellman: every client that knows AEAD knows elliptic curves, and a client
/// could make the server pay dearly for the other arithmetic.
const TLS12_SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
                            ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
                            ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

pub(super) fn acceptor(identity: &Identity) -> Result<Acceptor, ErrorStack> {
    // The profile brings the versions, the TLS 1.3 suites, no compression, and the modes that this
    // server lives on: an idle connection gives its buffers back, a write takes what fits, and the
    // buffer of a retried write may have moved. Among suites that are all strong, the client's own
    // order decides, as the profile advises: a phone without AES instructions asks for ChaCha20.
    let mut context = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    context.set_cipher_list(TLS12_SUITES)?;
    // Nothing here needs renegotiation (TLS 1.3 dropped it), and it costs the server most.
    context.set_options(SslOptions::NO_RENEGOTIATION);
    // A session is resumed by the ticket that the client keeps; the server remembers none.
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    // One `recv` takes all there is, instead of one for each record's head and one for its body.
    context.set_read_ahead(true);

    context.set_certificate(identity.leaf())?;
    for certificate in identity.intermediates() {
        context.add_extra_chain_cert(certificate.clone())?;
    }
    context.set_private_key(&identity.key)?;
    context.check_private_key()?;
    Ok(context.build())
}

pub(super) fn step<S: Read + Write>(
    outcome: Result<Stream<S>, ssl::HandshakeError<S>>,
) -> io::Result<Handshake<S>> {
    match outcome {
        Ok(stream) => Ok(Handshake::Done(TlsStream::new(stream))),
        Err(ssl::HandshakeError::WouldBlock(suspended)) => {
            Ok(Handshake::Blocked(Blocked(suspended)))
        }
        Err(ssl::HandshakeError::Failure(suspended)) => Err(explain(suspended.error())),
        Err(ssl::HandshakeError::SetupFailure(error)) => Err(explain(&error)),
    }
}

pub(super) fn close_notify<S: Read + Write>(stream: &mut Stream<S>) -> io::Result<()> {
    match stream.shutdown() {
        Ok(ssl::ShutdownResult::Sent | ssl::ShutdownResult::Received) => Ok(()),
        Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
    }
}
