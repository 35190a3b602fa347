//! The state of a client, without connection, threads or clock: frames go in, requests and events
//! come out.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::backoff::wait;
use crate::event::{Event, HistoryPage, Message, Refusal, Room, User, read};
use crate::queue::{Job, Kind, Queue};

/// Up to where a client has seen a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch of the room's history.
    pub epoch: String,
    /// The largest `seq` that it has seen.
    pub seq: u64,
    /// The time of the event with that `seq`, if it has seen it: the server compares it with its own.
    pub time: Option<u64>,
}

/// Everything that a program needs to go on after its own restart: store it, and give it to
/// [`Config::saved`](crate::Config::saved).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    /// The secret to resume the session: whoever has it can act as this user.
    pub session: Option<String>,
    /// The user's id.
    pub user: Option<u64>,
    /// The room that it is in.
    pub room: Option<u64>,
    /// Up to where it has seen each room.
    pub positions: BTreeMap<u64, Position>,
    /// What is not answered yet.
    pub jobs: VecDeque<Job>,
    /// What has to be found out about the first of the jobs, if the session that sent it is lost.
    pub doubt: Option<Doubt>,
}

/// Whether the message that was sent last was said, in a session that is lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Doubt {
    /// The user who sent it.
    user: u64,
    /// What the client has seen is not searched; unknown before the client is in the room again.
    seen: Option<u64>,
    /// Whether the history is another one: then it does not show that the message was not said.
    is_other_epoch: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Core {
    /// Its jobs are in the queue meanwhile.
    pub(crate) saved: Saved,
    pub(crate) name: Option<String>,
    /// The request for the connection's features, without a `ref`.
    pub(crate) hello: Option<Value>,
    pub(crate) limits: Limits,
    pub(crate) events: VecDeque<Event>,
    pub(crate) answers: BTreeMap<String, Result<Value, Refusal>>,
    pub(crate) queue: Queue,
    /// Before this time, nothing is sent: the server has asked to wait.
    pub(crate) not_before: Option<Instant>,
    is_connected: bool,
    /// The room whose events arrive.
    entered: Option<u64>,
    /// Whether changes of the list of rooms arrive, and should again after a loss.
    is_subscribed: bool,
    /// How often the first request was refused for a while.
    refusals: u32,
}

#[derive(Debug, Deserialize)]
struct Welcome {
    user: User,
    session: String,
    resumed: bool,
    #[serde(default)]
    limits: Limits,
}

/// The limits that this client keeps. A missing one is not a limit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Limits {
    max_message_bytes: Option<usize>,
    pub(crate) ping_interval_ms: Option<u64>,
}

/// The frame `room`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    room: Value,
    users: Vec<User>,
    user_count: Option<u64>,
    epoch: String,
    seq: u64,
    complete: bool,
    #[serde(default)]
    reset: bool,
    events: Vec<Value>,
}

impl Core {
    /// Adds a request to the end of the queue; returns its `ref`.
    pub(crate) fn push(&mut self, kind: Kind, request: Value) -> String {
        let job = Job::new(kind, request);
        let reference = job.reference.clone();
        self.queue.jobs.push_back(job);
        reference
    }

    /// The room that the client will be in once everything is answered.
    pub(crate) fn target(&self) -> Option<u64> {
        let moves = self.queue.jobs.iter().rev().find_map(|job| match job.kind {
            Kind::Enter { room } => Some(Some(room)),
            Kind::Leave => Some(None),
            _ => None,
        });
        moves.unwrap_or(self.saved.room)
    }

    /// The next request to send.
    pub(crate) fn next_request(&mut self, now: Instant) -> Option<String> {
        let waits = self.not_before.is_some_and(|until| now < until);
        if !self.is_connected || self.queue.is_in_flight || waits {
            return None;
        }
        self.not_before = None;
        loop {
            let most = self.limits.max_message_bytes.unwrap_or(usize::MAX);
            let job = self.queue.first()?;
            if let Kind::Say { room } = job.kind
                && self.entered != Some(room)
            {
                self.refuse("not_in_room", &format!("This client is not in room {room}."));
                continue;
            }
            let mut request = job.request.clone();
            if let Kind::Enter { room } = job.kind
                && let Some(Position { epoch, seq, time }) = self.saved.positions.get(&room)
            {
                request["since"] = json!({ "epoch": epoch, "seq": seq });
                if let Some(time) = time {
                    request["since"]["time"] = json!(time);
                }
            }
            let request = request.to_string();
            if request.len() > most {
                self.refuse("too_big", &format!("A request has at most {most} bytes."));
                continue;
            }
            job.is_in_doubt = true;
            self.queue.is_in_flight = true;
            return Some(request);
        }
    }

    /// The connection is lost.
    pub(crate) fn lose(&mut self) {
        self.is_connected = false;
        self.entered = None;
        self.not_before = None;
        self.queue.lose();
    }

    /// Takes a frame. What it does not know, it ignores. An error: the server left something out, and
    /// only a new connection helps.
    pub(crate) fn take(&mut self, text: &str, now: Instant) -> Result<(), String> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let first = self.queue.first();
        let is_named = first.is_some_and(|job| value["ref"] == job.reference[..]);
        let user = value["user"]["id"].as_u64().or(value["userId"].as_u64());
        // Everybody in a room sees the `ref` of a request, so it may be another client's.
        let is_own = user.is_none() || user == self.saved.user;
        let is_answer = self.queue.is_in_flight && is_named && is_own;
        match value["type"].as_str().unwrap_or_default() {
            "welcome" => read(&value).into_iter().for_each(|welcome| self.welcome(welcome)),
            "room" => read(&value).into_iter().for_each(|room| self.room(room, is_answer)),
            "error" if is_answer => self.error(&value, now),
            "error" => {}
            _ if value["seq"].is_u64() => return self.advance(&value),
            _ => self.happen(value, is_own, is_answer),
        }
        Ok(())
    }

    /// Takes what has no place in a room's history: an event, or an answer, or both.
    fn happen(&mut self, value: Value, is_own: bool, is_answer: bool) {
        let room = value["roomId"].as_u64();
        let user = || read::<User>(&value["user"]);
        let event = match value["type"].as_str().unwrap_or_default() {
            "enter_room" => room.zip(user()).map(|(room, user)| Event::UserEntered { room, user }),
            "leave_room" => {
                if is_own && self.entered == room {
                    self.leave();
                }
                room.zip(user()).map(|(room, user)| Event::UserLeft { room, user })
            }
            "change_name" => value["userId"].as_u64().map(|user| {
                let name = value["newName"].as_str().unwrap_or_default().to_owned();
                Event::Renamed { user, name }
            }),
            "room_added" | "room_changed" => read(&value["room"]).map(Event::RoomChanged),
            "room_removed" => room.map(Event::RoomRemoved),
            _ => (!is_answer).then(|| Event::Other(value.clone())),
        };
        self.events.extend(event);
        if !is_answer {
            return;
        }
        match self.queue.first().map(|job| job.kind) {
            Some(Kind::Search) => {
                self.queue.take_first();
                if let Some(page) = read(&value) {
                    self.searched(&page);
                }
            }
            Some(Kind::Question) => {
                let is_list = value["type"] == "list_rooms";
                self.is_subscribed |= is_list;
                let is_setup = !self.queue.setup.is_empty();
                let reference = self.queue.take_first().map(|job| job.reference);
                if !is_setup {
                    self.answers.extend(reference.map(|reference| (reference, Ok(value))));
                } else if is_list {
                    self.tell(Event::Rooms(rooms(&value)));
                }
            }
            _ => self.done(None, value["room"]["id"].as_u64()),
        }
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn welcome(&mut self, welcome: Welcome) {
        let Welcome { user, session, resumed, limits } = welcome;
        let doubtful = self.queue.jobs.front().filter(|job| job.is_in_doubt && !resumed);
        match doubtful.map(|job| job.kind) {
            Some(Kind::Say { .. }) if self.saved.doubt.is_none() => {
                let user = self.saved.user.unwrap_or_default();
                self.saved.doubt = Some(Doubt { user, seen: None, is_other_epoch: false });
            }
            Some(Kind::Create) => self.give_up(),
            _ => {}
        }
        self.is_connected = true;
        self.limits = limits;
        self.saved.user = Some(user.id);
        self.saved.session = Some(session);
        let hello = self.hello.clone().map(|hello| (Kind::Question, hello));
        let name = self.name.as_ref().filter(|name| name.trim() != user.name);
        let name = name.map(|name| json!({ "type": "change_name", "name": name }));
        let rooms = self.is_subscribed.then(|| json!({ "type": "list_rooms" }));
        // A move that waits for its answer replaces entering the room before it.
        let next = self.queue.jobs.front().map(|job| job.kind);
        let moves_on = matches!(next, Some(Kind::Enter { .. } | Kind::Leave));
        let room = self.saved.room.filter(|_| !moves_on);
        let requests = hello
            .into_iter()
            .chain(name.map(|request| (Kind::Harmless, request)))
            .chain(rooms.map(|request| (Kind::Question, request)))
            .chain(room.map(|room| (Kind::Enter { room }, enter(room))));
        self.queue.setup = requests.map(|(kind, request)| Job::new(kind, request)).collect();
        self.tell(Event::Connected { user, resumed });
    }

    fn leave(&mut self) {
        self.entered = None;
        self.saved.room = None;
    }

    fn room(&mut self, snapshot: Snapshot, is_answer: bool) {
        let Snapshot { room, users, user_count, epoch, seq, complete, reset, events } = snapshot;
        let title = room["title"].as_str().unwrap_or_default().to_owned();
        let room = room["id"].as_u64().unwrap_or_default();
        let user_count = user_count.unwrap_or(users.len() as u64);
        let first = events.first().and_then(|event| event["seq"].as_u64()).unwrap_or(seq + 1);
        let before = self.saved.positions.get(&room).cloned();
        let is_same = before
            .as_ref()
            .is_some_and(|before| before.epoch == epoch && before.seq <= seq && !reset);
        if before.is_some() && !is_same {
            self.tell(Event::Reset(room));
        }
        self.entered = Some(room);
        self.saved.room = Some(room);
        self.tell(Event::Entered { room, title, users, user_count });
        let seen = before.as_ref().filter(|_| is_same).map_or(0, |before| before.seq);
        let last = if is_same { seen } else { first - 1 };
        let whole_from = self.tell_missed(room, &events, last, seq);
        let is_still = before.filter(|before| is_same && before.seq == seq);
        let newest = events.last().filter(|event| event["seq"] == seq);
        let time = newest.map_or(is_still.and_then(|it| it.time), |event| event["time"].as_u64());
        self.saved.positions.insert(room, Position { epoch, seq, time });
        if is_answer {
            if self.queue.setup.is_empty() {
                self.done(None, Some(room));
            } else {
                self.queue.take_first();
            }
        }
        let is_whole = complete && !events.iter().any(is_gone);
        self.look_for_doubtful(room, (whole_from, seen), is_whole, !is_same);
    }

    /// Tells the messages after `last`, up to `seq`, and where some are missing: also between two of them, if one
    /// was too long for this client. Returns the `seq` from which on none is, or is erased.
    fn tell_missed(&mut self, room: u64, events: &[Value], mut last: u64, seq: u64) -> u64 {
        let mut whole_from = last + 1;
        let numbers = events.iter().map(|event| event["seq"].as_u64().unwrap_or_default());
        for (number, event) in numbers.zip(events.iter().map(Some)).chain([(seq + 1, None)]) {
            if number > last + 1 {
                self.tell(Event::Gap { room, after: last, before: number });
                whole_from = number;
            }
            if event.is_some_and(is_gone) {
                whole_from = number + 1;
            }
            let is_new = number > last;
            last = last.max(number);
            if let Some(message) = event.and_then(read::<Message>) {
                if is_new {
                    self.tell(Event::Message(message.clone()));
                }
                self.acknowledge(&message);
            }
        }
        whole_from
    }

    /// After the session was lost, finds out whether the message that was sent last was said: the
    /// server no longer knows its `ref`.
    fn look_for_doubtful(
        &mut self,
        room: u64,
        (whole_from, seen): (u64, u64),
        complete: bool,
        is_other: bool,
    ) {
        let job = self.queue.jobs.front_mut();
        let about = job.filter(|job| job.kind == Kind::Say { room } && job.is_in_doubt);
        let Some(job) = about else { return self.saved.doubt = None };
        if !complete || is_other {
            job.heard_up_to = Some(job.heard_up_to.map_or(seen, |earlier| earlier.min(seen)));
        }
        let Some(doubt) = &mut self.saved.doubt else { return };
        if job.heard_up_to.is_none() {
            // Everything since the message was sent is here, and the message is not.
            self.saved.doubt = None;
            return;
        }
        // An earlier search may have ended with its connection.
        doubt.seen = job.heard_up_to;
        doubt.is_other_epoch |= is_other;
        self.search_before(room, whole_from);
    }

    fn search_before(&mut self, room: u64, before: u64) {
        let request = json!({ "type": "history", "roomId": room, "before": before, "limit": 100 });
        self.queue.setup.push_front(Job::new(Kind::Search, request));
    }

    fn searched(&mut self, page: &HistoryPage) {
        page.messages().for_each(|message| self.acknowledge(&message));
        let Some(Doubt { seen: Some(seen), is_other_epoch, .. }) = self.saved.doubt else { return };
        let is_later = |event: &&Value| event["seq"].as_u64().is_some_and(|seq| seq > seen);
        match page.first() {
            // What was erased may have been this one.
            _ if page.events.iter().filter(is_later).any(is_gone) => self.give_up(),
            Some(first) if first > seen + 1 && page.more => self.search_before(page.room, first),
            Some(first) if first <= seen + 1 && !is_other_epoch => self.saved.doubt = None,
            // The part that would show it is no longer stored.
            _ => self.give_up(),
        }
    }

    /// Gives up the first of the jobs: nobody knows whether it was carried out.
    fn give_up(&mut self) {
        self.saved.doubt = None;
        if let Some(job) = self.queue.jobs.pop_front() {
            self.tell(Event::InDoubt(job.reference));
        }
    }

    /// Takes the next event of a room, also of a type that this client does not know. Others, such as
    /// answers to a retry, do not advance the position.
    fn advance(&mut self, value: &Value) -> Result<(), String> {
        let seq = value["seq"].as_u64().unwrap_or_default();
        let message: Option<Message> = read(value);
        let room = value["roomId"].as_u64().filter(|room| self.entered == Some(*room));
        if let Some(position) = room.and_then(|room| self.saved.positions.get_mut(&room)) {
            if seq > position.seq + 1 {
                return Err(format!("the server left out what is before {seq}"));
            }
            if seq == position.seq + 1 {
                (position.seq, position.time) = (seq, value["time"].as_u64());
                self.events.extend(message.clone().map(Event::Message));
            }
        }
        if let Some(message) = message {
            self.acknowledge(&message);
        }
        Ok(())
    }

    /// The client's own message answers the request to say it.
    fn acknowledge(&mut self, message: &Message) {
        let author = Some(message.from.id);
        let former = self.saved.doubt.as_ref().map(|doubt| doubt.user);
        let is_own = author == self.saved.user || author == former;
        let first = self.queue.jobs.front();
        let is_first = first.is_some_and(|job| Some(&job.reference) == message.reference.as_ref());
        if !is_own || !is_first {
            return;
        }
        self.saved.doubt = None;
        let job = self.queue.jobs.pop_front();
        // Otherwise a request that restores the state is in flight.
        if self.queue.setup.is_empty() {
            self.queue.is_in_flight = false;
        }
        self.refusals = 0;
        let reference = job.map(|job| job.reference).unwrap_or_default();
        self.tell(Event::Done { reference, seq: Some(message.seq), room: Some(message.room) });
    }

    /// The first request is done.
    fn done(&mut self, seq: Option<u64>, room: Option<u64>) {
        let is_setup = !self.queue.setup.is_empty();
        if let Some(Job { reference, .. }) = self.queue.take_first().filter(|_| !is_setup) {
            self.tell(Event::Done { reference, seq, room });
        }
        self.refusals = 0;
    }

    fn error(&mut self, value: &Value, now: Instant) {
        let code = value["code"].as_str().unwrap_or_default();
        let after = value["retryAfterMs"].as_u64().map(Duration::from_millis);
        if after.is_some() || matches!(code, "not_saved" | "not_readable" | "rate_limited") {
            self.queue.is_in_flight = false;
            self.not_before = Some(now + after.unwrap_or_else(|| wait(self.refusals)));
            self.refusals += 1;
        } else if code == "already_said" {
            self.done(value["seq"].as_u64(), self.saved.room);
        } else {
            self.refuse(code, value["message"].as_str().unwrap_or_default());
        }
    }

    /// The first request is refused for good.
    pub(crate) fn refuse(&mut self, code: &str, message: &str) {
        let is_setup = !self.queue.setup.is_empty();
        let Some(Job { reference, kind, .. }) = self.queue.take_first() else { return };
        let (code, message) = (code.to_owned(), message.to_owned());
        let refusal = Refusal { reference, code, message };
        match kind {
            Kind::Leave if refusal.code == "not_in_room" => {
                self.leave();
                let Refusal { reference, .. } = refusal;
                return self.tell(Event::Done { reference, seq: None, room: None });
            }
            Kind::Search => return self.give_up(),
            // A server that does not know `hello` works without it.
            Kind::Question if is_setup => return,
            Kind::Question => {
                self.answers.insert(refusal.reference.clone(), Err(refusal));
                return;
            }
            Kind::Enter { room } if is_setup && self.saved.room == Some(room) => self.leave(),
            Kind::Harmless => self.name = None,
            _ => {}
        }
        self.tell(Event::Refused(refusal));
    }
}

pub(crate) fn enter(room: u64) -> Value {
    json!({ "type": "enter_room", "roomId": room })
}

/// Whether this is what is left of an erased message.
fn is_gone(event: &Value) -> bool {
    event["type"] == "gone"
}

/// The rooms of a frame `list_rooms`, in the order of ids.
pub(crate) fn rooms(value: &Value) -> Vec<Room> {
    let rooms = value["rooms"].as_object().into_iter().flat_map(|rooms| rooms.values());
    let mut rooms: Vec<Room> = rooms.filter_map(read).collect();
    rooms.sort_by_key(|room| room.id);
    rooms
}
