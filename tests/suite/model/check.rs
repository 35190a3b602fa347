//! Checks that the journals of several clients are consistent with each other and with the history at
//! the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::replay::Replay;
use super::{BaseJournal, BaseSeen, Journal, Person, RoomId, Said, Snapshot, Truth, UserId};

/// The kinds of faults that a server can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Somebody saw a message that is not in the history.
    Lost,
    /// A message that was acknowledged to its sender is not in the history at that seq.
    AckLost,
    /// A text occurs twice.
    Doubled,
    /// Clients saw different orders, or the texts of one sender are not in its order.
    Reordered,
    /// A `seq` is missing.
    Gap,
    /// Clients saw different messages at the same `seq`.
    Differs,
    /// `complete` is wrong.
    FalseComplete,
    /// The epoch changed although nothing was lost.
    EpochChanged,
    /// A session that should have been resumed was not.
    NotResumed,
    /// A resumed session has another user, name or room.
    Identity,
    /// Two users have the same id.
    IdRepeated,
    /// Others saw a user enter or leave who did not.
    FalsePresence,
    /// The members that a client was shown are wrong.
    WrongMembers,
    /// A valid request was refused, or an unrequested message arrived.
    Refused,
}

/// A fault that was found.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    pub(crate) what: String,
    /// The client that saw it, and the index in its journal.
    pub(crate) at: Option<(String, usize)>,
}

/// What the server guarantees in this run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// At least this many messages of each room are kept; `None`: all.
    pub(crate) kept: Option<u64>,
    /// Whether the missed messages may exceed what fits into one frame.
    pub(crate) is_narrow: bool,
    /// Whether the disk may fail, so that texts may be refused for a while.
    pub(crate) may_fail: bool,
    /// `historyOnEnter`.
    pub(crate) on_enter: u64,
    /// The users who entered each room before the journals begin, and never left.
    pub(crate) stayers: BTreeMap<RoomId, BTreeSet<UserId>>,
}

/// How often a user entered and left a room.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moves {
    pub(crate) enters: u32,
    pub(crate) leaves: u32,
}

/// The state of the check over all journals.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) violations: Vec<Violation>,
    /// How often each user entered and left each room at most, by its own journal.
    pub(crate) moves: BTreeMap<(UserId, RoomId), Moves>,
    /// Every message that somebody saw.
    said: BTreeMap<(RoomId, u64), Said>,
    epochs: BTreeMap<RoomId, String>,
    /// The client of each user id.
    ids: BTreeMap<UserId, String>,
    /// The acknowledged messages, each with the client and the index in its journal.
    acknowledged: Vec<(RoomId, Said, (String, usize))>,
    /// Each text's sender and position in the order of sending.
    order: BTreeMap<String, (String, usize)>,
}

/// The seq of each text, by room and author.
type Seqs = HashMap<(RoomId, UserId, String), u64>;

/// All faults in what these clients saw. `truth` is the history at the end.
pub(crate) fn check(
    journals: &[Journal],
    base: &[BaseJournal],
    truth: &Truth,
    rules: &Rules,
) -> Vec<Violation> {
    let mut checker = Checker {
        rules,
        violations: Vec::new(),
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
    let seqs = checker.seqs();
    for journal in base {
        checker.check_base(journal, &seqs);
    }
    for journal in journals {
        checker.check_presence(journal);
    }
    checker.violations
}

impl Checker<'_> {
    pub(crate) fn violation(&mut self, kind: Kind, at: Option<(&str, usize)>, what: String) {
        let at = at.map(|(name, place)| (name.to_owned(), place));
        self.violations.push(Violation { kind, what, at });
    }

    /// Takes the history, which must have no gaps, reach the last seq, and hold as much as the rules
    /// say.
    fn take_truth(&mut self, truth: &Truth) {
        for (&room, kept) in truth {
            self.epochs.insert(room, kept.epoch.clone());
            let seqs: Vec<u64> = kept.events.iter().map(|said| said.seq).collect();
            if !is_run_to(&seqs, kept.seq) {
                self.violation(
                    Kind::Gap,
                    None,
                    format!("room {room} ends at {}: {seqs:?}", kept.seq),
                );
            }
            let least =
                self.rules.kept.map_or(kept.seq, |kept_at_least| kept_at_least.min(kept.seq));
            if (seqs.len() as u64) < least {
                let len = seqs.len();
                self.violation(
                    Kind::Lost,
                    None,
                    format!("only {len} messages of room {room} are kept"),
                );
            }
            for said in &kept.events {
                self.take_said(room, said, None);
            }
        }
    }

    /// Takes a message that somebody saw.
    pub(crate) fn take_said(&mut self, room: RoomId, said: &Said, at: Option<(&str, usize)>) {
        let known = self.said.entry((room, said.seq)).or_insert_with(|| said.clone());
        let same_ref = known.reference.is_none()
            || said.reference.is_none()
            || known.reference == said.reference;
        let is_same = (&known.what, &known.from, known.time) == (&said.what, &said.from, said.time);
        if !is_same || !same_ref {
            let what = format!("in room {room}: {known:?} and {said:?}");
            self.violation(Kind::Differs, at, what);
        }
    }

    /// Takes the epoch of a room; whether it is the known one.
    pub(crate) fn take_epoch(&mut self, snapshot: &Snapshot, at: (&str, usize)) -> bool {
        let known = self.epochs.entry(snapshot.room).or_insert_with(|| snapshot.epoch.clone());
        let is_known = *known == snapshot.epoch;
        if !is_known {
            let what = format!("room {}: {known} and {}", snapshot.room, snapshot.epoch);
            self.violation(Kind::EpochChanged, Some(at), what);
        }
        is_known
    }

    /// Takes the id that this client was given.
    pub(crate) fn take_id(&mut self, id: UserId, name: &str, at: usize) {
        if let Some(other) = self.ids.insert(id, name.to_owned()) {
            self.violation(Kind::IdRepeated, Some((name, at)), format!("{id} is also {other}"));
        }
    }

    pub(crate) fn take_ack(&mut self, room: RoomId, said: &Said, at: (&str, usize)) {
        self.acknowledged.push((room, said.clone(), (at.0.to_owned(), at.1)));
    }

    /// Takes a text that this client sends, perhaps again.
    pub(crate) fn take_sent(&mut self, name: &str, what: &str, number: usize) {
        self.order.entry(what.to_owned()).or_insert_with(|| (name.to_owned(), number));
    }

    fn take_base(&mut self, journal: &BaseJournal) {
        if !journal.has_moved {
            self.take_id(journal.user.id, &journal.name, 0);
        }
        // It enters once, and leaves at the latest when its connection ends.
        let moves = self.moves.entry((journal.user.id, journal.room)).or_default();
        (moves.enters, moves.leaves) = (moves.enters + 1, moves.leaves + 1);
        // Each connection counts as a sender: the order between two connections is not defined.
        let sender = format!("{} as {}", journal.name, journal.user.id);
        for (place, seen) in journal.seen.iter().enumerate() {
            if let BaseSeen::Sends(what) = seen {
                // A text ends in its number, which counts on when the client changes its room.
                let number = what.rsplit(':').next().and_then(|number| number.parse().ok());
                self.take_sent(&sender, what, number.unwrap_or(place));
            }
        }
    }

    /// Everything that somebody saw is in the history, unless it is older than the oldest kept.
    fn check_kept(&mut self, truth: &Truth) {
        let lost: Vec<String> = self
            .said
            .iter()
            .filter(|((room, seq), _)| truth.get(room).is_some_and(|kept| !kept.has(*seq)))
            .map(|((room, _), said)| format!("in room {room}: {said:?}"))
            .collect();
        for what in lost {
            self.violation(Kind::Lost, None, what);
        }
    }

    fn check_acknowledged(&mut self, truth: &Truth) {
        for (room, said, (name, place)) in std::mem::take(&mut self.acknowledged) {
            let kept = truth.get(&room).and_then(|kept| kept.at(said.seq));
            let is_too_old = truth.get(&room).is_some_and(|kept| said.seq < kept.first());
            if !is_too_old && kept.is_none_or(|kept| kept.what != said.what) {
                let what =
                    format!("{said:?} was acknowledged in room {room}, and {kept:?} is kept");
                self.violation(Kind::AckLost, Some((&name, place)), what);
            }
        }
    }

    /// No text occurs twice, and those of each sender are in its order.
    fn check_texts(&mut self) {
        let mut places: BTreeMap<&str, (RoomId, u64)> = BTreeMap::new();
        let mut last: BTreeMap<(RoomId, &str), (usize, u64)> = BTreeMap::new();
        let mut violations = Vec::new();
        for (&(room, seq), said) in &self.said {
            if let Some((other_room, other)) = places.insert(&said.what, (room, seq)) {
                let what = format!("{:?}: {other_room}/{other} and {room}/{seq}", said.what);
                violations.push((Kind::Doubled, what));
                continue;
            }
            let Some((name, number)) = self.order.get(&said.what) else { continue };
            if let Some((before, other)) = last.insert((room, name), (*number, seq))
                && before > *number
            {
                let what = format!(
                    "of {name} in room {room}: a later text is at {other}, before {said:?}"
                );
                violations.push((Kind::Reordered, what));
            }
        }
        for (kind, what) in violations {
            self.violation(kind, None, what);
        }
    }

    /// Nobody was seen to enter or leave more often than they did.
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
            self.violation(Kind::FalsePresence, Some(at), what);
        }
    }

    fn seqs(&self) -> Seqs {
        let said = self.said.iter();
        said.map(|((room, seq), said)| ((*room, said.from.id, said.what.clone()), *seq)).collect()
    }

    /// What a client of the base protocol was told is a gapless run of the messages.
    fn check_base(&mut self, journal: &BaseJournal, seqs: &Seqs) {
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
                    let key = (journal.room, from.id, what.clone());
                    let seq = seqs.get(&key).copied();
                    let (kind, problem) = match (last, seq) {
                        // It may be no longer kept, and nobody else saw it.
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
                    self.violation(
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
    /// The oldest seq that is kept.
    fn first(&self) -> u64 {
        self.events.first().map_or(self.seq + 1, |said| said.seq)
    }

    /// Whether the message is kept, or older than the oldest kept.
    fn has(&self, seq: u64) -> bool {
        seq < self.first() || self.at(seq).is_some()
    }

    fn at(&self, seq: u64) -> Option<&Said> {
        let place = self.events.binary_search_by_key(&seq, |said| said.seq);
        place.ok().map(|place| &self.events[place])
    }
}

/// Whether these count up by one and end at `end`.
pub(crate) fn is_run_to(seqs: &[u64], end: u64) -> bool {
    let counts_up = seqs.windows(2).all(|pair| pair[1] == pair[0] + 1);
    counts_up && seqs.last().is_none_or(|&last| last == end)
}
