//! How many may come, in all and from one address, and whose word counts for an address.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use crate::client::{Client, Door, UPGRADE};
use crate::host::{Host, Program, eventually};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A server behind a proxy that takes two connections from each address.
fn behind_a_proxy() -> Host {
    Host::with(|settings| {
        settings.trusted_proxies = vec![IpAddr::from(PROXY).into(), "10.0.0.0/8".parse().unwrap()];
        settings.limits.max_connections_per_ip = 2;
    })
}

/// Asks for a WebSocket from `source`, forwarded for `chain`.
fn come(door: &Door, source: Ipv4Addr, chain: &str) -> Client {
    let mut client = door.knock_from(source);
    let field = format!("\r\nX-Forwarded-For: {chain}\r\n\r\n");
    client.send(UPGRADE.replace("\r\n\r\n", &field));
    client
}

#[track_caller]
fn expect_welcome(mut client: Client) -> Client {
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
fn the_address_that_the_proxy_gives_is_counted() {
    let host = behind_a_proxy();
    let one = expect_welcome(come(&host.door, PROXY, "203.0.113.7"));
    let _two = expect_welcome(come(&host.door, PROXY, "203.0.113.7"));
    expect_unavailable(come(&host.door, PROXY, "203.0.113.7"));
    let _other = expect_welcome(come(&host.door, PROXY, "203.0.113.8"));
    one.close();
    eventually("there is a place again", || {
        let mut client = come(&host.door, PROXY, "203.0.113.7");
        client.read_head().starts_with("HTTP/1.1 101")
    });
}

#[test]
fn only_what_a_trusted_hop_says_of_the_hop_before_it_counts() {
    let host = behind_a_proxy();
    // What stands farther to the left was written by the client itself.
    let _one = expect_welcome(come(&host.door, PROXY, "198.51.100.1, 203.0.113.7"));
    let _two = expect_welcome(come(&host.door, PROXY, "198.51.100.2, 203.0.113.7, 10.1.2.3"));
    expect_unavailable(come(&host.door, PROXY, "198.51.100.3,203.0.113.7"));
    let _other = expect_welcome(come(&host.door, PROXY, "203.0.113.7, 198.51.100.1"));
}

#[test]
fn an_ipv6_address_counts_for_its_network() {
    let host = behind_a_proxy();
    let _one = expect_welcome(come(&host.door, PROXY, "2001:db8::1"));
    let _two = expect_welcome(come(&host.door, PROXY, "2001:db8:0:0:ffff::2"));
    expect_unavailable(come(&host.door, PROXY, "2001:db8::3"));
    let _other = expect_welcome(come(&host.door, PROXY, "2001:db8:0:1::1"));
}

#[test]
fn a_stranger_is_not_believed() {
    let host = behind_a_proxy();
    let _clients: Vec<Client> =
        (0..5).map(|_| expect_welcome(come(&host.door, STRANGER, "203.0.113.7"))).collect();
    // And has taken no place of the address it named.
    let _one = expect_welcome(come(&host.door, PROXY, "203.0.113.7"));
}

#[test]
fn the_log_names_the_address_that_counts() {
    let program = Program::start(json!({ "trustedProxies": [PROXY.to_string()] }));
    let _one = expect_welcome(come(&program.door, PROXY, "203.0.113.7"));
    let _two = expect_welcome(come(&program.door, STRANGER, "203.0.113.7"));
    let log = program.log();
    assert!(log.contains("connection 1 from 203.0.113.7 "), "{log}");
    assert!(log.contains("connection 2 from 127.0.0.3 "), "{log}");
}

#[test]
fn a_full_server_says_so_and_serves_again_when_one_leaves() {
    let host = Host::with(|settings| settings.limits.max_connections = 2);
    let mut one = host.door.member();
    let two = host.door.member();
    for request in [UPGRADE, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let response = host.door.ask(request);
        assert_eq!(response.status, 503, "{response:?}");
        assert_eq!(response.field("retry-after"), "5");
        assert!(response.text().contains("full"), "{response:?}");
    }
    two.close();
    eventually("there is a place again", || {
        let mut client = host.door.knock();
        client.send(UPGRADE);
        client.read_head().starts_with("HTTP/1.1 101")
    });
    one.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    one.expect(r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#);
    one.expect_nothing_more();
}

#[test]
fn a_full_server_holds_when_many_more_come_at_once() {
    let host = Host::with(|settings| settings.limits.max_connections = 1);
    let mut one = host.door.member();
    // Nobody of these says a word, so some are waited for and the rest turned away at once.
    let crowd: Vec<Client> = (0..50).map(|_| host.door.knock()).collect();
    one.say("still served");
    one.expect(r#"{"type":"text","text":"still served","from":{"id":1,"name":"User 1"}}"#);
    drop(crowd);
    one.close();
    eventually("there is a place again", || {
        let mut client = host.door.knock();
        // Among so many, the server may cut off what it has no thread for.
        client.try_send(UPGRADE).is_ok()
            && client.read_to_head().is_some_and(|head| head.starts_with("HTTP/1.1 101 "))
    });
}
