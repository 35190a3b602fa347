//! Whether what a client is shown of a room may be so: its members, who is away, and what was said since.

use super::V2;
use crate::frames::{Presence, Snapshot};
use crate::ledger::{Kind, Ledger, User};

/// Above this many members, the frame of a room does not show all of them.
pub(super) const SHOWN_MEMBERS: usize = 250;

impl V2 {
    pub(super) fn check_members(&self, room: &Snapshot<'_>, ledger: &mut Ledger) {
        let ids: Vec<User> = room.users.iter().map(|user| user.id).collect();
        let is_shown = room.user_count > SHOWN_MEMBERS || ids.len() == room.user_count;
        if !ids.is_sorted() || !ids.contains(&self.user) || !is_shown {
            let what = format!("{} with {ids:?} in room {}", room.user_count, room.room.id);
            ledger.violation(Kind::Presence, &self.name, what);
        }
        for user in room.users.iter().filter(|user| user.away) {
            self.check_away(user.id, ledger);
        }
    }

    /// `complete` is right, and the events join what was seen before.
    pub(super) fn check_events(&mut self, room: &Snapshot<'_>, ledger: &mut Ledger) {
        let seqs: Vec<u64> = room.events.iter().map(|said| said.seq).collect();
        let is_run = seqs.windows(2).all(|pair| pair[1] == pair[0] + 1)
            && seqs.last().is_none_or(|&last| last == room.seq);
        if !is_run && room.complete {
            let what = format!("up to {}: {seqs:?}", room.seq);
            ledger.violation(Kind::Gap, &self.name, what);
        }
        let Some(since) = self.since.take() else {
            return self.check_latest(room, seqs.len(), ledger);
        };
        let what = || {
            let Snapshot { seq, complete, reset, .. } = room;
            let events = (seqs.first(), seqs.last());
            format!("since {since:?}: up to {seq}, complete {complete}, reset {reset}: {events:?}")
        };
        if since.epoch != *room.epoch {
            if !room.reset {
                ledger.violation(Kind::FalseComplete, &self.name, what());
            }
        } else if room.reset || room.seq < since.seq {
            ledger.violation(Kind::EpochChanged, &self.name, what());
        } else if room.complete {
            let joins = room.seq - since.seq == seqs.len() as u64;
            if !joins {
                ledger.violation(Kind::FalseComplete, &self.name, what());
            }
        } else {
            ledger.counts.incomplete += 1;
            if ledger.rules.is_all_kept {
                ledger.violation(Kind::FalseComplete, &self.name, what());
            }
        }
    }

    /// Without `since`, nothing was asked for that could be missing.
    fn check_latest(&self, room: &Snapshot<'_>, len: usize, ledger: &mut Ledger) {
        let is_lacking = ledger.rules.is_all_kept && room.seq > 0 && len == 0;
        if !room.complete && ledger.rules.is_all_kept || is_lacking {
            let what = format!("complete {} without since, {len} of {}", room.complete, room.seq);
            ledger.violation(Kind::FalseComplete, &self.name, what);
        }
    }

    pub(super) fn presence(&self, presence: &Presence, ledger: &mut Ledger) {
        for user in presence.users.iter().filter(|user| user.away) {
            self.check_away(user.id, ledger);
        }
    }

    fn check_away(&self, user: User, ledger: &mut Ledger) {
        if user == self.user {
            return;
        }
        ledger.counts.seen_away += 1;
        if let Err(why) = ledger.people.may_be_away(user, ledger.rules.lease, ledger.now) {
            ledger.violation(Kind::Flap, &self.name, format!("user {user} is away: {why}"));
        }
    }
}
