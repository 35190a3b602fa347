use super::*;

#[track_caller]
fn check(text: &str, expected: Result<Request, (&str, &str)>) {
    let expected = expected.map_err(|(code, message)| (code, message.to_owned()));
    let parsed = parse_base(text).map(|(request, _)| request);
    assert_eq!(parsed.map_err(|error| (error.code, error.message)), expected, "{text}");
}

fn plain(request: chat::Request) -> Request {
    Request::Chat(request, None)
}

fn enter(room: u64) -> Request {
    plain(chat::Request::EnterRoom(RoomId(room)))
}

fn text(text: &str) -> Request {
    plain(chat::Request::Say(Content::Text(text.into()), None))
}

#[test]
fn every_request() {
    check(r#"{"type":"list_rooms"}"#, Ok(Request::Local(LocalRequest::ListRooms { after: None })));
    check(r#"{"type":"enter_room","roomId":"1"}"#, Ok(enter(1)));
    check(r#" { "roomId" : 12 , "type" : "enter_room" } "#, Ok(enter(12)));
    check(r#"{"type":"leave_room"}"#, Ok(plain(chat::Request::LeaveRoom(None))));
    check(r#"{"type":"text","text":"a\n\"b\" \ud83d\ude00"}"#, Ok(text("a\n\"b\" 😀")));
    check(r#"{"type":"gif","gifId":3}"#, Ok(plain(chat::Request::Say(Content::Gif(3), None))));
    check(r#"{"type":"gif","gifId":"003"}"#, Ok(plain(chat::Request::Say(Content::Gif(3), None))));
    check(
        r#"{"type":"create_room","title":"some new room"}"#,
        Ok(plain(chat::Request::CreateRoom("some new room".into()))),
    );
    check(
        r#"{"type":"change_name","name":"my new name"}"#,
        Ok(plain(chat::Request::ChangeName("my new name".into()))),
    );
}

#[test]
fn unknown_members_are_ignored_however_deep() {
    let deep =
        format!(r#"{{"x":{}{},"type":"list_rooms"}}"#, "[".repeat(30_000), "]".repeat(30_000));
    check(&deep, Ok(Request::Local(LocalRequest::ListRooms { after: None })));
    check(
        r#"{"type":"gif","text":[1],"gifId":1}"#,
        Ok(plain(chat::Request::Say(Content::Gif(1), None))),
    );
}

#[test]
fn not_json() {
    for text in ["", " ", "{", "nonsense", "{\"type\":\"text\",}", "{}x", "[1,", "\u{feff}{}"] {
        assert_eq!(parse_base(text).unwrap_err().code, "bad_json", "{text}");
    }
    check(
        "{\"type\":\n \"text\" \"text\":\"x\"}",
        Err(("bad_json", "This is not JSON (line 2, column 9).")),
    );
    for bracket in ["{", "["] {
        assert_eq!(parse_base(&bracket.repeat(10_000)).unwrap_err().code, "bad_json");
    }
    assert_eq!(parse_base(&"{\"type\":".repeat(10_000)).unwrap_err().code, "bad_json");
}

#[test]
fn json_that_is_not_a_request() {
    for text in ["null", "1", "\"text\"", "[]", "[\"list_rooms\"]", "true"] {
        check(text, Err(("bad_request", "A request is a JSON object with a \"type\".")));
    }
    check("{}", Err(("bad_request", "\"type\" is missing.")));
    check(r#"{"type":null}"#, Err(("bad_request", "\"type\" is missing.")));
    check(r#"{"type":7}"#, Err(("bad_request", "\"type\" must be a string.")));
    check(r#"{"type":"text"}"#, Err(("bad_request", "\"text\" is missing.")));
    check(r#"{"type":"text","text":{"a":1}}"#, Err(("bad_request", "\"text\" must be a string.")));
    check(
        r#"{"type":"text","text":"\ud800"}"#,
        Err(("bad_request", "\"text\" holds an escape that is not a character.")),
    );
    check(
        r#"{"type":"text","text":"a","text":"b"}"#,
        Err(("bad_request", "A member is given twice.")),
    );
    check(
        r#"{"type":"Text","text":"a"}"#,
        Err(("unknown_type", "There is no request of type \"Text\".")),
    );
    let long = format!(r#"{{"type":"{}"}}"#, "é".repeat(1_000));
    let shown = format!("There is no request of type \"{}\".", "é".repeat(32));
    check(&long, Err(("unknown_type", &shown)));
}

#[test]
fn numbers_are_whole_and_exact_in_javascript() {
    for wrong in [
        "-1",
        "1.5",
        "-1e0",
        "1e-1",
        "1e16",
        "1e400",
        "9007199254740992",
        "9007199254740992.0",
        "\"\"",
        "\"+1\"",
        "\"a\"",
        "\" 1\"",
        "\"1.0\"",
        "\"-0\"",
        "\"1e0\"",
        "\"\\ud800\"",
        "\"9007199254740992\"",
        "true",
        "[1]",
        "{}",
    ] {
        let text = format!(r#"{{"type":"enter_room","roomId":{wrong}}}"#);
        check(
            &text,
            Err((
                "bad_request",
                "\"roomId\" must be a whole number from 0 to 9007199254740991, or a string of its digits.",
            )),
        );
    }
    for (given, number) in [
        ("9007199254740991", MAX_NUMBER),
        ("9007199254740991.0", MAX_NUMBER),
        ("\"9007199254740991\"", MAX_NUMBER),
        ("1.0", 1),
        ("1e0", 1),
        ("10E-1", 1),
        ("0.5e+1", 5),
        ("1e3", 1_000),
        ("0", 0),
        ("-0", 0),
        ("-0.0e5", 0),
        ("0e999999999", 0),
        (r#""\u0031""#, 1),
        (r#""1\u0030""#, 10),
    ] {
        check(&format!(r#"{{"type":"enter_room","roomId":{given}}}"#), Ok(enter(number)));
    }
}

#[test]
fn members_that_only_the_second_version_has_may_be_given_twice_in_the_base_protocol() {
    for name in ["since", "before", "limit", "ref", "unknown"] {
        let text = format!(r#"{{"type":"enter_room","{name}":1,"roomId":1,"{name}":null}}"#);
        check(&text, Ok(enter(1)));
    }
    for name in ["type", "roomId", "text", "gifId", "title", "name"] {
        let text = format!(r#"{{"{name}":1,"{name}":1}}"#);
        check(&text, Err(("bad_request", "A member is given twice.")));
    }
    check_v2(r#"{"type":"typing","ref":"a","ref":"a"}"#, Err(("bad_request", None)));
}

/// A request and its reference, or the code of an error and the reference of its request.
type Parsed<'a> = Result<(Request, Option<&'a str>), (&'a str, Option<&'a str>)>;

#[track_caller]
#[allow(clippy::needless_pass_by_value)] // Calls read better so.
fn check_v2(text: &str, expected: Parsed<'_>) {
    let parsed = parse_v2(text);
    let parsed = parsed
        .as_ref()
        .map(|(request, reference)| (request.clone(), reference.as_deref()))
        .map_err(|error| (error.code, error.reference.as_deref()));
    assert_eq!(parsed, expected, "{text}");
}

#[test]
fn requests_of_the_second_version() {
    let since = Since { epoch: "e1".into(), seq: 12, time: Some(5) };
    check_v2(
        r#"{"type":"enter_room","roomId":1,"since":{"epoch":"e1","seq":12,"time":5,"rev":0,"x":[[]]},"ref":"a"}"#,
        Ok((Request::Chat(chat::Request::EnterRoom(RoomId(1)), Some(Box::new(since))), Some("a"))),
    );
    check_v2(r#"{"type":"text","text":"x","ref":"\u00e9"}"#, Ok((text("x"), Some("é"))));
    let page = |part, limit| {
        let (room, max_bytes) = (RoomId(2), None);
        Request::Local(LocalRequest::History { room, part, limit, max_bytes })
    };
    check_v2(r#"{"type":"history","roomId":2}"#, Ok((page(HistoryPart::Newest, 50), None)));
    check_v2(
        r#"{"type":"history","roomId":2,"before":"9","limit":100}"#,
        Ok((page(HistoryPart::Before(9), 100), None)),
    );
    check_v2(r#"{"type":"typing"}"#, Ok((Request::Local(LocalRequest::Typing(None)), None)));
    for request in [r#"{"type":"typing"}"#, r#"{"type":"history","roomId":2}"#] {
        assert_eq!(parse_base(request).unwrap_err().code, "unknown_type", "{request}");
    }
    check(r#"{"type":"enter_room","roomId":1,"since":7,"ref":false}"#, Ok(enter(1)));
}

#[test]
fn requests_that_only_the_second_version_has() {
    let hello = |presence, mentions, max_frame_bytes| {
        let hello = HelloRequest { presence, mentions, max_frame_bytes };
        Ok((Request::Local(LocalRequest::Hello(hello)), None))
    };
    check_v2(r#"{"type":"hello"}"#, hello(false, false, None));
    check_v2(r#"{"type":"hello","features":["mentions"]}"#, hello(false, true, None));
    let text = r#"{"type":"hello","features":["x","pres\u0065nce"],"maxFrameBytes":"4096"}"#;
    check_v2(text, hello(true, false, Some(4_096)));
    for wrong in [r#""features":{}"#, r#""features":[1]"#, r#""maxFrameBytes":4095"#] {
        check_v2(&format!(r#"{{"type":"hello",{wrong}}}"#), Err(("bad_request", None)));
    }
    let users = |after, limit| {
        let (room, after) = (RoomId(2), UserId(after));
        Ok((Request::Local(LocalRequest::Users { room, after, limit }), None))
    };
    check_v2(r#"{"type":"users","roomId":2}"#, users(0, 250));
    check_v2(r#"{"type":"users","roomId":2,"after":7,"limit":"3"}"#, users(7, 3));
    check_v2(r#"{"type":"users","roomId":2,"limit":251}"#, Err(("bad_request", None)));
    let page = |part, max_bytes| {
        let (room, limit) = (RoomId(2), 50);
        Ok((Request::Local(LocalRequest::History { room, part, limit, max_bytes }), None))
    };
    let history = |rest: &str| format!(r#"{{"type":"history","roomId":2,{rest}}}"#);
    check_v2(&history(r#""after":7"#), page(HistoryPart::After(7), None));
    let around = history(r#""around":7,"maxBytes":1024"#);
    check_v2(&around, page(HistoryPart::Around(7), Some(1_024)));
    for wrong in [r#""after":1,"before":2"#, r#""around":1,"before":2"#, r#""maxBytes":1023"#] {
        check_v2(&history(wrong), Err(("bad_request", None)));
    }
    let previews = |ids: &str| format!(r#"{{"type":"previews","roomIds":{ids}}}"#);
    let rooms = vec![RoomId(7), RoomId(2)];
    let asked = Ok((Request::Local(LocalRequest::Previews(rooms)), None));
    check_v2(&previews(r#"[7,"2",7]"#), asked);
    let twenty = (1..=20).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert!(parse_v2(&previews(&format!("[{twenty}]"))).is_ok());
    for wrong in ["[]", "7", "null", "{}", "[-1]", "[[1]]", "[null]", &format!("[{twenty},1]")] {
        check_v2(&previews(wrong), Err(("bad_request", None)));
    }
    assert_eq!(parse_base(&previews("[1]")).unwrap_err().code, "unknown_type");
    let after = Some(RoomId(4));
    let list = Request::Local(LocalRequest::ListRooms { after });
    check_v2(r#"{"type":"list_rooms","after":4}"#, Ok((list, None)));
}

#[test]
fn a_request_may_name_the_room_that_it_is_meant_for() {
    let room = Some(RoomId(3));
    let leave = || plain(chat::Request::LeaveRoom(room));
    check_v2(r#"{"type":"leave_room","roomId":3}"#, Ok((leave(), None)));
    let typing = Request::Local(LocalRequest::Typing(room));
    check_v2(r#"{"type":"typing","roomId":"3"}"#, Ok((typing, None)));
    let say = plain(chat::Request::Say(Content::Gif(1), room));
    check_v2(r#"{"type":"gif","gifId":1,"roomId":3}"#, Ok((say, None)));
    for kind in [r#""leave_room""#, r#""text","text":"x""#, r#""gif","gifId":1"#, r#""typing""#] {
        for wrong in ["\"x\"", "null"] {
            let text = format!(r#"{{"type":{kind},"roomId":{wrong}}}"#);
            check_v2(&text, Err(("bad_request", None)));
        }
    }
    // The base protocol does not know it.
    for other in ["\"x\"", "null"] {
        let text = format!(r#"{{"type":"leave_room","roomId":{other}}}"#);
        check(&text, Ok(plain(chat::Request::LeaveRoom(None))));
    }
}

#[test]
fn an_error_has_the_reference_of_its_request() {
    check_v2(r#"{"type":"text","ref":"a"}"#, Err(("bad_request", Some("a"))));
    check_v2(r#"{"type":"dance","ref":"a"}"#, Err(("unknown_type", Some("a"))));
    for wrong in ["1", "null", "\"\"", &format!("\"{}\"", "x".repeat(65))] {
        let text = format!(r#"{{"type":"typing","ref":{wrong}}}"#);
        check_v2(&text, Err(("bad_request", None)));
        assert_eq!(reference_of(&text), None);
    }
    for wrong in ["1", "null", "{}", r#"{"epoch":"e"}"#, r#"{"epoch":1,"seq":1}"#, "null"] {
        let text = format!(r#"{{"type":"enter_room","roomId":1,"since":{wrong},"ref":"a"}}"#);
        check_v2(&text, Err(("bad_request", Some("a"))));
    }
    for wrong in ["0", "101", "-1", "\"\"", "null"] {
        let text = format!(r#"{{"type":"history","roomId":1,"limit":{wrong},"ref":"a"}}"#);
        check_v2(&text, Err(("bad_request", Some("a"))));
    }
    assert_eq!(reference_of(r#"{"ref":"a"}"#).as_deref(), Some("a"));
}
