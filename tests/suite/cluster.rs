//! Several nodes are one chat: whatever ends, nothing that was acknowledged is lost, and nobody sees anything twice.

use serde_json::json;

use crate::nodes::{Nodes, has_redis};

#[test]
fn a_redis_that_is_killed_loses_nothing() {
    if !has_redis() {
        return;
    }
    let mut nodes = Nodes::start(2, &json!({}));
    let (mut ada, welcome) = nodes.programs[0].endpoint.connect_offering("wschat.v2");
    let (mut ben, _) = nodes.programs[1].endpoint.connect_offering("wschat.v2");
    for client in [&mut ada, &mut ben] {
        client.request(r#"{"type":"enter_room","roomId":1}"#);
        assert_eq!(client.json()["type"], "room");
    }
    assert_eq!(ada.json()["type"], "enter_room");
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
    let token = welcome["session"].as_str().unwrap();
    let mut again = nodes.programs[2].endpoint.resume(token);
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
