//! What the operator commands: who is there, kicking, announcing and erasing, as clients of both protocols
//! see it, with the history in memory and again in a file.

use std::fs;

use serde_json::{Value, json};

use crate::client::V2;
use crate::host::Host;
use crate::player::Player;

/// Plays the transcript against a new server of each kind.
#[track_caller]
fn play(script: &str) {
    let host = Host::start();
    Player::operating(&host).play(script);
    host.stop();
    let folder = tempfile::tempdir().unwrap();
    let host = Host::with(|settings| settings.history.file = Some(folder.path().join("wschat.db")));
    Player::operating(&host).play(script);
    host.stop();
}

/// Two members of room 1, the first in `wschat.v2`, and one client in no room.
const TWO_MEMBERS: &str = r#"
    A offers wschat.v2
    A < {"type":"welcome","user":{"id":1,"name":"User 1"},"session":TOKEN,"resumed":false,…}
    A > {"type":"enter_room","roomId":1}
    A < {"type":"room","room":{"id":1,"title":"Room 1"},"users":[{"id":1,"name":"User 1"}],"userCount":1,"epoch":EPOCH,"seq":0,"complete":true,"events":[]}
    B connects
    B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
    B > {"type":"enter_room","roomId":1}
    B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
    A < {"type":"enter_room","user":{"id":2,"name":"User 2"},"roomId":1,"time":TIME}
    C offers wschat.v2
    C < {"type":"welcome","user":{"id":3,"name":"User 3"},"session":TOKEN,"resumed":false,…}
"#;

#[test]
fn everyone_is_told_an_announcement_in_a_room_or_not() {
    play(&format!(
        r#"{TWO_MEMBERS}
        D connects
        D < {{"type":"welcome","user":{{"id":4,"name":"User 4"}}}}
        operator POST /v1/announce {{"text":"Back at \"noon\".\nReally."}}
        operator < 200 {{"told":4}}
        A < {{"type":"announcement","text":"Back at \"noon\".\nReally.","time":TIME}}
        B < {{"type":"text","text":"Back at \"noon\".\nReally.","from":{{"id":0,"name":"Server"}}}}
        C < {{"type":"announcement","text":"Back at \"noon\".\nReally.","time":TIME}}
        D < {{"type":"text","text":"Back at \"noon\".\nReally.","from":{{"id":0,"name":"Server"}}}}
        A > {{"type":"history","roomId":1}}
        A < {{"type":"history","roomId":1,"epoch":EPOCH,"events":[],"more":false,"newer":false}}
        operator POST /v1/announce {{"text":" "}}
        operator < 400 {{"error":"A text must not be empty."}}
        operator POST /v1/announce {{"text":"\u001b[2J"}}
        operator < 400 {{"error":"A text must not hold control characters other than tabs and line breaks (U+001B)."}}
        "#
    ));
}

#[test]
fn a_kicked_user_is_gone_for_good() {
    play(&format!(
        r#"{TWO_MEMBERS}
        operator POST /v1/kick {{"user":1,"reason":"spam"}}
        operator < 200 {{"kicked":[1]}}
        A closed 4003 kicked
        B < {{"type":"leave_room","user":{{"id":1,"name":"User 1"}}}}
        A resumes A
        A < {{"type":"welcome","user":{{"id":4,"name":"User 4"}},"session":TOKEN,"resumed":false,…}}
        operator POST /v1/kick {{"user":2}}
        operator < 200 {{"kicked":[2]}}
        B closed 4003 kicked
        operator POST /v1/kick {{"user":2}}
        operator < 404 {{"error":"There is no user 2. GET /v1/clients lists who is there."}}
        operator GET /v1/rooms
        operator < 200 {{"rooms":[{{"id":1,"title":"Room 1","users":0,"away":0,"seq":0,"isPermanent":true}},{{"id":2,"title":"Room 2","users":0,"away":0,"seq":0,"isPermanent":true}},{{"id":3,"title":"Room 3","users":0,"away":0,"seq":0,"isPermanent":true}}]}}
        "#
    ));
}

#[test]
fn everyone_from_an_address_is_kicked() {
    play(&format!(
        r#"{TWO_MEMBERS}
        C vanishes
        operator POST /v1/kick {{"address":"127.0.0.2"}}
        operator < 404 {{"error":"There is nobody from 127.0.0.2. GET /v1/clients lists who is there."}}
        operator POST /v1/kick {{"address":"127.0.0.1"}}
        operator < 200 {{"kicked":[1,2,3]}}
        A closed 4003 kicked
        B closed 4003 kicked
        "#
    ));
}

#[test]
fn erased_messages_are_told_and_gone() {
    play(&format!(
        r#"{TWO_MEMBERS}
        B > {{"type":"text","text":"one"}}
        B < {{"type":"text","text":"one","from":{{"id":2,"name":"User 2"}}}}
        A < {{"type":"text","text":"one","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":1}}
        A > {{"type":"text","text":"two","ref":"x"}}
        A < {{"type":"text","text":"two","from":{{"id":1,"name":"User 1"}},"roomId":1,"time":TIME,"seq":2,"ref":"x"}}
        B < {{"type":"text","text":"two","from":{{"id":1,"name":"User 1"}}}}
        B > {{"type":"gif","gifId":3}}
        B < {{"type":"gif","gifId":3,"from":{{"id":2,"name":"User 2"}}}}
        A < {{"type":"gif","gifId":3,"from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":3}}
        operator POST /v1/erase {{"user":1}}
        operator < 200 {{"erased":1}}
        A < {{"type":"erased","roomId":1,"time":TIME,"upTo":3,"userId":1}}
        A > {{"type":"history","roomId":1}}
        A < {{"type":"history","roomId":1,"epoch":EPOCH,"events":[{{"type":"text","text":"one","from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":1}},{{"type":"gone","roomId":1,"time":TIME,"seq":2}},{{"type":"gif","gifId":3,"from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":3}}],"more":false,"newer":false}}
        A > {{"type":"text","text":"two","ref":"x"}}
        A < {{"type":"error","code":"already_said","message":"This was said before, and is no longer kept.","roomId":1,"seq":2,"ref":"x"}}
        C > {{"type":"enter_room","roomId":1,"since":{{"epoch":EPOCH,"seq":2}}}}
        C < {{"type":"room","room":{{"id":1,"title":"Room 1"}},"users":[{{"id":1,"name":"User 1"}},{{"id":2,"name":"User 2"}},{{"id":3,"name":"User 3"}}],"userCount":3,"epoch":EPOCH,"seq":3,"complete":true,"events":[{{"type":"gif","gifId":3,"from":{{"id":2,"name":"User 2"}},"roomId":1,"time":TIME,"seq":3}}]}}
        C < {{"type":"erased","roomId":1,"time":TIME,"upTo":3,"userId":1}}
        A < {{"type":"enter_room","user":{{"id":3,"name":"User 3"}},"roomId":1,"time":TIME}}
        B < {{"type":"enter_room","user":{{"id":3,"name":"User 3"}}}}
        operator POST /v1/erase {{"room":1}}
        operator < 200 {{"erased":2}}
        A < {{"type":"erased","roomId":1,"time":TIME,"upTo":3}}
        C < {{"type":"erased","roomId":1,"time":TIME,"upTo":3}}
        A > {{"type":"history","roomId":1}}
        A < {{"type":"history","roomId":1,"epoch":EPOCH,"events":[],"more":false,"newer":false}}
        A > {{"type":"text","text":"four"}}
        A < {{"type":"text","text":"four","from":{{"id":1,"name":"User 1"}},"roomId":1,"time":TIME,"seq":4}}
        B < {{"type":"text","text":"four","from":{{"id":1,"name":"User 1"}}}}
        C < {{"type":"text","text":"four","from":{{"id":1,"name":"User 1"}},"roomId":1,"time":TIME,"seq":4}}
        operator POST /v1/erase {{"before":1000}}
        operator < 200 {{"erased":0}}
        A < {{"type":"erased","roomId":1,"time":TIME,"upTo":4,"before":1000}}
        C < {{"type":"erased","roomId":1,"time":TIME,"upTo":4,"before":1000}}
        operator POST /v1/erase {{"before":9007199254740991}}
        operator < 200 {{"erased":1}}
        A < {{"type":"erased","roomId":1,"time":TIME,"upTo":4,"before":9007199254740991}}
        C < {{"type":"erased","roomId":1,"time":TIME,"upTo":4,"before":9007199254740991}}
        "#
    ));
}

#[test]
fn a_wrong_command_says_what_to_do() {
    let host = Host::start();
    for (method, path, body, status, says) in [
        ("GET", "/v1/kick", "", 404, "no such command"),
        ("POST", "/v1/dance", "{}", 404, "no such command"),
        ("POST", "/v1/kick", "{}", 400, "give either"),
        ("POST", "/v1/kick", r#"{"user":1,"address":"::1"}"#, 400, "give either"),
        ("POST", "/v1/kick", r#"{"user":1,"users":2}"#, 400, "unknown field `users`"),
        ("POST", "/v1/kick", r#"{"address":"here"}"#, 400, "IP address"),
        ("POST", "/v1/kick", "", 400, "The body is wrong"),
        ("POST", "/v1/announce", "{}", 400, "missing field `text`"),
        ("POST", "/v1/erase", r#"{"user":1,"room":1}"#, 400, "give one of"),
        ("POST", "/v1/erase", r#"{"room":9}"#, 404, "no such room"),
    ] {
        let (found, answer) = host.handle.command(method, path, body);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(says), "{path} {body}: {error}");
        assert_eq!(found, status, "{error}");
    }
    host.handle.shutdown();
    host.handle.join().unwrap();
    let (status, answer) = host.handle.command("GET", "/v1/rooms", "");
    assert_eq!(status, 503, "{answer}");
}

#[test]
fn clients_are_listed_with_their_addresses() {
    let host = Host::start();
    let mut member = host.endpoint.connect_from([127, 0, 0, 9].into()).into_user().into_member();
    let away = host.endpoint.connect().offer(V2).0;
    let id = away.id;
    drop(away);
    let list = || -> Value {
        serde_json::from_str(&host.handle.command("GET", "/v1/clients", "").1).unwrap()
    };
    crate::host::eventually("the other is away", || list()["away"][0]["id"] == id);
    let mut list = list();
    assert_eq!(list["away"], json!([{ "id": id, "name": format!("User {id}"), "room": null }]));
    let since = list["clients"][0]["since"].take();
    assert!(since.as_u64().is_some_and(|since| since > 1_700_000_000_000), "{since}");
    let (user, name) = (member.id, format!("User {}", member.id));
    assert_eq!(
        list["clients"],
        json!([{
            "connection": 1, "id": user, "name": name, "address": "127.0.0.9",
            "room": { "id": 1, "title": "Room 1" }, "since": null, "queuedBytes": 0, "protocol": "base",
        }])
    );
    member.expect_nothing_more();
}

#[test]
fn what_is_erased_is_gone_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::with(|settings| {
        settings.history.file = Some(folder.path().join("wschat.db"));
        settings.limits.messages_per_second = 0.0;
    });
    let mut member = host.endpoint.member();
    for count in 0..40 {
        member.say(&format!("secret-{count} {}", "x".repeat(300)));
        member.text();
    }
    let id = member.id;
    let leftovers = || {
        let files = fs::read_dir(folder.path()).unwrap();
        let contents = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        contents.filter(|bytes| bytes.windows(7).any(|part| part == b"secret-")).count()
    };
    assert!(leftovers() > 0);
    let (status, answer) = host.handle.command("POST", "/v1/erase", &format!(r#"{{"user":{id}}}"#));
    assert_eq!((status, &*answer), (200, r#"{"erased":40}"#));
    assert_eq!(leftovers(), 0);
    host.stop();
}
