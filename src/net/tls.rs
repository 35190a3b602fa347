//! TLS: the server's side of it, over any socket that is read and written without blocking.
//!
//! Owns the handshake, the encrypted stream and the wording of what goes wrong in them. It runs on
//! the session threads; one [`TlsAcceptor`] serves them all. When to wait, for how long and for
//! which readiness is left to the caller, whose socket records what blocked: `WouldBlock` comes back
//! alike whether TLS wanted to read or to write, and either may be wanted by either call.
//!
//! Two backends satisfy the same contract tests. `native` is the default and speaks TLS 1.2;
//! `openssl`, behind the feature of that name, speaks TLS 1.2 and 1.3 with the strongest suites
//! only. Both stand on OpenSSL, so one function puts the errors of both in plain words. What the
//! certificate files must hold is settled in `certificate` before a port is opened.

mod certificate;
#[cfg(not(feature = "openssl"))]
mod native;
#[cfg(feature = "openssl")]
mod openssl;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use ::openssl::error::ErrorStack;

use self::certificate::Identity;
#[cfg(not(feature = "openssl"))]
use self::native as backend;
#[cfg(feature = "openssl")]
use self::openssl as backend;

pub use self::certificate::CertificateError;

/// Terminates TLS with one certificate chain and its key.
///
/// A clone is a reference to the same, so every session thread may hold one. A renewed certificate
/// is loaded into a new acceptor; connections made by the old one live on.
#[derive(Clone)]
pub(crate) struct TlsAcceptor {
    acceptor: backend::Acceptor,
    warnings: Arc<[String]>,
}

impl TlsAcceptor {
    /// Reads and checks both PEM files: the chain, the server's own certificate first, and the
    /// PKCS#8 key of that certificate.
    pub(crate) fn load(
        certificate: &Path,
        private_key: &Path,
    ) -> Result<TlsAcceptor, CertificateError> {
        let identity = Identity::load(certificate, private_key)?;
        let acceptor = backend::acceptor(&identity)
            .map_err(|error| CertificateError::unusable(certificate, error.to_string()))?;
        Ok(TlsAcceptor { acceptor, warnings: identity.warnings.into() })
    }

    /// What is right today but will need the operator, such as a certificate about to expire; one
    /// log line each.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Begins the server's side of a handshake on a non-blocking socket. A TCP socket should have
    /// `TCP_NODELAY` set: TLS 1.3 sends session tickets right after the handshake, and what is
    /// written next would wait some 40 ms for the client's delayed acknowledgement of them.
    ///
    /// An error names the cause in plain words and ends the connection; the alert that tells the
    /// client has then been tried once.
    pub(crate) fn accept<S: Read + Write>(&self, socket: S) -> io::Result<Handshake<S>> {
        backend::step(self.acceptor.accept(socket))
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

/// How far a handshake has come.
#[derive(Debug)]
pub(crate) enum Handshake<S> {
    /// Finished: the stream may be read and written.
    Done(TlsStream<S>),
    /// The socket would have blocked.
    Blocked(Blocked<S>),
}

/// A handshake that waits for its socket. Dropping it drops the socket.
#[derive(Debug)]
pub(crate) struct Blocked<S>(backend::Suspended<S>);

impl<S> Blocked<S> {
    /// The socket, which knows what it was that blocked.
    pub(crate) fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    /// Goes on where the handshake stopped. Harmless when the socket is not ready yet: the answer is
    /// `Blocked` again.
    pub(crate) fn resume(self) -> io::Result<Handshake<S>>
    where
        S: Read + Write,
    {
        backend::step(self.0.handshake())
    }
}

/// A connection with its handshake done.
///
/// Decrypted bytes may wait inside, where `poll` cannot see them, so whoever is told that the socket
/// is readable must read until `WouldBlock`.
#[derive(Debug)]
pub(crate) struct TlsStream<S> {
    stream: backend::Stream<S>,
    outgoing: Outgoing,
}

/// What may be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outgoing {
    Open,
    /// Part of a record is on its way; only the same bytes can follow it.
    Blocked,
    /// The `close_notify` is out, or the connection failed: nothing more will be sent.
    Closed,
}

impl<S> TlsStream<S> {
    fn new(stream: backend::Stream<S>) -> TlsStream<S> {
        TlsStream { stream, outgoing: Outgoing::Open }
    }

    /// The socket.
    pub(crate) fn get_ref(&self) -> &S {
        self.stream.get_ref()
    }
}

impl<S: Read + Write> TlsStream<S> {
    /// Sends `close_notify` and does not wait for the peer's: after `Ok` the socket may be closed.
    /// After `WouldBlock`, call again when the socket is writable. Once it is sent, or once the
    /// connection has failed, it does nothing.
    ///
    /// While a blocked write is unfinished the answer is [`io::ErrorKind::ResourceBusy`], because an
    /// alert cannot be put into the middle of a record: finish that write first, or just close.
    pub(crate) fn shutdown(&mut self) -> io::Result<()> {
        match self.outgoing {
            Outgoing::Closed => return Ok(()),
            Outgoing::Blocked => {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "TLS cannot be closed in the middle of a blocked write",
                ));
            }
            Outgoing::Open => {}
        }
        match backend::close_notify(&mut self.stream) {
            Ok(()) => {
                // A second call into OpenSSL would wait for the peer's own close_notify.
                self.outgoing = Outgoing::Closed;
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Sorts the errors that end the connection from those that do not, and words the former.
    fn failed(&mut self, error: io::Error) -> io::Error {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return error;
        }
        // OpenSSL must not be asked to close a connection on which it has failed.
        self.outgoing = Outgoing::Closed;
        explain(&error)
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    /// `Ok(0)` means that the peer will send no more: by `close_notify`, or by closing the socket
    /// without one, as many clients do. The two need no telling apart, since whatever is read here
    /// (an HTTP request, WebSocket frames) marks its own end: a truncation cannot pass for one.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf).map_err(|error| self.failed(error))
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    /// Encrypts and sends one record at most, 16 KiB of `buf`.
    ///
    /// **After `WouldBlock` the next write must offer the same bytes again**, or the same and more,
    /// though the buffer may have moved: OpenSSL has encrypted them already and may have sent part
    /// of the record. Reading in between is allowed.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // OpenSSL takes no empty record, so an empty write settles nothing.
        if buf.is_empty() {
            return Ok(0);
        }
        match self.stream.write(buf) {
            Ok(taken) => {
                self.outgoing = Outgoing::Open;
                Ok(taken)
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.outgoing = Outgoing::Blocked;
                }
                Err(self.failed(error))
            }
        }
    }

    /// Flushes the socket: TLS itself holds nothing back, save the record of a blocked write.
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Puts an error of either backend in plain words, as far as OpenSSL's error stack tells.
///
/// Errors of the socket itself come back as they are; what the client did wrong is `InvalidData`.
fn explain(error: &(dyn Error + 'static)) -> io::Error {
    let mut socket_error = None;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(stack) = error.downcast_ref::<ErrorStack>() {
            return io::Error::new(io::ErrorKind::InvalidData, explain_stack(stack));
        }
        socket_error = error.downcast_ref::<io::Error>().or(socket_error);
        cause = error.source();
    }
    match socket_error {
        Some(error) => match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        },
        // OpenSSL reports the end of the socket as a system error of which it knows no more.
        None => io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the client closed the connection during the handshake",
        ),
    }
}

fn explain_stack(stack: &ErrorStack) -> String {
    /// `ERR_LIB_SSL`: the numbers below are reasons of this part of OpenSSL.
    const LIBRARY_SSL: i32 = 20;

    let errors = stack.errors();
    let known = errors
        .iter()
        .filter(|error| error.library_code() == LIBRARY_SSL)
        .find_map(|error| explain_reason(error.reason_code(), error.reason().unwrap_or_default()));
    known.unwrap_or_else(|| {
        let reason = errors.iter().find_map(::openssl::error::Error::reason);
        format!("TLS failed: {}", reason.unwrap_or("OpenSSL does not say why"))
    })
}

/// The words for a reason of OpenSSL's `sslerr.h`, which does not renumber them. From 1000 on they
/// are the alerts of RFC 8446, section 6, received from the client.
fn explain_reason(reason: i32, openssl_says: &str) -> Option<String> {
    const NO_SUITABLE_KEY_SHARE: i32 = 101;
    const NO_SUITABLE_SIGNATURE_ALGORITHM: i32 = 118;
    const HTTPS_PROXY_REQUEST: i32 = 155;
    const HTTP_REQUEST: i32 = 156;
    const NO_SHARED_CIPHER: i32 = 193;
    const UNSUPPORTED_PROTOCOL: i32 = 258;
    const WRONG_VERSION_NUMBER: i32 = 267;
    const NO_SUITABLE_GROUPS: i32 = 295;
    const INAPPROPRIATE_FALLBACK: i32 = 373;
    const NO_SHARED_SIGNATURE_ALGORITHMS: i32 = 376;
    const VERSION_TOO_LOW: i32 = 396;
    const ALERTS: i32 = 1000;

    let words = match reason {
        HTTP_REQUEST => "the client speaks plain HTTP on the TLS port",
        HTTPS_PROXY_REQUEST => "the client takes the TLS port for an HTTP proxy",
        WRONG_VERSION_NUMBER => "what the client sends is not TLS",
        UNSUPPORTED_PROTOCOL | VERSION_TOO_LOW => "no protocol version in common with the client",
        INAPPROPRIATE_FALLBACK => "the client fell back to an older protocol version without need",
        NO_SHARED_CIPHER => "no cipher suite in common with the client",
        NO_SUITABLE_KEY_SHARE | NO_SUITABLE_GROUPS => "no key exchange in common with the client",
        NO_SHARED_SIGNATURE_ALGORITHMS | NO_SUITABLE_SIGNATURE_ALGORITHM => {
            "the client accepts no signature that the certificate's key can make"
        }
        ALERTS.. => {
            let alert = reason - ALERTS;
            // OpenSSL's text is "tlsv1 alert unknown ca", or "sslv3 alert …".
            let name = openssl_says.rsplit("alert ").next().unwrap_or_default();
            let complaint = match alert {
                42..=46 | 48 => "the client does not trust the certificate",
                70 => "the client refuses the protocol version",
                _ => "the client broke off",
            };
            return Some(format!("{complaint} (alert {alert}, {name})"));
        }
        _ => return None,
    };
    Some(words.to_owned())
}
