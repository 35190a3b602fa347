//! What concerns one node alone: who follows the list of rooms, and who is typing.
//!
//! Owns the lists of rooms as they were encoded last, their pacing, and the pacing of `typing`. It learns of
//! changes from the chat's effects, and answers the requests that change nothing for others. The
//! dispatcher's thread runs it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::chat::{
    Chat, ConnectionId, Effect, Event, Link, Refusal, Reply, RoomChange, RoomId, Version,
};
use crate::log::Now;
use crate::output::Output;
use crate::protocol::{LocalRequest, Outgoing, Reference, RoomList, RoomListChange};
use crate::recall::{Lookup, Query};

/// A user causes at most one typing event in this time.
const TYPING_INTERVAL: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Lobby {
    /// Clients of the base protocol. They are sent the whole list when a room is added or removed.
    base_clients: BTreeSet<ConnectionId>,
    /// Clients of `wschat.v2` that have asked for the list. They are sent its changes.
    followers: BTreeSet<ConnectionId>,
    list_interval: Duration,
    /// The base clients have not been sent the present list.
    list_is_due: bool,
    /// Before this time it is not sent.
    list_not_before: Duration,
    /// What the followers have not been told.
    changes: BTreeMap<RoomId, RoomChange>,
    /// Before this time they are not told.
    changes_not_before: Duration,
    /// The list of rooms for each version, until it changes.
    lists: [Option<EncodedList>; Version::COUNT],
    /// Before this time the user of a connection causes no typing event.
    typing_not_before: HashMap<ConnectionId, Duration>,
}

#[derive(Debug)]
struct EncodedList {
    rooms: RoomList,
    /// The whole frame, for requests without a reference.
    frame: Bytes,
}

impl Lobby {
    /// After the list of rooms was sent to all, the next is sent after `list_interval`.
    pub(crate) fn new(list_interval: Duration) -> Self {
        Self {
            base_clients: BTreeSet::new(),
            followers: BTreeSet::new(),
            list_interval,
            list_is_due: false,
            list_not_before: Duration::ZERO,
            changes: BTreeMap::new(),
            changes_not_before: Duration::ZERO,
            lists: [None, None],
            typing_not_before: HashMap::new(),
        }
    }

    pub(crate) fn set_list_interval(&mut self, interval: Duration) {
        self.list_interval = interval;
    }

    /// Takes note of an effect of the chat.
    pub(crate) fn observe(&mut self, effect: &Effect) {
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

    fn note_change(&mut self, room: RoomId, change: RoomChange) {
        self.list_is_due |= !matches!(change, RoomChange::Members | RoomChange::Messages);
        // Without followers there is nobody to be told later.
        if !self.followers.is_empty() {
            let noted = self.changes.entry(room).or_insert(change);
            // A client that does not know a room need not hear that it has changed. One that asked for
            // the list in between does know it, so a removal is told in any case.
            if matches!(change, RoomChange::Added | RoomChange::Removed) {
                *noted = change;
            }
        }
    }

    /// The connection has ended.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.base_clients.remove(&connection);
        self.typing_not_before.remove(&connection);
        if self.followers.remove(&connection) && self.followers.is_empty() {
            self.changes.clear();
        }
    }

    /// When [`Lobby::announce`] has something to do, if nothing else happens before.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let list = self.list_is_due.then_some(self.list_not_before);
        let changes = (!self.changes.is_empty()).then_some(self.changes_not_before);
        [list, changes].into_iter().flatten().min()
    }

    /// Sends the list of rooms, and its changes, to those who are due to get it.
    pub(crate) fn announce(&mut self, now: Now, chat: &Chat, outputs: &mut Vec<Output>) {
        if self.list_is_due && self.list_not_before <= now.at {
            self.list_is_due = false;
            self.list_not_before = now.at + self.list_interval;
            let frames = self.list(Version::Base, chat).frame.clone();
            let to = self.base_clients.iter().copied().collect();
            outputs.push(Output::Send { to, frames });
        }
        if !self.changes.is_empty() && self.changes_not_before <= now.at {
            self.changes_not_before = now.at + self.list_interval;
            let mut frames = BytesMut::new();
            for (id, change) in std::mem::take(&mut self.changes) {
                let change = shown_change(id, change, chat);
                Version::V2.encode(&Outgoing::RoomListChange(&change), &mut frames);
            }
            let to = self.followers.iter().copied().collect();
            outputs.push(Output::Send { to, frames: frames.freeze() });
        }
    }

    /// Answers a request that changes nothing for others. That of a connection without a user is ignored:
    /// another connection has taken its place.
    pub(crate) fn answer(
        &mut self,
        link: Link,
        (request, reference): (LocalRequest, Reference),
        now: Now,
        chat: &Chat,
        outputs: &mut Vec<Output>,
    ) {
        let Some((user, room)) = chat.user_at(link) else { return };
        let refusal = match request {
            LocalRequest::ListRooms => {
                outputs.push(self.list_rooms(link.connection, &reference, chat));
                return;
            }
            LocalRequest::History { room, before, limit } if chat.room(room).is_some() => {
                let what = Lookup::Page { room, before, limit };
                outputs.push(Output::Query { to: user, query: Query { what, reference } });
                return;
            }
            LocalRequest::History { room, .. } => Refusal::UnknownRoom(room),
            LocalRequest::Typing => match (room, chat.person(user)) {
                (Some(room), Some(person)) => {
                    if self.may_tell_typing(link.connection, now.at) {
                        let (from, time) = (link.connection, now.time);
                        outputs.push(Output::Typing { room, from, person, time });
                    }
                    return;
                }
                _ => Refusal::NotInRoom,
            },
        };
        let reply = Reply::Refused(refusal);
        let effect = Effect::Reply { to: user, time: now.time, reply, reference };
        outputs.push(Output::Effect(effect));
    }

    fn list_rooms(
        &mut self,
        connection: ConnectionId,
        reference: &Reference,
        chat: &Chat,
    ) -> Output {
        let version = if self.base_clients.contains(&connection) {
            Version::Base
        } else {
            self.followers.insert(connection);
            Version::V2
        };
        let list = self.list(version, chat);
        let frames = match reference.as_deref() {
            None => list.frame.clone(),
            reference => version.frame(&Outgoing::RoomList { rooms: &list.rooms, reference }),
        };
        Output::Send { to: vec![connection], frames }
    }

    fn list(&mut self, version: Version, chat: &Chat) -> &EncodedList {
        self.lists[version.index()].get_or_insert_with(|| {
            let rooms = version.list_rooms(chat);
            let frame = version.frame(&Outgoing::RoomList { rooms: &rooms, reference: None });
            EncodedList { rooms, frame }
        })
    }

    fn may_tell_typing(&mut self, connection: ConnectionId, at: Duration) -> bool {
        let not_before = self.typing_not_before.entry(connection).or_default();
        let may = *not_before <= at;
        if may {
            *not_before = at + TYPING_INTERVAL;
        }
        may
    }
}

#[cfg(test)]
impl Lobby {
    /// Whether nothing is known of any connection.
    pub(crate) fn knows_nobody(&self) -> bool {
        let follows = !self.base_clients.is_empty() || !self.followers.is_empty();
        !follows && self.changes.is_empty() && self.typing_not_before.is_empty()
    }
}

/// The change as it is told now.
fn shown_change(id: RoomId, change: RoomChange, chat: &Chat) -> RoomListChange {
    match (change, chat.room(id)) {
        (RoomChange::Removed, _) | (_, None) => RoomListChange::Removed(id),
        (RoomChange::Added, Some(room)) => RoomListChange::Added(room.summary(id)),
        (_, Some(room)) => RoomListChange::Updated(room.summary(id)),
    }
}

#[cfg(test)]
mod tests;
