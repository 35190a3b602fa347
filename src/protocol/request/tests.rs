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
    plain(chat::Request::Say(Content::Text(text.into())))
}

#[test]
fn every_request() {
    check(r#"{"type":"list_rooms"}"#, Ok(Request::Local(LocalRequest::ListRooms)));
    check(r#"{"type":"enter_room","roomId":"1"}"#, Ok(enter(1)));
    check(r#" { "roomId" : 12 , "type" : "enter_room" } "#, Ok(enter(12)));
    check(r#"{"type":"leave_room"}"#, Ok(plain(chat::Request::LeaveRoom)));
    check(r#"{"type":"text","text":"a\n\"b\" \ud83d\ude00"}"#, Ok(text("a\n\"b\" 😀")));
    check(r#"{"type":"gif","gifId":3}"#, Ok(plain(chat::Request::Say(Content::Gif(3)))));
    check(r#"{"type":"gif","gifId":"003"}"#, Ok(plain(chat::Request::Say(Content::Gif(3)))));
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
    check(&deep, Ok(Request::Local(LocalRequest::ListRooms)));
    check(r#"{"type":"gif","text":[1],"gifId":1}"#, Ok(plain(chat::Request::Say(Content::Gif(1)))));
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
    for wrong in
        ["-1", "1.5", "1e3", "\"\"", "\"+1\"", "\"a\"", "\" 1\"", "true", "[1]", "9007199254740992"]
    {
        let text = format!(r#"{{"type":"enter_room","roomId":{wrong}}}"#);
        check(
            &text,
            Err((
                "bad_request",
                "\"roomId\" must be a whole number from 0 to 9007199254740991, or a string of its digits.",
            )),
        );
    }
    let text = r#"{"type":"enter_room","roomId":9007199254740991}"#;
    check(text, Ok(enter(MAX_NUMBER)));
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
    let since = Since { epoch: "e1".into(), seq: 12, time: None };
    check_v2(
        r#"{"type":"enter_room","roomId":1,"since":{"epoch":"e1","seq":12,"x":[[]]},"ref":"a"}"#,
        Ok((Request::Chat(chat::Request::EnterRoom(RoomId(1)), Some(Box::new(since))), Some("a"))),
    );
    check_v2(r#"{"type":"text","text":"x","ref":"\u00e9"}"#, Ok((text("x"), Some("é"))));
    let page =
        |before, limit| Request::Local(LocalRequest::History { room: RoomId(2), before, limit });
    check_v2(r#"{"type":"history","roomId":2}"#, Ok((page(MAX_NUMBER, 50), None)));
    check_v2(r#"{"type":"history","roomId":2,"before":"9","limit":100}"#, Ok((page(9, 100), None)));
    check_v2(r#"{"type":"typing"}"#, Ok((Request::Local(LocalRequest::Typing), None)));
    for request in [r#"{"type":"typing"}"#, r#"{"type":"history","roomId":2}"#] {
        assert_eq!(parse_base(request).unwrap_err().code, "unknown_type", "{request}");
    }
    check(r#"{"type":"enter_room","roomId":1,"since":7,"ref":false}"#, Ok(enter(1)));
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
