//! The client against a scripted server. A script has one list of lines for each connection:
//!
//! | line | means |
//! |---|---|
//! | `offer …` | the subprotocols that the client offers |
//! | `< {…}` | the next request has these members; its `ref` is then `REF` |
//! | `> {…}` | the server sends this frame |
//! | `close 4001 replaced` | the server closes |
//! | `cut` | the server drops the connection |

use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, accept_hdr};
use wschat_client::{Client, Config, Content, Error, Event, Page};

const WELCOME: &str = r#"> {"type":"welcome","user":{"id":3,"name":"User 3"},"session":"s","resumed":false,"new member":1}"#;
const RESUMED: &str = r#"> {"type":"welcome","user":{"id":3,"name":"User 3"},"session":"s","resumed":true,"roomId":1}"#;
const ANEW: &str =
    r#"> {"type":"welcome","user":{"id":7,"name":"User 7"},"session":"t","resumed":false}"#;
const ENTER: &str = r#"< {"type":"enter_room","roomId":1}"#;
const EMPTY: &str = r#"> {"type":"room","room":{"id":1,"title":"R"},"users":[],"epoch":"e","seq":0,"complete":true,"events":[],"ref":"REF"}"#;

type Script = Vec<Vec<String>>;

/// Plays the script; returns the client's configuration, and the server's end.
fn serve(script: Script) -> (Config, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new(&format!("ws://{}/", listener.local_addr().unwrap()));
    let server = thread::spawn(move || {
        for lines in script {
            play(&listener, &lines);
        }
    });
    (config, server)
}

#[expect(clippy::result_large_err, reason = "the type of tungstenite's callback")]
fn play(listener: &TcpListener, lines: &[String]) {
    let mut offer = String::new();
    let upgrade = |request: &Request, mut response: Response| {
        let value = &request.headers()["Sec-WebSocket-Protocol"];
        value.to_str().unwrap().clone_into(&mut offer);
        let chosen = HeaderValue::from_static("wschat.v2");
        response.headers_mut().insert("Sec-WebSocket-Protocol", chosen);
        Ok(response)
    };
    let mut socket = accept_hdr(listener.accept().unwrap().0, upgrade).unwrap();
    let mut reference = String::new();
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "offer" => assert_eq!(offer, rest),
            ">" => {
                let frame = rest.replace("REF", &reference);
                socket.send(Message::text(frame)).unwrap();
            }
            "<" => {
                let Message::Text(text) = socket.read().unwrap() else { panic!("not {rest}") };
                let request: Value = serde_json::from_str(&text).unwrap();
                let expected: Value =
                    serde_json::from_str(&rest.replace("REF", &reference)).unwrap();
                for (name, value) in expected.as_object().unwrap() {
                    assert_eq!(request[name], *value, "{text} instead of {rest}");
                }
                request["ref"].as_str().unwrap().clone_into(&mut reference);
            }
            "close" => {
                let (code, reason) = rest.split_once(' ').unwrap();
                let code = code.parse::<u16>().unwrap().into();
                socket.close(Some(CloseFrame { code, reason: reason.into() })).unwrap();
                while socket.read().is_ok() {}
            }
            "cut" => return,
            other => panic!("no line begins with {other}"),
        }
    }
    while socket.read().is_ok() {}
}

fn script(connections: &[&[&str]]) -> Script {
    connections.iter().map(|lines| lines.iter().map(|&line| line.to_owned()).collect()).collect()
}

fn text(seq: u64, from: u64, text: &str, reference: &str) -> String {
    format!(
        r#"{{"type":"text","text":"{text}","from":{{"id":{from},"name":"User {from}"}},"roomId":1,"time":{seq}0,"seq":{seq},"ref":"{reference}"}}"#
    )
}

fn room(seq: u64, epoch: &str, complete: bool, events: &[String]) -> String {
    let events = events.join(",");
    format!(
        r#"> {{"type":"room","room":{{"id":1,"title":"R"}},"users":[],"userCount":2,"epoch":"{epoch}","seq":{seq},"complete":{complete},"events":[{events}],"ref":"REF"}}"#
    )
}

/// The next event that is none of those about the connection.
fn next(client: &mut Client) -> Event {
    loop {
        match client.next().expect("an event").expect("no error") {
            Event::Connected { .. } | Event::Disconnected { .. } => {}
            event => return event,
        }
    }
}

#[track_caller]
fn expect_text(client: &mut Client, seq: u64, text: &str) {
    match next(client) {
        Event::Message(message) => {
            assert_eq!((message.seq, message.content), (seq, Content::Text { text: text.into() }));
        }
        other => panic!("{other:?} instead of {seq} {text}"),
    }
}

#[test]
fn it_resumes_and_sends_again_with_the_same_ref() {
    let (config, server) = serve(script(&[
        &[
            "offer wschat.v2",
            WELCOME,
            ENTER,
            EMPTY,
            r#"> {"type":"sparkle","roomId":1,"colour":"red"}"#,
            &format!("> {}", text(1, 2, "Hello", "x")),
            r#"> {"type":"poll","roomId":1,"time":20,"seq":2}"#,
            r#"< {"type":"text","text":"Hi","roomId":1}"#,
            "cut",
        ],
        &[
            "offer wschat.v2, session.s",
            RESUMED,
            r#"< {"type":"enter_room","roomId":1,"since":{"epoch":"e","seq":2,"time":20}}"#,
            &room(3, "e", true, &[text(3, 2, "Back?", "y")]),
            r#"< {"type":"text","text":"Hi","roomId":1}"#,
            &format!("> {}", text(4, 3, "Hi", "REF")),
        ],
    ]));
    let mut client = Client::new(config).unwrap();
    let entering = client.enter(1);
    assert!(matches!(next(&mut client), Event::Entered { room: 1, user_count: 0, .. }));
    let done = Event::Done { reference: entering, seq: None, room: Some(1) };
    assert_eq!(next(&mut client), done);
    let reference = client.say("Hi").unwrap();
    assert!(matches!(next(&mut client), Event::Other(frame) if frame["colour"] == "red"));
    expect_text(&mut client, 1, "Hello");
    assert!(matches!(next(&mut client), Event::Entered { user_count: 2, .. }));
    expect_text(&mut client, 3, "Back?");
    expect_text(&mut client, 4, "Hi");
    assert_eq!(next(&mut client), Event::Done { reference, seq: Some(4), room: Some(1) });
    let saved = client.saved();
    assert_eq!((saved.positions[&1].seq, saved.positions[&1].time), (4, Some(40)));
    assert!(saved.jobs.is_empty());
    client.close();
    server.join().unwrap();
}

/// Says something, loses the session with the connection, and comes back to this.
fn say_and_lose(back: &[&str]) -> (Client, String, JoinHandle<()>) {
    let first: &[&str] = &[WELCOME, ENTER, EMPTY, r#"< {"type":"text","text":"Hi"}"#, "cut"];
    let since = r#"< {"type":"enter_room","roomId":1,"since":{"epoch":"e","seq":0}}"#;
    let back = [&[ANEW, since], back].concat();
    let (config, server) = serve(script(&[first, &back]));
    let mut client = Client::new(config).unwrap();
    client.enter(1);
    let reference = client.say("Hi").unwrap();
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    assert!(matches!(next(&mut client), Event::Done { .. }));
    (client, reference, server)
}

#[test]
fn a_lost_session_and_a_complete_answer_without_it_mean_that_it_was_not_said() {
    let (mut client, reference, server) = say_and_lose(&[
        &room(1, "e", true, &[text(1, 2, "Hello", "x")]),
        r#"< {"type":"text","text":"Hi"}"#,
        &format!("> {}", text(2, 7, "Hi", "REF")),
    ]);
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 1, "Hello");
    expect_text(&mut client, 2, "Hi");
    assert_eq!(next(&mut client), Event::Done { reference, seq: Some(2), room: Some(1) });
    client.close();
    server.join().unwrap();
}

#[test]
fn a_lost_session_and_an_incomplete_answer_lead_to_a_search() {
    let page = format!(
        r#"> {{"type":"history","roomId":1,"epoch":"e","events":[{}],"more":false,"newer":true,"ref":"REF"}}"#,
        [text(1, 9, "a", "p"), text(2, 9, "b", "q"), text(3, 9, "c", "r")].join(",")
    );
    let (mut client, reference, server) = say_and_lose(&[
        &room(4, "e", false, &[text(4, 2, "Hello", "x")]),
        r#"< {"type":"history","roomId":1,"before":4}"#,
        &page,
        // Everything since then was searched.
        r#"< {"type":"text","text":"Hi"}"#,
        &format!("> {}", text(5, 7, "Hi", "REF")),
    ]);
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    assert_eq!(next(&mut client), Event::Gap { room: 1, after: 0, before: 4 });
    expect_text(&mut client, 4, "Hello");
    expect_text(&mut client, 5, "Hi");
    assert_eq!(next(&mut client), Event::Done { reference, seq: Some(5), room: Some(1) });
    client.close();
    server.join().unwrap();
}

#[test]
fn a_message_that_is_too_long_for_the_client_is_searched_for_where_it_was_left_out() {
    let too_long = r#"> {"type":"error","code":"too_long","message":"Message 2 does not fit.","roomId":1,"seq":2,"ref":"REF"}"#;
    let (mut client, reference, server) = say_and_lose(&[
        &room(3, "e", false, &[text(1, 2, "Hello", "x"), text(3, 2, "Bye", "y")]),
        r#"< {"type":"history","roomId":1,"before":3}"#,
        too_long,
    ]);
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 1, "Hello");
    assert_eq!(next(&mut client), Event::Gap { room: 1, after: 1, before: 3 });
    expect_text(&mut client, 3, "Bye");
    assert_eq!(next(&mut client), Event::InDoubt(reference));
    client.close();
    server.join().unwrap();
}

#[test]
fn what_may_have_been_erased_is_in_doubt() {
    let gone = r#"{"type":"gone","roomId":1,"time":1,"seq":1}"#;
    let page = format!(
        r#"> {{"type":"history","roomId":1,"epoch":"e","events":[{gone}],"more":false,"newer":true,"ref":"REF"}}"#
    );
    let (mut client, reference, server) = say_and_lose(&[
        &room(2, "e", true, &[gone.to_owned(), text(2, 2, "Hello", "x")]),
        r#"< {"type":"history","roomId":1,"before":2}"#,
        &page,
    ]);
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 2, "Hello");
    assert_eq!(next(&mut client), Event::InDoubt(reference));
    client.close();
    server.join().unwrap();
}

#[test]
fn what_cannot_be_searched_is_in_doubt_and_not_sent_again() {
    let page = r#"> {"type":"history","roomId":1,"epoch":"e","events":[],"more":false,"newer":true,"ref":"REF"}"#;
    let (mut client, reference, server) = say_and_lose(&[
        &room(4, "e", false, &[text(4, 2, "Hello", "x")]),
        r#"< {"type":"history","roomId":1,"before":4}"#,
        page,
    ]);
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    assert_eq!(next(&mut client), Event::Gap { room: 1, after: 0, before: 4 });
    expect_text(&mut client, 4, "Hello");
    assert_eq!(next(&mut client), Event::InDoubt(reference));
    client.close();
    server.join().unwrap();
}

#[test]
fn what_was_missed_in_the_session_is_searched_after_its_loss() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new(&format!("ws://{}/", listener.local_addr().unwrap()));
    let mut client = Client::new(config).unwrap();
    client.enter(1);
    let reference = client.say("Hi").unwrap();
    let page = format!(
        r#"> {{"type":"history","roomId":1,"epoch":"e","events":[{},{}],"more":false,"newer":true,"ref":"REF"}}"#,
        text(1, 3, "Hi", &reference),
        text(2, 2, "a", "x"),
    );
    let say = r#"< {"type":"text","text":"Hi"}"#;
    let missed = room(3, "e", false, &[text(3, 2, "b", "y")]);
    let whole = room(3, "e", true, &[]);
    // What is missed has the message, and its repetition is not answered.
    let lines = script(&[
        &[WELCOME, ENTER, EMPTY, say, "cut"],
        &[RESUMED, ENTER, &missed, say, "cut"],
        &[ANEW, ENTER, &whole, r#"< {"type":"history","roomId":1,"before":4}"#, &page],
    ]);
    let server = thread::spawn(move || lines.iter().for_each(|lines| play(&listener, lines)));
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    assert!(matches!(next(&mut client), Event::Done { .. }));
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    assert_eq!(next(&mut client), Event::Gap { room: 1, after: 0, before: 3 });
    expect_text(&mut client, 3, "b");
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    assert_eq!(next(&mut client), Event::Done { reference, seq: Some(1), room: Some(1) });
    client.close();
    server.join().unwrap();
}

#[test]
fn another_history_does_not_show_that_it_was_not_said() {
    let page = format!(
        r#"> {{"type":"history","roomId":1,"epoch":"f","events":[{}],"more":false,"newer":true,"ref":"REF"}}"#,
        text(1, 9, "a", "p")
    );
    let (mut client, reference, server) = say_and_lose(&[
        &room(2, "f", false, &[text(2, 2, "Hello", "x")]),
        r#"< {"type":"history","roomId":1,"before":2}"#,
        &page,
    ]);
    assert_eq!(next(&mut client), Event::Reset(1));
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 2, "Hello");
    assert_eq!(next(&mut client), Event::InDoubt(reference));
    client.close();
    server.join().unwrap();
}

/// The same `ref` from the former user acknowledges; that of a stranger does not.
#[test]
fn a_message_of_the_former_user_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new(&format!("ws://{}/", listener.local_addr().unwrap()));
    let mut client = Client::new(config).unwrap();
    client.enter(1);
    let reference = client.say("Hi").unwrap();
    let back = room(2, "e", true, &[text(1, 8, "Hi", &reference), text(2, 3, "Hi", &reference)]);
    let lines = script(&[
        &[WELCOME, ENTER, EMPTY, r#"< {"type":"text","text":"Hi"}"#, "cut"],
        &[ANEW, ENTER, &back],
    ]);
    let server = thread::spawn(move || lines.iter().for_each(|lines| play(&listener, lines)));
    while !matches!(next(&mut client), Event::Message(_)) {}
    expect_text(&mut client, 2, "Hi");
    assert_eq!(next(&mut client), Event::Done { reference, seq: Some(2), room: Some(1) });
    client.close();
    server.join().unwrap();
}

#[test]
fn another_epoch_means_to_begin_anew() {
    let (config, server) = serve(script(&[
        &[WELCOME, ENTER, &room(1, "e", true, &[text(1, 2, "old", "x")]), "cut"],
        &[RESUMED, ENTER, &room(1, "f", false, &[text(1, 2, "new", "y")]), "cut"],
        // The same epoch, but another history: a backup was put in its place.
        &[
            RESUMED,
            ENTER,
            &room(1, "f", false, &[text(1, 2, "other", "z")])
                .replace("false,", "false,\"reset\":true,"),
        ],
    ]));
    let mut client = Client::new(config).unwrap();
    client.enter(1);
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 1, "old");
    assert!(matches!(next(&mut client), Event::Done { .. }));
    assert_eq!(next(&mut client), Event::Reset(1));
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 1, "new");
    assert_eq!(next(&mut client), Event::Reset(1));
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 1, "other");
    client.close();
    server.join().unwrap();
}

#[test]
fn a_message_left_out_is_fetched_by_a_new_connection() {
    let (config, server) = serve(script(&[
        &[WELCOME, ENTER, EMPTY, &format!("> {}", text(2, 2, "two", "y"))],
        &[RESUMED, ENTER, &room(2, "e", true, &[text(1, 2, "one", "x"), text(2, 2, "two", "y")])],
    ]));
    let mut client = Client::new(config).unwrap();
    client.enter(1);
    while !matches!(next(&mut client), Event::Done { .. }) {}
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    expect_text(&mut client, 1, "one");
    expect_text(&mut client, 2, "two");
    client.close();
    server.join().unwrap();
}

#[test]
fn refusals_for_a_while_are_retried_and_others_are_told() {
    let error = |code: &str, more: &str| {
        format!(r#"> {{"type":"error","code":"{code}","message":"No."{more},"ref":"REF"}}"#)
    };
    let say = r#"< {"type":"text","text":"Hi","roomId":1}"#;
    let (config, server) = serve(script(&[&[
        WELCOME,
        r#"< {"type":"hello","features":[],"maxFrameBytes":8192}"#,
        // It does not know the request.
        &error("unknown_type", ""),
        r#"< {"type":"change_name","name":"Ada"}"#,
        r#"> {"type":"change_name","oldName":"User 3","newName":"Ada","userId":3,"time":1,"ref":"REF"}"#,
        ENTER,
        EMPTY,
        say,
        &error("rate_limited", r#","retryAfterMs":10"#),
        say,
        // A code of a later version.
        &error("under_water", r#","retryAfterMs":10"#),
        say,
        &error("forbidden", ""),
        say,
        &error("already_said", r#","roomId":1,"seq":4"#),
    ]]));
    let name = Some("Ada".to_owned());
    let config = Config { name, max_frame_bytes: Some(8192), ..config };
    let mut client = Client::new(config).unwrap();
    client.enter(1);
    let first = client.say("Hi").unwrap();
    assert!(matches!(next(&mut client), Event::Renamed { user: 3, name } if name == "Ada"));
    assert!(matches!(next(&mut client), Event::Entered { .. }));
    assert!(matches!(next(&mut client), Event::Done { .. }));
    match next(&mut client) {
        Event::Refused(refusal) => {
            assert_eq!((refusal.reference, &refusal.code[..]), (first, "forbidden"));
        }
        other => panic!("{other:?}"),
    }
    let reference = client.say("Hi").unwrap();
    assert_eq!(next(&mut client), Event::Done { reference, seq: Some(4), room: Some(1) });
    client.close();
    server.join().unwrap();
}

#[test]
fn close_codes_decide_by_range() {
    for (code, stays_away) in
        [(1001, false), (1013, false), (4500, false), (4001, true), (4499, true)]
    {
        let close = format!("close {code} a reason");
        let (config, server) = serve(script(&[&[WELCOME, &close]]));
        let mut client = Client::new(config).unwrap();
        assert!(matches!(client.next(), Some(Ok(Event::Connected { resumed: false, .. }))));
        match client.next() {
            Some(Ok(Event::Disconnected { why, .. })) if !stays_away => {
                assert!(why.contains(&code.to_string()), "{why}");
            }
            Some(Err(Error::Stopped(why))) if stays_away => {
                assert_eq!(why, format!("closed by the server: {code} a reason"));
                assert!(client.next().is_none());
            }
            other => panic!("{code}: {other:?}"),
        }
        server.join().unwrap();
    }
}

#[test]
fn questions_are_asked_again_after_a_loss() {
    let rooms = r#"> {"type":"list_rooms","rooms":{"2":{"id":2,"title":"B","userCount":0,"seq":5},"1":{"id":1,"title":"A","userCount":1,"seq":2,"x":0}},"epoch":"e","ref":"REF"}"#;
    let changed = r#"> {"type":"room_changed","room":{"id":2,"title":"B","userCount":0,"seq":6}}"#;
    let page = format!(
        r#"> {{"type":"history","roomId":2,"epoch":"e","events":[{}],"more":true,"newer":false,"ref":"REF"}}"#,
        text(5, 2, "five", "x")
    );
    let (config, server) = serve(script(&[
        &[WELCOME, r#"< {"type":"list_rooms"}"#, "cut"],
        &[RESUMED, r#"< {"type":"list_rooms"}"#, rooms, changed, r#"< {"type":"history"}"#, "cut"],
        &[
            RESUMED,
            // It follows the list again.
            r#"< {"type":"list_rooms"}"#,
            rooms,
            r#"< {"type":"history","roomId":2,"before":6,"limit":1}"#,
            &page,
        ],
    ]));
    let mut client = Client::new(config).unwrap();
    let rooms = client.rooms().unwrap();
    assert_eq!(rooms.iter().map(|room| (room.id, room.seq)).collect::<Vec<_>>(), [(1, 2), (2, 5)]);
    let page = client.history(2, Page::Before(6), 1).unwrap();
    assert_eq!((page.first(), page.more, page.newer), (Some(5), true, false));
    assert_eq!(page.messages().count(), 1);
    assert!(matches!(next(&mut client), Event::RoomChanged(room) if room.seq == 6));
    assert_eq!(next(&mut client), Event::Rooms(rooms));
    client.close();
    server.join().unwrap();
}

#[test]
fn a_message_needs_a_room_and_an_address_a_scheme() {
    let mut client = Client::new(Config::new("ws://127.0.0.1:1/")).unwrap();
    assert!(matches!(client.say("Hi"), Err(Error::NoRoom)));
    assert!(matches!(Client::new(Config::new("http://127.0.0.1/")), Err(Error::Url(_))));
    // Nobody listens: the client tries again, and says so.
    assert!(matches!(client.next(), Some(Ok(Event::Disconnected { .. }))));
}
