//! What every backend gives to those who copy it.

use super::{BAR, EVERYTHING, Fixture, LOBBY, NOTHING, Open, seqs, text};
use crate::chat::{RoomId, Said};

contract! {
    all_of_a_room_comes_in_pages
    a_page_has_what_was_said_since_the_one_before
}

fn pages(fixture: &Fixture, room: RoomId) -> Vec<Vec<Said>> {
    fixture.opened.archive.pages(room).unwrap().map(Result::unwrap).collect()
}

fn all_of_a_room_comes_in_pages(open: Open) {
    let mut fixture = Fixture::with_rooms(open, EVERYTHING);
    fixture.say(LOBBY, 1..=1_200);
    fixture.say(BAR, 1..=3);
    let found = pages(&fixture, LOBBY);
    assert!(found.len() > 1);
    assert_eq!(seqs(&found.concat()), (1..=1_200).collect::<Vec<_>>());
    assert_eq!(found[0][0], text(1));
    assert_eq!(seqs(&pages(&fixture, BAR).concat()), [1, 2, 3]);
    assert_eq!(seqs(&pages(&fixture, RoomId(9)).concat()), NOTHING);
}

fn a_page_has_what_was_said_since_the_one_before(open: Open) {
    let mut fixture = Fixture::with_rooms(open, EVERYTHING);
    fixture.say(LOBBY, 1..=600);
    let mut pages = fixture.opened.archive.pages(LOBBY).unwrap();
    let mut found = seqs(&pages.next().unwrap().unwrap());
    fixture.say(LOBBY, 601..=700);
    pages.for_each(|page| found.extend(seqs(&page.unwrap())));
    assert_eq!(found, (1..=700).collect::<Vec<_>>());
}
