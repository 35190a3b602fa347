//! What every backend does: one set of tests, run with each. A backend that is not in this module runs `ALL`.
//!
//! A backend may keep more than it has to until its upkeep has run.

use std::time::Duration;

use tempfile::TempDir;

use super::{Batch, Durability, Location, Opened, Retention};
use crate::chat::{
    Content, IdLimits, Memo, Person, Position, ResumeKey, RoomId, Said, Stored, StoredRoom,
    StoredUser, UserId,
};

const LOBBY: RoomId = RoomId(1);
const BAR: RoomId = RoomId(2);

/// No `seq`.
const NOTHING: [u64; 0] = [];

pub(crate) const EVERYTHING: Retention = Retention {
    max_events: 1_000_000,
    max_age: None,
    max_memory_bytes: usize::MAX,
    max_references: usize::MAX,
    max_file_bytes: 0,
};

/// Defines each test for each backend.
macro_rules! contract {
    ($($test:ident)+) => {
        mod memory {
            $(
                #[test]
                fn $test() {
                    super::$test(super::Fixture::in_memory);
                }
            )+
        }

        #[cfg(feature = "cluster")]
        pub(crate) const ALL: &[(&str, fn(crate::history::contract_test::Open))] =
            &[$((stringify!($test), $test)),+];

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(
                #[test]
                fn $test() {
                    super::$test(super::Fixture::in_file);
                }
            )+
        }
    };
}

pub(crate) mod archive;
pub(crate) mod erase;
mod one_backend;

contract! {
    a_new_history_is_empty
    each_history_has_its_own_epoch
    messages_are_read_back_unchanged
    a_gif_may_have_any_64_bit_number
    the_next_read_sees_a_commit
    a_batch_may_hold_messages_of_several_rooms
    since_respects_both_bounds
    since_returns_the_newest_that_fit
    before_pages_backwards
    before_says_whether_older_messages_are_kept
    before_returns_the_newest_that_fit
    after_pages_forwards
    after_returns_the_oldest_that_fit
    ids_out_of_range_find_nothing
    a_message_is_found_by_its_position
    a_deleted_room_has_no_messages
    a_room_created_again_is_empty
    an_unknown_room_has_no_messages
    the_last_memo_about_something_wins
    max_events_limits_each_room
    max_events_may_be_zero
    old_messages_expire
    an_old_message_after_a_younger_one_stays
    a_new_retention_holds_for_what_is_kept
}

/// An open history, with short names for what tests do with it.
pub(crate) struct Fixture {
    pub(crate) opened: Opened,
    _folder: Option<TempDir>,
}

pub(crate) type Open = fn(Retention) -> Fixture;

impl Fixture {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { opened, _folder: None }
    }

    fn in_memory(retention: Retention) -> Self {
        Self::new(super::open(&Location::Memory, retention).unwrap())
    }

    #[cfg(feature = "sqlite")]
    fn in_file(retention: Retention) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let place = Location::File { path, durability: Durability::Process };
        Self { opened: super::open(&place, retention).unwrap(), _folder: Some(folder) }
    }

    fn with_rooms(open: Open, retention: Retention) -> Self {
        let mut fixture = open(retention);
        fixture.commit(&[], &[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
        fixture
    }

    #[track_caller]
    fn commit(&mut self, said: &[(RoomId, &Said)], memos: &[Memo]) {
        self.opened.history.commit(Batch { said, memos }).unwrap();
    }

    /// Commits messages with these `seqs` in `room`, each in a batch of its own.
    fn say(&mut self, room: RoomId, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            self.commit(&[(room, &text(seq))], &[]);
        }
    }

    /// Runs upkeep, if there is any, until there is nothing left to do.
    #[cfg_attr(not(feature = "sqlite"), allow(clippy::unused_self))]
    fn catch_up(&mut self) {
        #[cfg(feature = "sqlite")]
        if let Some(upkeep) = &mut self.opened.upkeep {
            upkeep.catch_up().unwrap();
        }
    }

    fn since(&mut self, room: RoomId, after: u64, up_to: u64) -> Vec<u64> {
        seqs(&self.opened.reader.since(room, after, up_to, usize::MAX).unwrap())
    }

    fn after(&mut self, room: RoomId, after: u64, limit: usize) -> (Vec<u64>, bool) {
        let (found, newer) = self.opened.reader.after(room, after, limit, usize::MAX).unwrap();
        (seqs(&found), newer)
    }

    fn before(&mut self, room: RoomId, before: u64, limit: usize) -> (Vec<u64>, bool) {
        let (found, more) = self.opened.reader.before(room, before, limit, usize::MAX).unwrap();
        (seqs(&found), more)
    }

    fn all(&mut self, room: RoomId) -> Vec<u64> {
        self.since(room, 0, u64::MAX)
    }
}

pub(super) fn seqs(said: &[Said]) -> Vec<u64> {
    said.iter().map(|said| said.seq).collect()
}

pub(super) fn room(id: RoomId, title: &str) -> Memo {
    Memo::Room(StoredRoom { id, title: title.into(), place: None })
}

/// A message from Ann, said long ago, of 7 bytes.
pub(crate) fn text(seq: u64) -> Said {
    Said {
        seq,
        time: 1_000 + seq,
        from: Person { id: UserId(7), name: "Ann".into() },
        content: Content::Text(format!("{seq:04}")),
        reference: None,
    }
}

fn now() -> u64 {
    super::clock::AgeClock::new().limit(Some(Duration::ZERO)).unwrap().oldest
}

fn a_new_history_is_empty(open: Open) {
    let mut new = open(EVERYTHING);
    assert_eq!(new.opened.remembered, Stored::default());
    assert_eq!(new.all(LOBBY), NOTHING);
}

fn each_history_has_its_own_epoch(open: Open) {
    let (one, other) = (open(EVERYTHING).opened.epoch, open(EVERYTHING).opened.epoch);
    assert_eq!(one.len(), 16, "{one}");
    assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
    assert_ne!(one, other);
}

fn messages_are_read_back_unchanged(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    let said = [
        Said { reference: Some("r1".into()), ..text(1) },
        Said { content: Content::Gif(3), reference: Some("ä 🎉".into()), ..text(2) },
        Said { content: Content::Text("\u{0} it’s \"q\"; DROP\n🎉".into()), ..text(3) },
        Said { content: Content::Text(String::new()), time: 0, ..text(4) },
        Said { from: Person { id: UserId(8), name: "".into() }, ..text(5) },
        Said { content: Content::Text("long ".repeat(4_000)), time: 1 << 50, ..text(6) },
    ];
    let batch: Vec<_> = said.iter().map(|said| (LOBBY, said)).collect();
    lobby.commit(&batch, &[]);
    assert_eq!(lobby.opened.reader.since(LOBBY, 0, 6, usize::MAX).unwrap(), said);
    assert_eq!(lobby.opened.reader.before(LOBBY, 7, 6, usize::MAX).unwrap(), (said.into(), false));
}

fn a_gif_may_have_any_64_bit_number(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    for (seq, gif) in [0, u64::MAX, 1 << 63, (1 << 63) - 1].into_iter().enumerate() {
        let said = Said { content: Content::Gif(gif), ..text(seq as u64 + 1) };
        lobby.commit(&[(LOBBY, &said)], &[]);
        let position = Position { room: LOBBY, seq: said.seq };
        assert_eq!(lobby.opened.reader.message(position).unwrap(), Some(said));
    }
}

fn the_next_read_sees_a_commit(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    for seq in 1..=20 {
        lobby.say(LOBBY, [seq]);
        assert_eq!(lobby.since(LOBBY, seq - 1, seq), [seq]);
    }
}

fn a_batch_may_hold_messages_of_several_rooms(open: Open) {
    let mut both = open(EVERYTHING);
    let (one, two) = (text(1), text(2));
    let said = [(LOBBY, &one), (BAR, &one), (LOBBY, &two)];
    both.commit(&said, &[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
    assert_eq!((both.all(LOBBY), both.all(BAR)), (vec![1, 2], vec![1]));
    both.commit(&[], &[]);
}

fn since_respects_both_bounds(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=9);
    assert_eq!(lobby.since(LOBBY, 3, 7), [4, 5, 6, 7]);
    assert_eq!(lobby.since(LOBBY, 0, 1), [1]);
    assert_eq!(lobby.since(LOBBY, 8, 100), [9]);
    assert_eq!(lobby.since(LOBBY, 5, 5), NOTHING);
    assert_eq!(lobby.since(LOBBY, 7, 3), NOTHING);
    assert_eq!(lobby.since(LOBBY, 9, 100), NOTHING);
}

fn since_returns_the_newest_that_fit(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=9);
    let since = |lobby: &mut Fixture, max_bytes| {
        seqs(&lobby.opened.reader.since(LOBBY, 2, 8, max_bytes).unwrap())
    };
    let one = 128 + 7;
    assert_eq!(since(&mut lobby, 3 * one), [6, 7, 8]);
    assert_eq!(since(&mut lobby, 3 * one - 1), [7, 8]);
    assert_eq!(since(&mut lobby, 0), [8]);
    assert_eq!(since(&mut lobby, 6 * one), [3, 4, 5, 6, 7, 8]);
}

fn before_pages_backwards(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=9);
    assert_eq!(lobby.before(LOBBY, u64::MAX, 4), (vec![6, 7, 8, 9], true));
    assert_eq!(lobby.before(LOBBY, 6, 4), (vec![2, 3, 4, 5], true));
    assert_eq!(lobby.before(LOBBY, 2, 4), (vec![1], false));
    assert_eq!(lobby.before(LOBBY, 1, 4), (vec![], false));
    assert_eq!(lobby.before(LOBBY, 0, 4), (vec![], false));
}

fn after_pages_forwards(open: Open) {
    let mut lobby = Fixture::with_rooms(open, Retention { max_events: 8, ..EVERYTHING });
    lobby.say(LOBBY, 1..=9);
    lobby.catch_up();
    assert_eq!(lobby.after(LOBBY, 0, 4), (vec![2, 3, 4, 5], true), "1 is no longer kept");
    assert_eq!(lobby.after(LOBBY, 4, 4), (vec![5, 6, 7, 8], true));
    assert_eq!(lobby.after(LOBBY, 5, 4), (vec![6, 7, 8, 9], false));
    assert_eq!(lobby.after(LOBBY, 5, usize::MAX), (vec![6, 7, 8, 9], false));
    assert_eq!(lobby.after(LOBBY, 8, 0), (vec![], true));
    for end in [9, 10, u64::MAX] {
        assert_eq!(lobby.after(LOBBY, end, 4), (vec![], false));
    }
    assert_eq!(lobby.after(RoomId(0), 0, 4), (vec![], false));
}

fn after_returns_the_oldest_that_fit(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    let one = lobby.opened.reader.since(LOBBY, 0, 1, usize::MAX).unwrap()[0].weight();
    let after = |lobby: &mut Fixture, after, max_bytes| {
        let (found, newer) = lobby.opened.reader.after(LOBBY, after, 4, max_bytes).unwrap();
        (seqs(&found), newer)
    };
    assert_eq!(after(&mut lobby, 0, 2 * one), (vec![1, 2], true));
    assert_eq!(after(&mut lobby, 0, 2 * one - 1), (vec![1], true));
    assert_eq!(after(&mut lobby, 0, 4 * one), (vec![1, 2, 3, 4], false));
    assert_eq!(after(&mut lobby, 3, 0), (vec![4], false));
}

fn before_says_whether_older_messages_are_kept(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    assert_eq!(lobby.before(LOBBY, 5, 3), (vec![2, 3, 4], true));
    assert_eq!(lobby.before(LOBBY, 5, 4), (vec![1, 2, 3, 4], false));
    assert_eq!(lobby.before(LOBBY, 5, usize::MAX), (vec![1, 2, 3, 4], false));
    assert_eq!(lobby.before(LOBBY, 5, 0), (vec![], true));
    assert_eq!(lobby.before(LOBBY, 1, 0), (vec![], false));
}

fn before_returns_the_newest_that_fit(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    let before = |lobby: &mut Fixture, before, max_bytes| {
        let (found, more) = lobby.opened.reader.before(LOBBY, before, 4, max_bytes).unwrap();
        (seqs(&found), more)
    };
    let one = 128 + 7;
    assert_eq!(before(&mut lobby, 5, 2 * one), (vec![3, 4], true));
    assert_eq!(before(&mut lobby, 5, 2 * one - 1), (vec![4], true));
    assert_eq!(before(&mut lobby, 5, 4 * one), (vec![1, 2, 3, 4], false));
    assert_eq!(before(&mut lobby, 2, 0), (vec![1], false));
}

fn ids_out_of_range_find_nothing(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    assert_eq!(lobby.all(RoomId(u64::MAX)), NOTHING);
    assert_eq!(lobby.since(LOBBY, u64::MAX, u64::MAX), NOTHING);
    assert_eq!(lobby.before(RoomId(0), 5, 5), (vec![], false));
    let nowhere = Position { room: LOBBY, seq: u64::MAX };
    assert_eq!(lobby.opened.reader.message(nowhere).unwrap(), None);
}

fn a_message_is_found_by_its_position(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    lobby.say(BAR, 1..=1);
    let mut event = |room, seq| lobby.opened.reader.message(Position { room, seq }).unwrap();
    assert_eq!(event(LOBBY, 3), Some(text(3)));
    assert_eq!(event(BAR, 1), Some(text(1)));
    assert_eq!(event(BAR, 3), None);
    assert_eq!(event(LOBBY, 0), None);
    assert_eq!(event(LOBBY, 5), None);
}

fn a_deleted_room_has_no_messages(open: Open) {
    let mut both = Fixture::with_rooms(open, EVERYTHING);
    both.say(LOBBY, 1..=200);
    both.say(BAR, 1..=3);
    both.commit(&[(LOBBY, &text(201))], &[Memo::RoomGone(LOBBY)]);
    for _ in 0..2 {
        assert_eq!(both.all(LOBBY), NOTHING);
        assert_eq!(both.before(LOBBY, 100, 10), (vec![], false));
        let position = Position { room: LOBBY, seq: 1 };
        assert_eq!(both.opened.reader.message(position).unwrap(), None);
        assert_eq!(both.all(BAR), [1, 2, 3]);
        both.catch_up();
    }
}

fn a_room_created_again_is_empty(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=3);
    lobby.commit(&[], &[Memo::RoomGone(LOBBY)]);
    lobby.commit(&[], &[room(LOBBY, "Lobby")]);
    assert_eq!(lobby.all(LOBBY), NOTHING);
    lobby.say(LOBBY, 1..=2);
    lobby.catch_up();
    assert_eq!(lobby.all(LOBBY), [1, 2]);
}

fn an_unknown_room_has_no_messages(open: Open) {
    let mut both = Fixture::with_rooms(open, EVERYTHING);
    both.commit(&[(RoomId(9), &text(1)), (BAR, &text(1))], &[]);
    assert_eq!(both.all(RoomId(9)), NOTHING);
    assert_eq!(both.all(BAR), [1]);
}

fn the_last_memo_about_something_wins(open: Open) {
    let mut rooms = Fixture::with_rooms(open, EVERYTHING);
    rooms.say(LOBBY, 1..=2);
    let session = StoredUser {
        user: UserId(7),
        key: ResumeKey([1; 32]),
        name: "Ann".into(),
        room: Some(LOBBY),
    };
    // A room keeps its messages when its title changes. One that is created and deleted is deleted.
    let memos = [
        room(LOBBY, "The Lobby"),
        room(RoomId(3), "Short"),
        Memo::Ids(IdLimits { user: 7, room: 3 }),
        Memo::User(session),
        Memo::UserGone(UserId(7)),
        Memo::RoomGone(RoomId(3)),
        Memo::RoomGone(RoomId(3)),
        Memo::RoomGone(RoomId(77)),
        Memo::UserGone(UserId(77)),
    ];
    rooms.commit(&[(RoomId(3), &text(1)), (LOBBY, &text(3))], &memos);
    assert_eq!(rooms.all(LOBBY), [1, 2, 3]);
    assert_eq!(rooms.all(RoomId(3)), NOTHING);
}

fn max_events_limits_each_room(open: Open) {
    let mut both = Fixture::with_rooms(open, Retention { max_events: 5, ..EVERYTHING });
    both.say(LOBBY, 1..=300);
    both.say(BAR, 1..=5);
    both.catch_up();
    assert_eq!(both.all(LOBBY), [296, 297, 298, 299, 300]);
    assert_eq!(both.before(LOBBY, 298, 10), (vec![296, 297], false));
    assert_eq!(both.all(BAR), [1, 2, 3, 4, 5]);
    both.say(LOBBY, [301]);
    both.catch_up();
    assert_eq!(both.all(LOBBY), [297, 298, 299, 300, 301]);
}

fn max_events_may_be_zero(open: Open) {
    let mut lobby = Fixture::with_rooms(open, Retention { max_events: 0, ..EVERYTHING });
    lobby.say(LOBBY, 1..=3);
    assert_eq!(lobby.all(LOBBY), NOTHING);
    assert_eq!(lobby.before(LOBBY, 3, 3), (vec![], false));
}

fn old_messages_expire(open: Open) {
    let day = Duration::from_secs(86_400);
    let mut both = Fixture::with_rooms(open, Retention { max_age: Some(day), ..EVERYTHING });
    let now = now();
    both.say(BAR, 1..=200);
    for seq in 1..=100 {
        let time = if seq <= 90 { now - 90_000_000 } else { now };
        both.commit(&[(LOBBY, &Said { time, ..text(seq) })], &[]);
    }
    both.catch_up();
    assert_eq!(both.all(LOBBY), (91..=100).collect::<Vec<_>>());
    assert_eq!(both.all(BAR), NOTHING);
}

fn an_old_message_after_a_younger_one_stays(open: Open) {
    // The clock was set back: a younger message before an old one keeps it.
    let day = Duration::from_secs(86_400);
    let mut lobby = Fixture::with_rooms(open, Retention { max_age: Some(day), ..EVERYTHING });
    let now = now();
    for (seq, time) in [(1, 0), (2, now), (3, 0), (4, now)] {
        lobby.commit(&[(LOBBY, &Said { time, ..text(seq) })], &[]);
    }
    lobby.catch_up();
    assert_eq!(lobby.all(LOBBY), [2, 3, 4]);
}

fn a_new_retention_holds_for_what_is_kept(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=9);
    let mut keep = |max_events, next| {
        lobby.opened.history.set_retention(Retention { max_events, ..EVERYTHING });
        lobby.catch_up();
        let kept = lobby.all(LOBBY);
        lobby.say(LOBBY, [next]);
        lobby.catch_up();
        kept
    };
    assert_eq!(keep(3, 10), [7, 8, 9]);
    assert_eq!(keep(9, 11), [8, 9, 10]);
    assert_eq!(keep(0, 12), NOTHING);
    assert_eq!(keep(9, 13), NOTHING);
    assert_eq!(keep(9, 14), [13]);
}
