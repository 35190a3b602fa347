//! The URL of the server, and which servers may be loaded.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// A server to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub url: String,
    pub tls: bool,
    /// The host of the URL without brackets, for the certificate.
    pub host: String,
    /// Host and port for the `Host` field.
    pub authority: String,
    pub path: String,
    pub address: SocketAddr,
}

/// Why a URL cannot be loaded.
#[derive(Debug)]
pub enum TargetError {
    /// Not `ws://host[:port][/path]` or `wss://…`.
    Malformed(String),
    /// The host's name has no address.
    Unresolved(String),
    /// Not this machine, and `--allow-remote` was not given.
    Remote(SocketAddr),
}

impl Target {
    pub fn resolve(url: &str, allow_remote: bool) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed(url.to_owned());
        let (tls, rest) = match url.split_once("://") {
            Some(("ws", rest)) => (false, rest),
            Some(("wss", rest)) => (true, rest),
            _ => return Err(malformed()),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let (host, port) = match authority.rsplit_once(':').filter(|_| has_port) {
            Some((host, port)) => (host, port.parse().map_err(|_| malformed())?),
            None => (authority, if tls { 443 } else { 80 }),
        };
        let host = host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')).unwrap_or(host);
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || !is_plain(host) || !is_plain(path) {
            return Err(malformed());
        }
        let unresolved = || TargetError::Unresolved(host.to_owned());
        // IPv4 first, so that a server that listens on both is always measured the same way.
        let address = (host, port)
            .to_socket_addrs()
            .map_err(|_| unresolved())?
            .min_by_key(SocketAddr::is_ipv6)
            .ok_or_else(unresolved)?;
        if !allow_remote && !address.ip().is_loopback() {
            return Err(TargetError::Remote(address));
        }
        Ok(Self {
            url: url.to_owned(),
            tls,
            host: host.to_owned(),
            authority: authority.to_owned(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            address,
        })
    }

    /// Whether all of 127.0.0.0/8 can be used for source addresses.
    pub fn is_ipv4_loopback(&self) -> bool {
        matches!(self.address.ip(), IpAddr::V4(ip) if ip.is_loopback())
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(url) => {
                write!(f, "{url:?} is not of the form ws://host[:port][/path] or wss://…")
            }
            Self::Unresolved(host) => write!(f, "there is no address for {host:?}"),
            Self::Remote(address) => write!(
                f,
                "{address} is not this machine; if you may load that server, add --allow-remote"
            ),
        }
    }
}

impl Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed() {
        for (url, tls, host, authority, path, port) in [
            ("ws://127.0.0.1:8776", false, "127.0.0.1", "127.0.0.1:8776", "/", 8776),
            ("wss://127.0.0.1/chat?a=1", true, "127.0.0.1", "127.0.0.1", "/chat?a=1", 443),
            ("ws://[::1]/", false, "::1", "[::1]", "/", 80),
            ("ws://[::1]:99/x", false, "::1", "[::1]:99", "/x", 99),
        ] {
            let target = Target::resolve(url, false).unwrap();
            assert_eq!((target.tls, target.host.as_str()), (tls, host), "{url}");
            assert_eq!((target.authority.as_str(), target.path.as_str()), (authority, path));
            assert_eq!(target.address.port(), port, "{url}");
        }
    }

    #[test]
    fn malformed_urls_are_refused() {
        for url in ["", "127.0.0.1", "http://127.0.0.1", "ws://", "ws://h:99999", "ws://a b/"] {
            let refusal = Target::resolve(url, true);
            assert!(matches!(refusal, Err(TargetError::Malformed(_))), "{url:?}: {refusal:?}");
        }
    }

    #[test]
    fn other_machines_are_loaded_only_with_allow_remote() {
        let url = "ws://192.0.2.1:1/";
        assert!(matches!(Target::resolve(url, false), Err(TargetError::Remote(_))));
        assert!(Target::resolve(url, true).is_ok());
    }
}
