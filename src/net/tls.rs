//! The server side of TLS, over any non-blocking socket.
//!
//! Owns the handshake, the encrypted stream and the texts of their errors. It runs on the session
//! threads, and on the dispatcher's and the flusher's when they write. All share one [`TlsAcceptor`].
//! Waiting is left to the caller, whose socket records what blocked: reading may have to write and
//! writing may have to read, and both return the same `WouldBlock`.
//!
//! Two backends pass the same contract tests. `native` is the default and speaks TLS 1.2; `openssl`,
//! with the feature of that name, speaks TLS 1.2 and 1.3 with the strongest suites only. Both use
//! OpenSSL, so one function explains the errors of both. `certificate` checks the certificate files
//! before they are used, and `renewal` notices when they change.

mod certificate;
#[cfg(not(feature = "openssl"))]
mod native;
#[cfg(feature = "openssl")]
mod openssl;
mod renewal;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use ::openssl::error::ErrorStack;
use ::openssl::x509::X509;

use self::certificate::Identity;
#[cfg(not(feature = "openssl"))]
use self::native as backend;
#[cfg(feature = "openssl")]
use self::openssl as backend;

pub use self::certificate::CertificateError;
pub(crate) use self::certificate::{Expiring, Expiry};
use self::renewal::FileStamps;
pub(crate) use self::renewal::RenewalWatch;

/// Terminates TLS with one certificate chain and its key.
///
/// A clone refers to the same acceptor. A renewed certificate is loaded into a new acceptor, and
/// connections of the old one continue.
#[derive(Clone)]
pub(crate) struct TlsAcceptor {
    acceptor: backend::BackendAcceptor,
    loaded: Arc<Loaded>,
}

/// What an acceptor was made of.
struct Loaded {
    chain: Vec<X509>,
    expiry: Expiry,
    /// Both files, before they were read.
    stamps: FileStamps,
}

impl TlsAcceptor {
    /// Reads and checks both PEM files: the chain, with the server's own certificate first, and the
    /// PKCS#8 key of that certificate.
    pub(crate) fn load(
        certificate: &Path,
        private_key: &Path,
    ) -> Result<TlsAcceptor, CertificateError> {
        let stamps = FileStamps::of(certificate, private_key);
        let identity = Identity::load(certificate, private_key)?;
        let acceptor = backend::acceptor(&identity)
            .map_err(|error| CertificateError::rejected(certificate, error.to_string()))?;
        let Identity { chain, expiry, .. } = identity;
        Ok(TlsAcceptor { acceptor, loaded: Arc::new(Loaded { chain, expiry, stamps }) })
    }

    /// What many clients do not like about the certificate, one sentence each. `file` is the one that it was
    /// loaded from, and `domain` the name by which clients come, if that is known.
    pub(crate) fn findings(&self, file: &Path, domain: Option<&str>) -> Vec<String> {
        certificate::findings(&self.loaded.chain, file, domain).unwrap_or_else(|error| {
            vec![format!("{}: the certificate cannot be examined: {error}", file.display())]
        })
    }

    /// Whether both are clones of one.
    fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.loaded, &other.loaded)
    }

    fn has_same_chain_as(&self, other: &Self) -> bool {
        self.loaded.chain == other.loaded.chain
    }

    fn stamps(&self) -> &FileStamps {
        &self.loaded.stamps
    }

    /// When the certificates expire.
    pub(crate) fn expiry(&self) -> &Expiry {
        &self.loaded.expiry
    }

    /// Starts the server side of a handshake on a non-blocking socket. A TCP socket should have
    /// `TCP_NODELAY` set: TLS 1.3 sends session tickets right after the handshake, and without it the
    /// next write would wait some 40 ms for the client's delayed acknowledgement of them.
    ///
    /// An error explains the cause and ends the connection. Sending the alert to the client has been
    /// tried once by then.
    pub(crate) fn accept<S: Read + Write>(&self, socket: S) -> io::Result<Handshake<S>> {
        backend::step(self.acceptor.accept(socket))
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("expiry", &self.loaded.expiry).finish_non_exhaustive()
    }
}

/// The state of a handshake.
#[derive(Debug)]
pub(crate) enum Handshake<S> {
    /// Finished. The stream can be read and written.
    Done(TlsStream<S>),
    /// The socket would have blocked.
    Blocked(Blocked<S>),
}

/// A handshake that waits for its socket. Dropping it closes the socket.
#[derive(Debug)]
pub(crate) struct Blocked<S>(backend::BackendHandshake<S>);

impl<S> Blocked<S> {
    /// The socket, which knows whether reading or writing blocked.
    pub(crate) fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    /// Continues the handshake. If the socket is still not ready, this returns `Blocked` again.
    pub(crate) fn resume(self) -> io::Result<Handshake<S>>
    where
        S: Read + Write,
    {
        backend::step(self.0.handshake())
    }
}

/// A connection after its handshake.
///
/// Decrypted bytes may be buffered inside, where `poll` cannot see them. So when the socket becomes
/// readable, read until `WouldBlock`.
#[derive(Debug)]
pub(crate) struct TlsStream<S> {
    stream: backend::BackendStream<S>,
    write_state: WriteState,
    /// Met while reading, behind bytes that the reader got first.
    next_error: Option<io::Error>,
}

/// What may be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteState {
    Open,
    /// Part of a record has been sent. The next write must repeat the same bytes.
    Blocked,
    /// `close_notify` has been sent, or the connection has failed. Nothing more can be sent.
    Closed,
}

impl<S> TlsStream<S> {
    fn new(stream: backend::BackendStream<S>) -> TlsStream<S> {
        TlsStream { stream, write_state: WriteState::Open, next_error: None }
    }

    /// The socket.
    pub(crate) fn get_ref(&self) -> &S {
        self.stream.get_ref()
    }
}

impl<S: Read + Write> TlsStream<S> {
    /// Reads from up to `max_records` records, as long as there is room in `buf` and they have arrived.
    /// Otherwise like [`TlsStream::read`], which reads from one.
    pub(crate) fn read_records(&mut self, buf: &mut [u8], max_records: usize) -> io::Result<usize> {
        if let Some(error) = self.next_error.take() {
            return Err(error);
        }
        let mut read = self.read(buf)?;
        for _ in 1..max_records {
            // OpenSSL takes an empty buffer for the end of the stream.
            if read == 0 || read == buf.len() {
                break;
            }
            match self.read(&mut buf[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.next_error = Some(error);
                    break;
                }
            }
        }
        Ok(read)
    }

    /// Sends `close_notify` without waiting for the peer's. After `Ok` the socket may be closed. After
    /// `WouldBlock`, call again when the socket is writable. Does nothing if it was sent before or the
    /// connection has failed.
    ///
    /// While a write is blocked this returns [`io::ErrorKind::ResourceBusy`], because an alert cannot
    /// be sent in the middle of a record. Finish that write first, or just close the socket.
    pub(crate) fn shutdown(&mut self) -> io::Result<()> {
        match self.write_state {
            WriteState::Closed => return Ok(()),
            WriteState::Blocked => {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "TLS cannot be closed in the middle of a blocked write",
                ));
            }
            WriteState::Open => {}
        }
        match backend::close_notify(&mut self.stream) {
            Ok(()) => {
                // A second call into OpenSSL would wait for the peer's close_notify.
                self.write_state = WriteState::Closed;
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Explains an error that ends the connection, and passes on one that does not.
    fn failed(&mut self, error: io::Error) -> io::Error {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return error;
        }
        // OpenSSL must not send close_notify after a failure.
        self.write_state = WriteState::Closed;
        explain(&error)
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    /// `Ok(0)` means that the peer sends no more: it sent `close_notify`, or it closed the socket
    /// without it, as many clients do. The difference does not matter, because HTTP requests and
    /// WebSocket frames mark their own end, so a truncation is noticed.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf).map_err(|error| self.failed(error))
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    /// Encrypts and sends at most one record, which is 16 KiB of `buf`.
    ///
    /// **After `WouldBlock` the next write must repeat the same bytes**, or the same and more, because
    /// OpenSSL has encrypted them already and may have sent part of the record. The buffer may have
    /// moved, and reading in between is allowed.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // OpenSSL sends no empty record, so an empty write does not change the state.
        if buf.is_empty() {
            return Ok(0);
        }
        match self.stream.write(buf) {
            Ok(taken) => {
                self.write_state = WriteState::Open;
                Ok(taken)
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.write_state = WriteState::Blocked;
                }
                Err(self.failed(error))
            }
        }
    }

    /// Flushes the socket. TLS buffers nothing but the record of a blocked write.
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Explains an error of either backend, as far as OpenSSL's error stack does.
///
/// An error of the socket stays as it is. A mistake of the client becomes `InvalidData`.
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
        // OpenSSL reports the end of the socket as a system error without details.
        None => io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the client closed the connection during the handshake",
        ),
    }
}

fn explain_stack(stack: &ErrorStack) -> String {
    /// `ERR_LIB_SSL`: the reasons below are numbers of this part of OpenSSL.
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

/// The text for a reason of OpenSSL's `sslerr.h`, whose numbers are stable. Those from 1000 on are the
/// alerts of RFC 8446 §6 that the client sent.
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
