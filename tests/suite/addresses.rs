//! Connection limits, in total and per address, and which `X-Forwarded-For` entries are trusted.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use crate::client::{Client, Endpoint, UPGRADE};
use crate::host::{Host, Program, eventually};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const UNTRUSTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A server behind a proxy that accepts two connections from each address.
fn behind_a_proxy() -> Host {
    Host::with(|settings| {
        settings.trusted_proxies = vec![IpAddr::from(PROXY).into(), "10.0.0.0/8".parse().unwrap()];
        settings.limits.max_connections_per_ip = 2;
    })
}

/// Requests a WebSocket from `source`, with `chain` in `X-Forwarded-For`.
fn upgrade(endpoint: &Endpoint, source: Ipv4Addr, chain: &str) -> Client {
    let mut client = endpoint.connect_from(source);
    let field = format!("\r\nX-Forwarded-For: {chain}\r\n\r\n");
    client.send(UPGRADE.replace("\r\n\r\n", &field));
    client
}

/// The client of a request that is granted.
#[track_caller]
pub(crate) fn expect_welcome(mut client: Client) -> Client {
    client.expect_switch();
    client.expect_welcome();
    client
}

#[track_caller]
fn expect_unavailable(mut client: Client) {
    let response = client.response();
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.field("retry-after"), "5");
}

#[test]
fn the_forwarded_address_is_counted() {
    let host = behind_a_proxy();
    let one = expect_welcome(upgrade(&host.endpoint, PROXY, "203.0.113.7"));
    let _two = expect_welcome(upgrade(&host.endpoint, PROXY, "203.0.113.7"));
    expect_unavailable(upgrade(&host.endpoint, PROXY, "203.0.113.7"));
    let _other = expect_welcome(upgrade(&host.endpoint, PROXY, "203.0.113.8"));
    one.close();
    eventually("a connection is accepted again", || {
        let mut client = upgrade(&host.endpoint, PROXY, "203.0.113.7");
        client.read_head().starts_with("HTTP/1.1 101")
    });
}

#[test]
fn only_entries_that_a_trusted_proxy_appended_count() {
    let host = behind_a_proxy();
    // The client itself may have written the entries farther to the left.
    let _one = expect_welcome(upgrade(&host.endpoint, PROXY, "198.51.100.1, 203.0.113.7"));
    let _two =
        expect_welcome(upgrade(&host.endpoint, PROXY, "198.51.100.2, 203.0.113.7, 10.1.2.3"));
    expect_unavailable(upgrade(&host.endpoint, PROXY, "198.51.100.3,203.0.113.7"));
    let _other = expect_welcome(upgrade(&host.endpoint, PROXY, "203.0.113.7, 198.51.100.1"));
}

#[test]
fn ipv6_addresses_are_counted_by_network() {
    let host = behind_a_proxy();
    let _one = expect_welcome(upgrade(&host.endpoint, PROXY, "2001:db8::1"));
    let _two = expect_welcome(upgrade(&host.endpoint, PROXY, "2001:db8:0:0:ffff::2"));
    expect_unavailable(upgrade(&host.endpoint, PROXY, "2001:db8::3"));
    let _other = expect_welcome(upgrade(&host.endpoint, PROXY, "2001:db8:0:1::1"));
}

#[test]
fn an_untrusted_proxy_is_ignored() {
    let host = behind_a_proxy();
    let _clients: Vec<Client> =
        (0..5).map(|_| expect_welcome(upgrade(&host.endpoint, UNTRUSTED, "203.0.113.7"))).collect();
    // The named address has not been charged for it.
    let _one = expect_welcome(upgrade(&host.endpoint, PROXY, "203.0.113.7"));
}

#[test]
fn the_log_names_the_counted_address() {
    let program = Program::start(json!({ "trustedProxies": [PROXY.to_string()] }));
    let _one = expect_welcome(upgrade(&program.endpoint, PROXY, "203.0.113.7"));
    let _two = expect_welcome(upgrade(&program.endpoint, UNTRUSTED, "203.0.113.7"));
    program.expect_log("connection 1 from 203.0.113.7 ");
    program.expect_log("connection 2 from 127.0.0.3 ");
}

#[test]
fn a_full_server_answers_503_until_a_client_leaves() {
    let host = Host::with(|settings| settings.limits.max_connections = 2);
    let mut one = host.endpoint.member();
    let two = host.endpoint.member();
    for request in [UPGRADE, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let response = host.endpoint.ask(request);
        assert_eq!(response.status, 503, "{response:?}");
        assert_eq!(response.field("retry-after"), "5");
        assert!(response.text().contains("full"), "{response:?}");
    }
    two.close();
    eventually("a connection is accepted again", || {
        let mut client = host.endpoint.connect();
        client.send(UPGRADE);
        client.read_head().starts_with("HTTP/1.1 101")
    });
    one.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    one.expect(r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#);
    one.expect_nothing_more();
}

#[test]
fn a_full_server_survives_a_burst_of_connections() {
    let host = Host::with(|settings| settings.limits.max_connections = 1);
    let mut one = host.endpoint.member();
    // None of these sends anything: the server waits for some, and rejects the rest at once.
    let crowd: Vec<Client> = (0..50).map(|_| host.endpoint.connect()).collect();
    one.say("still served");
    one.expect(r#"{"type":"text","text":"still served","from":{"id":1,"name":"User 1"}}"#);
    drop(crowd);
    one.close();
    eventually("a connection is accepted again", || {
        let mut client = host.endpoint.connect();
        // The server may still be busy with the burst and close this connection.
        client.try_send(UPGRADE).is_ok()
            && client.read_to_head().is_some_and(|head| head.starts_with("HTTP/1.1 101 "))
    });
}
