//! The header of the PROXY protocol, version 1 or 2, with which a proxy names the client.
//!
//! Runs on the session's thread, before TLS. It reads the header and not a byte of what follows: that is for
//! TLS. Whoever connects to a listener that has the header is believed.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use log::warn;
use proxy_header::{Error, ParseConfig, ProxyHeader};
use rustix::net::{RecvFlags, recv};

use super::head::Patience;
use crate::net::sockets::Peer;
use crate::net::stream::read_now;
use crate::session::Session;
use crate::session::live::Live;

/// The longest header that is read. Most have less than 200 bytes; those with a client's certificate more.
const MAX_BYTES: usize = 4096;

/// What a header of version 1 and one of version 2 begin with.
const BEGINNINGS: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// What has come so far.
#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    /// The beginning of a header.
    Partial,
    /// A header of this length. Without a client, the proxy speaks for itself.
    Complete { client: Option<SocketAddr>, len: usize },
    /// No header.
    Bad,
}

/// Reads the header from the peer, and returns the client that it names, or the peer itself.
pub(super) fn read(session: &Session, patience: Patience<'_>) -> io::Result<Peer> {
    let Session { live, tcp, peer: proxy, .. } = session;
    let (tcp, proxy) = (tcp.socket(), *proxy);
    let mut bytes = [0; MAX_BYTES];
    let mut read = 0;
    loop {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let seen = match recv(tcp, &mut bytes[read..], flags) {
            Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok((seen, _)) => seen,
            Err(rustix::io::Errno::INTR) => continue,
            Err(rustix::io::Errno::AGAIN) => {
                patience.wait(tcp, false)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let parsed = parse(&bytes[..read + seen]);
        // All that has been seen belongs to the header, unless it ends before.
        let end = match &parsed {
            Parsed::Partial if read + seen < MAX_BYTES => read + seen,
            Parsed::Complete { len, .. } => *len,
            Parsed::Partial | Parsed::Bad => return Err(bad_header(proxy, live)),
        };
        while read < end {
            // It is there already.
            read += read_now(tcp, &mut bytes[read..end])?;
        }
        if let Parsed::Complete { client, .. } = parsed {
            return Ok(client.map_or(proxy, Peer::Address));
        }
    }
}

fn bad_header(proxy: Peer, live: &Live) -> io::Error {
    if live.told.bad_proxy_header.is_first() {
        warn!(
            "{proxy} has sent no header of the PROXY protocol, so its connection is closed: make the proxy \
             send it, or remove \"proxyProtocol\" where it connects; the log says no more of others"
        );
    }
    io::Error::new(ErrorKind::InvalidData, "no header of the PROXY protocol")
}

fn parse(bytes: &[u8]) -> Parsed {
    let begins = |beginning: &&[u8]| {
        let len = beginning.len().min(bytes.len());
        beginning[..len] == bytes[..len]
    };
    if !BEGINNINGS.iter().any(begins) {
        return Parsed::Bad;
    }
    match ProxyHeader::parse(bytes, ParseConfig::default()) {
        Ok((header, len)) => {
            let client = header.proxied_address().map(|proxied| proxied.source);
            Parsed::Complete { client, len }
        }
        Err(Error::BufferTooShort) => Parsed::Partial,
        Err(_) => Parsed::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proxy_header::ProxiedAddress;

    fn header(source: SocketAddr, version: u8) -> Vec<u8> {
        let mut destination = source;
        destination.set_port(443);
        let header = ProxyHeader::with_address(ProxiedAddress::stream(source, destination));
        encode(&header, version)
    }

    fn encode(header: &ProxyHeader<'_>, version: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        match version {
            1 => header.encode_v1(&mut bytes).unwrap(),
            _ => header.encode_v2(&mut bytes).unwrap(),
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_header_is_complete_with_its_last_byte_and_not_before(
            ip: std::net::IpAddr, port: u16, version in 1_u8..=2, rest: Vec<u8>,
        ) {
            let client = SocketAddr::new(ip, port);
            let header = header(client, version);
            for end in 0..header.len() {
                prop_assert_eq!(parse(&header[..end]), Parsed::Partial);
            }
            let complete = Parsed::Complete { client: Some(client), len: header.len() };
            prop_assert_eq!(parse(&[header, rest].concat()), complete);
        }

        #[test]
        fn nothing_makes_it_panic(begin in 0..2_usize, cut in 0..17_usize, rest: Vec<u8>) {
            let beginning = BEGINNINGS[begin];
            let bytes = [&beginning[..cut.min(beginning.len())], &rest].concat();
            if let Parsed::Complete { len, .. } = parse(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        for version in [1, 2] {
            let header = encode(&ProxyHeader::with_local(), version);
            let complete = Parsed::Complete { client: None, len: header.len() };
            assert_eq!(parse(&header), complete);
        }
        let unknown = b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n";
        assert_eq!(parse(unknown), Parsed::Complete { client: None, len: unknown.len() });
    }

    #[test]
    fn anything_else_is_refused_with_its_first_wrong_byte() {
        for bytes in [
            &b"G"[..],
            b"PROXYS",
            b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
            b"PROXY TCP4 1.1.1.1 ::1 1 1\r\n",
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
            b"\x16\x03\x01",
        ] {
            assert_eq!(parse(bytes), Parsed::Bad, "{}", bytes.escape_ascii());
        }
        let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 107]].concat();
        assert_eq!(parse(&endless), Parsed::Bad);
    }
}
