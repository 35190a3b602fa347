//! Coming and going: with a connection alone, or with a session that outlives it.

use std::time::Duration;

use super::session::{Presence, Session};
use super::{Chat, Effect, Event, Memo, RememberedSession, SessionKey, User, UserId};

impl Chat {
    /// Whether the user has a session, and can come back.
    pub(crate) fn has_session(&self, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|user| user.session.is_some())
    }

    /// Whose session this is, if it is one that can be resumed.
    pub(crate) fn user_of(&self, session: SessionKey) -> Option<UserId> {
        self.sessions.get(&session).copied()
    }

    pub(super) fn connect(
        &mut self,
        id: UserId,
        key: Option<SessionKey>,
        effects: &mut Vec<Effect>,
    ) {
        assert!(id.0 > self.last_user, "user ids are never reused");
        self.last_user = id.0;
        let session = key.map(|key| Box::new(Session::new(key)));
        let name = format!("User {}", id.0).into();
        self.users.insert(id, User { name, room: None, session });
        if let Some(key) = key {
            let before = self.sessions.insert(key, id);
            assert!(before.is_none(), "a session's secret is nobody else's");
            self.remember_session(id, effects);
        }
        let event = Event::Welcome { person: self.person(id), resumed: false, room: None };
        effects.push(Effect::Reply { to: id, event });
    }

    /// Nobody else is told, since nobody was told that the user was away.
    pub(super) fn resume(&mut self, id: UserId, effects: &mut Vec<Effect>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        let Some(session) = &mut user.session else { return };
        if let Presence::Away { until } = std::mem::replace(&mut session.presence, Presence::Here) {
            self.away.remove(&(until, id));
            self.idle.remove(&(until, id));
        }
        session.hears = false;
        let room = user.room;
        self.watch.end(id);
        let event = Event::Welcome { person: self.person(id), resumed: true, room };
        effects.push(Effect::Reply { to: id, event });
    }

    pub(super) fn disconnect(&mut self, id: UserId, at: Duration, effects: &mut Vec<Effect>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        let Some(session) = &mut user.session else { return self.depart(id, at, effects) };
        let until = at + self.rules.resume_grace;
        session.presence = Presence::Away { until };
        let would_miss_nothing =
            user.room.is_none() && !session.is_renamed && session.references.is_empty();
        let heard = std::mem::take(&mut session.hears);
        self.watch.end(id);
        self.away.insert((until, id));
        if would_miss_nothing {
            self.idle.insert((until, id));
        }
        if heard {
            effects.push(Effect::Leave { user: id });
        }
        while self.away.len() > self.rules.max_away {
            let first = self.idle.first().or(self.away.first());
            let (_, first) = *first.expect("there are too many of them");
            self.depart(first, at, effects);
        }
        // Where there is no grace, that is now.
        self.advance(at, effects);
    }

    /// Leaves in the sight of the others, for good.
    pub(super) fn depart(&mut self, id: UserId, at: Duration, effects: &mut Vec<Effect>) {
        if let Some(room) = self.user(id).room {
            let event = Event::Left(self.person(id));
            self.take_out(id, room, at, effects);
            effects.push(Effect::Tell { room, event });
        }
        let user = self.users.remove(&id).expect("somebody departs");
        if let Some(session) = user.session {
            if let Presence::Away { until } = session.presence {
                self.away.remove(&(until, id));
                self.idle.remove(&(until, id));
            }
            self.sessions.remove(&session.key);
            effects.push(Effect::Remember(Memo::SessionOver(id)));
        }
    }

    /// Has the user's session kept as it is now, if there is one.
    pub(super) fn remember_session(&mut self, id: UserId, effects: &mut Vec<Effect>) {
        let user = self.user(id);
        if let Some(session) = &user.session {
            let (name, room) = (user.name.clone(), user.room);
            let session = RememberedSession { user: id, key: session.key, name, room };
            effects.push(Effect::Remember(Memo::Session(session)));
        }
    }

    /// Whether the user, who is in a room, is told what the room is told.
    pub(super) fn hears(&self, id: UserId) -> bool {
        self.users[&id].session.as_ref().is_none_or(|session| session.hears)
    }
}
