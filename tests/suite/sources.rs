//! What one network may take of what there is for all, and what is left for others: connections,
//! handshakes, rooms, and time to resume. A trusted proxy on the loopback network plays the networks.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use wschat::Settings;

use crate::client::{Client, Endpoint, Response, UPGRADE, V2, upgrade_offering};
use crate::host::{Host, Program, eventually};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn behind_a_proxy(change: impl FnOnce(&mut Settings)) -> Host {
    Host::with(|settings| {
        settings.trusted_proxies = vec![IpAddr::from(PROXY).into()];
        change(settings);
    })
}

/// Sends a request through the proxy, which adds this field.
fn send_through(endpoint: &Endpoint, request: &str, field: &str) -> Client {
    let mut client = endpoint.connect_from(PROXY);
    client.send(request.replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n")));
    client
}

/// Sends a request from this address.
fn send_from(endpoint: &Endpoint, request: &str, address: &str) -> Client {
    send_through(endpoint, request, &format!("X-Forwarded-For: {address}"))
}

/// A user of `wschat.v2` from this address, and its welcome.
#[track_caller]
fn v2_user_from(endpoint: &Endpoint, address: &str, protocols: &str) -> (Client, Value) {
    let mut client = send_from(endpoint, &upgrade_offering(protocols), address);
    client.expect_switch_to(Some(V2));
    let welcome = client.json();
    client.note_welcome(&welcome);
    (client, welcome)
}

#[track_caller]
fn expect_welcome(mut client: Client) -> Client {
    client.expect_switch();
    client.expect_welcome();
    client
}

#[track_caller]
fn expect_unavailable(mut client: Client) -> Response {
    let response = client.response();
    assert_eq!(response.status, 503, "{response:?}");
    response
}

#[test]
fn one_network_takes_half_of_the_places_at_most() {
    let host = behind_a_proxy(|settings| {
        settings.limits.max_connections = 12;
        settings.limits.max_connections_per_ip = 2;
    });
    let upgrade = |address: &str| send_from(&host.endpoint, UPGRADE, address);
    let mut taken: Vec<Client> =
        (0..6).map(|i| expect_welcome(upgrade(&format!("2001:db8:0:{i}00::1")))).collect();
    let response = expect_unavailable(upgrade("2001:db8:0:ff00::1"));
    assert!(response.text().contains("your address"), "{response:?}");
    let others = ["2001:db8:1::1", "203.0.113.7"].map(|address| expect_welcome(upgrade(address)));
    taken.extend(others);
}

#[test]
fn a_full_server_serves_its_monitor_and_those_who_resume() {
    let host = behind_a_proxy(|settings| settings.limits.max_connections = 2);
    let endpoint = &host.endpoint;
    let (victim, welcome) = v2_user_from(endpoint, "203.0.113.7", V2);
    let _one = expect_welcome(send_from(endpoint, UPGRADE, "2001:db8::1"));
    drop(victim);
    let mut other = None;
    eventually("the place is free, and somebody else takes it", || {
        let mut client = send_from(endpoint, UPGRADE, "2001:db8::2");
        let is_taken = client.read_head().starts_with("HTTP/1.1 101");
        other = Some(client);
        is_taken
    });

    assert_eq!(endpoint.ask(HEALTH).status, 200);
    expect_unavailable(send_from(endpoint, UPGRADE, "203.0.113.7"));
    expect_unavailable(send_from(endpoint, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "203.0.113.7"));
    let unknown = format!("{V2}, session.{}", "0".repeat(32));
    expect_unavailable(send_from(endpoint, &upgrade_offering(&unknown), "203.0.113.7"));

    let session = welcome["session"].as_str().unwrap();
    let known = format!("{V2}, session.{session}");
    let (_back, welcome) = v2_user_from(endpoint, "203.0.113.7", &known);
    assert_eq!(welcome["resumed"], true, "{welcome}");
}

#[test]
fn slow_heads_keep_nobody_out() {
    let host = Host::with(|settings| settings.limits.max_connections = 4);
    // More than there may be: the last of them are refused at once.
    let mut slow: Vec<Client> = (0..100)
        .map(|_| {
            let mut client = host.endpoint.connect_from(PROXY);
            let _ = client.try_send("GET / HTTP/1.1\r\nHost: ");
            client
        })
        .collect();
    assert_eq!(host.endpoint.ask(HEALTH).status, 200);
    let mut user = host.endpoint.member();
    user.say("served");
    user.expect(r#"{"type":"text","text":"served","from":{"id":1,"name":"User 1"}}"#);
    // The oldest of them have made room.
    slow[0].expect_cut();
}

#[test]
fn a_source_that_connects_too_often_has_to_wait() {
    let host = behind_a_proxy(|settings| {
        settings.limits.connects_per_second = 0.001;
        settings.limits.connect_burst = 3;
    });
    let page = |address| send_from(&host.endpoint, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", address);
    for _ in 0..3 {
        assert_eq!(page("203.0.113.7").response().status, 200);
    }
    let response = expect_unavailable(page("203.0.113.7"));
    assert!(response.text().contains("too often"), "{response:?}");
    assert_eq!(page("203.0.113.8").response().status, 200);
    assert_eq!(send_from(&host.endpoint, HEALTH, "203.0.113.7").response().status, 200);
}

#[test]
fn a_stranger_does_not_end_the_time_that_others_have_to_resume() {
    let host = behind_a_proxy(|settings| settings.limits.max_away_users = 4);
    let endpoint = &host.endpoint;
    let mut witness = endpoint.v2_user();
    let (mut victim, welcome) = v2_user_from(endpoint, "203.0.113.7", V2);
    victim.request(r#"{"type":"enter_room","roomId":1}"#);
    victim.skip_to("room");
    witness.request(r#"{"type":"enter_room","roomId":1}"#);
    witness.skip_to("room");
    drop(victim);
    for i in 0..40 {
        let (mut client, _) = v2_user_from(endpoint, &format!("2001:db8:0:{i:x}::1"), V2);
        client.request(r#"{"type":"change_name","name":"Eve"}"#);
        client.skip_to("change_name");
    }
    let session = welcome["session"].as_str().unwrap();
    let known = format!("{V2}, session.{session}");
    let (_back, welcome) = v2_user_from(endpoint, "203.0.113.7", &known);
    assert_eq!(welcome["resumed"], true, "{welcome}");
    witness.request(r#"{"type":"leave_room","ref":"x"}"#);
    let left = witness.skip_to("leave_room");
    assert_eq!(left["user"]["id"], witness.id, "nobody has left before");
}

#[test]
fn one_source_does_not_keep_others_from_making_rooms() {
    let host = behind_a_proxy(|settings| {
        settings.limits.max_rooms = 6;
        settings.limits.rooms_per_second = 0.0;
    });
    let (mut greedy, _) = v2_user_from(&host.endpoint, "203.0.113.7", V2);
    for _ in 0..3 {
        greedy.request(r#"{"type":"create_room","title":"Mine"}"#);
        greedy.skip_to("room_added");
    }
    greedy.request(r#"{"type":"create_room","title":"Mine"}"#);
    assert_eq!(greedy.skip_to("error")["code"], "too_many_rooms");
    let (mut other, _) = v2_user_from(&host.endpoint, "198.51.100.1", V2);
    other.request(r#"{"type":"create_room","title":"Ours"}"#);
    assert_eq!(other.skip_to("room_added")["room"]["id"], 7);
    other.request(r#"{"type":"enter_room","roomId":6}"#);
    assert_eq!(other.skip_to("error")["code"], "unknown_room");
}

#[test]
fn an_address_counts_however_the_proxy_writes_it() {
    let host = behind_a_proxy(|settings| settings.limits.max_connections_per_ip = 2);
    let upgrade = |field: &str| send_through(&host.endpoint, UPGRADE, field);
    let _one = expect_welcome(upgrade("X-Forwarded-For: 203.0.113.7:4711"));
    let _two = expect_welcome(upgrade(r#"Forwarded: for="203.0.113.7:4712";proto=https"#));
    expect_unavailable(upgrade("X-Forwarded-For: 198.51.100.1, 203.0.113.7"));
    let _three = expect_welcome(upgrade("X-Forwarded-For: [2001:db8::1]:4711"));
    let _four = expect_welcome(upgrade(r#"Forwarded: for="[2001:db8::2]""#));
    expect_unavailable(upgrade("X-Forwarded-For: 2001:db8::3"));
}

#[test]
fn clients_whose_address_cannot_be_read_share_the_limits_of_one() {
    let program = Program::start(json!({
        "trustedProxies": [PROXY.to_string()],
        "limits": { "maxConnectionsPerIp": 2 },
    }));
    let upgrade = |hop: &str| send_from(&program.endpoint, UPGRADE, hop);
    let _taken = ["unknown", "_hidden"].map(|hop| expect_welcome(upgrade(hop)));
    expect_unavailable(upgrade("203.0.113.7, unknown"));
    let _other = expect_welcome(upgrade("203.0.113.7"));
    program.expect_log(r#"the proxy 127.0.0.2 names a client by "unknown""#);
    let log = program.log();
    assert_eq!(log.matches("which is no address").count(), 1, "{log}");
}
