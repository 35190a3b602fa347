//! Which address a request comes from, by what trusted proxies write: `X-Forwarded-For`, or `Forwarded`
//! (RFC 7239). Pure.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{self, HeaderName};

use crate::net::http::RequestHead;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedClient {
    /// The peer's address, or the one that the nearest trusted proxies named.
    pub(super) address: IpAddr,
    pub(super) doubt: Option<Doubt>,
}

/// Why the address may not be the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// A trusted proxy named a client by this word, which is no address. The address is the proxy's.
    Unreadable(String),
    /// Both fields are there, and name different addresses. The address is that of `X-Forwarded-For`.
    Ambiguous,
}

/// The client's address, if the peer is a trusted proxy. A trusted proxy vouches for the hop before it, and
/// for no other.
pub(super) fn client(
    peer: IpAddr,
    trusts_peer: bool,
    head: &RequestHead,
    is_trusted: impl Fn(&IpAddr) -> bool,
) -> NamedClient {
    if !trusts_peer {
        return NamedClient { address: peer, doubt: None };
    }
    let chain = |hops: Vec<String>| (!hops.is_empty()).then(|| follow(peer, &hops, &is_trusted));
    match (chain(x_forwarded_for(head)), chain(forwarded(head))) {
        (None, None) => NamedClient { address: peer, doubt: None },
        (None, Some(client)) | (Some(client), None) => client,
        (Some(client), Some(other)) if other.address == client.address => client,
        (Some(client), Some(_)) => {
            let doubt = client.doubt.or(Some(Doubt::Ambiguous));
            NamedClient { doubt, ..client }
        }
    }
}

/// Goes back along the hops, the last of which is the nearest, from a proxy that is trusted.
fn follow(peer: IpAddr, hops: &[String], is_trusted: impl Fn(&IpAddr) -> bool) -> NamedClient {
    let mut address = peer;
    for hop in hops.iter().rev() {
        match parse_hop(hop) {
            Some(hop) => address = hop,
            None => return NamedClient { address, doubt: Some(Doubt::Unreadable(hop.clone())) },
        }
        if !is_trusted(&address) {
            break;
        }
    }
    NamedClient { address, doubt: None }
}

/// The hops of `X-Forwarded-For`. Empty ones are none.
fn x_forwarded_for(head: &RequestHead) -> Vec<String> {
    let values = head.headers.get_all(FORWARDED_FOR).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let hops = values.flat_map(|value| value.split(',').map(trimmed).collect::<Vec<_>>());
    hops.filter(|hop| !hop.is_empty()).collect()
}

/// The hops of `Forwarded`: what `for` says of each. A hop that does not say it is `unknown`.
fn forwarded(head: &RequestHead) -> Vec<String> {
    let mut hops = Vec::new();
    for value in head.headers.get_all(header::FORWARDED) {
        let value = String::from_utf8_lossy(value.as_bytes());
        for element in split_unquoted(&value, ',') {
            let mut pairs = split_unquoted(element, ';').into_iter();
            let named = pairs.find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then(|| trimmed(value))
            });
            if !element.trim().is_empty() {
                hops.push(named.unwrap_or_else(|| "unknown".to_owned()));
            }
        }
    }
    hops
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

/// Splits at each separator outside of quotes.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|c: char| {
        let is_plain = !std::mem::take(&mut is_escaped);
        match c {
            '"' if is_plain => is_quoted = !is_quoted,
            '\\' if is_plain => is_escaped = is_quoted,
            _ => {}
        }
        c == separator && !is_quoted
    })
    .collect()
}

/// The address of a hop as proxies write it: alone or in quotes, with or without brackets, a port, or the
/// interface of a link-local address.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let unquoted = match hop.strip_prefix('"') {
        // A backslash stands before what is to be taken as it is (RFC 9110 §5.6.4).
        Some(rest) => rest.strip_suffix('"')?.replace('\\', ""),
        None => hop.to_owned(),
    };
    let hop = unquoted.trim();
    let address = match hop.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(inner) => {
            let (address, rest) = inner?;
            is_port(rest).then(|| parse_ip(address)).flatten()?
        }
        None => parse_ip(hop).or_else(|| {
            // Without brackets, a port can be told from an IPv6 address only behind an IPv4 address in it.
            let (address, port) = hop.split_at(hop.rfind(':')?);
            let is_clear = address.contains('.') && is_port(port);
            is_clear.then(|| parse_ip(address)).flatten()
        })?,
    };
    Some(address.to_canonical())
}

/// An address; of IPv6 also with the interface that it belongs to.
fn parse_ip(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((address, _)) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

/// Nothing, or a port: digits, or a word in its place (RFC 7239 §6).
fn is_port(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.chars().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http::{ParsedHead, parse_head};

    const PROXY: &str = "10.0.0.1";

    /// What a request through the proxy with these fields comes to.
    #[track_caller]
    fn named(fields: &str) -> NamedClient {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        let ParsedHead::Complete(head, _) = parse_head(text.as_bytes(), 4096) else {
            panic!("{text}")
        };
        let is_trusted = |address: &IpAddr| address.to_string().starts_with("10.");
        client(PROXY.parse().unwrap(), true, &head, is_trusted)
    }

    #[track_caller]
    fn check(fields: &str, address: &str) {
        let expected = NamedClient { address: address.parse().unwrap(), doubt: None };
        assert_eq!(named(fields), expected, "{fields}");
    }

    #[test]
    fn every_spelling_of_a_hop() {
        for (hop, address) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("\"203.0.113.7:4711\"", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0]:1", "fe80::1"),
            ("fe80::1%25eth0", "fe80::1"),
            ("[203.0.113.7]", "203.0.113.7"),
            ("[203.0.113.7]:80", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
            ("::ffff:203.0.113.7:4711", "203.0.113.7"),
            ("\"\\[2001:db8::1\\]\"", "2001:db8::1"),
            ("\" 203.0.113.7 \"", "203.0.113.7"),
        ] {
            check(&format!("X-Forwarded-For: 198.51.100.1, {hop}"), address);
            check(&format!("X-Forwarded-For: {hop},, 10.0.0.2 ,"), address);
            check(&format!("Forwarded: for=1.2.3.4, for={hop}"), address);
            check(&format!("Forwarded: proto=https;For={hop};by=_a, For=10.0.0.3"), address);
        }
        check("Forwarded: for=\"203.0.113.7:_hidden\"", "203.0.113.7");
        check("Forwarded: FOR = 203.0.113.7 ; proto=http", "203.0.113.7");
        check("x-forwarded-for:\t203.0.113.7\t,\t10.0.0.2", "203.0.113.7");
        check("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 203.0.113.7", "203.0.113.7");
        check(
            "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For:\r\nX-Forwarded-For: 10.0.0.2",
            "203.0.113.7",
        );
        check("Forwarded: for=\"a, for=\\\"b;\";by=c, for=203.0.113.7", "203.0.113.7");
    }

    #[test]
    fn a_hop_that_cannot_be_read_ends_the_chain() {
        for (fields, hop) in [
            ("X-Forwarded-For: 203.0.113.7, unknown", "unknown"),
            ("X-Forwarded-For: 203.0.113.7, localhost", "localhost"),
            ("X-Forwarded-For: 203.0.113.7, unix:", "unix:"),
            ("X-Forwarded-For: 203.0.113.7, _x", "_x"),
            ("X-Forwarded-For: 203.0.113.7, 1.2.3.4%eth0", "1.2.3.4%eth0"),
            ("X-Forwarded-For: 203.0.113.7, 1.2.3.4:80:80", "1.2.3.4:80:80"),
            ("X-Forwarded-For: 203.0.113.7, 2001:db8::1:70000", "2001:db8::1:70000"),
            ("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: unknown", "unknown"),
            ("X-Forwarded-For: 203.0.113.7, 256.0.0.1:80", "256.0.0.1:80"),
            ("X-Forwarded-For: 203.0.113.7, [2001:db8::1", "[2001:db8::1"),
            ("X-Forwarded-For: 203.0.113.7, \"1.2.3.4", "\"1.2.3.4"),
            ("X-Forwarded-For: 203.0.113.7, 1.2.3.4:a b", "1.2.3.4:a b"),
            ("Forwarded: for=203.0.113.7, for=_secret", "_secret"),
            ("Forwarded: for=203.0.113.7, proto=https", "unknown"),
            ("Forwarded: for=\"a, for=203.0.113.7", "\"a, for=203.0.113.7"),
        ] {
            let doubt = Some(Doubt::Unreadable(hop.to_owned()));
            let expected = NamedClient { address: PROXY.parse().unwrap(), doubt };
            assert_eq!(named(fields), expected, "{fields}");
        }
    }

    #[test]
    fn without_a_hop_the_address_is_the_proxys() {
        check("X-Forwarded-For: ", PROXY);
        check("X-Forwarded-For: , ,", PROXY);
        check("Accept: a", PROXY);
    }

    #[test]
    fn fields_that_name_different_addresses_are_doubtful() {
        check("X-Forwarded-For: 203.0.113.7\r\nForwarded: for=\"203.0.113.7:1\"", "203.0.113.7");
        let client = named("X-Forwarded-For: 203.0.113.7\r\nForwarded: for=198.51.100.1");
        assert_eq!(client.address.to_string(), "203.0.113.7");
        assert_eq!(client.doubt, Some(Doubt::Ambiguous));
    }
}
