//! One client of wschat.v2: what it says when, and what it expects to be shown. It is told each frame and
//! returns the requests to send; it has no socket and no clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod shown;

use crate::frames::{Move, Refusal, Said, Snapshot, Welcome, kind};
use crate::ledger::{self, Index, Kind, Ledger, Room, State, User};

/// What happens to a client that its connection has to do.
#[derive(Debug, Default)]
pub struct Doings {
    /// Requests to send.
    pub requests: Vec<String>,
    /// When it wants to send again what was refused.
    pub retry_at: Option<u64>,
}

#[derive(Debug)]
struct Pending {
    index: Index,
    room: Room,
    /// When it was sent last on this connection; `None`: not yet.
    sent_at: Option<u64>,
    /// Whether it may be behind later ones, since it was refused or sent again.
    is_late: bool,
}

/// How far a client has read a room.
#[derive(Clone, Debug)]
struct Position {
    epoch: String,
    seq: u64,
    time: Option<u64>,
}

#[derive(Debug)]
struct Listening {
    room: Room,
    epoch: u16,
    last: u64,
    /// Who is there; `None` if there are too many to be shown.
    members: Option<BTreeSet<User>>,
}

/// What a client does beyond talking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    pub wants_presence: bool,
    /// It changes its room now and then.
    pub is_restless: bool,
}

#[derive(Debug)]
pub struct V2 {
    pub name: String,
    client: u32,
    pub user: User,
    secret: Option<String>,
    epoch: String,
    /// The rooms that its user may be in, as far as the server may know.
    may_be_in: BTreeSet<Option<Room>>,
    /// The room that it wants to be in.
    pub room: Room,
    /// It was refused there for the moment, and may still be in another one.
    must_enter: bool,
    listening: Option<Listening>,
    positions: BTreeMap<Room, Position>,
    since: Option<Position>,
    pending: VecDeque<Pending>,
    /// The texts that it has sent more than once, as their `ref`s.
    resent: BTreeSet<String>,
    pub habits: Habits,
    /// Whether this connection has had its welcome.
    is_welcome: bool,
    /// When its last connection ended.
    gone_at: Option<u64>,
    /// Connections that it gave up before the welcome: the server may take them up later.
    abandoned: u32,
    is_plain: bool,
}

impl V2 {
    pub fn new(client: u32, room: Room) -> Self {
        Self {
            name: format!("client {client}"),
            client,
            user: 0,
            secret: None,
            epoch: String::new(),
            may_be_in: BTreeSet::from([None]),
            room,
            must_enter: false,
            listening: None,
            positions: BTreeMap::new(),
            since: None,
            pending: VecDeque::new(),
            resent: BTreeSet::new(),
            habits: Habits::default(),
            is_welcome: false,
            gone_at: None,
            abandoned: 0,
            is_plain: true,
        }
    }

    /// The subprotocols that it offers.
    pub fn offer(&self) -> String {
        match &self.secret {
            Some(secret) => format!("wschat.v2, session.{secret}"),
            None => "wschat.v2".to_owned(),
        }
    }

    pub fn is_ready(&self, window: usize) -> bool {
        self.is_in_its_room() && self.pending.len() < window
    }

    pub fn is_listening(&self) -> bool {
        self.listening.is_some()
    }

    fn is_in_its_room(&self) -> bool {
        self.is_listening() && !self.must_enter
    }

    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// When the oldest unanswered text was sent on this connection.
    pub fn waits_since(&self) -> Option<u64> {
        self.pending.iter().filter_map(|pending| pending.sent_at).min()
    }

    /// Says something new.
    pub fn say(&mut self, ledger: &mut Ledger) -> String {
        let index = ledger.send(self.client, self.user, self.room, true);
        let (room, sent_at) = (self.room, Some(ledger.now));
        self.pending.push_back(Pending { index, room, sent_at, is_late: false });
        request(index, room)
    }

    /// Sends what is pending again, in order.
    pub fn resend(&mut self, now: u64) -> Vec<String> {
        self.is_plain = false;
        let again = self.pending.iter_mut().map(|pending| {
            pending.sent_at = Some(now);
            pending.is_late = true;
            self.resent.insert(ledger::reference(pending.index));
            request(pending.index, pending.room)
        });
        again.collect()
    }

    /// Enters a room: its own again, or another.
    pub fn enter(&mut self, room: Room) -> String {
        self.room = room;
        self.may_be_in.insert(Some(room));
        self.since = self.positions.get(&room).cloned();
        let since = self.since.as_ref().map(|position| {
            let time = position.time.map(|time| format!(r#","time":{time}"#)).unwrap_or_default();
            let Position { epoch, seq, .. } = position;
            format!(r#","since":{{"epoch":"{epoch}","seq":{seq}{time}}}"#)
        });
        let since = since.unwrap_or_default();
        format!(r#"{{"type":"enter_room","roomId":{room}{since},"ref":"e"}}"#)
    }

    /// The connection has ended. `is_own`: by itself, or because of it.
    pub fn gone(&mut self, is_own: bool, ledger: &mut Ledger) {
        // Before the welcome, too, the server may have taken the user up already.
        ledger.people.departed(self.user, is_own, ledger.now);
        if self.is_welcome {
            self.gone_at.get_or_insert(ledger.now);
        } else {
            self.abandoned += 1;
        }
        self.is_welcome = false;
        self.must_enter = false;
        self.listening = None;
        for pending in &mut self.pending {
            pending.sent_at = None;
        }
    }

    /// Whether it may have been replaced by a connection that it gave up.
    pub fn was_overtaken(&mut self) -> bool {
        let was = self.abandoned > 0;
        self.abandoned = self.abandoned.saturating_sub(1);
        was
    }

    /// Handles a frame that it got at this node.
    pub fn take(&mut self, frame: &str, node: usize, ledger: &mut Ledger, out: &mut Doings) {
        let known = match kind(frame) {
            "text" => read(frame).map(|said| self.told(&said, ledger)),
            "enter_room" => read(frame).map(|step| self.entered(&step, ledger)),
            "leave_room" => read(frame).map(|step| self.left(&step, ledger)),
            "presence" => read(frame).map(|presence| self.presence(&presence, ledger)),
            "welcome" => read(frame).map(|welcome| self.welcome(&welcome, node, ledger, out)),
            "room" => read(frame).map(|snapshot| self.snapshot(&snapshot, ledger, out)),
            "error" => read(frame).map(|refusal| self.refused(&refusal, frame, ledger, out)),
            "hello" => Ok(()),
            kind => Err(format!("unexpected {kind:?}")),
        };
        if let Err(error) = known {
            ledger.violation(Kind::Protocol, &self.name, format!("{error}: {frame}"));
        }
    }

    fn welcome(&mut self, new: &Welcome<'_>, node: usize, ledger: &mut Ledger, out: &mut Doings) {
        ledger.counts.connections += 1;
        self.is_welcome = true;
        self.is_plain = true;
        if self.epoch != new.epoch {
            self.epoch = new.epoch.to_string();
            self.positions.clear();
        }
        ledger.epoch(&self.name, &new.epoch);
        if new.resumed {
            ledger.counts.resumed += 1;
            if self.secret.as_deref() != Some(&new.session) || self.user != new.user.id {
                let what = format!("{new:?}, and was {} with {:?}", self.user, self.secret);
                ledger.violation(Kind::Identity, &self.name, what);
            }
            // Where something was lost, it may be back where it was before.
            if !self.may_be_in.contains(&new.room_id) && !ledger.has_lost() {
                let what = format!("in room {:?}, not {:?}", new.room_id, self.may_be_in);
                ledger.violation(Kind::Identity, &self.name, what);
            }
        } else {
            self.begin_anew(new, ledger);
        }
        self.may_be_in = BTreeSet::from([new.room_id]);
        self.gone_at = None;
        ledger.people.arrived(self.user, node, false, self.habits.is_restless, ledger.now);
        if self.habits.wants_presence {
            out.requests.push(r#"{"type":"hello","features":["presence"]}"#.to_owned());
        }
        out.requests.push(self.enter(self.room));
        // Half of the clients send again at once, before they are told what was said.
        if self.client.is_multiple_of(2) && new.resumed && new.room_id == Some(self.room) {
            out.requests.extend(self.resend(ledger.now));
        }
    }

    /// It has a new session: what is pending may or may not have been said.
    fn begin_anew(&mut self, new: &Welcome<'_>, ledger: &mut Ledger) {
        ledger.counts.new_sessions += 1;
        if self.secret.is_some() {
            let away = self.gone_at.map_or(0, |at| ledger.now - at.min(ledger.now));
            if away + 1_500 < ledger.rules.grace && !ledger.has_lost() {
                let what = format!("{new:?} after {away} ms, and was {}", self.user);
                ledger.violation(Kind::NotResumed, &self.name, what);
            }
            ledger.people.ended(self.user);
        }
        for pending in self.pending.drain(..) {
            ledger.give_up(pending.index, State::Unclear);
        }
        self.user = new.user.id;
        self.secret = Some(new.session.to_string());
    }

    fn snapshot(&mut self, room: &Snapshot<'_>, ledger: &mut Ledger, out: &mut Doings) {
        let id = room.room.id;
        if !self.may_be_in.contains(&Some(id)) {
            let what = format!("entered {id}, not one of {:?}", self.may_be_in);
            ledger.violation(Kind::Identity, &self.name, what);
        }
        self.may_be_in = BTreeSet::from([Some(id)]);
        let epoch = ledger.epoch(&self.name, &room.epoch);
        self.check_members(room, ledger);
        self.check_events(room, ledger);
        for said in &room.events {
            ledger.saw(&self.name, epoch, said);
            if said.from.id == self.user {
                self.acknowledge(said, true, ledger);
            }
        }
        let is_whole =
            room.user_count <= shown::SHOWN_MEMBERS && room.users.len() == room.user_count;
        let members = is_whole.then(|| room.users.iter().map(|user| user.id).collect());
        let time = room.events.last().map(|said| said.time);
        self.move_to(id, &room.epoch, room.seq, time);
        self.listening = Some(Listening { room: id, epoch, last: room.seq, members });
        self.must_enter = false;
        if self.pending.iter().any(|pending| pending.sent_at.is_none()) {
            out.requests.extend(self.resend(ledger.now));
        }
    }

    fn move_to(&mut self, room: Room, epoch: &str, seq: u64, time: Option<u64>) {
        let position = self.positions.entry(room).or_insert(Position {
            epoch: epoch.to_owned(),
            seq: 0,
            time: None,
        });
        if position.epoch != epoch || position.seq != seq || time.is_some() {
            position.time = time;
        }
        if position.epoch != epoch {
            epoch.clone_into(&mut position.epoch);
        }
        position.seq = seq;
    }

    fn told(&mut self, said: &Said<'_>, ledger: &mut Ledger) {
        ledger.counts.deliveries += 1;
        let is_own = said.from.id == self.user;
        let mut epoch = None;
        let mut is_echo = is_own;
        if let Some(listening) = &mut self.listening {
            epoch = Some(listening.epoch);
            is_echo = listening.room != said.room || said.seq <= listening.last;
            if is_echo && !is_own {
                let what = format!("{said:?} after {} of {}", listening.last, listening.room);
                ledger.violation(Kind::Reordered, &self.name, what);
            } else if !is_echo {
                if said.seq > listening.last + 1 {
                    let what = format!("{said:?} after {}", listening.last);
                    ledger.violation(Kind::Gap, &self.name, what);
                }
                listening.last = said.seq;
                let members = listening.members.as_ref();
                if members.is_some_and(|members| !members.contains(&said.from.id)) {
                    let what = format!("{said:?} of somebody who is not there");
                    ledger.violation(Kind::Presence, &self.name, what);
                }
            }
        } else if !is_own {
            ledger.violation(Kind::Protocol, &self.name, format!("{said:?} before entering"));
        }
        let epoch = epoch.unwrap_or_else(|| ledger.epoch(&self.name, &self.epoch));
        if !is_echo {
            let name = self.epoch.clone();
            self.move_to(said.room, &name, said.seq, Some(said.time));
        }
        if let Some(index) = ledger.saw(&self.name, epoch, said)
            && !is_echo
        {
            ledger.note_probe(self.client, index);
        }
        if is_own {
            self.acknowledge(said, is_echo, ledger);
        }
    }

    fn acknowledge(&mut self, said: &Said<'_>, is_repeated: bool, ledger: &mut Ledger) {
        let Some(reference) = said.reference.as_deref() else { return };
        let place =
            self.pending.iter().position(|pending| ledger::reference(pending.index) == reference);
        let Some(place) = place else { return };
        let is_late = is_repeated || !self.is_plain;
        if !is_late && self.pending.iter().take(place).any(|before| !before.is_late) {
            let what = format!("{said:?} came before an earlier text of its author");
            ledger.violation(Kind::Reordered, &self.name, what);
        }
        ledger.acknowledge(self.pending[place].index);
        self.pending.remove(place);
    }

    fn entered(&mut self, step: &Move<'_>, ledger: &mut Ledger) {
        let Some(listening) = &mut self.listening else { return };
        let is_new = listening.members.as_mut().is_none_or(|members| members.insert(step.user.id));
        if !is_new || step.user.id == self.user || listening.room != step.room {
            ledger.violation(Kind::Presence, &self.name, format!("who was there: {step:?}"));
        }
    }

    fn left(&mut self, step: &Move<'_>, ledger: &mut Ledger) {
        if step.user.id == self.user {
            self.may_be_in.insert(None);
            self.listening = None;
            return;
        }
        ledger.counts.seen_leaving += 1;
        if let Err(why) = ledger.people.may_leave(step.user.id, ledger.rules.grace, ledger.now) {
            let what = format!("{step:?}, who is there: {why}");
            ledger.violation(Kind::Flap, &self.name, what);
        }
        let Some(listening) = &mut self.listening else { return };
        let was = listening.members.as_mut().is_none_or(|members| members.remove(&step.user.id));
        if !was || listening.room != step.room {
            ledger.violation(Kind::Presence, &self.name, format!("who was not there: {step:?}"));
        }
    }

    fn refused(
        &mut self,
        refusal: &Refusal<'_>,
        frame: &str,
        ledger: &mut Ledger,
        out: &mut Doings,
    ) {
        ledger.counts.refused += 1;
        let reference = refusal.reference.as_deref().unwrap_or_default();
        let place =
            self.pending.iter().position(|pending| ledger::reference(pending.index) == reference);
        let is_passing = match &*refusal.code {
            "not_saved" | "not_readable" | "rate_limited" => true,
            // It was on its way when the room was refused.
            code => code == "not_in_room" && self.must_enter,
        };
        match (&*refusal.code, place) {
            (_, Some(place)) if is_passing => {
                let pending = &mut self.pending[place];
                (pending.sent_at, pending.is_late) = (None, true);
                // One in eight is never sent again.
                if pending.index.is_multiple_of(8) && refusal.code == "not_saved" && self.is_plain {
                    ledger.give_up(pending.index, State::Refused);
                    self.pending.remove(place);
                }
                out.retry_at = Some(ledger.now + 150 + u64::from(self.client % 16) * 25);
            }
            (_, None) if is_passing && reference == "e" => {
                self.must_enter = true;
                out.retry_at = Some(ledger.now + 200);
            }
            // It was sent again after a cut, while the log was away. What was sent first has come back in the meantime.
            ("not_saved", None)
                if self.resent.contains(reference) && ledger.is_acknowledged(reference) => {}
            ("already_said", Some(place)) => {
                let Pending { index, room, .. } = self.pending[place];
                ledger.acknowledge(index);
                self.pending.remove(place);
                let seq = ledger.seq_of(index).map(|(_, seq)| seq);
                if refusal.room_id != Some(room) || seq.is_some() && refusal.seq != seq {
                    let what = format!("text {index} is at {seq:?} in room {room}: {frame}");
                    ledger.violation(Kind::Differs, &self.name, what);
                }
            }
            _ => {
                ledger.violation(Kind::Refused, &self.name, frame);
                if let Some(place) = place {
                    ledger.give_up(self.pending[place].index, State::Refused);
                    self.pending.remove(place);
                }
            }
        }
    }

    /// What it sends when the time for another attempt has come.
    pub fn retry(&mut self, now: u64) -> Vec<String> {
        if self.is_in_its_room() { self.resend(now) } else { vec![self.enter(self.room)] }
    }
}

fn read<'a, T: serde::Deserialize<'a>>(frame: &'a str) -> Result<T, String> {
    serde_json::from_str(frame).map_err(|error| error.to_string())
}

fn request(index: Index, room: Room) -> String {
    let text = serde_json::to_string(&ledger::body(index)).expect("a string");
    let reference = ledger::reference(index);
    format!(r#"{{"type":"text","text":{text},"roomId":{room},"ref":"{reference}"}}"#)
}
