//! The dispatcher: one thread that owns the chat and works in ticks.
//!
//! A tick takes what sessions have sent, applies it to the chat in that order, and hands what
//! follows from it to the outboxes. It never waits for a client: what a socket does not take at once
//! stays in that client's outbox, for that client's session to flush.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::chat::{Action, Chat, Command, Effect, Request, UserId};
use crate::delivery::Delivery;
use crate::mailbox::{Mailbox, Waited};
use crate::outbox::Outbox;
use crate::protocol::{CloseReason, ErrorReply, push_room_list};

/// The most that one tick gathers before it delivers, in inputs.
const TICK_MAX_INPUTS: usize = 1_000;

/// What sessions, and the server that stops, tell the dispatcher.
#[derive(Debug)]
pub(crate) enum Input {
    /// Somebody new, to be reached through this outbox.
    Connect { user: UserId, outbox: Arc<Outbox> },
    /// A well-formed request.
    Request { user: UserId, request: Request },
    /// A request that was refused before it could reach the chat. It comes this way so that the
    /// client gets its answers in the order of its requests.
    Refuse { user: UserId, error: ErrorReply },
    /// The session has ended or has to end, for this reason.
    Disconnect { user: UserId, reason: CloseReason },
    /// The server stops: everybody has until then to take what is queued for them.
    Stop { until: Instant },
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    inputs: Mailbox<Input>,
    chat: Chat,
    delivery: Delivery,
    /// What the last command led to; emptied before the next.
    effects: Vec<Effect>,
    /// The last room list and the revision of the chat that it shows.
    room_list: Option<(u64, Bytes)>,
    /// Bytes encoded for rooms after which a tick gathers no more.
    tick_max_bytes: usize,
    started: Instant,
    /// The time of what is being applied, since the start.
    now: Duration,
    stopping_until: Option<Instant>,
}

impl Dispatcher {
    /// A tick stays well below `outbox_max_bytes`, so that no tick alone can fill an outbox.
    pub(crate) fn new(chat: Chat, inputs: Mailbox<Input>, outbox_max_bytes: usize) -> Self {
        Self {
            inputs,
            chat,
            delivery: Delivery::default(),
            effects: Vec::new(),
            room_list: None,
            tick_max_bytes: outbox_max_bytes / 4,
            started: Instant::now(),
            now: Duration::ZERO,
            stopping_until: None,
        }
    }

    /// Runs until every sender of inputs is gone.
    pub(crate) fn run(&mut self) {
        loop {
            match self.wait() {
                Waited::Received(input) => self.apply(input),
                Waited::TimedOut => self.advance(),
                Waited::NobodyLeft => return,
            }
            self.gather();
            self.deliver();
        }
    }

    /// After a panic: nothing of the chat can be trusted any more. Ends all connections, and those
    /// that still come, until every sender of inputs is gone.
    pub(crate) fn give_up(&mut self, until: Instant) {
        self.delivery.end_all(CloseReason::InternalError, until);
        while let Waited::Received(input) = self.inputs.wait(None) {
            if let Input::Connect { outbox, .. } = input {
                outbox.finish(CloseReason::InternalError, until);
            }
        }
    }

    fn wait(&self) -> Waited<Input> {
        self.inputs.wait(self.chat.next_deadline().map(|deadline| self.started + deadline))
    }

    /// Applies what else is waiting, up to the size of a tick.
    fn gather(&mut self) {
        for _ in 1..TICK_MAX_INPUTS {
            if self.delivery.encoded() > self.tick_max_bytes {
                return;
            }
            match self.inputs.take() {
                Some(input) => self.apply(input),
                None => return,
            }
        }
    }

    fn apply(&mut self, input: Input) {
        // Before anything else, so that a room list that is due shows what was until now, to those
        // who were here until now.
        self.advance();
        match input {
            Input::Connect { user, outbox } => self.connect(user, outbox),
            Input::Request { user, request } => self.command(user, Action::Request(request)),
            Input::Refuse { user, error } => self.delivery.refuse(user, &error),
            Input::Disconnect { user, reason } => self.disconnect(user, reason),
            Input::Stop { until } => self.stop(until),
        }
    }

    fn connect(&mut self, user: UserId, outbox: Arc<Outbox>) {
        if let Some(until) = self.stopping_until {
            outbox.finish(CloseReason::ServerStopping, until);
        } else {
            self.delivery.connect(user, outbox);
            self.command(user, Action::Connect);
        }
    }

    fn disconnect(&mut self, user: UserId, reason: CloseReason) {
        if self.delivery.is_connected(user) {
            self.command(user, Action::Disconnect);
            self.delivery.end(user, reason);
        }
    }

    fn stop(&mut self, until: Instant) {
        self.deliver();
        self.delivery.end_all(CloseReason::ServerStopping, until);
        self.stopping_until = Some(until);
    }

    fn command(&mut self, author: UserId, action: Action) {
        self.chat.apply(Command { at: self.now, author, action }, &mut self.effects);
        self.follow_effects();
    }

    /// Does what has fallen due. The clock does not go back, whatever happens to the time of day.
    fn advance(&mut self) {
        self.now = self.started.elapsed();
        self.chat.advance(self.now, &mut self.effects);
        self.follow_effects();
    }

    fn follow_effects(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Tell { room, event } => self.delivery.tell(room, &event),
                Effect::Reply { to, event } => self.delivery.reply(to, &event),
                Effect::Enter { room, user } => self.delivery.enter(room, user),
                Effect::Leave { user } => self.delivery.leave(user),
                Effect::RoomList { to } => {
                    let frames = self.room_list();
                    match to {
                        Some(user) => self.delivery.share(user, frames),
                        None => self.delivery.share_with_all(&frames),
                    }
                }
            }
        }
        self.effects = effects;
    }

    /// Delivers the tick. Whoever does not keep up is cut off, which the others are told in turn.
    fn deliver(&mut self) {
        loop {
            let fallen_behind = self.delivery.deliver();
            if fallen_behind.is_empty() {
                return;
            }
            for user in fallen_behind {
                self.disconnect(user, CloseReason::SlowConsumer);
            }
        }
    }

    /// The room list as it is now, encoded once for as long as nothing in it changes.
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
