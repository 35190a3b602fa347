//! What stands in for TLS in a build without it: a certificate is refused, so nothing of the rest ever exists.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Why the certificate or its private key cannot be used: this wschat was built without TLS.
#[derive(Debug)]
pub struct CertificateError {
    file: PathBuf,
}

/// Never exists in this build.
#[derive(Debug)]
pub(crate) struct TlsAcceptor(Infallible);

/// Never exists in this build.
#[derive(Debug)]
pub(crate) struct Expiry(Infallible);

/// Never exists in this build.
#[derive(Clone, Debug)]
pub(crate) struct Expiring {
    pub(crate) is_over: bool,
    never: Infallible,
}

/// Never exists in this build.
#[expect(dead_code, reason = "there are no handshakes")]
#[derive(Debug)]
pub(crate) enum Handshake<S> {
    Done(TlsStream<S>),
    Blocked(Blocked<S>),
}

/// Never exists in this build.
#[derive(Debug)]
pub(crate) struct Blocked<S>(Infallible, PhantomData<S>);

/// Never exists in this build.
#[derive(Debug)]
pub(crate) struct TlsStream<S>(Infallible, PhantomData<S>);

impl TlsAcceptor {
    pub(crate) fn load(certificate: &Path, _private_key: &Path) -> Result<Self, CertificateError> {
        Err(CertificateError { file: certificate.to_owned() })
    }

    pub(crate) fn expiry(&self) -> &Expiry {
        match self.0 {}
    }

    pub(crate) fn findings(&self, _file: &Path, _domain: Option<&str>) -> Vec<String> {
        match self.0 {}
    }

    pub(crate) fn accept<S>(&self, _socket: S) -> io::Result<Handshake<S>> {
        match self.0 {}
    }
}

/// Never exists in this build.
#[derive(Clone, Debug)]
pub(crate) struct FirstEnd {
    pub(crate) subject: String,
    pub(crate) expires_at: i64,
}

/// Nothing to watch.
#[derive(Debug, Default)]
pub(crate) struct RenewalWatch(());

impl RenewalWatch {
    #[expect(clippy::unused_self, reason = "there is nothing to watch")]
    pub(crate) fn look(
        &mut self,
        current: &TlsAcceptor,
        _certificate: &Path,
        _private_key: &Path,
        _now: Instant,
    ) -> Option<TlsAcceptor> {
        match current.0 {}
    }
}

impl Expiry {
    pub(crate) fn first(&self) -> FirstEnd {
        match self.0 {}
    }

    pub(crate) fn news(&self, _now: i64) -> Vec<String> {
        match self.0 {}
    }

    pub(crate) fn warnings(&self, _now: i64) -> Vec<String> {
        match self.0 {}
    }

    pub(crate) fn state(&self, _now: i64) -> Vec<Expiring> {
        match self.0 {}
    }
}

impl fmt::Display for Expiring {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.never {}
    }
}

impl<S> Blocked<S> {
    pub(crate) fn get_ref(&self) -> &S {
        match self.0 {}
    }

    pub(crate) fn resume(self) -> io::Result<Handshake<S>> {
        match self.0 {}
    }
}

impl<S> TlsStream<S> {
    pub(crate) fn get_ref(&self) -> &S {
        match self.0 {}
    }

    pub(crate) fn read_records(&mut self, _: &mut [u8], _: usize) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn shutdown(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

impl<S> Read for TlsStream<S> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl<S> Write for TlsStream<S> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cannot be used: this wschat was built without the feature `tls`; build it with that feature, or \
             set \"certificate\" and \"privateKey\" to null",
            self.file.display()
        )
    }
}

impl Error for CertificateError {}
