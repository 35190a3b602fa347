//! Saving each tick in the history, and what becomes of messages that cannot be saved.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use crate::chat::{Chat, Effect, Event, Memo, Refusal, Reply, RoomId, Said, UserId};
use crate::health::Health;
use crate::history::{Batch, History, HistoryError};
use crate::output::Output;
use crate::recall::Lookup;

/// How many user ids are stored as used ahead of their use, so that not every arrival takes a commit.
/// After a crash as many at most are skipped.
const USER_IDS_AHEAD: u64 = 64;

/// How long to wait before the next try to save what could not be saved, when nobody says anything.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often the log says that saving still fails.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Saves ticks. All times are the log's.
pub(crate) struct Saver {
    history: Box<dyn History>,
    health: Arc<Health>,
    /// What is to be stored with the next commit, beside messages.
    memos: Vec<Memo>,
    /// User ids up to this one are stored as used.
    reserved_user: UserId,
    /// Nobody above has anything in the history yet.
    saved_user: UserId,
    failure: Option<Failure>,
}

/// Commits have failed for a while.
#[derive(Debug)]
struct Failure {
    since: Duration,
    retry_at: Duration,
    warned_at: Option<Duration>,
    /// The most that could not be saved at once, in bytes.
    bytes: usize,
}

/// What has become of the messages of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    NothingSaid,
    Saved,
    NotSaved,
}

impl Saver {
    /// `reserved_user` is the highest user id that the history knows to be in use.
    pub(crate) fn new(
        history: Box<dyn History>,
        health: Arc<Health>,
        reserved_user: UserId,
    ) -> Self {
        let saved_user = reserved_user;
        Self { history, health, memos: Vec::new(), reserved_user, saved_user, failure: None }
    }

    /// Saves what has changed since the server ran last.
    pub(crate) fn begin(&mut self, effects: Vec<Effect>) -> Result<(), HistoryError> {
        for effect in effects {
            if let Effect::Store(memo) = effect {
                self.memos.push(memo);
            }
        }
        self.history.commit(Batch { said: &[], memos: &self.memos })?;
        self.memos.clear();
        Ok(())
    }

    /// Something to be stored with the next commit.
    pub(super) fn note(&mut self, memo: Memo) {
        self.memos.push(memo);
    }

    /// When to try again to save, if nothing else leads to a commit before.
    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.failure.as_ref().map(|failure| failure.retry_at)
    }

    /// Saves the messages among `outputs`, and what was noted. What was noted and could not be saved is
    /// saved when that is possible again.
    pub(super) fn commit(&mut self, chat: &Chat, outputs: &[Output], at: Duration) -> Outcome {
        if chat.last_user() > self.reserved_user {
            self.reserved_user = UserId(chat.last_user().0 + USER_IDS_AHEAD);
            self.memos.push(Memo::LastUser(self.reserved_user));
        }
        let said: Vec<(RoomId, &Said)> = outputs.iter().filter_map(said_in).collect();
        if said.is_empty() && (self.memos.is_empty() || self.has_just_failed(at)) {
            return Outcome::NothingSaid;
        }
        let result = self.history.commit(Batch { said: &said, memos: &self.memos });
        match &result {
            Ok(()) => {
                self.memos.clear();
                self.saved_user = chat.last_user();
                self.recover(at);
            }
            Err(error) => {
                let bytes = said.iter().map(|(_, said)| said.weight()).sum();
                self.fail(error, bytes, at);
                self.keep_newest_memos();
            }
        }
        match (said.is_empty(), result) {
            (true, _) => Outcome::NothingSaid,
            (false, Ok(())) => Outcome::Saved,
            (false, Err(_)) => Outcome::NotSaved,
        }
    }

    /// Stores how far ids have really been used, when no more will be.
    pub(super) fn end(&mut self, chat: &Chat, at: Duration) {
        self.reserved_user = chat.last_user();
        self.memos.push(Memo::LastUser(self.reserved_user));
        if let Some(failure) = &mut self.failure {
            failure.retry_at = at;
        }
        self.commit(chat, &[], at);
    }

    /// Whether only a message is worth another try.
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

    /// So many bytes of messages could not be saved.
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
        // The next try writes at least this much, so room for a little less than the messages does not pass
        // for a recovery.
        self.memos.push(Memo::Padding(failure.bytes + 1));
    }

    /// Drops each memo that a later one of the same thing replaces, so that they do not pile up while they
    /// cannot be saved.
    fn keep_newest_memos(&mut self) {
        let mut seen = HashSet::new();
        let mut memos: Vec<Memo> = std::mem::take(&mut self.memos)
            .into_iter()
            .rev()
            .filter(|memo| seen.insert(subject(memo)))
            .collect();
        memos.reverse();
        // The history has never heard of a user who came and left meanwhile.
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

/// Refuses the messages among these outputs, which could not be saved, and shows them to nobody.
pub(super) fn refuse_unsaved(outputs: &mut [Output], chat: &Chat) {
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
                // The message was sent before, but only in this tick.
                Lookup::Message(position) if position.seq > chat.last_seq(position.room) => {
                    Some((*to, 0, query.reference.take()))
                }
                Lookup::Message(_) | Lookup::Page { .. } => None,
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
        Memo::LastUser(_) => (0, 0),
        Memo::User(user) => (1, user.user.0),
        Memo::UserGone(user) => (1, user.0),
        Memo::Room(room) => (2, room.id.0),
        Memo::RoomGone(room) => (2, room.0),
        Memo::Padding(_) => (3, 0),
    }
}

#[cfg(test)]
mod tests;
