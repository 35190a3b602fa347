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
