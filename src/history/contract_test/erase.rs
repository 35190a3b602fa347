//! What every backend does with messages that are erased.

use super::{BAR, EVERYTHING, Fixture, LOBBY, NOTHING, Open, seqs, text};
use crate::chat::{Content, Erasure, Memo, Person, Position, RoomId, Said, UserId};

contract! {
    those_of_one_user_are_erased_in_every_room
    a_room_is_erased_up_to_a_message
    old_messages_are_erased
    what_is_erased_is_counted_once
    an_export_leaves_out_what_is_erased
    nothing_is_erased_of_rooms_that_are_not_named
}

const ANN: UserId = UserId(7);

fn of_bob(seq: u64) -> Said {
    Said { from: Person { id: UserId(8), name: "Bob".into() }, ..text(seq) }
}

impl Fixture {
    fn erase(&self, what: Erasure, up_to: &[(RoomId, u64)]) -> u64 {
        self.opened.archive.erase(what, up_to).unwrap()
    }

    fn messages(&mut self, room: RoomId) -> Vec<Said> {
        self.opened.reader.since(room, 0, u64::MAX, usize::MAX).unwrap()
    }
}

fn those_of_one_user_are_erased_in_every_room(open: Open) {
    let mut both = Fixture::with_rooms(open, EVERYTHING);
    for seq in 1..=600 {
        let said = if seq % 3 == 0 { text(seq) } else { of_bob(seq) };
        both.commit(&[(LOBBY, &said)], &[]);
    }
    both.commit(&[(BAR, &text(1)), (BAR, &of_bob(2))], &[]);
    assert_eq!(both.erase(Erasure::User(ANN), &[(LOBBY, 599), (BAR, 2)]), 200);
    for said in both.messages(LOBBY) {
        let kept = if said.seq % 3 != 0 {
            of_bob(said.seq)
        } else if said.seq == 600 {
            text(600)
        } else {
            text(said.seq).erased()
        };
        assert_eq!(said, kept);
    }
    assert_eq!(both.all(LOBBY), (1..=600).collect::<Vec<_>>(), "the numbers have no gap");
    // What is erased at the beginning of a room is not even kept as a number.
    assert_eq!(both.messages(BAR), [of_bob(2)]);
    let erased = both.opened.reader.message(Position { room: LOBBY, seq: 3 }).unwrap().unwrap();
    assert_eq!((erased.content, erased.from.id), (Content::Erased, UserId(0)));
}

fn a_room_is_erased_up_to_a_message(open: Open) {
    let mut both = Fixture::with_rooms(open, EVERYTHING);
    both.say(LOBBY, 1..=5);
    both.say(BAR, 1..=5);
    assert_eq!(both.erase(Erasure::Room(LOBBY), &[(LOBBY, 4)]), 4);
    assert_eq!((both.all(LOBBY), both.all(BAR)), (vec![5], vec![1, 2, 3, 4, 5]));
    assert_eq!(both.before(LOBBY, 5, 9), (vec![], false), "and nothing is said to be older");
    both.say(LOBBY, [6]);
    assert_eq!(both.erase(Erasure::Room(LOBBY), &[(LOBBY, 6)]), 2);
    assert_eq!(both.all(LOBBY), NOTHING);
    both.say(LOBBY, [7]);
    both.catch_up();
    assert_eq!(both.all(LOBBY), [7]);
}

fn old_messages_are_erased(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.say(LOBBY, 1..=3);
    // The clock was set back.
    lobby.commit(&[(LOBBY, &Said { time: 5, ..text(4) })], &[]);
    assert_eq!(lobby.erase(Erasure::Before(1_002), &[(LOBBY, 4)]), 2);
    let late = Said { time: 5, ..text(4) }.erased();
    assert_eq!(lobby.messages(LOBBY), [text(2), text(3), late]);
}

fn what_is_erased_is_counted_once(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.commit(&[(LOBBY, &of_bob(1)), (LOBBY, &text(2))], &[]);
    assert_eq!(lobby.erase(Erasure::User(ANN), &[(LOBBY, 2)]), 1);
    assert_eq!(lobby.erase(Erasure::User(ANN), &[(LOBBY, 2)]), 0);
    assert_eq!(lobby.erase(Erasure::User(UserId(0)), &[(LOBBY, 2)]), 0);
    assert_eq!(lobby.erase(Erasure::Room(LOBBY), &[(LOBBY, 2)]), 1);
}

fn an_export_leaves_out_what_is_erased(open: Open) {
    let mut lobby = Fixture::with_rooms(open, EVERYTHING);
    lobby.commit(&[(LOBBY, &of_bob(1)), (LOBBY, &text(2)), (LOBBY, &of_bob(3))], &[]);
    lobby.erase(Erasure::User(ANN), &[(LOBBY, 3)]);
    let pages: Vec<_> = lobby.opened.archive.pages(LOBBY).unwrap().map(Result::unwrap).collect();
    assert_eq!(seqs(&pages.concat()), [1, 3]);
}

fn nothing_is_erased_of_rooms_that_are_not_named(open: Open) {
    let mut both = Fixture::with_rooms(open, EVERYTHING);
    both.say(LOBBY, 1..=3);
    both.say(BAR, 1..=3);
    assert_eq!(both.erase(Erasure::User(ANN), &[(BAR, 3), (RoomId(9), 5)]), 3);
    assert_eq!((both.all(LOBBY), both.all(BAR)), (vec![1, 2, 3], vec![]));
    both.commit(&[], &[Memo::RoomGone(LOBBY)]);
    both.erase(Erasure::User(ANN), &[(BAR, 3)]);
    assert_eq!(both.all(LOBBY), NOTHING);
}
