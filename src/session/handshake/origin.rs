//! Which web pages may connect, by the `Origin` field that browsers send (RFC 6455 §10.2). Pure.

use http::header;

use crate::net::http::{RequestHead, host_name};

/// Whether the page or program that sent this request may open a WebSocket.
///
/// A request without `Origin` is not from a browser, so no visitor can be tricked into sending it.
/// The host of an `Origin` has to be the request's own `Host`, the `domain`, or one of the
/// `allowedOrigins`.
pub(super) fn is_allowed(head: &RequestHead, domain: Option<&str>, allowed: &[String]) -> bool {
    if !head.headers.contains_key(header::ORIGIN) {
        return true;
    }
    let Some(origin) = head.single(&header::ORIGIN) else { return false };
    if allowed.iter().any(|entry| entry == "*" || entry.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let Some(host) = host_name(authority) else { return false };
    head.host()
        .into_iter()
        .chain(domain)
        .chain(allowed.iter().map(String::as_str))
        .any(|ours| ours.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http::{ParsedHead, parse_head};

    #[track_caller]
    fn check(host: &str, origin: &str, allowed: &[&str], expected: bool) {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n\r\n");
        let ParsedHead::Complete(head, _) = parse_head(text.as_bytes(), 4096) else {
            panic!("{text}")
        };
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        assert_eq!(is_allowed(&head, Some("chat.example.org"), &allowed), expected, "{text}");
    }

    #[test]
    fn a_request_without_origin_is_allowed() {
        check("localhost:8776", "Accept: */*", &[], true);
    }

    #[test]
    fn the_requested_host_and_the_domain_are_allowed() {
        check("localhost:8776", "Origin: http://localhost:8776", &[], true);
        check("localhost:8776", "Origin: https://LOCALHOST", &[], true);
        check("[::1]:8776", "Origin: http://[::1]:3000", &[], true);
        check("127.0.0.1:8776", "Origin: https://chat.example.org", &[], true);
        check("127.0.0.1:8776", "Origin: https://evil.example", &[], false);
        check("localhost", "Origin: http://localhost.evil.example", &[], false);
        check("localhost", "Origin: null", &[], false);
        check("localhost", "Origin: ", &[], false);
        check("localhost", "Origin: http://localhost\r\nOrigin: http://localhost", &[], false);
    }

    #[test]
    fn allowed_origins_are_hosts_whole_origins_or_all() {
        let origin = "Origin: https://www.example.org:8443";
        check("localhost", origin, &["www.example.org"], true);
        check("localhost", origin, &["WWW.example.org"], true);
        check("localhost", origin, &["https://www.example.org:8443"], true);
        check("localhost", origin, &["https://www.example.org"], false);
        check("localhost", origin, &["example.org"], false);
        check("localhost", origin, &["*"], true);
    }
}
