//! Entries with anything at all in them: none panics, none breaks the state.
//!
//! Most numbers are from few, so that they meet: connections, keys and references are used again, rooms are
//! there or not. The others are the greatest and the least.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::config;
use super::consistency::{check_consistency, check_indexes};
use crate::chat::*;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_entries_keep_the_state_whole(rules in rules(), entries in vec(entry(), 0..100)) {
        let mut chat = Chat::new(rules);
        for entry in entries {
            let snapshot = chat.write_snapshot();
            let mut twin = Chat::read_snapshot(&snapshot).expect("it was written");
            prop_assert!(twin == chat, "the snapshot is another chat");
            prop_assert_eq!(&twin.write_snapshot(), &snapshot);

            let (mut effects, mut effects_on_twin) = (Vec::new(), Vec::new());
            chat.apply(entry.clone(), &mut effects);
            twin.apply(entry, &mut effects_on_twin);
            prop_assert_eq!(effects, effects_on_twin);
            prop_assert!(twin == chat, "the chat from the snapshot goes another way");
            check_consistency(&chat).map_err(TestCaseError::fail)?;
        }
    }

    /// What a node may propose is read as it was written, and nothing else is.
    #[cfg(feature = "cluster")]
    #[test]
    fn any_action_survives_the_log(action in action()) {
        let node = action.link().map_or(NodeId(7), |link| link.node);
        let mut out = ByteWriter(Vec::new());
        action.write(&mut out);
        let mut from = ByteReader(&out.0);
        let read = Action::read(&mut from, node);
        if matches!(
            action,
            Action::Saved | Action::NotSaved | Action::Reserved(_) | Action::NodeGone { .. }
        ) {
            prop_assert_eq!(read, Err(Malformed));
        } else {
            prop_assert_eq!(read, Ok(action));
            prop_assert_eq!(from.0, &[] as &[u8]);
        }
    }

    /// Bytes from anywhere are refused, or an action that has these bytes only.
    #[cfg(feature = "cluster")]
    #[test]
    fn any_bytes_are_refused_or_an_action(bytes in vec(prop_oneof![0..10_u8, any::<u8>()], 0..100)) {
        let mut from = ByteReader(&bytes);
        if let Ok(action) = Action::read(&mut from, NodeId(7)) {
            let mut out = ByteWriter(Vec::new());
            action.write(&mut out);
            prop_assert_eq!(out.0, &bytes[..bytes.len() - from.0.len()]);
        }
    }

    /// A snapshot that was damaged is refused, or a chat that can go on.
    #[test]
    fn a_damaged_snapshot_is_refused_or_whole(
        rules in rules(),
        entries in vec(entry(), 0..60),
        (index, flip) in (any::<Index>(), 1_u8..),
    ) {
        let mut chat = Chat::new(rules);
        let (before, after) = entries.split_at(entries.len() / 2);
        for entry in before {
            chat.apply(entry.clone(), &mut Vec::new());
        }
        let mut snapshot = chat.write_snapshot();
        *index.get_mut(&mut snapshot) ^= flip;
        if let Ok(mut chat) = Chat::read_snapshot(&snapshot) {
            check_indexes(&chat).map_err(TestCaseError::fail)?;
            for entry in after {
                chat.apply(entry.clone(), &mut Vec::new());
                check_indexes(&chat).map_err(TestCaseError::fail)?;
            }
        }
    }

    /// Whatever was stored, the chat starts and goes on.
    #[test]
    fn any_stored_chat_can_go_on(
        rules in rules(),
        stored in stored(),
        entries in vec(entry(), 0..20),
    ) {
        let (mut chat, _) = Chat::restore(rules, stored);
        for entry in entries {
            chat.apply(entry, &mut Vec::new());
            let snapshot = chat.write_snapshot();
            let _ = Chat::read_snapshot(&snapshot);
        }
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let id = (number(), number()).prop_map(|(term, n)| EntryId { term, n });
    (id, moment(), number(), action()).prop_map(|(id, at, time, action)| Entry {
        id,
        at,
        time,
        action,
    })
}

fn action() -> impl Strategy<Value = Action> {
    let offer = (option::of(key()), key())
        .prop_map(|(resumed, fresh)| Box::new(ResumeOffer { resumed, fresh }));
    prop_oneof![
        10 => (link(), source(), version(), option::of(offer))
            .prop_map(|(link, source, version, resume)| {
                Action::Connect { link, source, version, resume }
            }),
        30 => (link(), request(), option::of(text()))
            .prop_map(|(link, request, reference)| {
                Action::Ask { link, request, reference: reference.map(Arc::from) }
            }),
        5 => (link(), any::<bool>())
            .prop_map(|(link, is_going_away)| Action::Disconnect { link, is_going_away }),
        1 => Just(Action::Wait),
        2 => rules().prop_map(|rules| Action::SetRules(Box::new(rules))),
        1 => (number(), number())
            .prop_map(|(user, room)| Action::Reserved(IdLimits { user, room })),
        4 => Just(Action::Saved),
        4 => Just(Action::NotSaved),
        3 => number().prop_map(|id| Action::Kick { user: UserId(id) }),
        1 => text().prop_map(|text| Action::Announce { text }),
        3 => lost_node(),
        3 => (erasure(), vec((number(), number()), 0..5)).prop_map(|(what, reach)| {
            let reach = reach.into_iter().map(|(room, up_to)| (RoomId(room), up_to)).collect();
            Action::Erased { what, reach }
        }),
    ]
}

#[cfg(feature = "cluster")]
fn lost_node() -> impl Strategy<Value = Action> {
    (0..3_u64).prop_map(|node| Action::NodeGone { node: NodeId(node) })
}

/// Without the cluster, no node is ever lost.
#[cfg(not(feature = "cluster"))]
fn lost_node() -> impl Strategy<Value = Action> {
    Just(Action::Wait)
}

fn erasure() -> impl Strategy<Value = Erasure> {
    prop_oneof![
        number().prop_map(|id| Erasure::User(UserId(id))),
        number().prop_map(|id| Erasure::Room(RoomId(id))),
        number().prop_map(Erasure::Before),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        4 => number().prop_map(|id| Request::EnterRoom(RoomId(id))),
        1 => meant_room().prop_map(Request::LeaveRoom),
        4 => (text(), meant_room()).prop_map(|(text, room)| Request::Say(Content::Text(text), room)),
        1 => number().prop_map(|gif| Request::Say(Content::Gif(gif), None)),
        1 => text().prop_map(Request::CreateRoom),
        1 => text().prop_map(Request::ChangeName),
    ]
}

fn meant_room() -> impl Strategy<Value = Option<RoomId>> {
    prop_oneof![3 => Just(None), 1 => number().prop_map(|id| Some(RoomId(id)))]
}

fn rules() -> impl Strategy<Value = Rules> {
    let limits = || (size(), size(), size(), size());
    let waits = (moment(), moment(), moment(), size());
    (vec(text(), 0..4), limits(), size(), waits, number()).prop_map(
        |(
            rooms,
            (max_rooms, names, titles, texts),
            max_away,
            (ttl, grace, reload_grace, max_references),
            max_kept,
        )| {
            Rules {
                rooms,
                max_rooms,
                max_name_chars: names,
                max_title_chars: titles,
                max_text_chars: texts,
                empty_room_ttl: ttl,
                resume_grace: grace,
                reload_grace,
                max_away,
                max_kept,
                max_references,
            }
        },
    )
}

fn stored() -> impl Strategy<Value = Stored> {
    let room = (number(), text(), option::of(size())).prop_map(|(id, title, place)| StoredRoom {
        id: RoomId(id),
        title: title.into(),
        place,
    });
    let user = (number(), key(), text(), option::of(number())).prop_map(|(id, key, name, room)| {
        StoredUser { user: UserId(id), key, name: name.into(), room: room.map(RoomId) }
    });
    let reference = (text(), number(), number()).prop_map(|(reference, room, seq)| {
        (ReferenceHash::of(&reference, seq), Position { room: RoomId(room), seq })
    });
    let users = vec((user, vec(reference, 0..3)), 0..4);
    (number(), number(), vec((room, number()), 0..4), users).prop_map(
        |(last_user, last_room, rooms, users)| Stored { last_user, last_room, rooms, users },
    )
}

fn version() -> impl Strategy<Value = Version> {
    select(vec![Version::Base, Version::V2])
}

fn link() -> impl Strategy<Value = Link> {
    (select(vec![0, 1]), number())
        .prop_map(|(node, id)| Link { node: NodeId(node), connection: ConnectionId(id) })
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        2 => number().prop_map(Source::V6),
        1 => any::<u32>().prop_map(Source::V4),
    ]
}

fn key() -> impl Strategy<Value = ResumeKey> {
    (0..5_u8).prop_map(|byte| ResumeKey([byte; 32]))
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..5_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1), 1 => any::<u64>()]
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..4_usize, 2 => 10..100_usize, 2 => Just(usize::MAX)]
}

/// A time may be before the one of the entry before. Nearly all are small: once the end of time has come,
/// everybody leaves at once.
fn moment() -> impl Strategy<Value = Duration> {
    prop_oneof![
        60 => (0..5_000_u64).prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
        1 => Just(Duration::from_secs(u64::MAX)),
        1 => Just(Duration::MAX / 2),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => select(vec!["", "a", "b", "User 1", " x "]).prop_map(str::to_owned),
        2 => "(?s).{0,20}",
        1 => Just("long ".repeat(2_000)),
    ]
}
