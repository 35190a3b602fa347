//! A model client: what it asks for next.

use super::connection::SimConnection;
use super::memory::{ClientMemory, SentText};
use super::random::Dice;
use super::view::AskedSince;
use crate::chat::{ConnectionId, Version};

/// A client of one version, with one connection after the other, and sometimes two.
pub(super) struct SimClient {
    pub(super) version: Version,
    pub(super) memory: ClientMemory,
    /// Its latest connection, unless that has ended.
    pub(super) current: Option<ConnectionId>,
    number: usize,
    /// How many references it has used.
    references: u64,
}

/// Requests that the server refuses without passing them on, each with what is in place of `REF`.
const MALFORMED: [&str; 6] = [
    r#"{"type":"enter_room","REF":0}"#,
    r#"{"type":"dance","REF":0}"#,
    r#"{"type":"text","text":7,"REF":0}"#,
    r#"{"type":"change_name","name":null,"REF":0}"#,
    r#"{"type":"gif","gifId":-1,"REF":0}"#,
    r#"{"type":"create_room","title":["a"],"REF":0}"#,
];

impl SimClient {
    pub(super) fn new(number: usize, version: Version, is_patient: bool) -> Self {
        let memory = ClientMemory { is_patient, ..ClientMemory::default() };
        Self { version, memory, current: None, number, references: 0 }
    }

    /// Its next request on this connection. `epoch` is that of the history.
    pub(super) fn next_request(
        &mut self,
        on: &mut SimConnection,
        epoch: &str,
        dice: &mut Dice,
    ) -> String {
        let is_outside = on.view.room.is_none();
        match dice.below(100) {
            _ if is_outside && dice.percent(50) => self.enter(on, epoch, dice),
            0..9 => self.enter(on, epoch, dice),
            9..11 => self.repeat(on).unwrap_or_else(|| self.say(on, dice)),
            11..60 => self.say(on, dice),
            60..66 => self.plain(on, r#""type":"leave_room""#),
            66..72 => self.create_room(on, dice),
            72..79 => self.change_name(on, dice),
            79..85 => self.plain(on, r#""type":"list_rooms""#),
            85..90 if self.version == Version::V2 => self.history(on, dice),
            90..92 if self.version == Version::V2 => self.plain(on, r#""type":"users","roomId":1"#),
            92..94 if self.version == Version::V2 => {
                let features = dice.pick(&[r#"["presence"]"#, r#"["presence"]"#, "[]"]);
                self.plain(on, &format!(r#""type":"hello","features":{features}"#))
            }
            97 if self.version == Version::V2 => {
                self.plain(on, r#""type":"previews","roomIds":[2,1,9]"#)
            }
            94..97 if self.version == Version::V2 => self.plain(on, r#""type":"typing""#),
            _ => self.malformed(on, dice),
        }
    }

    /// The unacknowledged texts that were not sent on this connection, to be sent again in order, at most
    /// `limit` of them.
    pub(super) fn send_again(&mut self, on: &mut SimConnection, limit: usize) -> Vec<String> {
        let mut requests = Vec::new();
        for sent in &mut self.memory.unacknowledged {
            if sent.sent_on != Some(on.id) && requests.len() < limit {
                sent.sent_on = Some(on.id);
                on.view.await_answer(&sent.reference);
                requests.push(sent.request.clone());
            }
        }
        requests
    }

    /// Enters the room that the client was resumed into.
    pub(super) fn reenter_room(&mut self, on: &mut SimConnection, epoch: &str) -> Option<String> {
        let room = on.view.to_enter?;
        let since = self.memory.seen.get(&room).map(|seq| (*seq, true));
        Some(self.enter_room(on, room, since, epoch))
    }

    /// Asks for the list of rooms.
    pub(super) fn list_rooms(&mut self, on: &mut SimConnection) -> String {
        self.plain(on, r#""type":"list_rooms""#)
    }

    fn enter(&mut self, on: &mut SimConnection, epoch: &str, dice: &mut Dice) -> String {
        let room = match on.view.to_enter.filter(|_| dice.percent(80)) {
            Some(room) => room,
            None => dice.pick(&[1, 1, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7]),
        };
        let seen = self.memory.seen.get(&room).copied();
        let since = match dice.below(20) {
            0..5 => None,
            5 => Some((seen.unwrap_or(3), false)),
            6 => Some((seen.unwrap_or(0) + 100, true)),
            7 => Some((0, true)),
            _ => seen.map(|seq| (seq, true)),
        };
        self.enter_room(on, room, since, epoch)
    }

    fn enter_room(
        &mut self,
        on: &mut SimConnection,
        room: u64,
        since: Option<(u64, bool)>,
        epoch: &str,
    ) -> String {
        let body = match since.filter(|_| self.version == Version::V2) {
            None => format!(r#""type":"enter_room","roomId":{room}"#),
            Some((seq, is_right_epoch)) => {
                let reference = self.upcoming_reference();
                on.view.asked_since.insert(reference, AskedSince { seq, is_right_epoch });
                let epoch = if is_right_epoch { epoch } else { "0" };
                let since = format!(r#"{{"epoch":"{epoch}","seq":{seq}}}"#);
                format!(r#""type":"enter_room","roomId":{room},"since":{since}"#)
            }
        };
        self.plain(on, &body)
    }

    fn say(&mut self, on: &mut SimConnection, dice: &mut Dice) -> String {
        let name = self.upcoming_reference();
        let body = match dice.below(20) {
            0..3 => format!(r#""type":"gif","gifId":{}"#, dice.below(9)),
            3 => r#""type":"text","text":" ""#.to_owned(),
            4 => format!(r#""type":"text","text":"{}""#, "long ".repeat(40)),
            5..8 => {
                format!(r#""type":"text","text":"{}""#, "\\u00e4\\n".repeat(dice.index(20) + 1))
            }
            _ => format!(r#""type":"text","text":"{name}{}""#, "x".repeat(dice.index(30))),
        };
        if self.version == Version::Base || dice.percent(15) {
            return format!("{{{body}}}");
        }
        let request = self.plain(on, &body);
        let (reference, sent_on) = (name, Some(on.id));
        let sent = SentText { reference, request: request.clone(), sent_on, is_doubled: false };
        self.memory.unacknowledged.push_back(sent);
        request
    }

    /// Sends a text again whose answer is still to come.
    fn repeat(&mut self, on: &mut SimConnection) -> Option<String> {
        let is_it = |sent: &&mut SentText| sent.sent_on == Some(on.id);
        let sent = self.memory.unacknowledged.iter_mut().rfind(is_it)?;
        sent.is_doubled = true;
        on.view.await_answer(&sent.reference);
        Some(sent.request.clone())
    }

    fn create_room(&mut self, on: &mut SimConnection, dice: &mut Dice) -> String {
        let title = dice.pick(&["Attic", " Barn ", "", "A far too long title", "名"]);
        self.plain(on, &format!(r#""type":"create_room","title":"{title}""#))
    }

    fn change_name(&mut self, on: &mut SimConnection, dice: &mut Dice) -> String {
        let name = dice.pick(&["Ann", "Bob", "Ann Bob", "", "A far too long name", "名"]);
        self.plain(on, &format!(r#""type":"change_name","name":"{name}""#))
    }

    fn history(&mut self, on: &mut SimConnection, dice: &mut Dice) -> String {
        let room = dice.pick(&[1, 1, 1, 2, 2, 3, 9]);
        let limit = 1 + dice.below(6);
        let before = match self.memory.seen.get(&room) {
            Some(seq) if dice.percent(70) => {
                let part = dice.pick(&["before", "before", "after", "around"]);
                format!(r#","{part}":{}"#, dice.below(seq + 2))
            }
            _ => String::new(),
        };
        self.plain(on, &format!(r#""type":"history","roomId":{room},"limit":{limit}{before}"#))
    }

    fn malformed(&mut self, on: &mut SimConnection, dice: &mut Dice) -> String {
        if self.version == Version::Base || dice.percent(30) {
            return dice
                .pick(&["", "[]", "{\"type\":", "{\"type\":\"text\",\"ref\":\"\"}"])
                .to_owned();
        }
        let reference = self.next_reference();
        on.view.await_answer(&reference);
        dice.pick(&MALFORMED).replace("\"REF\":0", &format!("\"ref\":\"{reference}\""))
    }

    /// A request with a reference, if the version has them.
    fn plain(&mut self, on: &mut SimConnection, body: &str) -> String {
        if self.version == Version::Base {
            return format!("{{{body}}}");
        }
        let reference = self.next_reference();
        on.view.await_answer(&reference);
        format!(r#"{{{body},"ref":"{reference}"}}"#)
    }

    fn upcoming_reference(&self) -> String {
        format!("{}-{}", self.number, self.references + 1)
    }

    fn next_reference(&mut self) -> String {
        let reference = self.upcoming_reference();
        self.references += 1;
        reference
    }
}
