//! The end of a run: everything that is broken is mended, everything on its way arrives, and then clients
//! and server have to agree. At last everybody leaves, or the server stops, and nothing may be left.

use sha2::{Digest, Sha256};
use std::sync::Weak;
use std::time::{Duration, Instant};

use super::connection::{Phase, Uplink};
use super::store::CommitFault;
use super::world::World;
use crate::chat::{Chat, ConnectionId, Link, NodeId, UserId, Version};
use crate::input::Input;

impl World {
    /// Mends everything, waits until nothing happens any more, checks, and ends.
    pub(super) fn settle_and_check(&mut self) {
        self.is_settling = true;
        self.store.set_fault(CommitFault::None);
        self.store.set_unreadable(false);
        for connection in self.connections.values_mut().filter(|it| !it.is_gone) {
            connection.is_reading = true;
            connection.window = connection.window.map(|_| usize::MAX);
        }
        self.settle(6, true);
        for _ in 0..60 {
            if self.clients.iter().all(|client| client.memory.unacknowledged.is_empty()) {
                break;
            }
            self.settle(1, true);
        }
        // The list is paced.
        self.settle(2, true);
        self.check_settled();
        self.ask_for_lists();
        self.settle(2, true);
        self.check_settled();
        self.check_replay();
        if self.dice.percent(50) {
            self.everybody_leaves();
        } else {
            self.stop();
        }
        self.check_nothing_is_left();
    }

    fn settle(&mut self, rounds: u32, may_connect: bool) {
        for _ in 0..rounds {
            self.at += Duration::from_millis(600);
            for _ in 0..4 {
                if may_connect {
                    self.clients_catch_up();
                }
                self.everything_moves();
            }
        }
    }

    fn ids(&self) -> Vec<ConnectionId> {
        self.connections.keys().copied().collect()
    }

    fn clients_catch_up(&mut self) {
        for index in 0..self.clients.len() {
            match self.clients[index].current {
                None => self.connect(index),
                Some(id) => self.catch_up(id),
            }
        }
    }

    /// Everything goes one step further.
    fn everything_moves(&mut self) {
        for id in self.ids() {
            while self.connections.get(&id).is_some_and(|it| !it.uplink.is_empty()) {
                let before = self.mailbox.len();
                self.session_runs(id);
                if self.mailbox.len() == before {
                    break;
                }
            }
            self.session_runs(id);
        }
        loop {
            self.tick(usize::MAX);
            if !self.recall_answers() && self.mailbox.is_empty() {
                break;
            }
        }
        while self.flusher.take_next_request().is_some() {}
        for id in self.ids() {
            self.read(id);
        }
        for id in self.flusher.watched() {
            self.flusher.socket_ready(id);
        }
    }

    fn ask_for_lists(&mut self) {
        for index in 0..self.clients.len() {
            let Some(id) = self.clients[index].current else { continue };
            let connection = self.connections.get_mut(&id).unwrap();
            let request = self.clients[index].list_rooms(connection);
            connection.uplink.push_back(Uplink::Text(request));
        }
    }

    fn check_settled(&mut self) {
        assert!(self.mailbox.is_empty());
        for client in &self.clients {
            let memory = &client.memory;
            memory.check(&self.store);
            assert!(memory.unacknowledged.is_empty(), "no answer to {:?}", memory.unacknowledged);
            let id = client.current.expect("every client is connected");
            self.expected.check_complete(id);
            self.check_view(id);
        }
    }

    /// Panics unless the client's view of its room and of the list is the chat's.
    fn check_view(&self, id: ConnectionId) {
        let (connection, chat) = (&self.connections[&id], self.dispatcher.chat());
        let view = &connection.view;
        assert_eq!(view.awaited.front(), None, "is never answered");
        let link = Link { node: NodeId(0), connection: id };
        let (user, room) = chat.user_at(link).expect("a client that is connected is known");
        assert_eq!(view.user.as_ref().map(|user| user.id), Some(user.0));
        assert_eq!(view.room.is_some(), room.is_some(), "in a room or not");
        if let Some(members) = view.room.as_ref().and_then(|room| room.members.as_ref()) {
            let room = chat.room(room.unwrap()).unwrap();
            let actual = chat.members(room).map(|(id, name)| (id.0, name.to_owned()));
            assert!(members.clone().into_iter().eq(actual), "other members than {members:?}");
            if let Some(away) = view.room.as_ref().and_then(|room| room.away.as_ref()) {
                let actual = chat.members_after(room, UserId(0)).filter(|(_, _, away)| *away);
                assert!(actual.map(|(id, ..)| id.0).eq(away.iter().copied()), "away: {away:?}");
            }
        }
        let Some(list) = &view.list else { return };
        for (listed, (id, room)) in list.values().zip(chat.rooms()) {
            let summary = room.summary(id);
            assert_eq!((listed.id, &*listed.title), (id.0, room.title()), "the list is stale");
            if connection.version == Version::V2 {
                let known = (listed.user_count.unwrap(), listed.seq.unwrap());
                assert_eq!(known, (summary.users, summary.seq), "the list is stale");
            }
        }
        assert_eq!(list.len(), chat.rooms().count(), "the list has other rooms");
    }

    /// The recorded entries lead to the same chat, from the beginning and from a snapshot.
    fn check_replay(&self) {
        let state = self.dispatcher.chat().write_snapshot();
        let digest = |chat: &Chat| Sha256::digest(chat.write_snapshot());
        let (fresh, restored) = self.expected.replayed();
        assert!(fresh == self.dispatcher.chat(), "the replayed chat differs");
        assert_eq!(digest(fresh), Sha256::digest(&state));
        if let Some(restored) = restored {
            assert!(restored == fresh, "the chat restored from a snapshot differs");
            assert_eq!(digest(restored), digest(fresh));
        }
    }

    /// Every client closes its connection, and the grace periods pass.
    fn everybody_leaves(&mut self) {
        for id in self.ids() {
            self.leave(id);
        }
        self.settle(3, false);
        self.at += Duration::from_secs(1_000);
        self.settle(1, false);
        let chat = self.dispatcher.chat();
        let members: usize = chat.rooms().map(|(_, room)| chat.members(room).count()).sum();
        assert_eq!(members, 0, "somebody is still in a room");
    }

    /// The server stops in the middle of something.
    fn stop(&mut self) {
        self.send_some_requests();
        self.tick(usize::MAX);
        let until = Instant::now() + Duration::from_secs(3_600);
        self.mailbox.push_back(Input::Stop { until });
        // What comes behind it is too late.
        self.recall_answers();
        self.send_some_requests();
        while self.mailbox.iter().any(|input| matches!(input, Input::Stop { .. })) {
            self.tick(usize::MAX);
        }
        self.expected.stop();
        self.settle(3, false);
        self.dispatcher.end(self.now());
    }

    fn send_some_requests(&mut self) {
        for id in self.ids() {
            self.send_requests(id);
            for _ in 0..3 {
                self.session_runs(id);
            }
        }
    }

    fn check_nothing_is_left(&mut self) {
        // Clients that never close are cut off.
        while let Some((deadline, _)) = self.flusher.deadlines().first() {
            self.flusher.time_passes(*deadline);
        }
        self.settle(2, false);
        let open: Vec<_> = self.connections.values().filter(|it| it.phase != Phase::Over).collect();
        assert!(open.is_empty(), "{} connections are left", open.len());
        assert!(self.dispatcher.knows_nobody(), "somebody is still known");
        assert!(!self.recall_answers(), "a query is left");
        let alive = self.outboxes.iter().filter(|outbox| outbox.strong_count() > 0).count();
        assert_eq!(alive, 0, "outboxes are left");
        assert!(self.outboxes.iter().all(|outbox| Weak::upgrade(outbox).is_none()));
    }
}
