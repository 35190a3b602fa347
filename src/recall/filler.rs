//! Fills a page of history with messages, as many as fit. The thread of `recall` runs it.

use bytes::Bytes;

use super::max_weight;
use crate::chat::{Position, RoomId, Said};
use crate::history::{HistoryError, HistoryReader};
use crate::protocol::{EventPage, Fit};

/// A page that is being filled. It never has a gap.
pub(super) struct Filler<'a> {
    reader: &'a mut dyn HistoryReader,
    room: RoomId,
    page: EventPage,
    max_weight: usize,
    /// The first and the last `seq` on the page.
    range: Option<(u64, u64)>,
    /// There are older messages, or newer ones.
    more: bool,
    newer: bool,
    /// A message that is too long for any frame of the client.
    too_long: Option<u64>,
}

impl<'a> Filler<'a> {
    pub(super) fn new(
        reader: &'a mut dyn HistoryReader,
        room: RoomId,
        page: EventPage,
        max_frame: usize,
    ) -> Self {
        let max_weight = max_weight(max_frame);
        let (range, too_long) = (None, None);
        Self { reader, room, page, max_weight, range, more: false, newer: false, too_long }
    }

    /// The newest messages before `seq`.
    pub(super) fn before(&mut self, seq: u64, limit: usize) -> Result<(), HistoryError> {
        let (messages, more) = self.reader.before(self.room, seq, limit, self.max_weight)?;
        self.more = more;
        for said in messages.iter().rev() {
            if !self.add_older(said) {
                break;
            }
        }
        // Nothing is newer than everything.
        let last = self.range.map_or(seq.saturating_sub(1), |(_, last)| last);
        self.newer = seq != u64::MAX && self.has_newer(last)?;
        Ok(())
    }

    /// The oldest messages after `seq`.
    pub(super) fn after(&mut self, seq: u64, limit: usize) -> Result<(), HistoryError> {
        let (messages, newer) = self.reader.after(self.room, seq, limit, self.max_weight)?;
        self.newer = newer;
        for said in &messages {
            if !self.add_newer(said) {
                break;
            }
        }
        let first = self.range.map_or(seq.saturating_add(1), |(first, _)| first);
        self.more = self.has_older(first)?;
        Ok(())
    }

    /// The messages nearest to `seq`: half of them before it.
    pub(super) fn around(&mut self, seq: u64, limit: usize) -> Result<(), HistoryError> {
        let (older, more) = self.reader.before(self.room, seq, limit, self.max_weight)?;
        let (newer, has_newer) =
            self.reader.after(self.room, seq.saturating_sub(1), limit, self.max_weight)?;
        // What lies between them may be missing for a moment.
        let ends = older.last().zip(newer.first());
        let is_joint = ends.is_none_or(|(older, newer)| older.seq + 1 == newer.seq);
        let older = if is_joint { &older[..] } else { &[] };
        let more = more || !is_joint;
        // Where there are few on one side, the other side has more.
        let newer_count =
            newer.len().min((limit - limit / 2).max(limit.saturating_sub(older.len())));
        let older_count = older.len().min(limit - newer_count);
        self.more = more || older_count < older.len();
        self.newer = has_newer || newer_count < newer.len();
        // From the middle outwards, so that what does not fit is farthest away.
        let mut newer = newer.iter().take(newer_count);
        let mut older = older.iter().rev().take(older_count);
        let (mut has_room_after, mut has_room_before) = (true, true);
        loop {
            let after = newer.next().filter(|_| has_room_after);
            has_room_after = after.is_some_and(|said| self.add_newer(said));
            let before = older
                .next()
                .filter(|_| has_room_before && (self.range.is_some() || self.too_long.is_none()));
            has_room_before = before.is_some_and(|said| self.add_older(said));
            if !has_room_after && !has_room_before {
                return Ok(());
            }
        }
    }

    /// The frame, or the message that must be on it and is too long for the client.
    pub(super) fn finish(self) -> Result<Bytes, Position> {
        match self.too_long.filter(|_| self.range.is_none()) {
            Some(seq) => Err(Position { room: self.room, seq }),
            None => Ok(self.page.into_history(self.more, self.newer)),
        }
    }

    /// Returns whether it fitted.
    fn add_older(&mut self, said: &Said) -> bool {
        let fit = self.page.add_older(said);
        self.more |= fit != Fit::Taken;
        self.note(fit, said)
    }

    /// Returns whether it fitted.
    fn add_newer(&mut self, said: &Said) -> bool {
        let fit = self.page.add_newer(said);
        self.newer |= fit != Fit::Taken;
        self.note(fit, said)
    }

    fn note(&mut self, fit: Fit, said: &Said) -> bool {
        match fit {
            Fit::Taken => {
                let (first, last) = self.range.unwrap_or((said.seq, said.seq));
                self.range = Some((first.min(said.seq), last.max(said.seq)));
            }
            Fit::Full => {}
            Fit::TooLong => self.too_long = Some(said.seq),
        }
        fit == Fit::Taken
    }

    fn has_older(&mut self, first: u64) -> Result<bool, HistoryError> {
        Ok(!self.reader.before(self.room, first, 1, 0)?.0.is_empty())
    }

    fn has_newer(&mut self, last: u64) -> Result<bool, HistoryError> {
        Ok(!self.reader.after(self.room, last, 1, 0)?.0.is_empty())
    }
}
