//! The users of rooms: their encoded lists, and who is away.
//!
//! The dispatcher's thread runs it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::chat::{
    Chat, ConnectionId, Effect, Event, Link, NodeId, Room, RoomChange, RoomId, UserId,
};
use crate::log::Now;
use crate::output::Output;
use crate::protocol::{
    Outgoing, PREVIEW_USERS, RoomPreview, USERS_MAX_PAGE, UserEntry, UserList, Version,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct People {
    /// The first users of rooms. A list is dropped when it is no longer true, and made again when somebody
    /// is shown the room.
    lists: HashMap<RoomId, Arc<UserList>>,
    /// Clients that want to be told who is away.
    followers: BTreeSet<ConnectionId>,
    /// Users who were away or came back since the followers were last told, and whether each was away
    /// before that.
    changes: BTreeMap<RoomId, BTreeMap<UserId, bool>>,
    /// When the followers were last told.
    told_at: Option<Duration>,
}

impl People {
    pub(super) fn observe(&mut self, effect: &Effect) {
        match effect {
            Effect::RoomListChanged { room, change } => {
                if matches!(change, RoomChange::Members | RoomChange::Removed) {
                    self.lists.remove(room);
                }
            }
            Effect::Tell { room, event: Event::Renamed(it), .. } => self.drop_list(*room, it.user),
            Effect::PresenceChanged { room, user, is_away } => {
                self.drop_list(*room, *user);
                if !self.followers.is_empty() {
                    let of_room = self.changes.entry(*room).or_default();
                    of_room.entry(*user).or_insert(!is_away);
                }
            }
            _ => {}
        }
    }

    /// Something is different about a user. Most members of a big room are in no list.
    fn drop_list(&mut self, room: RoomId, user: UserId) {
        if self.lists.get(&room).is_some_and(|list| list.has(user)) {
            self.lists.remove(&room);
        }
    }

    /// The first users of a room, encoded.
    pub(super) fn list(&mut self, id: RoomId, chat: &Chat) -> Arc<UserList> {
        let make = || {
            let room = chat.room(id);
            let first = users_after(chat, id, UserId(0)).take(USERS_MAX_PAGE);
            Arc::new(UserList::new(first, room.map_or(0, Room::user_count)))
        };
        self.lists.entry(id).or_insert_with(make).clone()
    }

    /// From now on the client is told who is away, or is not.
    pub(super) fn follow(&mut self, connection: ConnectionId, wants: bool) {
        if wants {
            self.followers.insert(connection);
        } else {
            self.forget(connection);
        }
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        if self.followers.remove(&connection) && self.followers.is_empty() {
            self.changes.clear();
        }
    }

    /// When the followers are due to be told; `None` if there is nothing to tell.
    pub(super) fn due_at(&self, interval: Duration) -> Option<Duration> {
        let due_at = || self.told_at.map_or(Duration::ZERO, |at| at + interval);
        (!self.changes.is_empty()).then(due_at)
    }

    /// Tells the followers in each room what is different there.
    pub(super) fn tell(&mut self, now: Now, node: NodeId, chat: &Chat, outputs: &mut Vec<Output>) {
        self.told_at = Some(now.at);
        let changes = std::mem::take(&mut self.changes);
        let mut to: BTreeMap<RoomId, Vec<ConnectionId>> = BTreeMap::new();
        for &connection in &self.followers {
            if let Some(room) = chat.heard_at(Link { node, connection })
                && changes.contains_key(&room)
            {
                to.entry(room).or_default().push(connection);
            }
        }
        for (room, to) in to {
            let users = changes.get(&room).into_iter().flatten().filter_map(|(user, was_away)| {
                // Who has left is not a member, and who is back as before has missed nothing.
                let is_away = chat.is_away(*user, room)?;
                (is_away != *was_away).then_some((*user, is_away))
            });
            let users: Vec<_> = users.collect();
            if !users.is_empty() {
                let outgoing = Outgoing::Presence { room, time: now.time, users: &users };
                outputs.push(Output::Send { to, frames: Version::V2.frame(&outgoing) });
            }
        }
    }

    #[cfg(test)]
    pub(super) fn knows_nobody(&self) -> bool {
        self.followers.is_empty() && self.changes.is_empty()
    }
}

/// What is known here of these rooms, those that there are.
pub(super) fn previews(rooms: &[RoomId], chat: &Chat) -> Vec<RoomPreview> {
    let preview = |&id: &RoomId| {
        let count = chat.room(id)?.user_count();
        let users = UserList::new(users_after(chat, id, UserId(0)).take(PREVIEW_USERS), count);
        Some(RoomPreview { id, users, seq: chat.last_seq(id) })
    };
    rooms.iter().filter_map(preview).collect()
}

/// The users of a room with higher ids than `after`.
pub(super) fn users_after(
    chat: &Chat,
    room: RoomId,
    after: UserId,
) -> impl Iterator<Item = UserEntry<'_>> {
    let members = chat.room(room).into_iter().flat_map(move |room| chat.members_after(room, after));
    members.map(|(id, name, away)| UserEntry { id: id.0, name, away })
}
