//! One client of the base protocol: what it says when, and what it expects to be shown. It is a new user
//! on each connection, and its texts have no `ref`: each is sent once, and again only if it was refused.

use std::collections::BTreeMap;

use crate::frames::{BaseSaid, Move, Person, Refusal, Welcome, kind};
use crate::ledger::{self, Index, Kind, Ledger, Room, State, User};
use crate::v2::Doings;

/// What it was told during one stay in a room.
#[derive(Debug)]
struct Stay {
    room: Room,
    heard: Vec<Index>,
}

#[derive(Debug)]
pub struct Base {
    pub name: String,
    client: u32,
    pub user: User,
    pub room: Room,
    is_in: bool,
    /// Whom it has seen in its room (true), and whom it has seen leave it.
    seen: BTreeMap<User, bool>,
    stays: Vec<Stay>,
    pending: Option<(Index, Option<u64>)>,
    is_welcome: bool,
}

impl Base {
    pub fn new(client: u32, room: Room) -> Self {
        Self {
            name: format!("base client {client}"),
            client,
            user: 0,
            room,
            is_in: false,
            seen: BTreeMap::new(),
            stays: Vec::new(),
            pending: None,
            is_welcome: false,
        }
    }

    pub fn is_ready(&self) -> bool {
        self.is_in && self.pending.is_none()
    }

    pub fn is_listening(&self) -> bool {
        self.is_in
    }

    pub fn waits_since(&self) -> Option<u64> {
        self.pending.and_then(|(_, sent_at)| sent_at)
    }

    pub fn say(&mut self, ledger: &mut Ledger) -> String {
        let index = ledger.send(self.client, self.user, self.room, false);
        self.pending = Some((index, Some(ledger.now)));
        request(index)
    }

    /// Sends again what was refused: nobody was told of it.
    pub fn retry(&mut self, now: u64) -> Vec<String> {
        let Some((index, sent_at @ None)) = &mut self.pending else { return Vec::new() };
        *sent_at = Some(now);
        vec![request(*index)]
    }

    /// The connection has ended, and with it its user.
    pub fn gone(&mut self, ledger: &mut Ledger) {
        if let Some((index, _)) = self.pending.take() {
            ledger.give_up(index, State::Unclear);
        }
        if self.is_welcome {
            ledger.people.departed(self.user, true, ledger.now);
        }
        (self.is_welcome, self.is_in) = (false, false);
    }

    pub fn take(&mut self, frame: &str, node: usize, ledger: &mut Ledger, out: &mut Doings) {
        let known = match kind(frame) {
            "text" => read(frame).map(|said| self.told(&said, frame, ledger)),
            "enter_room" => read(frame).map(|step| self.entered(&step, frame, ledger)),
            "leave_room" => read(frame).map(|step| self.left(&step, frame, ledger)),
            "welcome" => read(frame).map(|welcome| self.welcome(&welcome, node, ledger, out)),
            "error" => read(frame).map(|refusal| self.refused(&refusal, frame, ledger, out)),
            kind => Err(format!("unexpected {kind:?}")),
        };
        if let Err(error) = known {
            ledger.violation(Kind::Protocol, &self.name, format!("{error}: {frame}"));
        }
    }

    fn welcome(&mut self, new: &Welcome<'_>, node: usize, ledger: &mut Ledger, out: &mut Doings) {
        ledger.counts.connections += 1;
        self.is_welcome = true;
        self.user = new.user.id;
        self.seen.clear();
        ledger.people.arrived(self.user, node, true, false, ledger.now);
        self.stays.push(Stay { room: self.room, heard: Vec::new() });
        out.requests.push(format!(r#"{{"type":"enter_room","roomId":{}}}"#, self.room));
    }

    fn told(&mut self, said: &BaseSaid<'_>, frame: &str, ledger: &mut Ledger) {
        ledger.counts.deliveries += 1;
        let text = serde_json::to_string(&said.text).expect("a string");
        self.check(
            frame,
            &format!(r#"{{"type":"text","text":{text},"from":{}}}"#, said.from.written()),
            ledger,
        );
        if self.seen.insert(said.from.id, true) == Some(false) || !self.is_in {
            let what = format!("{said:?} of somebody who has left, or before it entered");
            ledger.violation(Kind::Presence, &self.name, what);
        }
        let (author, name) = (said.from.id, &said.from.name);
        let Some(index) = ledger.identify(&self.name, self.room, author, name, &said.text) else {
            return;
        };
        if let Some(stay) = self.stays.last_mut() {
            stay.heard.push(index);
        }
        if author == self.user && self.pending.is_some_and(|(pending, _)| pending == index) {
            self.pending = None;
            ledger.acknowledge(index);
        }
    }

    fn entered(&mut self, step: &Move<'_>, frame: &str, ledger: &mut Ledger) {
        let expected = format!(r#"{{"type":"enter_room","user":{}}}"#, step.user.written());
        self.check(frame, &expected, ledger);
        let before = self.seen.insert(step.user.id, true);
        if step.user.id == self.user {
            self.is_in = true;
        } else if before == Some(true) || !self.is_in {
            ledger.violation(Kind::Presence, &self.name, format!("who was there: {step:?}"));
        }
    }

    fn left(&mut self, step: &Move<'_>, frame: &str, ledger: &mut Ledger) {
        ledger.counts.seen_leaving += 1;
        let expected = format!(r#"{{"type":"leave_room","user":{}}}"#, step.user.written());
        self.check(frame, &expected, ledger);
        if self.seen.insert(step.user.id, false) == Some(false) {
            ledger.violation(Kind::Presence, &self.name, format!("who had left: {step:?}"));
        }
        if let Err(why) = ledger.people.may_leave(step.user.id, ledger.rules.grace, ledger.now) {
            ledger.violation(Kind::Flap, &self.name, format!("{step:?}, who is there: {why}"));
        }
    }

    fn check(&self, frame: &str, expected: &str, ledger: &mut Ledger) {
        if frame != expected {
            ledger.violation(Kind::Protocol, &self.name, format!("{frame}, not {expected}"));
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
        match (&*refusal.code, &mut self.pending) {
            ("not_saved" | "rate_limited", Some((index, sent_at))) => {
                *sent_at = None;
                if index.is_multiple_of(8) {
                    ledger.give_up(*index, State::Refused);
                    self.pending = None;
                }
                out.retry_at = Some(ledger.now + 250);
            }
            // It was not let in, because the log is away: it tries once more.
            ("not_saved", None) if !self.is_in => out.retry_at = Some(ledger.now + 250),
            _ => ledger.violation(Kind::Refused, &self.name, frame),
        }
    }

    /// What it sends when it was not let into its room.
    pub fn enter_again(&self) -> Option<String> {
        let is_out = self.is_welcome && !self.is_in;
        is_out.then(|| format!(r#"{{"type":"enter_room","roomId":{}}}"#, self.room))
    }

    /// Checks that all it was told in each stay are texts in the order of their `seq`, without a gap. To be
    /// called at the end, when clients of wschat.v2 have seen the `seq` of every text.
    pub fn check_stays(&self, ledger: &mut Ledger) {
        for Stay { room, heard } in &self.stays {
            let places = heard.iter().map(|&index| (index, ledger.seq_of(index)));
            let places: Vec<_> = places.collect();
            for pair in places.windows(2) {
                let [(before, first), (after, second)] = pair else { continue };
                let (kind, problem) = match (first, second) {
                    (Some((e1, _)), Some((e2, _))) if e1 != e2 => continue,
                    (Some((_, s1)), Some((_, s2))) if *s2 == s1 + 1 => continue,
                    (Some((_, s1)), Some((_, s2))) if s2 > s1 => (Kind::Gap, "a gap"),
                    (Some(_), Some(_)) => (Kind::Reordered, "another order"),
                    _ if ledger.has_lost() => continue,
                    _ => (Kind::Lost, "a text that nobody else saw"),
                };
                let what = format!(
                    "{problem} in room {room}: text {before} at {first:?}, then text {after} at {second:?}"
                );
                ledger.violation(kind, &self.name, what);
            }
        }
    }
}

fn read<'a, T: serde::Deserialize<'a>>(frame: &'a str) -> Result<T, String> {
    serde_json::from_str(frame).map_err(|error| error.to_string())
}

fn request(index: Index) -> String {
    let text = serde_json::to_string(&ledger::body(index)).expect("a string");
    format!(r#"{{"type":"text","text":{text}}}"#)
}

impl Person<'_> {
    /// As the base protocol writes it.
    pub fn written(&self) -> String {
        format!(r#"{{"id":{},"name":"{}"}}"#, self.id, self.name)
    }
}
