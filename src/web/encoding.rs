//! Chooses the encoding in which a client gets a file. Pure.

use http::header;

use crate::net::http::RequestHead;

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
    /// As it is.
    Identity,
}

impl Coding {
    /// The value of `Content-Encoding`, if there is to be one.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }
}

/// The coding that the client prefers among those that `is_offered` (RFC 9110 §12.5.3); of equals the smaller.
///
/// A client that sends no `Accept-Encoding` gets the unencoded file: it may be a simple one. So may one that takes
/// anything (`*`), which gets gzip.
pub(super) fn choose(head: &RequestHead, is_offered: impl Fn(Coding) -> bool) -> Coding {
    let (mut brotli, mut gzip, mut any, mut identity) = (None, None, None, None);
    for item in head.items(&header::ACCEPT_ENCODING) {
        let (coding, weight) = read(item);
        let of_coding = match coding.to_ascii_lowercase().as_str() {
            "br" => &mut brotli,
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *of_coding = Some(weight);
    }
    // The unencoded file is always acceptable, but preferred only if `identity` is named.
    let identity = identity.unwrap_or_default();
    let weights = [(Coding::Gzip, gzip.or(any)), (Coding::Brotli, brotli)];
    let wanted = weights.into_iter().filter_map(|(coding, weight)| Some((coding, weight?)));
    wanted
        .filter(|(coding, weight)| *weight > 0 && *weight >= identity && is_offered(*coding))
        // The last of equals.
        .max_by_key(|(_, weight)| *weight)
        .map_or(Coding::Identity, |(coding, _)| coding)
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
    fn a_client_gets_what_it_accepts() {
        use Coding::{Brotli, Gzip, Identity};
        for (header, expected, without_brotli) in [
            ("Accept-Encoding: gzip, deflate, br, zstd\r\n", Brotli, Gzip),
            ("Accept-Encoding: gzip, deflate\r\n", Gzip, Gzip),
            ("Accept-Encoding: gzip\r\n", Gzip, Gzip),
            ("", Identity, Identity),
            ("Accept-Encoding:\r\n", Identity, Identity),
            ("Accept-Encoding: identity\r\n", Identity, Identity),
            ("Accept-Encoding: br\r\n", Brotli, Identity),
            ("Accept-Encoding: BR\r\n", Brotli, Identity),
            ("Accept-Encoding: *\r\n", Gzip, Gzip),
            ("Accept-Encoding: GZip\r\n", Gzip, Gzip),
            ("Accept-Encoding: x-gzip\r\n", Gzip, Gzip),
            ("Accept-Encoding: gzip;q=0\r\n", Identity, Identity),
            ("Accept-Encoding: gzip;q=0.000\r\n", Identity, Identity),
            ("Accept-Encoding: gzip;q=0.001\r\n", Gzip, Gzip),
            ("Accept-Encoding: gzip ; Q=1.000\r\n", Gzip, Gzip),
            ("Accept-Encoding: gzip;q=0, *\r\n", Identity, Identity),
            ("Accept-Encoding: *;q=0\r\n", Identity, Identity),
            ("Accept-Encoding: *;q=0, gzip\r\n", Gzip, Gzip),
            ("Accept-Encoding: *;q=0, br\r\n", Brotli, Identity),
            ("Accept-Encoding: br;q=0, gzip\r\n", Gzip, Gzip),
            ("Accept-Encoding: br;q=0.5, gzip\r\n", Gzip, Gzip),
            ("Accept-Encoding: br, gzip;q=0.5\r\n", Brotli, Gzip),
            ("Accept-Encoding: br;q=0.5, gzip;q=0.5\r\n", Brotli, Gzip),
            ("Accept-Encoding: br;q=0.5, gzip;q=0.2, identity;q=0.3\r\n", Brotli, Identity),
            ("Accept-Encoding: identity;q=0.5, gzip;q=0.4\r\n", Identity, Identity),
            ("Accept-Encoding: identity;q=0.5, gzip;q=0.5\r\n", Gzip, Gzip),
            ("Accept-Encoding: identity;q=0\r\n", Identity, Identity),
            ("Accept-Encoding: identity;q=0, gzip\r\n", Gzip, Gzip),
            ("Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", Brotli, Gzip),
            ("Accept-Encoding: gzip;q=2\r\n", Identity, Identity),
            ("Accept-Encoding: gzip;q=1.001\r\n", Identity, Identity),
            ("Accept-Encoding: gzip;q=+1\r\n", Identity, Identity),
            ("Accept-Encoding: gzip;q=0.1234\r\n", Identity, Identity),
            ("Accept-Encoding: gzip;level=1\r\n", Identity, Identity),
            ("Accept-Encoding: gzipped, brotli\r\n", Identity, Identity),
        ] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
            let ParsedHead::Complete(head, _) = parse_head(request.as_bytes(), 8_192) else {
                panic!("{request}")
            };
            assert_eq!(choose(&head, |_| true), expected, "{header:?}");
            let found = choose(&head, |coding| coding != Brotli);
            assert_eq!(found, without_brotli, "{header:?}");
            assert_eq!(choose(&head, |coding| coding == Identity), Identity, "{header:?}");
        }
    }
}
