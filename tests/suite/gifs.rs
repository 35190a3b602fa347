//! The GIFs: the built-in ones, and those of `gifsDirectory`.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Endpoint, Response};
use crate::host::{Host, Program};

fn get(endpoint: &Endpoint, path: &str) -> Response {
    endpoint.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

/// The list in `/gifs.json`, for pages that do not speak `wschat.v2`.
fn listed(endpoint: &Endpoint) -> Value {
    let response = get(endpoint, "/gifs.json");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-type"), "application/json");
    serde_json::from_slice(&response.body).expect("JSON")
}

/// There is a picture with this id, and a browser can revalidate it by its etag.
#[track_caller]
fn check_picture(endpoint: &Endpoint, id: &Value, body: Option<&[u8]>) {
    let path = format!("/gifs/{id}.gif");
    let response = get(endpoint, &path);
    assert_eq!(response.status, 200, "{path}");
    assert_eq!(response.field("content-type"), "image/gif");
    assert_eq!(response.field("cache-control"), "no-cache");
    assert!(response.body.starts_with(b"GIF8"), "{path}");
    assert!(body.is_none_or(|body| response.body == body), "{path}");
    let etag = response.field("etag");
    let fields = format!("Accept-Encoding: gzip\r\nIf-None-Match: {etag}\r\n");
    let again = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    assert_eq!(endpoint.ask(again).status, 304);
}

#[test]
fn the_built_in_pictures() {
    let host = Host::start();
    let (_client, welcome) = host.endpoint.connect_offering("wschat.v2");
    let gifs = welcome["gifs"].as_array().expect("gifs");
    assert!(gifs.len() >= 5, "{gifs:?}");
    for gif in gifs {
        check_picture(&host.endpoint, &gif["id"], None);
    }
    assert_eq!(listed(&host.endpoint), welcome["gifs"]);
    assert_eq!(get(&host.endpoint, "/gifs/0.gif").status, 404);
}

#[test]
fn the_operators_pictures_replace_the_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (wave, kite) = (&b"GIF89a wave"[..], &b"GIF87a kite"[..]);
    fs::write(folder.path().join("100-a_kite.gif"), kite).unwrap();
    fs::write(folder.path().join("1 Grüß Gott.gif"), wave).unwrap();
    fs::write(folder.path().join("README.md"), "ours").unwrap();
    let program = Program::start(json!({ "gifsDirectory": folder.path() }));
    // The files were read at the start.
    folder.close().unwrap();

    let endpoint = &program.endpoint;
    let (mut client, welcome) = endpoint.connect_offering("wschat.v2");
    let expected = json!([{ "id": 1, "alt": "Grüß Gott" }, { "id": 100, "alt": "a kite" }]);
    assert_eq!(welcome["gifs"], expected);
    assert_eq!(listed(endpoint), expected);
    check_picture(endpoint, &json!(1), Some(wave));
    check_picture(endpoint, &json!(100), Some(kite));
    for path in ["/gifs/2.gif", "/gifs/3.gif", "/gifs/README.md", "/gifs/", "/gifs/1%20.gif"] {
        assert_eq!(get(endpoint, path).status, 404, "{path}");
    }

    // Any id may be sent, whether or not there is a picture for it.
    client.request(r#"{"type":"enter_room","roomId":1}"#);
    client.skip_to("room");
    client.request(r#"{"type":"gif","gifId":2}"#);
    assert_eq!(client.skip_to("gif")["gifId"], 2);
}
