use super::*;
use crate::chat::{
    Content, Event, NodeId, Person, Position, Renaming, Reply, Said, UserId, Version,
};
use crate::input::{Credentials, Secret};
use crate::memory::Memory;
use crate::net::stream::MemorySocket;
use crate::outbox::{Flusher, FlusherThread, memory_outbox};
use crate::pace::Pace;
use crate::recall::Lookup;

const ROOM: RoomId = RoomId(1);
const OTHER_ROOM: RoomId = RoomId(2);

/// How many bytes may be queued for a client.
const MAX_QUEUED: usize = 1_000_000;

/// Some users with connections in memory. User 1 is at connection 1, and so on.
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

    /// A user for each of these versions.
    fn speaking(versions: &[Version]) -> Self {
        let (flusher, flusher_thread) = Flusher::new(Memory::plenty()).unwrap();
        let mut crowd = Self {
            delivery: Delivery::new(ServerInfo::sample(), "0".into(), Memory::plenty()),
            clients: Vec::new(),
            flusher: Arc::new(flusher),
            flusher_thread,
        };
        for version in versions {
            let id = crowd.connect(MAX_QUEUED, *version);
            crowd.welcome(id, id);
        }
        assert_eq!(crowd.delivery.deliver(), []);
        for (_, socket) in &crowd.clients {
            socket.take_written();
        }
        crowd
    }

    /// Adds the next connection, without a user yet.
    fn connect(&mut self, max_queued: usize, version: Version) -> u64 {
        let id = self.clients.len() as u64 + 1;
        let (outbox, socket) = memory_outbox(ConnectionId(id), max_queued, &self.flusher);
        let arrival = match version {
            Version::Base => Arrival::Base,
            Version::V2 => {
                let fresh = Secret::parse(&format!("{id:032x}")).unwrap();
                let resumed = Secret::parse(&format!("{:032x}", id + 100));
                Arrival::V2(Box::new(Credentials { resumed, fresh }))
            }
        };
        self.delivery.connect(ConnectionId(id), outbox.clone(), Pace::unlimited(), arrival);
        self.clients.push((outbox, socket));
        id
    }

    fn welcome(&mut self, connection: u64, user: u64) {
        let link = Link { node: NodeId(0), connection: ConnectionId(connection) };
        let version = self.delivery.clients[&link.connection].version;
        let (resumed, can_resume) = (connection != user, version == Version::V2);
        let welcome =
            Welcome { person: person(user), version, resumed, can_resume, room: None, time: 0 };
        self.follow(Effect::Connected { link, welcome });
    }

    fn follow(&mut self, effect: Effect) {
        assert!(self.delivery.take(Output::Effect(effect)).is_none());
    }

    /// User `id` gets an answer from the history; returns whether its next query is sent.
    fn answer(&mut self, id: u64, gif: u64) -> bool {
        let event = Event::Said(said(Content::Gif(gif)));
        let outgoing = Outgoing::Event { room: ROOM, time: 0, event: &event };
        let (connection, frames) = (ConnectionId(id), Version::V2.frame(&outgoing));
        self.delivery.take(Output::QueryResult { connection, frames }).is_some()
    }

    /// User `id` has a query; returns whether it is sent now.
    fn query(&mut self, id: u64) -> bool {
        let what = Lookup::Message(Position { room: ROOM, seq: 1 });
        let query = Query { what, reference: None };
        self.delivery.take(Output::Query { to: UserId(id), query }).is_some()
    }

    fn subscribe(&mut self, room: RoomId, id: u64) {
        self.follow(Effect::Subscribe { user: UserId(id), room });
    }

    fn unsubscribe(&mut self, id: u64) {
        self.follow(Effect::Unsubscribe { user: UserId(id) });
    }

    fn enter(&mut self, room: RoomId, id: u64) {
        self.subscribe(room, id);
        self.follow(Effect::Tell { room, time: 0, event: Event::Entered(person(id)) });
    }

    /// Everyone in the room gets the GIF of this number.
    fn tell(&mut self, room: RoomId, gif: u64) {
        self.say(room, Content::Gif(gif));
    }

    fn say(&mut self, room: RoomId, content: Content) {
        self.follow(Effect::Tell { room, time: 0, event: Event::Said(said(content)) });
    }

    fn types(&mut self, room: RoomId, id: u64) {
        let (from, person) = (ConnectionId(id), person(id));
        self.delivery.take(Output::Typing { room, from, person, time: 0 });
    }

    fn reply(&mut self, id: u64) {
        let reply = match self.delivery.clients[&ConnectionId(id)].version {
            Version::Base => Reply::Entered(person(id)),
            Version::V2 => {
                let (user, old_name, new_name) = (UserId(id), "A".into(), "B".into());
                Reply::Renamed(Renaming { user, old_name, new_name, reference: None })
            }
        };
        self.follow(Effect::Reply { to: UserId(id), time: 0, reply, reference: None });
    }

    fn close(&mut self, id: u64, reason: CloseReason) {
        self.delivery.take(Output::Close { connection: ConnectionId(id), reason });
    }

    /// Delivers the tick, and checks the frames that each user got, in short form.
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

/// `w` for a welcome, `e2` for user 2 entering, `l2` for leaving, `t2` for typing, `g7` for GIF 7; with a
/// star for a frame of `wschat.v2`.
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
fn a_client_that_enters_in_mid_tick_gets_the_rest() {
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
    crowd.expect(&["g1 e1 g2 e1 e1 g3", "g1 g2 g3"]);
}

#[test]
fn a_client_that_leaves_gets_the_events_until_then() {
    let mut crowd = Crowd::of(3);
    for id in 1..=3 {
        crowd.enter(ROOM, id);
    }
    crowd.expect(&["e1 e2 e3", "e2 e3", "e3"]);
    crowd.tell(ROOM, 1);
    crowd.unsubscribe(1);
    crowd.tell(ROOM, 2);
    crowd.enter(OTHER_ROOM, 1);
    crowd.tell(OTHER_ROOM, 3);
    crowd.unsubscribe(1);
    crowd.tell(OTHER_ROOM, 4);
    crowd.enter(ROOM, 1);
    crowd.tell(ROOM, 5);
    crowd.expect(&["g1 e1 g3 e1 g5", "g1 g2 e1 g5", "g1 g2 e1 g5"]);
    assert_eq!(crowd.delivery.rooms.len(), 1, "a room without members is forgotten");
}

#[test]
fn the_last_seat_fills_the_gap_of_a_removed_one() {
    let mut crowd = Crowd::of(3);
    for id in 1..=3 {
        crowd.enter(ROOM, id);
    }
    crowd.unsubscribe(1);
    crowd.unsubscribe(3);
    crowd.tell(ROOM, 1);
    crowd.expect(&["e1 e2 e3", "e2 e3 g1", "e3"]);
}

#[test]
fn frames_of_the_tick_come_before_the_close_frame() {
    let mut crowd = Crowd::of(2);
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.tell(ROOM, 1);
    crowd.unsubscribe(1);
    crowd.close(1, CloseReason::TooFast);
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
fn a_client_that_does_not_read_is_reported_and_the_others_get_everything() {
    let mut crowd = Crowd::of(1);
    let second = crowd.connect(1_000, Version::Base);
    crowd.welcome(second, second);
    crowd.clients[1].1.stall();
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    assert_eq!(crowd.delivery.deliver(), []);
    let text = "x".repeat(1_000);
    crowd.say(ROOM, Content::Text(text.clone()));
    assert_eq!(crowd.delivery.deliver(), [], "the queue was not full yet");
    crowd.say(ROOM, Content::Text(text.clone()));
    assert_eq!(crowd.delivery.deliver(), [ConnectionId(2)]);
    let received = crowd.clients[0].1.take_written();
    assert_eq!(String::from_utf8_lossy(&received).matches(&text).count(), 2);
}

#[test]
fn a_client_that_leaves_and_has_no_room_for_its_last_frames_is_a_slow_consumer() {
    for (reason, ended_as) in [
        (CloseReason::ClosedByClient(Some(1000)), CloseReason::SlowConsumer),
        (CloseReason::ConnectionLost, CloseReason::ConnectionLost),
    ] {
        let mut crowd = Crowd::of(0);
        let id = crowd.connect(10, Version::Base);
        crowd.clients[0].1.stall();
        crowd.welcome(id, id);
        assert_eq!(crowd.delivery.deliver(), []);
        crowd.reply(1);
        crowd.close(1, reason);
        assert_eq!(crowd.delivery.deliver(), [], "it is closed already");
        assert_eq!(crowd.clients[0].0.ending().unwrap().reason, ended_as);
    }
}

#[test]
fn each_version_gets_its_own_frames_in_the_same_order() {
    let mut crowd = Crowd::speaking(&[Version::Base, Version::V2, Version::V2]);
    crowd.enter(ROOM, 1);
    crowd.tell(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.tell(ROOM, 2);
    crowd.unsubscribe(1);
    crowd.tell(ROOM, 3);
    crowd.enter(ROOM, 3);
    crowd.expect(&["e1 g1 e2 g2", "e2* g2* g3* e3*", "e3*"]);
    crowd.unsubscribe(2);
    crowd.unsubscribe(3);
    crowd.enter(ROOM, 1);
    crowd.expect(&["e1", "", ""]);
}

#[test]
fn typing_skips_its_author_and_keeps_its_place() {
    let mut crowd = Crowd::speaking(&[Version::V2, Version::V2, Version::Base]);
    for id in 1..=3 {
        crowd.enter(ROOM, id);
    }
    crowd.tell(ROOM, 1);
    crowd.types(ROOM, 1);
    crowd.tell(ROOM, 2);
    crowd.expect(&["e1* e2* e3* g1* g2*", "e2* e3* g1* t1* g2*", "e3 g1 g2"]);
}

#[test]
fn everything_behind_an_answer_is_held_back() {
    let mut crowd = Crowd::speaking(&[Version::V2, Version::V2]);
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    crowd.tell(ROOM, 1);
    crowd.query(1);
    crowd.tell(ROOM, 2);
    crowd.expect(&["e1* e2* g1*", "e2* g1* g2*"]);
    crowd.tell(ROOM, 3);
    crowd.query(1);
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
fn leaving_and_entering_while_waiting_keeps_the_order() {
    let mut crowd = Crowd::speaking(&[Version::V2, Version::V2]);
    crowd.enter(ROOM, 2);
    crowd.subscribe(ROOM, 1);
    crowd.query(1);
    crowd.tell(ROOM, 1);
    crowd.expect(&["", "e2* g1*"]);
    crowd.unsubscribe(1);
    crowd.tell(ROOM, 2);
    crowd.subscribe(OTHER_ROOM, 1);
    crowd.query(1);
    crowd.tell(OTHER_ROOM, 3);
    crowd.expect(&["", "g2*"]);
    crowd.answer(1, 90);
    crowd.answer(1, 91);
    crowd.expect(&["g90* g1* g91* g3*", ""]);
    // An answer that the client does not wait for is dropped.
    crowd.answer(1, 92);
    crowd.expect(&["", ""]);
}

#[test]
fn a_client_that_leaves_is_answered_first() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    crowd.query(1);
    crowd.query(1);
    crowd.reply(1);
    crowd.close(1, CloseReason::ClosedByClient(Some(1000)));
    crowd.expect(&[""]);
    assert!(crowd.answer(1, 90), "the next is asked");
    crowd.expect(&["g90*"]);
    crowd.answer(1, 91);
    assert_eq!(crowd.delivery.deliver(), []);
    let received = crowd.clients[0].1.take_written();
    let close = received.len() - b"\x88\x02\x03\xe8".len();
    assert_eq!(received[close..], *b"\x88\x02\x03\xe8");
    assert_eq!(shorten(&received[..close]), "g91* n*");
    assert!(crowd.delivery.clients.is_empty());
}

#[test]
fn a_lost_client_is_not_kept_for_its_answers() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    crowd.query(1);
    crowd.close(1, CloseReason::ConnectionLost);
    crowd.expect(&[""]);
    assert!(crowd.delivery.clients.is_empty());
}

#[test]
fn held_back_frames_are_bounded() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    crowd.enter(ROOM, 1);
    crowd.query(1);
    crowd.expect(&["e1*"]);
    let text = "x".repeat(MAX_QUEUED / 4);
    for _ in 0..3 {
        crowd.say(ROOM, Content::Text(text.clone()));
        assert_eq!(crowd.delivery.deliver(), []);
    }
    crowd.say(ROOM, Content::Text(text));
    assert_eq!(crowd.delivery.deliver(), [ConnectionId(1)]);
}

#[test]
fn one_query_of_each_client_is_asked_at_a_time_and_their_number_is_bounded() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    assert!(crowd.query(1), "the first is asked at once");
    let more = (0..1_000).take_while(|_| {
        assert!(!crowd.query(1), "the others wait");
        crowd.delivery.fallen_behind.is_empty()
    });
    let more = more.count();
    assert_eq!(crowd.delivery.deliver(), [ConnectionId(1)]);
    for _ in 0..=more {
        assert!(crowd.answer(1, 1), "the next is asked");
    }
    assert!(!crowd.answer(1, 1), "all have been asked");
    assert!(crowd.query(1));
}

#[test]
fn an_event_without_a_frame_in_any_version_of_the_room_is_not_sent() {
    let mut crowd = Crowd::of(1);
    crowd.enter(ROOM, 1);
    crowd.expect(&["e1"]);
    crowd.types(ROOM, 2);
    crowd.tell(ROOM, 1);
    crowd.reply(1);
    crowd.tell(ROOM, 2);
    crowd.expect(&["g1 e1 g2"]);
}

#[test]
fn a_welcome_has_the_secret_of_its_user_and_closes_the_earlier_connection() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    crowd.enter(ROOM, 1);
    crowd.expect(&["e1*"]);
    let second = crowd.connect(MAX_QUEUED, Version::V2);
    crowd.tell(ROOM, 1);
    crowd.welcome(second, 1);
    crowd.tell(ROOM, 2);
    assert_eq!(crowd.delivery.deliver(), []);
    let first = crowd.clients[0].1.take_written();
    assert!(first.ends_with(b"\x88\x0a\x0f\xa1replaced"), "{first:?}");
    let second = String::from_utf8_lossy(&crowd.clients[1].1.take_written()).into_owned();
    let secret = format!("\"session\":\"{:032x}\"", 102);
    assert!(second.contains(&secret) && second.contains("\"resumed\":true"), "{second}");
    assert!(!second.contains("gifId"), "it has not entered the room yet: {second}");
    assert_eq!(crowd.delivery.users[&UserId(1)], ConnectionId(2));
    // The end of the earlier connection changes nothing.
    crowd.close(1, CloseReason::ConnectionLost);
    assert_eq!(crowd.delivery.users[&UserId(1)], ConnectionId(2));
}

/// Its outbox is full, and the result that it has waited for comes in the same tick.
#[test]
fn a_replaced_connection_is_not_closed_as_a_slow_consumer() {
    let mut crowd = Crowd::speaking(&[]);
    crowd.connect(1_000, Version::V2);
    crowd.welcome(1, 1);
    crowd.clients[0].1.stall();
    crowd.say(ROOM, Content::Gif(1));
    crowd.query(1);
    assert_eq!(crowd.delivery.deliver(), []);
    let second = crowd.connect(MAX_QUEUED, Version::V2);
    let frames = Bytes::from(vec![0; 2_000]);
    let outbox = crowd.clients[0].0.clone();
    outbox.send(&[Piece::whole(&frames)]).unwrap();
    crowd.welcome(second, 1);
    crowd.answer(1, 1);
    assert_eq!(crowd.delivery.deliver(), []);
    assert_eq!(outbox.ending().unwrap().reason, CloseReason::Replaced);
}

#[test]
fn the_first_reason_to_close_counts() {
    let mut crowd = Crowd::speaking(&[Version::V2]);
    let second = crowd.connect(MAX_QUEUED, Version::V2);
    crowd.welcome(second, 1);
    // The session of the replaced connection ends in the same tick.
    crowd.close(1, CloseReason::TooFast);
    assert_eq!(crowd.delivery.deliver(), []);
    let received = crowd.clients[0].1.take_written();
    assert_eq!(received, b"\x88\x0a\x0f\xa1replaced");
}
