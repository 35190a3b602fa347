//! The backend of the feature `openssl`: TLS 1.2 and 1.3, and only suites with authenticated
//! encryption (AEAD) and forward secrecy.

use std::io::{self, Read, Write};

use openssl::error::ErrorStack;
use openssl::ssl::{
    self, MidHandshakeSslStream, SslAcceptor, SslMethod, SslOptions, SslSessionCacheMode, SslStream,
};

use super::certificate::Identity;
use super::{Blocked, Handshake, TlsStream, explain};

pub(super) type BackendAcceptor = SslAcceptor;
pub(super) type BackendStream<S> = SslStream<S>;
pub(super) type BackendHandshake<S> = MidHandshakeSslStream<S>;

/// The TLS 1.2 suites of Mozilla's "intermediate" profile, version 5, without the two with
/// finite-field Diffie-Hellman: every client with AEAD also has elliptic curves, and a client could
/// abuse the expensive arithmetic to load the server.
const TLS12_SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
                            ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
                            ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

pub(super) fn acceptor(identity: &Identity) -> Result<BackendAcceptor, ErrorStack> {
    // The profile sets the versions, the TLS 1.3 suites, no compression, and the modes that this
    // server needs: an idle connection releases its buffers, a write may be partial, and the buffer of
    // a retried write may move. All suites are strong, so the client's preference decides, as the
    // profile advises: a phone without AES instructions prefers ChaCha20.
    let mut context = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    context.set_cipher_list(TLS12_SUITES)?;
    // Nothing here needs renegotiation, which TLS 1.3 has dropped, and most of its cost is the server's.
    context.set_options(SslOptions::NO_RENEGOTIATION);
    // TLS sessions are resumed by the client's ticket, so the server need not store them.
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    // One `recv` reads all there is, instead of one for each record's header and one for its body.
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
    outcome: Result<BackendStream<S>, ssl::HandshakeError<S>>,
) -> io::Result<Handshake<S>> {
    match outcome {
        Ok(stream) => Ok(Handshake::Done(TlsStream::new(stream))),
        Err(ssl::HandshakeError::WouldBlock(blocked)) => Ok(Handshake::Blocked(Blocked(blocked))),
        Err(ssl::HandshakeError::Failure(blocked)) => Err(explain(blocked.error())),
        Err(ssl::HandshakeError::SetupFailure(error)) => Err(explain(&error)),
    }
}

pub(super) fn close_notify<S: Read + Write>(stream: &mut BackendStream<S>) -> io::Result<()> {
    match stream.shutdown() {
        Ok(ssl::ShutdownResult::Sent | ssl::ShutdownResult::Received) => Ok(()),
        Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
    }
}
