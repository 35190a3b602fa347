//! Chooses the encoding in which a client gets a file. Pure.

use http::header;

use crate::net::http::RequestHead;

/// Whether the client accepts gzip, and does not prefer the unencoded file (RFC 9110 §12.5.3).
///
/// A client that sends no `Accept-Encoding` gets the unencoded file: it may be a simple one.
pub(super) fn prefers_gzip(head: &RequestHead) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for item in head.items(&header::ACCEPT_ENCODING) {
        let (coding, weight) = read(item);
        let of_coding = match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *of_coding = Some(weight);
    }
    let gzip = gzip.or(any).unwrap_or_default();
    // The unencoded file is always acceptable, but preferred only if `identity` is named.
    gzip > 0 && gzip >= identity.unwrap_or_default()
}

/// A coding and its weight in thousandths. A weight that cannot be parsed counts as zero.
fn read(item: &str) -> (&str, u16) {
    let Some((coding, parameter)) = item.split_once(';') else { return (item, 1_000) };
    let value = parameter.trim().strip_prefix(['q', 'Q']).and_then(|rest| rest.strip_prefix('='));
    (coding.trim_end(), value.and_then(weight).unwrap_or_default())
}

/// A `qvalue` (RFC 9110 §12.4.2): from 0 to 1, with at most three decimals.
fn weight(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_well_formed = matches!(whole, "0" | "1")
        && decimals.len() <= 3
        && decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !is_well_formed {
        return None;
    }
    let thousandths: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (thousandths <= 1_000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http::{ParsedHead, parse_head};

    /// The first of these headers are the most common ones.
    #[test]
    fn gzip_is_sent_to_clients_that_accept_it() {
        for (header, expected) in [
            ("Accept-Encoding: gzip, deflate, br, zstd\r\n", true),
            ("Accept-Encoding: gzip\r\n", true),
            ("", false),
            ("Accept-Encoding:\r\n", false),
            ("Accept-Encoding: identity\r\n", false),
            ("Accept-Encoding: br\r\n", false),
            ("Accept-Encoding: *\r\n", true),
            ("Accept-Encoding: GZip\r\n", true),
            ("Accept-Encoding: x-gzip\r\n", true),
            ("Accept-Encoding: gzip;q=0\r\n", false),
            ("Accept-Encoding: gzip;q=0.000\r\n", false),
            ("Accept-Encoding: gzip;q=0.001\r\n", true),
            ("Accept-Encoding: gzip ; Q=1.000\r\n", true),
            ("Accept-Encoding: gzip;q=0, *\r\n", false),
            ("Accept-Encoding: *;q=0\r\n", false),
            ("Accept-Encoding: *;q=0, gzip\r\n", true),
            ("Accept-Encoding: identity;q=0.5, gzip;q=0.4\r\n", false),
            ("Accept-Encoding: identity;q=0.5, gzip;q=0.5\r\n", true),
            ("Accept-Encoding: identity;q=0\r\n", false),
            ("Accept-Encoding: identity;q=0, gzip\r\n", true),
            ("Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true),
            ("Accept-Encoding: gzip;q=2\r\n", false),
            ("Accept-Encoding: gzip;q=1.001\r\n", false),
            ("Accept-Encoding: gzip;q=+1\r\n", false),
            ("Accept-Encoding: gzip;q=0.1234\r\n", false),
            ("Accept-Encoding: gzip;level=1\r\n", false),
            ("Accept-Encoding: gzipped\r\n", false),
        ] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
            let ParsedHead::Complete(head, _) = parse_head(request.as_bytes(), 8_192) else {
                panic!("{request}")
            };
            assert_eq!(prefers_gzip(&head), expected, "{header:?}");
        }
    }
}
