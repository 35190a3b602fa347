//! The dispatcher: one thread that owns the chat and works in ticks.
//!
//! A tick gathers what sessions have sent, proposes it to the log, applies the entries that the log hands
//! back, commits what has to be stored, and only then delivers. It never waits for a client: what a socket
//! does not take at once stays in that client's outbox, for the flusher. It never reads from the history
//! either: `recall` does.

mod apply;
mod control;
mod count;
mod saver;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::chat::{self, Action, Chat, ConnectionId, Effect, Link, Refusal, Source};
use crate::clock;
use crate::delivery::Delivery;
use crate::input::{Input, Reload};
use crate::lobby::Lobby;
#[cfg(feature = "cluster")]
use crate::log::Lost;
use crate::log::{Local, Log, Now, Proposal};
use crate::mailbox::{Mailbox, WaitOutcome};
use crate::metrics::Metrics;
use crate::output::Output;
use crate::protocol::{CloseReason, ErrorReply, Reference, Request, Since};
use crate::recall::Recall;

use control::Desk;
use saver::Outcome;
pub(crate) use saver::Saver;

/// How long a client has to close its connection that cannot be taken in.
const TIME_TO_CLOSE: Duration = Duration::from_secs(1);

/// How many inputs a tick gathers at most before it delivers.
const MAX_TICK_INPUTS: usize = 1_000;

/// Why the dispatcher has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// Every sender of inputs is gone.
    Finished,
    /// This node has to join anew, for this reason. All its connections have been closed.
    #[cfg(feature = "cluster")]
    Lost(Lost),
}

/// See the module's documentation.
pub(crate) struct Dispatcher<L> {
    log: L,
    chat: Chat,
    lobby: Lobby,
    saver: Saver,
    delivery: Delivery,
    recall: Recall,
    /// A buffer for the effects of one entry, empty in between. Kept to reuse its memory.
    effects: Vec<Effect>,
    /// What is delivered once the tick is committed.
    outputs: Vec<Output>,
    /// About how many bytes of frames `outputs` makes.
    weight: usize,
    /// A tick with more weight than this gathers no more inputs.
    max_tick_bytes: usize,
    now: Now,
    stopping_until: Option<Instant>,
    desk: Desk,
    metrics: Arc<Metrics>,
    /// How many inputs this tick has taken.
    gathered: usize,
}

/// What a dispatcher is made of.
pub(crate) struct Parts<L> {
    pub(crate) log: L,
    pub(crate) chat: Chat,
    pub(crate) lobby: Lobby,
    pub(crate) saver: Saver,
    pub(crate) delivery: Delivery,
    pub(crate) recall: Recall,
    /// Counts what it does.
    pub(crate) metrics: Arc<Metrics>,
}

impl<L: Log> Dispatcher<L> {
    /// `max_tick_bytes` must be well below what an outbox may hold, so that no single tick fills one.
    pub(crate) fn new(parts: Parts<L>, max_tick_bytes: usize) -> Self {
        let Parts { log, chat, lobby, saver, delivery, recall, metrics } = parts;
        let mut dispatcher = Self {
            log,
            chat,
            lobby,
            saver,
            delivery,
            recall,
            effects: Vec::new(),
            outputs: Vec::new(),
            weight: 0,
            max_tick_bytes,
            now: Now::default(),
            stopping_until: None,
            desk: Desk::default(),
            metrics,
            gathered: 0,
        };
        dispatcher.grant_ids();
        dispatcher
    }

    /// Runs until every sender of inputs is gone, or until this node has to join a shared log anew.
    pub(crate) fn run(&mut self, inputs: &Mailbox<Input>) -> RunEnd {
        let started = Instant::now();
        loop {
            let deadline = self.next_deadline().map(|deadline| started + deadline);
            let first = match inputs.wait(deadline) {
                WaitOutcome::Received(input) => Some(input),
                WaitOutcome::TimedOut => None,
                WaitOutcome::Disconnected => break,
            };
            let now = now_since(started);
            self.tick(now, first, || inputs.take());
            self.count(started.elapsed().saturating_sub(now.at));
            #[cfg(feature = "cluster")]
            if let Some(lost) = self.log.lost().filter(|_| self.stopping_until.is_none()) {
                self.delivery
                    .close_all(CloseReason::ServerStopping, Instant::now() + TIME_TO_CLOSE);
                return RunEnd::Lost(lost);
            }
        }
        self.end(now_since(started));
        RunEnd::Finished
    }

    /// One tick: gather, propose, apply, commit, deliver.
    pub(crate) fn tick(
        &mut self,
        now: Now,
        first: Option<Input>,
        mut next: impl FnMut() -> Option<Input>,
    ) {
        self.begin(now);
        self.gathered = 0;
        let mut input = first;
        while let Some(present) = input {
            self.take(present);
            self.gathered += 1;
            // Decided before the next input is taken: an input outside the mailbox must not wait.
            let is_full = self.gathered == MAX_TICK_INPUTS || self.weight > self.max_tick_bytes;
            input = if is_full { None } else { next() };
        }
        self.commit_and_deliver();
    }

    /// When a tick has something to do without an input.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let (chat, log) = (self.chat_is_due_at(), self.log.next_deadline());
        let deadlines = [chat, log, self.lobby.next_deadline(), self.saver.retry_at()];
        deadlines.into_iter().flatten().min()
    }

    fn chat_is_due_at(&self) -> Option<Duration> {
        self.log.due_at(self.chat.next_deadline()?)
    }

    /// Stores what a restart needs. Nothing may follow this call.
    pub(crate) fn end(&mut self, now: Now) {
        self.begin(now);
        self.saver.end(&self.chat, now.at);
        self.log.end();
    }

    /// For use after a panic, when the chat cannot be trusted any more. Closes all connections, and new
    /// ones as they come, until every sender of inputs is gone.
    pub(crate) fn close_after_panic(&mut self, inputs: &Mailbox<Input>, until: Instant) {
        self.delivery.close_all(CloseReason::InternalError, until);
        self.log.note_panic();
        while let WaitOutcome::Received(input) = inputs.wait(None) {
            if let Input::Connect { outbox, .. } = input {
                outbox.finish(CloseReason::InternalError, until);
            }
        }
    }

    /// Does what is due. This comes before the tick's inputs, so a list of rooms that is due shows the
    /// rooms before this tick, to the clients that were connected before it.
    fn begin(&mut self, now: Now) {
        self.now = now;
        self.log.set_time(now);
        if self.chat_is_due_at().is_some_and(|due| due <= now.at) {
            self.propose(Action::Wait, None);
        }
        self.log.report(&self.chat);
        self.announce();
    }

    fn take(&mut self, input: Input) {
        if self.stopping_until.is_some() {
            return self.take_while_stopping(input);
        }
        match input {
            Input::Connect { outbox, .. } if self.log.is_away() => {
                outbox.finish(CloseReason::CannotSave, Instant::now() + TIME_TO_CLOSE);
            }
            Input::Connect { connection, address, outbox, arrival, pace } => {
                let (link, version) = (self.link(connection), arrival.version());
                let source = Source::of(address);
                self.desk.note(connection, address, self.now.time);
                let resume = arrival.offer().map(Box::new);
                self.delivery.connect(connection, outbox, pace, arrival);
                self.propose(Action::Connect { link, source, version, resume }, None);
            }
            Input::Recognize(recognition) => {
                let is_known = self.chat.can_resume(&recognition.key);
                // It fails when the session has given up.
                let _ = recognition.answer.try_send(is_known);
            }
            Input::Request { connection, request: Request::Chat(request, since), reference } => {
                self.ask(connection, request, since, reference);
            }
            Input::Request { connection, request: Request::Local(request), reference } => {
                self.propose_local(Local::Request { connection, request, reference });
            }
            Input::Refuse { connection, error } => {
                self.propose_local(Local::Refuse { connection, error });
            }
            Input::Disconnect { connection, reason } => self.disconnect(connection, reason),
            Input::QueryResult { connection, frames } => {
                self.propose_local(Local::QueryResult { connection, frames });
            }
            Input::Control(control) => self.control(*control),
            Input::Reload(reload) => self.reload(*reload),
            Input::Stop { until } => self.stop(until),
            #[cfg(feature = "cluster")]
            Input::LogReady => {}
        }
    }

    /// All connections have been closed, and the chat no longer changes: users who can resume stay stored
    /// with the rooms they were in.
    fn take_while_stopping(&mut self, input: Input) {
        match (input, self.stopping_until) {
            (Input::Connect { outbox, .. }, Some(until)) => {
                outbox.finish(CloseReason::ServerStopping, until);
            }
            (Input::Control(control), _) => self.control_while_stopping(*control),
            (Input::QueryResult { .. }, _) => self.recall.release_permit(),
            _ => {}
        }
    }

    /// Proposes a request, unless it says more than its room may be told now.
    fn ask(
        &mut self,
        connection: ConnectionId,
        request: chat::Request,
        since: Option<Box<Since>>,
        reference: Reference,
    ) {
        if self.log.is_away() {
            let error = ErrorReply::from(&Refusal::NotSaved).to(reference);
            return self.propose_local(Local::Refuse { connection, error });
        }
        let link = self.link(connection);
        if let chat::Request::Say(content, _) = &request
            && let Some((_, Some(room))) = self.chat.user_at(link)
            && let Some(pace) = self.delivery.pace(connection)
            && let Err(wait) = self.lobby.may_say(room, pace, content.encoded_len(), self.now)
        {
            let error = ErrorReply::rate_limited("messages in this room", wait).to(reference);
            return self.propose_local(Local::Refuse { connection, error });
        }
        self.propose(Action::Ask { link, request, reference }, since);
    }

    fn disconnect(&mut self, connection: ConnectionId, reason: CloseReason) {
        let (link, is_going_away) = (self.link(connection), reason.is_going_away());
        self.propose(Action::Disconnect { link, is_going_away }, None);
        self.propose_local(Local::Close { connection, reason });
    }

    /// Takes changed settings into use.
    pub(crate) fn reload(&mut self, reload: Reload) {
        self.delivery.set_server(reload.server);
        self.lobby.set_max_frame(reload.max_frame_bytes, self.delivery.connections());
        self.lobby.set_list_interval(reload.list_interval);
        self.lobby.set_room_rate(reload.room_bytes_per_second);
        self.max_tick_bytes = reload.max_tick_bytes;
        self.recall.set_on_enter(reload.history_on_enter);
        self.saver.set_retention(reload.retention);
        // Those of a shared log may come from another node.
        if !L::IS_SHARED || *self.chat.rules() != reload.rules {
            self.propose(Action::SetRules(Box::new(reload.rules)), None);
        }
    }

    fn stop(&mut self, until: Instant) {
        if L::IS_SHARED {
            self.leave();
        }
        self.commit_and_deliver();
        self.delivery.close_all(CloseReason::ServerStopping, until);
        self.stopping_until = Some(until);
    }

    fn propose(&mut self, action: Action, since: Option<Box<Since>>) {
        self.hand_in(Proposal::Action { action, since });
    }

    fn propose_local(&mut self, local: Local) {
        self.hand_in(Proposal::Local(local));
    }

    /// What is proposed to a shared log sets out with the rest of the tick, and comes back later. What concerns this
    /// node alone and waits for nothing is done at once, so it stays before what the same client asks for next.
    fn hand_in(&mut self, proposal: Proposal) {
        self.log.propose(proposal);
        if !L::IS_SHARED {
            return self.apply();
        }
        while let Some(local) = self.log.next_local() {
            self.apply_local(local);
        }
    }

    /// The users who could not resume leave. The others are still here for those on other nodes: they may be
    /// back on one of these before anybody notices.
    fn leave(&mut self) {
        let base_clients: Vec<ConnectionId> = self.delivery.base_clients().collect();
        for connection in base_clients {
            let (link, is_going_away) = (self.link(connection), true);
            self.propose(Action::Disconnect { link, is_going_away }, None);
        }
        self.log.leave();
    }

    /// Lets the lobby send the lists that are due. Nearly always none is, which is checked first.
    fn announce(&mut self) {
        if self.lobby.next_deadline().is_none_or(|deadline| deadline > self.now.at) {
            return;
        }
        let first = self.outputs.len();
        self.lobby.announce(self.now, &self.chat, &mut self.outputs);
        self.weigh(first);
    }

    fn push(&mut self, output: Output) {
        self.weight += output.weight();
        self.outputs.push(output);
    }

    /// Adds the weight of the outputs from index `first` on.
    fn weigh(&mut self, first: usize) {
        self.weight += self.outputs[first..].iter().map(Output::weight).sum::<usize>();
    }

    /// Commits the tick and delivers it. Slow consumers are disconnected, which leads to more outputs:
    /// these are committed and delivered in turn.
    fn commit_and_deliver(&mut self) {
        loop {
            if L::IS_SHARED {
                // What waits sets out before what has come is applied.
                self.log.flush();
                self.apply();
                self.log.flush();
            }
            self.commit();
            for output in self.outputs.drain(..) {
                if let Some(query) = self.delivery.take(output) {
                    self.recall.ask(query);
                }
            }
            self.weight = 0;
            let fallen_behind = self.delivery.deliver();
            if fallen_behind.is_empty() {
                return self.desk.answer(self.log.applied());
            }
            for connection in fallen_behind {
                self.disconnect(connection, CloseReason::SlowConsumer);
            }
        }
    }

    /// Saves the tick's messages and changes before anything is delivered. If that fails, the messages are
    /// refused, and everything else is delivered.
    fn commit(&mut self) {
        let reserved = self.saver.reserved();
        let began = Instant::now();
        let outcome = self.saver.commit(&self.chat, &self.outputs, self.now.at);
        if outcome != Outcome::NoMessages {
            self.metrics.dispatcher.commits.observe_time(began.elapsed());
        }
        match outcome {
            Outcome::NoMessages => {}
            Outcome::Saved => {
                self.lobby.settle(true);
                self.settle(Action::Saved);
            }
            Outcome::NotSaved => {
                self.metrics.dispatcher.failed_commits.add_alone(1);
                self.lobby.settle(false);
                self.settle(Action::NotSaved);
                saver::refuse_unsaved(&mut self.outputs, &self.chat);
            }
        }
        if self.saver.reserved() != reserved {
            self.grant_ids();
        }
    }

    /// Lets the chat hand out the ids that are reserved in the history.
    fn grant_ids(&mut self) {
        self.settle(Action::Reserved(self.saver.reserved()));
    }

    /// Tells the chat what the history has saved, unless the log itself is what saves.
    fn settle(&mut self, action: Action) {
        if !L::IS_SHARED {
            self.propose(action, None);
        }
    }

    fn link(&self, connection: ConnectionId) -> Link {
        Link { node: self.log.node(), connection }
    }
}

#[cfg(test)]
impl<L> Dispatcher<L> {
    pub(crate) fn chat(&self) -> &Chat {
        &self.chat
    }

    pub(crate) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Whether no connection has left anything behind.
    pub(crate) fn knows_nobody(&self) -> bool {
        // Once the server is stopping, nothing comes of what the lobby knows.
        let lobby_is_idle = self.lobby.knows_nobody() || self.stopping_until.is_some();
        self.outputs.is_empty()
            && self.delivery.knows_nobody()
            && lobby_is_idle
            && self.recall.results_on_their_way() == 0
    }
}

/// The present time by both clocks. The log's clock counts from `started`, so it does not go back even if
/// the time of day does.
fn now_since(started: Instant) -> Now {
    Now { at: started.elapsed(), time: clock::unix_millis(SystemTime::now()) }
}

#[cfg(test)]
mod tests;
