//! The chat itself: rooms, users, and what a log entry does to them.
//!
//! Owns all users and rooms: which room each user is in, and which connection leads to which user. The
//! dispatcher's thread runs it; no other part of the server holds a room or a user. It is a closed state
//! machine: [`Chat::apply`] is its only mutator. It takes an [`Entry`], which includes the time, and returns
//! [`Effect`]s. There is no clock, no randomness, no I/O and no unordered map in here. The same entries in
//! the same order give the same state and the same effects on any machine. No entry makes it panic.
//!
//! State that concerns one node alone, such as subscriptions to the list of rooms and typing, is left to
//! `lobby`, the form of events on the wire to `protocol`, and their way to the clients to `delivery`.
//!
//! | file | subject |
//! |---|---|
//! | `entry.rs`, `effect.rs`, `ids.rs` | what goes in, what comes out, and the numbers in both |
//! | `arrivals.rs`, `resumption.rs` | connecting, resuming, being away, leaving for good |
//! | `rooms.rs`, `room.rs` | entering, leaving, creating and removing rooms |
//! | `source.rs`, `shares.rs` | the networks that clients come from, and which of them holds the most |
//! | `message.rs`, `talk.rs` | messages |
//! | `operator.rs`, `erasure.rs` | what the operator does: kicking, announcing, erasing |
//! | `references.rs` | recognising what is sent once more |
//! | `names.rs`, `wording.rs` | changing a name; the rules for names, titles and texts |
//! | `stored.rs`, `restore.rs` | what the history stores, and restoring the chat from it |
//! | `snapshot.rs`, `actions.rs`, `coding.rs` | the whole state and actions as bytes, and how values are written |

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

#[cfg(feature = "cluster")]
mod actions;
mod arrivals;
#[cfg(any(test, feature = "cluster"))]
mod coding;
mod effect;
mod entry;
mod erasure;
mod ids;
mod message;
mod names;
mod operator;
mod references;
mod restore;
mod resumption;
mod room;
mod rooms;
mod shares;
#[cfg(any(test, feature = "cluster"))]
mod snapshot;
mod source;
mod stored;
mod talk;
mod wording;

#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod property_test;
#[cfg(test)]
mod random_run;
#[cfg(test)]
mod replay_test;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "cluster")]
pub(crate) use coding::{ByteReader, ByteWriter, Malformed, Read, ensure};
pub(crate) use effect::{
    Effect, Event, Refusal, Renaming, Reply, RoomChange, RoomSummary, Welcome,
};
pub(crate) use entry::{Action, Entry, Request, ResumeOffer, Version};
pub(crate) use erasure::{Erased, Erasure};
pub(crate) use ids::{ConnectionId, EntryId, IdLimits, Link, NodeId, Position, RoomId, UserId};
pub(crate) use message::{Content, MESSAGE_OVERHEAD_BYTES, Person, Reference, Said};
#[cfg(feature = "sqlite")]
pub(crate) use references::MIN_REFERENCES;
pub(crate) use references::{REFERENCE_BYTES, ReferenceHash};
pub(crate) use room::Room;
pub(crate) use shares::{Owner, Shares};
#[cfg(feature = "cluster")]
pub(crate) use snapshot::MalformedSnapshot;
pub(crate) use source::{Network, Source};
pub(crate) use stored::{Memo, ResumeKey, Stored, StoredReference, StoredRoom, StoredUser};
pub(crate) use wording::{Flaw, check_label, check_text};

use references::{ReferenceCounts, References};
use resumption::{AwayRank, Resumption};
use talk::Unsaved;

/// What the chat allows. Lengths are in characters (Unicode scalar values).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Titles of the permanent rooms. On a new chat they get the ids 1, 2, 3 …
    pub(crate) rooms: Vec<String>,
    /// How many rooms there may be, the permanent ones included; 0 is no limit.
    pub(crate) max_rooms: usize,
    pub(crate) max_name_chars: usize,
    pub(crate) max_title_chars: usize,
    pub(crate) max_text_chars: usize,
    /// How long a room that a user created stays when nobody is in it.
    pub(crate) empty_room_ttl: Duration,
    /// How long a user who has lost the connection may take to resume.
    pub(crate) resume_grace: Duration,
    /// At most how long it may take if it said that it was going away: a page is loaded again at once, or
    /// not at all.
    pub(crate) reload_grace: Duration,
    /// How many users may be away at once. With each one above this, one leaves: of the heaviest source,
    /// first one who would lose nothing, otherwise the one whose grace period ends last.
    pub(crate) max_away: usize,
    /// How many messages are kept for each room.
    pub(crate) max_kept: u64,
    /// How many references of all users together are remembered. Above this, whoever has most loses the
    /// oldest one.
    pub(crate) max_references: usize,
}

#[cfg(any(test, feature = "bench"))]
impl Rules {
    /// For tests and benchmarks: these rooms, limits that nobody meets, and nobody can resume.
    pub(crate) fn sample(rooms: &[&str]) -> Self {
        Self {
            rooms: rooms.iter().copied().map(str::to_owned).collect(),
            max_rooms: 0,
            max_name_chars: 100,
            max_title_chars: 100,
            max_text_chars: 100_000,
            empty_room_ttl: Duration::from_secs(10),
            resume_grace: Duration::ZERO,
            reload_grace: Duration::MAX,
            max_away: 0,
            max_kept: 10_000,
            max_references: usize::MAX,
        }
    }
}

/// All users who are connected or can resume, and all rooms.
#[derive(Debug, PartialEq)]
pub(crate) struct Chat {
    rules: Rules,
    /// The entry that was applied last.
    last_entry: EntryId,
    /// The latest time of an entry.
    now: Duration,
    users: BTreeMap<UserId, User>,
    last_user: u64,
    links: BTreeMap<Link, UserId>,
    resumable: BTreeMap<ResumeKey, UserId>,
    reference_counts: ReferenceCounts,
    /// Users without a connection, by the time at which they leave.
    away: BTreeSet<(Duration, UserId)>,
    /// The same users, by the sources that they came from. The first to leave is the greatest.
    away_shares: Shares<AwayRank>,
    rooms: BTreeMap<RoomId, Room>,
    last_room: u64,
    /// No id above these is handed out.
    reserved: IdLimits,
    /// Empty temporary rooms, by the time at which they are removed.
    expiries: BTreeSet<(Duration, RoomId)>,
    /// Temporary rooms, by the sources that their creators came from. Empty ones are spare.
    room_shares: Shares<RoomId>,
    /// Messages since the last [`Action::Saved`] or [`Action::NotSaved`].
    unsaved: Vec<Unsaved>,
}

#[derive(Debug, PartialEq)]
struct User {
    name: Arc<str>,
    version: Version,
    /// Where the user connected from the last time; `None`: before a restart.
    source: Option<Source>,
    /// `None` while the user is away.
    link: Option<Link>,
    room: Option<RoomId>,
    /// Gets the room's events. A user who has resumed does not, until it enters the room again.
    is_subscribed: bool,
    /// `None`: the user leaves when the connection ends.
    resumption: Option<Box<Resumption>>,
}

/// Where a user is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presence<'a> {
    pub(crate) id: UserId,
    pub(crate) name: &'a str,
    /// Where the user connected from the last time; `None`: before a restart.
    pub(crate) source: Option<Source>,
    /// `None` while the user is away.
    pub(crate) link: Option<Link>,
    pub(crate) room: Option<RoomId>,
}

/// A client that connects.
#[derive(Clone, Copy)]
struct Arriving {
    link: Link,
    source: Source,
    version: Version,
}

/// The author of a request.
struct Asker {
    user: UserId,
    room: Option<RoomId>,
    /// Unix time in milliseconds.
    time: u64,
    reference: Reference,
}

impl Chat {
    /// Applies one entry and appends its effects.
    ///
    /// What is due by the entry's time happens first.
    pub(crate) fn apply(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        let Entry { id, at, time, action } = entry;
        self.last_entry = id;
        self.now = self.now.max(at);
        self.expire(time, effects);
        match action {
            Action::Connect { link, source, version, resume } => {
                let arriving = Arriving { link, source, version };
                self.connect(arriving, resume.as_deref(), time, effects);
            }
            Action::Ask { link, request, reference } => {
                self.ask(link, request, time, reference, effects);
            }
            Action::Disconnect { link, is_going_away } => {
                self.disconnect(link, is_going_away, time, effects);
            }
            Action::Wait => {}
            Action::SetRules(rules) => self.set_rules(*rules, effects),
            Action::Reserved(limits) => self.reserve(limits, effects),
            Action::Saved => self.mark_saved(effects),
            Action::NotSaved => self.take_back_unsaved(),
            Action::Kick { user } => self.kick(user, time, effects),
            Action::Announce { text } => self.announce(text, time, effects),
            Action::Erased { what, reach } => self.note_erased(what, &reach, time, effects),
            #[cfg(feature = "cluster")]
            Action::NodeGone { node } => self.lose_node(node, time, effects),
        }
    }

    /// When [`Action::Wait`] has something to do, if nothing else happens before.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let removal = self.expiries.first().map(|(at, _)| *at);
        let leaving = self.away.first().map(|(at, _)| *at);
        [removal, leaving].into_iter().flatten().min()
    }

    /// All users, by id.
    pub(crate) fn users(&self) -> impl Iterator<Item = Presence<'_>> {
        self.users.iter().map(|(id, user)| {
            let User { name, source, link, room, .. } = user;
            Presence { id: *id, name, source: *source, link: *link, room: *room }
        })
    }

    /// All rooms, by id.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = (RoomId, &Room)> {
        self.rooms.iter().map(|(id, room)| (*id, room))
    }

    /// The room of this id, if there is one.
    pub(crate) fn room(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id)
    }

    /// The members of `room` with their names, by id.
    pub(crate) fn members<'a>(&'a self, room: &'a Room) -> impl Iterator<Item = (UserId, &'a str)> {
        room.members.iter().filter_map(|id| Some((*id, &*self.users.get(id)?.name)))
    }

    /// The members of `room` with higher ids than `after`: each with its name, and whether it is away.
    pub(crate) fn members_after<'a>(
        &'a self,
        room: &'a Room,
        after: UserId,
    ) -> impl Iterator<Item = (UserId, &'a str, bool)> {
        room.members.range((Bound::Excluded(after), Bound::Unbounded)).filter_map(|id| {
            let user = self.users.get(id)?;
            Some((*id, &*user.name, user.link.is_none()))
        })
    }

    /// Whether the user is a member of `room`, and then whether it is away.
    pub(crate) fn is_away(&self, id: UserId, room: RoomId) -> Option<bool> {
        let user = self.users.get(&id).filter(|user| user.room == Some(room))?;
        Some(user.link.is_none())
    }

    /// The room whose events this connection gets.
    pub(crate) fn heard_at(&self, link: Link) -> Option<RoomId> {
        let user = self.users.get(self.links.get(&link)?)?;
        user.room.filter(|_| user.is_subscribed)
    }

    /// The connection that leads to the user, unless it is away.
    pub(crate) fn link_of(&self, id: UserId) -> Option<Link> {
        self.users.get(&id)?.link
    }

    /// The user as others see them.
    pub(crate) fn person(&self, id: UserId) -> Option<Person> {
        Some(Person { id, name: self.users.get(&id)?.name.clone() })
    }

    /// The user that a connection leads to, and the room that the user is in.
    pub(crate) fn user_at(&self, link: Link) -> Option<(UserId, Option<RoomId>)> {
        let id = *self.links.get(&link)?;
        Some((id, self.users.get(&id)?.room))
    }

    /// Whether there is a user to be resumed with this key.
    pub(crate) fn can_resume(&self, key: &ResumeKey) -> bool {
        self.resumable.contains_key(key)
    }

    /// What is allowed at present.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many users are connected to each node.
    #[cfg(feature = "cluster")]
    pub(crate) fn connected_by_node(&self) -> BTreeMap<NodeId, u64> {
        let mut counts = BTreeMap::new();
        for link in self.links.keys() {
            *counts.entry(link.node).or_insert(0) += 1;
        }
        counts
    }

    /// The highest ids so far.
    pub(crate) fn last_ids(&self) -> IdLimits {
        IdLimits { user: self.last_user, room: self.last_room }
    }

    /// The `seq` of the last message in a room; 0 if there is none, or no such room.
    pub(crate) fn last_seq(&self, room: RoomId) -> u64 {
        self.rooms.get(&room).map_or(0, |room| room.last_seq)
    }

    /// Does what is due: users who stayed away leave, and empty rooms are removed.
    fn expire(&mut self, time: u64, effects: &mut Vec<Effect>) {
        while let Some(&(due, user)) = self.away.first()
            && due <= self.now
        {
            self.away.pop_first();
            // The user's room counts as left at that time, even if this runs later.
            self.leave_for_good(user, due, time, effects);
        }
        self.remove_expired_rooms(effects);
    }

    fn ask(
        &mut self,
        link: Link,
        request: Request,
        time: u64,
        reference: Reference,
        effects: &mut Vec<Effect>,
    ) {
        let Some((user, room)) = self.user_at(link) else { return };
        let asker = Asker { user, room, time, reference };
        let granted = match request {
            Request::EnterRoom(target) => self.enter_room(&asker, target, effects),
            Request::LeaveRoom(room) => self.leave_room(&asker, room, effects),
            Request::Say(content, room) => self.say(&asker, content, room, effects),
            Request::CreateRoom(title) => self.create_room(&asker, &title, effects),
            Request::ChangeName(name) => self.change_name(&asker, &name, effects),
        };
        if let Err(refusal) = granted {
            effects.push(asker.reply(Reply::Refused(refusal)));
        }
    }

    /// Stores the user's present name and room, if the user can resume.
    fn store_user(&self, id: UserId, effects: &mut Vec<Effect>) {
        if let Some(user) = self.users.get(&id)
            && let Some(resumption) = &user.resumption
        {
            let (name, room) = (user.name.clone(), user.room);
            let user = StoredUser { user: id, key: resumption.key, name, room };
            effects.push(Effect::Store(Memo::User(user)));
        }
    }
}

impl User {
    /// `None` for a user who cannot resume, and so never repeats anything.
    fn references(&mut self) -> Option<&mut References> {
        self.resumption.as_mut().map(|resumption| &mut resumption.references)
    }
}

impl Position {
    /// Whether the message, or the room, can still be shown.
    fn is_kept(self, rooms: &BTreeMap<RoomId, Room>, max_kept: u64) -> bool {
        let Some(room) = rooms.get(&self.room) else { return false };
        self.seq == 0 || self.seq.saturating_add(max_kept) > room.last_seq
    }
}

impl Asker {
    /// The room that the author is in. Refused if the request is meant for another one.
    fn room_in(&self, meant: Option<RoomId>) -> Result<RoomId, Refusal> {
        match (self.room, meant) {
            (Some(room), None) => Ok(room),
            (Some(room), Some(meant)) if room == meant => Ok(room),
            (_, Some(meant)) => Err(Refusal::NotInThisRoom(meant)),
            (None, None) => Err(Refusal::NotInRoom),
        }
    }

    fn reply(&self, reply: Reply) -> Effect {
        let (to, time, reference) = (self.user, self.time, self.reference.clone());
        Effect::Reply { to, time, reply, reference }
    }
}
