//! The list of rooms in `wschat.v2`: subscribing to it, and what it contains.

use serde_json::json;

use crate::client::Client;
use crate::host::Program;
use crate::v2::play_with;

#[test]
fn list_rooms_subscribes_to_changes() {
    play_with(
        &json!({ "roomListIntervalMs": 0, "emptyRoomTtlSeconds": 1 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        C connects
        C < {"type":"welcome","user":{"id":3,"name":"User 3"}}
        C > {"type":"enter_room","roomId":3}
        C < {"type":"enter_room","user":{"id":3,"name":"User 3"}}
        A > {"type":"list_rooms","ref":"list"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","userCount":0,"seq":0},"2":{"id":2,"title":"Room 2","userCount":0,"seq":0},"3":{"id":3,"title":"Room 3","userCount":1,"seq":0}},"epoch":EPOCH,"ref":"list"}
        C > {"type":"leave_room"}
        C < {"type":"leave_room","user":{"id":3,"name":"User 3"}}
        A < {"type":"room_changed","room":{"id":3,"title":"Room 3","userCount":0,"seq":0}}
        B > {"type":"create_room","title":" new ","ref":"c"}
        B < {"type":"room_added","room":{"id":4,"title":"new","userCount":0,"seq":0},"ref":"c"}
        A < {"type":"room_added","room":{"id":4,"title":"new","userCount":0,"seq":0}}
        C < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}},"4":{"id":4,"title":"new","users":{}}}}
        B > {"type":"enter_room","roomId":4}
        B < {"type":"room","room":{"id":4,"title":"new"},"users":[{"id":2,"name":"User 2"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A < {"type":"room_changed","room":{"id":4,"title":"new","userCount":1,"seq":0}}
        B > {"type":"leave_room"}
        B < {"type":"leave_room","user":{"id":2,"name":"User 2"},"roomId":4,"time":TIME}
        A < {"type":"room_changed","room":{"id":4,"title":"new","userCount":0,"seq":0}}
        A < {"type":"room_removed","roomId":4}
        C < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}}}}
        B > {"type":"create_room","title":" new ","ref":"c"}
        B < {"type":"error","code":"already_said","message":"This was said before, and is no longer kept.","roomId":4,"ref":"c"}
        "#,
    );
}

#[test]
fn changes_of_a_room_are_coalesced_and_the_latest_is_sent() {
    let program = Program::start(json!({
        "history": { "file": null },
        "limits": { "roomListIntervalMs": 200, "messagesPerSecond": 0 },
    }));
    let mut watcher = program.endpoint.v2_user();
    watcher.request(r#"{"type":"list_rooms"}"#);
    watcher.skip_to("list_rooms");
    let mut others: [Client; 2] = std::array::from_fn(|_| program.endpoint.v2_user());
    let enter = r#"{"type":"enter_room","roomId":1}"#;
    for _ in 0..50 {
        others[0].request(enter);
        others[0].request(r#"{"type":"leave_room"}"#);
    }
    others[0].request(enter);
    for _ in 0..51 {
        others[0].skip_to("room");
    }
    others[1].request(enter);
    let mut told = 1;
    while watcher.skip_to("room_changed")["room"]["userCount"] != 2 {
        told += 1;
    }
    assert!(told <= 20, "{told} times");
    watcher.request(r#"{"type":"list_rooms"}"#);
    assert_eq!(watcher.skip_to("list_rooms")["rooms"]["1"]["userCount"], 2);
}

#[test]
fn the_list_of_rooms_has_the_seq_of_each_room() {
    play_with(
        &json!({ "roomListIntervalMs": 0 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":2}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        B > {"type":"text","text":"before"}
        B < {"type":"text","text":"before","from":{"id":2,"name":"User 2"}}
        A > {"type":"list_rooms"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","userCount":0,"seq":0},"2":{"id":2,"title":"Room 2","userCount":1,"seq":1},"3":{"id":3,"title":"Room 3","userCount":0,"seq":0}},"epoch":EPOCH}
        B > {"type":"text","text":"one"}
        B < {"type":"text","text":"one","from":{"id":2,"name":"User 2"}}
        A < {"type":"room_changed","room":{"id":2,"title":"Room 2","userCount":1,"seq":2}}
        B > {"type":"gif","gifId":3}
        B < {"type":"gif","gifId":3,"from":{"id":2,"name":"User 2"}}
        A < {"type":"room_changed","room":{"id":2,"title":"Room 2","userCount":1,"seq":3}}
        B > {"type":"text","text":" "}
        B < {"type":"error","code":"bad_text","message":"A text must not be empty."}
        B > {"type":"leave_room"}
        B < {"type":"leave_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"room_changed","room":{"id":2,"title":"Room 2","userCount":0,"seq":3}}
        B > {"type":"list_rooms"}
        B < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}}}}
        "#,
    );
}

#[test]
fn who_asks_is_told_who_is_away_and_pages_through_the_users() {
    play_with(
        &json!({ "roomListIntervalMs": 0 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        A > {"type":"hello","features":["presence"]}
        A < {"type":"hello","features":["presence"],"maxFrameBytes":917504}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
        B vanishes
        A < {"type":"presence","roomId":1,"users":[{"id":2,"away":true}],"time":TIME}
        A > {"type":"users","roomId":1,"limit":1,"ref":"u"}
        A < {"type":"users","roomId":1,"users":[{"id":1,"name":"User 1"}],"userCount":2,"more":true,"ref":"u"}
        A > {"type":"users","roomId":1,"after":1}
        A < {"type":"users","roomId":1,"users":[{"id":2,"name":"User 2","away":true}],"userCount":2,"more":false}
        A > {"type":"users","roomId":9}
        A < {"type":"error","code":"unknown_room","message":"There is no room 9."}
        B resumes B
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":true,"roomId":1,…}
        A < {"type":"presence","roomId":1,"users":[{"id":2,"away":false}],"time":TIME}
        B > {"type":"text","text":"Here","ref":"r"}
        A < {"type":"text","text":"Here","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        B < {"type":"text","text":"Here","from":{"id":2,"name":"User 2"},"roomId":1,"time":TIME,"seq":1,"ref":"r"}
        A > {"type":"list_rooms","after":2}
        A < {"type":"list_rooms","rooms":{"3":{"id":3,"title":"Room 3","userCount":0,"seq":0}},"epoch":EPOCH}
        "#,
    );
}

#[test]
fn a_client_with_short_frames_can_enter_a_room_and_read_all_of_it() {
    let program = Program::start(json!({
        "history": { "file": null },
        "limits": { "messagesPerSecond": 0 },
    }));
    let mut author = program.endpoint.v2_user();
    author.request(r#"{"type":"enter_room","roomId":1}"#);
    author.skip_to("room");
    for _ in 0..30 {
        let text = "\"\\\n".repeat(400);
        author.request(&json!({ "type": "text", "text": text }).to_string());
        author.skip_to("text");
    }
    let mut reader = program.endpoint.v2_user();
    reader.request(r#"{"type":"hello","maxFrameBytes":4096}"#);
    reader.skip_to("hello");
    reader.request(r#"{"type":"enter_room","roomId":1}"#);
    let room = reader.skip_to("room");
    assert!(room.to_string().len() <= 4_096, "{room}");
    let mut oldest = room["events"][0]["seq"].as_u64().expect("the newest fits");
    while oldest > 1 {
        reader.request(&format!(r#"{{"type":"history","roomId":1,"before":{oldest}}}"#));
        let page = reader.skip_to("history");
        assert!(page.to_string().len() <= 4_096, "{page}");
        let events = page["events"].as_array().expect("events");
        assert_eq!(events.last().expect("one at least")["seq"], oldest - 1);
        oldest = events[0]["seq"].as_u64().expect("a number");
        assert_eq!(page["more"], oldest > 1);
    }
}

#[test]
fn previews_show_who_is_in_rooms_and_what_was_said_last() {
    play_with(
        &json!({ "maxTextChars": 4_000 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        B > {"type":"enter_room","roomId":2}
        B < {"type":"room","room":{"id":2,"title":"Room 2"},"users":[{"id":2,"name":"User 2"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A > {"type":"previews","roomIds":[3,2,9],"ref":"p"}
        A < {"type":"previews","epoch":EPOCH,"previews":[{"roomId":3,"userCount":0,"users":[]},{"roomId":2,"userCount":1,"users":[{"id":2,"name":"User 2"}]}],"ref":"p"}
        B > {"type":"text","text":"One"}
        B > {"type":"text","text":"Two"}
        B > {"type":"previews","roomIds":[2]}
        B > {"type":"gif","gifId":3}
        B < {"type":"text","text":"One","from":{"id":2,"name":"User 2"},"roomId":2,"time":TIME,"seq":1}
        B < {"type":"text","text":"Two","from":{"id":2,"name":"User 2"},"roomId":2,"time":TIME,"seq":2}
        B < {"type":"previews","epoch":EPOCH,"previews":[{"roomId":2,"userCount":1,"users":[{"id":2,"name":"User 2"}],"last":{"type":"text","text":"Two","from":{"id":2,"name":"User 2"},"time":TIME,"seq":2}}]}
        B < {"type":"gif","gifId":3,"from":{"id":2,"name":"User 2"},"roomId":2,"time":TIME,"seq":3}
        A > {"type":"previews","roomIds":["2"]}
        A < {"type":"previews","epoch":EPOCH,"previews":[{"roomId":2,"userCount":1,"users":[{"id":2,"name":"User 2"}],"last":{"type":"gif","gifId":3,"from":{"id":2,"name":"User 2"},"time":TIME,"seq":3}}]}
        A > {"type":"previews","roomIds":[],"ref":"none"}
        A < {"type":"error","code":"bad_request","message":"\"roomIds\" must be an array of 1 to 20 ids of rooms.","ref":"none"}
        A > {"type":"previews","roomIds":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]}
        A < {"type":"error","code":"bad_request","message":"\"roomIds\" must be an array of 1 to 20 ids of rooms."}
        A > {"type":"previews","roomIds":[1,"x"]}
        A < {"type":"error","code":"bad_request","message":"\"roomIds\" must be an array of 1 to 20 ids of rooms."}
        "#,
    );
}

#[test]
fn the_list_of_rooms_counts_mentions_also_for_who_is_away() {
    play_with(
        &json!({ "roomListIntervalMs": 0 }),
        r#"
        A offers wschat.v2
        A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
        B offers wschat.v2
        B < {"type":"welcome","user":{"id":2,"name":"User 2"},"session":TOKEN,"resumed":false,…}
        A > {"type":"hello","features":["mentions","presence"]}
        A < {"type":"hello","features":["presence","mentions"],"maxFrameBytes":917504}
        A > {"type":"change_name","name":"Ada L"}
        A < {"type":"change_name","oldName":"User 1","newName":"Ada L","userId":1,"time":TIME}
        A > {"type":"list_rooms"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","userCount":0,"seq":0},"2":{"id":2,"title":"Room 2","userCount":0,"seq":0},"3":{"id":3,"title":"Room 3","userCount":0,"seq":0}},"epoch":EPOCH}
        B > {"type":"enter_room","roomId":2}
        B < {"type":"room","room":{"id":2,"title":"Room 2"},"users":[{"id":2,"name":"User 2"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
        A < {"type":"room_changed","room":{"id":2,"title":"Room 2","userCount":1,"seq":0}}
        B > {"type":"text","text":"Hi @ADA L!"}
        B < {"type":"text","text":"Hi @ADA L!","from":{"id":2,"name":"User 2"},"roomId":2,"time":TIME,"seq":1}
        A < {"type":"room_changed","room":{"id":2,"title":"Room 2","userCount":1,"seq":1,"mentions":1}}
        A vanishes
        B > {"type":"text","text":"@ada l?"}
        B < {"type":"text","text":"@ada l?","from":{"id":2,"name":"User 2"},"roomId":2,"time":TIME,"seq":2}
        A resumes A
        A < {"type":"welcome","user":{"id":1,"name":"Ada L"},"session":TOKEN,"resumed":true,…}
        A > {"type":"hello","features":["mentions"]}
        A < {"type":"hello","features":["mentions"],"maxFrameBytes":917504}
        A > {"type":"list_rooms","ref":"l"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","userCount":0,"seq":0},"2":{"id":2,"title":"Room 2","userCount":1,"seq":2,"mentions":2},"3":{"id":3,"title":"Room 3","userCount":0,"seq":0}},"epoch":EPOCH,"ref":"l"}
        A > {"type":"enter_room","roomId":2}
        A < {"type":"room","room":{"id":2,"title":"Room 2"},"users":[{"id":1,"name":"Ada L"},{"id":2,"name":"User 2"}],"userCount":2,"epoch":EPOCH,"seq":2,"complete":true,"events":[{"type":"text","text":"Hi @ADA L!","from":{"id":2,"name":"User 2"},"roomId":2,"time":TIME,"seq":1},{"type":"text","text":"@ada l?","from":{"id":2,"name":"User 2"},"roomId":2,"time":TIME,"seq":2}]}
        A < {"type":"room_changed","room":{"id":2,"title":"Room 2","userCount":2,"seq":2}}
        B < {"type":"enter_room","user":{"id":1,"name":"Ada L"},"roomId":2,"time":TIME}
        "#,
    );
}
