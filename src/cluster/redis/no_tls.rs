//! What stands in for TLS to Redis in a build without it: it is refused, so nothing of the rest ever exists.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::error::{ClusterError, RedisErrorKind};
use crate::settings::RedisTls;

/// Never exists in this build.
#[derive(Clone, Debug)]
pub(super) struct TlsConnector(Infallible);

/// Never exists in this build.
#[derive(Debug)]
pub(super) struct TlsStream(Infallible);

impl TlsConnector {
    pub(super) fn new(_tls: &RedisTls) -> Result<Self, ClusterError> {
        let what = "cluster has TLS, but this wschat was built without the feature `tls`; build it with that feature, \
                    or set cluster.tls to null and begin the URL with \"redis:\"";
        Err(what.to_owned().into())
    }

    pub(super) fn connect(
        &self,
        _host: &str,
        _socket: TcpStream,
        _limit: Duration,
    ) -> Result<TlsStream, RedisErrorKind> {
        match self.0 {}
    }
}

impl TlsStream {
    pub(super) fn get_ref(&self) -> &TcpStream {
        match self.0 {}
    }
}

impl Read for TlsStream {
    fn read(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl Write for TlsStream {
    fn write(&mut self, _buf: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}
