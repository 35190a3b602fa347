//! The lines that wait for the log's thread, and the count of those that were dropped.
//!
//! Any thread puts lines in, and never waits. The queue is bounded in bytes, so it takes memory only while the log
//! cannot be written as fast as lines come.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, unbounded};
use log::Level;

use super::line::Line;
use super::lock;

/// How much may wait: some ten thousand lines, which is more than all clients of a full server make when they leave
/// at once.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// What a line takes beside its text.
const LINE_BYTES: usize = 96;

/// Both ends of the queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    sender: Sender<Item>,
    pub(super) receiver: Receiver<Item>,
    counts: Arc<Counts>,
    /// Held while an item is taken, and while a writer is retired: one that is retired takes nothing more.
    turn: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Those of the lines in the queue, and of the one that is being written.
    bytes: AtomicUsize,
    /// Lines that were dropped, since the log last said so.
    dropped: AtomicU64,
}

#[derive(Debug)]
pub(super) enum Item {
    Line(Line),
    /// Everything before it has been written or dropped, which this tells.
    Mark(Sender<()>),
}

impl Default for Queue {
    fn default() -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver, counts: Arc::default(), turn: Arc::default() }
    }
}

impl Queue {
    /// Leaves a line to be written, or drops it if too much waits already.
    pub(super) fn put(&self, line: Line) {
        let size = size(&line);
        if self.counts.bytes.fetch_add(size, Ordering::Relaxed) + size > MAX_BYTES {
            self.counts.bytes.fetch_sub(size, Ordering::Relaxed);
            self.count_dropped(1);
            return;
        }
        // The queue has its receiver itself, so this cannot fail.
        let _ = self.sender.send(Item::Line(line));
    }

    pub(super) fn put_mark(&self, reached: Sender<()>) {
        let _ = self.sender.send(Item::Mark(reached));
    }

    /// Waits for the next item, and takes it. `None`: this writer is retired.
    pub(super) fn take(&self, retired: &Receiver<()>) -> Option<Item> {
        let mut select = Select::new();
        select.recv(retired);
        select.recv(&self.receiver);
        loop {
            select.ready();
            let _turn = lock(&self.turn);
            if retired.try_recv() == Err(TryRecvError::Disconnected) {
                return None;
            }
            match self.receiver.try_recv() {
                Ok(item) => return Some(item),
                // Another writer was faster.
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }

    /// From now on the writer with the other end takes nothing more.
    pub(super) fn retire(&self, writer: Sender<()>) {
        let _turn = lock(&self.turn);
        drop(writer);
    }

    /// A line has been written or dropped, so there is room for others.
    pub(super) fn release(&self, line: &Line) {
        self.counts.bytes.fetch_sub(size(line), Ordering::Relaxed);
    }

    pub(super) fn count_dropped(&self, lines: u64) {
        self.counts.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    /// Takes the count of dropped lines, to log it.
    pub(super) fn take_dropped(&self) -> u64 {
        match self.counts.dropped.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.counts.dropped.swap(0, Ordering::Relaxed),
        }
    }
}

impl Line {
    /// Says that lines are missing.
    pub(super) fn about_dropped(lines: u64) -> Self {
        let (were, s) = if lines == 1 { ("was", "") } else { ("were", "s") };
        let message = format!("{lines} line{s} {were} dropped: the log could not be written");
        Self { time: SystemTime::now(), level: Level::Warn, message }
    }
}

fn size(line: &Line) -> usize {
    line.message.len() + LINE_BYTES
}
