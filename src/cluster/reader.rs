//! The reader: follows the log, on a thread of its own, and hands its entries to the dispatcher.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{info, warn};

use super::figures::Figures;
use super::nodes::LogEntry;
use super::poison::log_entry;
use super::redis::{Connection, Engine};
use crate::chat::EntryId;
use crate::trouble::Trouble;

/// How many entries are read at once at most, which bounds the memory that they take.
const MAX_ENTRIES: usize = 64;

/// How many such portions may wait for the dispatcher.
const MAX_PORTIONS: usize = 8;

/// How long the server may wait for the next entry before it answers that there is none.
const BLOCK: Duration = Duration::from_secs(1);

/// How long the reader waits before it tries to connect again.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the log repeats that the reader cannot read.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Makes the dispatcher look for new entries.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// The dispatcher's end. The thread ends when this is dropped.
pub(crate) struct Reader {
    entries: Receiver<Vec<LogEntry>>,
    /// The dispatcher has been woken, and has not found the channel empty since.
    is_awake: Arc<AtomicBool>,
    is_abandoned: Arc<AtomicBool>,
}

struct ReaderThread {
    engine: Engine,
    /// That of the last entry that was read.
    place: EntryId,
    /// Entries that made a node panic. All nodes skip them.
    poisoned: BTreeSet<EntryId>,
    entries: Sender<Vec<LogEntry>>,
    is_awake: Arc<AtomicBool>,
    is_abandoned: Arc<AtomicBool>,
    must_reconnect: Arc<AtomicBool>,
    wake: Wake,
    figures: Arc<Figures>,
    trouble: Trouble,
}

impl Reader {
    /// Starts the thread, which reads what follows `place`. It connects anew when `must_reconnect` is set.
    pub(super) fn start(
        engine: Engine,
        place: EntryId,
        poisoned: BTreeSet<EntryId>,
        must_reconnect: Arc<AtomicBool>,
        wake: Wake,
        figures: Arc<Figures>,
    ) -> std::io::Result<Self> {
        let (sender, entries) = bounded(MAX_PORTIONS);
        let (is_awake, is_abandoned) = (Arc::<AtomicBool>::default(), Arc::default());
        let trouble = Trouble::told_every(WARN_EVERY);
        let reader = ReaderThread {
            engine,
            place,
            poisoned,
            entries: sender,
            is_awake: is_awake.clone(),
            is_abandoned: Arc::clone(&is_abandoned),
            must_reconnect,
            wake,
            figures,
            trouble,
        };
        thread::Builder::new().name("log reader".to_owned()).spawn(move || reader.run())?;
        Ok(Self { entries, is_awake, is_abandoned })
    }

    /// The next entries, if there are any.
    pub(crate) fn take(&self) -> Option<Vec<LogEntry>> {
        let next = self.entries.try_recv().ok();
        if next.is_some() || !self.is_awake.swap(false, Ordering::AcqRel) {
            return next;
        }
        // Who has sent something in the meantime has woken nobody.
        self.entries.try_recv().ok()
    }

    /// Waits for the next entries, for so long at most.
    pub(super) fn wait(&self, patience: Duration) -> Option<Vec<LogEntry>> {
        self.entries.recv_timeout(patience).ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.is_abandoned.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl ReaderThread {
    fn run(mut self) {
        while !self.is_abandoned.load(Ordering::Acquire) {
            match self.engine.source() {
                Ok(connection) => {
                    self.figures.set_reads_from(Some(connection.address()));
                    self.follow(connection);
                }
                Err(error) => self.fail(&error),
            }
            thread::sleep(PAUSE);
        }
    }

    /// Reads until the connection fails, or nobody takes entries any more.
    fn follow(&mut self, mut connection: Connection) {
        self.must_reconnect.store(false, Ordering::Release);
        while !self.is_abandoned.load(Ordering::Acquire)
            && !self.must_reconnect.swap(false, Ordering::AcqRel)
        {
            match connection.read(self.engine.keys(), self.place, MAX_ENTRIES, BLOCK) {
                Ok(raw) => {
                    if self.trouble.has_ended() {
                        info!("the log is read again, from {}", connection.address());
                    }
                    let entries: Vec<LogEntry> =
                        raw.into_iter().map(|entry| log_entry(entry, &self.poisoned)).collect();
                    self.place = entries.last().map_or(self.place, |entry| entry.id);
                    if !entries.is_empty() {
                        // This fails when nobody takes them any more.
                        let _ = self.entries.send(entries);
                        if !self.is_awake.swap(true, Ordering::AcqRel) {
                            (self.wake)();
                        }
                    }
                }
                Err(error) => {
                    self.fail(&error);
                    return;
                }
            }
        }
    }

    fn fail(&mut self, error: &super::redis::RedisError) {
        self.figures.set_reads_from(None);
        if self.trouble.is_news() {
            warn!("the log cannot be read, so nothing is delivered: {error}");
        }
    }
}
