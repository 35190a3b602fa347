//! The opening handshake (RFC 6455 §4.2): which requests are accepted, and how others are refused.

use std::thread;

use wschat::Settings;

use crate::client::{KEY, Response, UPGRADE};
use crate::frame::{self, TEXT};
use crate::host::Host;

/// The ordinary upgrade request with a part replaced.
fn with(line: &str, instead: &str) -> String {
    let request = UPGRADE.replace(line, instead);
    assert_ne!(request, UPGRADE, "{line} is not in the request");
    request
}

#[track_caller]
fn refuse(request: &str, status: u16) -> Response {
    let response = Host::start().endpoint.ask(request);
    assert_eq!(response.status, status, "{response:?}");
    response
}

#[track_caller]
fn accept(request: &str) {
    accept_with(|_| {}, request);
}

/// The server accepts this request and sends the welcome.
#[track_caller]
fn accept_with(change: impl FnOnce(&mut Settings), request: &str) {
    let host = Host::with(change);
    let mut client = host.endpoint.connect();
    client.send(request);
    client.expect_switch();
    client.expect_welcome();
}

#[test]
fn the_key_is_accepted() {
    let host = Host::start();
    let mut client = host.endpoint.connect();
    client.send(UPGRADE);
    let head = client.read_head();
    // The exact head: without an offer, no extension and no subprotocol is selected.
    assert_eq!(
        head,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn extensions_are_declined() {
    let host = Host::start();
    let mut client = host.endpoint.connect();
    client.send(with("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"));
    assert!(!client.read_head().contains("extensions"));
    client.expect_welcome();
}

#[test]
fn any_path_is_accepted() {
    for path in ["/chat", "/a/b?c=d", "/app.js", "*", "http://localhost/"] {
        accept(&with("GET / ", &format!("GET {path} ")));
    }
}

#[test]
fn field_names_and_tokens_in_any_case_and_in_lists() {
    accept(&UPGRADE.to_ascii_lowercase().replace(&KEY.to_ascii_lowercase(), KEY).replacen(
        "get / http/1.1",
        "GET / HTTP/1.1",
        1,
    ));
    accept(&with("Connection: Upgrade", "Connection: keep-alive, UPGRADE"));
    accept(&with("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"));
    accept(&with("Upgrade: websocket", "Upgrade: h2c, WebSocket"));
}

#[test]
fn frames_in_the_same_segment_as_the_request() {
    let host = Host::start();
    let mut client = host.endpoint.connect();
    let list = frame::masked(TEXT, br#"{"type":"list_rooms"}"#);
    client.send([UPGRADE.as_bytes(), &list, &frame::close(1000, "")].concat());
    client.expect_switch();
    client.expect_welcome();
    assert!(client.text().starts_with(r#"{"type":"list_rooms","#));
    client.expect_close(1000);
}

#[test]
fn a_frame_that_begins_in_the_segment_of_the_request() {
    let host = Host::start();
    let list = frame::masked(TEXT, br#"{"type":"list_rooms"}"#);
    for at in 0..list.len() {
        let mut client = host.endpoint.connect();
        client.send([UPGRADE.as_bytes(), &list[..at]].concat());
        client.expect_switch();
        client.expect_welcome();
        client.send(&list[at..]);
        assert!(client.text().starts_with(r#"{"type":"list_rooms","#), "cut at {at}");
    }
}

#[test]
fn the_request_byte_by_byte() {
    let host = Host::start();
    let mut client = host.endpoint.connect();
    for byte in UPGRADE.bytes() {
        client.send([byte]);
    }
    client.expect_switch();
    client.expect_welcome();
}

#[test]
fn another_version_of_websocket() {
    for version in ["8", "14", "013", "13, 8", ""] {
        let response = refuse(&with("Version: 13", &format!("Version: {version}")), 426);
        assert_eq!(response.field("sec-websocket-version"), "13");
        assert_eq!(response.field("upgrade"), "websocket");
    }
    refuse(&with("Sec-WebSocket-Version: 13\r\n", ""), 426);
}

#[test]
fn an_upgrade_field_that_a_proxy_removed() {
    let request = with("Upgrade: websocket\r\nConnection: Upgrade", "Connection: close");
    let response = refuse(&request, 426);
    assert!(response.text().contains("proxy"), "{response:?}");
    assert_eq!(response.field("sec-websocket-version"), "13");
}

#[test]
fn a_connection_field_without_upgrade() {
    refuse(&with("Connection: Upgrade\r\n", ""), 400);
    refuse(&with("Connection: Upgrade", "Connection: keep-alive"), 400);
}

#[test]
fn a_bad_key() {
    for key in ["", "x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", &"=".repeat(24)] {
        refuse(&with(KEY, key), 400);
    }
    refuse(&with(&format!("Sec-WebSocket-Key: {KEY}\r\n"), ""), 400);
    let twice = format!("Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Key: {KEY}");
    refuse(&with(&format!("Sec-WebSocket-Key: {KEY}"), &twice), 400);
}

#[test]
fn an_older_http_version() {
    refuse(&with("HTTP/1.1", "HTTP/1.0"), 400);
}

#[test]
fn another_method() {
    assert_eq!(refuse(&with("GET", "HEAD"), 405).field("allow"), "GET");
    refuse(&with("GET", "POST"), 405);
}

#[test]
fn the_same_origin_or_none() {
    accept(&with("\r\n\r\n", "\r\nOrigin: http://localhost\r\n\r\n"));
    accept(&with("\r\n\r\n", "\r\nOrigin: https://LOCALHOST:8443\r\n\r\n"));
    accept(UPGRADE);
}

#[test]
fn an_origin_that_the_settings_name() {
    let from = |origin: &str| with("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n"));
    accept_with(
        |settings| settings.domain = Some("chat.example.org".to_owned()),
        &from("https://chat.example.org"),
    );
    for allowed in ["www.example.org", "https://www.example.org:8443", "*"] {
        accept_with(
            |settings| settings.allowed_origins = vec![allowed.to_owned()],
            &from("https://www.example.org:8443"),
        );
    }
}

/// A page whose name leads to this server only for the moment (DNS rebinding) has the right host.
#[test]
fn a_name_that_the_settings_do_not_know() {
    let request = with("Host: localhost", "Host: nas.lan:8776")
        .replace("\r\n\r\n", "\r\nOrigin: http://nas.lan:8776\r\n\r\n");
    let response = refuse(&request, 403);
    assert!(
        response.text().contains(r#"put "domain": "nas.lan" into the settings"#),
        "{response:?}"
    );
    accept_with(|settings| settings.domain = Some("NAS.lan.".to_owned()), &request);
    let response = Host::with(|settings| settings.domain = Some("chat.example.org".to_owned()))
        .endpoint
        .ask(&request);
    assert_eq!(response.status, 403);
    assert!(response.text().contains("allowedOrigins"), "{response:?}");
}

#[test]
fn a_foreign_origin() {
    for origin in [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://evil.example/localhost",
        "http://localhost@evil.example",
        "null",
        "",
    ] {
        let response = refuse(&with("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n")), 403);
        assert!(response.text().contains("allowedOrigins"), "{response:?}");
    }
}

#[test]
fn the_welcome_precedes_broadcasts() {
    let host = Host::with(|settings| {
        let limits = &mut settings.limits;
        limits.rooms_per_second = 0.0;
        limits.messages_per_second = 0.0;
        limits.room_list_interval_ms = 1;
    });
    let mut maker = host.endpoint.user();
    thread::scope(|scope| {
        let making = scope.spawn(|| {
            for _ in 0..500 {
                maker.request(r#"{"type":"create_room","title":"x"}"#);
                // Waits for the list, so that lists fall due all the time while others connect.
                maker.text();
            }
        });
        while !making.is_finished() {
            // Fails if anything comes before the welcome.
            drop(host.endpoint.user());
        }
    });
}
