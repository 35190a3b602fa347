//! The pictures: our own, and those of `gifsDirectory`.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Door, Response};
use crate::host::{Host, Program};

fn get(door: &Door, path: &str) -> Response {
    door.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

/// The list as a page reads it that gets no welcome of `wschat.v2`.
fn listed(door: &Door) -> Value {
    let response = get(door, "/gifs.json");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-type"), "application/json");
    serde_json::from_slice(&response.body).expect("JSON")
}

/// Checks that this is a picture, which a browser need not load twice.
#[track_caller]
fn check_picture(door: &Door, id: &Value, body: Option<&[u8]>) {
    let path = format!("/gifs/{id}.gif");
    let response = get(door, &path);
    assert_eq!(response.status, 200, "{path}");
    assert_eq!(response.field("content-type"), "image/gif");
    assert_eq!(response.field("cache-control"), "no-cache");
    assert!(response.body.starts_with(b"GIF8"), "{path}");
    assert!(body.is_none_or(|body| response.body == body), "{path}");
    let etag = response.field("etag");
    let fields = format!("Accept-Encoding: gzip\r\nIf-None-Match: {etag}\r\n");
    let again = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    assert_eq!(door.ask(again).status, 304);
}

#[test]
fn our_own_pictures() {
    let host = Host::start();
    let (_client, welcome) = host.door.offering("wschat.v2");
    let gifs = welcome["gifs"].as_array().expect("gifs");
    assert!(gifs.len() >= 5, "{gifs:?}");
    for gif in gifs {
        check_picture(&host.door, &gif["id"], None);
    }
    assert_eq!(listed(&host.door), welcome["gifs"]);
    assert_eq!(get(&host.door, "/gifs/0.gif").status, 404);
}

#[test]
fn the_operators_pictures_take_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let (wave, kite) = (&b"GIF89a wave"[..], &b"GIF87a kite"[..]);
    fs::write(folder.path().join("100-a_kite.gif"), kite).unwrap();
    fs::write(folder.path().join("1 Grüß Gott.gif"), wave).unwrap();
    fs::write(folder.path().join("README.md"), "ours").unwrap();
    let program = Program::start(json!({ "gifsDirectory": folder.path() }));
    // They were read at the start.
    folder.close().unwrap();

    let door = &program.door;
    let (mut client, welcome) = door.offering("wschat.v2");
    let expected = json!([{ "id": 1, "alt": "Grüß Gott" }, { "id": 100, "alt": "a kite" }]);
    assert_eq!(welcome["gifs"], expected);
    assert_eq!(listed(door), expected);
    check_picture(door, &json!(1), Some(wave));
    check_picture(door, &json!(100), Some(kite));
    for path in ["/gifs/2.gif", "/gifs/3.gif", "/gifs/README.md", "/gifs/", "/gifs/1%20.gif"] {
        assert_eq!(get(door, path).status, 404, "{path}");
    }

    // What a number stands for is the clients' business, as ever.
    client.request(r#"{"type":"enter_room","roomId":1}"#);
    client.skip_to("room");
    client.request(r#"{"type":"gif","gifId":2}"#);
    assert_eq!(client.skip_to("gif")["gifId"], 2);
}
