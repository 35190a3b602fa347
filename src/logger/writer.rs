//! The log's thread: takes lines out of the queue and writes them, one `write(2)` each.
//!
//! It may be stuck in a write for ever; nobody waits for it. When the log changes its place, another thread takes
//! the queue over, and this one ends as soon as it can. A line that cannot be written, because the disk is full or
//! nobody reads the pipe any more, is dropped and counted.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::Receiver;

use super::destination::Destination;
use super::line::Line;
use super::queue::{Item, Queue};

#[derive(Debug)]
pub(super) struct Writer {
    queue: Queue,
    destination: Destination,
    /// Lines that could not be written, one after the other.
    failed: u64,
}

impl Writer {
    pub(super) fn new(queue: Queue, destination: Destination) -> Self {
        Self { queue, destination, failed: 0 }
    }

    /// Runs in a thread of its own until the sender of `retired` is given to [`Queue::retire`].
    pub(super) fn start(self, retired: Receiver<()>) -> io::Result<()> {
        thread::Builder::new().name("log".to_owned()).spawn(move || self.run(&retired))?;
        Ok(())
    }

    fn run(mut self, retired: &Receiver<()>) {
        while let Some(item) = self.queue.take(retired) {
            self.take(item);
        }
        self.retire();
    }

    /// Leaves the count of what is missing to the next writer.
    pub(super) fn retire(self) {
        self.queue.count_dropped(self.failed);
    }

    pub(super) fn take(&mut self, item: Item) {
        match item {
            Item::Line(line) => {
                self.write(&line);
                self.queue.release(&line);
            }
            Item::Mark(reached) => {
                // Nobody may wait for it any more.
                let _ = reached.try_send(());
            }
        }
        // Those that were dropped came after what was in the queue then.
        if self.queue.receiver.is_empty() {
            self.failed += self.queue.take_dropped();
            self.tell_failed();
        }
    }

    fn write(&mut self, line: &Line) {
        if !(self.tell_failed() && self.try_write(line)) {
            self.failed += 1;
        }
    }

    /// Says how many lines are missing, if any are. False if that cannot be written either.
    fn tell_failed(&mut self) -> bool {
        let is_told = self.failed == 0 || self.try_write(&Line::about_dropped(self.failed));
        if is_told {
            self.failed = 0;
        }
        is_told
    }

    fn try_write(&mut self, line: &Line) -> bool {
        let write = || self.destination.write(&line.format(self.destination.form)).is_ok();
        catch_unwind(AssertUnwindSafe(write)).unwrap_or(false)
    }
}
