//! From what is remembered to a chat, when the server starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::session::{Place, Presence, References, Session};
use super::watch::Watch;
use super::{Chat, Effect, Memo, Noted, Remembered, RememberedSession, Room, Rules, User, UserId};

impl Chat {
    /// The chat as it was, as far as that is remembered, and what is to be remembered differently
    /// from now on. Whoever was connected is away, with the whole grace to come back.
    ///
    /// The permanent rooms are known by their place among the rules' rooms, so that one whose title
    /// has changed stays the same room. One that the rules no longer have is passing from now on.
    pub(crate) fn restore(rules: Rules, remembered: Remembered) -> (Self, Vec<Effect>) {
        let Remembered { last_user, last_room, rooms, sessions } = remembered;
        let mut chat = Self {
            users: BTreeMap::new(),
            last_user,
            sessions: BTreeMap::new(),
            away: BTreeSet::new(),
            idle: BTreeSet::new(),
            rooms: BTreeMap::new(),
            last_room,
            expiries: BTreeSet::new(),
            room_list_not_before: Duration::ZERO,
            room_list_owed: false,
            room_list_revision: 1,
            kept_revision: 1,
            watch: Watch::default(),
            unkept: Vec::new(),
            rules,
        };
        let mut effects = Vec::new();
        let titles = std::mem::take(&mut chat.rules.rooms);
        let mut is_known = vec![false; titles.len()];
        let gone_at = chat.rules.empty_room_ttl;
        for (known, last_seq) in rooms {
            let named = known.place.and_then(|place| Some((place, titles.get(place)?)));
            let room = if let Some((place, title)) = named {
                is_known[place] = true;
                Room::permanent(title, place, last_seq)
            } else {
                chat.expiries.insert((gone_at, known.id));
                Room::passing(&known.title, gone_at, last_seq)
            };
            let remembered = room.remembered(known.id);
            if remembered != known {
                effects.push(Effect::Remember(Memo::Room(remembered)));
            }
            chat.last_room = chat.last_room.max(known.id.0);
            chat.rooms.insert(known.id, room);
        }
        for (place, title) in titles.iter().enumerate().filter(|(place, _)| !is_known[*place]) {
            let id = chat.next_room();
            let room = Room::permanent(title, place, 0);
            effects.push(Effect::Remember(Memo::Room(room.remembered(id))));
            chat.rooms.insert(id, room);
        }
        for (session, references) in sessions {
            let UserId(id) = session.user;
            chat.last_user = chat.last_user.max(id);
            chat.bring_back(session, references);
        }
        (chat, effects)
    }

    fn bring_back(&mut self, remembered: RememberedSession, noted: Vec<Noted>) {
        let RememberedSession { user: id, key, name, room } = remembered;
        let until = self.rules.resume_grace;
        let mut references = References::default();
        for (reference, position) in noted {
            // When it was said is not at hand: it is kept, so it is young enough.
            references.note(reference, Place { position, time: u64::MAX }, |_| true);
        }
        let mut session = Session::new(key);
        session.presence = Presence::Away { until };
        session.references = references;
        let room = room.filter(|room| self.rooms.contains_key(room));
        if let Some(room) = room
            && let Some(expiry) = self.room_mut(room).enter(id)
        {
            self.expiries.remove(&(expiry, room));
        }
        self.away.insert((until, id));
        self.sessions.insert(key, id);
        self.users.insert(id, User { name, room, session: Some(Box::new(session)) });
    }
}

#[cfg(test)]
mod tests;
