use super::*;

#[track_caller]
fn check(text: &str, expected: Result<Request, (&str, &str)>) {
    let expected = expected.map_err(|(code, message)| (code, message.to_owned()));
    let parsed = parse_request(text).map_err(|error| (error.code, error.message));
    assert_eq!(parsed, expected, "{text}");
}

#[test]
fn every_request() {
    check(r#"{"type":"list_rooms"}"#, Ok(Request::ListRooms));
    check(r#"{"type":"enter_room","roomId":"1"}"#, Ok(Request::EnterRoom(RoomId(1), None)));
    check(
        r#" { "roomId" : 12 , "type" : "enter_room" } "#,
        Ok(Request::EnterRoom(RoomId(12), None)),
    );
    check(r#"{"type":"leave_room"}"#, Ok(Request::LeaveRoom));
    check(
        r#"{"type":"text","text":"a\n\"b\" \ud83d\ude00"}"#,
        Ok(Request::Text("a\n\"b\" 😀".into())),
    );
    check(r#"{"type":"gif","gifId":3}"#, Ok(Request::Gif(3)));
    check(r#"{"type":"gif","gifId":"003"}"#, Ok(Request::Gif(3)));
    check(
        r#"{"type":"create_room","title":"some new room"}"#,
        Ok(Request::CreateRoom("some new room".into())),
    );
    check(
        r#"{"type":"change_name","name":"my new name"}"#,
        Ok(Request::ChangeName("my new name".into())),
    );
}

#[test]
fn unknown_members_are_ignored_however_deep() {
    let deep =
        format!(r#"{{"x":{}{},"type":"list_rooms"}}"#, "[".repeat(30_000), "]".repeat(30_000));
    check(&deep, Ok(Request::ListRooms));
    check(r#"{"type":"gif","text":[1],"gifId":1}"#, Ok(Request::Gif(1)));
}

#[test]
fn not_json() {
    for text in ["", " ", "{", "nonsense", "{\"type\":\"text\",}", "{}x", "[1,", "\u{feff}{}"] {
        assert_eq!(parse_request(text).unwrap_err().code, "bad_json", "{text}");
    }
    check(
        "{\"type\":\n \"text\" \"text\":\"x\"}",
        Err(("bad_json", "This is not JSON (line 2, column 9).")),
    );
    for bracket in ["{", "["] {
        assert_eq!(parse_request(&bracket.repeat(10_000)).unwrap_err().code, "bad_json");
    }
    assert_eq!(parse_request(&"{\"type\":".repeat(10_000)).unwrap_err().code, "bad_json");
}

#[test]
fn json_that_is_no_request() {
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
fn numbers_are_whole_and_safe() {
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
    check(text, Ok(Request::EnterRoom(RoomId(MAX_NUMBER), None)));
}

/// A request and what it is called, or the code of an error and what that answers.
type Parsed<'a> = Result<(Request, Option<&'a str>), (&'a str, Option<&'a str>)>;

#[track_caller]
#[allow(clippy::needless_pass_by_value)] // What is expected reads better so.
fn check_v2(text: &str, expected: Parsed<'_>) {
    let parsed = parse_v2_request(text);
    let parsed = parsed
        .as_ref()
        .map(|(request, reference)| (request.clone(), reference.as_deref()))
        .map_err(|error| (error.code, error.reference.as_deref()));
    assert_eq!(parsed, expected, "{text}");
}

#[test]
fn what_only_the_second_version_knows() {
    let since = Since { epoch: "e1".into(), seq: 12 };
    check_v2(
        r#"{"type":"enter_room","roomId":1,"since":{"epoch":"e1","seq":12,"x":[[]]},"ref":"a"}"#,
        Ok((Request::EnterRoom(RoomId(1), Some(since)), Some("a"))),
    );
    check_v2(
        r#"{"type":"text","text":"x","ref":"\u00e9"}"#,
        Ok((Request::Text("x".into()), Some("é"))),
    );
    let page = |before, limit| Request::History { room: RoomId(2), before, limit };
    check_v2(r#"{"type":"history","roomId":2}"#, Ok((page(MAX_NUMBER, 50), None)));
    check_v2(r#"{"type":"history","roomId":2,"before":"9","limit":100}"#, Ok((page(9, 100), None)));
    check_v2(r#"{"type":"typing"}"#, Ok((Request::Typing, None)));
    for request in [r#"{"type":"typing"}"#, r#"{"type":"history","roomId":2}"#] {
        assert_eq!(parse_request(request).unwrap_err().code, "unknown_type", "{request}");
    }
    check(
        r#"{"type":"enter_room","roomId":1,"since":7,"ref":false}"#,
        Ok(Request::EnterRoom(RoomId(1), None)),
    );
}

#[test]
fn an_error_names_the_request() {
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
