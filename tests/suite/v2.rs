//! `wschat.v2` beside the base protocol: a transcript for each rule, played by real clients with the
//! history in memory and again with the history in a file.

use serde_json::{Value, json};

use crate::host::Program;
use crate::nodes::play_on_nodes;
use crate::player::Player;
pub(crate) use crate::player::play_durably;

/// Plays the transcript with the default settings.
#[track_caller]
fn play(script: &str) {
    play_with(&json!({}), script);
}

/// Plays the transcript with these limits: with the history in memory, in a file, and on the nodes of a cluster.
#[track_caller]
pub(crate) fn play_with(limits: &Value, script: &str) {
    let in_memory = json!({ "limits": limits, "history": { "file": null } });
    Player::of(&mut Program::start(in_memory)).play(script);
    play_durably(limits, script);
    play_on_nodes(limits, script);
}

#[test]
fn the_welcome_has_all_members_in_order() {
    let program = Program::start(json!({ "history": { "file": null } }));
    let (client, welcome) = program.endpoint.connect_offering("chat, wschat.v2");
    let token = welcome["session"].as_str().expect("a token").to_owned();
    // The order of the members is part of the protocol, so this compares text.
    let text = {
        client.abort();
        let mut client = program.endpoint.connect();
        client.send(crate::client::upgrade_offering("wschat.v2,session.unknown"));
        client.expect_switch_to(Some("wschat.v2"));
        client.text()
    };
    let again: Value = serde_json::from_str(&text).expect(&text);
    assert_eq!(again["epoch"], welcome["epoch"]);
    let other = text.split(r#""session":""#).nth(1).and_then(|rest| rest.get(..32)).expect(&text);
    assert_ne!(other, token);
    let expected = format!(
        concat!(
            r#"{{"type":"welcome","user":{{"id":2,"name":"User 2"}},"session":"{}","resumed":false,"#,
            r#""epoch":"{}","time":{},"features":["presence","users","history.after","history.around","mentions","previews"],"server":{{"name":"wschat","version":"{}"}},"#,
            r#""limits":{{"maxMessageBytes":65536,"maxTextChars":4000,"maxNameChars":32,"#,
            r#""maxTitleChars":64,"messagesPerSecond":10.0,"messageBurst":30,"#,
            r#""pingIntervalMs":25000,"resumeGraceSeconds":60,"historyOnEnter":50,"#,
            r#""historyMaxPage":100,"maxFrameBytes":917504,"usersMaxPage":250}},"#,
            r#""gifs":[{{"id":1,"alt":""#
        ),
        other,
        again["epoch"].as_str().expect("an epoch"),
        again["time"].as_u64().expect("a time"),
        env!("CARGO_PKG_VERSION"),
    );
    assert!(text.starts_with(&expected), "{text}");
    for (gif, id) in welcome["gifs"].as_array().expect("gifs").iter().zip(1..) {
        assert_eq!(gif["id"], id);
        assert!(!gif["alt"].as_str().expect("words").is_empty(), "{gif}");
    }
}

#[test]
fn a_client_that_offers_no_known_version_speaks_the_base_protocol() {
    let program = Program::start(json!({ "history": { "file": null } }));
    for offer in ["chat", "wschat.v1", "wschat.v22", "session.0123456789abcdef0123456789abcdef"] {
        let mut client = program.endpoint.connect();
        client.send(crate::client::upgrade_offering(offer));
        client.expect_switch();
        client.expect_welcome();
        client.expect_nothing_more();
    }
}

#[test]
fn each_member_gets_every_event_in_its_own_version() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        A > {"type":"enter_room","roomId":"1","ref":"let me in"}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[],"ref":"let me in"}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
        A > {"type":"text","text":"from \"A\"","ref":"1"}
        A < {"type":"text","text":"from \"A\"","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"1"}
        B < {"type":"text","text":"from \"A\"","from":{"id":1,"name":"User 1"}}
        B > {"type":"text","text":"from B","ref":"1"}
        A < {"type":"text","text":"from B","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":2}
        B < {"type":"text","text":"from B","from":{"id":2,"name":"User 2"}}
        B > {"type":"text","text":"from B","ref":"1"}
        A < {"type":"text","text":"from B","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":3}
        B < {"type":"text","text":"from B","from":{"id":2,"name":"User 2"}}
        A > {"type":"gif","gifId":"3"}
        A < {"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":4}
        B < {"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"}}
        C offers wschat.v2
        C < {"type":"welcome","user":{"id":3,"name":"User 3"},"session":TOKEN,"resumed":false,…}
        C > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":3,"name":"User 3"},"roomId":1,"time":TIME}
        B < {"type":"enter_room","user":{"id":3,"name":"User 3"}}
        C < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"},{"id":3,"name":"User 3"}],"userCount":3,"epoch":EPOCH,"seq":4,"complete":true,"events":[{"type":"text","text":"from \"A\"","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"1"},{"type":"text","text":"from B","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":2},{"type":"text","text":"from B","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":3},{"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":4}]}
        C > {"type":"leave_room"}
        C < {"type":"leave_room","user":{"id":3,"name":"User 3"},"roomId":1,"time":TIME}
        A < {"type":"leave_room","user":{"id":3,"name":"User 3"},"roomId":1,"time":TIME}
        B < {"type":"leave_room","user":{"id":3,"name":"User 3"}}
        B vanishes
        A < {"type":"leave_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
        "#,
    );
}

#[test]
fn entering_again_or_another_room_sends_a_snapshot() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
        B < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"text","text":"one"}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1}
        B < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":1,"complete":true,"events":[{"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1}]}
        A > {"type":"enter_room","roomId":2}
        A < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
        B < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME}
        A < {"type":"room","room":{"id":2,"title":"Room 2"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"text","text":"elsewhere"}
        A < {"type":"text","text":"elsewhere","from":{"id":1,"name":"User 1"},"roomId":2,"time":TIME,"seq":1}
        B > {"type":"text","text":"two"}
        B < {"type":"text","text":"two","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":2}
        "#,
    );
}

#[test]
fn with_a_since_a_room_shows_what_was_said_after_it() {
    play_with(
        &json!({ "historyOnEnter": 2 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"enter_room","roomId":1}
        A > {"type":"text","text":"one"}
        A > {"type":"text","text":"two"}
        A > {"type":"text","text":"three"}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1}
        A < {"type":"text","text":"two","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2}
        A < {"type":"text","text":"three","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":3,"complete":true,"events":[{"type":"text","text":"two","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2},{"type":"text","text":"three","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}]}
        A > {"type":"enter_room","roomId":1,"since":{"epoch":EPOCH,"seq":0}}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":3,"complete":true,"events":[{"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1},{"type":"text","text":"two","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2},{"type":"text","text":"three","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}]}
        A > {"type":"enter_room","roomId":1,"since":{"epoch":EPOCH,"seq":2}}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":3,"complete":true,"events":[{"type":"text","text":"three","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}]}
        A > {"type":"enter_room","roomId":1,"since":{"epoch":EPOCH,"seq":3}}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":3,"complete":true,"events":[]}
        A > {"type":"enter_room","roomId":1,"since":{"epoch":"0","seq":3}}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":3,"complete":false,"reset":true,"events":[{"type":"text","text":"two","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2},{"type":"text","text":"three","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}]}
        "#,
    );
}

#[test]
fn a_since_beyond_the_last_seq_is_not_complete() {
    let program = Program::start(json!({ "history": { "file": null } }));
    let mut client = program.endpoint.v2_user();
    client.request(r#"{"type":"enter_room","roomId":1}"#);
    let epoch = client.json()["epoch"].clone();
    let since = json!({ "epoch": epoch, "seq": 7 });
    client.request(&json!({ "type": "enter_room", "roomId": 1, "since": since }).to_string());
    let room = client.json();
    assert_eq!((&room["complete"], &room["seq"]), (&json!(false), &json!(0)), "{room}");
}

#[test]
fn more_messages_than_fit_into_one_frame_are_not_complete() {
    for history in [json!(null), json!("wschat.db")] {
        let program = Program::start(json!({
            "history": { "file": history },
            "limits": { "outboxMaxBytes": 65_536, "messagesPerSecond": 0 },
        }));
        let mut client = program.endpoint.v2_user();
        client.request(r#"{"type":"enter_room","roomId":1}"#);
        let epoch = client.json()["epoch"].clone();
        for seq in 1..=50 {
            client.say(&format!("{seq:04000}"));
            assert_eq!(client.json()["seq"], seq);
        }
        let since = json!({ "epoch": epoch, "seq": 0 });
        client.request(&json!({ "type": "enter_room", "roomId": 1, "since": since }).to_string());
        let text = client.text();
        assert!(text.len() <= 65_536, "{} bytes", text.len());
        let room: Value = serde_json::from_str(&text).expect(&text);
        let seqs = seqs(&room["events"]);
        assert_eq!((&room["complete"], &room["seq"]), (&json!(false), &json!(50)));
        assert!(seqs.len() > 5, "{seqs:?}");
        assert_eq!(seqs, (51 - seqs.len() as u64..=50).collect::<Vec<_>>());
    }
}

#[test]
fn messages_that_are_no_longer_kept_are_not_complete() {
    for history in [json!(null), json!("wschat.db")] {
        let program = Program::start(json!({
            "history": { "file": history },
            "limits": { "historyMaxEvents": 10, "messagesPerSecond": 0 },
        }));
        let mut client = program.endpoint.v2_user();
        client.request(r#"{"type":"enter_room","roomId":1}"#);
        let epoch = client.json()["epoch"].clone();
        // Old messages are removed in the background, after a while.
        let mut seq = 0;
        let room = loop {
            seq += 1;
            client.say("and on");
            assert_eq!(client.json()["seq"], seq);
            let since = json!({ "epoch": epoch, "seq": 1 });
            let request = json!({ "type": "enter_room", "roomId": 1, "since": since });
            client.request(&request.to_string());
            let room = client.json();
            if room["complete"] == false {
                break room;
            }
            assert_eq!(seqs(&room["events"]), (2..=seq).collect::<Vec<_>>());
            assert!(seq < 20_000, "nothing is removed");
        };
        let kept = seqs(&room["events"]);
        assert!(kept.len() >= 10, "{kept:?}");
        assert!(kept[0] > 2, "{kept:?}");
        assert_eq!(kept, (kept[0]..=seq).collect::<Vec<_>>());
        client.request(r#"{"type":"history","roomId":1,"before":2}"#);
        let page = client.skip_to("history");
        assert_eq!((&page["events"], &page["more"]), (&json!([]), &json!(false)), "{page}");
    }
}

fn seqs(events: &Value) -> Vec<u64> {
    let events = events.as_array().expect("events");
    events.iter().map(|event| event["seq"].as_u64().expect("a seq")).collect()
}

#[test]
fn history_pages_backwards() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"history","roomId":1}
        A < {"type":"history","roomId":1,"epoch":EPOCH,"events":[],"more":false,"newer":false}
        A > {"type":"enter_room","roomId":1}
        A > {"type":"text","text":"one","ref":"r"}
        A > {"type":"gif","gifId":2}
        A > {"type":"text","text":"three"}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        A < {"type":"gif","gifId":2,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2}
        A < {"type":"text","text":"three","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        B > {"type":"history","roomId":1,"limit":2,"ref":"newest"}
        B < {"type":"history","roomId":1,"epoch":EPOCH,"events":[{"type":"gif","gifId":2,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2},{"type":"text","text":"three","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}],"more":true,"newer":false,"ref":"newest"}
        B > {"type":"history","roomId":"1","before":2,"limit":2}
        B < {"type":"history","roomId":1,"epoch":EPOCH,"events":[{"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}],"more":false,"newer":true}
        B > {"type":"history","roomId":1,"before":3,"limit":2}
        B < {"type":"history","roomId":1,"epoch":EPOCH,"events":[{"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"},{"type":"gif","gifId":2,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2}],"more":false,"newer":true}
        B > {"type":"history","roomId":1,"before":1}
        B < {"type":"history","roomId":1,"epoch":EPOCH,"events":[],"more":false,"newer":true}
        B > {"type":"history","roomId":9,"ref":"lost"}
        B < {"type":"error","code":"unknown_room","message":"There is no room 9.","ref":"lost"}
        "#,
    );
}

#[test]
fn a_text_with_a_repeated_ref_is_not_said_again() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
        B < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"text","text":"one","ref":"r"}
        A > {"type":"text","text":"one","ref":"r"}
        A > {"type":"text","text":"two"}
        A > {"type":"gif","gifId":1,"ref":"r"}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        A < {"type":"text","text":"two","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        B < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        B < {"type":"text","text":"two","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2}
        B > {"type":"text","text":"somebody else's","ref":"r"}
        A < {"type":"text","text":"somebody else's","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":3,"ref":"r"}
        B < {"type":"text","text":"somebody else's","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":3,"ref":"r"}
        A aborts
        A resumes A
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":true,"roomId":1,…}
        A > {"type":"enter_room","roomId":1,"since":{"epoch":EPOCH,"seq":3}}
        A > {"type":"text","text":"one","ref":"r"}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":3,"complete":true,"events":[]}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        "#,
    );
}

#[test]
fn a_ref_is_an_ordinary_string_of_up_to_64_characters() {
    let long = "ö".repeat(64);
    play(&format!(
        r#"
        A offers wschat.v2
        A < {{"type":"welcome","user":{{"id":1,"name":"User 1"}},"session":TOKEN,"resumed":false,…}}
        A > {{"type":"text","text":"too early","ref":"{long}"}}
        A < {{"type":"error","code":"not_in_room","message":"Enter a room first.","ref":"{long}"}}
        A > {{"type":"text","text":"x","ref":"{long}ö"}}
        A < {{"type":"error","code":"bad_request","message":"\"ref\" must be a string of 1 to 64 characters."}}
        A > {{"type":"text","text":"x","ref":""}}
        A < {{"type":"error","code":"bad_request","message":"\"ref\" must be a string of 1 to 64 characters."}}
        A > {{"type":"enter_room","roomId":9,"ref":"\"\\"}}
        A < {{"type":"error","code":"unknown_room","message":"There is no room 9.","ref":"\"\\"}}
        A > {{"type":"text","text":"   ","ref":"blank"}}
        A < {{"type":"error","code":"not_in_room","message":"Enter a room first.","ref":"blank"}}
        A > {{"type":"dance","ref":"unknown"}}
        A < {{"type":"error","code":"unknown_type","message":"There is no request of type \"dance\".","ref":"unknown"}}
        A > {{"type":"typing","ref":"t"}}
        A < {{"type":"error","code":"not_in_room","message":"Enter a room first.","ref":"t"}}
        A > {{"type":"leave_room","ref":"l"}}
        A < {{"type":"error","code":"not_in_room","message":"Enter a room first.","ref":"l"}}
        "#
    ));
}

#[test]
fn typing_is_throttled_and_told_only_to_others_of_this_version() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        C connects
        C < {"type":"welcome","user":{"id":3,"name":"User 3"}}
        A > {"type":"enter_room","roomId":2}
        A < {"type":"room","room":{"id":2,"title":"Room 2"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B > {"type":"enter_room","roomId":2}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":2,"time":TIME}
        B < {"type":"room","room":{"id":2,"title":"Room 2"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        C > {"type":"enter_room","roomId":2}
        A < {"type":"enter_room","user":{"id":3,"name":"User 3"},"roomId":2,"time":TIME}
        B < {"type":"enter_room","user":{"id":3,"name":"User 3"},"roomId":2,"time":TIME}
        C < {"type":"enter_room","user":{"id":3,"name":"User 3"}}
        A > {"type":"typing"}
        A > {"type":"typing","ref":"too often"}
        A > {"type":"text","text":"done"}
        A < {"type":"typing","user":{"id":1,"name":"User 1"},"roomId":2,"time":TIME,"ref":"too often"}
        A < {"type":"text","text":"done","from":{"id":1,"name":"User 1"},"roomId":2,"time":TIME,"seq":1}
        B < {"type":"typing","user":{"id":1,"name":"User 1"},"roomId":2,"time":TIME}
        B < {"type":"text","text":"done","from":{"id":1,"name":"User 1"},"roomId":2,"time":TIME,"seq":1}
        C < {"type":"text","text":"done","from":{"id":1,"name":"User 1"}}
        C > {"type":"typing"}
        C < {"type":"error","code":"unknown_type","message":"There is no request of type \"typing\"."}
        "#,
    );
}

#[test]
fn a_new_name_is_told_to_the_room_or_only_to_its_owner_outside() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"change_name","name":" Änne "}
        A < {"type":"change_name","oldName":"User 1","newName":"Änne","userId":1,"time":TIME}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"Änne"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A > {"type":"change_name","name":"Ann","ref":"n"}
        A < {"type":"change_name","oldName":"Änne","newName":"Ann","userId":1,"roomId":1,"time":TIME,"ref":"n"}
        B < {"type":"change_name","oldName":"Änne","newName":"Ann"}
        B > {"type":"change_name","name":"Bo"}
        A < {"type":"change_name","oldName":"User 2","newName":"Bo","userId":2,"roomId":1,"time":TIME}
        B < {"type":"change_name","oldName":"User 2","newName":"Bo"}
        A > {"type":"change_name","name":"","ref":"none"}
        A < {"type":"error","code":"bad_name","message":"A name must not be empty.","ref":"none"}
        A vanishes
        A resumes A
        A < {"type":"welcome","user":{"id":1,"name":"Ann"},"session":TOKEN,"resumed":true,"roomId":1,…}
        "#,
    );
}

#[test]
fn a_request_may_name_its_room_and_does_nothing_in_another() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"text","text":"x","roomId":1,"ref":"a"}
        A < {"type":"error","code":"not_in_room","message":"You are not in room 1.","ref":"a"}
        A > {"type":"enter_room","roomId":2}
        A < {"type":"room","room":{"id":2,"title":"Room 2"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"text","text":"x","roomId":1,"ref":"a"}
        A > {"type":"gif","gifId":1,"roomId":"1","ref":"b"}
        A > {"type":"typing","roomId":1,"ref":"c"}
        A > {"type":"leave_room","roomId":1,"ref":"d"}
        A > {"type":"leave_room","roomId":-1,"ref":"e"}
        A < {"type":"error","code":"not_in_room","message":"You are not in room 1.","ref":"a"}
        A < {"type":"error","code":"not_in_room","message":"You are not in room 1.","ref":"b"}
        A < {"type":"error","code":"not_in_room","message":"You are not in room 1.","ref":"c"}
        A < {"type":"error","code":"not_in_room","message":"You are not in room 1.","ref":"d"}
        A < {"type":"error","code":"bad_request","message":"\"roomId\" must be a whole number from 0 to 9007199254740991, or a string of its digits.","ref":"e"}
        A > {"type":"text","text":"x","roomId":"2","ref":"a"}
        A < {"type":"text","text":"x","from":{"id":1,"name":"User 1"},"roomId":2,"time":TIME,"seq":1,"ref":"a"}
        A > {"type":"enter_room","roomId":1,"ref":"f"}
        A < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":2,"time":TIME}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[],"ref":"f"}
        A > {"type":"text","text":"x","roomId":2,"ref":"a"}
        A < {"type":"text","text":"x","from":{"id":1,"name":"User 1"},"roomId":2,"time":TIME,"seq":1,"ref":"a"}
        A > {"type":"leave_room","roomId":1,"ref":"g"}
        A < {"type":"leave_room","user":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"ref":"g"}
        "#,
    );
}

#[test]
fn hello_says_what_is_in_use() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"hello"}
        A < {"type":"hello","features":[],"maxFrameBytes":917504}
        A > {"type":"hello","features":["presence","of mind"],"maxFrameBytes":4096,"ref":"h"}
        A < {"type":"hello","features":["presence"],"maxFrameBytes":4096,"ref":"h"}
        A > {"type":"hello","maxFrameBytes":4095}
        A < {"type":"error","code":"bad_request","message":"\"maxFrameBytes\" must be 4096 or more."}
        A > {"type":"hello","features":"presence"}
        A < {"type":"error","code":"bad_request","message":"\"features\" must be an array of strings."}
        A > {"type":"hello","features":[],"maxFrameBytes":9007199254740991}
        A < {"type":"hello","features":[],"maxFrameBytes":917504}
        "#,
    );
}

#[test]
fn history_pages_forwards_and_around_a_message() {
    play(
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        A > {"type":"enter_room","roomId":1}
        A > {"type":"gif","gifId":1}
        A > {"type":"gif","gifId":2}
        A > {"type":"gif","gifId":3}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A < {"type":"gif","gifId":1,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1}
        A < {"type":"gif","gifId":2,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2}
        A < {"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}
        A > {"type":"history","roomId":1,"after":0,"limit":1}
        A > {"type":"history","roomId":1,"after":"2","ref":"a"}
        A > {"type":"history","roomId":1,"around":2,"limit":1,"maxBytes":1024}
        A > {"type":"history","roomId":1,"after":1,"before":3,"ref":"b"}
        A < {"type":"history","roomId":1,"epoch":EPOCH,"events":[{"type":"gif","gifId":1,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1}],"more":false,"newer":true}
        A < {"type":"history","roomId":1,"epoch":EPOCH,"events":[{"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}],"more":true,"newer":false,"ref":"a"}
        A < {"type":"history","roomId":1,"epoch":EPOCH,"events":[{"type":"gif","gifId":2,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2}],"more":true,"newer":true}
        A < {"type":"error","code":"bad_request","message":"Only one of \"before\", \"after\" and \"around\" can be given.","ref":"b"}
        A > {"type":"enter_room","roomId":1,"since":{"epoch":EPOCH,"seq":3,"time":5}}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":3,"complete":false,"reset":true,"events":[{"type":"gif","gifId":1,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":1},{"type":"gif","gifId":2,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":2},{"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"},"roomId":1,"time":TIME,"seq":3}]}
        "#,
    );
}
