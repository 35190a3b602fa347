//! Finds what was said: in memory, and in Redis what is older.
//!
//! Any one thread runs it.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use log::warn;

use super::super::redis::Engine;
use super::stream::{Order, Streams};
use super::window::{Extent, Window};
use crate::chat::{MESSAGE_OVERHEAD_BYTES, Position, RoomId, Said};
use crate::history::{HistoryError, HistoryReader, first_within, newest_within};

/// How many messages Redis is asked for at once.
const PAGE_MESSAGES: usize = 500;

/// See the module's documentation.
pub(super) struct RoomsReader {
    streams: Streams,
    window: Window,
}

/// The messages of a room's stream with some numbers, without a gap.
struct Run<'a> {
    streams: &'a mut Streams,
    room: RoomId,
    extent: &'a Extent,
    /// What is still to be read.
    seqs: RangeInclusive<u64>,
    order: Order,
    /// How many messages are read at once.
    page: usize,
    read: VecDeque<Said>,
    has_begun: bool,
}

impl RoomsReader {
    pub(super) fn new(engine: Engine, window: Window) -> Self {
        Self { streams: Streams::new(engine), window }
    }

    /// Whether memory has this message, unless it is newer than all.
    fn is_in_memory(&self, room: RoomId, seq: u64) -> bool {
        self.window.memory.first(room).is_some_and(|first| first <= seq)
    }

    fn run<'a>(
        &'a mut self,
        room: RoomId,
        extent: &'a Extent,
        seqs: RangeInclusive<u64>,
        order: Order,
        (limit, max_bytes): (usize, usize),
    ) -> Run<'a> {
        // One more shows whether there are others.
        let most = (max_bytes / MESSAGE_OVERHEAD_BYTES).min(limit).saturating_add(1);
        let page = most.min(PAGE_MESSAGES);
        let (read, has_begun) = (VecDeque::new(), false);
        Run { streams: &mut self.streams, room, extent, seqs, order, page, read, has_begun }
    }
}

impl HistoryReader for RoomsReader {
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        up_to: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError> {
        let Some(extent) = self.window.extent(room) else { return Ok(Vec::new()) };
        let first = after.saturating_add(1).max(extent.first);
        let recent =
            self.window.memory.since(room, first - 1, up_to.min(extent.last), max_bytes)?;
        let top = recent.first().map_or(up_to.min(extent.last), |said| said.seq - 1);
        if top < first || self.is_in_memory(room, top) {
            return Ok(recent);
        }
        let sizes = (usize::MAX, max_bytes);
        let older = self.run(room, &extent, first..=top, Order::NewestFirst, sizes);
        let newest_first = recent.iter().rev().cloned().map(Ok).chain(older);
        match newest_within(max_bytes, newest_first) {
            Err(error) if !recent.is_empty() => {
                warn!("cluster: older messages than those in memory are left out: {error}");
                Ok(recent)
            }
            found => Ok(found?.0),
        }
    }

    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let Some(extent) = self.window.extent(room) else { return Ok((Vec::new(), false)) };
        let end = before.min(extent.last.saturating_add(1));
        let (mut recent, is_more) = self.window.memory.before(room, end, limit, max_bytes)?;
        recent.retain(|said| said.seq >= extent.first);
        let top = recent.first().map_or(end, |said| said.seq).saturating_sub(1);
        if is_more || top < extent.first {
            return Ok((recent, is_more && top >= extent.first));
        }
        let left = limit - recent.len();
        let sizes = (left, max_bytes);
        let mut older = self.run(room, &extent, extent.first..=top, Order::NewestFirst, sizes);
        let newest_first = recent.iter().rev().cloned().map(Ok).chain(older.by_ref().take(left));
        let found = newest_within(max_bytes, newest_first)
            .and_then(|(found, is_cut)| Ok((found, is_cut || older.next().transpose()?.is_some())));
        match found {
            Err(error) if !recent.is_empty() => {
                warn!("cluster: older messages than those in memory are left out: {error}");
                // Whoever asks for them next hears of it.
                Ok((recent, true))
            }
            found => found,
        }
    }

    fn after(
        &mut self,
        room: RoomId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        let Some(extent) = self.window.extent(room) else { return Ok((Vec::new(), false)) };
        let first = after.saturating_add(1).max(extent.first);
        if first > extent.last {
            return Ok((Vec::new(), false));
        }
        let in_memory = self.window.memory.first(room);
        let end = in_memory.map_or(extent.last, |seq| seq - 1);
        let mut found = Vec::new();
        if first <= end {
            let sizes = (limit, max_bytes);
            let run = self.run(room, &extent, first..=end, Order::OldestFirst, sizes);
            found = first_within(max_bytes, run.take(limit))?.0;
        }
        let next = found.last().map_or(first.max(end + 1), |said| said.seq + 1);
        // What comes next is in memory, or something is missing before that.
        if in_memory.is_some() && next > end {
            let (recent, _) = self.window.memory.after(room, next - 1, limit, max_bytes)?;
            // Memory may have dropped some meanwhile.
            if found.is_empty() || recent.first().is_some_and(|said| said.seq == next) {
                let oldest_first =
                    found.into_iter().chain(recent).take(limit).map(Ok::<_, HistoryError>);
                found = first_within(max_bytes, oldest_first)?.0;
            }
        }
        let is_more = match found.last() {
            Some(last) => last.seq < extent.last,
            None => limit == 0,
        };
        Ok((found, is_more))
    }

    fn message(&mut self, position: Position) -> Result<Option<Said>, HistoryError> {
        let Position { room, seq } = position;
        let Some(extent) = self.window.extent(room) else { return Ok(None) };
        if !(extent.first..=extent.last).contains(&seq) {
            return Ok(None);
        }
        if self.is_in_memory(room, seq) {
            return self.window.memory.message(position);
        }
        let sizes = (1, usize::MAX);
        self.run(room, &extent, seq..=seq, Order::NewestFirst, sizes).next().transpose()
    }
}

impl Iterator for Run<'_> {
    type Item = Result<Said, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read.is_empty() && !self.seqs.is_empty() {
            if let Err(error) = self.read_page() {
                self.end();
                return Some(Err(error));
            }
        }
        self.read.pop_front().map(Ok)
    }
}

impl Run<'_> {
    fn read_page(&mut self) -> Result<(), HistoryError> {
        let page =
            self.streams.page(self.room, self.extent, self.seqs.clone(), self.page, self.order)?;
        let last = page.slots.last().map(|(seq, _)| *seq);
        for (_, said) in page.slots {
            match said {
                Some(said) => {
                    self.has_begun = true;
                    self.read.push_back(said);
                }
                // What is older than a gap counts as pruned.
                None if self.has_begun || self.order == Order::NewestFirst => {
                    self.end();
                    return Ok(());
                }
                None => {}
            }
        }
        match (last, self.order) {
            (Some(last), Order::NewestFirst) if !page.is_last => {
                self.seqs = *self.seqs.start()..=last - 1;
            }
            (Some(last), Order::OldestFirst) if !page.is_last => {
                self.seqs = last + 1..=*self.seqs.end();
            }
            _ => self.end(),
        }
        Ok(())
    }

    /// There is nothing more to read.
    fn end(&mut self) {
        self.seqs = RangeInclusive::new(1, 0);
    }
}
