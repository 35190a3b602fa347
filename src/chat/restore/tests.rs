use std::sync::Arc;

use super::*;
use crate::chat::{Action, Command, Position, RememberedRoom, Request, RoomId, SessionKey};

const GRACE: Duration = Duration::from_secs(60);
const TTL: Duration = Duration::from_secs(600);

fn rules(rooms: &[&str]) -> Rules {
    Rules {
        rooms: rooms.iter().map(|title| (*title).to_owned()).collect(),
        max_rooms: 0,
        max_name_chars: 10,
        max_title_chars: 10,
        max_text_chars: 10,
        empty_room_ttl: TTL,
        room_list_interval: Duration::ZERO,
        resume_grace: GRACE,
        max_away: 10,
        max_kept: 10,
        max_age: None,
    }
}

fn room(id: u64, title: &str, place: Option<usize>) -> RememberedRoom {
    RememberedRoom { id: RoomId(id), title: title.into(), place }
}

fn shown(chat: &Chat) -> Vec<(u64, String, usize)> {
    chat.rooms().map(|(id, room)| (id.0, room.title().to_owned(), room.users())).collect()
}

fn to_remember(effects: Vec<Effect>) -> Vec<Memo> {
    let memo = |effect| match effect {
        Effect::Remember(memo) => memo,
        effect => panic!("nobody is there to be told: {effect:?}"),
    };
    effects.into_iter().map(memo).collect()
}

#[test]
fn the_first_time_the_rooms_are_new() {
    let (chat, effects) = Chat::restore(rules(&["A", "B"]), Remembered::default());
    assert_eq!(shown(&chat), [(1, "A".to_owned(), 0), (2, "B".to_owned(), 0)]);
    let expected = [room(1, "A", Some(0)), room(2, "B", Some(1))].map(Memo::Room);
    assert_eq!(to_remember(effects), expected);
}

#[test]
fn rooms_keep_their_numbers_whatever_the_settings_say_now() {
    let remembered = || Remembered {
        last_room: 7,
        rooms: vec![
            (room(1, "A", Some(0)), 5),
            (room(2, "B", Some(1)), 6),
            (room(4, "Made", None), 7),
        ],
        ..Remembered::default()
    };
    let (chat, effects) = Chat::restore(rules(&["A", "B"]), remembered());
    assert_eq!(to_remember(effects), []);
    assert_eq!([1, 2, 4, 9].map(|id| chat.last_seq(RoomId(id))), [5, 6, 7, 0]);
    assert_eq!(chat.next_deadline(), Some(TTL), "nobody is in the room that somebody made");

    // One has another title, one is new.
    let (chat, effects) = Chat::restore(rules(&["A", "C", "D"]), remembered());
    let titles: Vec<_> = shown(&chat).into_iter().map(|(id, title, _)| (id, title)).collect();
    assert_eq!(
        titles,
        [(1, "A"), (2, "C"), (4, "Made"), (8, "D")].map(|(id, t)| (id, t.to_owned()))
    );
    let expected = [room(2, "C", Some(1)), room(8, "D", Some(2))].map(Memo::Room);
    assert_eq!(to_remember(effects), expected);

    // One is no longer named: it goes when it has been empty for long enough.
    let (mut chat, effects) = Chat::restore(rules(&["A"]), remembered());
    assert_eq!(to_remember(effects), [Memo::Room(room(2, "B", None))]);
    let mut effects = Vec::new();
    chat.advance(TTL, &mut effects);
    assert_eq!(shown(&chat), [(1, "A".to_owned(), 0)]);
}

#[test]
fn whoever_was_there_is_away_and_comes_back_with_all_they_had() {
    let key = SessionKey([7; 32]);
    let session =
        RememberedSession { user: UserId(3), key, name: "Ann".into(), room: Some(RoomId(4)) };
    let reference: Arc<str> = "a".into();
    let position = Position { room: RoomId(4), seq: 2 };
    let remembered = Remembered {
        last_user: 9,
        last_room: 4,
        rooms: vec![(room(1, "A", Some(0)), 0), (room(4, "Made", None), 2)],
        sessions: vec![(session, vec![(reference.clone(), position)])],
    };
    let (mut chat, _) = Chat::restore(rules(&["A"]), remembered.clone());
    assert_eq!(shown(&chat)[1], (4, "Made".to_owned(), 1));
    assert_eq!(chat.user_of(key), Some(UserId(3)));
    assert_eq!(chat.last_user(), UserId(9));
    assert_eq!(chat.next_deadline(), Some(GRACE));

    let at = Duration::from_secs(1);
    let mut apply = |action, reference| {
        let mut effects = Vec::new();
        let command = Command { at, time: 1_000, author: UserId(3), action, reference };
        chat.apply(command, &mut effects);
        format!("{effects:?}")
    };
    let welcome = apply(Action::Resume, None);
    assert!(welcome.contains("resumed: true") && welcome.contains("RoomId(4)"), "{welcome}");
    let text = Action::Request(Request::Text("Hi".into()));
    let repeated = apply(text.clone(), Some(reference));
    assert!(repeated.contains("Repeat") && repeated.contains("seq: 2"), "{repeated}");
    let said = apply(text, Some("b".into()));
    assert!(said.contains("Say") && said.contains("seq: 3"), "{said}");

    // Whoever does not come back has left.
    let (mut chat, _) = Chat::restore(rules(&["A"]), remembered);
    let mut effects = Vec::new();
    chat.advance(GRACE, &mut effects);
    assert_eq!(chat.user_of(key), None);
    let effects = format!("{effects:?}");
    assert!(effects.contains("SessionOver(UserId(3))"), "{effects}");
    assert_eq!(chat.next_deadline(), Some(GRACE + TTL), "and the room is empty now");
}
