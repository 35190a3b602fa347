//! Plain HTTP: the page, and what a request gets that is none, or none that can be read.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::client::{Door, Response};
use crate::host::Host;

/// The default of `maxRequestHeadBytes`.
const MAX_HEAD_BYTES: usize = 8_192;

/// Checks the status of the answer to these bytes, and that it is a whole response that says so to
/// whoever reads it.
#[track_caller]
fn check(request: impl AsRef<[u8]>, status: u16) {
    check_at(&Host::start().door, request, status);
}

#[track_caller]
fn check_at(door: &Door, request: impl AsRef<[u8]>, status: u16) {
    let response = door.ask(request);
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.field("content-length"), response.body.len().to_string());
    assert_eq!(response.field("connection"), "close");
    assert_eq!(response.field("x-content-type-options"), "nosniff");
    if status != 200 {
        assert_eq!(response.field("content-type"), "text/plain; charset=utf-8");
        assert!(response.text().starts_with(&format!("{status} ")), "{response:?}");
    }
}

/// What is there for a `GET` of this path, with these fields.
fn get(door: &Door, path: &str, fields: &str) -> Response {
    door.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"))
}

/// The path of the first file of this kind that the page names.
fn named_by_the_page(door: &Door, ending: &str) -> String {
    let page = get(door, "/", "");
    let mut names = page.text().split('"').filter(|name| name.ends_with(ending));
    format!("/{}", names.next().expect("the page names one"))
}

#[test]
fn the_page() {
    let response = Host::start().door.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-type"), "text/html; charset=utf-8");
    assert_eq!(response.field("content-length"), response.body.len().to_string());
    assert_eq!(response.field("cache-control"), "no-cache");
    assert!(response.text().to_ascii_lowercase().starts_with("<!doctype html>"));
    let date = response.field("date");
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
}

#[test]
fn the_page_allows_no_more_than_it_needs() {
    let response = Host::start().door.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
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
        let get = get(&host.door, "/", fields);
        let head = host.door.ask(format!("HEAD / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        assert_eq!(head.status, 200);
        assert!(head.body.is_empty());
        for field in ["content-length", "content-type", "etag", "vary", "content-security-policy"] {
            assert_eq!(head.field(field), get.field(field));
        }
    }
    let missing = host.door.ask("HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(missing.status, 404);
    assert!(missing.body.is_empty());
}

#[test]
fn what_the_browser_has_already_is_not_sent_again() {
    let host = Host::start();
    let first = host.door.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
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
        let response = host.door.ask(request);
        assert_eq!(response.status, status, "{tags}");
        assert_eq!(response.field("etag"), etag);
        assert_eq!(response.body.is_empty(), status == 304);
    }
}

#[test]
fn files_differ_and_so_do_their_tags() {
    let host = Host::start();
    let ask = |path: &str| get(&host.door, path, "");
    let (page, style) = (ask("/"), ask(&named_by_the_page(&host.door, ".css")));
    assert_eq!(style.field("content-type"), "text/css; charset=utf-8");
    assert_ne!(page.field("etag"), style.field("etag"));
    assert_ne!(page.body, style.body);
    assert_eq!(ask("/?from=a_link").body, page.body);
}

#[test]
fn text_is_compressed_for_whom_that_is_welcome() {
    let host = Host::start();
    let style = named_by_the_page(&host.door, ".css");
    for path in ["/", &style] {
        let plain = get(&host.door, path, "");
        let packed = get(&host.door, path, "Accept-Encoding: br, gzip;q=0.5\r\n");
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
        assert_ne!(packed.field("etag"), plain.field("etag"), "one for each encoding");
    }
}

#[test]
fn each_encoding_is_known_by_its_own_tag() {
    const GZIP: &str = "Accept-Encoding: gzip\r\n";
    let host = Host::start();
    let tag = |fields| get(&host.door, "/", fields).field("etag").to_owned();
    let (plain, packed) = (tag(""), tag(GZIP));
    for (fields, tag, status) in
        [("", &plain, 304), (GZIP, &packed, 304), ("", &packed, 200), (GZIP, &plain, 200)]
    {
        let response = get(&host.door, "/", &format!("{fields}If-None-Match: {tag}\r\n"));
        assert_eq!(response.status, status, "{fields}{tag}");
        assert_eq!(response.field("vary"), "accept-encoding");
        assert_eq!(response.body.is_empty(), status == 304);
    }
}

#[test]
fn nothing_else_is_there() {
    let host = Host::start();
    let script = named_by_the_page(&host.door, ".js");
    let (behind, louder) = (format!("{script}/"), script.to_uppercase());
    for path in
        ["/nothing", "//", &behind, &louder, "/../Cargo.toml", "/%2e%2e/etc/passwd", "/mod.rs"]
    {
        check_at(&host.door, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404);
    }
}

#[test]
fn a_method_that_is_not_served() {
    let door = Host::start();
    let door = &door.door;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        check_at(door, &request, 405);
        assert_eq!(door.ask(&request).field("allow"), "GET, HEAD");
    }
}

#[test]
fn a_post_with_a_body_is_answered_before_anything_resets_the_connection() {
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
fn a_head_of_too_many_fields() {
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
    // RFC 9112 §3.2 asks it of HTTP/1.1 only.
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
    let mut client = host.door.knock();
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
fn a_client_that_says_it_is_done_still_gets_its_answer() {
    let host = Host::start();
    let mut client = host.door.knock();
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.shut_down_writing();
    assert_eq!(client.response().status, 200);
}
