//! A node with one user, who says something.

use std::time::Duration;

use super::super::super::batch::{Batch, Command, Join, LEVEL};
use super::super::super::redis::test_server::TestServer;
use super::super::super::redis::{Connection, Engine};
use crate::chat::{
    Action, ConnectionId, Content, EntryId, Link, NodeId, Request, RoomId, Rules, Source, Version,
};

/// See the module's documentation.
pub(in crate::cluster) struct TestNode {
    engine: Engine,
    connection: Connection,
    id: NodeId,
    counter: u64,
    place: EntryId,
}

impl TestNode {
    /// Joins as node 1, with a user who enters a room.
    pub(in crate::cluster) fn join(server: &TestServer, room: RoomId) -> Self {
        Self::join_as(server, NodeId(1), room, EntryId::default())
    }

    /// Joins; `seen` is the place that the node has seen last.
    pub(in crate::cluster) fn join_as(
        server: &TestServer,
        id: NodeId,
        room: RoomId,
        seen: EntryId,
    ) -> Self {
        let engine = server.engine();
        let connection = engine.master().unwrap();
        let mut node = Self { engine, connection, id, counter: 0, place: seen };
        let rules = Rules { max_kept: 1_000, ..Rules::sample(&["Lobby", "Bar"]) };
        let join = Join {
            name: "node".to_owned(),
            version: "1".to_owned(),
            lease: Duration::from_secs(60),
            max_level: LEVEL,
            base: "base".to_owned(),
            rules,
            forked: None,
            skipped: Vec::new(),
        };
        let (link, source) = (node.link(), Source::V4(1));
        let connect = Action::Connect { link, source, version: Version::Base, resume: None };
        node.append([Command::Join(Box::new(join)), Command::Act(connect)]);
        node.ask(Request::EnterRoom(room));
        node
    }

    fn link(&self) -> Link {
        Link { node: self.id, connection: ConnectionId(1) }
    }

    /// The last entry of this node.
    pub(in crate::cluster) fn place(&self) -> EntryId {
        self.place
    }

    /// Says each of these numbers, in an entry of its own.
    pub(in crate::cluster) fn say(&mut self, texts: impl IntoIterator<Item = u64>) {
        for text in texts {
            self.say_text(&text.to_string());
        }
    }

    pub(in crate::cluster) fn say_text(&mut self, text: &str) {
        self.ask(Request::Say(Content::Text(text.to_owned()), None));
    }

    pub(in crate::cluster) fn ask(&mut self, request: Request) {
        self.act(Action::Ask { link: self.link(), request, reference: None });
    }

    pub(in crate::cluster) fn act(&mut self, action: Action) {
        self.append([Command::Act(action)]);
    }

    fn append(&mut self, commands: impl Into<Vec<Command>>) {
        self.counter += 1;
        let batch =
            Batch { node: self.id, counter: self.counter, level: LEVEL, commands: commands.into() };
        let bytes = batch.encode();
        self.place = self.connection.append(self.engine.keys(), self.place, &bytes).unwrap();
    }

    /// Connects anew.
    pub(in crate::cluster) fn reconnect(&mut self) {
        self.connection = self.engine.master().unwrap();
    }
}
