use std::io::Read;
use std::net::TcpStream;

use super::*;
use crate::chat::{Content, Person, UserId};
use crate::outbox::Flushing;
use crate::outbox::tests::{flush_whole, outbox_and_client};

const ROOM: RoomId = RoomId(1);
const OTHER_ROOM: RoomId = RoomId(2);

/// Some users with their sockets.
struct Crowd {
    delivery: Delivery,
    clients: Vec<(Arc<Outbox>, TcpStream, Flushing)>,
}

impl Crowd {
    /// Users 1, 2 … `n`.
    fn of(n: u64) -> Self {
        let mut crowd = Self { delivery: Delivery::default(), clients: Vec::new() };
        for id in 1..=n {
            let (outbox, client, flushing) = outbox_and_client(1_000_000);
            crowd.delivery.connect(ConnectionId(id), outbox.clone(), Version::Base);
            crowd.clients.push((outbox, client, flushing));
        }
        crowd
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
        let welcome = Event::Welcome { person: person(id), resumed: false, room: None };
        self.delivery.reply(ConnectionId(id), &welcome, 0, &None);
    }

    /// Delivers the tick and checks in short what each user got.
    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.delivery.deliver(), []);
        for (index, (outbox, client, _)) in self.clients.iter_mut().enumerate() {
            // A mark behind it shows where the tick's frames end.
            let mark = Bytes::from_static(b"\x81\x01|");
            outbox.send(&[Piece::whole(&mark)]).unwrap();
            let mut received = Vec::new();
            while !received.ends_with(&mark) {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                received.push(byte[0]);
            }
            assert_eq!(shorten(&received), expected[index], "user {}", index + 1);
        }
    }
}

fn said(content: Content) -> Said {
    Said { seq: 1, time: 0, from: person(9), content, reference: None }
}

fn person(id: u64) -> Person {
    Person { id: UserId(id), name: format!("U{id}").into() }
}

/// `w` for a welcome, `e2` for user 2 entering, `l2` for leaving, `g7` for gif 7.
fn shorten(frames: &[u8]) -> String {
    let text = String::from_utf8_lossy(frames);
    let number = |key: &str, part: &str| {
        let rest = part.split(key).nth(1).unwrap_or_default();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    text.split("{\"type\":\"")
        .skip(1)
        .map(|part| match part.split('"').next() {
            Some("welcome") => "w".to_owned(),
            Some("enter_room") => format!("e{}", number("\"id\":", part)),
            Some("leave_room") => format!("l{}", number("\"id\":", part)),
            Some("gif") => format!("g{}", number("\"gifId\":", part)),
            other => panic!("{other:?} in {text}"),
        })
        .collect::<Vec<_>>()
        .join(" ")
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
    let (outbox, mut client, _) = crowd.clients.swap_remove(0);
    assert_eq!(outbox.ending().unwrap().reason, CloseReason::TooFast);
    drop((outbox, crowd));
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    let close = received.len() - b"\x88\x13\x03\xf0too many messages".len();
    assert_eq!(received[close..], *b"\x88\x13\x03\xf0too many messages");
    assert_eq!(shorten(&received[..close]), "e1 e2 g1");
}

#[test]
fn one_who_does_not_read_is_named_and_the_others_get_everything() {
    let mut crowd = Crowd::of(1);
    let (outbox, _unread, _flushing) = outbox_and_client(1_000);
    crowd.delivery.connect(ConnectionId(2), outbox, Version::Base);
    crowd.enter(ROOM, 1);
    crowd.enter(ROOM, 2);
    let reader = std::thread::spawn({
        let mut client = crowd.clients[0].1.try_clone().unwrap();
        move || std::io::copy(&mut client, &mut std::io::sink())
    });
    let text = "x".repeat(100_000);
    let fallen_behind = loop {
        crowd.delivery.say(ROOM, &said(Content::Text(text.clone())));
        let fallen_behind = crowd.delivery.deliver();
        flush_whole(&crowd.clients[0].0);
        if !fallen_behind.is_empty() {
            break fallen_behind;
        }
    };
    assert_eq!(fallen_behind, [ConnectionId(2)]);
    crowd.clients[0].1.shutdown(std::net::Shutdown::Both).unwrap();
    reader.join().unwrap().unwrap();
}
