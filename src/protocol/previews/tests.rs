use super::super::UserEntry;
use super::*;
use crate::chat::{Person, UserId};

fn room(id: u64) -> RoomPreview {
    let ada = UserEntry { id: 2, name: "Ada \"L\"", away: true };
    RoomPreview { id: RoomId(id), users: UserList::new([ada].into_iter(), 7), seq: 9 }
}

fn said(content: Content) -> Said {
    let from = Person { id: UserId(3), name: "Mira".into() };
    Said { seq: 9, time: 17, from, content, reference: Some("r".into()) }
}

/// The JSON of the frame, whose length is checked.
fn frame(previews: &[(RoomPreview, Option<Said>)], max_bytes: usize) -> String {
    let bytes = previews_frame(previews, "e1", Some("p"), max_bytes);
    assert!(previews.len() == 1 || bytes.len() <= max_bytes, "{} bytes", bytes.len());
    let text = String::from_utf8(bytes[4..].to_vec()).expect("a frame of 126 bytes or more");
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    text
}

#[test]
fn a_preview_has_the_room_its_first_users_and_what_was_said_last() {
    let gif = (room(1), Some(said(Content::Gif(4))));
    let gone = (room(2), Some(said(Content::Erased)));
    let nothing = (room(3), None);
    let ada = r#""userCount":7,"users":[{"id":2,"name":"Ada \"L\"","away":true}]"#;
    let last = r#""last":{"type":"gif","gifId":4,"from":{"id":3,"name":"Mira"},"time":17,"seq":9}"#;
    let rooms = format!(r#"{{"roomId":1,{ada},{last}}},{{"roomId":2,{ada}}},{{"roomId":3,{ada}}}"#);
    assert_eq!(
        frame(&[gif, gone, nothing], 10_000),
        format!(r#"{{"type":"previews","epoch":"e1","previews":[{rooms}],"ref":"p"}}"#)
    );
}

#[test]
fn a_long_text_is_cut_behind_a_character() {
    for unit in ["x", "é", "名", "🎉", "\n"] {
        let (whole, cut) = (unit.repeat(PREVIEW_CHARS), unit.repeat(PREVIEW_CHARS + 1));
        let shown = json(&whole);
        let has = |text: &str, part: &str| {
            let frame = frame(&[(room(1), Some(said(Content::Text(text.to_owned()))))], 10_000);
            assert!(frame.contains(part), "{frame}");
        };
        has(&whole, &format!(r#""last":{{"type":"text","text":{shown},"from":"#));
        has(&cut, &format!(r#""last":{{"type":"text","text":{shown},"cut":true,"from":"#));
    }
}

#[test]
fn a_frame_has_the_first_previews_that_fit_and_says_that_there_are_more() {
    let previews: Vec<_> =
        (1..=20).map(|id| (room(id), Some(said(Content::Text("\"".repeat(200)))))).collect();
    let whole = frame(&previews, 100_000);
    assert!(whole.contains("\"roomId\":20") && !whole.contains("more"), "{whole}");
    // The header of this frame takes four bytes; ten are reckoned with.
    assert_eq!(frame(&previews, whole.len() + 10 + r#","more":true"#.len()), whole);
    let mut last = 0;
    for max_bytes in [1_500, 4_096, 6_000] {
        let part = frame(&previews, max_bytes);
        assert!(part.ends_with(r#"],"more":true,"ref":"p"}"#), "{part}");
        let count = part.matches("roomId").count();
        assert!(count > last, "{count} in {max_bytes} bytes");
        last = count;
    }
}
