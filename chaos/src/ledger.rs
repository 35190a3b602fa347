//! What all clients have sent and seen, and what is wrong with it. Pure: it is told everything, the time
//! included. Only the thread of the crowd uses it.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::frames::Said;
use crate::people::People;

pub type Room = u32;
pub type User = u64;
/// The number of a text, which counts over all clients and is in the text.
pub type Index = u32;

/// What a server can do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A text that was acknowledged or seen is not in the history.
    Lost,
    /// A text has two places.
    Doubled,
    /// Two texts were seen at one place.
    Differs,
    /// A text has another author, room, ref or content than it was sent with, or was never sent.
    Forged,
    /// Texts came in another order than that of their `seq`, or a sender's in another than it sent them.
    Reordered,
    /// A `seq` was left out.
    Gap,
    /// `complete` was true although a text was missing.
    FalseComplete,
    /// `reset`, or another epoch, although nothing was lost.
    EpochChanged,
    /// A session was not resumed that should have been.
    NotResumed,
    /// A resumed session has another user or room.
    Identity,
    /// Somebody was shown as left or away who was not, or not for long enough.
    Flap,
    /// Somebody entered who was there, or left who was not.
    Presence,
    /// A frame that the protocol does not allow here.
    Protocol,
    /// A valid request was refused for good.
    Refused,
    /// A connection was closed with a code that says that somebody is wrong.
    Closed,
    /// The cluster did not come back, or nodes do not agree.
    NotRecovered,
    /// A node tells of a defect of wschat, or of another state than that of the others.
    Defect,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Violation {
    pub kind: Kind,
    pub who: String,
    pub what: String,
    /// Milliseconds since the run began.
    pub at: u64,
}

/// What the cluster promises in this run.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether what was acknowledged may be lost, with a new epoch: if the log is not on the disk at once.
    pub may_lose: bool,
    /// Whether every text is in reach of every node at any time, so that `complete` must be true.
    pub is_all_kept: bool,
    /// How long a session waits to be resumed, and how long a node may be silent, in milliseconds.
    pub grace: u64,
    pub lease: u64,
}

/// How far a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Acknowledged,
    /// It was refused, and given up.
    Refused,
    /// Its session was lost before the answer.
    Unclear,
}

#[derive(Clone, Debug)]
pub struct Text {
    pub client: u32,
    pub author: User,
    pub room: Room,
    pub has_ref: bool,
    pub sent_at: u64,
    pub state: State,
    /// Where it was seen: epoch and seq.
    pub place: Option<(u16, u64)>,
    /// Whether the last audit found it.
    pub is_kept: bool,
}

/// How much was counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub texts: u64,
    pub acknowledged: u64,
    pub deliveries: u64,
    pub connections: u64,
    pub resumed: u64,
    pub new_sessions: u64,
    pub refused: u64,
    pub unclear: u64,
    pub incomplete: u64,
    pub replaced: u64,
    pub lost_where_allowed: u64,
    pub seen_away: u64,
    pub seen_leaving: u64,
    pub slow_consumers: u64,
    pub impatient: u64,
}

/// More violations than this are only counted.
const MAX_KEPT_VIOLATIONS: usize = 500;

type Places = Vec<Option<(Index, u64)>>;

#[derive(Debug)]
pub struct Ledger {
    pub rules: Rules,
    pub now: u64,
    pub people: People,
    pub counts: Counts,
    pub violations: Vec<Violation>,
    pub violation_count: BTreeMap<Kind, u64>,
    /// How many of the first clients are probes: each stays with one node, to see who hears whom.
    pub probes: u32,
    /// What a probe has just heard: from which one, when it was sent, and how long nothing had come.
    pub heard: Vec<(usize, u64, u64)>,
    last_heard: HashMap<(u32, u32), u64>,
    texts: Vec<Text>,
    epochs: Vec<String>,
    /// What was seen at each seq from 1 on, with its time; by epoch and room.
    places: HashMap<(u16, Room), Places>,
}

impl Ledger {
    pub fn new(rules: Rules, probes: u32) -> Self {
        Self {
            rules,
            now: 0,
            people: People::default(),
            counts: Counts::default(),
            violations: Vec::new(),
            violation_count: BTreeMap::new(),
            probes,
            heard: Vec::new(),
            last_heard: HashMap::new(),
            texts: Vec::new(),
            epochs: Vec::new(),
            places: HashMap::new(),
        }
    }

    pub fn violation(&mut self, kind: Kind, who: &str, what: impl Into<String>) {
        *self.violation_count.entry(kind).or_default() += 1;
        if self.violations.len() < MAX_KEPT_VIOLATIONS {
            let (who, what) = (who.to_owned(), what.into());
            self.violations.push(Violation { kind, who, what, at: self.now });
        }
    }

    /// Takes a new text; returns its number, of which [`body`] makes the text.
    pub fn send(&mut self, client: u32, author: User, room: Room, has_ref: bool) -> Index {
        self.counts.texts += 1;
        self.texts.push(Text {
            client,
            author,
            room,
            has_ref,
            sent_at: self.now,
            state: State::Pending,
            place: None,
            is_kept: false,
        });
        Index::try_from(self.texts.len() - 1).expect("fewer than 2³² texts")
    }

    pub fn text(&self, index: Index) -> &Text {
        &self.texts[index as usize]
    }

    pub fn acknowledge(&mut self, index: Index) {
        let text = &mut self.texts[index as usize];
        if text.state != State::Acknowledged {
            text.state = State::Acknowledged;
            self.counts.acknowledged += 1;
        }
    }

    /// Whether the text with this `ref` has been acknowledged.
    pub fn is_acknowledged(&self, reference: &str) -> bool {
        let index = reference.strip_prefix('r').and_then(|index| index.parse::<usize>().ok());
        let text = index.and_then(|index| self.texts.get(index));
        text.is_some_and(|text| text.state == State::Acknowledged)
    }

    pub fn give_up(&mut self, index: Index, state: State) {
        let text = &mut self.texts[index as usize];
        if text.state == State::Pending {
            text.state = state;
            self.counts.unclear += u64::from(state == State::Unclear);
        }
    }

    /// The number of an epoch. The first one is that of the run; another one means that something was lost.
    pub fn epoch(&mut self, who: &str, name: &str) -> u16 {
        let known = self.epochs.iter().position(|epoch| epoch == name);
        let number = known.unwrap_or(self.epochs.len());
        if known.is_none() {
            self.epochs.push(name.to_owned());
            if number > 0 && !self.rules.may_lose {
                let what = format!("{:?} after {:?}", name, self.epochs[number - 1]);
                self.violation(Kind::EpochChanged, who, what);
            }
        }
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    pub fn has_lost(&self) -> bool {
        self.epochs.len() > 1
    }

    /// Takes a text that somebody of wschat.v2 was shown at this place. Returns its number if it is one
    /// that was sent.
    pub fn saw(&mut self, who: &str, epoch: u16, said: &Said<'_>) -> Option<Index> {
        let index = self.identify(who, said.room, said.from.id, &said.from.name, &said.text)?;
        let text = &self.texts[index as usize];
        let reference = text.has_ref.then(|| reference(index));
        if said.reference.as_deref() != reference.as_deref() {
            self.violation(Kind::Forged, who, format!("{said:?} instead of ref {reference:?}"));
        }
        self.place(who, epoch, said, index);
        Some(index)
    }

    /// Finds a text by its content, and checks the rest that clients of both protocols see.
    pub fn identify(
        &mut self,
        who: &str,
        room: Room,
        author: User,
        name: &str,
        content: &str,
    ) -> Option<Index> {
        let index = content.split(' ').next().and_then(|number| number.parse::<Index>().ok());
        let known =
            index.and_then(|index| self.texts.get(index as usize).map(|text| (index, text)));
        let Some((index, text)) = known else {
            self.violation(Kind::Forged, who, format!("{content:?} was never sent"));
            return None;
        };
        let is_same = (text.room, text.author) == (room, author)
            && *content == body(index)
            && name.strip_prefix("User ").and_then(|id| id.parse().ok()) == Some(author);
        if !is_same {
            let what =
                format!("{content:?} of {author} {name:?} in room {room} was sent as {text:?}");
            self.violation(Kind::Forged, who, what);
            return None;
        }
        Some(index)
    }

    /// A client has just heard a text for the first time: if both are probes, this says who hears whom.
    pub fn note_probe(&mut self, client: u32, index: Index) {
        let Text { client: from, sent_at, .. } = self.texts[index as usize];
        if client < self.probes && from < self.probes {
            let last = self.last_heard.insert((from, client), self.now).unwrap_or(self.now);
            self.heard.push((from as usize, sent_at, self.now - last));
        }
    }

    fn place(&mut self, who: &str, epoch: u16, said: &Said<'_>, index: Index) {
        let Ok(seq) = usize::try_from(said.seq) else { return };
        let places = self.places.entry((epoch, said.room)).or_default();
        if seq == 0 {
            return self.violation(Kind::Protocol, who, format!("seq 0: {said:?}"));
        }
        if places.len() < seq {
            places.resize(seq, None);
        }
        let place = &mut places[seq - 1];
        let known = *place.get_or_insert((index, said.time));
        if known != (index, said.time) {
            let what = format!(
                "room {} seq {seq}: text {} of {}, and text {index} of {}",
                said.room, known.0, known.1, said.time
            );
            return self.violation(Kind::Differs, who, what);
        }
        let before = self.texts[index as usize].place.replace((epoch, said.seq));
        if let Some((known_epoch, known_seq)) = before
            && known_epoch == epoch
            && known_seq != said.seq
        {
            let what = format!("text {index} in room {}: {known_seq} and {seq}", said.room);
            self.violation(Kind::Doubled, who, what);
        }
    }

    /// Takes a text that an audit of this node has read.
    pub fn audited(&mut self, node: &str, epoch: u16, said: &Said<'_>) {
        if let Some(index) = self.saw(node, epoch, said) {
            self.texts[index as usize].is_kept = true;
        }
    }

    /// Checks that each text which somebody saw or which was acknowledged was found by an audit since
    /// [`audited`](Self::audited) began; `oldest` is the oldest seq that each room still has.
    pub fn close_audit(&mut self, node: &str, epoch: u16, oldest: &BTreeMap<Room, u64>) {
        let mut lost = Vec::new();
        for (index, text) in self.texts.iter_mut().enumerate() {
            let is_kept = std::mem::take(&mut text.is_kept);
            let is_old = |seq| oldest.get(&text.room).is_some_and(|&oldest| seq < oldest);
            let was_there = text.place.is_some() || text.state == State::Acknowledged;
            if is_kept || !was_there || text.place.is_some_and(|(_, seq)| is_old(seq)) {
                continue;
            }
            let is_allowed =
                self.rules.may_lose && text.place.is_none_or(|(seen_in, _)| seen_in != epoch);
            lost.push((index, text.clone(), is_allowed));
        }
        for (index, text, is_allowed) in lost {
            if is_allowed {
                self.counts.lost_where_allowed += 1;
            } else {
                self.violation(Kind::Lost, node, format!("text {index} is not kept: {text:?}"));
            }
        }
    }

    /// The seq of a text, if it was seen in the latest epoch.
    pub fn seq_of(&self, index: Index) -> Option<(u16, u64)> {
        self.text(index).place
    }

    /// The largest seq that was seen in a room.
    pub fn last_seq(&self, epoch: u16, room: Room) -> u64 {
        self.places.get(&(epoch, room)).map_or(0, |places| places.len() as u64)
    }
}

/// The ref of a text.
pub fn reference(index: Index) -> String {
    format!("r{index}")
}

/// What is said. It begins with the number, and has what needs escapes now and then.
pub fn body(index: Index) -> String {
    const REST: [&str; 8] = [
        "is here",
        "says \"hello\"",
        "asks: who reads all of this, and at which node?",
        "grüßt 👋🏽",
        "x",
        "has a \\ and a /",
        "goes\non in a second line",
        "says nothing else that is of interest, but does so in a rather long sentence that has no end",
    ];
    format!("{index} {}", REST[index as usize % REST.len()])
}
