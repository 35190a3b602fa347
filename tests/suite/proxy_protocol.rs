//! The header with which a proxy names the client of a connection, in front of everything else.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

use serde_json::json;
use wschat::{ListenAddress, Settings};

use crate::addresses::expect_welcome;
use crate::client::{Client, Endpoint, UPGRADE};
use crate::host::{Host, Program, eventually};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn with_header(change: impl FnOnce(&mut Settings)) -> impl FnOnce(&mut Settings) {
    |settings| {
        settings.listen =
            vec![ListenAddress { address: "127.0.0.1:0".to_owned(), proxy_protocol: true }];
        change(settings);
    }
}

/// Version 1 for this client.
fn v1(client: &str) -> Vec<u8> {
    let family = if client.contains(':') { "TCP6" } else { "TCP4" };
    format!("PROXY {family} {client} {client} 4711 443\r\n").into_bytes()
}

/// Version 2 for this client, with a field that nobody knows.
fn v2(client: Ipv4Addr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10".to_vec();
    header.extend(client.octets());
    header.extend([127, 0, 0, 1, 1, 2, 3, 4, 0xee, 0, 1, 7]);
    header
}

fn send(endpoint: &Endpoint, header: &[u8], request: &str) -> Client {
    let mut client = endpoint.connect_from(PROXY);
    client.send([header, request.as_bytes()].concat());
    client
}

#[test]
fn the_named_client_is_counted() {
    let host = Host::with(with_header(|settings| settings.limits.max_connections_per_ip = 2));
    let ask = |header: &[u8]| send(&host.endpoint, header, UPGRADE);
    let _one = expect_welcome(ask(&v1("203.0.113.7")));
    let _two = expect_welcome(ask(&v2(Ipv4Addr::new(203, 0, 113, 7))));
    assert_eq!(ask(&v1("203.0.113.7")).response().status, 503);
    let _other = expect_welcome(ask(&v1("2001:db8::1")));
    // It is not a trusted proxy, so what it says of others does not count.
    let field = UPGRADE.replace("\r\n\r\n", "\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
    assert_eq!(send(&host.endpoint, &v1("203.0.113.7"), &field).response().status, 503);
}

#[test]
fn a_trusted_proxy_that_is_named_speaks_for_another() {
    let host = Host::with(with_header(|settings| {
        settings.limits.max_connections_per_ip = 1;
        settings.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    }));
    let through = |client: &str| {
        let field = format!("\r\nX-Forwarded-For: {client}\r\n\r\n");
        send(&host.endpoint, &v1("10.1.2.3"), &UPGRADE.replace("\r\n\r\n", &field))
    };
    let _one = expect_welcome(through("203.0.113.7"));
    let _two = expect_welcome(through("203.0.113.8"));
    assert_eq!(through("203.0.113.7").response().status, 503);
}

#[test]
fn a_proxy_that_speaks_for_itself_has_the_limits_of_its_own_address() {
    let host = Host::with(with_header(|settings| settings.limits.max_connections_per_ip = 1));
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let clients: Vec<Client> = [&b"PROXY UNKNOWN\r\n"[..], local, local]
        .into_iter()
        .map(|header| expect_welcome(send(&host.endpoint, header, UPGRADE)))
        .collect();
    drop(clients);
}

#[test]
fn the_header_may_come_in_pieces_and_tls_begins_after_it() {
    let host = Host::with_tls(with_header(|_| {}));
    for header in [v1("203.0.113.7"), v2(Ipv4Addr::new(203, 0, 113, 7))] {
        let mut tcp = TcpStream::connect(host.endpoint.address).unwrap();
        tcp.set_nodelay(true).unwrap();
        for byte in &header {
            tcp.write_all(&[*byte]).unwrap();
        }
        expect_welcome({
            let mut client = Client::over(tcp, &host.endpoint);
            client.send(UPGRADE);
            client
        });
    }
}

#[test]
fn a_connection_without_the_header_is_closed_and_the_log_says_so_once() {
    let program = Program::start(json!({
        "listen": [{ "address": "127.0.0.1:0", "proxyProtocol": true }],
        "log": { "level": "debug" },
    }));
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PROXY TCP4 a b 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n1234"]
    {
        let mut client = program.endpoint.connect();
        client.send(bytes);
        client.expect_cut();
    }
    let bad = "no header of the PROXY protocol";
    eventually("all are in the log", || {
        program.log().matches("no handshake: no header").count() == 3
    });
    let log = program.log();
    assert_eq!(log.matches("[WARN]").count(), 1, "{log}");
    assert!(log.contains(bad) && log.contains("remove \"proxyProtocol\""), "{log}");
}

#[test]
fn half_a_header_holds_up_nobody_and_has_the_time_of_a_handshake() {
    let host = Host::with(with_header(|settings| settings.limits.handshake_timeout_ms = 300));
    let mut slow: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = host.endpoint.connect();
            client.send("PROXY TCP4 203.0.113.7");
            client
        })
        .collect();
    expect_welcome(send(&host.endpoint, &v1("203.0.113.8"), UPGRADE));
    for client in &mut slow {
        client.expect_cut();
    }
}
