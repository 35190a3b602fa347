//! A socket that can collect what is written, so that many small TLS records travel together.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// How much is collected before it is sent.
const CORKED_BYTES: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Corkable {
    pub(crate) tcp: TcpStream,
    /// What has been collected; `None` while everything is sent at once.
    corked: Option<Vec<u8>>,
}

impl Corkable {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self { tcp, corked: None }
    }

    /// Collects from now on.
    pub(crate) fn cork(&mut self) {
        self.corked = Some(Vec::new());
    }
}

impl Read for Corkable {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(buf)
    }
}

impl Write for Corkable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(corked) = &mut self.corked else { return self.tcp.write(bytes) };
        corked.extend_from_slice(bytes);
        if corked.len() >= CORKED_BYTES {
            self.tcp.write_all(corked)?;
            corked.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
