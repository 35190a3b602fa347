//! Committing a tick to the history, and what is to be done when that fails.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use log::{info, warn};

use crate::chat::{Chat, Effect, Memo, RoomId, Said, UserId};
use crate::history::{Batch, History, HistoryError};
use crate::protocol::ErrorReply;
use crate::recall::Recalled;
use crate::tick::Step;

/// How many user ids are noted as used ahead of their use, so that not every arrival takes a commit.
/// After a crash as many at most are skipped.
const USER_IDS_AHEAD: u64 = 64;

/// How long to wait before trying again what could not be committed, when nobody says anything.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often the log says that it still fails.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Whether what is said is kept at present. Shared with those who tell operators.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_failing: AtomicBool,
}

/// Commits ticks.
pub(crate) struct Keeping {
    history: Box<dyn History>,
    health: Arc<Health>,
    /// What is to be remembered with the next commit, beside what is said.
    memos: Vec<Memo>,
    /// User ids up to this one are noted as used.
    noted_user: UserId,
    /// Nobody above has anything in the history yet.
    kept_user: UserId,
    failing: Option<Failing>,
}

/// Since when commits have failed.
#[derive(Debug)]
struct Failing {
    since: Instant,
    retry_at: Instant,
    complained: Option<Instant>,
    /// The most that could not be saved at once.
    bytes: usize,
}

impl Health {
    /// Whether what was said last could not be kept.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}

impl Keeping {
    /// `noted_user` is the highest user id that the history knows to be in use.
    pub(crate) fn new(history: Box<dyn History>, health: Arc<Health>, noted_user: UserId) -> Self {
        let memos = Vec::new();
        Self { history, health, memos, noted_user, kept_user: noted_user, failing: None }
    }

    /// Commits what has changed since the server ran last.
    pub(crate) fn begin(&mut self, effects: Vec<Effect>) -> Result<(), HistoryError> {
        for effect in effects {
            if let Effect::Remember(memo) = effect {
                self.memos.push(memo);
            }
        }
        self.history.commit(Batch { said: &[], memos: &self.memos })?;
        self.memos.clear();
        Ok(())
    }

    /// Something to be remembered with the next commit.
    pub(super) fn note(&mut self, memo: Memo) {
        self.memos.push(memo);
    }

    /// When a commit is to be tried again, if nothing else leads to one before.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.failing.as_ref().map(|failing| failing.retry_at)
    }

    /// Commits what the tick leaves behind, before any of it is delivered. Where that fails, what
    /// was said is refused instead, and all else goes on: it is committed when that is possible again.
    pub(super) fn commit(&mut self, chat: &mut Chat, steps: &mut [Step]) {
        if chat.last_user() > self.noted_user {
            self.noted_user = UserId(chat.last_user().0 + USER_IDS_AHEAD);
            self.memos.push(Memo::LastUser(self.noted_user));
        }
        let said: Vec<(RoomId, &Said)> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Say { room, said, .. } => Some((*room, said)),
                _ => None,
            })
            .collect();
        if said.is_empty() && (self.memos.is_empty() || self.is_to_wait()) {
            return;
        }
        match self.history.commit(Batch { said: &said, memos: &self.memos }) {
            Ok(()) => {
                self.memos.clear();
                self.kept_user = chat.last_user();
                chat.kept();
                self.recover();
            }
            Err(error) => {
                let bytes = said.iter().map(|(_, said)| said.weight()).sum();
                self.complain(&error, bytes);
                let mut memos = newest_of_each(std::mem::take(&mut self.memos));
                // Whoever came and went meanwhile was never known.
                memos.retain(
                    |memo| !matches!(memo, Memo::SessionOver(user) if *user > self.kept_user),
                );
                self.memos = memos;
                chat.not_kept();
                refuse(steps, chat);
            }
        }
    }

    /// Notes how far ids have really been used, when no more will be.
    pub(super) fn end(&mut self, chat: &mut Chat) {
        self.noted_user = chat.last_user();
        self.memos.push(Memo::LastUser(self.noted_user));
        if let Some(failing) = &mut self.failing {
            failing.retry_at = Instant::now();
        }
        self.commit(chat, &mut []);
    }

    /// Whether it failed so recently that only something that is said is worth another try.
    fn is_to_wait(&self) -> bool {
        self.failing.as_ref().is_some_and(|failing| Instant::now() < failing.retry_at)
    }

    fn recover(&mut self) {
        if let Some(failing) = self.failing.take() {
            self.health.is_failing.store(false, Ordering::Relaxed);
            let seconds = failing.since.elapsed().as_secs();
            info!("the history is saved again, after {seconds} s");
            self.memos.push(Memo::Ballast(0));
        }
    }

    /// Notes that so many bytes of what was said could not be saved.
    fn complain(&mut self, error: &dyn std::error::Error, bytes: usize) {
        let now = Instant::now();
        self.health.is_failing.store(true, Ordering::Relaxed);
        let fresh = Failing { since: now, retry_at: now, complained: None, bytes };
        let failing = self.failing.get_or_insert(fresh);
        failing.bytes = failing.bytes.max(bytes);
        failing.retry_at = now + RETRY_AFTER;
        if failing.complained.is_none_or(|at| now.duration_since(at) >= COMPLAIN_EVERY) {
            failing.complained = Some(now);
            warn!("the history cannot be saved, so nothing that is said is told: {error}");
        }
        // What the next try writes, whatever else there is: it must not pass for a recovery that there
        // is room for a little less than what is said.
        self.memos.push(Memo::Ballast(failing.bytes + 1));
    }
}

/// What was said in these steps is refused, and nobody is shown it.
fn refuse(steps: &mut [Step], chat: &Chat) {
    for step in steps {
        match step {
            Step::Say { said, author, .. } => {
                let error = ErrorReply::not_saved().to(said.reference.take());
                *step = match *author {
                    Some(to) => Step::Refuse { to, error },
                    // The author has gone since.
                    None => Step::Nothing,
                };
            }
            Step::Ask { connection, question } => match &mut question.what {
                Recalled::Room { snapshot, .. } => {
                    snapshot.seq = snapshot.seq.min(chat.last_seq(snapshot.id));
                }
                // The same was said before, but only in this tick.
                Recalled::Said(position) if position.seq > chat.last_seq(position.room) => {
                    let error = ErrorReply::not_saved().to(question.reference.take());
                    *step = Step::Refuse { to: *connection, error };
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// Drops each memo that a later one of the same thing replaces, so that they do not grow for as long as
/// they cannot be committed.
fn newest_of_each(memos: Vec<Memo>) -> Vec<Memo> {
    let mut seen = HashSet::new();
    let mut newest: Vec<Memo> =
        memos.into_iter().rev().filter(|memo| seen.insert(subject(memo))).collect();
    newest.reverse();
    newest
}

/// What a memo is about.
fn subject(memo: &Memo) -> (u8, u64) {
    match memo {
        Memo::LastUser(_) => (0, 0),
        Memo::Session(session) => (1, session.user.0),
        Memo::SessionOver(user) => (1, user.0),
        Memo::Room(room) => (2, room.id.0),
        Memo::RoomGone(room) => (2, room.0),
        Memo::Ballast(_) => (3, 0),
    }
}

#[cfg(test)]
mod tests;
