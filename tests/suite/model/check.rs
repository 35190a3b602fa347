//! Whether all that clients saw can be true together, and agrees with what is kept at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::replay::Replay;
use super::{BaseJournal, BaseSeen, Journal, Person, RoomId, Said, Snapshot, Truth, UserId};

/// What a server may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// What somebody saw is not kept.
    Lost,
    /// What its sender saw with its `ref` is not kept where it was.
    AckLost,
    /// A text is there twice.
    Doubled,
    /// Two see two orders, or the texts of one sender are not in its order.
    Reordered,
    /// A `seq` is missing.
    Gap,
    /// At one `seq` two see different things.
    Differs,
    /// `complete` says what is not so.
    FalseComplete,
    /// The epoch changed, though nothing was forgotten.
    EpochChanged,
    /// Who could come back could not.
    NotResumed,
    /// Who came back is somebody else, or somewhere else.
    Identity,
    /// An id for two people.
    IdRepeated,
    /// Others saw somebody come or go who did neither.
    Flicker,
    /// Somebody is not shown who is there, or shown who is not.
    Stranger,
    /// A request was refused that is right, or what came was not asked for.
    Refused,
}

/// Something that the server did wrong.
#[derive(Clone, Debug)]
pub(crate) struct Sin {
    pub(crate) kind: Kind,
    pub(crate) what: String,
    /// Who saw it, and at which place of the journal.
    pub(crate) at: Option<(String, usize)>,
}

/// What the server promises in this run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// How many events of a room are kept at least; `None`: all.
    pub(crate) kept: Option<u64>,
    /// Whether all that one missed may be more than fits one frame.
    pub(crate) is_narrow: bool,
    /// `historyOnEnter`.
    pub(crate) on_enter: u64,
    /// Who entered each room before anyone wrote a journal, and never left.
    pub(crate) stayers: BTreeMap<RoomId, BTreeSet<UserId>>,
}

/// What somebody did to be seen coming and going.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moves {
    pub(crate) enters: u32,
    pub(crate) leaves: u32,
}

/// What is known from all journals together.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) sins: Vec<Sin>,
    /// How often each one came to a room and went, by its own account.
    pub(crate) moves: BTreeMap<(UserId, RoomId), Moves>,
    /// What was said, from all who saw it.
    said: BTreeMap<(RoomId, u64), Said>,
    epochs: BTreeMap<RoomId, String>,
    /// Which client each id is.
    ids: BTreeMap<UserId, String>,
    /// What was acknowledged, with the place and the client.
    acknowledged: Vec<(RoomId, Said, (String, usize))>,
    /// The texts of each sender in the order in which it said them.
    order: BTreeMap<String, (String, usize)>,
}

/// The seq of each text by its room and author.
type Places = HashMap<(RoomId, UserId, String), u64>;

/// Everything that is wrong with what these clients saw. `truth` is what is kept at the end.
pub(crate) fn check(
    journals: &[Journal],
    base: &[BaseJournal],
    truth: &Truth,
    rules: &Rules,
) -> Vec<Sin> {
    let mut checker = Checker {
        rules,
        sins: Vec::new(),
        moves: BTreeMap::new(),
        said: BTreeMap::new(),
        epochs: BTreeMap::new(),
        ids: BTreeMap::new(),
        acknowledged: Vec::new(),
        order: BTreeMap::new(),
    };
    checker.take_truth(truth);
    for journal in base {
        checker.take_base(journal);
    }
    for journal in journals {
        Replay::new(journal).run(&mut checker);
    }
    checker.check_kept(truth);
    checker.check_acknowledged(truth);
    checker.check_texts();
    let places = checker.places();
    for journal in base {
        checker.check_base(journal, &places);
    }
    for journal in journals {
        checker.check_presence(journal);
    }
    checker.sins
}

impl Checker<'_> {
    pub(crate) fn sin(&mut self, kind: Kind, at: Option<(&str, usize)>, what: String) {
        let at = at.map(|(name, place)| (name.to_owned(), place));
        self.sins.push(Sin { kind, what, at });
    }

    /// What is kept is without gaps, up to the end, and from the beginning if all is kept.
    fn take_truth(&mut self, truth: &Truth) {
        for (&room, kept) in truth {
            self.epochs.insert(room, kept.epoch.clone());
            let seqs: Vec<u64> = kept.events.iter().map(|said| said.seq).collect();
            if !is_run_to(&seqs, kept.seq) {
                self.sin(Kind::Gap, None, format!("room {room} ends at {}: {seqs:?}", kept.seq));
            }
            let least =
                self.rules.kept.map_or(kept.seq, |kept_at_least| kept_at_least.min(kept.seq));
            if (seqs.len() as u64) < least {
                let len = seqs.len();
                self.sin(Kind::Lost, None, format!("of room {room} only {len} are kept"));
            }
            for said in &kept.events {
                self.take_said(room, said, None);
            }
        }
    }

    /// Somebody saw this said.
    pub(crate) fn take_said(&mut self, room: RoomId, said: &Said, at: Option<(&str, usize)>) {
        let known = self.said.entry((room, said.seq)).or_insert_with(|| said.clone());
        let same_ref = known.reference.is_none()
            || said.reference.is_none()
            || known.reference == said.reference;
        let is_same = (&known.what, &known.from, known.time) == (&said.what, &said.from, said.time);
        if !is_same || !same_ref {
            let what = format!("in room {room}: {known:?} and {said:?}");
            self.sin(Kind::Differs, at, what);
        }
    }

    /// An epoch of a room; whether it is the one that is known.
    pub(crate) fn take_epoch(&mut self, snapshot: &Snapshot, at: (&str, usize)) -> bool {
        let known = self.epochs.entry(snapshot.room).or_insert_with(|| snapshot.epoch.clone());
        let is_known = *known == snapshot.epoch;
        if !is_known {
            let what = format!("room {}: {known} and {}", snapshot.room, snapshot.epoch);
            self.sin(Kind::EpochChanged, Some(at), what);
        }
        is_known
    }

    /// This client was given this id.
    pub(crate) fn take_id(&mut self, id: UserId, name: &str, at: usize) {
        if let Some(other) = self.ids.insert(id, name.to_owned()) {
            self.sin(Kind::IdRepeated, Some((name, at)), format!("{id} is also {other}"));
        }
    }

    pub(crate) fn take_ack(&mut self, room: RoomId, said: &Said, at: (&str, usize)) {
        self.acknowledged.push((room, said.clone(), (at.0.to_owned(), at.1)));
    }

    /// This client sends this text, perhaps once more.
    pub(crate) fn take_sent(&mut self, name: &str, what: &str, number: usize) {
        self.order.entry(what.to_owned()).or_insert_with(|| (name.to_owned(), number));
    }

    fn take_base(&mut self, journal: &BaseJournal) {
        self.take_id(journal.user.id, &journal.name, 0);
        // It comes once, and goes at the latest with its connection.
        let moves = Moves { enters: 1, leaves: 1 };
        self.moves.insert((journal.user.id, journal.room), moves);
        // Each connection is a sender of its own: two may come through in any order.
        let sender = format!("{} as {}", journal.name, journal.user.id);
        for (place, seen) in journal.seen.iter().enumerate() {
            if let BaseSeen::Sends(what) = seen {
                self.take_sent(&sender, what, place);
            }
        }
    }

    /// What anyone saw is kept, as far as anything so old is.
    fn check_kept(&mut self, truth: &Truth) {
        let lost: Vec<String> = self
            .said
            .iter()
            .filter(|((room, seq), _)| truth.get(room).is_some_and(|kept| !kept.has(*seq)))
            .map(|((room, _), said)| format!("in room {room}: {said:?}"))
            .collect();
        for what in lost {
            self.sin(Kind::Lost, None, what);
        }
    }

    fn check_acknowledged(&mut self, truth: &Truth) {
        for (room, said, (name, place)) in std::mem::take(&mut self.acknowledged) {
            let kept = truth.get(&room).and_then(|kept| kept.at(said.seq));
            let is_too_old = truth.get(&room).is_some_and(|kept| said.seq < kept.first());
            if !is_too_old && kept.is_none_or(|kept| kept.what != said.what) {
                let what =
                    format!("{said:?} was acknowledged in room {room}, and {kept:?} is kept");
                self.sin(Kind::AckLost, Some((&name, place)), what);
            }
        }
    }

    /// No text is there twice, and those of one sender are in its order.
    fn check_texts(&mut self) {
        let mut places: BTreeMap<&str, (RoomId, u64)> = BTreeMap::new();
        let mut last: BTreeMap<(RoomId, &str), (usize, u64)> = BTreeMap::new();
        let mut sins = Vec::new();
        for (&(room, seq), said) in &self.said {
            if let Some((other_room, other)) = places.insert(&said.what, (room, seq)) {
                let what = format!("{:?}: {other_room}/{other} and {room}/{seq}", said.what);
                sins.push((Kind::Doubled, what));
                continue;
            }
            let Some((name, number)) = self.order.get(&said.what) else { continue };
            if let Some((before, other)) = last.insert((room, name), (*number, seq))
                && before > *number
            {
                let what =
                    format!("of {name} in room {room}: what it said later is at {other}, {said:?}");
                sins.push((Kind::Reordered, what));
            }
        }
        for (kind, what) in sins {
            self.sin(kind, None, what);
        }
    }

    /// Others saw nobody come or go more often than he did.
    fn check_presence(&mut self, journal: &Journal) {
        let mut seen: BTreeMap<(UserId, RoomId), Moves> = BTreeMap::new();
        for (place, event) in journal.seen.iter().enumerate() {
            let (room, user, is_entering) = match event {
                super::Seen::Entered { room, user } => (*room, user, true),
                super::Seen::Left { room, user } => (*room, user, false),
                _ => continue,
            };
            self.count_move(&mut seen, room, user, is_entering, (&journal.name, place));
        }
    }

    fn count_move(
        &mut self,
        seen: &mut BTreeMap<(UserId, RoomId), Moves>,
        room: RoomId,
        user: &Person,
        is_entering: bool,
        at: (&str, usize),
    ) {
        let made = self.moves.get(&(user.id, room)).copied().unwrap_or_default();
        let moves = seen.entry((user.id, room)).or_default();
        let (count, made, word) = if is_entering {
            (&mut moves.enters, made.enters, "enter")
        } else {
            (&mut moves.leaves, made.leaves, "leave")
        };
        *count += 1;
        if *count > made {
            let what = format!(
                "{user:?} was seen to {word} room {room} {count} times, and did so {made} times at most"
            );
            self.sin(Kind::Flicker, Some(at), what);
        }
    }

    fn places(&self) -> Places {
        let said = self.said.iter();
        said.map(|((room, seq), said)| ((*room, said.from.id, said.what.clone()), *seq)).collect()
    }

    /// What a client of the base protocol saw said is a run of what was said.
    fn check_base(&mut self, journal: &BaseJournal, places: &Places) {
        let mut last = None;
        let mut seen = BTreeMap::new();
        for (place, event) in journal.seen.iter().enumerate() {
            let at = (&journal.name[..], place);
            match event {
                BaseSeen::Sends(_) => {}
                BaseSeen::Entered(user) => {
                    self.count_move(&mut seen, journal.room, user, true, at);
                }
                BaseSeen::Left(user) => self.count_move(&mut seen, journal.room, user, false, at),
                BaseSeen::Told { from, what } => {
                    let place = (journal.room, from.id, what.clone());
                    let seq = places.get(&place).copied();
                    let (kind, problem) = match (last, seq) {
                        // Nobody else may have seen it before it was forgotten.
                        (_, None) if self.rules.kept.is_some() => continue,
                        (_, None) => (Kind::Lost, "is not kept".to_owned()),
                        (Some(last), Some(seq)) if seq <= last => {
                            (Kind::Reordered, format!("is {seq}, after {last}"))
                        }
                        (Some(last), Some(seq)) if seq > last + 1 && self.rules.kept.is_none() => {
                            (Kind::Gap, format!("is {seq}, after {last}"))
                        }
                        (_, Some(seq)) => {
                            last = Some(seq);
                            continue;
                        }
                    };
                    last = seq.or(last);
                    self.sin(
                        kind,
                        Some(at),
                        format!("{what:?} in room {} {problem}", journal.room),
                    );
                }
            }
        }
    }
}

impl super::Kept {
    /// The first seq that is kept.
    fn first(&self) -> u64 {
        self.events.first().map_or(self.seq + 1, |said| said.seq)
    }

    /// Whether it is kept, or too old to be.
    fn has(&self, seq: u64) -> bool {
        seq < self.first() || self.at(seq).is_some()
    }

    fn at(&self, seq: u64) -> Option<&Said> {
        let place = self.events.binary_search_by_key(&seq, |said| said.seq);
        place.ok().map(|place| &self.events[place])
    }
}

/// Whether these count up by one, and end at `end`.
pub(crate) fn is_run_to(seqs: &[u64], end: u64) -> bool {
    let counts_up = seqs.windows(2).all(|pair| pair[1] == pair[0] + 1);
    counts_up && seqs.last().is_none_or(|&last| last == end)
}
