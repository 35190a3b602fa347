//! Several nodes are one chat: whatever ends, nothing that was acknowledged is lost, and nobody sees anything twice.

mod operation;

use serde_json::json;

use crate::client::{Client, UPGRADE};
use crate::host::eventually;
use crate::nodes::{Nodes, has_redis};

/// Two users of the first two nodes, with their sessions, who are in room 1 and know of each other.
fn enter_both(nodes: &Nodes) -> ((Client, String), (Client, String)) {
    let [mut ada, mut ben] = [0, 1].map(|node| {
        let (client, welcome) = nodes.programs[node].endpoint.connect_offering("wschat.v2");
        (client, welcome["session"].as_str().unwrap().to_owned())
    });
    for (client, _) in [&mut ada, &mut ben] {
        client.request(r#"{"type":"enter_room","roomId":1}"#);
        assert_eq!(client.json()["type"], "room");
    }
    assert_eq!(ada.0.json()["type"], "enter_room");
    (ada, ben)
}

#[test]
fn a_redis_that_is_killed_loses_nothing() {
    if !has_redis() {
        return;
    }
    let mut nodes = Nodes::start(2, &json!({}));
    let ((mut ada, session), (mut ben, _)) = enter_both(&nodes);
    for round in 1..=3 {
        ada.request(&format!(r#"{{"type":"text","text":"before {round}","ref":"a{round}"}}"#));
        let seq = 2 * round - 1;
        for client in [&mut ada, &mut ben] {
            assert_eq!(client.json()["seq"], seq);
        }
        nodes.redis.crash();
        ben.request(&format!(r#"{{"type":"text","text":"after {round}","ref":"b{round}"}}"#));
        for client in [&mut ada, &mut ben] {
            assert_eq!(client.json()["seq"], seq + 1);
        }
    }
    // A node that comes now knows everything, and the session too.
    nodes.add();
    let mut again = nodes.programs[2].endpoint.resume(&session);
    let (code, reason) = ada.skip_to_close();
    assert_eq!((code, &*reason), (4001, "replaced"));
    again.request(r#"{"type":"history","roomId":1,"limit":100}"#);
    let page = again.json();
    let texts: Vec<&str> =
        page["events"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap()).collect();
    let expected = ["before 1", "after 1", "before 2", "after 2", "before 3", "after 3"];
    assert_eq!(texts, expected);
    nodes.check_logs();
}

#[test]
fn while_redis_does_not_answer_requests_are_refused_and_nothing_is_lost() {
    if !has_redis() {
        return;
    }
    let nodes = Nodes::start(2, &json!({ "limits": { "messagesPerSecond": 0 } }));
    let ((mut ada, _), (mut ben, _)) = enter_both(&nodes);
    nodes.redis.signal("-STOP");
    // What is on its way is answered when Redis is back, what comes later is refused.
    let mut sent = 0;
    let mut ask = |ada: &mut Client| {
        sent += 1;
        ada.request(&format!(r#"{{"type":"text","text":"{sent}","ref":"{sent}"}}"#));
        ada.request(r#"{"type":"users","roomId":9}"#);
    };
    eventually("the node is not ready", || {
        ask(&mut ada);
        let response = nodes.programs[0].endpoint.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        response.status == 503
    });
    // All of the above may have been on their way when it noticed.
    ask(&mut ada);
    let refused = loop {
        let error = ada.skip_to("error");
        if error["code"] == "not_saved" {
            break error;
        }
    };
    let mut late = nodes.programs[0].endpoint.connect();
    late.send(UPGRADE);
    late.expect_switch_to(None);
    late.expect_close(1013);
    nodes.redis.signal("-CONT");
    // The answers of both kinds come in the order of the requests of each kind, and every text is told once.
    let first: u64 = refused["ref"].as_str().unwrap().parse().unwrap();
    for seq in 1..first {
        for client in [&mut ada, &mut ben] {
            let event = client.skip_to("text");
            assert_eq!((&event["seq"], &event["text"]), (&json!(seq), &json!(seq.to_string())));
        }
    }
    eventually("the node is ready", || {
        let response = nodes.programs[0].endpoint.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        response.status == 200
    });
    ben.request(r#"{"type":"text","text":"again","ref":"again"}"#);
    assert_eq!(ben.skip_to("text")["seq"], first);
    nodes.check_logs();
}

#[test]
fn a_node_that_stops_hands_its_clients_over_and_nobody_sees_it() {
    if !has_redis() {
        return;
    }
    let nodes = Nodes::start(3, &json!({}));
    let ((mut ada, _), (mut ben, session)) = enter_both(&nodes);
    ada.request(r#"{"type":"hello","presence":true}"#);
    ada.skip_to("hello");
    nodes.programs[1].signal("TERM");
    assert_eq!(ben.skip_to_close(), (1001, "server stopping".to_owned()));
    let mut again = nodes.programs[2].endpoint.resume(&session);
    again.request(r#"{"type":"enter_room","roomId":1}"#);
    assert_eq!(again.json()["type"], "room");
    again.request(r#"{"type":"text","text":"here"}"#);
    // Nothing else came in between.
    assert_eq!(ada.json()["text"], "here");
    nodes.check_logs();
}

#[test]
fn a_node_that_was_asleep_for_too_long_joins_anew() {
    if !has_redis() {
        return;
    }
    let nodes = Nodes::start(2, &json!({ "cluster": { "leaseMs": 1000 } }));
    let ((mut ada, session), (mut ben, _)) = enter_both(&nodes);
    let mut carl = nodes.programs[0].endpoint.user();
    carl.request(r#"{"type":"enter_room","roomId":1}"#);
    assert_eq!(ben.json()["user"]["id"], 3);
    nodes.programs[0].stop();
    // Who cannot resume leaves with the node, and the other is only away.
    assert_eq!(ben.json()["type"], "leave_room");
    nodes.programs[0].signal("CONT");
    for client in [&mut ada, &mut carl] {
        assert_eq!(client.skip_to_close(), (1001, "server stopping".to_owned()));
    }
    let endpoint = &nodes.programs[0].endpoint;
    eventually("the node is ready", || {
        endpoint.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
    });
    let mut again = endpoint.resume(&session);
    again.request(r#"{"type":"enter_room","roomId":1}"#);
    assert_eq!(again.json()["type"], "room");
    again.request(r#"{"type":"text","text":"back"}"#);
    assert_eq!(ben.json()["text"], "back");
    nodes.check_logs();
}

#[test]
fn how_much_is_kept_the_cluster_says_and_not_the_settings_of_a_node() {
    if !has_redis() {
        return;
    }
    let few = json!({ "limits": { "historyMaxEvents": 2, "messagesPerSecond": 0 } });
    let mut nodes = Nodes::start(1, &few);
    nodes.set(&json!({ "limits": { "historyMaxEvents": 100, "messagesPerSecond": 0 } }));
    nodes.add();
    let ((mut ada, _), (mut ben, _)) = enter_both(&nodes);
    for number in 1..=5 {
        ada.request(&format!(r#"{{"type":"text","text":"{number}"}}"#));
        assert_eq!(ben.json()["seq"], number);
        assert_eq!(ada.json()["seq"], number);
    }
    for client in [&mut ada, &mut ben] {
        client.request(r#"{"type":"history","roomId":1,"limit":100}"#);
        let page = client.json();
        let seqs: Vec<&serde_json::Value> =
            page["events"].as_array().unwrap().iter().map(|it| &it["seq"]).collect();
        assert_eq!(seqs, [4, 5], "{page}");
    }
}
