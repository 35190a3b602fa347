//! Rooms, as the model has them: entering, leaving, creating, and making space.

use std::time::Duration;

use super::*;

impl Model {
    pub(super) fn enter(&mut self, asker: &ModelAsker, target: RoomId) -> Result<(), Refusal> {
        let room = self.rooms.get(&target).ok_or(Refusal::UnknownRoom(target))?;
        let (to, up_to, reference) = (asker.id, room.last_seq, asker.reference.clone());
        let show = Effect::ShowRoom { to, room: target, up_to, reference };
        let person = self.users[&to].person(to);
        let is_there = self.users[&to].room == Some(target);
        if !is_there {
            // Whoever is in a room leaves it first, and sees that.
            let _ = self.leave(asker, None);
            self.tell_room(target, asker.time, &Event::Entered(person.clone()));
        }
        let user = self.users.get_mut(&to).unwrap();
        (user.room, user.is_subscribed) = (Some(target), true);
        let answer = match (user.version, is_there) {
            (Version::V2, _) => show,
            (Version::Base, true) => asker.reply(Reply::Entered(person)),
            (Version::Base, false) => {
                Effect::Tell { room: target, time: asker.time, event: Event::Entered(person) }
            }
        };
        self.tell(asker.link, answer);
        self.rooms.get_mut(&target).unwrap().removed_at = None;
        Ok(())
    }

    /// Refuses a request that names another room than the author's.
    pub(super) fn check_room(
        &self,
        asker: &ModelAsker,
        named: Option<RoomId>,
    ) -> Result<(), Refusal> {
        match named {
            Some(room) if self.users[&asker.id].room != named => Err(Refusal::NotInThisRoom(room)),
            _ => Ok(()),
        }
    }

    pub(super) fn leave(
        &mut self,
        asker: &ModelAsker,
        reference: Reference,
    ) -> Result<(), Refusal> {
        let user = self.users.get_mut(&asker.id).unwrap();
        let room = user.room.ok_or(Refusal::NotInRoom)?;
        user.is_subscribed = true;
        let person = user.person(asker.id);
        self.tell_room(room, asker.time, &Event::Left(person, reference));
        let user = self.users.get_mut(&asker.id).unwrap();
        (user.room, user.is_subscribed) = (None, false);
        self.begin_expiry(room, self.now);
        Ok(())
    }

    pub(super) fn create(&mut self, asker: &ModelAsker, title: &str) -> Result<(), Refusal> {
        if let Some(sent) = self.users[&asker.id].find(&asker.reference, |seq| seq == 0) {
            let (id, position) = (sent.position.room, sent.position);
            let room = self.rooms.get(&id).ok_or(Refusal::AlreadySaid(position))?;
            let (title, users) = (room.title.as_str().into(), self.members(id).len());
            let summary = RoomSummary { id, title, users, seq: room.saved_seq };
            self.tell(asker.link, asker.reply(Reply::RoomAdded(summary)));
            return Ok(());
        }
        let title = check_line(title, self.rules.max_title_chars).map_err(Refusal::BadTitle)?;
        if self.last_room >= self.reserved.room {
            return Err(Refusal::NotSaved);
        }
        let source = self.users[&asker.id].source;
        if self.rules.max_rooms > 0 && self.rooms.len() >= self.rules.max_rooms {
            self.make_space_for_room(source)?;
        }
        // Nobody has entered it, so it stays for a minute at most.
        let ttl = self.rules.empty_room_ttl.min(Duration::from_secs(60));
        let id = self.add_room(title, None, Some(self.now + ttl));
        self.rooms.get_mut(&id).unwrap().source = Some(source);
        let user = self.users.get_mut(&asker.id).unwrap();
        if let (Some(reference), true) = (&asker.reference, user.key.is_some()) {
            let (reference, position) = (reference.to_string(), Position { room: id, seq: 0 });
            user.sent.push(ModelMessage { reference, position, is_saved: true });
        }
        if self.users[&asker.id].version == Version::V2 {
            let summary = RoomSummary { id, title: title.into(), users: 0, seq: 0 };
            self.tell(asker.link, asker.reply(Reply::RoomAdded(summary)));
        }
        Ok(())
    }

    /// A room goes that is empty and of a heavier source.
    pub(super) fn make_space_for_room(&mut self, source: Source) -> Result<(), Refusal> {
        let temporary = self.rooms.iter().filter(|(_, room)| room.place.is_none());
        let temporary = temporary.map(|(id, room)| (path(room.source, id.0), *id));
        let temporary: Vec<_> = temporary.collect();
        let all: Vec<_> = temporary.iter().map(|(path, _)| *path).collect();
        let is_empty = |(_, id): &(_, RoomId)| self.members(*id).is_empty();
        let empty: Vec<_> = temporary.iter().copied().filter(is_empty).collect();
        let first = first_to_lose(&all, &empty, 0).filter(|first| {
            let of_first = path(self.rooms[first].source, first.0);
            let is_full = self.rooms.len() == self.rules.max_rooms;
            is_full && is_lighter(&all, path(Some(source), 0), of_first)
        });
        let max = self.rules.max_rooms;
        self.rooms.remove(&first.ok_or(Refusal::TooManyRooms { max })?);
        Ok(())
    }

    pub(super) fn add_room(
        &mut self,
        title: &str,
        place: Option<usize>,
        removed_at: Option<Duration>,
    ) -> RoomId {
        self.last_room += 1;
        let title = title.to_owned();
        let room = ModelRoom {
            title,
            place,
            source: None,
            removed_at,
            last_seq: 0,
            saved_seq: 0,
            erasures: Vec::new(),
        };
        self.rooms.insert(RoomId(self.last_room), room);
        RoomId(self.last_room)
    }

    /// Rooms are known by their place: the first `rules.rooms.len()` places stay permanent.
    pub(super) fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
        let titles = self.rules.rooms.clone();
        for id in self.rooms.keys().copied().collect::<Vec<_>>() {
            let room = self.rooms.get_mut(&id).unwrap();
            let Some(place) = room.place else { continue };
            if let Some(title) = titles.get(place) {
                room.title.clone_from(title);
            } else {
                room.place = None;
                self.begin_expiry(id, self.now);
            }
        }
        self.add_missing_rooms();
    }

    pub(super) fn add_missing_rooms(&mut self) {
        let titles = self.rules.rooms.clone();
        for (place, title) in titles.iter().enumerate() {
            if self.last_room < self.reserved.room
                && !self.rooms.values().any(|room| room.place == Some(place))
            {
                self.add_room(title, Some(place), None);
            }
        }
    }

    pub(super) fn begin_expiry(&mut self, id: RoomId, at: Duration) {
        let is_empty = self.members(id).is_empty();
        let room = self.rooms.get_mut(&id).unwrap();
        if is_empty && room.place.is_none() {
            room.removed_at = Some(at + self.rules.empty_room_ttl);
        }
    }
}
