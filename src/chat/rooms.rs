//! Rooms: entering, leaving, creating and removing them, and the permanent rooms that the rules name.

use std::time::Duration;

use super::{
    Asker, Chat, Effect, Event, IdLimits, Memo, Owner, Position, Reference, ReferenceHash, Refusal,
    Reply, Room, RoomChange, RoomId, Rules, UserId, Version, check_label,
};

/// How long a room stays that nobody has entered yet, unless empty rooms go even earlier. Its creator enters
/// within moments, if at all.
const NEVER_ENTERED_TTL: Duration = Duration::from_secs(60);

impl Chat {
    pub(super) fn enter_room(
        &mut self,
        asker: &Asker,
        target: RoomId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if !self.rooms.contains_key(&target) {
            return Err(Refusal::UnknownRoom(target));
        }
        if asker.room == Some(target) {
            self.reenter_room(asker, target, effects);
            return Ok(());
        }
        if let Some(before) = asker.room {
            // The reference belongs to what follows.
            self.leave(asker, before, None, effects);
        }
        self.put_into_room(asker.user, target);
        let Some(user) = self.users.get_mut(&asker.user) else { return Ok(()) };
        user.room = Some(target);
        user.is_subscribed = true;
        let version = user.version;
        effects.push(Effect::RoomListChanged { room: target, change: RoomChange::Members });
        let subscribe = Effect::Subscribe { user: asker.user, room: target };
        let Some(person) = self.person(asker.user) else { return Ok(()) };
        let entered = Event::Entered(person);
        let tell = Effect::Tell { room: target, time: asker.time, event: entered };
        match version {
            Version::Base => effects.extend([subscribe, tell]),
            // The user sees itself as a member in the room that it is shown, so it needs no event.
            Version::V2 => effects.extend([tell, subscribe, self.show_room(asker, target)]),
        }
        self.store_user(asker.user, effects);
        Ok(())
    }

    /// The user is in the room already, so the others are not told.
    fn reenter_room(&mut self, asker: &Asker, room: RoomId, effects: &mut Vec<Effect>) {
        let Some(user) = self.users.get_mut(&asker.user) else { return };
        let heard = std::mem::replace(&mut user.is_subscribed, true);
        let version = user.version;
        if !heard {
            effects.push(Effect::Subscribe { user: asker.user, room });
        }
        match (version, self.person(asker.user)) {
            (Version::Base, Some(person)) => {
                effects.push(asker.reply(Reply::Entered(person)));
            }
            (Version::Base, None) => {}
            (Version::V2, _) => effects.push(self.show_room(asker, room)),
        }
    }

    fn show_room(&self, asker: &Asker, room: RoomId) -> Effect {
        let (up_to, reference) = (self.last_seq(room), asker.reference.clone());
        Effect::ShowRoom { to: asker.user, room, up_to, reference }
    }

    pub(super) fn leave_room(
        &mut self,
        asker: &Asker,
        meant: Option<RoomId>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let room = asker.room_in(meant)?;
        self.leave(asker, room, asker.reference.clone(), effects);
        Ok(())
    }

    /// The user leaves. Everyone in the room is told, the user included.
    fn leave(
        &mut self,
        asker: &Asker,
        room: RoomId,
        reference: Reference,
        effects: &mut Vec<Effect>,
    ) {
        let Some(person) = self.person(asker.user) else { return };
        if let Some(user) = self.users.get_mut(&asker.user)
            && !std::mem::replace(&mut user.is_subscribed, true)
        {
            effects.push(Effect::Subscribe { user: asker.user, room });
        }
        let event = Event::Left(person, reference);
        effects.push(Effect::Tell { room, time: asker.time, event });
        self.take_out_of_room(asker.user, self.now, effects);
        self.store_user(asker.user, effects);
    }

    /// Removes the user from its room, if it is in one, without telling anyone. Returns the room.
    pub(super) fn take_out_of_room(
        &mut self,
        id: UserId,
        at: Duration,
        effects: &mut Vec<Effect>,
    ) -> Option<RoomId> {
        let user = self.users.get_mut(&id)?;
        let room = user.room.take()?;
        if std::mem::take(&mut user.is_subscribed) {
            effects.push(Effect::Unsubscribe { user: id });
        }
        let removed_at = at.saturating_add(self.rules.empty_room_ttl);
        let left = self.rooms.get_mut(&room)?;
        if left.leave(id, removed_at) {
            self.expiries.insert((removed_at, room));
            self.room_shares.offer(left.owner(room), room);
        }
        effects.push(Effect::RoomListChanged { room, change: RoomChange::Members });
        Some(room)
    }

    /// Makes the user a member of a room, which is not removed as long as it has one.
    pub(super) fn put_into_room(&mut self, id: UserId, room: RoomId) {
        let Some(entered) = self.rooms.get_mut(&room) else { return };
        if let Some(expiry) = entered.enter(id) {
            self.expiries.remove(&(expiry, room));
            self.room_shares.withdraw(entered.owner(room), room);
        }
    }

    pub(super) fn create_room(
        &mut self,
        asker: &Asker,
        title: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if let Some(position) = self.sent_before(asker.user, asker.reference.as_deref(), 0) {
            let room = self.rooms.get(&position.room).ok_or(Refusal::AlreadySaid(position))?;
            effects.push(asker.reply(Reply::RoomAdded(room.summary(position.room))));
            return Ok(());
        }
        let title = check_label(title, self.rules.max_title_chars).map_err(Refusal::BadTitle)?;
        if self.last_room >= self.reserved.room {
            return Err(Refusal::NotSaved);
        }
        let source = self.users.get(&asker.user).and_then(|user| user.source);
        self.make_space_for_room(Owner::new(source, 0), effects)?;
        let ttl = self.rules.empty_room_ttl.min(NEVER_ENTERED_TTL);
        let removed_at = self.now.saturating_add(ttl);
        let id = self.add_room(Room::temporary(title, removed_at, 0).of(source), effects);
        self.note_creation(asker, id, effects);
        if let Some(room) = self.rooms.get(&id)
            && self.users.get(&asker.user).is_some_and(|user| user.version == Version::V2)
        {
            effects.push(asker.reply(Reply::RoomAdded(room.summary(id))));
        }
        Ok(())
    }

    /// If there are as many rooms as there may be, the newest empty room goes of the source that has created
    /// the most, provided that the creator of the next room has created fewer.
    fn make_space_for_room(
        &mut self,
        creator: Owner,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let max = self.rules.max_rooms;
        if max == 0 || self.rooms.len() < max {
            return Ok(());
        }
        let first = self.room_shares.first().filter(|first| {
            let owner = self.rooms.get(first).map(|room| room.owner(*first));
            let is_lighter = |owner| self.room_shares.is_lighter(creator, owner);
            self.rooms.len() == max && owner.is_some_and(is_lighter)
        });
        self.remove_room(first.ok_or(Refusal::TooManyRooms { max })?, effects);
        Ok(())
    }

    /// Notes and stores the reference under which the room was created.
    fn note_creation(&mut self, asker: &Asker, room: RoomId, effects: &mut Vec<Effect>) {
        let user = asker.user;
        if let Some(reference) = asker.reference.clone()
            && self.users.get(&user).is_some_and(|user| user.resumption.is_some())
        {
            let hash = ReferenceHash::of(&reference, 0);
            self.remember(user, hash, Position { room, seq: 0 });
            effects.push(Effect::Store(Memo::Created { user, room, reference }));
        }
    }

    /// Adds a room under the next id.
    fn add_room(&mut self, room: Room, effects: &mut Vec<Effect>) -> RoomId {
        self.last_room = self.last_room.saturating_add(1);
        let id = RoomId(self.last_room);
        effects.push(Effect::Store(Memo::Room(room.stored(id))));
        self.insert_room(id, room);
        effects.push(Effect::RoomListChanged { room: id, change: RoomChange::Added });
        id
    }

    /// Adds a room, and enters it in the indexes of temporary rooms if it is one.
    pub(super) fn insert_room(&mut self, id: RoomId, room: Room) {
        if room.place().is_none() {
            let owner = room.owner(id);
            self.room_shares.add(owner);
            if let Some(removed_at) = room.removed_at() {
                self.expiries.insert((removed_at, id));
                self.room_shares.offer(owner, id);
            }
        }
        self.rooms.insert(id, room);
    }

    /// Removes an empty temporary room.
    fn remove_room(&mut self, id: RoomId, effects: &mut Vec<Effect>) {
        let Some(room) = self.rooms.remove(&id) else { return };
        if let Some(removed_at) = room.removed_at() {
            self.expiries.remove(&(removed_at, id));
        }
        let owner = room.owner(id);
        self.room_shares.withdraw(owner, id);
        self.room_shares.remove(owner);
        effects.push(Effect::Store(Memo::RoomGone(id)));
        effects.push(Effect::RoomListChanged { room: id, change: RoomChange::Removed });
    }

    pub(super) fn remove_expired_rooms(&mut self, effects: &mut Vec<Effect>) {
        while let Some(&(due, id)) = self.expiries.first()
            && due <= self.now
        {
            self.expiries.pop_first();
            self.remove_room(id, effects);
        }
    }

    /// Changes the rules, and the permanent rooms to those that the rules name.
    ///
    /// A permanent room is identified by its place in the list, so it stays the same room when its title
    /// changes. A room that the rules no longer name becomes temporary.
    pub(super) fn set_rules(&mut self, rules: Rules, effects: &mut Vec<Effect>) {
        self.rules = rules;
        self.forget_excess_references();
        let titles = self.rules.rooms.clone();
        let removed_at = self.now.saturating_add(self.rules.empty_room_ttl);
        let mut is_there = vec![false; titles.len()];
        let mut changed = Vec::new();
        for (id, room) in &mut self.rooms {
            let Some(place) = room.place() else { continue };
            match (titles.get(place), is_there.get_mut(place)) {
                (Some(title), Some(is_there)) if !*is_there => {
                    *is_there = true;
                    if *room.title != **title {
                        room.title = title.as_str().into();
                        changed.push((*id, Some(RoomChange::Retitled)));
                    }
                }
                _ => {
                    let owner = room.owner(*id);
                    self.room_shares.add(owner);
                    if room.make_temporary(removed_at) {
                        self.expiries.insert((removed_at, *id));
                        self.room_shares.offer(owner, *id);
                    }
                    // No list of rooms shows which ones are permanent.
                    changed.push((*id, None));
                }
            }
        }
        for (id, change) in changed {
            if let Some(room) = self.rooms.get(&id) {
                effects.push(Effect::Store(Memo::Room(room.stored(id))));
            }
            effects.extend(change.map(|change| Effect::RoomListChanged { room: id, change }));
        }
        self.add_missing_rooms(effects);
    }

    /// Ids up to these may be handed out now.
    pub(super) fn reserve(&mut self, limits: IdLimits, effects: &mut Vec<Effect>) {
        self.reserved = limits;
        self.add_missing_rooms(effects);
    }

    /// Adds the permanent rooms that the rules name and that are not there. If the reserved ids are used up,
    /// the rest of them come with the next ones.
    fn add_missing_rooms(&mut self, effects: &mut Vec<Effect>) {
        let mut places = vec![false; self.rules.rooms.len()];
        for place in self.rooms.values().filter_map(Room::place) {
            if let Some(is_there) = places.get_mut(place) {
                *is_there = true;
            }
        }
        for (place, _) in places.iter().enumerate().filter(|(_, is_there)| !**is_there) {
            if self.last_room >= self.reserved.room {
                return;
            }
            let room = Room::permanent(&self.rules.rooms[place], place, 0);
            self.add_room(room, effects);
        }
    }
}
