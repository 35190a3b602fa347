//! What only one backend does.

use super::{BAR, EVERYTHING, Fixture, LOBBY, NOTHING, text};
use crate::chat::{Content, Memo, Said};
use crate::history::Retention;
#[cfg(not(feature = "sqlite"))]
use crate::history::{Durability, Location};

#[test]
fn memory_drops_the_oldest_of_all_rooms_when_full() {
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
    // A deleted room frees its bytes.
    both.commit(&[], &[Memo::RoomGone(LOBBY)]);
    both.say(BAR, 3..=5);
    assert_eq!(both.all(BAR), [2, 3, 4, 5]);
    // A message that is larger than the limit is dropped, and all others before it.
    let long = Said { content: Content::Text("x".repeat(5 * one)), ..text(6) };
    both.commit(&[(BAR, &long)], &[]);
    assert_eq!(both.all(BAR), NOTHING);
    both.say(BAR, [7]);
    assert_eq!(both.all(BAR), [7]);
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn a_file_needs_the_feature() {
    let place = Location::File { path: "wschat.db".into(), durability: Durability::Process };
    let error = crate::history::open(&place, EVERYTHING).err().expect("the feature is off");
    assert_eq!(
        error.to_string(),
        "wschat.db cannot be used: this wschat was built without the feature `sqlite`; build it \
         with that feature, or set the history's file to null",
    );
}
