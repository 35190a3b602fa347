//! Resuming a session: a client that lost its connection, or whose server restarted, continues as the
//! same user, and the others saw nothing.

use serde_json::json;

use crate::client::upgrade_offering;
use crate::host::{Host, Program};
use crate::v2::{play_durably, play_with};

#[test]
fn resuming_within_the_grace_is_not_told_to_others() {
    for end in ["A vanishes", "A aborts", "A ends\nA ended"] {
        play_with(
            &json!({}),
            &format!(
                r#"
                A offers wschat.v2
                A < {{"type":"welcome","user":{{"id":1,"name":"User 1"}},"session":TOKEN,"resumed":false,…}}
                A > {{"type":"enter_room","roomId":1}}
                A < {{"type":"room","room":{{"id":1,"title":"Room 1"}},"users":[{{"id":1,"name":"User 1"}}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}}
                B offers wschat.v2
                B < {{"type":"welcome","user":{{"id":2,"name":"User 2"}},"session":TOKEN,"resumed":false,…}}
                B > {{"type":"enter_room","roomId":1}}
                A < {{"type":"enter_room","user":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME}}
                B < {{"type":"room","room":{{"id":1,"title":"Room 1"}},"users":[{{"id":1,"name":"User 1"}},{{"id":2,"name":"User 2"}}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}}
                C connects
                C < {{"type":"welcome","user":{{"id":3,"name":"User 3"}}}}
                C > {{"type":"enter_room","roomId":1}}
                A < {{"type":"enter_room","user":{{"id":3,"name":"User 3"}},"roomId":1,"time":TIME}}
                B < {{"type":"enter_room","user":{{"id":3,"name":"User 3"}},"roomId":1,"time":TIME}}
                C < {{"type":"enter_room","user":{{"id":3,"name":"User 3"}}}}
                {end}
                B > {{"type":"text","text":"one"}}
                B < {{"type":"text","text":"one","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":1}}
                C < {{"type":"text","text":"one","from":{{"id":2,"name":"User 2"}}}}
                A resumes A
                A < {{"type":"welcome","user":{{"id":1,"name":"User 1"}},"session":TOKEN,"resumed":true,"roomId":1,…}}
                B > {{"type":"text","text":"two"}}
                B < {{"type":"text","text":"two","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":2}}
                C < {{"type":"text","text":"two","from":{{"id":2,"name":"User 2"}}}}
                A > {{"type":"enter_room","roomId":1,"since":{{"epoch":EPOCH,"seq":0}}}}
                A < {{"type":"room","room":{{"id":1,"title":"Room 1"}},"users":[{{"id":1,"name":"User 1"}},{{"id":2,"name":"User 2"}},{{"id":3,"name":"User 3"}}],"userCount":3,"epoch":EPOCH,"seq":2,"complete":true,"events":[{{"type":"text","text":"one","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":1}},{{"type":"text","text":"two","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":2}}]}}
                B > {{"type":"text","text":"three"}}
                A < {{"type":"text","text":"three","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":3}}
                B < {{"type":"text","text":"three","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":3}}
                C < {{"type":"text","text":"three","from":{{"id":2,"name":"User 2"}}}}
                "#
            ),
        );
    }
}

#[test]
fn after_the_grace_the_user_has_left_and_gets_a_new_id() {
    play_with(
        &json!({ "resumeGraceSeconds": 1 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        B > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
        B < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        C connects
        C < {"type":"welcome","user":{"id":3,"name":"User 3"}}
        C > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":3,"name":"User 3"},"roomId":1,"time":TIME}
        B < {"type":"enter_room","user":{"id":3,"name":"User 3"},"roomId":1,"time":TIME}
        C < {"type":"enter_room","user":{"id":3,"name":"User 3"}}
        A vanishes
        B < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
        C < {"type":"leave_room","user":{"id":1,"name":"User 1"}}
        A resumes A
        A < {"type":"welcome","user":{"id":4,"name":"User 4"},"session":TOKEN,"resumed":false,…}
        A > {"type":"text","text":"am I in?","ref":"r"}
        A < {"type":"error","code":"not_in_room","message":"Enter a room first.","ref":"r"}
        "#,
    );
}

/// A and B are in a room.
const TOGETHER: &str = r#"
    A offers wschat.v2
    A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
    A > {"type":"enter_room","roomId":1}
    A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
    B offers wschat.v2
    B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
    B > {"type":"enter_room","roomId":1}
    A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
    B < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
"#;

#[test]
fn who_goes_away_has_left_after_the_short_grace() {
    for limits in [
        json!({ "resumeGraceSeconds": 600, "reloadGraceSeconds": 0 }),
        json!({ "resumeGraceSeconds": 600, "reloadGraceSeconds": 1 }),
        json!({ "resumeGraceSeconds": 0, "reloadGraceSeconds": 600 }),
    ] {
        let left = r#"
            A closes 1001
            A closed 1001
            B < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
            A resumes A
            A < {"type":"welcome","user":{"id":3,"name":"User 3"},"session":TOKEN,"resumed":false,…}
        "#;
        play_with(&limits, &format!("{TOGETHER}{left}"));
    }
}

#[test]
fn who_goes_away_and_comes_back_is_not_told_to_others() {
    let back = r#"
        A closes 1001
        A closed 1001
        A resumes A
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":true,"roomId":1,…}
    "#;
    play_with(&json!({ "reloadGraceSeconds": 600 }), &format!("{TOGETHER}{back}"));
}

#[test]
fn every_other_end_of_a_connection_leaves_the_long_grace() {
    for end in ["A closes\nA closed", "A closes 4000\nA closed 4000", "A vanishes", "A aborts"] {
        let back = r#"
            A resumes A
            A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":true,"roomId":1,…}
        "#;
        play_with(&json!({ "reloadGraceSeconds": 0 }), &format!("{TOGETHER}{end}{back}"));
    }
}

#[test]
fn a_client_of_the_base_protocol_leaves_at_once() {
    play_with(
        &json!({}),
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":2,"name":"User 2"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B < {"type":"enter_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
        A aborts
        B < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
        "#,
    );
}

#[test]
fn resuming_replaces_a_live_connection() {
    play_with(
        &json!({}),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        A2 resumes A
        A2 < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":true,"roomId":1,…}
        A closed 4001 replaced
        A2 > {"type":"enter_room","roomId":1}
        A2 < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A2 > {"type":"text","text":"here"}
        A2 < {"type":"text","text":"here","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1}
        B < {"type":"text","text":"here","from":{"id":1,"name":"User 1"}}
        A3 resumes A2
        A3 < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":true,"roomId":1,…}
        A2 closed 4001 replaced
        B > {"type":"text","text":"nobody left"}
        B < {"type":"text","text":"nobody left","from":{"id":2,"name":"User 2"}}
        "#,
    );
}

#[test]
fn a_session_without_a_room_resumes_without_one() {
    play_with(
        &json!({}),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"leave_room"}
        A < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
        A vanishes
        A resumes A
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":true,…}
        A > {"type":"leave_room"}
        A < {"type":"error","code":"not_in_room","message":"Enter a room first."}
        "#,
    );
}

#[test]
fn a_wrong_token_creates_a_new_user() {
    let program = Program::start(json!({ "history": { "file": null } }));
    let first = program.endpoint.v2_user();
    let token = first.token.clone();
    let wrong = [
        String::new(),
        "0".repeat(32),
        token[..31].to_owned(),
        format!("{token}0"),
        "x".repeat(32),
        "0".repeat(5_000),
    ];
    for (wrong, id) in wrong.iter().zip(2..) {
        let (client, welcome) =
            program.endpoint.connect_offering(&format!("wschat.v2, session.{wrong}"));
        assert_eq!(welcome["resumed"], false, "{welcome}");
        assert_eq!(welcome.get("roomId"), None, "{welcome}");
        assert_eq!(client.id, id);
        assert!(client.token != *wrong && client.token != token);
    }
    assert_eq!(program.endpoint.resume(&token).id, 1);
}

#[test]
fn sessions_rooms_and_history_survive_a_restart() {
    play_durably(
        &json!({}),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"change_name","name":"Ann"}
        A < {"type":"change_name","oldName":"User 1","newName":"Ann","userId":1,"time":TIME}
        A > {"type":"create_room","title":"Ann's","ref":"c"}
        A < {"type":"room_added","room":{"id":4,"title":"Ann's","userCount":0,"seq":0},"ref":"c"}
        A > {"type":"enter_room","roomId":4}
        A < {"type":"room","room":{"id":4,"title":"Ann's"},"users":[{"id":1,"name":"Ann"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        B > {"type":"enter_room","roomId":4}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":4,"time":TIME}
        B < {"type":"room","room":{"id":4,"title":"Ann's"},"users":[{"id":1,"name":"Ann"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"text","text":"one","ref":"r"}
        A < {"type":"text","text":"one","from":{"id":1,"name":"Ann"},"roomId":4,"time":TIME,"seq":1,"ref":"r"}
        B < {"type":"text","text":"one","from":{"id":1,"name":"Ann"},"roomId":4,"time":TIME,"seq":1,"ref":"r"}
        server dies
        B resumes B
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":true,"roomId":4,…}
        B > {"type":"enter_room","roomId":4,"since":{"epoch":EPOCH,"seq":1}}
        B < {"type":"room","room":{"id":4,"title":"Ann's"},"users":[{"id":1,"name":"Ann","away":true},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":1,"complete":true,"events":[]}
        A resumes A
        A < {"type":"welcome","user":{"id":1,"name":"Ann"},"session":TOKEN,"resumed":true,"roomId":4,…}
        A > {"type":"enter_room","roomId":4,"since":{"epoch":EPOCH,"seq":0}}
        A > {"type":"text","text":"one","ref":"r"}
        A > {"type":"text","text":"two","ref":"s"}
        A < {"type":"room","room":{"id":4,"title":"Ann's"},"users":[{"id":1,"name":"Ann"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":1,"complete":true,"events":[{"type":"text","text":"one","from":{"id":1,"name":"Ann"},"roomId":4,"time":TIME,"seq":1,"ref":"r"}]}
        A < {"type":"text","text":"one","from":{"id":1,"name":"Ann"},"roomId":4,"time":TIME,"seq":1,"ref":"r"}
        A < {"type":"text","text":"two","from":{"id":1,"name":"Ann"},"roomId":4,"time":TIME,"seq":2,"ref":"s"}
        B < {"type":"text","text":"two","from":{"id":1,"name":"Ann"},"roomId":4,"time":TIME,"seq":2,"ref":"s"}
        C offers wschat.v2
        C < {"type":"welcome","user":SOMEBODY,"session":TOKEN,"resumed":false,…}
        C > {"type":"create_room","title":"C's","ref":"c"}
        C < {"type":"room_added","room":{"id":NEW,"title":"C's","userCount":0,"seq":0},"ref":"c"}
        "#,
    );
}

#[test]
fn a_session_that_is_not_resumed_after_a_restart_leaves_after_the_grace() {
    play_durably(
        &json!({ "resumeGraceSeconds": 1 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        server dies
        B resumes B
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":true,…}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1","away":true},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
        A resumes A
        A < {"type":"welcome","user":SOMEBODY,"session":TOKEN,"resumed":false,…}
        "#,
    );
}

#[test]
fn a_resumed_client_that_has_not_entered_sees_its_own_leaving() {
    let program = Program::start(json!({ "history": { "file": null } }));
    let mut first = program.endpoint.v2_user();
    first.request(r#"{"type":"enter_room","roomId":1}"#);
    first.skip_to("room");
    let token = first.token.clone();
    drop(first);
    let mut back = program.endpoint.resume(&token);
    // It is still in the room, so its text is said there.
    back.request(r#"{"type":"text","text":"before entering","ref":"r"}"#);
    let said = back.skip_to("text");
    assert_eq!((&said["seq"], &said["ref"]), (&json!(1), &json!("r")), "it is answered");
    back.request(r#"{"type":"leave_room"}"#);
    let left = back.skip_to("leave_room");
    assert_eq!((&left["user"]["id"], &left["roomId"]), (&json!(1), &json!(1)));
    back.request(r#"{"type":"enter_room","roomId":1}"#);
    let room = back.skip_to("room");
    assert_eq!(room["events"][0]["text"], "before entering", "{room}");
    assert_eq!(room["seq"], 1);
}

#[test]
fn an_earlier_connection_does_not_replace_a_later_one() {
    let host = Host::start();
    let (first, welcome) = host.endpoint.connect_offering("wschat.v2");
    let token = welcome["session"].as_str().unwrap();
    let mut late = host.endpoint.connect();
    let mut next = host.endpoint.resume(token);
    drop(first);
    late.send(upgrade_offering(&format!("wschat.v2, session.{token}")));
    late.expect_switch_to(Some("wschat.v2"));
    late.expect_close(4001);
    next.request(r#"{"type":"leave_room","ref":"still here"}"#);
    assert_eq!(next.json()["ref"], "still here");
}
