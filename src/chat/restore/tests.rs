use std::sync::Arc;

use super::*;
use crate::chat::*;

const GRACE: Duration = Duration::from_secs(60);
const TTL: Duration = Duration::from_secs(600);

fn rules(rooms: &[&str]) -> Rules {
    Rules { empty_room_ttl: TTL, resume_grace: GRACE, max_away: 10, ..Rules::sample(rooms) }
}

fn room(id: u64, title: &str, place: Option<usize>) -> StoredRoom {
    StoredRoom { id: RoomId(id), title: title.into(), place }
}

fn shown(chat: &Chat) -> Vec<(u64, String, usize)> {
    chat.rooms().map(|(id, room)| (id.0, room.title().to_owned(), room.summary(id).users)).collect()
}

fn to_store(effects: Vec<Effect>) -> Vec<Memo> {
    let memo = |effect| match effect {
        Effect::Store(memo) => memo,
        effect => panic!("nobody is there to be told: {effect:?}"),
    };
    effects.into_iter().map(memo).collect()
}

fn apply(chat: &mut Chat, at: Duration, action: Action) -> Vec<Effect> {
    let mut effects = Vec::new();
    chat.apply(Entry { id: EntryId::default(), at, time: 1_000, action }, &mut effects);
    effects
}

fn connect(connection: u64, resumed: ResumeKey) -> Action {
    let source = Source::SAMPLE;
    let link = Link { node: NodeId(1), connection: ConnectionId(connection) };
    let offer = ResumeOffer { resumed: Some(resumed), fresh: ResumeKey([0; 32]) };
    Action::Connect { link, source, version: Version::V2, resume: Some(Box::new(offer)) }
}

#[test]
fn without_stored_rooms_those_of_the_rules_are_created() {
    let (chat, effects) = Chat::restore(rules(&["A", "B"]), Stored::default());
    assert_eq!(shown(&chat), [(1, "A".to_owned(), 0), (2, "B".to_owned(), 0)]);
    let expected = [room(1, "A", Some(0)), room(2, "B", Some(1))].map(Memo::Room);
    assert_eq!(to_store(effects), expected);
}

#[test]
fn rooms_keep_their_ids_when_the_settings_change() {
    let stored = || Stored {
        last_room: 7,
        rooms: vec![
            (room(1, "A", Some(0)), 5),
            (room(2, "B", Some(1)), 6),
            (room(4, "Made", None), 7),
        ],
        ..Stored::default()
    };
    let (chat, effects) = Chat::restore(rules(&["A", "B"]), stored());
    assert_eq!(to_store(effects), []);
    assert_eq!([1, 2, 4, 9].map(|id| chat.last_seq(RoomId(id))), [5, 6, 7, 0]);
    assert_eq!(chat.next_deadline(), Some(TTL), "nobody is in the room that a user made");

    // One room has another title, one is new.
    let (chat, effects) = Chat::restore(rules(&["A", "C", "D"]), stored());
    let titles: Vec<_> = shown(&chat).into_iter().map(|(id, title, _)| (id, title)).collect();
    assert_eq!(
        titles,
        [(1, "A"), (2, "C"), (4, "Made"), (8, "D")].map(|(id, t)| (id, t.to_owned()))
    );
    let expected = [room(2, "C", Some(1)), room(8, "D", Some(2))].map(Memo::Room);
    assert_eq!(to_store(effects), expected);

    // One room is no longer named: it is removed after it has been empty for its TTL.
    let (mut chat, effects) = Chat::restore(rules(&["A"]), stored());
    assert_eq!(to_store(effects), [Memo::Room(room(2, "B", None))]);
    apply(&mut chat, TTL, Action::Wait);
    assert_eq!(shown(&chat), [(1, "A".to_owned(), 0)]);
}

fn ann(key: ResumeKey) -> StoredUser {
    StoredUser { user: UserId(3), key, name: "Ann".into(), room: Some(RoomId(4)) }
}

#[test]
fn restored_users_are_away_and_resume_with_name_room_and_references() {
    let key = ResumeKey([7; 32]);
    let reference: Arc<str> = "a".into();
    let position = Position { room: RoomId(4), seq: 2 };
    let stored = Stored {
        last_user: 9,
        last_room: 4,
        rooms: vec![(room(1, "A", Some(0)), 0), (room(4, "Made", None), 2)],
        users: vec![(ann(key), vec![(ReferenceHash::of(&reference, 2), position)])],
    };
    let (mut chat, _) = Chat::restore(rules(&["A"]), stored.clone());
    assert_eq!(shown(&chat)[1], (4, "Made".to_owned(), 1));
    assert_eq!(chat.last_ids().user, 9);
    assert_eq!(chat.next_deadline(), Some(GRACE));

    let at = Duration::from_secs(1);
    let connect = connect(1, key);
    let Action::Connect { link, .. } = connect else { unreachable!() };
    let welcome = apply(&mut chat, at, connect.clone());
    let expected = Welcome {
        person: Person { id: UserId(3), name: "Ann".into() },
        version: Version::V2,
        resumed: true,
        can_resume: true,
        room: Some(RoomId(4)),
        time: 1_000,
    };
    let is_back = Effect::PresenceChanged { room: RoomId(4), user: UserId(3), is_away: false };
    assert_eq!(welcome, [is_back, Effect::Connected { link, welcome: expected }]);
    let mut say = |reference: &str| {
        let request = Request::Say(Content::Text("Hi".into()), None);
        apply(&mut chat, at, Action::Ask { link, request, reference: Some(reference.into()) })
    };
    let repeat = Effect::Repeat { to: UserId(3), position, reference: Some(reference) };
    assert_eq!(say("a"), [repeat]);
    // The user has not entered yet, and is answered all the same.
    let [Effect::Tell { event: Event::Said(said), .. }, Effect::Reply { reply, .. }] =
        &say("b")[..]
    else {
        panic!("told and answered")
    };
    assert_eq!((said.seq, reply), (3, &Reply::Said(RoomId(4), said.clone())));

    // A user who does not resume leaves.
    let (mut chat, _) = Chat::restore(rules(&["A"]), stored);
    let effects = apply(&mut chat, GRACE, Action::Wait);
    assert!(effects.contains(&Effect::Store(Memo::UserGone(UserId(3)))), "{effects:?}");
    assert_eq!(chat.next_deadline(), Some(GRACE + TTL), "and the room is empty now");
    let welcome = apply(&mut chat, GRACE, connect);
    assert!(
        matches!(&welcome[1], Effect::Connected { welcome, .. } if !welcome.resumed),
        "{welcome:?}"
    );
}

/// A user with a name of their own has something to lose, also after a restart.
#[test]
fn a_renamed_user_who_goes_away_again_does_not_leave_before_others() {
    let (renamed, other) = (ResumeKey([7; 32]), ResumeKey([8; 32]));
    let first = StoredUser { room: None, ..ann(renamed) };
    let second = StoredUser { user: UserId(4), key: other, name: "User 4".into(), room: None };
    let users = vec![(first, Vec::new()), (second, Vec::new())];
    let stored = Stored { users, ..Stored::default() };
    let mut rules = rules(&["A"]);
    rules.max_away = 1;
    let (mut chat, _) = Chat::restore(rules, stored);
    let at = Duration::from_secs(1);
    let mut links = Vec::new();
    for (connection, key) in [(1, renamed), (2, other)] {
        let connect = connect(connection, key);
        let Action::Connect { link, .. } = connect else { unreachable!() };
        links.push(link);
        apply(&mut chat, at, connect);
    }
    apply(&mut chat, at, Action::Disconnect { link: links[0], is_going_away: false });
    let effects = apply(&mut chat, at, Action::Disconnect { link: links[1], is_going_away: false });
    assert_eq!(effects, [Effect::Store(Memo::UserGone(UserId(4)))]);
}

/// After a restart with more users than may be away, those who come and go have no power over the others.
#[test]
fn an_excess_after_a_restart_is_not_evicted_by_the_first_disconnect() {
    let users = (1..=20_u8).map(|user| {
        let (id, key) = (UserId(user.into()), ResumeKey([user; 32]));
        (StoredUser { user: id, key, name: "Ann".into(), room: None }, Vec::new())
    });
    let stored = Stored { users: users.collect(), ..Stored::default() };
    let (mut chat, _) = Chat::restore(rules(&["A"]), stored);
    for connection in 1..=10 {
        let fresh = ResumeKey([100 + u8::try_from(connection).unwrap(); 32]);
        let link = Link { node: NodeId(1), connection: ConnectionId(connection) };
        let resume = Some(Box::new(ResumeOffer { resumed: None, fresh }));
        let (source, version) = (Source::SAMPLE, Version::V2);
        apply(&mut chat, Duration::ZERO, Action::Connect { link, source, version, resume });
        let effects =
            apply(&mut chat, Duration::ZERO, Action::Disconnect { link, is_going_away: false });
        let newcomer = Effect::Store(Memo::UserGone(UserId(20 + connection)));
        assert_eq!(effects, [newcomer], "it has nothing to lose");
    }
    assert_eq!(chat.next_deadline(), Some(GRACE));
    let back = apply(&mut chat, Duration::ZERO, connect(99, ResumeKey([1; 32])));
    assert!(matches!(&back[..], [Effect::Connected { welcome, .. }] if welcome.resumed));
}

#[test]
fn a_user_who_is_stored_twice_does_not_put_the_counts_of_references_wrong() {
    let user = |key| ann(ResumeKey([key; 32]));
    let reference = |seq: u64| {
        let position = Position { room: RoomId(1), seq };
        (ReferenceHash::of(&seq.to_string(), seq), position)
    };
    let users = vec![(user(1), (1..=9).map(reference).collect()), (user(2), Vec::new())];
    let rules = Rules { max_references: 3, ..rules(&["A"]) };
    let (mut chat, _) = Chat::restore(rules, Stored { users, ..Stored::default() });
    assert_eq!(chat.reference_counts.total, 0);
    for seq in 1..=9 {
        let (hash, position) = reference(seq);
        chat.remember(UserId(3), hash, position);
    }
    assert_eq!(chat.reference_counts.total, 3);
}

#[cfg(feature = "cluster")]
#[test]
fn what_was_restored_can_be_stored_again() {
    let position = |seq| Position { room: RoomId(1), seq };
    let references = |names: &[(&str, u64)]| {
        let sent = names.iter().map(|(name, seq)| (ReferenceHash::of(name, *seq), position(*seq)));
        sent.collect::<Vec<_>>()
    };
    let user = |id: u8, room| StoredUser {
        user: UserId(id.into()),
        key: ResumeKey([id; 32]),
        name: format!("User {id}").into(),
        room,
    };
    let stored = Stored {
        last_user: 17,
        last_room: 9,
        rooms: vec![(room(1, "A", Some(0)), 5), (room(4, "Made", None), 0)],
        users: vec![
            (user(3, Some(RoomId(4))), references(&[("z", 2), ("a", 1), ("z", 0)])),
            (user(8, None), vec![]),
        ],
    };
    let (mut chat, _) = Chat::restore(rules(&["A"]), stored.clone());
    assert_eq!(chat.stored(), stored);

    // A user who cannot resume is not stored, but the number is used.
    let link = Link { node: NodeId(1), connection: ConnectionId(1) };
    let (source, version) = (Source::SAMPLE, Version::Base);
    let arrival = Action::Connect { link, source, version, resume: None };
    apply(&mut chat, Duration::ZERO, arrival);
    assert_eq!(chat.stored(), Stored { last_user: 18, ..stored });
}
