//! State that concerns one node alone: the subscribers of the list of rooms, what clients can take, who is
//! told who is away, and typing.
//!
//! Owns the encoded lists of rooms and of their users, when they are sent next, and the throttling of
//! `typing`. It learns of
//! changes from the chat's effects, and answers the requests that do not change the chat. The dispatcher's
//! thread runs it.

mod changes;
mod greeting;
mod mentions;
#[cfg(feature = "cluster")]
mod notices;
mod people;
mod room_rates;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::chat::{
    Chat, ConnectionId, Effect, Event, Link, MESSAGE_OVERHEAD_BYTES, NodeId, Refusal, Reply, Room,
    RoomChange, RoomId, UserId, Version,
};
#[cfg(feature = "cluster")]
use crate::log::Notice;
use crate::log::Now;
use crate::output::Output;
use crate::pace::Pace;
use crate::protocol::{
    LocalRequest, Outgoing, Reference, RoomList, RoomSnapshot, Since, rooms_frame, users_frame,
};
use crate::recall::{Lookup, Query};

use changes::Changes;
use mentions::Mentions;
use people::{People, previews, users_after};
use room_rates::RoomRates;

/// A user causes at most one typing event in this time.
const TYPING_INTERVAL: Duration = Duration::from_secs(2);

/// How many bytes of lists and their changes each client is sent in an interval, in the long run. One
/// client can change a thousand rooms at little cost, and a thousand clients have to read it.
const BYTES_PER_INTERVAL: usize = 16_384;
/// About how long the member `ref` is without its value.
const REFERENCE_MEMBER: usize = 10;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Lobby {
    node: NodeId,
    /// That of the history.
    epoch: Arc<str>,
    /// The longest frame for a client that has not said hello.
    max_frame_bytes: usize,
    /// The longest frame for each client that has said so.
    max_frames: HashMap<ConnectionId, usize>,
    /// What the welcome has said, for clients that have been told less than `max_frame_bytes`.
    welcomed: HashMap<ConnectionId, usize>,
    people: People,
    mentions: Mentions,
    /// Clients of the base protocol. They are sent the whole list when a room is added or removed.
    base_clients: BTreeSet<ConnectionId>,
    /// Clients of `wschat.v2` that have asked for the list. They are sent its changes.
    subscribers: BTreeSet<ConnectionId>,
    list_interval: Duration,
    /// The list has changed since it was last sent to the base clients.
    list_is_due: bool,
    /// When it may be sent to them again.
    list_not_before: Duration,
    /// Changes that have not been sent to the subscribers.
    changes: BTreeMap<RoomId, RoomChange>,
    /// When changes may be sent again.
    changes_not_before: Duration,
    /// The room whose change was sent last. The next ones go on from there, so that each gets its turn.
    last_change: RoomId,
    /// The encoded list for each version. `None` after a change.
    lists: [Option<EncodedList>; Version::COUNT],
    /// The earliest time of the next typing event from a connection.
    typing_not_before: HashMap<ConnectionId, Duration>,
    room_rates: RoomRates,
    /// What the last request tells the other nodes.
    #[cfg(feature = "cluster")]
    notice: Option<Notice>,
}

#[derive(Debug)]
struct EncodedList {
    rooms: RoomList,
    /// The whole frame, for requests without a reference.
    frame: Bytes,
}

impl Lobby {
    /// `list_interval` is the shortest time between two lists of rooms that are sent to all clients, and
    /// `max_frame_bytes` the length of the longest frame, as far as that is up to the server.
    pub(crate) fn new(
        node: NodeId,
        list_interval: Duration,
        epoch: Arc<str>,
        max_frame_bytes: usize,
    ) -> Self {
        Self {
            node,
            epoch,
            max_frame_bytes,
            max_frames: HashMap::new(),
            welcomed: HashMap::new(),
            people: People::default(),
            mentions: Mentions::default(),
            base_clients: BTreeSet::new(),
            subscribers: BTreeSet::new(),
            list_interval,
            list_is_due: false,
            list_not_before: Duration::ZERO,
            changes: BTreeMap::new(),
            changes_not_before: Duration::ZERO,
            last_change: RoomId(0),
            lists: [None, None],
            typing_not_before: HashMap::new(),
            room_rates: RoomRates::new(0.0),
            #[cfg(feature = "cluster")]
            notice: None,
        }
    }

    /// This counts from the last list on, not just from the next.
    pub(crate) fn set_list_interval(&mut self, interval: Duration) {
        for not_before in [&mut self.list_not_before, &mut self.changes_not_before] {
            *not_before = not_before.saturating_sub(self.list_interval) + interval;
        }
        self.list_interval = interval;
    }

    /// The length of the longest frame from now on. Those who are connected get none that is longer than
    /// their welcome has said.
    pub(crate) fn set_max_frame(
        &mut self,
        max_frame_bytes: usize,
        connected: impl Iterator<Item = ConnectionId>,
    ) {
        if max_frame_bytes > self.max_frame_bytes {
            for connection in connected {
                self.welcomed.entry(connection).or_insert(self.max_frame_bytes);
            }
        }
        self.welcomed.retain(|_, welcomed| *welcomed < max_frame_bytes);
        self.max_frame_bytes = max_frame_bytes;
    }

    /// What a room may be told; 0, as at first, is no limit. This counts from now on, for rooms with a full
    /// burst.
    pub(crate) fn set_room_rate(&mut self, bytes_per_second: f64) {
        self.room_rates.set_rate(bytes_per_second);
    }

    /// Counts what an author says to a room, or returns the time until the room may be told.
    pub(crate) fn may_say(
        &mut self,
        room: RoomId,
        author: &Pace,
        bytes: usize,
        now: Now,
    ) -> Result<(), Duration> {
        self.room_rates.take(room, author, bytes, now.at)
    }

    /// Counts what is said to a room elsewhere.
    pub(crate) fn charge(&mut self, room: RoomId, bytes: usize, now: Now) {
        self.room_rates.charge(room, bytes, now.at);
    }

    /// Updates the lobby with an effect of the chat.
    pub(crate) fn observe(&mut self, effect: &Effect, now: Now, chat: &Chat) {
        self.people.observe(effect);
        if let Some(room) = self.mentions.observe(effect, chat) {
            self.note_change(room, RoomChange::Messages);
        }
        match effect {
            // What is said has been counted before it was said.
            Effect::Tell { room, event, .. } if !matches!(event, Event::Said(_)) => {
                self.room_rates.charge(*room, MESSAGE_OVERHEAD_BYTES, now.at);
            }
            _ => {}
        }
        match effect {
            Effect::Connected { link, welcome } if welcome.version == Version::Base => {
                self.base_clients.insert(link.connection);
            }
            Effect::Tell { event: Event::Renamed(_), .. } => {
                // Only the base protocol's list has the names of members.
                self.lists[Version::Base.index()] = None;
            }
            Effect::RoomListChanged { room, change } => {
                self.lists[Version::V2.index()] = None;
                // Only the list of `wschat.v2` has the numbers of messages.
                if *change != RoomChange::Messages {
                    self.lists[Version::Base.index()] = None;
                }
                self.note_change(*room, *change);
            }
            _ => {}
        }
    }

    /// The messages of this tick are saved, or none of them.
    pub(crate) fn settle(&mut self, are_saved: bool) {
        self.mentions.settle(are_saved);
    }

    fn note_change(&mut self, room: RoomId, change: RoomChange) {
        self.list_is_due |= !matches!(change, RoomChange::Members | RoomChange::Messages);
        // Without subscribers nobody needs it: a new subscriber gets the whole list.
        if !self.subscribers.is_empty() {
            let noted = self.changes.entry(room).or_insert(change);
            // A later change of a room that was added is part of `Added`, which is encoded when it is
            // sent. A removal replaces it and is sent even then: a client that has asked for the list in
            // the meantime knows the room.
            if matches!(change, RoomChange::Added | RoomChange::Removed) {
                *noted = change;
            }
        }
    }

    /// The connection has ended.
    pub(crate) fn forget(&mut self, connection: ConnectionId, chat: &Chat) {
        self.mentions.forget(connection, chat);
        self.base_clients.remove(&connection);
        self.typing_not_before.remove(&connection);
        self.max_frames.remove(&connection);
        self.welcomed.remove(&connection);
        self.people.forget(connection);
        if self.subscribers.remove(&connection) && self.subscribers.is_empty() {
            self.changes.clear();
        }
    }

    /// When [`Lobby::announce`] has something to do, if nothing else happens before.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let presence = self.people.due_at(self.list_interval);
        [self.list_due_at(), self.changes_due_at(), presence].into_iter().flatten().min()
    }

    /// When the list is due to be sent to the base clients; `None` if they have it.
    fn list_due_at(&self) -> Option<Duration> {
        self.list_is_due.then_some(self.list_not_before)
    }

    /// When the changes are due to be sent to the subscribers; `None` if there are none.
    fn changes_due_at(&self) -> Option<Duration> {
        (!self.changes.is_empty()).then_some(self.changes_not_before)
    }

    /// Sends the list of rooms to the base clients, and its changes to the subscribers, if they are due.
    pub(crate) fn announce(&mut self, now: Now, chat: &Chat, outputs: &mut Vec<Output>) {
        let is_due = self.list_due_at().is_some_and(|due| due <= now.at);
        if is_due && std::mem::take(&mut self.list_is_due) && !self.base_clients.is_empty() {
            let frames = self.list(Version::Base, chat).frame.clone();
            let intervals = u32::try_from(frames.len().div_ceil(BYTES_PER_INTERVAL));
            self.list_not_before = now.at + self.list_interval * intervals.unwrap_or(u32::MAX);
            let to = self.base_clients.iter().copied().collect();
            outputs.push(Output::Send { to, frames });
        }
        if self.changes_due_at().is_some_and(|due| due <= now.at) {
            self.changes_not_before = now.at + self.list_interval;
            let mut changes = Changes::default();
            while changes.len() < BYTES_PER_INTERVAL
                && let Some(change) = self.take_change()
            {
                changes.add(change, chat, &self.mentions);
            }
            changes.send(&self.subscribers, outputs);
        }
        if self.people.due_at(self.list_interval).is_some_and(|due| due <= now.at) {
            self.people.tell(now, self.node, chat, outputs);
        }
    }

    /// What is to be read for a user who is shown a room with its messages up to `up_to`. `None` if the
    /// user is not connected to this node.
    pub(crate) fn show_room(
        &mut self,
        chat: &Chat,
        to: UserId,
        (id, up_to): (RoomId, u64),
        since: Option<Box<Since>>,
    ) -> Option<Lookup> {
        let link = chat.link_of(to).filter(|link| link.node == self.node)?;
        let (room, user) = (chat.room(id)?, chat.person(to)?);
        let (title, users) = (room.title().into(), self.people.list(id, chat));
        let snapshot = RoomSnapshot { id, title, users, user, seq: up_to };
        Some(Lookup::Room { snapshot, since, max_frame: self.max_frame(link.connection) })
    }

    fn max_frame(&self, connection: ConnectionId) -> usize {
        let max = self.max_frame_for(connection);
        self.max_frames.get(&connection).map_or(max, |hello| max.min(*hello))
    }

    /// The longest frame that this client may ask for.
    fn max_frame_for(&self, connection: ConnectionId) -> usize {
        self.welcomed
            .get(&connection)
            .map_or(self.max_frame_bytes, |welcomed| self.max_frame_bytes.min(*welcomed))
    }

    /// The next change to send, by the ids of the rooms in a circle.
    fn take_change(&mut self) -> Option<(RoomId, RoomChange)> {
        let after = (Bound::Excluded(self.last_change), Bound::Unbounded);
        let next = self.changes.range(after).next().or(self.changes.first_key_value());
        let id = *next?.0;
        let taken = self.changes.remove_entry(&id);
        self.last_change = if self.changes.is_empty() { RoomId(0) } else { id };
        taken
    }

    /// Answers a request that does not change the chat. A connection without a user gets no answer:
    /// another connection has replaced it.
    pub(crate) fn answer(
        &mut self,
        link: Link,
        request: LocalRequest,
        reference: Reference,
        now: Now,
        chat: &Chat,
        outputs: &mut Vec<Output>,
    ) {
        let Some((user, room)) = chat.user_at(link) else { return };
        let connection = link.connection;
        let refusal = match request {
            LocalRequest::ListRooms { after } => {
                outputs.push(self.list_rooms(connection, after, &reference, chat));
                return;
            }
            LocalRequest::History { room, .. } | LocalRequest::Users { room, .. }
                if chat.room(room).is_none() =>
            {
                Refusal::UnknownRoom(room)
            }
            LocalRequest::History { room, part, limit, max_bytes } => {
                let max_frame = self.max_frame(connection);
                let max_bytes = (max_bytes.unwrap_or(max_frame).min(max_frame), max_frame);
                let what = Lookup::Page { room, part, limit, max_bytes };
                outputs.push(Output::Query { to: user, query: Query { what, reference } });
                return;
            }
            LocalRequest::Users { room, after, limit } => {
                outputs.push(self.users(connection, room, (after, limit), &reference, chat));
                return;
            }
            LocalRequest::Previews(rooms) => {
                let (rooms, max_frame) = (previews(&rooms, chat), self.max_frame(connection));
                let what = Lookup::Previews { rooms, max_frame };
                outputs.push(Output::Query { to: user, query: Query { what, reference } });
                return;
            }
            LocalRequest::Typing(meant) => match (room, meant) {
                (_, Some(meant)) if room != Some(meant) => Refusal::NotInThisRoom(meant),
                (Some(room), _) => {
                    if let Some(person) = chat.person(user) {
                        self.tell_typing(link.connection, room, person, &reference, now, outputs);
                    }
                    return;
                }
                (None, _) => Refusal::NotInRoom,
            },
            LocalRequest::Hello(request) => {
                outputs.push(self.greet(link.connection, user, request, &reference, chat));
                return;
            }
        };
        let reply = Reply::Refused(refusal);
        let effect = Effect::Reply { to: user, time: now.time, reply, reference };
        outputs.push(Output::Effect(effect));
    }

    fn users(
        &self,
        connection: ConnectionId,
        id: RoomId,
        (after, limit): (UserId, usize),
        reference: &Reference,
        chat: &Chat,
    ) -> Output {
        let users = users_after(chat, id, after);
        let count = chat.room(id).map_or(0, Room::user_count);
        let (reference, max_frame) = (reference.as_deref(), self.max_frame(connection));
        let frames = users_frame(id, users, limit, count, reference, max_frame);
        Output::Send { to: vec![connection], frames }
    }

    fn list_rooms(
        &mut self,
        connection: ConnectionId,
        after: Option<RoomId>,
        reference: &Reference,
        chat: &Chat,
    ) -> Output {
        let (epoch, max_frame) = (self.epoch.clone(), self.max_frame(connection));
        let version = if self.base_clients.contains(&connection) {
            Version::Base
        } else {
            self.subscribers.insert(connection);
            let user = chat.user_at(Link { node: self.node, connection });
            let person = user.and_then(|(user, _)| chat.person(user));
            self.follow_mentions(connection, person.as_ref());
            Version::V2
        };
        let is_own = self.mentions.has_any(connection);
        let len = self.list(version, chat).frame.len();
        let reference = reference.as_deref();
        // The reference may be the last straw.
        let len = len + reference.map_or(0, |name| 6 * name.len() + REFERENCE_MEMBER);
        let frames = if version == Version::V2 && (after.is_some() || is_own || len > max_frame) {
            let after = after.unwrap_or(RoomId(0));
            let rooms = chat.rooms().filter(|(id, _)| *id > after);
            let rooms =
                rooms.map(|(id, room)| (room.summary(id), self.mentions.count(connection, id)));
            rooms_frame(rooms, &epoch, reference, max_frame)
        } else if reference.is_none() {
            self.list(version, chat).frame.clone()
        } else {
            let (rooms, epoch) = (&self.list(version, chat).rooms, &*epoch);
            version.frame(&Outgoing::RoomList { rooms, epoch, reference })
        };
        Output::Send { to: vec![connection], frames }
    }

    fn list(&mut self, version: Version, chat: &Chat) -> &EncodedList {
        self.lists[version.index()].get_or_insert_with(|| {
            let rooms = version.list_rooms(chat);
            let (epoch, reference) = (&*self.epoch, None);
            let frame = version.frame(&Outgoing::RoomList { rooms: &rooms, epoch, reference });
            EncodedList { rooms, frame }
        })
    }
}

#[cfg(test)]
impl Lobby {
    /// Whether nothing is known of any connection.
    pub(crate) fn knows_nobody(&self) -> bool {
        let is_known = !self.base_clients.is_empty() || !self.subscribers.is_empty();
        !is_known
            && self.max_frames.is_empty()
            && self.welcomed.is_empty()
            && self.people.knows_nobody()
            && self.mentions.knows_nobody()
            && self.changes.is_empty()
            && self.typing_not_before.is_empty()
    }
}

#[cfg(test)]
mod tests;
