//! No frame is longer than the client takes, whatever is in it.

use super::*;
use crate::protocol::{UserEntry, UserList};

/// Texts that grow when they are encoded: twice, three and six times, or not at all.
const TEXTS: [&str; 6] = ["\"", "\\\\\n", "\u{1}", "\u{2028}\u{2029}", "🚀", "x"];

/// A desk whose room has these texts, and the snapshot of a room with `users` users, of whom the last one
/// enters.
fn desk(texts: &[String], users: u64) -> (Desk, impl Fn() -> RoomSnapshot + use<>) {
    let retention = Retention {
        max_events: 1_000,
        max_age: None,
        max_memory_bytes: usize::MAX,
        max_file_bytes: 0,
        max_references: 1_000,
    };
    let Opened { mut history, reader, .. } = history::open(&Location::Memory, retention).unwrap();
    store(&mut *history, 0);
    for (seq, text) in (1..).zip(texts) {
        let reference = Some("\"".repeat(64).into());
        let said = Said { content: Content::Text(text.clone()), reference, ..said(seq) };
        history.commit(Batch { said: &[(ROOM, &said)], memos: &[] }).unwrap();
    }
    let mut desk = Desk::with(0);
    let (recall, thread) = Recall::new(reader, EPOCH.into(), 1_000, Arc::default());
    (desk.recall, desk.thread) = (recall, thread);
    let name: Arc<str> = "\\\"\u{2028}🚀".repeat(8).into();
    let last_seq = texts.len() as u64;
    let snapshot = move || {
        let first = (1..=users.min(250)).map(|id| UserEntry { id, name: &name, away: id % 2 == 0 });
        let list = UserList::new(first, usize::try_from(users).unwrap());
        let user = Person { id: UserId(users), name: name.clone() };
        RoomSnapshot { users: Arc::new(list), user, ..super::snapshot(last_seq) }
    };
    (desk, snapshot)
}

impl Desk {
    /// The answer, and the length of its frame.
    fn measured(&mut self, what: Lookup) -> (Value, usize) {
        self.ask(what);
        let answer = self.thread.next_result().expect("somebody waits for it");
        let Input::QueryResult { frames, .. } = &answer else { panic!("{answer:?}") };
        let len = frames.len();
        self.recall.release_permit();
        (json(answer), len)
    }
}

fn texts() -> Vec<String> {
    (1..=60).map(|number| TEXTS[number % TEXTS.len()].repeat(number * 7)).collect()
}

#[test]
fn a_room_is_never_longer_than_the_client_takes() {
    let (mut desk, snapshot) = desk(&texts(), 300);
    let mut counts = Vec::new();
    for max_frame in [4_096, 5_000, 10_000, 30_000, 100_000, 1_000_000] {
        for seq in [0, 30, 59] {
            let since = Some(Box::new(Since { epoch: EPOCH.to_owned(), seq, time: None }));
            let (room, len) =
                desk.measured(Lookup::Room { snapshot: snapshot(), since, max_frame });
            assert!(len <= max_frame, "{len} bytes of {max_frame}");
            let seqs = seqs(&room);
            let first = *seqs.first().unwrap_or(&61);
            assert_eq!(seqs, range(first, 60), "the newest, without a gap");
            assert_eq!(room["complete"], first == seq + 1, "{first} after {seq}");
            let users: Vec<u64> = room["users"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["id"].as_u64().unwrap())
                .collect();
            assert_eq!(room["userCount"], 300);
            assert_eq!(users.last(), Some(&300), "the user itself is always there");
            let others = users.len() as u64 - 1;
            assert_eq!(users[..users.len() - 1], range(1, others), "the first by id");
            counts.push((others, seqs.len()));
        }
    }
    assert!(counts[0].0 > 5 && counts[0].1 > 0, "neither takes all the space: {counts:?}");
    assert_eq!(counts[15], (250, 60), "all fit");
}

#[test]
fn a_page_is_never_longer_than_the_client_takes() {
    let (mut desk, _) = desk(&texts(), 1);
    let parts = [
        HistoryPart::Newest,
        HistoryPart::Before(40),
        HistoryPart::After(10),
        HistoryPart::Around(30),
    ];
    for max_bytes in [1_024, 2_000, 4_096, 10_000, 1_000_000] {
        for part in parts {
            let max_bytes = (max_bytes, 1_000_000);
            let what = Lookup::Page { room: ROOM, part, limit: 20, max_bytes };
            let (page, len) = desk.measured(what);
            let seqs = seqs(&page);
            let (first, last) = (seqs[0], *seqs.last().unwrap());
            assert!(len <= max_bytes.0 || seqs.len() == 1, "{len} bytes of {max_bytes:?}");
            assert_eq!(seqs, range(first, last), "without a gap");
            match part {
                HistoryPart::Newest => assert_eq!(last, 60),
                HistoryPart::Before(seq) => assert_eq!(last, seq - 1),
                HistoryPart::After(seq) => assert_eq!(first, seq + 1),
                HistoryPart::Around(seq) => assert!(first <= seq && seq <= last),
            }
            assert_eq!(page["more"], first > 1, "{part:?}");
            assert_eq!(page["newer"], last < 60, "{part:?}");
        }
    }
}

#[test]
fn a_message_that_no_frame_of_the_client_takes_is_named() {
    let texts = ["a".to_owned(), "\u{1}".repeat(1_000), "b".to_owned()];
    let (mut desk, snapshot) = desk(&texts, 1);
    let max_frame = 4_096;
    for since in [None, Some(Box::new(Since { epoch: EPOCH.to_owned(), seq: 0, time: None }))] {
        let (room, _) = desk.measured(Lookup::Room { snapshot: snapshot(), since, max_frame });
        assert_eq!((seqs(&room), &room["complete"]), (vec![1, 3], &false.into()));
    }
    let mut ask = |part| {
        let max_bytes = (max_frame, max_frame);
        desk.measured(Lookup::Page { room: ROOM, part, limit: 3, max_bytes }).0
    };
    let newest = ask(HistoryPart::Newest);
    assert_eq!((seqs(&newest), &newest["more"]), (vec![3], &true.into()));
    for part in [HistoryPart::Before(3), HistoryPart::After(1), HistoryPart::Around(2)] {
        let refused = ask(part);
        assert_eq!(refused["code"], "too_long", "{part:?}");
        assert_eq!((&refused["roomId"], &refused["seq"]), (&1.into(), &2.into()), "{part:?}");
        assert!(refused["message"].as_str().unwrap().contains("maxFrameBytes"), "{refused}");
    }
    let oldest = ask(HistoryPart::Before(2));
    assert_eq!((seqs(&oldest), &oldest["newer"]), (vec![1], &true.into()));
    assert_eq!(desk.refused("too_long"), 3);
}
