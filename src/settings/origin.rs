//! Which pages may connect, by the `Origin` that browsers send: both sides in one normal form. Pure.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Settings;
use super::rule::{TextRule, is_host_name, parse_port};

pub(super) static DOMAIN: TextRule = TextRule {
    allowed: "a host name such as \"chat.example.org\", in ASCII, without scheme, port or path, or null",
    holds: |text| Host::parse(text).is_some(),
};

pub(super) static ORIGIN: TextRule = TextRule {
    allowed: "a host name such as \"chat.example.org\", a whole origin such as \
              \"https://example.org:8443\" (not wss, no path, no slash at the end), or \"*\" for all; \
              names as browsers send them (in ASCII), without wildcards",
    holds: |text| Entry::parse(text).is_some(),
};

/// The pages that may connect.
#[derive(Debug)]
pub(crate) struct AllowedOrigins {
    is_any: bool,
    entries: Vec<Entry>,
}

/// What an entry of the settings stands for.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Any,
    /// A host, with any scheme and port.
    Host(Host),
    Origin(Origin),
}

/// An origin (RFC 6454), as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    pub(crate) host: Host,
    /// `None`: the scheme's default.
    port: Option<u16>,
}

/// A host, as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// In lower case, and without a dot at the end.
    Name(String),
    Address(IpAddr),
}

impl Settings {
    /// The pages that may connect, from `domain` and `allowedOrigins`.
    pub(crate) fn origins(&self) -> AllowedOrigins {
        let domain = self.domain.iter().filter_map(|domain| Host::parse(domain));
        let others = self.allowed_origins.iter().filter_map(|entry| Entry::parse(entry));
        let entries: Vec<Entry> = domain.map(Entry::Host).chain(others).collect();
        AllowedOrigins { is_any: entries.contains(&Entry::Any), entries }
    }
}

impl AllowedOrigins {
    /// Whether pages of this origin may connect. `requested` is the host of the request itself.
    ///
    /// With nothing in the settings, pages may connect that the server itself has sent. By a name this
    /// cannot be told: whoever owns a name can let it lead to this machine for a moment (DNS rebinding),
    /// and then the page and the request have the same host. Addresses and `localhost` cannot be bent.
    pub(crate) fn allow(&self, origin: &Origin, requested: Option<&Host>) -> bool {
        if self.is_unset() {
            return requested == Some(&origin.host) && origin.host.is_own();
        }
        self.is_any || self.entries.iter().any(|entry| entry.matches(origin))
    }

    /// Whether pages of any origin may connect, also one that cannot be read.
    pub(crate) fn allow_any(&self) -> bool {
        self.is_any
    }

    /// Whether the settings name nothing.
    pub(crate) fn is_unset(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    /// An entry of `allowedOrigins`; `None` if no browser sends anything that it would match.
    fn parse(text: &str) -> Option<Self> {
        match text {
            "*" => Some(Self::Any),
            _ if text.contains("://") => {
                Origin::parse(text).filter(Origin::is_possible).map(Self::Origin)
            }
            _ => Host::parse(text).map(Self::Host),
        }
    }

    fn matches(&self, origin: &Origin) -> bool {
        match self {
            Self::Any => true,
            Self::Host(host) => *host == origin.host,
            Self::Origin(allowed) => allowed == origin,
        }
    }
}

impl Origin {
    /// `scheme://host[:port]`, with no path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !is_scheme {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => (host, Some(parse_port(port)?)),
            _ => (authority, None),
        };
        let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
        if is_bare_ipv6 || port == Some(0) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let default = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let port = port.filter(|port| Some(*port) != default);
        Some(Self { scheme, host: Host::parse(host)?, port })
    }

    /// Whether pages can have such an origin: pages are not loaded over WebSocket, and those that come
    /// from a file have the origin `null`.
    fn is_possible(&self) -> bool {
        !matches!(&*self.scheme, "ws" | "wss" | "file" | "data" | "blob" | "about" | "javascript")
    }
}

impl Host {
    /// A host name, or an address; IPv6 in brackets or without.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
        if let Some(inner) = inner {
            return inner?.parse::<Ipv6Addr>().ok().map(|address| Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        is_host_name(name).then(|| Self::Name(name.to_ascii_lowercase()))
    }

    /// Whether no name server can make it stand for another machine: an address, or `localhost` and the
    /// names below it, which browsers do not look up (RFC 6761 §6.3).
    fn is_own(&self) -> bool {
        match self {
            Self::Address(_) => true,
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

impl Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::Address(IpAddr::V4(address)) => Ipv4Addr::fmt(address, out),
            Self::Address(IpAddr::V6(address)) => write!(out, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(domain: Option<&str>, allowed: &[&str]) -> AllowedOrigins {
        let settings = Settings {
            domain: domain.map(str::to_owned),
            allowed_origins: allowed.iter().map(ToString::to_string).collect(),
            ..Settings::default()
        };
        settings.check().unwrap();
        settings.origins()
    }

    #[track_caller]
    fn check(origins: &AllowedOrigins, host: &str, origin: &str, expected: bool) {
        let requested = Host::parse(host);
        let is_allowed =
            Origin::parse(origin).is_some_and(|origin| origins.allow(&origin, requested.as_ref()));
        assert_eq!(is_allowed, expected, "{origin} at {host} with {origins:?}");
    }

    #[test]
    fn with_nothing_set_only_what_cannot_be_rebound_counts_as_the_server_itself() {
        let origins = allowed(None, &[]);
        for (host, origin) in [
            ("localhost", "http://localhost:8776"),
            ("LOCALHOST", "https://localhost"),
            ("chat.localhost", "http://chat.localhost:8776"),
            ("127.0.0.1", "http://127.0.0.1:3000"),
            ("192.168.1.5", "http://192.168.1.5:8776"),
            ("[::1]", "http://[0:0:0:0:0:0:0:1]:8776"),
        ] {
            check(&origins, host, origin, true);
        }
        for (host, origin) in [
            ("evil.example", "http://evil.example:8776"),
            ("nas", "http://nas:8776"),
            ("localhost.evil.example", "http://localhost.evil.example"),
            ("evillocalhost", "http://evillocalhost"),
            ("localhost", "http://127.0.0.1"),
            ("127.0.0.1", "http://evil.example"),
            ("evil.example", "http://127.0.0.1"),
        ] {
            check(&origins, host, origin, false);
        }
    }

    #[test]
    fn what_is_set_counts_and_the_requested_host_does_not() {
        for origins in
            [allowed(Some("chat.example.org"), &[]), allowed(None, &["chat.example.org"])]
        {
            check(&origins, "127.0.0.1", "https://chat.example.org", true);
            check(&origins, "chat.example.org", "https://CHAT.example.org.:8443", true);
            check(&origins, "evil.example", "https://evil.example", false);
            check(&origins, "127.0.0.1", "http://127.0.0.1", false);
        }
        check(&allowed(None, &["*"]), "a", "https://evil.example", true);
    }

    #[test]
    fn both_sides_have_one_form() {
        for (entry, origin) in [
            ("2001:db8::1", "https://[2001:db8::1]"),
            ("[2001:DB8:0::1]", "https://[2001:db8::1]:8443"),
            ("Chat.Example.org.", "https://chat.example.org"),
            ("chat.example.org", "https://chat.example.org."),
        ] {
            check(&allowed(Some(entry), &[]), "a", origin, true);
            check(&allowed(None, &[entry]), "a", origin, true);
        }
        for (entry, origin, expected) in [
            ("https://example.org:443", "https://example.org", true),
            ("HTTPS://example.org", "https://example.org:443", true),
            ("http://example.org:80", "http://example.org.", true),
            ("https://example.org:80", "https://example.org", false),
            ("https://example.org", "http://example.org", false),
            ("https://www.example.org:8443", "https://www.example.org:8443", true),
            ("https://www.example.org", "https://www.example.org:8443", false),
            ("example.org", "https://www.example.org", false),
            ("http://[2001:db8::1]:80", "http://[2001:DB8::1]", true),
            ("chrome-extension://abcdef", "chrome-extension://abcdef", true),
        ] {
            check(&allowed(None, &[entry]), "a", origin, expected);
        }
    }
}
