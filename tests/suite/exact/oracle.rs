//! What the server has to send, to the byte. Written from docs/protocol.md and docs/protocol-v2.md, and
//! not from the server.
//!
//! A frame is expected as a string in which [`TIME`] and a number stand for a time that the server chose
//! (the same number, the same time), and [`ANY`] for a JSON string that the documents leave open.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) const TIME: char = '\u{1}';
pub(crate) const ANY: char = '\u{2}';

pub(crate) type UserId = u64;
pub(crate) type RoomId = u64;

/// `historyOnEnter`, `maxNameChars` and so on, as the run sets them.
pub(crate) const ON_ENTER: usize = 5;
pub(crate) const MAX_NAME: usize = 32;
pub(crate) const MAX_TITLE: usize = 64;
pub(crate) const MAX_TEXT: usize = 200;
pub(crate) const MAX_ROOMS: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Base,
    V2,
}

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) room: Option<RoomId>,
    /// Whether it has a connection.
    pub(crate) is_here: bool,
    /// Whether its connection gets the events of its room.
    pub(crate) hears: bool,
    /// Whether its connection gets the changes of the list of rooms.
    pub(crate) follows: bool,
    pub(crate) secret: String,
    /// Where it said something with this `ref`.
    said: BTreeMap<String, (RoomId, usize)>,
    /// The rooms that it created with this `ref`.
    created: BTreeMap<String, RoomId>,
}

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) title: String,
    /// Its messages as `wschat.v2` has them.
    pub(crate) events: Vec<String>,
    /// Each number of users and of messages that it has had, the latest last.
    pub(crate) states: Vec<(u64, u64)>,
}

/// A frame to a client.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: UserId,
    pub(crate) frame: String,
    /// It may be missing, or come later.
    pub(crate) is_optional: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) epoch: String,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    pub(crate) users: BTreeMap<UserId, User>,
    /// The ids given out so far are not larger.
    pub(crate) last_user: UserId,
    last_room: RoomId,
    /// The number of the last time.
    times: u32,
    /// The messages whose time is not known yet.
    pub(crate) untimed: Vec<(RoomId, usize)>,
    out: Vec<Sent>,
}

pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Oracle {
    pub(crate) fn new(titles: &[&str]) -> Self {
        let mut oracle = Self::default();
        for title in titles {
            oracle.add_room(title);
        }
        oracle
    }

    fn add_room(&mut self, title: &str) -> RoomId {
        self.last_room += 1;
        let room = Room { title: title.to_owned(), events: Vec::new(), states: Vec::new() };
        self.rooms.insert(self.last_room, room);
        self.note(self.last_room);
        self.last_room
    }

    /// Adds a room under an id that may be larger than the next one. False if it is smaller.
    pub(crate) fn add_room_at(&mut self, id: RoomId, title: &str) -> bool {
        let is_new = id > self.last_room;
        self.last_room = id - 1;
        self.add_room(title);
        is_new
    }

    /// Notes the present state of a room, for those who follow the list.
    fn note(&mut self, id: RoomId) {
        let state = (self.members(id).len() as u64, self.rooms[&id].events.len() as u64);
        let states = &mut self.rooms.get_mut(&id).expect("a room").states;
        if states.last() != Some(&state) {
            states.push(state);
        }
    }

    pub(super) fn members(&self, room: RoomId) -> Vec<UserId> {
        let users = self.users.iter().filter(|(_, user)| user.room == Some(room));
        users.map(|(&id, _)| id).collect()
    }

    pub(super) fn summary(&self, id: RoomId) -> String {
        let room = &self.rooms[&id];
        let (title, users, seq) = (quoted(&room.title), self.members(id).len(), room.events.len());
        format!(r#"{{"id":{id},"title":{title},"userCount":{users},"seq":{seq}}}"#)
    }

    pub(super) fn user(&self, id: UserId) -> String {
        format!(r#"{{"id":{id},"name":{}}}"#, quoted(&self.users[&id].name))
    }

    /// USER as the frames `room` and `users` have it.
    pub(super) fn member(&self, id: UserId) -> String {
        let User { name, is_here, .. } = &self.users[&id];
        let away = if *is_here { "" } else { r#","away":true"# };
        format!(r#"{{"id":{id},"name":{}{away}}}"#, quoted(name))
    }

    fn time(&mut self) -> String {
        self.times += 1;
        format!("{TIME}{}{TIME}", self.times)
    }

    pub(super) fn send(&mut self, to: UserId, frame: String) {
        self.out.push(Sent { to, frame, is_optional: false });
    }

    /// Tells everybody who hears this room.
    fn tell(&mut self, room: RoomId, base: &str, v2: &str) {
        for id in self.members(room) {
            let user = &self.users[&id];
            if user.is_here && user.hears {
                let frame = if user.version == Version::Base { base } else { v2 };
                self.send(id, frame.to_owned());
            }
        }
    }

    /// Whether the last thing that is sent goes to this user.
    pub(crate) fn answers_last(&self, id: UserId) -> bool {
        self.out.last().is_some_and(|sent| sent.to == id && !sent.is_optional)
    }

    /// Puts the times that are known now into the histories.
    pub(crate) fn settle(&mut self, times: &BTreeMap<u32, String>) {
        let rooms = &mut self.rooms;
        self.untimed.retain(|(room, at)| {
            let event = &mut rooms.get_mut(room).expect("a room").events[*at];
            let mut parts = event.split(TIME);
            let (Some(before), Some(number), Some(after)) =
                (parts.next(), parts.next(), parts.next())
            else {
                return false;
            };
            let Some(time) = number.parse().ok().and_then(|number: u32| times.get(&number)) else {
                return true;
            };
            *event = format!("{before}{time}{after}");
            false
        });
    }

    pub(crate) fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.out)
    }

    /// A new user; its welcome up to what the documents leave open.
    pub(crate) fn connect(&mut self, version: Version, id: UserId, secret: &str) -> String {
        self.last_user = id;
        let user = User {
            name: format!("User {id}"),
            version,
            room: None,
            is_here: true,
            hears: false,
            follows: false,
            secret: secret.to_owned(),
            said: BTreeMap::new(),
            created: BTreeMap::new(),
        };
        self.users.insert(id, user);
        self.welcome(id, false)
    }

    pub(crate) fn resume(&mut self, id: UserId) -> String {
        let user = self.users.get_mut(&id).expect("a user");
        (user.is_here, user.hears, user.follows) = (true, false, false);
        self.welcome(id, true)
    }

    fn welcome(&mut self, id: UserId, resumed: bool) -> String {
        let user = self.user(id);
        if self.users[&id].version == Version::Base {
            return format!(r#"{{"type":"welcome","user":{user}}}"#);
        }
        let time = self.time();
        let (secret, epoch) = (&self.users[&id].secret, &self.epoch);
        let room =
            self.users[&id].room.map_or_else(String::new, |room| format!(r#""roomId":{room},"#));
        format!(
            r#"{{"type":"welcome","user":{user},"session":"{secret}","resumed":{resumed},{room}"epoch":"{epoch}","time":{time},"#
        )
    }

    /// The connection of a user ends.
    pub(crate) fn disconnect(&mut self, id: UserId) {
        let user = self.users.get_mut(&id).expect("a user");
        user.is_here = false;
        if user.version == Version::Base {
            self.leave(id, None);
            self.users.remove(&id);
        }
    }

    /// The server is killed and restarted: all connections end, and nobody is told.
    pub(crate) fn restart(&mut self) {
        self.users.retain(|_, user| user.version == Version::V2);
        for user in self.users.values_mut() {
            (user.is_here, user.hears, user.follows) = (false, false, false);
        }
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.note(room);
        }
    }

    /// The user leaves its room, if it is in one.
    fn leave(&mut self, id: UserId, reference: Option<&str>) {
        let Some(room) = self.users[&id].room else { return };
        let (user, time) = (self.user(id), self.time());
        let base = format!(r#"{{"type":"leave_room","user":{user}}}"#);
        let v2 = format!(
            r#"{{"type":"leave_room","user":{user},"roomId":{room},"time":{time}{}}}"#,
            suffix(reference)
        );
        // Who has resumed and not entered is told as well.
        let is_deaf = self.users[&id].is_here && !self.users[&id].hears;
        self.tell(room, &base, &v2);
        if is_deaf {
            self.send(id, v2);
        }
        let user = self.users.get_mut(&id).expect("a user");
        (user.room, user.hears) = (None, false);
        self.note(room);
    }

    pub(crate) fn refuse(
        &mut self,
        id: UserId,
        code: &str,
        message: Option<&str>,
        reference: Option<&str>,
    ) {
        let message = message.map_or_else(|| ANY.to_string(), quoted);
        let suffix = suffix(reference.filter(|_| self.users[&id].version == Version::V2));
        self.send(id, format!(r#"{{"type":"error","code":"{code}","message":{message}{suffix}}}"#));
    }

    pub(crate) fn enter(
        &mut self,
        id: UserId,
        room: RoomId,
        since: Option<&(String, u64)>,
        reference: Option<&str>,
    ) {
        if !self.rooms.contains_key(&room) {
            let message = format!("There is no room {room}.");
            return self.refuse(id, "unknown_room", Some(&message), reference);
        }
        let version = self.users[&id].version;
        let is_new = self.users[&id].room != Some(room);
        if is_new {
            self.leave(id, None);
            let (user, time) = (self.user(id), self.time());
            let base = format!(r#"{{"type":"enter_room","user":{user}}}"#);
            let v2 =
                format!(r#"{{"type":"enter_room","user":{user},"roomId":{room},"time":{time}}}"#);
            self.tell(room, &base, &v2);
            self.users.get_mut(&id).expect("a user").room = Some(room);
        }
        self.users.get_mut(&id).expect("a user").hears = true;
        let answer = match version {
            Version::Base => format!(r#"{{"type":"enter_room","user":{}}}"#, self.user(id)),
            Version::V2 => self.room_frame(room, since, reference),
        };
        self.send(id, answer);
        self.note(room);
    }

    /// Whether the user is in a room, and in the one it means; otherwise it is refused.
    fn in_room(
        &mut self,
        id: UserId,
        meant: Option<RoomId>,
        reference: Option<&str>,
    ) -> Option<RoomId> {
        let user = &self.users[&id];
        // The base protocol does not know the member.
        let meant = meant.filter(|_| user.version == Version::V2);
        let room = user.room.filter(|room| meant.is_none_or(|meant| meant == *room));
        if room.is_none() {
            self.refuse(id, "not_in_room", None, reference);
        }
        room
    }

    pub(crate) fn leave_room(
        &mut self,
        id: UserId,
        meant: Option<RoomId>,
        reference: Option<&str>,
    ) {
        if self.in_room(id, meant, reference).is_some() {
            self.leave(id, reference);
        }
    }

    /// A text or a GIF, as its members `"text":"…"` or `"gifId":3`; none if the text is not allowed.
    pub(crate) fn say(
        &mut self,
        id: UserId,
        (kind, what): (&str, Option<&str>),
        meant: Option<RoomId>,
        reference: Option<&str>,
    ) {
        let reference = reference.filter(|_| self.users[&id].version == Version::V2);
        // A used `ref` means a retry, whatever else the request says.
        let before = reference.and_then(|reference| self.users[&id].said.get(reference));
        if let Some(&(room, at)) = before {
            let original = self.rooms[&room].events[at].clone();
            return self.send(id, original);
        }
        let Some(room) = self.in_room(id, meant, reference) else { return };
        let Some(what) = what else { return self.refuse(id, "bad_text", None, reference) };
        let (user, time) = (self.user(id), self.time());
        let seq = self.rooms[&room].events.len() + 1;
        let base = format!(r#"{{"type":"{kind}",{what},"from":{user}}}"#);
        let v2 = format!(
            r#"{{"type":"{kind}",{what},"from":{user},"roomId":{room},"time":{time},"seq":{seq}{}}}"#,
            suffix(reference)
        );
        if !self.users[&id].hears {
            self.send(id, v2.clone());
        }
        self.tell(room, &base, &v2);
        self.rooms.get_mut(&room).expect("a room").events.push(v2);
        self.untimed.push((room, seq - 1));
        if let Some(reference) = reference {
            let said = &mut self.users.get_mut(&id).expect("a user").said;
            said.insert(reference.to_owned(), (room, seq - 1));
        }
        self.note(room);
    }

    pub(crate) fn change_name(&mut self, id: UserId, name: &str, reference: Option<&str>) {
        let name = name.trim();
        if is_bad(name, MAX_NAME) {
            return self.refuse(id, "bad_name", None, reference);
        }
        let user = self.users.get_mut(&id).expect("a user");
        let old = quoted(&std::mem::replace(&mut user.name, name.to_owned()));
        let (name, time) = (quoted(name), self.time());
        let base = format!(r#"{{"type":"change_name","oldName":{old},"newName":{name}}}"#);
        let v2 = |room: &str| {
            let suffix = suffix(reference);
            format!(
                r#"{{"type":"change_name","oldName":{old},"newName":{name},"userId":{id},{room}"time":{time}{suffix}}}"#
            )
        };
        let User { room, hears, version, .. } = self.users[&id];
        if let Some(room) = room {
            self.tell(room, &base, &v2(&format!(r#""roomId":{room},"#)));
        }
        if version == Version::V2 && !hears {
            self.send(id, v2(""));
        }
    }

    pub(crate) fn create_room(&mut self, id: UserId, title: &str, reference: Option<&str>) {
        let reference = reference.filter(|_| self.users[&id].version == Version::V2);
        if let Some(&room) = reference.and_then(|reference| self.users[&id].created.get(reference))
        {
            let answer = format!(
                r#"{{"type":"room_added","room":{}{}}}"#,
                self.summary(room),
                suffix(reference)
            );
            return self.send(id, answer);
        }
        let title = title.trim();
        if is_bad(title, MAX_TITLE) {
            return self.refuse(id, "bad_title", None, reference);
        }
        if self.rooms.len() >= MAX_ROOMS {
            return self.refuse(id, "too_many_rooms", None, reference);
        }
        let room = self.add_room(title);
        let summary = self.summary(room);
        if let Some(reference) = reference {
            let created = &mut self.users.get_mut(&id).expect("a user").created;
            created.insert(reference.to_owned(), room);
        }
        if self.users[&id].version == Version::V2 {
            let answer =
                format!(r#"{{"type":"room_added","room":{summary}{}}}"#, suffix(reference));
            self.send(id, answer);
        }
        let list = self.base_list();
        let base =
            self.users.iter().filter(|(_, user)| user.is_here && user.version == Version::Base);
        let base: BTreeSet<UserId> = base.map(|(&id, _)| id).collect();
        for id in base {
            self.send(id, list.clone());
        }
    }

    pub(crate) fn typing(&mut self, id: UserId, meant: Option<RoomId>, reference: Option<&str>) {
        let Some(room) = self.in_room(id, meant, reference) else { return };
        let (user, time) = (self.user(id), self.time());
        let frame = format!(r#"{{"type":"typing","user":{user},"roomId":{room},"time":{time}"#);
        if reference.is_some() {
            self.send(id, format!("{frame}{}}}", suffix(reference)));
        }
        for other in self.members(room) {
            let user = &self.users[&other];
            if other != id && user.is_here && user.hears && user.version == Version::V2 {
                // The server forwards one in two seconds.
                self.out.push(Sent { to: other, frame: format!("{frame}}}"), is_optional: true });
            }
        }
    }

    pub(crate) fn hello(&mut self, id: UserId, bytes: u64, reference: Option<&str>) {
        let suffix = suffix(reference);
        let frame = format!(r#"{{"type":"hello","features":[],"maxFrameBytes":{bytes}{suffix}}}"#);
        self.send(id, frame);
    }
}

pub(super) fn suffix(reference: Option<&str>) -> String {
    reference.map_or_else(String::new, |reference| format!(r#","ref":{}"#, quoted(reference)))
}

/// Whether a name or a title, already trimmed, is refused.
fn is_bad(label: &str, max: usize) -> bool {
    label.is_empty() || label.chars().count() > max || label.chars().any(char::is_control)
}
