//! Who is connected, away or gone, by the rules of the protocol: a second opinion on the chat's.

use std::collections::BTreeMap;
use std::time::Duration;

use super::coverage::Coverage;
use crate::chat::{
    Action, ConnectionId, Effect, Entry, Event, Link, Memo, ResumeKey, ResumeOffer, Rules, UserId,
    Welcome,
};

/// Checks what an entry does to users and their connections.
pub(super) struct Attendance {
    resume_grace: Duration,
    reload_grace: Duration,
    max_away: usize,
    now: Duration,
    resumable: BTreeMap<ResumeKey, UserId>,
    connected: BTreeMap<UserId, ConnectionId>,
    /// When they leave.
    away: BTreeMap<UserId, Duration>,
}

impl Attendance {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            resume_grace: rules.resume_grace,
            reload_grace: rules.reload_grace,
            max_away: rules.max_away,
            now: Duration::ZERO,
            resumable: BTreeMap::new(),
            connected: BTreeMap::new(),
            away: BTreeMap::new(),
        }
    }

    /// Panics unless the effects are right.
    pub(super) fn check(&mut self, entry: &Entry, effects: &[Effect], coverage: &mut Coverage) {
        self.now = self.now.max(entry.at);
        let mut acts = None;
        match &entry.action {
            Action::Connect { link, resume, .. } => {
                self.check_connect(*link, resume.as_deref(), effects, coverage);
            }
            Action::Ask { link, .. } => acts = self.user_at(*link),
            Action::Disconnect { link, is_going_away } => {
                acts = self.user_at(*link);
                if let Some(user) = acts {
                    self.connected.remove(&user);
                    if self.resumable.values().any(|id| *id == user) {
                        let until = self.now.saturating_add(self.grace(*is_going_away));
                        self.away.insert(user, until);
                        acts = None;
                    }
                }
            }
            Action::SetRules(rules) => {
                (self.resume_grace, self.max_away) = (rules.resume_grace, rules.max_away);
                self.reload_grace = rules.reload_grace;
            }
            Action::Kick { user } => {
                // As if it were time to leave.
                if self.connected.remove(user).is_some() || self.away.contains_key(user) {
                    acts = Some(*user);
                    if self.resumable.values().any(|id| id == user) {
                        self.away.insert(*user, self.now);
                    }
                }
            }
            Action::Announce { .. }
            | Action::Erased { .. }
            | Action::Reserved(_)
            | Action::Wait
            | Action::Saved
            | Action::NotSaved => {}
            #[cfg(feature = "cluster")]
            Action::NodeGone { .. } => unreachable!("there is one node"),
        }
        let mut gone = Vec::new();
        for effect in effects {
            if let Effect::Store(Memo::UserGone(user)) = effect {
                self.check_gone(*user, coverage);
                gone.push(*user);
            }
        }
        let overdue = self.away.iter().find(|(_, until)| **until <= self.now);
        assert_eq!(overdue, None, "is still there after the grace period");
        for effect in effects {
            if let Effect::Tell { event: Event::Entered(person) | Event::Left(person, _), .. } =
                effect
            {
                let may = acts == Some(person.id) || gone.contains(&person.id);
                assert!(may, "{person:?} neither asked nor is gone: {entry:?}");
            }
        }
    }

    fn grace(&self, is_going_away: bool) -> Duration {
        if is_going_away { self.reload_grace.min(self.resume_grace) } else { self.resume_grace }
    }

    fn user_at(&self, link: Link) -> Option<UserId> {
        let mut connected = self.connected.iter();
        connected.find(|(_, at)| **at == link.connection).map(|(user, _)| *user)
    }

    fn check_connect(
        &mut self,
        link: Link,
        resume: Option<&ResumeOffer>,
        effects: &[Effect],
        coverage: &mut Coverage,
    ) {
        let mut resumed = resume.and_then(|offer| self.resumable.get(&offer.resumed?).copied());
        resumed = resumed.filter(|user| self.away.get(user).is_none_or(|until| *until > self.now));
        if let Some(user) = resumed
            && self.connected.get(&user).is_some_and(|current| *current > link.connection)
        {
            assert!(effects.contains(&Effect::Superseded { link }), "{link:?} is not the latest");
            coverage.hit("an older connection came late");
            return;
        }
        let welcome = effects.iter().find_map(|effect| match effect {
            Effect::Connected { link: to, welcome } if *to == link => Some(welcome),
            _ => None,
        });
        let Welcome { person, resumed: is_resumed, .. } = welcome.expect("a client is welcomed");
        assert_eq!(*is_resumed, resumed.is_some());
        if let Some(user) = resumed {
            assert_eq!(person.id, user, "another's user was resumed");
            self.away.remove(&user);
        } else if let Some(offer) = resume {
            self.resumable.insert(offer.fresh, person.id);
        }
        self.connected.insert(person.id, link.connection);
    }

    fn check_gone(&mut self, user: UserId, coverage: &mut Coverage) {
        let until = self.away.get(&user).copied().expect("only who is away is gone");
        let is_pushed_out = self.away.len() > self.max_away;
        assert!(until <= self.now || is_pushed_out, "{user:?} was to stay until {until:?}");
        if until <= self.now {
            coverage.hit("left after the grace period");
        }
        self.away.remove(&user);
        self.resumable.retain(|_, id| *id != user);
    }
}
