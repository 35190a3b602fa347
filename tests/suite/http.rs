//! Plain HTTP: the page and its files, and the errors for requests that are malformed or not served.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::client::{Endpoint, Response};
use crate::host::Host;

/// The default of `maxRequestHeadBytes`.
const MAX_HEAD_BYTES: usize = 8_192;

/// The response to these bytes has this status and is complete, with the status in the body of an
/// error.
#[track_caller]
fn check(request: impl AsRef<[u8]>, status: u16) {
    check_at(&Host::start().endpoint, request, status);
}

#[track_caller]
fn check_at(endpoint: &Endpoint, request: impl AsRef<[u8]>, status: u16) {
    let response = endpoint.ask(request);
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.field("content-length"), response.body.len().to_string());
    assert_eq!(response.field("connection"), "close");
    assert_eq!(response.field("x-content-type-options"), "nosniff");
    if status != 200 {
        assert_eq!(response.field("content-type"), "text/plain; charset=utf-8");
        assert!(response.text().starts_with(&format!("{status} ")), "{response:?}");
    }
}

/// The response to a `GET` of this path with these fields.
fn get(endpoint: &Endpoint, path: &str, fields: &str) -> Response {
    endpoint.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"))
}

/// The path of the first file with this extension that the page refers to.
fn file_of_the_page(endpoint: &Endpoint, ending: &str) -> String {
    let page = get(endpoint, "/", "");
    let mut names = page.text().split('"').filter(|name| name.ends_with(ending));
    format!("/{}", names.next().expect("the page refers to one"))
}

#[test]
fn the_page() {
    let response = Host::start().endpoint.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-type"), "text/html; charset=utf-8");
    assert_eq!(response.field("content-length"), response.body.len().to_string());
    assert_eq!(response.field("cache-control"), "no-cache");
    assert!(response.text().to_ascii_lowercase().starts_with("<!doctype html>"));
    let date = response.field("date");
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
}

#[test]
fn the_content_security_policy_is_strict() {
    let response = Host::start().endpoint.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let policy = response.field("content-security-policy");
    let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
    for directive in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
        assert!(directives.contains(&directive), "{directive} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(response.field("x-content-type-options"), "nosniff");
    assert_eq!(response.field("referrer-policy"), "no-referrer");
}

#[test]
fn head_is_get_without_the_body() {
    let host = Host::start();
    for fields in ["", "Accept-Encoding: gzip\r\n"] {
        let get = get(&host.endpoint, "/", fields);
        let head = host.endpoint.ask(format!("HEAD / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        assert_eq!(head.status, 200);
        assert!(head.body.is_empty());
        for field in ["content-length", "content-type", "etag", "vary", "content-security-policy"] {
            assert_eq!(head.field(field), get.field(field));
        }
    }
    let missing = host.endpoint.ask("HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(missing.status, 404);
    assert!(missing.body.is_empty());
}

#[test]
fn a_matching_etag_is_answered_304() {
    let host = Host::start();
    let first = host.endpoint.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let etag = first.field("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "{etag}");
    for (tags, status) in [
        (etag.to_owned(), 304),
        (format!("W/{etag}"), 304),
        (format!("\"x\", {etag}"), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
        (etag.trim_matches('"').to_owned(), 200),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tags}\r\n\r\n");
        let response = host.endpoint.ask(request);
        assert_eq!(response.status, status, "{tags}");
        assert_eq!(response.field("etag"), etag);
        assert_eq!(response.body.is_empty(), status == 304);
    }
}

#[test]
fn different_files_have_different_etags() {
    let host = Host::start();
    let ask = |path: &str| get(&host.endpoint, path, "");
    let (page, style) = (ask("/"), ask(&file_of_the_page(&host.endpoint, ".css")));
    assert_eq!(style.field("content-type"), "text/css; charset=utf-8");
    assert_ne!(page.field("etag"), style.field("etag"));
    assert_ne!(page.body, style.body);
    assert_eq!(ask("/?from=a_link").body, page.body);
}

#[test]
fn text_is_compressed_for_clients_that_accept_gzip() {
    let host = Host::start();
    let style = file_of_the_page(&host.endpoint, ".css");
    for path in ["/", &style] {
        let plain = get(&host.endpoint, path, "");
        let packed = get(&host.endpoint, path, "Accept-Encoding: br;q=0.2, gzip;q=0.5\r\n");
        assert_eq!(packed.status, 200);
        assert_eq!(packed.field("content-encoding"), "gzip");
        assert!(!plain.head.contains("content-encoding"), "{}", plain.head);
        assert_eq!(packed.field("content-length"), packed.body.len().to_string());
        assert!(packed.body.len() < plain.body.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body);
        for response in [&plain, &packed] {
            assert_eq!(response.field("vary"), "accept-encoding");
        }
        assert_eq!(packed.field("content-type"), plain.field("content-type"));
        assert_ne!(packed.field("etag"), plain.field("etag"), "each encoding has its own etag");
    }
}

#[test]
fn each_encoding_has_its_own_etag() {
    const GZIP: &str = "Accept-Encoding: gzip\r\n";
    let host = Host::start();
    let tag = |fields| get(&host.endpoint, "/", fields).field("etag").to_owned();
    let (plain, packed) = (tag(""), tag(GZIP));
    for (fields, tag, status) in
        [("", &plain, 304), (GZIP, &packed, 304), ("", &packed, 200), (GZIP, &plain, 200)]
    {
        let response = get(&host.endpoint, "/", &format!("{fields}If-None-Match: {tag}\r\n"));
        assert_eq!(response.status, status, "{fields}{tag}");
        assert_eq!(response.field("vary"), "accept-encoding");
        assert_eq!(response.body.is_empty(), status == 304);
    }
}

#[test]
fn scripts_are_sent_as_brotli_to_clients_that_accept_it() {
    let host = Host::start();
    let script = file_of_the_page(&host.endpoint, ".js");
    let plain = get(&host.endpoint, &script, "");
    let gzip = get(&host.endpoint, &script, "Accept-Encoding: gzip, deflate\r\n");
    let brotli = get(&host.endpoint, &script, "Accept-Encoding: gzip, deflate, br, zstd\r\n");
    assert_eq!(brotli.field("content-encoding"), "br");
    assert_eq!(brotli.field("content-type"), plain.field("content-type"));
    assert!(brotli.body.len() < gzip.body.len(), "{} {}", brotli.body.len(), gzip.body.len());
    let mut unpacked = Vec::new();
    brotli_decompressor::BrotliDecompress(&mut &brotli.body[..], &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    for other in [&plain, &gzip] {
        assert_ne!(brotli.field("etag"), other.field("etag"));
        assert_eq!(brotli.field("vary"), other.field("vary"));
    }
}

#[test]
fn what_the_owner_says_is_sent_with_the_page() {
    let host = Host::with(|settings| {
        settings.title = "</title><script>alert(1)</script>".to_owned();
        settings.welcome = Some("--> </script>\u{2028}".to_owned());
    });
    let page = get(&host.endpoint, "/", "");
    let text = page.text();
    assert!(text.contains("<title>&lt;/title&gt;&lt;script&gt;alert(1)"), "{text}");
    assert!(!text.contains("<script>alert"), "{text}");
    let json = get(&host.endpoint, "/page.json", "");
    assert_eq!(json.field("content-type"), "application/json");
    assert!(text.contains(&format!(
        r#"<script type="application/json" id="owner">{}</script>"#,
        json.text()
    )));
    let style = get(&host.endpoint, "/owner.css", "");
    assert_eq!(style.field("content-type"), "text/css; charset=utf-8");
    assert!(style.body.is_empty());
    let fields = format!("If-None-Match: {}\r\n", json.field("etag"));
    assert_eq!(get(&host.endpoint, "/page.json", &fields).status, 304);
}

#[test]
fn other_paths_are_not_found() {
    let host = Host::start();
    let script = file_of_the_page(&host.endpoint, ".js");
    let (with_slash, in_capitals) = (format!("{script}/"), script.to_uppercase());
    for path in [
        "/nothing",
        "//",
        &with_slash,
        &in_capitals,
        "/../Cargo.toml",
        "/%2e%2e/etc/passwd",
        "/mod.rs",
    ] {
        check_at(&host.endpoint, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404);
    }
}

#[test]
fn a_method_that_is_not_served() {
    let host = Host::start();
    let endpoint = &host.endpoint;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        check_at(endpoint, &request, 405);
        assert_eq!(endpoint.ask(&request).field("allow"), "GET, HEAD");
    }
}

#[test]
fn a_post_with_a_body_is_answered_without_a_reset() {
    let body = "x".repeat(1_000_000);
    let request =
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{body}");
    check(request, 405);
}

#[test]
fn a_head_that_is_too_long() {
    let request = |len: usize| {
        let rest = len - "GET / HTTP/1.1\r\nHost: localhost\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(rest))
    };
    check(request(MAX_HEAD_BYTES), 200);
    check(request(MAX_HEAD_BYTES + 1), 431);
    check("GET / HTTP/1.1\r\nX: ".to_owned() + &"x".repeat(100_000), 431);
    check("x".repeat(100_000), 431);
}

#[test]
fn a_head_with_too_many_fields() {
    let request = |fields: usize| {
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "a: b\r\n".repeat(fields))
    };
    check(request(63), 200);
    check(request(64), 431);
}

#[test]
fn no_host_and_two_hosts() {
    check("GET / HTTP/1.1\r\n\r\n", 400);
    check("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400);
    // RFC 9112 §3.2 requires it in HTTP/1.1 only.
    check("GET / HTTP/1.0\r\n\r\n", 200);
}

#[test]
fn what_is_not_http() {
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
        b"{\"type\":\"list_rooms\"}\r\n\r\n",
    ] {
        check(garbage, 400);
    }
}

#[test]
fn a_request_byte_by_byte() {
    let host = Host::start();
    let mut client = host.endpoint.connect();
    for byte in *b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        client.send([byte]);
    }
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_target_in_absolute_form() {
    check("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 200);
    check("GET http://localhost/gifs.json HTTP/1.1\r\nHost: localhost\r\n\r\n", 200);
    check("GET http://localhost/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404);
}

#[test]
fn a_second_request_is_not_served_on_the_same_connection() {
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    check(request.repeat(2), 200);
}

#[test]
fn a_client_that_has_shut_down_writing_is_answered() {
    let host = Host::start();
    let mut client = host.endpoint.connect();
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.shut_down_writing();
    assert_eq!(client.response().status, 200);
}
