//! What every backend does: one set of tests, told to each.
//!
//! A backend may keep more than it has to, until its upkeep has run.

use std::time::Duration;

use tempfile::TempDir;

use super::{Batch, Durability, Opened, Place, Retention};
use crate::chat::{
    Content, Memo, Person, Position, ResumeKey, RoomId, Said, Stored, StoredRoom, StoredUser,
    UserId,
};

const LOBBY: RoomId = RoomId(1);
const BAR: RoomId = RoomId(2);

/// No `seq`.
const NOTHING: [u64; 0] = [];

pub(super) const EVERYTHING: Retention =
    Retention { max_events: 1_000_000, max_age: None, max_memory_bytes: usize::MAX };

/// Each test for each backend.
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

contract! {
    a_new_one_remembers_nothing
    each_has_an_epoch_of_its_own
    what_was_said_is_found_as_it_was_said
    any_number_of_a_picture_is_kept
    a_commit_is_seen_by_the_next_read
    a_batch_may_speak_in_many_rooms
    since_has_both_ends
    since_keeps_the_newest_that_fit
    before_pages_back
    before_tells_whether_there_is_more
    before_keeps_the_newest_that_fit
    numbers_beyond_all_find_nothing
    an_event_is_found_by_its_position
    a_room_that_is_gone_has_nothing
    a_room_that_comes_again_begins_anew
    a_room_nobody_knows_has_nothing
    the_latest_memo_of_a_thing_holds
    only_so_many_events_are_kept
    no_events_need_be_kept
    what_is_too_old_goes
    a_younger_one_waits_for_none_but_older_ones_before_it
}

/// A history that is in use, by the names that a test knows.
pub(super) struct Fixture {
    pub(super) opened: Opened,
    _folder: Option<TempDir>,
}

type Open = fn(Retention) -> Fixture;

impl Fixture {
    fn in_memory(retention: Retention) -> Self {
        let opened = super::open(&Place::Memory, retention).unwrap();
        Self { opened, _folder: None }
    }

    #[cfg(feature = "sqlite")]
    fn in_file(retention: Retention) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let place = Place::File { path, durability: Durability::Process };
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

    /// Says `seqs` in `room`, each in a batch of its own.
    fn say(&mut self, room: RoomId, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            self.commit(&[(room, &text(seq))], &[]);
        }
    }

    /// Lets upkeep, if there is any, do all that it will ever do.
    #[cfg_attr(not(feature = "sqlite"), allow(clippy::unused_self))]
    fn catch_up(&mut self) {
        #[cfg(feature = "sqlite")]
        if let Some(upkeep) = &mut self.opened.upkeep {
            upkeep.catch_up().unwrap();
        }
    }

    fn since(&mut self, room: RoomId, after: u64, upto: u64) -> Vec<u64> {
        seqs(&self.opened.reader.since(room, after, upto, usize::MAX).unwrap())
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

/// What Ann says, said long ago, of 7 bytes.
pub(super) fn text(seq: u64) -> Said {
    Said {
        seq,
        time: 1_000 + seq,
        from: Person { id: UserId(7), name: "Ann".into() },
        content: Content::Text(format!("{seq:04}")),
        reference: None,
    }
}

fn now() -> u64 {
    super::oldest_kept(Some(Duration::ZERO)).unwrap()
}

fn a_new_one_remembers_nothing(open: Open) {
    let mut new = open(EVERYTHING);
    assert_eq!(new.opened.remembered, Stored::default());
    assert_eq!(new.all(LOBBY), NOTHING);
}

fn each_has_an_epoch_of_its_own(open: Open) {
    let (one, other) = (open(EVERYTHING).opened.epoch, open(EVERYTHING).opened.epoch);
    assert_eq!(one.len(), 16, "{one}");
    assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
    assert_ne!(one, other);
}

fn what_was_said_is_found_as_it_was_said(open: Open) {
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

fn any_number_of_a_picture_is_kept(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    for (seq, gif) in [0, u64::MAX, 1 << 63, (1 << 63) - 1].into_iter().enumerate() {
        let said = Said { content: Content::Gif(gif), ..text(seq as u64 + 1) };
        lobby.commit(&[(LOBBY, &said)], &[]);
        let position = Position { room: LOBBY, seq: said.seq };
        assert_eq!(lobby.opened.reader.event(position).unwrap(), Some(said));
    }
}

fn a_commit_is_seen_by_the_next_read(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    for seq in 1..=20 {
        lobby.say(LOBBY, [seq]);
        assert_eq!(lobby.since(LOBBY, seq - 1, seq), [seq]);
    }
}

fn a_batch_may_speak_in_many_rooms(open: Open) {
    let mut both = open(EVERYTHING);
    let (one, two) = (text(1), text(2));
    let said = [(LOBBY, &one), (BAR, &one), (LOBBY, &two)];
    both.commit(&said, &[room(LOBBY, "Lobby"), room(BAR, "Bar")]);
    assert_eq!((both.all(LOBBY), both.all(BAR)), (vec![1, 2], vec![1]));
    both.commit(&[], &[]);
}

fn since_has_both_ends(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=9);
    assert_eq!(lobby.since(LOBBY, 3, 7), [4, 5, 6, 7]);
    assert_eq!(lobby.since(LOBBY, 0, 1), [1]);
    assert_eq!(lobby.since(LOBBY, 8, 100), [9]);
    assert_eq!(lobby.since(LOBBY, 5, 5), NOTHING);
    assert_eq!(lobby.since(LOBBY, 7, 3), NOTHING);
    assert_eq!(lobby.since(LOBBY, 9, 100), NOTHING);
}

fn since_keeps_the_newest_that_fit(open: Open) {
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

fn before_pages_back(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=9);
    assert_eq!(lobby.before(LOBBY, u64::MAX, 4), (vec![6, 7, 8, 9], true));
    assert_eq!(lobby.before(LOBBY, 6, 4), (vec![2, 3, 4, 5], true));
    assert_eq!(lobby.before(LOBBY, 2, 4), (vec![1], false));
    assert_eq!(lobby.before(LOBBY, 1, 4), (vec![], false));
    assert_eq!(lobby.before(LOBBY, 0, 4), (vec![], false));
}

fn before_tells_whether_there_is_more(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    assert_eq!(lobby.before(LOBBY, 5, 3), (vec![2, 3, 4], true));
    assert_eq!(lobby.before(LOBBY, 5, 4), (vec![1, 2, 3, 4], false));
    assert_eq!(lobby.before(LOBBY, 5, usize::MAX), (vec![1, 2, 3, 4], false));
    assert_eq!(lobby.before(LOBBY, 5, 0), (vec![], true));
    assert_eq!(lobby.before(LOBBY, 1, 0), (vec![], false));
}

fn before_keeps_the_newest_that_fit(open: Open) {
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

fn numbers_beyond_all_find_nothing(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    assert_eq!(lobby.all(RoomId(u64::MAX)), NOTHING);
    assert_eq!(lobby.since(LOBBY, u64::MAX, u64::MAX), NOTHING);
    assert_eq!(lobby.before(RoomId(0), 5, 5), (vec![], false));
    let nowhere = Position { room: LOBBY, seq: u64::MAX };
    assert_eq!(lobby.opened.reader.event(nowhere).unwrap(), None);
}

fn an_event_is_found_by_its_position(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=4);
    lobby.say(BAR, 1..=1);
    let mut event = |room, seq| lobby.opened.reader.event(Position { room, seq }).unwrap();
    assert_eq!(event(LOBBY, 3), Some(text(3)));
    assert_eq!(event(BAR, 1), Some(text(1)));
    assert_eq!(event(BAR, 3), None);
    assert_eq!(event(LOBBY, 0), None);
    assert_eq!(event(LOBBY, 5), None);
}

fn a_room_that_is_gone_has_nothing(open: Open) {
    let mut both = Fixture::with_rooms(open, EVERYTHING);
    both.say(LOBBY, 1..=200);
    both.say(BAR, 1..=3);
    both.commit(&[(LOBBY, &text(201))], &[Memo::RoomGone(LOBBY)]);
    for _ in 0..2 {
        assert_eq!(both.all(LOBBY), NOTHING);
        assert_eq!(both.before(LOBBY, 100, 10), (vec![], false));
        let position = Position { room: LOBBY, seq: 1 };
        assert_eq!(both.opened.reader.event(position).unwrap(), None);
        assert_eq!(both.all(BAR), [1, 2, 3]);
        both.catch_up();
    }
}

fn a_room_that_comes_again_begins_anew(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=3);
    lobby.commit(&[], &[Memo::RoomGone(LOBBY)]);
    lobby.commit(&[], &[room(LOBBY, "Lobby")]);
    assert_eq!(lobby.all(LOBBY), NOTHING);
    lobby.say(LOBBY, 1..=2);
    lobby.catch_up();
    assert_eq!(lobby.all(LOBBY), [1, 2]);
}

fn a_room_nobody_knows_has_nothing(open: Open) {
    let mut both = Fixture::with_rooms(open, EVERYTHING);
    both.commit(&[(RoomId(9), &text(1)), (BAR, &text(1))], &[]);
    assert_eq!(both.all(RoomId(9)), NOTHING);
    assert_eq!(both.all(BAR), [1]);
}

fn the_latest_memo_of_a_thing_holds(open: Open) {
    let mut rooms = Fixture::with_rooms(open, EVERYTHING);
    rooms.say(LOBBY, 1..=2);
    let session = StoredUser {
        user: UserId(7),
        key: ResumeKey([1; 32]),
        name: "Ann".into(),
        room: Some(LOBBY),
    };
    // What was said before a room changes its title is still there; made and gone is gone.
    let memos = [
        room(LOBBY, "The Lobby"),
        room(RoomId(3), "Short"),
        Memo::LastUser(UserId(7)),
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

fn only_so_many_events_are_kept(open: Open) {
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

fn no_events_need_be_kept(open: Open) {
    let mut lobby = Fixture::with_rooms(open, Retention { max_events: 0, ..EVERYTHING });
    lobby.say(LOBBY, 1..=3);
    assert_eq!(lobby.all(LOBBY), NOTHING);
    assert_eq!(lobby.before(LOBBY, 3, 3), (vec![], false));
}

fn what_is_too_old_goes(open: Open) {
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

fn a_younger_one_waits_for_none_but_older_ones_before_it(open: Open) {
    // The clock was set back: what lies before in the room keeps what is too old behind it.
    let day = Duration::from_secs(86_400);
    let mut lobby = Fixture::with_rooms(open, Retention { max_age: Some(day), ..EVERYTHING });
    let now = now();
    for (seq, time) in [(1, 0), (2, now), (3, 0), (4, now)] {
        lobby.commit(&[(LOBBY, &Said { time, ..text(seq) })], &[]);
    }
    lobby.catch_up();
    assert_eq!(lobby.all(LOBBY), [2, 3, 4]);
}

#[test]
fn memory_forgets_the_oldest_of_all_rooms_when_it_is_full() {
    let one = 128 + 7;
    let retention = Retention { max_memory_bytes: 4 * one, ..EVERYTHING };
    let mut both = Fixture::with_rooms(Fixture::in_memory, retention);
    both.say(BAR, [1]);
    both.say(LOBBY, [1, 2]);
    both.say(BAR, [2]);
    assert_eq!((both.all(LOBBY), both.all(BAR)), (vec![1, 2], vec![1, 2]));
    both.say(LOBBY, [3]);
    assert_eq!((both.all(LOBBY), both.all(BAR)), (vec![1, 2, 3], vec![2]));
    both.say(LOBBY, [4]);
    assert_eq!((both.all(LOBBY), both.all(BAR)), (vec![2, 3, 4], vec![2]));
    // What a room leaves behind is free again.
    both.commit(&[], &[Memo::RoomGone(LOBBY)]);
    both.say(BAR, 3..=5);
    assert_eq!(both.all(BAR), [2, 3, 4, 5]);
    // One that is larger than all of it is not kept, and takes the others with it.
    let long = Said { content: Content::Text("x".repeat(5 * one)), ..text(6) };
    both.commit(&[(BAR, &long)], &[]);
    assert_eq!(both.all(BAR), NOTHING);
    both.say(BAR, [7]);
    assert_eq!(both.all(BAR), [7]);
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn a_file_takes_the_feature() {
    let place = Place::File { path: "wschat.db".into(), durability: Durability::Process };
    let error = super::open(&place, EVERYTHING).err().expect("it is not built in");
    assert_eq!(
        error.to_string(),
        "wschat.db cannot be used: this wschat was built without the feature `sqlite`; build it \
         with that feature, or set the history's file to null",
    );
}
