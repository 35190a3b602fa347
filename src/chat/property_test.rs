//! What holds of the chat whatever people do, checked on random histories.
//!
//! A [`World`] puts a chat through a history and follows its effects as delivery does: it keeps
//! everyone's seat, and in every seat a client that knows its room only from what it has heard there.
//! If all clients of a room know the same as the chat itself after every command, then they have all
//! been told everything, in the same order, and nobody else has.
//!
//! A failure prints the shortest history that shows it, and appends its seed to
//! `property_test.regressions` beside this file. That file belongs in the repository: its seeds are
//! tried first in every later run. `PROPTEST_CASES=100000` looks longer.

mod act;
mod histories;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::{Action, Chat, Command, Effect, Event, Request, RoomId, Rules, UserId};

use act::Act;
use histories::{Step, rules, step};

type Check = Result<(), TestCaseError>;

const MAX_CHARS: usize = 8;

proptest! {
    #![proptest_config(ProptestConfig::with_failure_persistence(
        FileFailurePersistence::WithSource("regressions"),
    ))]

    #[test]
    fn every_history_keeps_the_promises(rules in rules(), history in vec(step(), 0..100)) {
        let mut world = World::new(rules);
        for step in &history {
            world.take(step)?;
        }
        world.end()?;
    }

    /// Whether the clock was looked at just before a command makes no difference, either.
    #[test]
    fn the_same_history_has_the_same_effects(rules in rules(), history in vec(step(), 0..100)) {
        let once = transcript(&rules, &history, false);
        prop_assert_eq!(&once, &transcript(&rules, &history, false));
        prop_assert_eq!(&once, &transcript(&rules, &history, true));
    }
}

/// Whether this may be a name or a title, as it stands.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label == label.trim()
        && label.chars().count() <= MAX_CHARS
        && !label.chars().any(|c| c.is_control() || "\u{2028}\u{2029}".contains(c))
}

/// What the room list shows of a room: its title, and its members with their names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    title: String,
    members: BTreeMap<UserId, String>,
}

type RoomList = BTreeMap<RoomId, Shown>;

fn room_list(chat: &Chat) -> RoomList {
    chat.rooms()
        .map(|(id, room)| {
            let title = room.title().to_owned();
            let members = chat.members(room).map(|(id, name)| (id, name.to_owned())).collect();
            (id, Shown { title, members })
        })
        .collect()
}

/// Everything that follows from a history. With `look`, the dispatcher looks at the clock just before
/// each command.
fn transcript(rules: &Rules, history: &[Step], look: bool) -> String {
    let mut chat = Chat::new(rules.clone());
    let mut now = Duration::ZERO;
    let mut newest = UserId(0);
    let mut transcript = String::new();
    for step in history {
        let (author, action) = match step {
            Step::Connect => {
                newest.0 += 1;
                (newest, &Action::Connect)
            }
            Step::Act(author, action) => (*author, action),
            Step::Pass(time) | Step::Sleep(time) => {
                now += *time;
                continue;
            }
            Step::Commit { is_kept } => {
                commit(&mut chat, *is_kept);
                continue;
            }
        };
        let mut effects = Vec::new();
        if look {
            chat.advance(now, &mut effects);
        }
        chat.apply(command(now, author, action), &mut effects);
        writeln!(transcript, "{step:?}: {effects:?}\n{chat:?}").unwrap();
    }
    transcript
}

fn command(at: Duration, author: UserId, action: &Action) -> Command {
    Command { at, time: 0, author, action: action.clone(), reference: None }
}

/// What was said since the last commit is kept, or cannot be.
fn commit(chat: &mut Chat, is_kept: bool) {
    if is_kept {
        chat.kept();
    } else {
        chat.not_kept();
    }
}

/// A chat, what its effects have led to, and what is to be expected of it.
struct World {
    rules: Rules,
    chat: Chat,
    now: Duration,
    newest: UserId,
    /// Everyone connected, under the names they ought to have.
    names: BTreeMap<UserId, String>,
    seats: BTreeMap<UserId, Seat>,
    /// The room list after the last command.
    list: RoomList,
    /// Every room list there has been, by its revision.
    lists: BTreeMap<u64, RoomList>,
    /// Every room there has been, with its title.
    titles: BTreeMap<RoomId, String>,
    /// What was said last in each room.
    last_seqs: BTreeMap<RoomId, u64>,
    /// What of it is kept.
    kept_seqs: BTreeMap<RoomId, u64>,
    /// The rooms made by users in which there is nobody.
    empty_since: BTreeMap<RoomId, Duration>,
    /// The rooms in the last list that everyone got, and when that was.
    announced: (BTreeSet<RoomId>, Option<Duration>),
    /// Whether rooms have come or gone since.
    unannounced: bool,
}

/// Someone's place in a room, and a client who knows the room from the list as it was before entering
/// and from what it has heard since.
struct Seat {
    room: RoomId,
    members: BTreeMap<UserId, String>,
}

impl World {
    fn new(rules: Rules) -> Self {
        let chat = Chat::new(rules.clone());
        let list = room_list(&chat);
        Self {
            rules,
            now: Duration::ZERO,
            newest: UserId(0),
            names: BTreeMap::new(),
            last_seqs: BTreeMap::new(),
            kept_seqs: BTreeMap::new(),
            seats: BTreeMap::new(),
            lists: BTreeMap::from([(chat.room_list_revision(), list.clone())]),
            titles: list.iter().map(|(id, shown)| (*id, shown.title.clone())).collect(),
            empty_since: BTreeMap::new(),
            announced: (list.keys().copied().collect(), None),
            unannounced: false,
            list,
            chat,
        }
    }

    fn take(&mut self, step: &Step) -> Check {
        match step {
            Step::Connect => {
                self.newest.0 += 1;
                self.apply(self.newest, &Action::Connect)
            }
            Step::Act(author, action) => self.apply(*author, action),
            Step::Pass(time) => {
                self.now += *time;
                Ok(())
            }
            Step::Sleep(time) => self.sleep(*time),
            Step::Commit { is_kept } => self.commit(*is_kept),
        }
    }

    /// What is kept counts from here on, and what is not has never been: nobody is told either.
    fn commit(&mut self, is_kept: bool) -> Check {
        let (before, kept_before) = (self.chat.kept_revision(), self.kept_seqs.clone());
        commit(&mut self.chat, is_kept);
        if is_kept {
            self.kept_seqs.clone_from(&self.last_seqs);
        } else {
            self.last_seqs.clone_from(&self.kept_seqs);
        }
        self.look_at_rooms()?;
        let is_same = self.kept_of_rooms(&self.kept_seqs) == self.kept_of_rooms(&kept_before);
        prop_assert_eq!(self.chat.kept_revision() == before, is_same);
        Ok(())
    }

    /// Those of the rooms that there are.
    fn kept_of_rooms(&self, seqs: &BTreeMap<RoomId, u64>) -> Vec<u64> {
        self.list.keys().map(|id| seqs.get(id).copied().unwrap_or_default()).collect()
    }

    /// When all have gone, only what is permanent stays, and that does not take for ever.
    fn end(mut self) -> Check {
        for user in self.names.clone().into_keys() {
            self.apply(user, &Action::Disconnect)?;
        }
        self.sleep(self.rules.empty_room_ttl + self.rules.room_list_interval)?;
        prop_assert_eq!(self.chat.next_deadline(), None);
        let left: Vec<_> = self.list.into_values().map(|shown| shown.title).collect();
        prop_assert_eq!(left, self.rules.rooms);
        Ok(())
    }

    fn sleep(&mut self, time: Duration) -> Check {
        let end = self.now + time;
        while let Some(deadline) = self.chat.next_deadline()
            && deadline <= end
        {
            self.now = self.now.max(deadline);
            self.advance()?;
        }
        self.now = end;
        self.advance()
    }

    /// What is due happens, all of it and nothing else, and only if the deadline said so.
    fn advance(&mut self) -> Check {
        let due = self.chat.next_deadline().is_some_and(|deadline| deadline <= self.now);
        let revision = self.chat.room_list_revision();
        let ttl = self.rules.empty_room_ttl;
        let mut expected = self.list.clone();
        expected.retain(|id, _| self.empty_since.get(id).is_none_or(|at| *at + ttl > self.now));

        let mut effects = Vec::new();
        self.chat.advance(self.now, &mut effects);
        prop_assert_eq!(
            due,
            !effects.is_empty() || self.chat.room_list_revision() != revision,
            "something happens when, and only when, it is due"
        );
        self.look_at_rooms()?;
        prop_assert_eq!(&self.list, &expected);
        effects.retain(|effect| !matches!(effect, Effect::Remember(_)));
        for effect in effects {
            prop_assert!(matches!(effect, Effect::RoomList { to: None }), "{:?}", effect);
            self.announce()?;
        }
        self.check_deadline()
    }

    fn apply(&mut self, author: UserId, action: &Action) -> Check {
        self.advance()?;
        let act = Act {
            author,
            action,
            granted: self.grants(author, action),
            room: self.seats.get(&author).map(|seat| seat.room),
            list: self.list.clone(),
        };
        let revision = self.chat.room_list_revision();
        let connected = self.names.contains_key(&author);
        let mut effects = Vec::new();
        self.chat.apply(command(self.now, author, action), &mut effects);
        // What is remembered is nothing that anybody is told.
        effects.retain(|effect| !matches!(effect, Effect::Remember(_)));
        self.look_at_rooms()?;
        if !act.granted {
            prop_assert_eq!(&self.list, &act.list, "what was refused has changed nothing");
            prop_assert_eq!(self.chat.room_list_revision(), revision);
            prop_assert_eq!(effects.len(), usize::from(connected), "{:?}", effects);
        } else if let Some(expected) = act.effects() {
            prop_assert_eq!(effects.len(), expected, "{:?}", effects);
        }
        self.expect(&act)?;
        for effect in effects {
            self.follow(&act, effect)?;
        }
        self.check_seats(&act)?;
        self.check_deadline()
    }

    /// Whether the rules of the chat allow it.
    fn grants(&self, author: UserId, action: &Action) -> bool {
        let Action::Request(request) = action else {
            return matches!(action, Action::Connect) || self.names.contains_key(&author);
        };
        let seated = self.seats.contains_key(&author);
        self.names.contains_key(&author)
            && match request {
                Request::ListRooms => true,
                Request::EnterRoom(room, _) => self.list.contains_key(room),
                Request::LeaveRoom | Request::Gif(_) => seated,
                Request::Text(text) => {
                    seated && !text.trim().is_empty() && text.chars().count() <= MAX_CHARS
                }
                Request::CreateRoom(title) => {
                    let max = self.rules.max_rooms;
                    is_label(title.trim()) && (max == 0 || self.list.len() < max)
                }
                Request::ChangeName(name) => is_label(name.trim()),
                Request::History { .. } | Request::Typing => {
                    unreachable!("they take a session")
                }
            }
    }

    /// Takes note of the names there ought to be, and checks the new room, if there ought to be one.
    fn expect(&mut self, act: &Act<'_>) -> Check {
        let author = act.author;
        match act.action {
            _ if !act.granted => {}
            Action::Connect => {
                self.names.insert(author, format!("User {}", author.0));
            }
            Action::Disconnect => {
                self.names.remove(&author);
            }
            Action::Request(Request::ChangeName(name)) => {
                self.names.insert(author, name.trim().to_owned());
            }
            Action::Request(Request::CreateRoom(title)) => {
                let (id, room) = self.list.last_key_value().expect("there are permanent rooms");
                prop_assert!(!act.list.contains_key(id), "a new room has the highest id");
                prop_assert_eq!(&room.title, title.trim());
                prop_assert!(room.members.is_empty(), "nobody is put into a new room");
            }
            Action::Request(_) | Action::Begin(_) | Action::Resume => {}
        }
        Ok(())
    }

    /// Does with an effect what delivery does with it.
    fn follow(&mut self, act: &Act<'_>, effect: Effect) -> Check {
        let refusal = matches!(effect, Effect::Reply { event: Event::Refused(_), .. });
        prop_assert_eq!(refusal, !act.granted, "{:?}", effect);
        match effect {
            Effect::Reply { to, event } => {
                prop_assert_eq!(to, act.author);
                prop_assert!(act.is_answered_by(&event), "{:?}", event);
            }
            Effect::Tell { room, event } => {
                let about = Some(room);
                prop_assert!(
                    about == act.room || about == act.target(),
                    "room {:?} has nothing to do with {:?}",
                    room,
                    act.action
                );
                for (user, seat) in self.seats.iter_mut().filter(|(_, seat)| seat.room == room) {
                    seat.hear(*user, act, &event)?;
                }
            }
            Effect::Enter { room, user } => {
                prop_assert_eq!(user, act.author);
                let members = act.list[&room].members.clone();
                let before = self.seats.insert(user, Seat { room, members });
                prop_assert!(before.is_none(), "{:?} has a seat already", user);
            }
            Effect::Leave { user } => {
                prop_assert_eq!(user, act.author);
                let seat = self.seats.remove(&user);
                let still_there = seat.map(|seat| seat.members.contains_key(&user));
                let unheard = matches!(act.action, Action::Disconnect);
                prop_assert_eq!(still_there, Some(unheard), "who leaves hears it, who is gone not");
            }
            Effect::RoomList { to: Some(user) } => {
                prop_assert_eq!(user, act.author);
                prop_assert!(matches!(act.action, Action::Request(Request::ListRooms)));
            }
            Effect::RoomList { to: None } => self.announce()?,
            Effect::Say { room, said } => {
                prop_assert_eq!(Some(room), act.room);
                let last = self.last_seqs.entry(room).or_default();
                *last += 1;
                prop_assert_eq!(said.seq, *last, "no number is left out, and none comes twice");
                prop_assert_eq!(said.from.id, act.author);
                prop_assert_eq!(
                    self.names.get(&act.author).map(String::as_str),
                    Some(&*said.from.name)
                );
                prop_assert!(act.says(&said.content), "{:?}", said);
            }
            effect => prop_assert!(false, "nobody has a session: {effect:?}"),
        }
        Ok(())
    }

    /// Everyone sits where the chat has them, and knows of their room what the chat knows.
    fn check_seats(&self, act: &Act<'_>) -> Check {
        let room = self.seats.get(&act.author).map(|seat| seat.room);
        prop_assert_eq!(room, act.target());
        for (user, seat) in &self.seats {
            prop_assert!(self.names.contains_key(user), "{:?} is gone", user);
            let members = self.list.get(&seat.room).map(|shown| &shown.members);
            prop_assert_eq!(Some(&seat.members), members, "as {:?} knows the room", user);
        }
        let mut seated = 0;
        for (room, shown) in &self.list {
            for (user, name) in &shown.members {
                prop_assert_eq!(self.seats.get(user).map(|seat| seat.room), Some(*room));
                prop_assert_eq!(self.names.get(user), Some(name));
                seated += 1;
            }
        }
        prop_assert_eq!(seated, self.seats.len());
        Ok(())
    }

    /// Takes note of the rooms as they are now.
    fn look_at_rooms(&mut self) -> Check {
        let list = room_list(&self.chat);
        let revision = self.chat.room_list_revision();
        let shown = self.lists.entry(revision).or_insert_with(|| list.clone());
        prop_assert_eq!(&*shown, &list, "another list under the same revision {}", revision);
        for (id, room) in self.chat.rooms() {
            let kept = self.kept_seqs.get(&id).copied().unwrap_or_default();
            prop_assert_eq!(room.kept_seq(), kept, "no number is shown that may be taken back");
        }
        for (id, room) in &list {
            let newest = self.titles.last_key_value().map(|(id, _)| *id);
            let title = self.titles.entry(*id).or_insert_with(|| room.title.clone());
            prop_assert_eq!(&*title, &room.title, "a room keeps its title, and its id");
            prop_assert!(self.list.contains_key(id) || Some(*id) > newest, "ids count up");
            let passing = id.0 > self.rules.rooms.len() as u64;
            if passing && room.members.is_empty() {
                self.empty_since.entry(*id).or_insert(self.now);
            } else {
                self.empty_since.remove(id);
            }
        }
        self.empty_since.retain(|id, _| list.contains_key(id));
        self.unannounced |= !list.keys().eq(self.list.keys());
        self.list = list;
        Ok(())
    }

    /// Everyone gets the list.
    fn announce(&mut self) -> Check {
        let next = self.announced.1.map(|at| at + self.rules.room_list_interval);
        prop_assert!(next.is_none_or(|next| next <= self.now), "too early for another list");
        prop_assert!(self.unannounced, "everyone has seen this list");
        self.announced = (self.list.keys().copied().collect(), Some(self.now));
        self.unannounced = false;
        Ok(())
    }

    /// No deadline has been left behind, and one is there for a list that is owed to everyone.
    fn check_deadline(&self) -> Check {
        let deadline = self.chat.next_deadline();
        prop_assert!(deadline.is_none_or(|deadline| deadline > self.now), "{:?}", deadline);
        let (rooms, at) = &self.announced;
        if !self.list.keys().eq(rooms) {
            let latest = at.map(|at| at + self.rules.room_list_interval);
            prop_assert!(deadline.is_some() && deadline <= latest, "{:?}", deadline);
        }
        Ok(())
    }
}

impl Seat {
    /// What the client in this seat makes of an event. It must fit what the client knows.
    fn hear(&mut self, me: UserId, act: &Act<'_>, event: &Event) -> Check {
        let author = act.author;
        match event {
            Event::Entered(person) => {
                prop_assert_eq!(person.id, author);
                prop_assert_eq!(self.members.insert(person.id, person.name.to_string()), None);
            }
            Event::Left(person) => {
                prop_assert_eq!(person.id, author);
                let known = self.members.remove(&person.id);
                prop_assert_eq!(known.as_deref(), Some(&*person.name));
                return Ok(());
            }
            Event::Renamed { old_name, new_name, .. } => {
                let known = self.members.insert(author, new_name.to_string());
                prop_assert_eq!(known.as_deref(), Some(&**old_name));
            }
            event => prop_assert!(false, "not for a room: {event:?}"),
        }
        prop_assert!(self.members.contains_key(&me), "{:?} hears this before it has entered", me);
        Ok(())
    }
}
