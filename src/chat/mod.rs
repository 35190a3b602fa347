//! The chat itself: rooms, members, and what a command does to them.
//!
//! Owns the truth about who exists, which room each is in, and which rooms there are. The
//! dispatcher's thread runs it; nobody else holds a room or a member. It is pure: a [`Command`]
//! brings its time along, the answer is a list of [`Effect`]s, and there is no clock, no randomness,
//! no I/O and no unordered map in here. The same commands in the same order give the same state and
//! the same effects on any machine, which the golden scripts under `golden/` rely on.
//!
//! How an event looks on the wire is `protocol`'s business, and how it reaches people is
//! `delivery`'s.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod command;
mod effect;
mod memory;
mod room;
mod wording;

#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod property_test;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use command::{Action, Command, Request};
pub(crate) use effect::{Effect, Event, Person, Refusal};
pub(crate) use memory::{
    Content, Memo, Position, Remembered, RememberedRoom, RememberedSession, Said, SessionKey,
};
pub(crate) use room::Room;
pub(crate) use wording::Flaw;

/// A user's number: counts from 1 and is never reused. A command that connects brings it along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserId(pub(crate) u64);

/// A room's number: counts from 1 in the order of creation and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RoomId(pub(crate) u64);

/// What the chat allows. Lengths are in characters (Unicode scalar values).
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Titles of the rooms that exist from the start and stay; they get the ids 1, 2, 3 …
    pub(crate) rooms: Vec<String>,
    /// How many rooms there may be, the permanent ones included; 0 is no limit.
    pub(crate) max_rooms: usize,
    pub(crate) max_name_chars: usize,
    pub(crate) max_title_chars: usize,
    pub(crate) max_text_chars: usize,
    /// How long a room made by a user outlives its last member.
    pub(crate) empty_room_ttl: Duration,
    /// The least time between two room lists sent to everyone.
    pub(crate) room_list_interval: Duration,
}

/// Everybody who is connected, and every room.
#[derive(Debug)]
pub(crate) struct Chat {
    rules: Rules,
    users: BTreeMap<UserId, User>,
    rooms: BTreeMap<RoomId, Room>,
    last_room: u64,
    /// Empty rooms made by users, by the time at which they go.
    expiries: BTreeSet<(Duration, RoomId)>,
    /// Before this time no room list goes out to everyone.
    room_list_not_before: Duration,
    /// A room list is owed to everyone as soon as the time above has come.
    room_list_owed: bool,
    room_list_revision: u64,
}

#[derive(Debug)]
struct User {
    name: Arc<str>,
    room: Option<RoomId>,
}

impl Chat {
    /// A chat with its permanent rooms and nobody in them.
    pub(crate) fn new(rules: Rules) -> Self {
        let mut chat = Self {
            users: BTreeMap::new(),
            rooms: BTreeMap::new(),
            last_room: 0,
            expiries: BTreeSet::new(),
            room_list_not_before: Duration::ZERO,
            room_list_owed: false,
            room_list_revision: 0,
            rules,
        };
        for title in std::mem::take(&mut chat.rules.rooms) {
            chat.add_room(Room::permanent(&title));
        }
        chat
    }

    /// Changes whenever what [`Chat::rooms`] and [`Chat::members`] show changes.
    pub(crate) fn room_list_revision(&self) -> u64 {
        self.room_list_revision
    }

    /// All rooms, by id.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = (RoomId, &Room)> {
        self.rooms.iter().map(|(id, room)| (*id, room))
    }

    /// Who is in `room`, with their names, by id.
    pub(crate) fn members<'a>(&'a self, room: &'a Room) -> impl Iterator<Item = (UserId, &'a str)> {
        room.members().map(|id| (id, &*self.users[&id].name))
    }

    /// When [`Chat::advance`] has something to do, if nothing else happens before.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let expiry = self.expiries.first().map(|(at, _)| *at);
        let room_list = self.room_list_owed.then_some(self.room_list_not_before);
        [expiry, room_list].into_iter().flatten().min()
    }

    /// Does what has fallen due by the time `at`: empty rooms go, an owed room list goes out.
    pub(crate) fn advance(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        // Nearly always nothing is due.
        if self.next_deadline().is_none_or(|due| due > at) {
            return;
        }
        while let Some(&(due, id)) = self.expiries.first()
            && due <= at
        {
            self.expiries.pop_first();
            self.rooms.remove(&id);
            self.room_list_revision += 1;
            self.room_list_owed = true;
        }
        if self.room_list_owed {
            self.announce_rooms(at, effects);
        }
    }

    /// Applies one command and appends what follows from it, in the order in which it is to be seen.
    ///
    /// What has fallen due before is done first. A command of a user who is not (or no longer) connected has no effect.
    pub(crate) fn apply(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let Command { at, author, action } = command;
        self.advance(at, effects);
        match action {
            Action::Connect => self.connect(author, effects),
            Action::Disconnect => self.disconnect(author, at, effects),
            Action::Request(request) => {
                let Some(user) = self.users.get(&author) else { return };
                let room = user.room;
                if let Err(refusal) = self.request(author, room, request, at, effects) {
                    effects.push(Effect::Reply { to: author, event: Event::Refused(refusal) });
                }
            }
        }
    }

    fn request(
        &mut self,
        author: UserId,
        room: Option<RoomId>,
        request: Request,
        at: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        match request {
            Request::ListRooms => effects.push(Effect::RoomList { to: Some(author) }),
            Request::EnterRoom(target) => self.enter(author, target, at, effects)?,
            Request::LeaveRoom => {
                let room = room.ok_or(Refusal::NotInRoom)?;
                self.leave(author, room, at, effects);
            }
            Request::Text(text) => {
                let room = room.ok_or(Refusal::NotInRoom)?;
                wording::check_text(&text, self.rules.max_text_chars).map_err(Refusal::BadText)?;
                let event = Event::Text { text, from: self.person(author) };
                effects.push(Effect::Tell { room, event });
            }
            Request::Gif(gif) => {
                let room = room.ok_or(Refusal::NotInRoom)?;
                let event = Event::Gif { gif, from: self.person(author) };
                effects.push(Effect::Tell { room, event });
            }
            Request::CreateRoom(title) => self.create_room(&title, at, effects)?,
            Request::ChangeName(name) => self.change_name(author, room, &name, effects)?,
        }
        Ok(())
    }

    fn connect(&mut self, id: UserId, effects: &mut Vec<Effect>) {
        let user = User { name: format!("User {}", id.0).into(), room: None };
        let before = self.users.insert(id, user);
        assert!(before.is_none(), "user ids are never reused");
        effects.push(Effect::Reply { to: id, event: Event::Welcome(self.person(id)) });
    }

    fn disconnect(&mut self, id: UserId, at: Duration, effects: &mut Vec<Effect>) {
        let Some(user) = self.users.get(&id) else { return };
        if let Some(room) = user.room {
            let event = Event::Left(self.person(id));
            self.take_out(id, room, at, effects);
            effects.push(Effect::Tell { room, event });
        }
        self.users.remove(&id);
    }

    fn enter(
        &mut self,
        author: UserId,
        target: RoomId,
        at: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if !self.rooms.contains_key(&target) {
            return Err(Refusal::UnknownRoom(target));
        }
        let event = Event::Entered(self.person(author));
        match self.user(author).room {
            Some(room) if room == target => {
                effects.push(Effect::Reply { to: author, event });
                return Ok(());
            }
            Some(room) => self.leave(author, room, at, effects),
            None => {}
        }
        if let Some(expiry) = self.room(target).enter(author) {
            self.expiries.remove(&(expiry, target));
        }
        self.user(author).room = Some(target);
        self.room_list_revision += 1;
        effects.push(Effect::Enter { room: target, user: author });
        effects.push(Effect::Tell { room: target, event });
        Ok(())
    }

    /// Leaves in the sight of everyone, the leaver included.
    fn leave(&mut self, user: UserId, room: RoomId, at: Duration, effects: &mut Vec<Effect>) {
        effects.push(Effect::Tell { room, event: Event::Left(self.person(user)) });
        self.take_out(user, room, at, effects);
    }

    fn take_out(&mut self, user: UserId, room: RoomId, at: Duration, effects: &mut Vec<Effect>) {
        let gone_at = at + self.rules.empty_room_ttl;
        if self.room(room).leave(user, gone_at) {
            self.expiries.insert((gone_at, room));
        }
        self.user(user).room = None;
        self.room_list_revision += 1;
        effects.push(Effect::Leave { user });
    }

    fn create_room(
        &mut self,
        title: &str,
        at: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let title =
            wording::check_label(title, self.rules.max_title_chars).map_err(Refusal::BadTitle)?;
        let max = self.rules.max_rooms;
        if max != 0 && self.rooms.len() >= max {
            return Err(Refusal::TooManyRooms { max });
        }
        let gone_at = at + self.rules.empty_room_ttl;
        let id = self.add_room(Room::passing(title, gone_at));
        self.expiries.insert((gone_at, id));
        self.announce_rooms(at, effects);
        Ok(())
    }

    fn change_name(
        &mut self,
        author: UserId,
        room: Option<RoomId>,
        name: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let name =
            wording::check_label(name, self.rules.max_name_chars).map_err(Refusal::BadName)?;
        let new_name: Arc<str> = name.into();
        let old_name = std::mem::replace(&mut self.user(author).name, new_name.clone());
        if let Some(room) = room {
            self.room_list_revision += 1;
            effects.push(Effect::Tell { room, event: Event::Renamed { old_name, new_name } });
        }
        Ok(())
    }

    fn add_room(&mut self, room: Room) -> RoomId {
        self.last_room += 1;
        let id = RoomId(self.last_room);
        self.rooms.insert(id, room);
        self.room_list_revision += 1;
        id
    }

    /// Sends the room list to everyone now, or, when one went out a moment ago, leaves it owed.
    fn announce_rooms(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        self.room_list_owed = at < self.room_list_not_before;
        if !self.room_list_owed {
            self.room_list_not_before = at + self.rules.room_list_interval;
            effects.push(Effect::RoomList { to: None });
        }
    }

    fn person(&self, id: UserId) -> Person {
        Person { id, name: self.users[&id].name.clone() }
    }

    fn user(&mut self, id: UserId) -> &mut User {
        self.users.get_mut(&id).expect("the author of a request is connected")
    }

    fn room(&mut self, id: RoomId) -> &mut Room {
        self.rooms.get_mut(&id).expect("a room with members exists")
    }
}
