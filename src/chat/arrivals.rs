//! Connecting and disconnecting: users who can resume, and users who leave with their connection.

use std::sync::Arc;
use std::time::Duration;

use super::resumption::{Away, Resumption};
use super::{
    Arriving, Chat, Effect, Event, Link, Memo, Owner, ResumeKey, ResumeOffer, Rules, Source, User,
    UserId, Welcome,
};
#[cfg(feature = "cluster")]
use super::{ConnectionId, NodeId};

impl Chat {
    /// A client connects. Whether it resumes a user is decided here, by its key.
    pub(super) fn connect(
        &mut self,
        arriving: Arriving,
        resume: Option<&ResumeOffer>,
        time: u64,
        effects: &mut Vec<Effect>,
    ) {
        if self.links.contains_key(&arriving.link) {
            return;
        }
        let resumed = resume.and_then(|offer| self.resumable.get(&offer.resumed?).copied());
        match resumed {
            Some(user) => self.resume(user, arriving, time, effects),
            None if self.last_user >= self.reserved.user => {
                effects.push(Effect::TurnedAway { link: arriving.link });
            }
            None => self.add_user(arriving, resume.map(|offer| offer.fresh), time, effects),
        }
    }

    fn add_user(
        &mut self,
        arriving: Arriving,
        key: Option<ResumeKey>,
        time: u64,
        effects: &mut Vec<Effect>,
    ) {
        let Arriving { link, source, version } = arriving;
        // Keys are random, but an entry may contain anything: no user gets the key of another.
        let key = key.filter(|key| !self.resumable.contains_key(key));
        self.last_user = self.last_user.saturating_add(1);
        let id = UserId(self.last_user);
        if let Some(key) = key {
            self.resumable.insert(key, id);
        }
        self.links.insert(link, id);
        let resumption = key.map(|key| Box::new(Resumption::new(key)));
        let user = User {
            name: default_name(id),
            version,
            source: Some(source),
            link: Some(link),
            room: None,
            is_subscribed: false,
            resumption,
        };
        self.users.insert(id, user);
        self.store_user(id, effects);
        self.welcome(id, (link, time), false, effects);
    }

    /// The others are not told, since they were not told that the user was away.
    fn resume(&mut self, id: UserId, arriving: Arriving, time: u64, effects: &mut Vec<Effect>) {
        let Arriving { link, source, version } = arriving;
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
        let source_before = user.source.replace(source);
        if let Some(resumption) = &mut user.resumption
            && let Some(away) = resumption.away.take()
        {
            if let Some(room) = user.room {
                effects.push(Effect::PresenceChanged { room, user: id, is_away: false });
            }
            self.forget_away(id, away, source_before);
        }
        if let Some(before) = before {
            self.links.remove(&before);
        }
        self.links.insert(link, id);
        self.welcome(id, (link, time), true, effects);
    }

    fn welcome(
        &self,
        id: UserId,
        (link, time): (Link, u64),
        resumed: bool,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(person) = self.person(id)
            && let Some(user) = self.users.get(&id)
        {
            let (version, room) = (user.version, user.room);
            let can_resume = user.resumption.is_some();
            let welcome = Welcome { person, version, resumed, can_resume, room, time };
            effects.push(Effect::Connected { link, welcome });
        }
    }

    /// A connection has ended. Nothing happens if another one leads to its user by now.
    pub(super) fn disconnect(
        &mut self,
        link: Link,
        is_going_away: bool,
        time: u64,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.links.remove(&link) else { return };
        let now = self.now;
        let Rules { resume_grace, reload_grace, .. } = self.rules;
        let grace = if is_going_away { resume_grace.min(reload_grace) } else { resume_grace };
        let until = now.saturating_add(grace);
        let Some(user) = self.users.get_mut(&id) else { return };
        user.link = None;
        let Some(resumption) = &mut user.resumption else {
            return self.leave_for_good(id, now, time, effects);
        };
        let has_nothing = user.room.is_none()
            && user.name == default_name(id)
            && resumption.references.is_empty();
        let away = Away { until, has_nothing };
        resumption.away = Some(away);
        let source = user.source;
        if std::mem::take(&mut user.is_subscribed) {
            effects.push(Effect::Unsubscribe { user: id });
        }
        if let Some(room) = user.room {
            effects.push(Effect::PresenceChanged { room, user: id, is_away: true });
        }
        self.note_away(id, away, source);
        // One goes for each who comes. If there have been too many since the start or a change of the
        // rules, the others keep the time that they have.
        if self.away.len() > self.rules.max_away
            && let Some(first) = self.away_shares.first()
        {
            let first = if self.rules.max_away == 0 { id } else { first.user };
            self.leave_for_good(first, now, time, effects);
        }
        // Without a grace period the user leaves now.
        self.expire(time, effects);
    }

    /// All connections of the node end. Their clients have not said anything, so they have the whole grace
    /// period.
    #[cfg(feature = "cluster")]
    pub(super) fn lose_node(&mut self, node: NodeId, time: u64, effects: &mut Vec<Effect>) {
        let first = Link { node, connection: ConnectionId(0) };
        let last = Link { node, connection: ConnectionId(u64::MAX) };
        let links: Vec<Link> = self.links.range(first..=last).map(|(link, _)| *link).collect();
        for link in links {
            self.disconnect(link, false, time, effects);
        }
    }

    /// Enters a user in the indexes of those who are away.
    pub(super) fn note_away(&mut self, id: UserId, away: Away, source: Option<Source>) {
        let owner = Owner::new(source, id.0);
        self.away.insert((away.until, id));
        self.away_shares.add(owner);
        self.away_shares.offer(owner, away.rank(id));
    }

    /// Takes a user out of these indexes.
    fn forget_away(&mut self, id: UserId, away: Away, source: Option<Source>) {
        let owner = Owner::new(source, id.0);
        self.away.remove(&(away.until, id));
        self.away_shares.withdraw(owner, away.rank(id));
        self.away_shares.remove(owner);
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
            effects.push(Effect::Tell { room, time, event: Event::Left(person, None) });
        }
        let Some(user) = self.users.remove(&id) else { return };
        if let Some(resumption) = user.resumption {
            self.reference_counts.change(id, resumption.references.len(), 0);
            if let Some(away) = resumption.away {
                self.forget_away(id, away, user.source);
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
