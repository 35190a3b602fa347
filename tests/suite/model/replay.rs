//! Replays the journal of one client and reports where it is inconsistent.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Checker, Kind, is_run_to};
use super::{Journal, Person, RoomId, Said, Seen, Snapshot, UserId};

/// The state of one client at a place of its journal.
pub(crate) struct Replay<'a> {
    journal: &'a Journal,
    place: usize,
    user: Option<Person>,
    token: &'a str,
    /// The names that it may have: a `change_name` may or may not have reached the server.
    names: BTreeSet<&'a str>,
    /// The rooms that it may be in.
    rooms: BTreeSet<Option<RoomId>>,
    listening: Option<Listening<'a>>,
    /// The `since` of its last `enter_room`.
    since: Option<&'a (String, u64)>,
    /// By `ref`: the text, its room, and how many more answers are allowed.
    sent: BTreeMap<&'a str, (&'a str, RoomId, u32)>,
    /// The last seq that it saw of each room.
    last: BTreeMap<RoomId, u64>,
    /// The last seq that the list showed of each room.
    listed: BTreeMap<RoomId, u64>,
    snapshots: u32,
}

/// The room that a client is subscribed to.
struct Listening<'a> {
    room: RoomId,
    last: u64,
    members: BTreeMap<UserId, &'a str>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(journal: &'a Journal) -> Self {
        Self {
            journal,
            place: 0,
            user: None,
            token: "",
            names: BTreeSet::new(),
            rooms: BTreeSet::from([None]),
            listening: None,
            since: None,
            sent: BTreeMap::new(),
            last: BTreeMap::new(),
            listed: BTreeMap::new(),
            snapshots: 0,
        }
    }

    pub(crate) fn run(mut self, checker: &mut Checker<'_>) {
        for (place, seen) in self.journal.seen.iter().enumerate() {
            self.place = place;
            self.step(seen, checker);
        }
    }

    fn step(&mut self, seen: &'a Seen, checker: &mut Checker<'_>) {
        match seen {
            Seen::Welcome { user, token, resumed, room } => {
                self.welcome(user, token, *resumed, *room, checker);
            }
            Seen::SendsEnter { room, since } => self.sends_enter(*room, since.as_ref(), checker),
            Seen::SendsName(name) => {
                self.names.insert(name);
            }
            Seen::SendsText { reference, what, room } => {
                self.sent.entry(reference).or_insert((what, *room, 0)).2 += 1;
                checker.take_sent(&self.journal.name, what, self.place);
            }
            Seen::Room(snapshot) => self.room(snapshot, checker),
            Seen::Told { room, said } => self.told(*room, said, checker),
            Seen::Entered { room, user } => self.entered(*room, user, checker),
            Seen::Left { room, user } => self.left(*room, user, checker),
            Seen::Renamed { user, name } => self.renamed(*user, name),
            Seen::Page { room, before, limit, events, more } => {
                self.page(*room, (*before, *limit), events, *more, checker);
            }
            Seen::Listed { room, seq } => self.listed(*room, *seq, checker),
            Seen::Error(error)
                if checker.rules.may_fail
                    && (error.contains("not_saved") || error.contains("not_readable")) => {}
            // It was saved, but is no longer kept.
            Seen::Error(error)
                if error.contains("already_said") && checker.rules.kept.is_some() => {}
            Seen::Error(error) => self.violation(checker, Kind::Refused, error.clone()),
            Seen::Gone(_) => self.listening = None,
        }
    }

    fn violation(&self, checker: &mut Checker<'_>, kind: Kind, what: String) {
        checker.violation(kind, Some((&self.journal.name, self.place)), what);
    }

    fn id(&self) -> UserId {
        self.user.as_ref().map_or(0, |user| user.id)
    }

    fn welcome(
        &mut self,
        user: &'a Person,
        token: &'a str,
        resumed: bool,
        room: Option<RoomId>,
        checker: &mut Checker<'_>,
    ) {
        self.listening = None;
        if let Some(before) = &self.user
            && resumed
        {
            let is_same = before.id == user.id
                && self.names.contains(&user.name[..])
                && self.token == token
                && self.rooms.contains(&room);
            if !is_same {
                let what = format!(
                    "{user:?} in room {room:?}, instead of {before:?} as one of {:?} in one of {:?}",
                    self.names, self.rooms
                );
                self.violation(checker, Kind::Identity, what);
            }
        } else {
            if self.user.is_some() || resumed {
                let what = format!("{user:?}, resumed: {resumed}, before: {:?}", self.user);
                self.violation(checker, Kind::NotResumed, what);
            }
            checker.take_id(user.id, &self.journal.name, self.place);
        }
        self.user = Some(user.clone());
        self.token = token;
        self.names = BTreeSet::from([&user.name[..]]);
        self.rooms = BTreeSet::from([room]);
    }

    fn sends_enter(
        &mut self,
        room: RoomId,
        since: Option<&'a (String, u64)>,
        checker: &mut Checker<'_>,
    ) {
        self.since = since;
        // Entering the present room again tells nobody.
        if self.rooms.len() == 1 && self.rooms.contains(&Some(room)) {
            return;
        }
        let id = self.id();
        checker.moves.entry((id, room)).or_default().enters += 1;
        for left in self.rooms.iter().flatten().filter(|&&left| left != room) {
            checker.moves.entry((id, *left)).or_default().leaves += 1;
        }
        self.rooms.insert(Some(room));
    }

    fn room(&mut self, snapshot: &'a Snapshot, checker: &mut Checker<'_>) {
        let room = snapshot.room;
        if !self.rooms.contains(&Some(room)) {
            self.violation(
                checker,
                Kind::Identity,
                format!("in room {room}, not {:?}", self.rooms),
            );
        }
        self.rooms = BTreeSet::from([Some(room)]);
        let at = (&self.journal.name[..], self.place);
        let is_known_epoch = checker.take_epoch(snapshot, at);
        for said in &snapshot.events {
            checker.take_said(room, said, Some(at));
            self.acknowledge(room, said, false, checker);
        }
        self.check_users(snapshot, checker);
        self.snapshots += 1;
        if is_known_epoch {
            self.check_events(snapshot, checker);
        }
        let last = self.last.entry(room).or_default();
        if *last > snapshot.seq {
            let what = format!("room {room} ends at {}, and ended at {last}", snapshot.seq);
            checker.violation(Kind::Lost, Some(at), what);
        }
        *last = snapshot.seq;
        let members = snapshot.users.iter().map(|user| (user.id, &user.name[..])).collect();
        self.listening = Some(Listening { room, last: snapshot.seq, members });
    }

    fn check_users(&self, snapshot: &Snapshot, checker: &mut Checker<'_>) {
        let ids: Vec<UserId> = snapshot.users.iter().map(|user| user.id).collect();
        let mut expected = BTreeSet::from([self.id()]);
        // When a stayer enters first, other stayers may still be missing.
        if self.snapshots > 0 || !checker.rules.is_stayer(self.id()) {
            expected.extend(checker.rules.stayers.get(&snapshot.room).into_iter().flatten());
        }
        let missing: Vec<_> = expected.iter().filter(|id| !ids.contains(id)).collect();
        if !missing.is_empty() || !ids.is_sorted() {
            let what = format!("in room {}: {ids:?}, without {missing:?}", snapshot.room);
            self.violation(checker, Kind::WrongMembers, what);
        }
    }

    /// Checks the events and `complete` against what this client saw last.
    fn check_events(&self, snapshot: &Snapshot, checker: &mut Checker<'_>) {
        let seqs: Vec<u64> = snapshot.events.iter().map(|said| said.seq).collect();
        let (end, len) = (snapshot.seq, seqs.len() as u64);
        if !is_run_to(&seqs, end) {
            self.violation(checker, Kind::Gap, format!("up to {end}: {seqs:?}"));
        }
        let (is_joined, should_be_complete) = match self.since {
            // Without `since`: the latest messages, and complete.
            None => {
                let all = checker.rules.on_enter.min(end);
                // Some may be dropped before they are read.
                let least = if checker.rules.kept.is_some() { 0 } else { all };
                ((least..=all).contains(&len), true)
            }
            Some((_, since)) => {
                let everything_comes = checker.rules.kept.is_none() && !checker.rules.is_narrow;
                (end.checked_sub(*since) == Some(len), everything_comes)
            }
        };
        // Complete means that the messages join what the client saw. Where all is kept, they must.
        let is_right = snapshot.complete == is_joined && (is_joined || !should_be_complete);
        if !is_right {
            let what = format!(
                "complete: {} since {:?} up to {end} with {seqs:?}",
                snapshot.complete, self.since
            );
            self.violation(checker, Kind::FalseComplete, what);
        }
    }

    /// A page is a run of messages, and has as many as were asked for, as far as there are.
    fn page(
        &mut self,
        room: RoomId,
        (before, limit): (u64, u64),
        events: &'a [Said],
        more: bool,
        checker: &mut Checker<'_>,
    ) {
        for said in events {
            checker.take_said(room, said, Some((&self.journal.name, self.place)));
        }
        let seqs: Vec<u64> = events.iter().map(|said| said.seq).collect();
        let last = seqs.last().copied().unwrap_or_default();
        let seen = self.last.get(&room).copied().unwrap_or_default();
        // What it has seen is there, as far as it was asked for and is kept.
        let is_dropped = seqs.is_empty() && checker.rules.kept.is_some();
        let is_late = last < before && (last + 1 >= before || last >= seen) || is_dropped;
        if !is_run_to(&seqs, last) || !is_late {
            self.violation(
                checker,
                Kind::Gap,
                format!("room {room} before {before}, having seen {seen}: {seqs:?}"),
            );
        }
        let (len, rules) = (seqs.len() as u64, checker.rules);
        let is_first = seqs.first().is_none_or(|&first| first == 1);
        let is_all = rules.kept.is_some() || more != is_first;
        let is_full = len == limit || !more || rules.is_narrow;
        if len > limit || !is_all || !is_full {
            let what = format!("room {room} before {before}: {limit} of {seqs:?}, more: {more}");
            self.violation(checker, Kind::FalseComplete, what);
        }
    }

    /// What the list shows does not decrease.
    fn listed(&mut self, room: RoomId, seq: u64, checker: &mut Checker<'_>) {
        let before = self.listed.insert(room, seq).unwrap_or_default();
        if seq < before {
            let what = format!("the list has seq {seq} of room {room}, and had {before}");
            self.violation(checker, Kind::Lost, what);
        }
    }

    fn told(&mut self, room: RoomId, said: &'a Said, checker: &mut Checker<'_>) {
        checker.take_said(room, said, Some((&self.journal.name, self.place)));
        let is_own = said.from.id == self.id();
        let mut is_echo = is_own && self.listening.is_none();
        let mut problem = None;
        if let Some(listening) = &mut self.listening {
            is_echo = listening.room != room || said.seq <= listening.last;
            if said.seq > listening.last + 1 && !is_echo {
                let what = format!("{} after {} in room {room}", said.seq, listening.last);
                problem = Some((Kind::Gap, what));
            }
            if !is_echo {
                listening.last = said.seq;
                let name = listening.members.get(&said.from.id).copied();
                if name != Some(&said.from.name) {
                    let what = format!("{said:?}, whose author is shown as {name:?}");
                    problem = problem.or(Some((Kind::WrongMembers, what)));
                }
            }
        } else if !is_own {
            problem = Some((Kind::Refused, format!("{said:?} before entering room {room}")));
        }
        let last = self.last.entry(room).or_default();
        *last = said.seq.max(*last);
        if let Some((kind, what)) = problem {
            self.violation(checker, kind, what);
        }
        let is_answer = self.acknowledge(room, said, true, checker);
        if is_echo && !is_answer {
            let what = format!("{said:?} again");
            self.violation(checker, Kind::Doubled, what);
        }
    }

    /// Whether this is the client's own message and answers one of its requests.
    fn acknowledge(
        &mut self,
        room: RoomId,
        said: &'a Said,
        is_answer: bool,
        checker: &mut Checker<'_>,
    ) -> bool {
        let Some(reference) = said.reference.as_deref().filter(|_| said.from.id == self.id())
        else {
            return false;
        };
        let Some((what, sent_room, answers)) = self.sent.get_mut(reference) else {
            self.violation(checker, Kind::Differs, format!("{said:?} was not sent by this client"));
            return false;
        };
        if (*what, *sent_room) != (&said.what, room) {
            let what = format!("{said:?} in room {room}, instead of {what:?} in room {sent_room}");
            self.violation(checker, Kind::Differs, what);
            return false;
        }
        let may_come = *answers > 0;
        if is_answer {
            *answers = answers.saturating_sub(1);
        }
        checker.take_ack(room, said, (&self.journal.name, self.place));
        may_come
    }

    fn entered(&mut self, room: RoomId, user: &'a Person, checker: &mut Checker<'_>) {
        let is_new = self.listening.as_mut().is_some_and(|listening| {
            listening.room == room && listening.members.insert(user.id, &user.name).is_none()
        });
        if !is_new {
            self.violation(
                checker,
                Kind::FalsePresence,
                format!("{user:?} enters room {room} again"),
            );
        }
    }

    fn left(&mut self, room: RoomId, user: &Person, checker: &mut Checker<'_>) {
        if user.id == self.id() {
            self.rooms.remove(&Some(room));
            if self.rooms.is_empty() {
                self.rooms.insert(None);
            }
        }
        let was_there = self.listening.as_mut().is_some_and(|listening| {
            listening.room == room && listening.members.remove(&user.id).is_some()
        });
        // A client that left while not subscribed is still told.
        if !was_there && user.id != self.id() {
            self.violation(
                checker,
                Kind::FalsePresence,
                format!("{user:?} leaves room {room} without being in it"),
            );
        }
        if user.id == self.id() {
            self.listening = None;
        }
    }

    fn renamed(&mut self, user: UserId, name: &'a str) {
        if user == self.id() {
            self.names = BTreeSet::from([name]);
        }
        if let Some(listening) = &mut self.listening
            && let Some(known) = listening.members.get_mut(&user)
        {
            *known = name;
        }
    }
}

impl super::Rules {
    fn is_stayer(&self, user: UserId) -> bool {
        self.stayers.values().any(|stayers| stayers.contains(&user))
    }
}
