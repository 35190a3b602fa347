//! A running digest of what has happened, by which nodes find out that they differ.
//!
//! It is made of numbers alone, those of places and effects, and is the same in every build on every machine.
//! Whoever applies entries counts them in.

use crate::chat::{Effect, EntryId, Event, Link, Memo, Reply, RoomChange, RoomId, UserId};

/// The digest of everything so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(pub(super) u64);

impl Digest {
    /// Counts a number in. The order matters.
    pub(super) fn number(&mut self, number: u64) {
        let mixed = (self.0.rotate_left(23) ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.0 = mixed ^ (mixed >> 32);
    }

    pub(super) fn place(&mut self, place: EntryId) {
        self.number(place.term);
        self.number(place.n);
    }

    /// Counts in what has followed. It makes no difference in how many parts it is given.
    pub(super) fn effects(&mut self, effects: &[Effect]) {
        for effect in effects {
            self.effect(effect);
        }
    }

    fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Connected { link, welcome } => {
                self.number(1);
                self.link(*link);
                self.user(welcome.person.id);
                self.number(welcome.resumed.into());
            }
            Effect::Superseded { link } => self.tagged_link(2, *link),
            Effect::Kicked { link } => self.tagged_link(3, *link),
            Effect::TurnedAway { link } => self.tagged_link(4, *link),
            Effect::Subscribe { user, room } => self.user_in_room(5, *user, *room),
            Effect::Unsubscribe { user } => {
                self.number(6);
                self.user(*user);
            }
            Effect::Tell { room, event, .. } => {
                self.user_in_room(7, event.author(), *room);
                self.event(event);
            }
            Effect::Reply { to, reply, .. } => {
                self.number(8);
                self.user(*to);
                self.reply(reply);
            }
            Effect::ShowRoom { to, room, up_to, .. } => {
                self.user_in_room(9, *to, *room);
                self.number(*up_to);
            }
            Effect::Repeat { to, position, .. } => {
                self.user_in_room(10, *to, position.room);
                self.number(position.seq);
            }
            Effect::Announce { text, .. } => {
                self.number(11);
                self.number(text.len() as u64);
            }
            Effect::PresenceChanged { room, user, is_away } => {
                self.user_in_room(12, *user, *room);
                self.number((*is_away).into());
            }
            Effect::RoomListChanged { room, change } => {
                self.number(13);
                self.room(*room);
                self.number(change_number(*change));
            }
            Effect::Store(memo) => {
                self.number(14);
                self.memo(memo);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let (kind, number) = match event {
            Event::Entered(_) => (1, 0),
            Event::Left(..) => (2, 0),
            Event::Renamed(renaming) => (3, renaming.new_name.len() as u64),
            Event::Said(said) => (4, said.seq),
            Event::Erased(erased) => (5, erased.up_to),
        };
        self.number(kind);
        self.number(number);
    }

    fn reply(&mut self, reply: &Reply) {
        let (kind, number) = match reply {
            Reply::Entered(_) => (1, 0),
            Reply::Renamed(renaming) => (2, renaming.new_name.len() as u64),
            Reply::Said(_, said) => (3, said.seq),
            Reply::RoomAdded(room) => (4, room.id.0),
            Reply::Erased(_, erased) => (5, erased.up_to),
            Reply::Refused(_) => (6, 0),
        };
        self.number(kind);
        self.number(number);
    }

    fn memo(&mut self, memo: &Memo) {
        match memo {
            Memo::Ids(_) => self.number(1),
            Memo::User(user) => self.user_in_room(2, user.user, user.room.unwrap_or(RoomId(0))),
            Memo::UserGone(user) => {
                self.number(3);
                self.user(*user);
            }
            Memo::Room(room) => {
                self.number(4);
                self.room(room.id);
            }
            Memo::RoomGone(room) => {
                self.number(5);
                self.room(*room);
            }
            Memo::Created { user, room, .. } => self.user_in_room(6, *user, *room),
            Memo::Padding(_) => self.number(7),
        }
    }

    fn tagged_link(&mut self, tag: u64, link: Link) {
        self.number(tag);
        self.link(link);
    }

    fn user_in_room(&mut self, tag: u64, user: UserId, room: RoomId) {
        self.number(tag);
        self.user(user);
        self.room(room);
    }

    fn link(&mut self, link: Link) {
        self.number(link.node.0);
        self.number(link.connection.0);
    }

    fn user(&mut self, user: UserId) {
        self.number(user.0);
    }

    fn room(&mut self, room: RoomId) {
        self.number(room.0);
    }
}

fn change_number(change: RoomChange) -> u64 {
    match change {
        RoomChange::Added => 1,
        RoomChange::Removed => 2,
        RoomChange::Retitled => 3,
        RoomChange::Members => 4,
        RoomChange::Messages => 5,
    }
}
