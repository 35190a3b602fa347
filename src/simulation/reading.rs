//! What clients receive, and what they conclude from it.

use super::connection::Phase;
use super::expected::CLOSED_BY_CLIENT;
use super::frames::{JsonFrame, ReceivedFrame, next_frame};
use super::view::Around;
use super::world::World;
use crate::chat::{ConnectionId, Version};

impl World {
    /// A client reads what its socket holds, and the server's socket takes more.
    pub(super) fn read(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.is_gone || connection.phase == Phase::Handshake {
            return;
        }
        let is_shut_down = connection.socket.is_write_shut_down();
        connection.received.extend(connection.socket.take_written());
        if let Some(window) = connection.window {
            connection.socket.set_room(window);
            if self.flusher.watched().contains(&id) {
                self.coverage.hit("flushed later");
            }
            self.flusher.socket_ready(id);
        }
        let received = std::mem::take(&mut connection.received);
        let mut at = 0;
        while let Some((len, frame)) = next_frame(&received[at..]) {
            self.take_frame(id, &received[at..at + len], &frame);
            at += len;
        }
        let connection = self.connections.get_mut(&id).unwrap();
        if at < received.len() {
            self.coverage.hit("short write");
        }
        connection.received = received[at..].to_vec();
        self.notice_end(id, is_shut_down);
    }

    fn take_frame(&mut self, id: ConnectionId, raw: &[u8], frame: &ReceivedFrame<'_>) {
        let connection = self.connections.get_mut(&id).unwrap();
        if self.is_traced {
            println!("{:?} connection {} gets {frame:?}", self.at, id.0);
        }
        assert!(!connection.is_closed, "connection {} gets more after its Close frame", id.0);
        match frame {
            ReceivedFrame::Ping => self.coverage.hit("ping"),
            ReceivedFrame::Close(code) => self.closed(id, *code),
            ReceivedFrame::Text(json) => {
                let frame = JsonFrame::parse(json);
                self.expected.accept(id, raw, &frame, &self.store);
                let client = &mut self.clients[connection.client];
                let around = &mut Around {
                    memory: &mut client.memory,
                    store: &self.store,
                    coverage: &mut self.coverage,
                };
                connection.view.take(json, &frame, around);
                if frame.kind == "welcome" {
                    self.welcomed(id, &frame);
                }
            }
        }
    }

    fn welcomed(&mut self, id: ConnectionId, frame: &JsonFrame) {
        let connection = &self.connections[&id];
        let client = &mut self.clients[connection.client];
        let is_resumed = frame.resumed == Some(true);
        if connection.version == Version::V2 {
            let secret =
                if is_resumed { connection.offered.as_ref() } else { Some(&connection.fresh) };
            assert_eq!(frame.session.as_ref(), secret, "another's secret");
            match (is_resumed, frame.room_id) {
                (true, None) => self.coverage.hit("resumed"),
                (true, Some(_)) => self.coverage.hit("resumed into a room"),
                (false, _) if connection.offered.is_some() => {
                    self.coverage.hit("resume refused: a new user");
                }
                (false, _) => {}
            }
        }
        if client.current == Some(id) {
            let user = frame.user.as_ref().unwrap().id;
            client.memory.adopt(user, frame.session.clone(), is_resumed);
        } else {
            // The client has another one by now.
            self.connections.get_mut(&id).unwrap().leave();
        }
    }

    fn closed(&mut self, id: ConnectionId, code: Option<u16>) {
        self.expected.check_close(id, code);
        let is_waiting = self.expected.held_back(id) > 0;
        let connection = self.connections.get_mut(&id).unwrap();
        connection.is_closed = true;
        let client = &mut self.clients[connection.client];
        match code {
            Some(CLOSED_BY_CLIENT) => {
                assert!(connection.view.is_leaving);
                self.coverage.hit("closed by the client");
            }
            Some(1001) => self.coverage.hit("server stopped"),
            Some(1013) => {
                assert!(connection.may_be_slow || is_waiting, "the client reads at once");
                self.coverage.hit("slow consumer");
            }
            Some(4001) => {
                assert_ne!(client.current, Some(id), "the latest connection is replaced");
                self.coverage.hit("replaced by a newer connection");
            }
            Some(4003) => self.coverage.hit("kicked"),
            code => panic!("closed with {code:?}"),
        }
        if client.current == Some(id) {
            client.current = None;
        }
    }

    /// The client has read to the end, if the server has ended its side.
    fn notice_end(&mut self, id: ConnectionId, is_shut_down: bool) {
        let connection = self.connections.get_mut(&id).unwrap();
        let socket = &connection.socket;
        if socket.is_cut_off() {
            connection.is_gone = true;
            let client = &mut self.clients[connection.client];
            if client.current == Some(id) {
                client.current = None;
            }
        } else if is_shut_down {
            assert!(connection.is_closed, "connection {} ends without a Close frame", id.0);
        }
    }
}
