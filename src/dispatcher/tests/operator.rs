//! What the operator asks, and when the answers come.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::*;
use crate::chat::{Erasure, RoomId};
use crate::input::{ClientStatus, Control, RoomName, Whom};

/// A question, and where its answer comes.
fn ask<T>(control: impl FnOnce(Sender<T>) -> Control) -> (Input, Receiver<T>) {
    let (sender, answer) = bounded(1);
    (Input::Control(Box::new(control(sender))), answer)
}

impl Stage {
    /// One tick with nothing but this question.
    fn question<T>(&mut self, control: impl FnOnce(Sender<T>) -> Control) -> T {
        let (input, answer) = ask(control);
        self.tick([input]);
        answer.try_recv().expect("the tick is over")
    }

    fn kick(&mut self, whom: Whom) -> Vec<u64> {
        let reason = None;
        let kicked = self.question(|answer| Control::Kick { whom, reason, answer });
        kicked.into_iter().map(|user| user.0).collect()
    }

    /// As the thread does that the operator's request is on.
    fn erase(&mut self, what: Erasure) -> u64 {
        let reach = self.question(|answer| Control::Reach { what, answer });
        let erased = self.archive.erase(what, reach.as_deref().unwrap()).unwrap();
        self.question(|answer| Control::Erased { what, reach, answer });
        erased
    }
}

#[test]
fn answers_come_when_the_tick_is_delivered() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base]);
    let (ping, answer) = ask(Control::Ping);
    let text = stage.say(1, "a");
    let socket = stage.socket(1).clone();
    let mut inputs = [text].into_iter();
    stage.dispatcher.tick(stage.now, Some(ping), || {
        assert!(answer.try_recv().is_err(), "the tick is not over");
        assert!(socket.take_written().is_empty());
        inputs.next()
    });
    assert_eq!(answer.try_recv(), Ok(()));
    stage.expect(1, "a");
}

#[test]
fn whoever_is_kicked_is_closed_and_cannot_resume() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base, Version::Base]);
    let late = stage.say(1, "late");
    assert_eq!(stage.kick(Whom::User(UserId(1))), [1]);
    stage.tick([late]);
    stage.expect(1, "close 4003");
    stage.expect(2, "leave 1");
    stage.tick([disconnect(1, CloseReason::ClosedByClient(Some(4003)))]);
    let again = stage.arrival_of(Version::V2, Some(1));
    stage.tick([again]);
    stage.expect(4, "welcome");
    assert_eq!(stage.kick(Whom::User(UserId(1))), [0; 0]);
    stage.expect(2, "");
}

#[test]
fn a_kicked_client_that_reads_slowly_is_closed_all_the_same() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::V2]);
    stage.socket(2).stall();
    let text = stage.say(1, "a");
    stage.tick([text]);
    stage.kick(Whom::User(UserId(2)));
    stage.expect(1, "a, leave 2");
    stage.socket(2).set_room(usize::MAX);
    while stage.flusher_thread.take_next_request().is_some() {}
    stage.expect(2, "close 4003");
}

#[test]
fn everyone_from_an_address_is_kicked_also_who_is_away() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base, Version::V2]);
    stage.tick([disconnect(3, CloseReason::ConnectionLost)]);
    assert_eq!(stage.kick(Whom::Address("203.0.113.2".parse().unwrap())), [0; 0]);
    assert_eq!(stage.kick(Whom::Address("::ffff:203.0.113.1".parse().unwrap())), [1, 2, 3]);
    let status = stage.question(Control::Status);
    assert_eq!((status.users, status.away_users, status.rooms), (0, 0, 1));
}

#[test]
fn an_announcement_has_its_place_among_the_events() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base]);
    let outside = stage.arrival(Version::Base);
    stage.tick([outside]);
    stage.expect(3, "welcome");
    let (input, told) = ask(|answer| Control::Announce { text: "Tea".to_owned(), answer });
    let inputs = [stage.say(1, "a"), input, stage.say(2, "b")];
    stage.tick(inputs);
    stage.expect(1, "a, announced Tea, b");
    stage.expect(2, "a, Tea, b");
    stage.expect(3, "Tea");
    assert_eq!(told.try_recv(), Ok(Ok(3)));
    let wrong = stage.question(|answer| Control::Announce { text: String::new(), answer });
    assert_eq!(wrong, Err("A text must not be empty.".to_owned()));
    stage.expect(3, "");
}

#[test]
fn what_was_said_before_can_be_erased_even_in_the_same_tick() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base]);
    let what = Erasure::User(UserId(1));
    let (input, reach) = ask(|answer| Control::Reach { what, answer });
    let inputs = [stage.say(1, "a"), input, stage.say(1, "b")];
    stage.tick(inputs);
    assert_eq!(reach.try_recv(), Ok(Some(vec![(RoomId(1), 1)])));
    let no_room = Erasure::Room(RoomId(9));
    assert_eq!(stage.question(|answer| Control::Reach { what: no_room, answer }), None);
}

#[test]
fn erased_messages_are_gone_for_everyone() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base, Version::V2]);
    let inputs = [stage.say(3, "a"), stage.say(1, "b"), stage.say(3, "c")];
    stage.tick(inputs);
    stage.expect(1, "a, b, c");
    stage.expect(3, "a, b, c");
    assert_eq!(stage.erase(Erasure::User(UserId(1))), 1);
    stage.expect(1, "erased up to 3");
    stage.expect(3, "erased up to 3");
    stage.expect(2, "a, b, c");
    // A retry does not bring it back.
    let again = stage.say(1, "b");
    stage.tick([again]);
    stage.recall_all();
    stage.expect(1, "already_said");
    // Who comes back is told again, behind the room; who knows nothing is not.
    let epoch = "0000000000000000";
    let back = stage.ask(
        3,
        &format!(r#"{{"type":"enter_room","roomId":1,"since":{{"epoch":"{epoch}","seq":1}}}}"#),
    );
    let inputs = [back, stage.ask(1, r#"{"type":"enter_room","roomId":1}"#)];
    stage.tick(inputs);
    stage.recall_all();
    stage.expect(3, "room 1 [a gone c], erased up to 3");
    stage.expect(1, "room 1 [a gone c]");
}

#[test]
fn rooms_and_clients_are_listed_with_what_is_queued() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base, Version::V2]);
    let outside = stage.arrival(Version::Base);
    stage.tick([outside, disconnect(3, CloseReason::ConnectionLost)]);
    stage.socket(2).stall();
    let text = stage.say(1, "a");
    stage.tick([text]);
    let [room] = &stage.question(Control::Rooms)[..] else { panic!("there is one room") };
    assert_eq!((room.id, &*room.title, room.is_permanent), (1, "A", true));
    assert_eq!((room.users, room.away, room.seq), (3, 1, 1));

    let listed = stage.question(Control::Clients);
    let here = Some(RoomName { id: 1, title: "A".to_owned() });
    let client = |id: u64, protocol| ClientStatus {
        connection: id,
        id,
        name: format!("User {id}"),
        address: "203.0.113.1".parse().unwrap(),
        room: here.clone().filter(|_| id != 4),
        since: 5,
        queued_bytes: listed.clients.get(1).map_or(0, |it| it.queued_bytes * usize::from(id == 2)),
        protocol,
    };
    assert_eq!(listed.clients, [client(1, "wschat.v2"), client(2, "base"), client(4, "base")]);
    assert!(listed.clients[1].queued_bytes > 0);
    assert_eq!(
        listed.away.iter().map(|user| (user.id, &user.room)).collect::<Vec<_>>(),
        [(3, &here)]
    );
}
