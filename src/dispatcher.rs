//! The dispatcher: one thread that owns the chat and works in ticks.
//!
//! A tick takes what sessions have sent, applies it to the chat in that order, commits to the history
//! what is to be remembered, and only then hands what follows to the outboxes. It never waits for a
//! client: what a socket does not take at once stays in that client's outbox, for the flusher. Nor does
//! it read from the history: that is `recall`'s.

mod keeping;
mod roster;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use self::roster::Roster;
use crate::chat::{Action, Chat, Command, Effect, Event, Request, SessionKey, UserId};
use crate::delivery::{Delivery, Sharers};
use crate::mailbox::{Mailbox, WaitOutcome};
use crate::net::stop::LINGER;
use crate::outbox::{ConnectionId, Outbox};
use crate::protocol::{
    CloseReason, ErrorReply, Greeting, Reference, RoomSnapshot, Version, list_frame, list_of_rooms,
    push_room_list, push_welcome, room_change_frames,
};
use crate::recall::{Question, Recall, Recalled};
use crate::tick::Step;

pub(crate) use keeping::{Health, Keeping};

/// The most that one tick gathers before it delivers, in inputs.
const TICK_MAX_INPUTS: usize = 1_000;

/// What sessions, `recall`, and the server that stops, tell the dispatcher.
#[derive(Debug)]
pub(crate) enum Input {
    /// Somebody to be reached through this outbox.
    Connect { connection: ConnectionId, outbox: Arc<Outbox>, arrival: Arrival },
    /// A well-formed request.
    Request { connection: ConnectionId, request: Request, reference: Reference },
    /// A request that was refused before it could reach the chat. It comes this way so that the
    /// client gets its answers in the order of its requests.
    Refuse { connection: ConnectionId, error: ErrorReply },
    /// The session has ended or has to end, for this reason.
    Disconnect { connection: ConnectionId, reason: CloseReason },
    /// What the history says to the oldest open question of this client.
    Answer { connection: ConnectionId, frames: Bytes },
    /// The server stops: everybody has until then to take what is queued for them.
    Stop { until: Instant },
}

/// Who arrives.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Somebody new, who is gone with the connection.
    Base,
    /// Somebody who wants to go on with a session, if there still is such a one, or to begin one.
    /// In a box, so that every input stays small.
    V2(Box<Credentials>),
}

/// What somebody with a session brings along.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) resumed: Option<Secret>,
    pub(crate) fresh: Secret,
}

impl Arrival {
    pub(crate) fn version(&self) -> Version {
        match self {
            Self::Base => Version::Base,
            Self::V2(_) => Version::V2,
        }
    }
}

/// What its client, and nobody else, knows of a session, and the key that follows from it.
#[derive(Debug)]
pub(crate) struct Secret {
    /// 32 hexadecimal digits.
    pub(crate) text: String,
    pub(crate) key: SessionKey,
}

/// See the module's documentation.
pub(crate) struct Dispatcher {
    inputs: Mailbox<Input>,
    chat: Chat,
    roster: Roster,
    /// What is to happen once the tick is committed.
    steps: Vec<Step>,
    /// About how many bytes that will be for rooms.
    weight: usize,
    keeping: Keeping,
    delivery: Delivery,
    recall: Recall,
    greeting: Greeting,
    /// What the last command led to; emptied before the next.
    effects: Vec<Effect>,
    /// The last room list and the revision of the chat that it shows.
    room_list: Option<(u64, Bytes)>,
    /// The same for `wschat.v2`, which also shows how much was said.
    v2_room_list: Option<((u64, u64), Box<RawValue>)>,
    /// Bytes for rooms after which a tick gathers no more.
    tick_max_bytes: usize,
    started: Instant,
    /// The time of the tick, since the start.
    now: Duration,
    /// The same as Unix time in milliseconds.
    time: u64,
    stopping_until: Option<Instant>,
}

/// What the present command is about, beside its effects.
#[derive(Clone, Copy)]
struct Cause<'a> {
    reference: &'a Reference,
    /// With a welcome: the session's secret.
    secret: Option<&'a str>,
}

const NO_CAUSE: Cause<'static> = Cause { reference: &None, secret: None };

impl Dispatcher {
    /// A tick stays well below `outbox_max_bytes`, so that no tick alone can fill an outbox.
    pub(crate) fn new(
        chat: Chat,
        inputs: Mailbox<Input>,
        (keeping, recall): (Keeping, Recall),
        greeting: Greeting,
        outbox_max_bytes: usize,
    ) -> Self {
        Self {
            inputs,
            chat,
            roster: Roster::default(),
            steps: Vec::new(),
            weight: 0,
            keeping,
            delivery: Delivery::default(),
            recall,
            greeting,
            effects: Vec::new(),
            room_list: None,
            v2_room_list: None,
            tick_max_bytes: outbox_max_bytes / 4,
            started: Instant::now(),
            now: Duration::ZERO,
            time: 0,
            stopping_until: None,
        }
    }

    /// Runs until every sender of inputs is gone.
    pub(crate) fn run(&mut self) {
        loop {
            let outcome = self.wait();
            // Before anything else, so that a room list that is due shows what was until now, to those
            // who were here until now.
            self.advance();
            match outcome {
                WaitOutcome::Received(input) => self.apply(input),
                WaitOutcome::TimedOut => {}
                WaitOutcome::Disconnected => break,
            }
            self.gather();
            self.deliver();
        }
        self.keeping.end(&mut self.chat);
    }

    /// After a panic: nothing of the chat can be trusted any more. Ends all connections, and those
    /// that still come, until every sender of inputs is gone.
    pub(crate) fn give_up(&mut self, until: Instant) {
        self.delivery.end_all(CloseReason::InternalError, until);
        while let WaitOutcome::Received(input) = self.inputs.wait(None) {
            if let Input::Connect { outbox, .. } = input {
                outbox.finish(CloseReason::InternalError, until);
            }
        }
    }

    fn wait(&self) -> WaitOutcome<Input> {
        let due = self.chat.next_deadline().map(|deadline| self.started + deadline);
        self.inputs.wait([due, self.keeping.retry_at()].into_iter().flatten().min())
    }

    /// Applies what else is waiting, up to the size of a tick.
    fn gather(&mut self) {
        for _ in 1..TICK_MAX_INPUTS {
            if self.weight > self.tick_max_bytes {
                return;
            }
            match self.inputs.take() {
                Some(input) => self.apply(input),
                None => return,
            }
        }
    }

    fn apply(&mut self, input: Input) {
        match input {
            Input::Connect { connection, outbox, arrival } => {
                self.connect(connection, outbox, arrival);
            }
            Input::Request { connection, request, reference } => {
                // One that has been replaced may still be asking.
                if let Some(user) = self.roster.user(connection) {
                    let cause = Cause { reference: &reference, secret: None };
                    self.command(user, Action::Request(request), cause);
                }
            }
            Input::Refuse { connection, error } => {
                self.push(Step::Refuse { to: connection, error });
            }
            Input::Disconnect { connection, reason } => self.disconnect(connection, reason),
            Input::Answer { connection, frames } => self.push(Step::Answer { connection, frames }),
            Input::Stop { until } => self.stop(until),
        }
    }

    fn connect(&mut self, connection: ConnectionId, outbox: Arc<Outbox>, arrival: Arrival) {
        if let Some(until) = self.stopping_until {
            outbox.finish(CloseReason::ServerStopping, until);
            return;
        }
        let fresh_user = UserId(self.chat.last_user().0 + 1);
        let (user, action, version, secret) = match arrival {
            Arrival::Base => (fresh_user, Action::Connect, Version::Base, None),
            Arrival::V2(credentials) => {
                let Credentials { resumed, fresh } = *credentials;
                let found = resumed.and_then(|secret| {
                    let user = self.chat.user_of(secret.key)?;
                    Some((user, Action::Resume, Version::V2, Some(secret.text)))
                });
                let begin = Action::Begin(fresh.key);
                found.unwrap_or((fresh_user, begin, Version::V2, Some(fresh.text)))
            }
        };
        outbox.set_user(user);
        if self.roster.connection(user).is_some_and(|current| current > connection) {
            // Its client has given this one up, which has shaken hands later than the next.
            outbox.finish(CloseReason::Replaced, Instant::now() + LINGER);
            return;
        }
        if let Some(old) = self.roster.seat(user, connection) {
            self.push(Step::End { connection: old, reason: CloseReason::Replaced });
        }
        self.push(Step::Connect { connection, outbox, version });
        self.command(user, action, Cause { reference: &None, secret: secret.as_deref() });
    }

    fn disconnect(&mut self, connection: ConnectionId, reason: CloseReason) {
        if let Some(user) = self.roster.user(connection) {
            self.command(user, Action::Disconnect, NO_CAUSE);
            self.roster.unseat(user, connection);
            self.push(Step::End { connection, reason });
        }
    }

    fn stop(&mut self, until: Instant) {
        self.deliver();
        self.delivery.end_all(CloseReason::ServerStopping, until);
        self.roster = Roster::default();
        self.stopping_until = Some(until);
    }

    fn command(&mut self, author: UserId, action: Action, cause: Cause<'_>) {
        let (at, time, reference) = (self.now, self.time, cause.reference.clone());
        let command = Command { at, time, author, action, reference };
        self.chat.apply(command, &mut self.effects);
        self.follow_effects(cause);
    }

    /// Looks at the clocks, and does what has fallen due. The one that this goes by does not go back,
    /// whatever happens to the time of day.
    fn advance(&mut self) {
        self.time = unix_millis();
        self.now = self.started.elapsed();
        self.chat.advance(self.now, &mut self.effects);
        self.follow_effects(NO_CAUSE);
    }

    fn follow_effects(&mut self, cause: Cause<'_>) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            if let Some(step) = self.step(effect, cause) {
                self.push(step);
            }
        }
        self.effects = effects;
    }

    fn push(&mut self, step: Step) {
        self.weight += step.weight();
        self.steps.push(step);
    }

    /// What delivery is to do. Whoever is away is not told.
    fn step(&mut self, effect: Effect, cause: Cause<'_>) -> Option<Step> {
        let time = self.time;
        Some(match effect {
            Effect::Reply { to, event } => self.reply(to, event, cause)?,
            Effect::Tell { room, event } => Step::Tell { room, event, time },
            Effect::TellOthers { room, but, event } => {
                Step::TellOthers { room, but: self.roster.connection(but), event, time }
            }
            Effect::Say { room, said } => {
                let author = self.roster.connection(said.from.id);
                Step::Say { room, said, author }
            }
            Effect::Enter { room, user } => {
                Step::Enter { room, connection: self.roster.connection(user)? }
            }
            Effect::Leave { user } => Step::Leave { connection: self.roster.connection(user)? },
            Effect::RoomList { to: None } => {
                let frames = self.room_list();
                Step::Share { with: Sharers::Speaking(Version::Base), frames }
            }
            Effect::RoomList { to: Some(user) } => self.list_rooms(user, cause)?,
            Effect::RoomChanges(changes) => {
                Step::Share { with: Sharers::Watching, frames: room_change_frames(&changes) }
            }
            Effect::Show { to, room: id, since, upto } => {
                let room = self.chat.room(id)?;
                let users = self.chat.people(room).collect();
                let title = room.title().into();
                let snapshot = RoomSnapshot { id, title, users, seq: upto };
                self.ask(to, Recalled::Room { snapshot, since }, cause)?
            }
            Effect::ShowHistory { to, room, before, limit } => {
                self.ask(to, Recalled::Page { room, before, limit }, cause)?
            }
            Effect::Repeat { to, position } => self.ask(to, Recalled::Said(position), cause)?,
            Effect::Remember(memo) => {
                self.keeping.note(memo);
                return None;
            }
        })
    }

    fn reply(&self, to: UserId, event: Event, cause: Cause<'_>) -> Option<Step> {
        let to = self.roster.connection(to)?;
        if let (Event::Welcome { person, resumed, room }, Some(secret)) = (&event, cause.secret) {
            let mut frame = BytesMut::new();
            push_welcome(&mut frame, person, secret, (*resumed, *room), &self.greeting);
            return Some(Step::Give { to, frames: frame.freeze() });
        }
        Some(Step::Reply { to, event, time: self.time, reference: cause.reference.clone() })
    }

    fn ask(&self, to: UserId, what: Recalled, cause: Cause<'_>) -> Option<Step> {
        let question = Question { what, reference: cause.reference.clone() };
        Some(Step::Ask { connection: self.roster.connection(to)?, question })
    }

    fn list_rooms(&mut self, user: UserId, cause: Cause<'_>) -> Option<Step> {
        let to = self.roster.connection(user)?;
        if !self.chat.has_session(user) {
            return Some(Step::Give { to, frames: self.room_list() });
        }
        self.push(Step::Watch { connection: to });
        let revision = (self.chat.room_list_revision(), self.chat.kept_revision());
        let (_, rooms) = self
            .v2_room_list
            .take_if(|(shown, _)| *shown == revision)
            .unwrap_or_else(|| (revision, list_of_rooms(&self.chat)));
        let frames = list_frame(&rooms, cause.reference.as_deref());
        self.v2_room_list = Some((revision, rooms));
        Some(Step::Give { to, frames })
    }

    /// Commits the tick and delivers it. Whoever does not keep up is cut off, which the others are
    /// told in turn.
    fn deliver(&mut self) {
        loop {
            self.keeping.commit(&mut self.chat, &mut self.steps);
            for step in self.steps.drain(..) {
                step.follow(&mut self.delivery, &self.recall);
            }
            self.weight = 0;
            let fallen_behind = self.delivery.deliver();
            if fallen_behind.is_empty() {
                return;
            }
            for connection in fallen_behind {
                self.disconnect(connection, CloseReason::SlowConsumer);
            }
        }
    }

    /// The base protocol's room list as it is now, encoded once for as long as nothing in it changes.
    fn room_list(&mut self) -> Bytes {
        let revision = self.chat.room_list_revision();
        match &self.room_list {
            Some((shown, frames)) if *shown == revision => frames.clone(),
            _ => {
                let mut frames = BytesMut::new();
                push_room_list(&mut frames, &self.chat);
                let frames = frames.freeze();
                self.room_list = Some((revision, frames.clone()));
                frames
            }
        }
    }
}

/// The time of day, in Unix milliseconds.
fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
