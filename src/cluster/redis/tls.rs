//! TLS to Redis: the client's side.

use std::fmt;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{
    HandshakeError, MidHandshakeSslStream, SslConnector, SslFiletype, SslMethod, SslStream,
};
use openssl::x509::X509VerifyResult;
use openssl::x509::store::X509StoreBuilder;

use super::error::{ClusterError, RedisErrorKind};
use crate::settings::RedisTls;

pub(super) type TlsStream = SslStream<TcpStream>;

/// What is trusted, and what is shown.
#[derive(Clone)]
pub(super) struct TlsConnector(SslConnector);

impl TlsConnector {
    /// Reads the files.
    pub(super) fn new(tls: &RedisTls) -> Result<Self, ClusterError> {
        let unusable = |key: &str, file: &Path, error: &ErrorStack| {
            ClusterError::from(format!(
                "cluster.tls.{key}: {} cannot be used: {}; name a PEM file that this user may read",
                file.display(),
                reason(error)
            ))
        };
        let failed =
            |error: ErrorStack| ClusterError::from(format!("TLS fails: {}", reason(&error)));
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed)?;
        if let Some(ca) = &tls.ca {
            // Only this one is trusted, and not what the system trusts.
            let nobody = X509StoreBuilder::new().map_err(failed)?.build();
            builder.set_cert_store(nobody);
            builder.set_ca_file(ca).map_err(|error| unusable("ca", ca, &error))?;
        }
        if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
            let chain = builder.set_certificate_chain_file(cert);
            chain.map_err(|error| unusable("cert", cert, &error))?;
            let private_key = builder.set_private_key_file(key, SslFiletype::PEM);
            private_key.map_err(|error| unusable("key", key, &error))?;
            builder.check_private_key().map_err(|error| unusable("key", key, &error))?;
        }
        Ok(Self(builder.build()))
    }

    /// Makes TLS of an open socket, whose time-out is `limit`. The certificate must be for `host`.
    pub(super) fn connect(
        &self,
        host: &str,
        socket: TcpStream,
        limit: Duration,
    ) -> Result<TlsStream, RedisErrorKind> {
        self.0.connect(host, socket).map_err(|error| match error {
            HandshakeError::SetupFailure(error) => RedisErrorKind::Failed(reason(&error)),
            HandshakeError::WouldBlock(_) => RedisErrorKind::TimedOut(limit),
            HandshakeError::Failure(handshake) => explain(&handshake, limit),
        })
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

fn explain(handshake: &MidHandshakeSslStream<TcpStream>, limit: Duration) -> RedisErrorKind {
    let verified = handshake.ssl().verify_result();
    if verified != X509VerifyResult::OK {
        let why = verified.error_string();
        return RedisErrorKind::Failed(format!("its certificate is not trusted: {why}"));
    }
    let error = handshake.error();
    match (error.io_error(), error.ssl_error()) {
        (Some(error), _) => RedisErrorKind::of_socket(error, limit),
        (None, Some(stack)) => RedisErrorKind::Failed(reason(stack)),
        (None, None) => RedisErrorKind::Closed,
    }
}

/// OpenSSL's own words.
fn reason(stack: &ErrorStack) -> String {
    let errors = stack.errors();
    let reason = errors.iter().find_map(openssl::error::Error::reason);
    reason.unwrap_or("OpenSSL does not say why").to_owned()
}
