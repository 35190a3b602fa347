//! How many messages of each room have mentioned the users who follow the list of rooms and want to know it.
//!
//! A count is of messages since the user was last in the room, or began to follow. It outlives the connection,
//! and goes with the user or the room: so there are at most as many counts as such users times rooms. A message
//! counts once it is saved. The dispatcher's thread runs it.

mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::chat::{
    Chat, ConnectionId, Content, Effect, Erasure, Event, Memo, Person, Reply, RoomChange, RoomId,
    Said, UserId,
};

use names::Names;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// Clients that have said hello with the feature, and their users.
    wanted_by: HashMap<ConnectionId, UserId>,
    followers: HashMap<UserId, Follower>,
    names: Names,
    /// Never 0.
    counts: BTreeMap<(RoomId, UserId), u64>,
    /// Who is mentioned in messages that have not been saved yet.
    unsaved: Vec<(RoomId, UserId)>,
}

/// A user whose mentions are counted.
#[derive(Debug)]
struct Follower {
    name: Arc<str>,
    /// The client that follows, unless it is gone.
    connection: Option<ConnectionId>,
    /// Those with a count.
    rooms: BTreeSet<RoomId>,
}

impl Mentions {
    /// Updates the counts with an effect of the chat. Returns the room whose counts are gone although the room is
    /// not.
    pub(super) fn observe(&mut self, effect: &Effect, chat: &Chat) -> Option<RoomId> {
        if self.followers.is_empty() {
            return None;
        }
        match effect {
            Effect::Tell { room, event: Event::Said(said), .. } => self.note(*room, said, chat),
            Effect::Tell { event: Event::Renamed(it), .. }
            | Effect::Reply { reply: Reply::Renamed(it), .. } => self.rename(it.user, &it.new_name),
            Effect::Subscribe { user, room } => self.see(*user, *room),
            Effect::Store(Memo::UserGone(user)) => {
                self.drop_user(*user);
            }
            Effect::RoomListChanged { room, change: RoomChange::Removed } => {
                self.drop_room(*room);
            }
            Effect::Tell { room, event: Event::Erased(erased), .. }
                if matches!(erased.what, Erasure::Room(_)) =>
            {
                return self.drop_room(*room).then_some(*room);
            }
            _ => {}
        }
        None
    }

    /// Notes whom a message mentions, except its author and those who are in the room.
    fn note(&mut self, room: RoomId, said: &Said, chat: &Chat) {
        let Content::Text(text) = &said.content else { return };
        // Few texts have one, and this is fast.
        if self.names.is_empty() || !text.as_bytes().contains(&b'@') {
            return;
        }
        for user in self.names.mentioned(text) {
            if user != said.from.id && chat.is_away(user, room).is_none() {
                self.unsaved.push((room, user));
            }
        }
    }

    /// What was noted is saved and counts; or it is not, and was said to nobody.
    pub(super) fn settle(&mut self, is_saved: bool) {
        for (room, user) in self.unsaved.drain(..).filter(|_| is_saved) {
            if let Some(follower) = self.followers.get_mut(&user) {
                follower.rooms.insert(room);
                let count = self.counts.entry((room, user)).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// The client wants to know, or does not. Returns whether its user no longer follows.
    pub(super) fn want(&mut self, connection: ConnectionId, user: UserId, wants: bool) -> bool {
        if wants {
            self.wanted_by.insert(connection, user);
            return false;
        }
        self.wanted_by.remove(&connection);
        self.drop_user(user)
    }

    /// The client follows the list of rooms: from now on the mentions of its user are counted, if it wants to
    /// know them. Returns whether they were not counted before.
    pub(super) fn follow(&mut self, connection: ConnectionId, person: Option<&Person>) -> bool {
        let wants = self.wanted_by.contains_key(&connection);
        let Some(person) = person.filter(|_| wants) else { return false };
        let before = self.followers.len();
        self.follower(person).connection = Some(connection);
        self.followers.len() > before
    }

    /// The mentions of a user who is connected to another node are counted from now on.
    #[cfg(feature = "cluster")]
    pub(super) fn count_for(&mut self, person: &Person) {
        self.follower(person);
    }

    fn follower(&mut self, Person { id, name }: &Person) -> &mut Follower {
        self.followers.entry(*id).or_insert_with(|| {
            self.names.add(name, *id);
            Follower { name: name.clone(), connection: None, rooms: BTreeSet::new() }
        })
    }

    /// The connection has ended. Its user may come back, if there still is one.
    pub(super) fn forget(&mut self, connection: ConnectionId, chat: &Chat) {
        let Some(user) = self.wanted_by.remove(&connection) else { return };
        if chat.person(user).is_none() {
            self.drop_user(user);
        } else if let Some(follower) = self.followers.get_mut(&user)
            && follower.connection == Some(connection)
        {
            follower.connection = None;
        }
    }

    /// How many messages of this room have mentioned the client's user.
    pub(super) fn count(&self, connection: ConnectionId, room: RoomId) -> u64 {
        let user = self.wanted_by.get(&connection);
        user.and_then(|user| self.counts.get(&(room, *user))).copied().unwrap_or(0)
    }

    /// Whether the client's user has been mentioned in any room.
    pub(super) fn has_any(&self, connection: ConnectionId) -> bool {
        let follower = self.wanted_by.get(&connection).and_then(|user| self.followers.get(user));
        follower.is_some_and(|follower| !follower.rooms.is_empty())
    }

    /// The clients whose users have been mentioned in this room, and how often.
    pub(super) fn in_room(&self, room: RoomId) -> impl Iterator<Item = (ConnectionId, u64)> {
        let counts = self.counts.range((room, UserId(0))..=(room, UserId(u64::MAX)));
        counts
            .filter_map(|((_, user), count)| Some((self.followers.get(user)?.connection?, *count)))
    }

    fn rename(&mut self, user: UserId, name: &Arc<str>) {
        if let Some(follower) = self.followers.get_mut(&user) {
            let before = std::mem::replace(&mut follower.name, name.clone());
            self.names.remove(&before, user);
            self.names.add(name, user);
        }
    }

    /// The user is in the room.
    fn see(&mut self, user: UserId, room: RoomId) {
        self.unsaved.retain(|noted| *noted != (room, user));
        if let Some(follower) = self.followers.get_mut(&user)
            && follower.rooms.remove(&room)
        {
            self.counts.remove(&(room, user));
        }
    }

    /// Returns whether the user's mentions were counted.
    pub(super) fn drop_user(&mut self, user: UserId) -> bool {
        let Some(follower) = self.followers.remove(&user) else { return false };
        self.names.remove(&follower.name, user);
        for room in follower.rooms {
            self.counts.remove(&(room, user));
        }
        true
    }

    /// Returns whether it had a count.
    fn drop_room(&mut self, room: RoomId) -> bool {
        self.unsaved.retain(|(noted, _)| *noted != room);
        let of_room = (room, UserId(0))..=(room, UserId(u64::MAX));
        let users: Vec<UserId> = self.counts.range(of_room).map(|((_, user), _)| *user).collect();
        for user in &users {
            self.see(*user, room);
        }
        !users.is_empty()
    }

    #[cfg(test)]
    pub(super) fn knows_nobody(&self) -> bool {
        self.wanted_by.is_empty()
            && self.followers.is_empty()
            && self.names.is_empty()
            && self.counts.is_empty()
            && self.unsaved.is_empty()
    }
}
