//! What was said last in several rooms.

use super::*;
use crate::protocol::UserList;

/// The previews of these rooms.
fn previews(desk: &mut Desk, rooms: &[u64]) -> Value {
    previews_up_to(desk, rooms, 1_000)
}

fn previews_up_to(desk: &mut Desk, rooms: &[u64], seq: u64) -> Value {
    let preview = |id: &u64| RoomPreview { id: RoomId(*id), users: UserList::default(), seq };
    let rooms = rooms.iter().map(preview).collect();
    desk.answer(Lookup::Previews { rooms, max_frame: 10_000 })
}

/// The `seq` of what was said last in the room.
fn last(desk: &mut Desk) -> Option<u64> {
    let frame = previews(desk, &[ROOM.0]);
    frame["previews"][0]["last"]["seq"].as_u64()
}

/// A room with these messages; `None` is one that has been erased.
fn desk_with(said: impl IntoIterator<Item = Option<Content>>) -> Desk {
    let mut desk = Desk::with(0);
    let retention = Retention {
        max_events: 1_000,
        max_age: None,
        max_memory_bytes: usize::MAX,
        max_references: usize::MAX,
        max_file_bytes: 0,
    };
    let Opened { mut history, reader, .. } = history::open(&Location::Memory, retention).unwrap();
    store(&mut *history, 0);
    for (seq, content) in (1..).zip(said) {
        let message = super::said(seq);
        let message = match content {
            Some(content) => Said { content, ..message },
            None => message.erased(),
        };
        history.commit(Batch { said: &[(ROOM, &message)], memos: &[] }).unwrap();
    }
    desk.thread.messages.reader = reader;
    desk
}

#[test]
fn each_room_is_shown_with_what_was_said_last() {
    let mut desk = Desk::with(5);
    let frame = previews(&mut desk, &[7, 1]);
    assert_eq!((&frame["type"], &frame["epoch"]), (&"previews".into(), &EPOCH.into()));
    assert_eq!(frame["ref"], "r");
    assert_eq!(frame["previews"][0]["roomId"], 7);
    assert_eq!(frame["previews"][0]["last"], Value::Null, "an unknown room is silent");
    assert_eq!(frame["previews"][1]["last"]["gifId"], 5);
    assert_eq!(last(&mut Desk::with(0)), None);
    // More was said since the client asked; it comes as events.
    assert_eq!(previews_up_to(&mut desk, &[1], 3)["previews"][0]["last"]["seq"], 3);
}

#[test]
fn what_has_been_erased_is_passed_over_if_it_is_not_too_much() {
    let gif = || Some(Content::Gif(1));
    let erased = |count| (0..count).map(|_| None);
    assert_eq!(last(&mut desk_with([gif(), gif(), None])), Some(2));
    assert_eq!(last(&mut desk_with([gif()].into_iter().chain(erased(MAX_ERASED)))), Some(1));
    assert_eq!(last(&mut desk_with([gif()].into_iter().chain(erased(MAX_ERASED + 1)))), None);
    assert_eq!(last(&mut desk_with(erased(3))), None);
    // However long the texts behind it are.
    let long = || Some(Content::Text("x".repeat(PREVIEW_WEIGHT)));
    assert_eq!(last(&mut desk_with([long(), long(), None])), Some(2));
}

#[test]
fn a_history_that_cannot_be_read_is_said_once_for_all_rooms() {
    let mut desk = Desk::with(5);
    *desk.is_failing.lock().unwrap() = true;
    let frame = previews(&mut desk, &[1, 2]);
    assert_eq!((&frame["code"], &frame["ref"]), (&"not_readable".into(), &"r".into()));
    assert_eq!(desk.refused("not_readable"), 1);
}
