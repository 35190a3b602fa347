//! The history of a node that shares a log, against a real Redis.

mod contract;

use super::super::keeper::tests::{BAR, LOBBY, Steps, TestNode};
use super::super::redis::test_server::{TestServer, start};
use super::super::replica::Replica;
use super::*;
use crate::chat::{Action, Content, Effect, Erased, Erasure, Event, Memo, Position, RoomId, Said};
use crate::history::contract_test::EVERYTHING;
use crate::history::{Batch, HistoryError, Retention};

/// A node that has joined: its chat, and its history.
struct Member {
    replica: Replica,
    rooms: Rooms,
    engine: Engine,
}

impl Member {
    /// Begins with the newest snapshot, and has applied what follows in the log.
    fn join(server: &TestServer, retention: Retention) -> Self {
        let engine = server.engine();
        let mut connection = engine.master().unwrap();
        let loaded = super::super::store::load(&mut connection, engine.keys()).unwrap();
        let replica = loaded.unwrap_or_else(Replica::fresh);
        let rooms = history(&engine, &SharedRetention::new(retention), &replica.chat);
        let mut member = Self { replica, rooms, engine };
        member.follow();
        member
    }

    /// Applies what is in the log, as a dispatcher does: what was said is saved, and then what was erased goes.
    fn follow(&mut self) {
        let mut connection = self.engine.master().unwrap();
        let place = self.replica.nodes.place();
        let entries =
            connection.read(self.engine.keys(), place, 10_000, std::time::Duration::ZERO).unwrap();
        let mut effects = Vec::new();
        for entry in entries {
            let batch = super::super::batch::Batch::decode(&entry.batch).ok();
            let entry = super::super::nodes::LogEntry {
                id: entry.id,
                at: entry.at,
                time: entry.time,
                batch,
            };
            self.replica.apply(entry, &mut effects).unwrap();
        }
        let mut memos = Vec::new();
        let (mut said, mut erased) = (Vec::new(), Vec::new());
        for effect in &effects {
            match effect {
                Effect::Store(memo) => memos.push(memo.clone()),
                Effect::Tell { room, event: Event::Said(it), .. } => said.push((*room, it)),
                Effect::Tell { room, event: Event::Erased(it), .. } => erased.push((*room, *it)),
                _ => {}
            }
        }
        self.rooms.history.commit(Batch { said: &said, memos: &memos }).unwrap();
        for (room, erased) in erased {
            self.rooms.history.erase(room, erased);
        }
    }

    fn before(&mut self, before: u64, limit: usize) -> (Vec<u64>, bool) {
        let (said, is_more) = self.rooms.reader.before(LOBBY, before, limit, usize::MAX).unwrap();
        (said.iter().map(|said| said.seq).collect(), is_more)
    }

    fn since(&mut self, after: u64, up_to: u64) -> Vec<u64> {
        let said = self.rooms.reader.since(LOBBY, after, up_to, usize::MAX).unwrap();
        said.iter().map(|said| said.seq).collect()
    }

    fn after(&mut self, after: u64, limit: usize) -> (Vec<u64>, bool) {
        let (said, is_more) = self.rooms.reader.after(LOBBY, after, limit, usize::MAX).unwrap();
        (said.iter().map(|said| said.seq).collect(), is_more)
    }
}

#[test]
fn older_messages_than_the_node_has_applied_come_from_redis() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=10);
    Steps::begin(&server).keep();
    node.say(11..=20);
    let mut member = Member::join(&server, EVERYTHING);
    assert_eq!(member.since(0, 20), (1..=20).collect::<Vec<_>>());
    assert_eq!(member.since(8, 12), [9, 10, 11, 12]);
    assert_eq!(member.before(13, 5), (vec![8, 9, 10, 11, 12], true));
    assert_eq!(member.before(21, 10), ((11..=20).collect(), true));
    assert_eq!(member.before(5, 9), (vec![1, 2, 3, 4], false));
    assert_eq!(member.after(8, 4), (vec![9, 10, 11, 12], true));
    assert_eq!(member.after(10, 10), ((11..=20).collect(), false));
    let position = Position { room: LOBBY, seq: 4 };
    let said = member.rooms.reader.message(position).unwrap().unwrap();
    assert_eq!(said.content, Content::Text("4".to_owned()));
    // Another node says something in a room that this one has not heard of since. It has not applied it yet.
    node.ask(crate::chat::Request::EnterRoom(BAR));
    node.say([1]);
    Steps::begin(&server).keep();
    assert_eq!(member.rooms.reader.before(BAR, 9, 9, 999).unwrap(), (Vec::new(), false));
    member.follow();
    assert_eq!(member.rooms.reader.before(BAR, 9, 9, 999).unwrap().0.len(), 1);
}

#[test]
fn what_the_keeper_has_not_written_yet_counts_as_pruned() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=10);
    Steps::begin(&server).keep();
    // Four messages are in memory, and those between are nowhere but in the log.
    let retention = Retention { max_memory_bytes: 4 * 136, ..EVERYTHING };
    let mut member = Member::join(&server, retention);
    node.say(11..=20);
    member.follow();
    let recent = member.since(0, 20);
    assert_eq!(recent.last(), Some(&20));
    assert!(recent[0] > 11, "{recent:?}");
    let oldest = recent[0];
    assert_eq!(member.before(21, 100), (recent.clone(), false));
    assert_eq!(member.before(oldest, 5), (vec![], false));
    assert_eq!(member.since(3, 12), [0; 0]);
    assert_eq!(member.since(3, 9), (4..=9).collect::<Vec<_>>());
    // Forwards, there is a gap between two pages, and never in one.
    assert_eq!(member.after(7, 10), (vec![8, 9, 10], true));
    assert_eq!(member.after(10, 100), (recent, false));
    // Then it has.
    let mut steps = Steps::begin(&server);
    steps.read();
    steps.write();
    assert_eq!(member.since(0, 20), (1..=20).collect::<Vec<_>>());
    assert_eq!(member.before(oldest, 100), ((1..oldest).collect(), false));
    assert_eq!(member.after(7, 100), ((8..=20).collect(), false));
}

#[test]
fn nobody_finds_what_is_erased_even_before_the_keeper_has_done_it() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=10);
    Steps::begin(&server).keep();
    let mut member = Member::join(&server, EVERYTHING);
    let erase = |what| Action::Erased { what, reach: vec![(LOBBY, 8)] };
    let user = member.replica.chat.users().next().unwrap().id;
    let count = member.rooms.archive.erase(Erasure::User(user), &[(LOBBY, 8)]).unwrap();
    assert_eq!(count, 8);
    assert!(member.rooms.archive.erases_later());
    node.say([11]);
    node.act(erase(Erasure::User(user)));
    member.follow();
    let texts = |member: &mut Member| {
        let said = member.rooms.reader.since(LOBBY, 0, 11, usize::MAX).unwrap();
        let text = |said: Said| match said.content {
            Content::Text(text) => text,
            other => format!("{other:?}"),
        };
        said.into_iter().map(text).collect::<Vec<_>>().join(" ")
    };
    assert!(texts(&mut member).ends_with("Erased Erased 9 10 11"));
    assert_eq!(member.rooms.archive.erase(Erasure::User(user), &[(LOBBY, 8)]).unwrap(), 0);
    // A node that joins now knows it from the log, and one that joins after the next snapshot from Redis.
    assert_eq!(texts(&mut Member::join(&server, EVERYTHING)), texts(&mut member));
    Steps::begin(&server).keep();
    for member in [&mut member, &mut Member::join(&server, EVERYTHING)] {
        assert_eq!(texts(member), "9 10 11");
        let pages = member.rooms.archive.pages(LOBBY).unwrap();
        let pages = pages.collect::<Result<Vec<_>, HistoryError>>().unwrap().concat();
        assert_eq!(pages.iter().map(|said| said.seq).collect::<Vec<_>>(), [9, 10, 11]);
    }
}

#[test]
fn without_redis_there_is_what_is_in_memory() {
    let Some(mut server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=10);
    Steps::begin(&server).keep();
    let mut member = Member::join(&server, EVERYTHING);
    node.say(11..=20);
    member.follow();
    assert_eq!(member.since(0, 20).len(), 20);
    server.kill();
    assert_eq!(member.since(10, 20), (11..=20).collect::<Vec<_>>());
    assert_eq!(member.since(0, 20), (11..=20).collect::<Vec<_>>());
    assert_eq!(member.before(21, 15), ((11..=20).collect(), true));
    for error in [
        member.rooms.reader.before(LOBBY, 11, 5, usize::MAX).unwrap_err(),
        member.rooms.reader.since(LOBBY, 0, 9, usize::MAX).unwrap_err(),
        member.rooms.reader.after(LOBBY, 0, 9, usize::MAX).unwrap_err(),
        member.rooms.reader.message(Position { room: LOBBY, seq: 1 }).unwrap_err(),
    ] {
        assert!(error.may_pass());
        let error = error.to_string();
        assert!(
            error.starts_with("the history in Redis cannot be read: Redis at 127.0.0.1:"),
            "{error}"
        );
        assert!(error.contains("wschat cluster status"), "{error}");
    }
    server.restart();
    super::super::redis::test_server::eventually("it is read again", || {
        member.rooms.reader.since(LOBBY, 0, 20, usize::MAX).is_ok_and(|said| said.len() == 20)
    });
}

#[test]
fn a_room_that_is_gone_is_not_asked_for() {
    let Some(server) = start() else { return };
    let mut node = TestNode::join(&server, LOBBY);
    node.say(1..=3);
    Steps::begin(&server).keep();
    let mut member = Member::join(&server, EVERYTHING);
    member.rooms.history.commit(Batch { said: &[], memos: &[Memo::RoomGone(LOBBY)] }).unwrap();
    assert_eq!(member.since(0, 9), [0; 0]);
    assert_eq!(member.after(0, 9), (vec![], false));
}
