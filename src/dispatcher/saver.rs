//! Saves each tick in the history, and refuses the messages that cannot be saved.
//!
//! Owns the writing end of the history and the changes that are not saved yet. The dispatcher's thread
//! runs it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use crate::chat::{Chat, Effect, Event, IdLimits, Memo, Refusal, Reply, RoomId, Said, UserId};
use crate::health::Health;
use crate::history::{Batch, History, HistoryError, Retention};
use crate::output::Output;
use crate::recall::Lookup;

/// How far ahead ids are reserved. So many users can still arrive, and so many rooms be created, while
/// nothing can be saved. A crash skips at most this many.
const IDS_AHEAD: IdLimits = IdLimits { user: 10_000, room: 256 };

/// How long after a failed commit the next one is tried, unless a new message leads to one earlier.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often the log says that saving still fails.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Saves ticks. All times are the log's.
pub(crate) struct Saver {
    history: Box<dyn History>,
    health: Arc<Health>,
    /// Changes to store with the next commit, besides messages.
    memos: Vec<Memo>,
    /// Ids up to these are reserved in the history.
    reserved: IdLimits,
    /// Ids up to these are reserved with the next commit, if they are more.
    requested: IdLimits,
    /// The history has nothing about users with higher ids.
    saved_user: UserId,
    failure: Option<Failure>,
}

/// Commits are failing.
#[derive(Debug)]
struct Failure {
    since: Duration,
    retry_at: Duration,
    warned_at: Option<Duration>,
    /// The most bytes of messages that one commit has failed to save.
    bytes: usize,
}

/// What happened to the messages of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    NoMessages,
    Saved,
    NotSaved,
}

impl Saver {
    pub(crate) fn new(history: Box<dyn History>, health: Arc<Health>) -> Self {
        let reserved = IdLimits { user: 0, room: 0 };
        Self {
            history,
            health,
            memos: Vec::new(),
            reserved,
            requested: reserved,
            saved_user: UserId(0),
            failure: None,
        }
    }

    /// Saves the changes that restoring the chat led to, and reserves ids for it.
    pub(crate) fn begin(&mut self, chat: &Chat, effects: Vec<Effect>) -> Result<(), HistoryError> {
        self.saved_user = UserId(chat.last_ids().user);
        self.request_ids(chat);
        for effect in effects {
            if let Effect::Store(memo) = effect {
                self.memos.push(memo);
            }
        }
        self.history.commit(Batch { said: &[], memos: &self.memos })?;
        self.memos.clear();
        self.reserved = self.requested;
        Ok(())
    }

    /// Changes how much the history keeps.
    pub(super) fn set_retention(&mut self, retention: Retention) {
        self.history.set_retention(retention);
    }

    /// The chat keeps so many messages in each room from now on.
    #[cfg(feature = "cluster")]
    pub(super) fn set_max_events(&mut self, max_events: u64) {
        self.history.set_max_events(max_events);
    }

    /// The ids that may be handed out.
    pub(super) fn reserved(&self) -> IdLimits {
        self.reserved
    }

    /// Adds a change to the next commit.
    pub(super) fn note(&mut self, memo: Memo) {
        self.memos.push(memo);
    }

    /// When to retry after a failed commit, unless a message leads to a commit earlier.
    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.failure.as_ref().map(|failure| failure.retry_at)
    }

    /// Saves the messages among `outputs` and the noted changes. If that fails, the changes are kept for
    /// the next commit.
    pub(super) fn commit(&mut self, chat: &Chat, outputs: &[Output], at: Duration) -> Outcome {
        self.request_ids(chat);
        let outcome = self.write(chat, outputs, at);
        #[cfg(feature = "cluster")]
        self.erase(outputs);
        outcome
    }

    /// Tells the history what the order of the log has erased. The messages before it are saved by then.
    #[cfg(feature = "cluster")]
    fn erase(&mut self, outputs: &[Output]) {
        for output in outputs {
            if let Output::Effect(Effect::Tell { room, event: Event::Erased(erased), .. }) = output
            {
                self.history.erase(*room, *erased);
            }
        }
    }

    fn write(&mut self, chat: &Chat, outputs: &[Output], at: Duration) -> Outcome {
        let said: Vec<(RoomId, &Said)> = outputs.iter().filter_map(said_in).collect();
        if said.is_empty() && (self.memos.is_empty() || self.has_just_failed(at)) {
            return Outcome::NoMessages;
        }
        let result = self.history.commit(Batch { said: &said, memos: &self.memos });
        match &result {
            Ok(()) => {
                self.memos.clear();
                self.reserved = self.requested;
                self.saved_user = UserId(chat.last_ids().user);
                self.recover(at);
            }
            Err(error) => {
                let bytes = said.iter().map(|(_, said)| said.weight()).sum();
                self.fail(error, bytes, at);
                self.keep_newest_memos();
            }
        }
        match (said.is_empty(), result) {
            (true, _) => Outcome::NoMessages,
            (false, Ok(())) => Outcome::Saved,
            (false, Err(_)) => Outcome::NotSaved,
        }
    }

    /// The last commit: stores the highest ids that were used, and gives the reserved ones back.
    pub(super) fn end(&mut self, chat: &Chat, at: Duration) {
        self.memos.push(Memo::Ids(chat.last_ids()));
        if let Some(failure) = &mut self.failure {
            failure.retry_at = at;
        }
        self.write(chat, &[], at);
    }

    /// Reserves more ids with the next commit, if half of those ahead are used. What was requested before
    /// and could not be committed is among the changes still.
    fn request_ids(&mut self, chat: &Chat) {
        let used = chat.last_ids();
        let is_low = |used: u64, requested, ahead| used.saturating_add(ahead / 2) >= requested;
        if is_low(used.user, self.requested.user, IDS_AHEAD.user)
            || is_low(used.room, self.requested.room, IDS_AHEAD.room)
        {
            self.requested = IdLimits {
                user: used.user.saturating_add(IDS_AHEAD.user),
                room: used.room.saturating_add(IDS_AHEAD.room),
            };
            self.memos.push(Memo::Ids(self.requested));
        }
    }

    /// Whether it is too early to retry without a message.
    fn has_just_failed(&self, at: Duration) -> bool {
        self.failure.as_ref().is_some_and(|failure| at < failure.retry_at)
    }

    fn recover(&mut self, at: Duration) {
        if let Some(failure) = self.failure.take() {
            self.health.set_failing(false);
            let seconds = at.saturating_sub(failure.since).as_secs();
            info!("the history is saved again, after {seconds} s");
            self.memos.push(Memo::Padding(0));
        }
    }

    /// Notes a failed commit with this many bytes of messages.
    fn fail(&mut self, error: &HistoryError, bytes: usize, at: Duration) {
        self.health.set_failing(true);
        let new = Failure { since: at, retry_at: at, warned_at: None, bytes };
        let failure = self.failure.get_or_insert(new);
        failure.bytes = failure.bytes.max(bytes);
        failure.retry_at = at + RETRY_AFTER;
        let is_news =
            failure.warned_at.is_none_or(|warned| at.saturating_sub(warned) >= WARN_EVERY);
        if is_news {
            failure.warned_at = Some(at);
            warn!("the history cannot be saved, so messages are refused: {error}");
        }
        // The next commit writes at least this much. Otherwise a retry without messages could succeed on a
        // disk that still has no space for them.
        self.memos.push(Memo::Padding(failure.bytes + 1));
    }

    /// Drops each memo that a later one about the same subject replaces, so that memos do not pile up while
    /// commits fail.
    fn keep_newest_memos(&mut self) {
        let mut seen = HashSet::new();
        let mut memos: Vec<Memo> = std::mem::take(&mut self.memos)
            .into_iter()
            .rev()
            .filter(|memo| seen.insert(subject(memo)))
            .collect();
        memos.reverse();
        // Users who came and left in the meantime are not in the history.
        memos.retain(|memo| !matches!(memo, Memo::UserGone(user) if *user > self.saved_user));
        self.memos = memos;
    }
}

fn said_in(output: &Output) -> Option<(RoomId, &Said)> {
    match output {
        Output::Effect(Effect::Tell { room, event: Event::Said(said), .. }) => Some((*room, said)),
        _ => None,
    }
}

/// Replaces each message among these outputs, none of which could be saved, with a refusal to its author.
pub(super) fn refuse_unsaved(outputs: &mut Vec<Output>, chat: &Chat) {
    // The refusal takes the place of the event, and answers the author in any case.
    outputs.retain(|output| {
        !matches!(output, Output::Effect(Effect::Reply { reply: Reply::Said(..), .. }))
    });
    for output in outputs {
        let refused = match output {
            Output::Effect(Effect::Tell { time, event: Event::Said(said), .. }) => {
                Some((said.from.id, *time, said.reference.take()))
            }
            Output::Query { to, query } => match &mut query.what {
                Lookup::Room { snapshot, .. } => {
                    snapshot.seq = snapshot.seq.min(chat.last_seq(snapshot.id));
                    None
                }
                // The message was first sent in this tick, so it was not saved either.
                Lookup::Message(position) if position.seq > chat.last_seq(position.room) => {
                    Some((*to, 0, query.reference.take()))
                }
                Lookup::Message(_) | Lookup::Page { .. } | Lookup::Previews { .. } => None,
            },
            _ => None,
        };
        if let Some((to, time, reference)) = refused {
            let reply = Reply::Refused(Refusal::NotSaved);
            *output = Output::Effect(Effect::Reply { to, time, reply, reference });
        }
    }
}

/// What a memo is about.
fn subject(memo: &Memo) -> (u8, u64) {
    match memo {
        Memo::Ids(_) => (0, 0),
        Memo::User(user) => (1, user.user.0),
        Memo::UserGone(user) => (1, user.0),
        Memo::Room(room) => (2, room.id.0),
        Memo::RoomGone(room) => (2, room.0),
        Memo::Padding(_) => (3, 0),
        Memo::Created { room, .. } => (4, room.0),
    }
}

#[cfg(test)]
mod tests;
