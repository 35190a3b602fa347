//! What ought to follow from an entry, predicted by a model that is too slow for a server and too simple
//! to be wrong: it has no indexes and looks through everything each time.

mod rooms;

use std::collections::BTreeMap;
use std::time::Duration;

use super::heaviest::{first_to_lose, is_lighter, path};
#[cfg(feature = "cluster")]
use crate::chat::NodeId;
use crate::chat::{
    Action, Content, Effect, Erased, Erasure, Event, Flaw, IdLimits, Link, Person, Position,
    Reference, Refusal, Renaming, Reply, Request, ResumeKey, ResumeOffer, RoomId, RoomSummary,
    Rules, Said, Source, UserId, Version, Welcome,
};

/// What each connection is told, in order. A message to a room counts for each who hears it.
pub(super) type Heard = BTreeMap<Link, Vec<Effect>>;

/// What becomes of an entry.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    Granted,
    /// The only answer, and nothing changes.
    Refused(Effect),
    /// Nothing changes, and nobody is told.
    Ignored,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) now: Duration,
    pub(super) last_user: u64,
    pub(super) last_room: u64,
    pub(super) reserved: IdLimits,
    pub(super) users: BTreeMap<UserId, ModelUser>,
    pub(super) rooms: BTreeMap<RoomId, ModelRoom>,
    /// What has been told since it was taken last.
    pub(super) heard: Heard,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelUser {
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) source: Source,
    pub(super) link: Option<Link>,
    pub(super) room: Option<RoomId>,
    pub(super) is_subscribed: bool,
    pub(super) key: Option<ResumeKey>,
    /// When the user leaves, if away, and whether with nothing to lose.
    pub(super) away: Option<(Duration, bool)>,
    pub(super) sent: Vec<ModelMessage>,
}

/// A message that was sent with a reference, or a room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelMessage {
    pub(super) reference: String,
    /// With the `seq` 0: the room that was created.
    pub(super) position: Position,
    pub(super) is_saved: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelRoom {
    pub(super) title: String,
    pub(super) place: Option<usize>,
    /// Where its creator came from, if anybody has created it.
    pub(super) source: Option<Source>,
    /// When it is removed, if it is empty and not permanent.
    pub(super) removed_at: Option<Duration>,
    pub(super) last_seq: u64,
    pub(super) saved_seq: u64,
    /// All that have been told.
    pub(super) erasures: Vec<Erased>,
}

/// Who asks.
struct ModelAsker {
    id: UserId,
    link: Link,
    time: u64,
    reference: Reference,
}

impl Model {
    pub(super) fn new(rules: Rules) -> Self {
        let mut model = Self {
            rules: rules.clone(),
            now: Duration::ZERO,
            last_user: 0,
            last_room: 0,
            reserved: IdLimits::NONE,
            users: BTreeMap::new(),
            rooms: BTreeMap::new(),
            heard: Heard::new(),
        };
        model.set_rules(rules);
        model
    }

    /// What has fallen due happens.
    pub(super) fn pass(&mut self, at: Duration, time: u64) {
        self.now = self.now.max(at);
        while let Some((due, id)) = self.next_to_leave()
            && due <= self.now
        {
            self.leave_for_good(id, due, time);
        }
        let now = self.now;
        self.rooms.retain(|_, room| room.removed_at.is_none_or(|at| at > now));
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let rooms = self.rooms.values().filter_map(|room| room.removed_at);
        let users = self.users.values().filter_map(|user| Some(user.away?.0));
        rooms.chain(users).min()
    }

    pub(super) fn members(&self, room: RoomId) -> BTreeMap<UserId, String> {
        let members = self.users.iter().filter(|(_, user)| user.room == Some(room));
        members.map(|(id, user)| (*id, user.name.clone())).collect()
    }

    pub(super) fn user_at(&self, link: Link) -> Option<UserId> {
        self.users.iter().find(|(_, user)| user.link == Some(link)).map(|(id, _)| *id)
    }

    /// The action happens, at the time of the last [`Model::pass`].
    pub(super) fn act(&mut self, action: Action, time: u64) -> Fate {
        match action {
            Action::Connect { link, source, version, resume } => {
                return self.connect((link, source, version), resume.map(|offer| *offer), time);
            }
            Action::Ask { link, request, reference } => {
                let Some(id) = self.user_at(link) else { return Fate::Ignored };
                let asker = ModelAsker { id, link, time, reference };
                if let Err(refusal) = self.ask(&asker, request) {
                    return Fate::Refused(asker.reply(Reply::Refused(refusal)));
                }
            }
            Action::Disconnect { link, is_going_away } => {
                let Some(id) = self.user_at(link) else { return Fate::Ignored };
                self.disconnect(id, is_going_away, time);
            }
            Action::Wait => return Fate::Ignored,
            Action::SetRules(rules) => self.set_rules(*rules),
            Action::Reserved(limits) => {
                self.reserved = limits;
                self.add_missing_rooms();
            }
            Action::Saved => {
                self.rooms.values_mut().for_each(|room| room.saved_seq = room.last_seq);
                self.sent().for_each(|message| message.is_saved = true);
            }
            Action::NotSaved => {
                self.rooms.values_mut().for_each(|room| room.last_seq = room.saved_seq);
                for user in self.users.values_mut() {
                    user.sent.retain(|message| message.is_saved);
                }
            }
            Action::Kick { user } => return self.kick(user, time),
            Action::Announce { text } => return self.announce(&text, time),
            Action::Erased { what, reach } => return self.erase(what, reach, time),
            #[cfg(feature = "cluster")]
            Action::NodeGone { node } => return self.lose_node(node, time),
        }
        Fate::Granted
    }

    #[cfg(feature = "cluster")]
    fn lose_node(&mut self, node: NodeId, time: u64) -> Fate {
        let links = self.users.iter().filter_map(|(id, user)| Some((user.link?, *id)));
        let lost: BTreeMap<Link, UserId> = links.filter(|(link, _)| link.node == node).collect();
        for id in lost.values() {
            self.disconnect(*id, false, time);
        }
        if lost.is_empty() { Fate::Ignored } else { Fate::Granted }
    }

    fn kick(&mut self, id: UserId, time: u64) -> Fate {
        let Some(user) = self.users.get_mut(&id) else { return Fate::Ignored };
        user.is_subscribed = false;
        if let Some(link) = user.link.take() {
            self.tell(link, Effect::Kicked { link });
        }
        self.leave_for_good(id, self.now, time);
        Fate::Granted
    }

    fn announce(&mut self, text: &str, time: u64) -> Fate {
        if check_lines(text, self.rules.max_text_chars).is_err() {
            return Fate::Ignored;
        }
        for link in self.users.values().filter_map(|user| user.link).collect::<Vec<_>>() {
            self.tell(link, Effect::Announce { text: text.into(), time });
        }
        Fate::Granted
    }

    fn erase(&mut self, what: Erasure, reach: Vec<(RoomId, u64)>, time: u64) -> Fate {
        for (id, up_to) in reach {
            let is_meant = match what {
                Erasure::Room(room) => room == id,
                Erasure::User(_) | Erasure::Before(_) => true,
            };
            let Some(room) = self.rooms.get_mut(&id).filter(|_| is_meant) else { continue };
            let up_to = up_to.min(room.saved_seq);
            if up_to > 0 {
                let erased = Erased { what, up_to, time };
                room.erasures.push(erased);
                self.tell_room(id, time, &Event::Erased(erased));
            }
        }
        Fate::Granted
    }

    fn sent(&mut self) -> impl Iterator<Item = &mut ModelMessage> {
        self.users.values_mut().flat_map(|user| &mut user.sent)
    }

    fn connect(
        &mut self,
        (link, source, version): (Link, Source, Version),
        offer: Option<ResumeOffer>,
        time: u64,
    ) -> Fate {
        if self.user_at(link).is_some() {
            return Fate::Ignored;
        }
        let found = self.user_of(offer.as_ref().and_then(|offer| offer.resumed));
        if found.is_none() && self.last_user >= self.reserved.user {
            return Fate::Refused(Effect::TurnedAway { link });
        }
        let resumed = found.is_some();
        let id = found.unwrap_or_else(|| self.add_user(source, offer.map(|offer| offer.fresh)));
        let user = self.users.get_mut(&id).unwrap();
        let is_outdated = user.link.is_some_and(|current| {
            current.node == link.node && current.connection > link.connection
        });
        if is_outdated {
            return Fate::Refused(Effect::Superseded { link });
        }
        (user.link, user.source, user.version) = (Some(link), source, version);
        (user.is_subscribed, user.away) = (false, None);
        let person = user.person(id);
        let (can_resume, room) = (user.key.is_some(), user.room);
        let welcome = Welcome { person, version, resumed, can_resume, room, time };
        self.tell(link, Effect::Connected { link, welcome });
        Fate::Granted
    }

    fn add_user(&mut self, source: Source, key: Option<ResumeKey>) -> UserId {
        self.last_user += 1;
        let id = UserId(self.last_user);
        let key = key.filter(|key| self.user_of(Some(*key)).is_none());
        self.users.insert(id, ModelUser::new(id, source, key));
        id
    }

    fn user_of(&self, key: Option<ResumeKey>) -> Option<UserId> {
        let key = Some(key?);
        self.users.iter().find(|(_, user)| user.key == key).map(|(id, _)| *id)
    }

    fn disconnect(&mut self, id: UserId, is_going_away: bool, time: u64) {
        let (now, rules) = (self.now, &self.rules);
        let is_short = is_going_away && rules.reload_grace < rules.resume_grace;
        let grace = if is_short { rules.reload_grace } else { rules.resume_grace };
        let user = self.users.get_mut(&id).unwrap();
        if user.key.is_none() {
            return self.leave_for_good(id, now, time);
        }
        let has_nothing =
            user.room.is_none() && user.name == format!("User {}", id.0) && user.sent.is_empty();
        (user.link, user.is_subscribed, user.away) =
            (None, false, Some((now + grace, has_nothing)));
        let away = self.users.iter().filter_map(|(id, user)| {
            let (until, has_nothing) = user.away?;
            Some((path(Some(user.source), id.0), (has_nothing, until, *id)))
        });
        let away: Vec<_> = away.collect();
        if self.rules.max_away == 0 {
            self.leave_for_good(id, now, time);
        } else if away.len() > self.rules.max_away {
            let all: Vec<_> = away.iter().map(|(path, _)| *path).collect();
            let (_, _, first) = first_to_lose(&all, &away, 0).unwrap();
            self.leave_for_good(first, now, time);
        }
        self.pass(now, time);
    }

    /// Of the users who are away, the one whose time is up first.
    fn next_to_leave(&self) -> Option<(Duration, UserId)> {
        self.users.iter().filter_map(|(id, user)| Some((user.away?.0, *id))).min()
    }

    fn leave_for_good(&mut self, id: UserId, at: Duration, time: u64) {
        let user = self.users.remove(&id).unwrap();
        if let Some(room) = user.room {
            self.tell_room(room, time, &Event::Left(user.person(id), None));
            self.begin_expiry(room, at);
        }
    }

    fn ask(&mut self, asker: &ModelAsker, request: Request) -> Result<(), Refusal> {
        match request {
            Request::EnterRoom(room) => self.enter(asker, room),
            Request::LeaveRoom(room) => {
                self.check_room(asker, room)?;
                self.leave(asker, asker.reference.clone())
            }
            Request::Say(content, room) => self.say(asker, content, room),
            Request::CreateRoom(title) => self.create(asker, &title),
            Request::ChangeName(name) => self.rename(asker, &name),
        }
    }

    fn say(
        &mut self,
        asker: &ModelAsker,
        content: Content,
        named: Option<RoomId>,
    ) -> Result<(), Refusal> {
        let (time, reference) = (asker.time, asker.reference.clone());
        let user = &self.users[&asker.id];
        let sent = user.find(&reference, |seq| seq > 0);
        if let Some(sent) = sent {
            if sent.is_saved && !self.is_kept(sent) {
                return Err(Refusal::AlreadySaid(sent.position));
            }
            let position = sent.position;
            self.tell(asker.link, Effect::Repeat { to: asker.id, position, reference });
            return Ok(());
        }
        self.check_room(asker, named)?;
        let room = user.room.ok_or(Refusal::NotInRoom)?;
        if let Content::Text(text) = &content {
            check_lines(text, self.rules.max_text_chars).map_err(Refusal::BadText)?;
        }
        let from = user.person(asker.id);
        let of_room = self.rooms.get_mut(&room).unwrap();
        of_room.last_seq += 1;
        let seq = of_room.last_seq;
        let user = self.users.get_mut(&asker.id).unwrap();
        if let (Some(reference), true) = (&reference, user.key.is_some()) {
            let (reference, position) = (reference.to_string(), Position { room, seq });
            user.sent.push(ModelMessage { reference, position, is_saved: false });
        }
        let answers = user.version == Version::V2 && !user.is_subscribed;
        let said = Said { seq, time, from, content, reference };
        self.tell_room(room, time, &Event::Said(said.clone()));
        if answers {
            self.tell(asker.link, asker.reply(Reply::Said(room, said)));
        }
        Ok(())
    }

    fn is_kept(&self, sent: &ModelMessage) -> bool {
        let Position { room, seq } = sent.position;
        let newer = self.rooms.get(&room).map(|room| room.last_seq - seq);
        newer.is_some_and(|newer| newer < self.rules.max_kept)
    }

    fn rename(&mut self, asker: &ModelAsker, name: &str) -> Result<(), Refusal> {
        let name = check_line(name, self.rules.max_name_chars).map_err(Refusal::BadName)?;
        let user = self.users.get_mut(&asker.id).unwrap();
        let old_name = std::mem::replace(&mut user.name, name.to_owned()).into();
        let (new_name, reference) = (name.into(), asker.reference.clone());
        let renaming = Renaming { user: asker.id, old_name, new_name, reference };
        let (room, answers) = (user.room, user.version == Version::V2 && !user.is_subscribed);
        if let Some(room) = room {
            self.tell_room(room, asker.time, &Event::Renamed(renaming.clone()));
        }
        if answers {
            self.tell(asker.link, asker.reply(Reply::Renamed(renaming)));
        }
        Ok(())
    }

    fn tell(&mut self, link: Link, effect: Effect) {
        self.heard.entry(link).or_default().push(effect);
    }

    fn tell_room(&mut self, room: RoomId, time: u64, event: &Event) {
        let hearing =
            self.users.values().filter(|user| user.room == Some(room) && user.is_subscribed);
        for link in hearing.filter_map(|user| user.link).collect::<Vec<_>>() {
            self.tell(link, Effect::Tell { room, time, event: event.clone() });
        }
    }
}

impl ModelUser {
    fn new(id: UserId, source: Source, key: Option<ResumeKey>) -> Self {
        let (name, version) = (format!("User {}", id.0), Version::Base);
        let (link, room, away, sent) = (None, None, None, Vec::new());
        Self { name, version, source, link, room, is_subscribed: false, key, away, sent }
    }

    pub(super) fn person(&self, id: UserId) -> Person {
        Person { id, name: self.name.as_str().into() }
    }

    /// What was sent with this reference, of the kind that `is_it` tells by the `seq`.
    fn find(&self, reference: &Reference, is_it: impl Fn(u64) -> bool) -> Option<&ModelMessage> {
        let reference = reference.as_deref()?;
        self.sent.iter().find(|it| it.reference == reference && is_it(it.position.seq))
    }
}

impl ModelAsker {
    fn reply(&self, reply: Reply) -> Effect {
        Effect::Reply { to: self.id, time: self.time, reply, reference: self.reference.clone() }
    }
}

fn check_length(text: &str, max_chars: usize) -> Result<(), Flaw> {
    if text.chars().all(char::is_whitespace) {
        Err(Flaw::Blank)
    } else if text.chars().count() > max_chars {
        Err(Flaw::TooLong { max_chars })
    } else {
        Ok(())
    }
}

/// A text. Of the control characters it may have tabs, and line breaks of Unix and of Windows.
fn check_lines(text: &str, max_chars: usize) -> Result<(), Flaw> {
    check_length(text, max_chars)?;
    let without_breaks = text.replace("\r\n", "").replace(['\n', '\t'], "");
    match without_breaks.chars().find(|c| c.is_control()) {
        Some(c) => Err(Flaw::ControlCharacter(c)),
        None => Ok(()),
    }
}

/// A name or a title, without the white space around it.
fn check_line(text: &str, max_chars: usize) -> Result<&str, Flaw> {
    let line = text.trim_matches(char::is_whitespace);
    check_length(line, max_chars)?;
    let breaks_it = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
    match line.chars().find(|c| breaks_it(*c)) {
        Some(c) => Err(Flaw::ControlCharacter(c)),
        None => Ok(line),
    }
}
