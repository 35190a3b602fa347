//! Clients of `wschat.v2`, one in each room, who talk while a transcript of the base protocol is
//! played. Clients of the base protocol must not notice which version the companions speak.

use crate::client::{Client, Endpoint};

pub(crate) struct Companions {
    /// In the order of rooms and of ids: the first has id 1 and is in room 1.
    clients: Vec<Client>,
    /// How many texts each has sent.
    said: u32,
}

impl Companions {
    /// Connects one client to each of the rooms 1 to `rooms`, before anyone else connects.
    pub(crate) fn enter(endpoint: &Endpoint, rooms: usize) -> Self {
        let clients: Vec<Client> = (1..=rooms)
            .map(|room| {
                let mut client = endpoint.v2_user();
                assert_eq!(client.id, room as u64);
                client.request(&format!(r#"{{"type":"enter_room","roomId":{room}}}"#));
                assert_eq!(client.json()["type"], "room");
                client
            })
            .collect();
        Self { clients, said: 0 }
    }

    /// Each sends a text to its room.
    pub(crate) fn talk(&mut self) {
        self.said += 1;
        for (client, room) in self.clients.iter_mut().zip(1..) {
            if self.said.is_multiple_of(3) {
                client.request(r#"{"type":"typing"}"#);
            }
            let text = phrase(room);
            client.request(&format!(r#"{{"type":"text","text":"{text}","ref":"{}"}}"#, self.said));
        }
    }

    /// Checks that each received every message of its room, with a `seq` that counts up by one, and its
    /// own with the `ref`.
    pub(crate) fn check(self) {
        for mut client in self.clients {
            let mut seq = 0;
            let mut own = 0;
            while own < self.said {
                let value = client.json();
                if value["type"] == "text" || value["type"] == "gif" {
                    seq += 1;
                    assert_eq!(value["seq"], seq, "{value}");
                    if value["from"]["id"] == client.id {
                        own += 1;
                        assert_eq!(value["ref"], own.to_string(), "{value}");
                    }
                }
            }
        }
    }

    /// The script with the ids shifted: the companions have the first ones.
    pub(crate) fn renumber(&self, script: &str) -> String {
        // From the highest id down, so that none is replaced twice.
        (1..10).rev().fold(script.to_owned(), |script, old| {
            let new = old + self.clients.len();
            let mut script = script;
            for [from, to] in [
                [
                    format!(r#""{old}":{{"id":{old},"name":"#),
                    format!(r#""{new}":{{"id":{new},"name":"#),
                ],
                [format!(r#":{{"id":{old},"name":"#), format!(r#":{{"id":{new},"name":"#)],
                [format!("User {old}\""), format!("User {new}\"")],
            ] {
                script = script.replace(&from, &to);
            }
            script
        })
    }

    /// A frame of the base protocol with the companions removed; `None` for a text of a companion,
    /// which must be exactly as the base protocol has it.
    pub(crate) fn without(&self, mut text: String) -> Option<String> {
        for id in 1..=self.clients.len() {
            let user = format!(r#"{{"id":{id},"name":"User {id}"}}"#);
            if text.ends_with(&format!(r#","from":{user}}}"#)) {
                let phrase = phrase(id);
                assert_eq!(text, format!(r#"{{"type":"text","text":"{phrase}","from":{user}}}"#));
                return None;
            }
            if text.starts_with(r#"{"type":"list_rooms","#) {
                let entry = format!(r#""{id}":{user}"#);
                assert_eq!(text.matches(&entry).count(), 1, "user {id} is in one room: {text}");
                text = text.replace(&format!("{entry},"), "").replace(&entry, "");
            }
        }
        Some(text)
    }
}

/// The text that is sent to a room: with quotes and multi-byte characters.
fn phrase(room: usize) -> String {
    format!(r#"\"größer\" als {room} \\ <b>"#)
}
