use super::*;
use crate::chat::*;

fn message(seq: u64) -> Position {
    Position { room: RoomId(1), seq }
}

fn hash(number: u64) -> ReferenceHash {
    ReferenceHash::of(&number.to_string(), 1)
}

/// Notes references 1, 2 … `count`.
fn noted(count: u64, is_kept: impl Fn(u64) -> bool) -> References {
    let mut references = References::default();
    for seq in 1..=count {
        references.note(hash(seq), message(seq), |it| is_kept(it.seq));
    }
    references
}

#[test]
fn references_of_kept_messages_and_the_latest_ones_are_remembered() {
    let references = noted(100_000, |seq| seq == 1 || seq > 60_000);
    assert!(references.find(hash(1)).is_some(), "it is kept, however old");
    assert!((60_001..=100_000).all(|seq| references.find(hash(seq)) == Some(message(seq))));
    assert!(references.len() < 90_000, "{}", references.len());
    assert_eq!(references.len(), references.sent.len());

    let references = noted(1_000, |_| false);
    assert!((873..=1_000).all(|seq| references.find(hash(seq)).is_some()));
    assert!(references.find(hash(1)).is_none());
}

#[test]
fn a_message_and_a_room_may_have_the_same_reference() {
    assert_ne!(ReferenceHash::of("a", 0), ReferenceHash::of("a", 1));
    assert_eq!(ReferenceHash::of("a", 2), ReferenceHash::of("a", 1));
    assert_ne!(ReferenceHash::of("a", 1), ReferenceHash::of("b", 1));
}

/// A chat with users in its room, and the connections of the users.
fn chat(max_references: usize, users: u64) -> (Chat, Vec<Link>) {
    let rules = Rules {
        max_references,
        resume_grace: Duration::from_secs(60),
        max_away: 100,
        ..Rules::sample(&["A"])
    };
    let mut chat = Chat::new(rules);
    let links = (1..=users).map(|user| {
        let link = Link { node: NodeId(0), connection: ConnectionId(user) };
        let fresh = ResumeKey([u8::try_from(user).unwrap(); 32]);
        let resume = Some(Box::new(ResumeOffer { resumed: None, fresh }));
        apply(
            &mut chat,
            Action::Connect { link, source: Source::SAMPLE, version: Version::V2, resume },
        );
        ask(&mut chat, link, Request::EnterRoom(RoomId(1)), "enter");
        link
    });
    let links = links.collect();
    (chat, links)
}

fn apply(chat: &mut Chat, action: Action) -> Vec<Effect> {
    let mut effects = Vec::new();
    let entry = Entry { id: EntryId::default(), at: Duration::ZERO, time: 0, action };
    chat.apply(entry, &mut effects);
    effects
}

fn ask(chat: &mut Chat, link: Link, request: Request, reference: &str) -> Vec<Effect> {
    apply(chat, Action::Ask { link, request, reference: Some(reference.into()) })
}

/// Says something; returns whether it is new.
fn say(chat: &mut Chat, link: Link, reference: u64) -> bool {
    let effects = ask(chat, link, Request::Say(Content::Gif(1), None), &reference.to_string());
    apply(chat, Action::Saved);
    matches!(effects[..], [Effect::Tell { .. }])
}

#[test]
fn whoever_has_most_references_loses_the_oldest_when_there_are_too_many() {
    let (mut chat, links) = chat(1_000, 3);
    for reference in 1..=50 {
        assert!(say(&mut chat, links[0], reference));
    }
    for reference in 1..=100_000 {
        assert!(say(&mut chat, links[1], reference));
    }
    for reference in 1..=200 {
        assert!(say(&mut chat, links[2], reference));
    }
    assert_eq!(chat.reference_counts.total, 1_000);
    assert!((1..=50).all(|reference| !say(&mut chat, links[0], reference)));
    assert!((1..=200).all(|reference| !say(&mut chat, links[2], reference)));
    assert!((100_000 - 749..=100_000).all(|reference| !say(&mut chat, links[1], reference)));
    assert!(say(&mut chat, links[1], 100_000 - 750), "it is forgotten");
    // A user who leaves takes the references along, and a smaller limit holds at once.
    let fewer = Rules { max_references: 300, ..chat.rules.clone() };
    apply(&mut chat, Action::SetRules(Box::new(fewer)));
    assert_eq!(chat.reference_counts.total, 300);
    assert!((1..=50).all(|reference| !say(&mut chat, links[0], reference)));
    let nobody_away = Rules { max_away: 0, ..chat.rules.clone() };
    apply(&mut chat, Action::SetRules(Box::new(nobody_away)));
    apply(&mut chat, Action::Disconnect { link: links[1], is_going_away: false });
    assert_eq!(chat.reference_counts.total, 175);
}

#[test]
fn a_room_is_created_once_under_a_reference() {
    let (mut chat, links) = chat(1_000, 2);
    let create = || Request::CreateRoom("Games".to_owned());
    let created = ask(&mut chat, links[0], create(), "a");
    let created_memo = Memo::Created { user: UserId(1), room: RoomId(2), reference: "a".into() };
    assert!(created.contains(&Effect::Store(created_memo)), "{created:?}");
    let again = ask(&mut chat, links[0], create(), "a");
    assert_eq!(&again[..], &created[created.len() - 1..], "the same answer, and nothing else");
    // Under another reference, or by another user, it is another room.
    for (link, reference) in [(links[0], "b"), (links[1], "a")] {
        let other = ask(&mut chat, link, create(), reference);
        assert!(other.iter().any(|it| matches!(it, Effect::RoomListChanged { .. })), "{other:?}");
    }
    // The room is gone.
    chat.now = Duration::from_secs(3_600);
    let effects = ask(&mut chat, links[0], create(), "a");
    let refused = Refusal::AlreadySaid(Position { room: RoomId(2), seq: 0 });
    let (to, reference) = (UserId(1), Some("a".into()));
    let answer = Effect::Reply { to, time: 0, reply: Reply::Refused(refused), reference };
    assert_eq!(effects.last(), Some(&answer));
}
