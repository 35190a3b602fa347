//! Whether the page that sent a request may open a WebSocket, by the `Origin` field that browsers send
//! (RFC 6455 §10.2), and what to do about it if not. Which pages may is decided in `settings`. Pure.

use http::header;

use crate::net::http::{RequestHead, host_name};
use crate::settings::{AllowedOrigins, Host, Origin};

/// A page that may not connect.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What to tell the visitor.
    pub(super) advice: String,
    /// The page has the name that it was requested by, and the settings name nothing: probably the server
    /// itself has sent it, and the operator has to say so.
    pub(super) is_own_name: bool,
}

/// Checks the origin of a request. One without `Origin` is not from a browser, so no visitor can be tricked
/// into sending it.
pub(super) fn check(head: &RequestHead, allowed: &AllowedOrigins) -> Result<(), Refused> {
    if allowed.allow_any() || !head.headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let requested = head.single(&header::HOST).and_then(|field| Host::parse(host_name(field)?));
    let Some(origin) = head.single(&header::ORIGIN).and_then(Origin::parse) else {
        let advice = "Pages without an origin of their own may not connect, unless \"allowedOrigins\" has \"*\"."
                .to_owned();
        return Err(Refused { advice, is_own_name: false });
    };
    if allowed.allow(&origin, requested.as_ref()) {
        return Ok(());
    }
    let host = &origin.host;
    let is_own_name = allowed.is_unset() && requested.as_ref() == Some(host);
    let advice = if is_own_name {
        format!(
            "Pages of {origin} may not connect, since the settings do not say that {host} is this server. \
             If it is, put \"domain\": \"{host}\" into the settings file and restart the server; or open \
             the page by the server's IP address."
        )
    } else {
        format!(
            "Pages of {origin} may not connect. To let them, add \"{host}\" to \"allowedOrigins\" in the \
             settings file and restart the server."
        )
    };
    Err(Refused { advice, is_own_name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http::{ParsedHead, parse_head};
    use crate::settings::Settings;

    fn refusal(host: &str, origin: &str, allowed: &[&str]) -> Option<Refused> {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n\r\n");
        let ParsedHead::Complete(head, _) = parse_head(text.as_bytes(), 4096) else {
            panic!("{text}")
        };
        let allowed_origins = allowed.iter().map(ToString::to_string).collect();
        let settings = Settings { allowed_origins, ..Settings::default() };
        check(&head, &settings.origins()).err()
    }

    #[test]
    fn a_request_without_origin_is_allowed() {
        assert_eq!(refusal("localhost:8776", "Accept: */*", &["example.org"]), None);
    }

    #[test]
    fn hosts_are_compared_without_their_ports() {
        assert_eq!(refusal("localhost:8776", "Origin: http://localhost:3000", &[]), None);
        assert_eq!(refusal("[::1]:8776", "Origin: http://[0::1]:3000", &[]), None);
        assert_eq!(refusal("localhost.:8776", "Origin: http://localhost", &[]), None);
    }

    #[test]
    fn an_origin_that_is_none_is_refused_unless_all_are_allowed() {
        for origin in [
            "Origin: null",
            "Origin: ",
            "Origin: http://localhost/",
            "Origin: http://a b",
            "Origin: http://localhost\r\nOrigin: http://localhost",
        ] {
            let refused = refusal("localhost", origin, &[]).expect(origin);
            assert!(!refused.advice.contains("localhost"), "{refused:?}");
            assert_eq!(refusal("localhost", origin, &["*"]), None);
        }
    }

    #[test]
    fn the_advice_names_the_setting() {
        let own = refusal("nas.lan:8776", "Origin: http://NAS.lan:8776", &[]).unwrap();
        assert!(own.is_own_name);
        assert!(own.advice.contains(r#""domain": "nas.lan""#), "{own:?}");
        let other = refusal("nas.lan:8776", "Origin: http://evil.example", &[]).unwrap();
        assert!(!other.is_own_name);
        assert!(other.advice.contains(r#"add "evil.example" to "allowedOrigins""#), "{other:?}");
        let rebound = refusal("evil.example", "Origin: http://evil.example", &["nas.lan"]);
        assert!(!rebound.unwrap().is_own_name, "the settings name another");
    }
}
