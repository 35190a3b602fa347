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
mod presence;
mod restore;
mod room;
mod session;
mod talk;
mod watch;
mod wording;

#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod property_test;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use command::{Action, Command, Request, Since};
pub(crate) use effect::{Effect, Event, Person, Refusal, RoomChange, RoomSummary};
pub(crate) use memory::{
    Content, EVENT_BYTES, Memo, Noted, Position, Remembered, RememberedRoom, RememberedSession,
    Said, SessionKey,
};
pub(crate) use room::Room;
pub(crate) use wording::Flaw;

use session::Session;
use talk::Unkept;
use watch::{Change, Watch};

/// How long one user's typing is told no more once it was.
const TYPING_INTERVAL: Duration = Duration::from_secs(2);

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
    /// How long somebody with a session who has lost the connection may take to come back.
    pub(crate) resume_grace: Duration,
    /// How many may be away at once. Whoever would leave next makes room for one more, but those first
    /// who would miss nothing.
    pub(crate) max_away: usize,
    /// How much of what was said is kept for each room, in events.
    pub(crate) max_kept: u64,
    /// For how long it is kept; `None`: for ever.
    pub(crate) max_age: Option<Duration>,
}

/// Everybody who is connected or may come back, and every room.
#[derive(Debug)]
pub(crate) struct Chat {
    rules: Rules,
    users: BTreeMap<UserId, User>,
    last_user: u64,
    sessions: BTreeMap<SessionKey, UserId>,
    /// Who has lost the connection, by the time at which they leave.
    away: BTreeSet<(Duration, UserId)>,
    /// Those of them who would miss nothing: in no room, with the name they came with, and silent.
    idle: BTreeSet<(Duration, UserId)>,
    rooms: BTreeMap<RoomId, Room>,
    last_room: u64,
    /// Empty rooms made by users, by the time at which they go.
    expiries: BTreeSet<(Duration, RoomId)>,
    /// Before this time no room list goes out to everyone.
    room_list_not_before: Duration,
    /// A room list is owed to everyone as soon as the time above has come.
    room_list_owed: bool,
    room_list_revision: u64,
    kept_revision: u64,
    watch: Watch,
    /// What was said since the last [`Chat::kept`] or [`Chat::not_kept`].
    unkept: Vec<Unkept>,
}

#[derive(Debug)]
struct User {
    name: Arc<str>,
    room: Option<RoomId>,
    /// `None`: gone with the connection.
    session: Option<Box<Session>>,
}

impl Chat {
    /// A chat with its permanent rooms and nobody in them.
    #[cfg(test)]
    fn new(rules: Rules) -> Self {
        Self::restore(rules, Remembered::default()).0
    }

    /// Changes whenever what [`Chat::rooms`] and [`Chat::members`] show changes.
    pub(crate) fn room_list_revision(&self) -> u64 {
        self.room_list_revision
    }

    /// All rooms, by id.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = (RoomId, &Room)> {
        self.rooms.iter().map(|(id, room)| (*id, room))
    }

    /// The room of this id, if there is one.
    pub(crate) fn room(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id)
    }

    /// Who is in `room`, with their names, by id.
    pub(crate) fn members<'a>(&'a self, room: &'a Room) -> impl Iterator<Item = (UserId, &'a str)> {
        room.members().map(|id| (id, &*self.users[&id].name))
    }

    /// The same, to keep.
    pub(crate) fn people<'a>(&'a self, room: &'a Room) -> impl Iterator<Item = Person> + 'a {
        room.members().map(|id| self.person(id))
    }

    /// The highest id that a user has had.
    pub(crate) fn last_user(&self) -> UserId {
        UserId(self.last_user)
    }

    /// When [`Chat::advance`] has something to do, if nothing else happens before.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let expiry = self.expiries.first().map(|(at, _)| *at);
        let leaving = self.away.first().map(|(at, _)| *at);
        let room_list = self.room_list_owed.then_some(self.room_list_not_before);
        [expiry, leaving, room_list, self.watch.next_deadline()].into_iter().flatten().min()
    }

    /// Does what has fallen due by the time `at`: who stays away leaves, empty rooms go, owed room
    /// lists go out.
    pub(crate) fn advance(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        // Nearly always nothing is due.
        if self.next_deadline().is_none_or(|due| due > at) {
            return;
        }
        while let Some(&(due, user)) = self.away.first()
            && due <= at
        {
            // At the time at which it was due, whenever that is noticed.
            self.depart(user, due, effects);
        }
        while let Some(&(due, id)) = self.expiries.first()
            && due <= at
        {
            self.expiries.pop_first();
            self.rooms.remove(&id);
            self.watch.note(id, Change::Removed);
            self.room_list_revision += 1;
            self.room_list_owed = true;
            effects.push(Effect::Remember(Memo::RoomGone(id)));
        }
        if self.room_list_owed {
            self.announce_rooms(at, effects);
        }
        self.announce_changes(at, effects);
    }

    /// Applies one command and appends what follows from it, in the order in which it is to be seen.
    ///
    /// What has fallen due before is done first. A command of a user who is not (or no longer) connected has no effect.
    pub(crate) fn apply(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let Command { at, time, author, action, reference } = command;
        self.advance(at, effects);
        match action {
            Action::Connect => self.connect(author, None, effects),
            Action::Begin(key) => self.connect(author, Some(key), effects),
            Action::Resume => self.resume(author, effects),
            Action::Disconnect => self.disconnect(author, at, effects),
            Action::Request(request) => {
                let Some(user) = self.users.get(&author) else { return };
                let asked = Asked { author, room: user.room, at, time, reference };
                if let Err(refusal) = self.request(asked, request, effects) {
                    effects.push(Effect::Reply { to: author, event: Event::Refused(refusal) });
                }
            }
        }
        self.announce_changes(at, effects);
    }

    fn request(
        &mut self,
        asked: Asked,
        request: Request,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let Asked { author, room, at, .. } = asked;
        match request {
            Request::ListRooms => {
                if self.user(author).session.is_some() {
                    self.watch.begin(author);
                }
                effects.push(Effect::RoomList { to: Some(author) });
            }
            Request::EnterRoom(target, since) => self.enter(author, target, since, at, effects)?,
            Request::LeaveRoom => {
                let room = room.ok_or(Refusal::NotInRoom)?;
                self.leave(author, room, at, effects);
            }
            Request::Text(text) => {
                if !self.repeats(&asked, effects)? {
                    let room = room.ok_or(Refusal::NotInRoom)?;
                    let max = self.rules.max_text_chars;
                    wording::check_text(&text, max).map_err(Refusal::BadText)?;
                    self.say(asked, room, Content::Text(text), effects);
                }
            }
            Request::Gif(gif) => {
                if !self.repeats(&asked, effects)? {
                    let room = room.ok_or(Refusal::NotInRoom)?;
                    self.say(asked, room, Content::Gif(gif), effects);
                }
            }
            Request::CreateRoom(title) => self.create_room(author, &title, at, effects)?,
            Request::ChangeName(name) => self.change_name(author, room, &name, effects)?,
            Request::History { room, before, limit } => {
                if !self.rooms.contains_key(&room) {
                    return Err(Refusal::UnknownRoom(room));
                }
                effects.push(Effect::ShowHistory { to: author, room, before, limit });
            }
            Request::Typing => {
                let room = room.ok_or(Refusal::NotInRoom)?;
                let person = self.person(author);
                if let Some(session) = &mut self.user(author).session
                    && at >= session.types_not_before
                {
                    session.types_not_before = at + TYPING_INTERVAL;
                    let event = Event::Typing(person);
                    effects.push(Effect::TellOthers { room, but: author, event });
                }
            }
        }
        Ok(())
    }

    fn enter(
        &mut self,
        author: UserId,
        target: RoomId,
        since: Option<Since>,
        at: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let Some(room) = self.rooms.get(&target) else {
            return Err(Refusal::UnknownRoom(target));
        };
        let show = Effect::Show { to: author, room: target, since, upto: room.last_seq };
        let entered = Event::Entered(self.person(author));
        let user = self.user(author);
        let has_session = user.session.is_some();
        match user.room {
            Some(room) if room == target => {
                let Some(session) = &mut user.session else {
                    effects.push(Effect::Reply { to: author, event: entered });
                    return Ok(());
                };
                // The others see no difference.
                if !std::mem::replace(&mut session.hears, true) {
                    effects.push(Effect::Enter { room: target, user: author });
                }
                effects.push(show);
                return Ok(());
            }
            Some(room) => self.leave(author, room, at, effects),
            None => {}
        }
        if let Some(expiry) = self.room_mut(target).enter(author) {
            self.expiries.remove(&(expiry, target));
        }
        let user = self.user(author);
        user.room = Some(target);
        if let Some(session) = &mut user.session {
            session.hears = true;
        }
        self.members_changed(target);
        let tell = Effect::Tell { room: target, event: entered };
        let enter = Effect::Enter { room: target, user: author };
        if has_session {
            // What the room looks like with them in it is answer enough.
            effects.extend([tell, enter, show]);
            self.remember_session(author, effects);
        } else {
            effects.extend([enter, tell]);
        }
        Ok(())
    }

    /// Leaves in the sight of everyone, the leaver included.
    fn leave(&mut self, id: UserId, room: RoomId, at: Duration, effects: &mut Vec<Effect>) {
        if let Some(session) = &mut self.user(id).session
            && !std::mem::replace(&mut session.hears, true)
        {
            effects.push(Effect::Enter { room, user: id });
        }
        effects.push(Effect::Tell { room, event: Event::Left(self.person(id)) });
        self.take_out(id, room, at, effects);
        self.remember_session(id, effects);
    }

    fn take_out(&mut self, user: UserId, room: RoomId, at: Duration, effects: &mut Vec<Effect>) {
        let gone_at = at + self.rules.empty_room_ttl;
        if self.room_mut(room).leave(user, gone_at) {
            self.expiries.insert((gone_at, room));
        }
        if self.hears(user) {
            effects.push(Effect::Leave { user });
        }
        let user = self.user(user);
        user.room = None;
        if let Some(session) = &mut user.session {
            session.hears = false;
        }
        self.members_changed(room);
    }

    fn create_room(
        &mut self,
        author: UserId,
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
        let id = self.next_room();
        let room = Room::passing(title, gone_at, 0);
        let summary = room.summary(id);
        effects.push(Effect::Remember(Memo::Room(room.remembered(id))));
        self.rooms.insert(id, room);
        self.room_list_revision += 1;
        self.expiries.insert((gone_at, id));
        self.watch.note(id, Change::Added);
        if self.user(author).session.is_some() {
            effects.push(Effect::Reply { to: author, event: Event::RoomAdded(summary) });
        }
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
        let event = Event::Renamed { user: author, old_name, new_name };
        let session = self.user(author).session.as_mut();
        let has_session = session.map(|session| session.is_renamed = true).is_some();
        if let Some(room) = room {
            self.room_list_revision += 1;
            effects.push(Effect::Tell { room, event: event.clone() });
        }
        if has_session && !(room.is_some() && self.hears(author)) {
            effects.push(Effect::Reply { to: author, event });
        }
        self.remember_session(author, effects);
        Ok(())
    }

    /// Sends the room list to everyone now, or, when one went out a moment ago, leaves it owed.
    fn announce_rooms(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        self.room_list_owed = at < self.room_list_not_before;
        if !self.room_list_owed {
            self.room_list_not_before = at + self.rules.room_list_interval;
            effects.push(Effect::RoomList { to: None });
        }
    }

    /// Tells those who watch the list of rooms what has changed in it, as far as that is due.
    fn announce_changes(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        let Some(changes) = self.watch.take_due(at, self.rules.room_list_interval) else { return };
        let shown = changes.into_iter().map(|(id, change)| match (change, self.rooms.get(&id)) {
            (Change::Removed, _) | (_, None) => RoomChange::Removed(id),
            (Change::Added, Some(room)) => RoomChange::Added(room.summary(id)),
            (Change::Changed, Some(room)) => RoomChange::Changed(room.summary(id)),
        });
        effects.push(Effect::RoomChanges(shown.collect()));
    }

    fn members_changed(&mut self, room: RoomId) {
        self.room_list_revision += 1;
        self.watch.note(room, Change::Changed);
    }

    fn next_room(&mut self) -> RoomId {
        self.last_room += 1;
        RoomId(self.last_room)
    }

    fn person(&self, id: UserId) -> Person {
        Person { id, name: self.users[&id].name.clone() }
    }

    fn user(&mut self, id: UserId) -> &mut User {
        self.users.get_mut(&id).expect("the author of a request is connected")
    }

    fn room_mut(&mut self, id: RoomId) -> &mut Room {
        self.rooms.get_mut(&id).expect("a room with members exists")
    }
}

/// Who asks, from where, and when.
struct Asked {
    author: UserId,
    room: Option<RoomId>,
    at: Duration,
    time: u64,
    reference: Option<Arc<str>>,
}
