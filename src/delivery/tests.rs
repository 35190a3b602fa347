use super::*;
use crate::chat::{Content, Person, Position, UserId};
use crate::net::stream::MemorySocket;
use crate::outbox::{Flusher, FlusherThread, memory_outbox};
use crate::protocol::said_frame;
use crate::recall::Recalled;

const ROOM: RoomId = RoomId(1);
const OTHER_ROOM: RoomId = RoomId(2);

/// What may wait for a user, in bytes.
const MAX_QUEUED: usize = 1_000_000;

/// Some users with their connections, which are in memory.
struct Crowd {
    delivery: Delivery,
    clients: Vec<(Arc<Outbox>, MemorySocket)>,
    flusher: Arc<Flusher>,
    flusher_thread: FlusherThread,
}

impl Crowd {
    /// Users 1, 2 … `n`.
    fn of(n: usize) -> Self {
        Self::speaking(&vec![Version::Base; n])
    }

    /// A user for each of these.
    fn speaking(versions: &[Version]) -> Self {
        let (flusher, flusher_thread) = Flusher::new().unwrap();
        let mut crowd = Self {
            delivery: Delivery::default(),
            clients: Vec::new(),
            flusher: Arc::new(flusher),
            flusher_thread,
        };
        for version in versions {
            crowd.connect(MAX_QUEUED, *version);
        }
        crowd
    }

    /// One more user, the next in order.
    fn connect(&mut self, max_queued: usize, version: Version) {
        let connection = ConnectionId(self.clients.len() as u64 + 1);
        let (outbox, socket) = memory_outbox(connection, max_queued, &self.flusher);
        self.delivery.connect(connection, outbox.clone(), version);
        self.clients.push((outbox, socket));
    }

    /// User `id` gets an answer that was read for it.
    fn answer(&mut self, id: u64, gif: u64) {
        let frames = said_frame(ROOM, &said(Content::Gif(gif)));
        self.delivery.answer(ConnectionId(id), frames);
    }

    /// User `id` has a question; whether it is to be asked now.
    fn ask(&mut self, id: u64) -> bool {
        let what = Recalled::Said(Position { room: ROOM, seq: 1 });
        let question = Question { what, reference: None };
        self.delivery.await_answer(ConnectionId(id), question).is_some()
    }

    fn enter(&mut self, room: RoomId, id: u64) {
        self.delivery.enter(room, ConnectionId(id));
        self.delivery.tell(room, &Event::Entered(person(id)), 0);
    }

    /// Everyone in the room gets a gif of this number.
    fn tell(&mut self, room: RoomId, gif: u64) {
        self.delivery.say(room, &said(Content::Gif(gif)));
    }

    fn reply(&mut self, id: u64) {
        let event = match self.delivery.clients[&ConnectionId(id)].version {
            Version::Base => Event::Welcome { person: person(id), resumed: false, room: None },
            Version::V2 => {
                let (old_name, new_name) = ("A".into(), "B".into());
                Event::Renamed { user: UserId(id), old_name, new_name }
            }
        };
        self.delivery.reply(ConnectionId(id), &event, 0, &None);
    }

    /// Delivers the tick and checks in short what each user got.
    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.delivery.deliver(), []);
        for (index, (_, socket)) in self.clients.iter().enumerate() {
            assert_eq!(shorten(&socket.take_written()), expected[index], "user {}", index + 1);
        }
        assert_eq!(self.flusher_thread.pending_requests(), 0, "everything is written at once");
    }
}

fn said(content: Content) -> Said {
    Said { seq: 1, time: 0, from: person(9), content, reference: None }
}

fn person(id: u64) -> Person {
    Person { id: UserId(id), name: format!("U{id}").into() }
}

/// `w` for a welcome, `e2` for user 2 entering, `l2` for leaving, `t2` for typing, `g7` for gif 7; with a
/// star when it is in the second version.
fn shorten(frames: &[u8]) -> String {
    let text = String::from_utf8_lossy(frames);
    let number = |key: &str, part: &str| {
        let rest = part.split(key).nth(1).unwrap_or_default();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    let one = |part: &str| match part.split('"').next() {
        Some("welcome") => "w".to_owned(),
        Some("enter_room") => format!("e{}", number("\"id\":", part)),
        Some("leave_room") => format!("l{}", number("\"id\":", part)),
        Some("typing") => format!("t{}", number("\"id\":", part)),
        Some("change_name") => "n".to_owned(),
        Some("gif") => format!("g{}", number("\"gifId\":", part)),
        other => panic!("{other:?} in {text}"),
    };
    let star = |part: &str| if part.contains("\"time\":") { "*" } else { "" };
    let parts = text.split("{\"type\":\"").skip(1);
    parts.map(|part| one(part) + star(part)).collect::<Vec<_>>().join(" ")
}

#[test]
fn who_enters_in_mid_tick_gets_the_rest_of_it() {
    let mut crowd = Crowd::of(3);
    crowd.enter(ROOM, 1);
    crowd.tell(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.tell(ROOM, 2);
    crowd.enter(ROOM, 3);
    crowd.expect(&["e1 g1 e2 g2 e3", "e2 g2 e3", "e3"]);
    crowd.tell(ROOM, 3);
    crowd.expect(&["g3", "g3", "g3"]);
    crowd.expect(&["", "", ""]);
}

#[test]
fn a_reply_keeps_its_place_among_the_room_events() {
    let mut crowd = Crowd::of(2);
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.expect(&["e1 e2", "e2"]);
    crowd.tell(ROOM, 1);
    crowd.reply(1);
    crowd.tell(ROOM, 2);
    crowd.reply(1);
    crowd.reply(1);
    crowd.tell(ROOM, 3);
    crowd.expect(&["g1 w g2 w w g3", "g1 g2 g3"]);
}

#[test]
fn who_leaves_takes_along_what_was_told_until_then() {
    let mut crowd = Crowd::of(3);
    for id in 1..=3 {
        crowd.enter(ROOM, id);
    }
    crowd.expect(&["e1 e2 e3", "e2 e3", "e3"]);
    crowd.tell(ROOM, 1);
    crowd.delivery.leave(ConnectionId(1));
    crowd.tell(ROOM, 2);
    crowd.enter(OTHER_ROOM, 1);
    crowd.tell(OTHER_ROOM, 3);
    crowd.delivery.leave(ConnectionId(1));
    crowd.tell(OTHER_ROOM, 4);
    crowd.enter(ROOM, 1);
    crowd.tell(ROOM, 5);
    crowd.expect(&["g1 e1 g3 e1 g5", "g1 g2 e1 g5", "g1 g2 e1 g5"]);
    assert_eq!(crowd.delivery.rooms.len(), 1, "a room without members is forgotten");
}

#[test]
fn the_last_seat_moves_when_another_is_given_up() {
    let mut crowd = Crowd::of(3);
    for id in 1..=3 {
        crowd.enter(ROOM, id);
    }
    crowd.delivery.leave(ConnectionId(1));
    crowd.delivery.leave(ConnectionId(3));
    crowd.tell(ROOM, 1);
    crowd.expect(&["e1 e2 e3", "e2 e3 g1", "e3"]);
}

#[test]
fn what_is_due_comes_before_the_end() {
    let mut crowd = Crowd::of(2);
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.tell(ROOM, 1);
    crowd.delivery.leave(ConnectionId(1));
    crowd.delivery.end(ConnectionId(1), CloseReason::TooFast);
    crowd.tell(ROOM, 2);
    assert_eq!(crowd.delivery.deliver(), []);
    assert!(!crowd.delivery.clients.contains_key(&ConnectionId(1)));
    let (outbox, socket) = &crowd.clients[0];
    assert_eq!(outbox.ending().unwrap().reason, CloseReason::TooFast);
    let received = socket.take_written();
    let close = received.len() - b"\x88\x13\x03\xf0too many messages".len();
    assert_eq!(received[close..], *b"\x88\x13\x03\xf0too many messages");
    assert_eq!(shorten(&received[..close]), "e1 e2 g1");
}

#[test]
fn one_who_does_not_read_is_named_and_the_others_get_everything() {
    let mut crowd = Crowd::of(1);
    crowd.connect(1_000, Version::Base);
    crowd.clients[1].1.stall();
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    assert_eq!(crowd.delivery.deliver(), []);
    let text = "x".repeat(1_000);
    crowd.delivery.say(ROOM, &said(Content::Text(text.clone())));
    assert_eq!(crowd.delivery.deliver(), [], "the queue was not full yet");
    crowd.delivery.say(ROOM, &said(Content::Text(text.clone())));
    assert_eq!(crowd.delivery.deliver(), [ConnectionId(2)]);
    let received = crowd.clients[0].1.take_written();
    assert_eq!(String::from_utf8_lossy(&received).matches(&text).count(), 2);
}

#[test]
fn each_version_is_told_in_its_own_words_and_the_same_order() {
    let mut crowd = Crowd::speaking(&[Version::Base, Version::V2, Version::V2]);
    crowd.enter(ROOM, 1);
    crowd.tell(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.tell(ROOM, 2);
    crowd.delivery.leave(ConnectionId(1));
    crowd.tell(ROOM, 3);
    crowd.enter(ROOM, 3);
    crowd.expect(&["e1 g1 e2 g2", "e2* g2* g3* e3*", "e3*"]);
    crowd.delivery.leave(ConnectionId(2));
    crowd.delivery.leave(ConnectionId(3));
    crowd.enter(ROOM, 1);
    crowd.expect(&["e1", "", ""]);
}

#[test]
fn what_is_told_to_the_others_skips_one_and_keeps_its_place() {
    let mut crowd = Crowd::speaking(&[Version::V2, Version::V2, Version::Base]);
    for id in 1..=3 {
        crowd.enter(ROOM, id);
    }
    crowd.tell(ROOM, 1);
    let typing = Event::Typing(person(1));
    crowd.delivery.tell_others(ROOM, Some(ConnectionId(1)), &typing, 0);
    crowd.tell(ROOM, 2);
    crowd.expect(&["e1* e2* e3* g1* g2*", "e2* e3* g1* t1* g2*", "e3 g1 g2"]);
}

#[test]
fn everything_behind_an_answer_waits_for_it() {
    let mut crowd = Crowd::speaking(&[Version::V2, Version::V2]);
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.tell(ROOM, 1);
    crowd.ask(1);
    crowd.tell(ROOM, 2);
    crowd.expect(&["e1* e2* g1*", "e2* g1* g2*"]);
    crowd.tell(ROOM, 3);
    crowd.ask(1);
    crowd.reply(2);
    crowd.tell(ROOM, 4);
    crowd.expect(&["", "g3* n* g4*"]);
    crowd.answer(1, 90);
    crowd.tell(ROOM, 5);
    crowd.expect(&["g90* g2* g3*", "g5*"]);
    crowd.answer(1, 91);
    crowd.expect(&["g91* g4* g5*", ""]);
    crowd.tell(ROOM, 6);
    crowd.expect(&["g6*", "g6*"]);
}

#[test]
fn who_leaves_or_enters_while_waiting_keeps_the_order() {
    let mut crowd = Crowd::speaking(&[Version::V2, Version::V2]);
    crowd.enter(ROOM, 2);
    crowd.delivery.enter(ROOM, ConnectionId(1));
    crowd.ask(1);
    crowd.tell(ROOM, 1);
    crowd.expect(&["", "e2* g1*"]);
    crowd.delivery.leave(ConnectionId(1));
    crowd.tell(ROOM, 2);
    crowd.delivery.enter(OTHER_ROOM, ConnectionId(1));
    crowd.ask(1);
    crowd.tell(OTHER_ROOM, 3);
    crowd.expect(&["", "g2*"]);
    crowd.answer(1, 90);
    crowd.answer(1, 91);
    crowd.expect(&["g90* g1* g91* g3*", ""]);
    // An answer that nobody waits for is nobody's.
    crowd.answer(1, 92);
    crowd.expect(&["", ""]);
}

#[test]
fn no_more_waits_for_an_answer_than_may_wait_at_all() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    crowd.enter(ROOM, 1);
    crowd.ask(1);
    crowd.expect(&["e1*"]);
    let text = "x".repeat(MAX_QUEUED / 4);
    for _ in 0..3 {
        crowd.delivery.say(ROOM, &said(Content::Text(text.clone())));
        assert_eq!(crowd.delivery.deliver(), []);
    }
    crowd.delivery.say(ROOM, &said(Content::Text(text)));
    assert_eq!(crowd.delivery.deliver(), [ConnectionId(1)]);
}

#[test]
fn one_question_of_each_is_asked_at_a_time_and_too_many_are_none() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    assert!(crowd.ask(1), "the first is asked at once");
    let more = (0..1_000).take_while(|_| {
        assert!(!crowd.ask(1), "the others wait");
        crowd.delivery.fallen_behind.is_empty()
    });
    let more = more.count();
    assert_eq!(crowd.delivery.deliver(), [ConnectionId(1)]);
    let frames = said_frame(ROOM, &said(Content::Gif(1)));
    for _ in 0..=more {
        assert!(crowd.delivery.answer(ConnectionId(1), frames.clone()).is_some());
    }
    assert!(crowd.delivery.answer(ConnectionId(1), frames).is_none(), "all have been asked");
    assert!(crowd.ask(1));
}

#[test]
fn what_is_no_event_to_anybody_there_is_not_told() {
    let mut crowd = Crowd::of(1);
    crowd.enter(ROOM, 1);
    crowd.expect(&["e1"]);
    crowd.delivery.tell_others(ROOM, None, &Event::Typing(person(2)), 0);
    crowd.tell(ROOM, 1);
    crowd.reply(1);
    crowd.tell(ROOM, 2);
    crowd.expect(&["g1 w g2"]);
}
