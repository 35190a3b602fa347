//! What is taken out of the rooms.

use super::*;
use crate::chat::{Action, Erasure, Request};

/// The numbers in the hash of erased messages.
fn erased(server: &TestServer, room: RoomId) -> Vec<u64> {
    let keys = server.cli(&["hkeys", &server.engine().keys().erased(room)]);
    let mut numbers: Vec<u64> = keys.lines().filter_map(|line| line.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn erased_messages_leave_their_numbers() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=3);
    node.act(Action::Erased { what: Erasure::Room(LOBBY), reach: vec![(LOBBY, 2)] });
    node.say([4]);
    let mut steps = Steps::begin(&server);
    steps.keep();
    assert_eq!(kept(&server, LOBBY), said(3..=4));
    assert_eq!(erased(&server, LOBBY), [1, 2]);
    // Once more does no harm.
    server.cli(&["del", "{wschat}:snap"]);
    let mut again = Steps::begin(&server);
    again.keep();
    assert_eq!(kept(&server, LOBBY), said(3..=4));
    // What is erased at the beginning of a room is forgotten.
    again.upkeep(None);
    assert_eq!(erased(&server, LOBBY), Vec::<u64>::new());
}

#[test]
fn a_room_that_is_gone_leaves_nothing() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.ask(Request::CreateRoom("Third".to_owned()));
    node.ask(Request::EnterRoom(RoomId(3)));
    node.say(1..=3);
    node.act(Action::Erased { what: Erasure::Room(RoomId(3)), reach: vec![(RoomId(3), 2)] });
    let mut steps = Steps::begin(&server);
    steps.keep();
    assert_eq!(kept(&server, RoomId(3)), said([3]));
    assert_eq!(erased(&server, RoomId(3)), [1, 2]);
    // The rules say that an empty room goes at once.
    let rules = crate::chat::Rules {
        empty_room_ttl: Duration::ZERO,
        ..crate::chat::Rules::sample(&["Lobby", "Bar"])
    };
    node.act(Action::SetRules(Box::new(rules)));
    node.ask(Request::EnterRoom(LOBBY));
    node.act(Action::Wait);
    steps.keep();
    assert_eq!(server.cli(&["keys", "{wschat}:[eh]:3"]).trim(), "");
    // A keeper that was late has written it once more. The next one removes it.
    server.cli(&["xadd", "{wschat}:h:3", "1-0", "e", "late"]);
    server.cli(&[
        "xadd",
        "{wschat}:h:4",
        "1-0",
        "e",
        "of a room that this keeper does not know yet",
    ]);
    let mut next = Steps::begin(&server);
    node.say([1]);
    next.read();
    next.upkeep(None);
    assert_eq!(server.cli(&["keys", "{wschat}:[eh]:*"]).trim(), "{wschat}:h:4");
}

#[test]
fn the_rules_say_how_much_is_kept() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=1_500);
    let mut steps = Steps::begin(&server);
    steps.keep();
    let numbers = kept(&server, LOBBY);
    assert!((1_000..=1_200).contains(&numbers.len()), "{}", numbers.len());
    assert_eq!(numbers.last().unwrap().0, 1_500);
    // In its time, it is so many exactly.
    steps.upkeep(None);
    assert_eq!(kept(&server, LOBBY), said(501..=1_500));
}

#[test]
fn what_is_too_old_goes() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=200);
    node.act(Action::Erased { what: Erasure::Before(0), reach: vec![(LOBBY, 1)] });
    let mut steps = Steps::begin(&server);
    steps.keep();
    let now = Some(Duration::ZERO);
    steps.upkeep(None);
    assert_eq!(kept(&server, LOBBY).len(), 200);
    let mut steps = Steps::begin(&server);
    node.say([201]);
    steps.keep();
    // 50 are looked at in a step.
    for _ in 0..5 {
        steps.upkeep(now);
    }
    assert_eq!(kept(&server, LOBBY), []);
    node.say([202]);
    steps.keep();
    assert_eq!(kept(&server, LOBBY), said([202]), "numbers go on");
}
