//! Connecting and disconnecting: users who can resume, and users who leave with their connection.

use std::sync::Arc;
use std::time::Duration;

use super::resumption::{Away, Resumption};
use super::{
    Chat, Effect, Event, Link, Memo, ResumeKey, ResumeOffer, User, UserId, Version, Welcome,
};

impl Chat {
    /// A client connects. Whether it resumes a user is decided here, by its key.
    pub(super) fn connect(
        &mut self,
        link: Link,
        version: Version,
        resume: Option<&ResumeOffer>,
        effects: &mut Vec<Effect>,
    ) {
        if self.links.contains_key(&link) {
            return;
        }
        let resumed = resume.and_then(|offer| self.resumable.get(&offer.resumed?).copied());
        match resumed {
            Some(user) => self.resume(user, link, version, effects),
            None if self.last_user >= self.reserved.user => {
                effects.push(Effect::TurnedAway { link });
            }
            None => self.add_user(link, version, resume.map(|offer| offer.fresh), effects),
        }
    }

    fn add_user(
        &mut self,
        link: Link,
        version: Version,
        key: Option<ResumeKey>,
        effects: &mut Vec<Effect>,
    ) {
        // Keys are random, but an entry may contain anything: no user gets the key of another.
        let key = key.filter(|key| !self.resumable.contains_key(key));
        self.last_user = self.last_user.saturating_add(1);
        let id = UserId(self.last_user);
        if let Some(key) = key {
            self.resumable.insert(key, id);
        }
        self.links.insert(link, id);
        let resumption = key.map(|key| Box::new(Resumption::new(key)));
        let (name, link_of_user) = (default_name(id), Some(link));
        let user = User {
            name,
            version,
            link: link_of_user,
            room: None,
            is_subscribed: false,
            resumption,
        };
        self.users.insert(id, user);
        self.store_user(id, effects);
        self.welcome(id, link, false, effects);
    }

    /// The others are not told, since they were not told that the user was away.
    fn resume(&mut self, id: UserId, link: Link, version: Version, effects: &mut Vec<Effect>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        // Of two connections to one node, the client wants the later one, even if the earlier one finishes
        // its handshake last.
        if let Some(current) = user.link
            && current.node == link.node
            && current.connection > link.connection
        {
            effects.push(Effect::Superseded { link });
            return;
        }
        let before = user.link.replace(link);
        user.version = version;
        if std::mem::take(&mut user.is_subscribed) {
            effects.push(Effect::Unsubscribe { user: id });
        }
        if let Some(resumption) = &mut user.resumption
            && let Some(Away { until, .. }) = resumption.away.take()
        {
            self.away.remove(&(until, id));
            self.away_with_nothing.remove(&(until, id));
        }
        if let Some(before) = before {
            self.links.remove(&before);
        }
        self.links.insert(link, id);
        self.welcome(id, link, true, effects);
    }

    fn welcome(&self, id: UserId, link: Link, resumed: bool, effects: &mut Vec<Effect>) {
        if let Some(person) = self.person(id)
            && let Some(user) = self.users.get(&id)
        {
            let (version, room) = (user.version, user.room);
            let can_resume = user.resumption.is_some();
            let welcome = Welcome { person, version, resumed, can_resume, room };
            effects.push(Effect::Connected { link, welcome });
        }
    }

    /// A connection has ended. Nothing happens if another one leads to its user by now.
    pub(super) fn disconnect(&mut self, link: Link, time: u64, effects: &mut Vec<Effect>) {
        let Some(id) = self.links.remove(&link) else { return };
        let now = self.now;
        let until = now.saturating_add(self.rules.resume_grace);
        let Some(user) = self.users.get_mut(&id) else { return };
        user.link = None;
        let Some(resumption) = &mut user.resumption else {
            return self.leave_for_good(id, now, time, effects);
        };
        let has_nothing = user.room.is_none()
            && user.name == default_name(id)
            && resumption.references.is_empty();
        resumption.away = Some(Away { until, has_nothing });
        self.away.insert((until, id));
        if has_nothing {
            self.away_with_nothing.insert((until, id));
        }
        if std::mem::take(&mut user.is_subscribed) {
            effects.push(Effect::Unsubscribe { user: id });
        }
        while self.away.len() > self.rules.max_away
            && let Some(&first) = self.away_with_nothing.first().or(self.away.first())
        {
            self.away.remove(&first);
            self.leave_for_good(first.1, now, time, effects);
        }
        // Without a grace period the user leaves now.
        self.expire(time, effects);
    }

    /// The user leaves: the others are told, and nobody can resume as this user any more.
    pub(super) fn leave_for_good(
        &mut self,
        id: UserId,
        at: Duration,
        time: u64,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(person) = self.person(id)
            && let Some(room) = self.take_out_of_room(id, at, effects)
        {
            effects.push(Effect::Tell { room, time, event: Event::Left(person) });
        }
        let Some(user) = self.users.remove(&id) else { return };
        if let Some(resumption) = user.resumption {
            self.reference_counts.change(id, resumption.references.len(), 0);
            if let Some(Away { until, .. }) = resumption.away {
                self.away.remove(&(until, id));
                self.away_with_nothing.remove(&(until, id));
            }
            self.resumable.remove(&resumption.key);
            effects.push(Effect::Store(Memo::UserGone(id)));
        }
    }
}

/// The name of a user who has not chosen one.
fn default_name(id: UserId) -> Arc<str> {
    format!("User {}", id.0).into()
}
