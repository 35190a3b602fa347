//! The writer: appends what this node proposes to the log, on a thread of its own.
//!
//! It takes the commands that wait, makes one batch of them, and appends it. A batch is kept until the dispatcher
//! has seen it in the log. Until then it is appended again whenever it may have been lost: after a new connection,
//! when the log has a gap, and when nothing comes back for a while. The log counts it once, by its counter.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use log::{info, warn};

use super::batch::{Batch, Command, JOIN_LEVEL};
use super::figures::Figures;
use super::redis::{Connection, Engine};
use super::watch::Reconnect;
use crate::chat::{Action, EntryId, NodeId, Request};
use crate::trouble::Trouble;

/// A batch has at most so many commands, and about so many bytes.
const MAX_COMMANDS: usize = 2_000;
const MAX_BYTES: usize = 256 * 1024;

/// How many batches may be on their way. Behind them, commands wait.
const MAX_UNCONFIRMED: usize = 256;

/// After how long without a batch that comes back both connections are made anew.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long it waits before it tries to connect again.
const PAUSE: Duration = Duration::from_millis(50);

/// How often the log repeats that the writer cannot write.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// How long the end waits for the last batches.
const TIME_TO_END: Duration = Duration::from_secs(3);

/// The dispatcher's end. The thread ends when this is dropped; after [`Writer::end`] it appends what is left first.
#[derive(Debug)]
pub(crate) struct Writer {
    commands: Option<Sender<Vec<Command>>>,
    shared: Arc<Shared>,
    ended: Receiver<()>,
}

/// The thread has ended before its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended;

/// What both ends look at.
#[derive(Debug, Default)]
struct Shared {
    /// The dispatcher has seen the batches up to this one in the log.
    confirmed: AtomicU64,
    /// Batches have to be appended again.
    must_repeat: AtomicBool,
    /// By which batches are written.
    level: AtomicU32,
    is_abandoned: AtomicBool,
}

struct WriterThread {
    engine: Engine,
    node: NodeId,
    commands: Receiver<Vec<Command>>,
    shared: Arc<Shared>,
    figures: Arc<Figures>,
    reconnect: Reconnect,
    connection: Option<Connection>,
    /// Commands that were taken and are in no batch yet.
    gathered: VecDeque<Command>,
    counter: u64,
    unconfirmed: VecDeque<(u64, Vec<u8>)>,
    /// How many of `unconfirmed`, from the front, have been appended over this connection.
    appended: usize,
    /// When a batch was confirmed last, or the first one since then was appended.
    progress: Instant,
    trouble: Trouble,
    /// Is dropped at the end.
    _ended: Sender<()>,
}

impl Writer {
    /// Starts the thread. It connects anew when `reconnect` says so, and tells the reader to when batches do not come back.
    pub(super) fn start(
        engine: Engine,
        node: NodeId,
        figures: Arc<Figures>,
        reconnect: Reconnect,
    ) -> std::io::Result<Self> {
        let (commands, received) = unbounded();
        let (ended_sender, ended) = bounded(0);
        let shared = Shared { level: AtomicU32::new(JOIN_LEVEL), ..Shared::default() };
        let shared = Arc::new(shared);
        let writer = WriterThread {
            engine,
            node,
            commands: received,
            shared: shared.clone(),
            figures,
            reconnect,
            connection: None,
            gathered: VecDeque::new(),
            counter: 0,
            unconfirmed: VecDeque::new(),
            appended: 0,
            progress: Instant::now(),
            trouble: Trouble::told_every(WARN_EVERY),
            _ended: ended_sender,
        };
        thread::Builder::new().name("log writer".to_owned()).spawn(move || writer.run())?;
        Ok(Self { commands: Some(commands), shared, ended })
    }

    /// Appends these commands, in order, behind all before. An error: the thread has panicked.
    pub(crate) fn send(&self, commands: Vec<Command>) -> Result<(), Ended> {
        match &self.commands {
            Some(sender) => sender.send(commands).map_err(|_| Ended),
            None => Ok(()),
        }
    }

    /// The batches up to this one have been seen in the log.
    pub(crate) fn confirm(&self, counter: u64) {
        self.shared.confirmed.store(counter, Ordering::Release);
    }

    /// Batches are written by this level from now on: at most that of the cluster.
    pub(crate) fn set_level(&self, level: u32) {
        self.shared.level.store(level, Ordering::Relaxed);
    }

    /// A batch has been seen in the log whose predecessor is missing.
    pub(crate) fn repeat(&self) {
        self.shared.must_repeat.store(true, Ordering::Release);
    }

    /// Appends what is left, and waits for that for some seconds at most.
    pub(crate) fn end(&mut self) {
        self.commands = None;
        let _ = self.ended.recv_timeout(TIME_TO_END);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.is_abandoned.store(true, Ordering::Release);
    }
}

impl WriterThread {
    fn run(mut self) {
        while !self.shared.is_abandoned.load(Ordering::Acquire) {
            self.forget_confirmed();
            let is_all_appended = self.appended == self.unconfirmed.len();
            if is_all_appended && !self.gather() {
                return;
            }
            if self.reconnect.writer.swap(false, Ordering::AcqRel) {
                self.connection = None;
                // What was appended over it may be lost, and nothing else may come that would be appended behind it.
                self.shared.must_repeat.store(true, Ordering::Release);
            }
            if self.must_repeat() {
                self.appended = 0;
            }
            self.form_batch();
            if self.append().is_err() {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Drops the batches that have been seen in the log.
    fn forget_confirmed(&mut self) {
        let confirmed = self.shared.confirmed.load(Ordering::Acquire);
        while self.unconfirmed.front().is_some_and(|(counter, _)| *counter <= confirmed) {
            self.unconfirmed.pop_front();
            self.appended = self.appended.saturating_sub(1);
            self.progress = Instant::now();
        }
    }

    /// Waits for commands, and takes all that are there. Returns false at the end.
    fn gather(&mut self) -> bool {
        if self.gathered.is_empty() && self.unconfirmed.len() < MAX_UNCONFIRMED {
            match self.commands.recv_timeout(PATIENCE / 10) {
                Ok(commands) => self.gathered.extend(commands),
                Err(RecvTimeoutError::Timeout) => {}
                // All has been appended.
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        } else if self.unconfirmed.len() >= MAX_UNCONFIRMED {
            thread::sleep(Duration::from_millis(1));
        }
        while self.gathered.len() < MAX_COMMANDS
            && let Ok(commands) = self.commands.try_recv()
        {
            self.gathered.extend(commands);
        }
        true
    }

    /// Whether batches that have been appended may be lost.
    fn must_repeat(&mut self) -> bool {
        let is_stuck =
            !self.unconfirmed.is_empty() && self.appended > 0 && self.progress.elapsed() > PATIENCE;
        if is_stuck {
            warn!(
                "nothing that this node has appended to the log comes back for {} s; it connects anew",
                PATIENCE.as_secs()
            );
            self.connection = None;
            self.reconnect.reader.store(true, Ordering::Release);
            self.progress = Instant::now();
        }
        let must_repeat = self.shared.must_repeat.swap(false, Ordering::AcqRel) || is_stuck;
        if must_repeat {
            self.figures.repeated_batches.fetch_add(self.appended as u64, Ordering::Relaxed);
        }
        must_repeat
    }

    /// Makes one batch of what was gathered.
    fn form_batch(&mut self) {
        if self.gathered.is_empty() || self.unconfirmed.len() >= MAX_UNCONFIRMED {
            return;
        }
        let mut bytes = 0;
        let mut commands = Vec::new();
        while commands.len() < MAX_COMMANDS
            && bytes < MAX_BYTES
            && let Some(command) = self.gathered.pop_front()
        {
            bytes += weight(&command);
            commands.push(command);
        }
        self.counter += 1;
        let batch = Batch {
            node: self.node,
            counter: self.counter,
            level: self.shared.level.load(Ordering::Relaxed),
            commands,
        };
        if self.unconfirmed.is_empty() {
            self.progress = Instant::now();
        }
        self.unconfirmed.push_back((self.counter, batch.encode()));
    }

    /// Appends the batches that have not been appended over this connection.
    fn append(&mut self) -> Result<(), ()> {
        if self.appended >= self.unconfirmed.len() {
            return Ok(());
        }
        if self.connection.is_none() {
            // Whatever was appended over another connection may be lost.
            self.figures.repeated_batches.fetch_add(self.appended as u64, Ordering::Relaxed);
            self.appended = 0;
            let connection = self.engine.master().map_err(|error| self.fail(&error))?;
            self.figures.set_writes_to(Some(connection.address()));
            self.connection = Some(connection);
        }
        while let Some((_, batch)) = self.unconfirmed.get(self.appended) {
            let Some(connection) = &mut self.connection else { return Err(()) };
            let (term, n) = (&self.figures.term, &self.figures.n);
            let seen = EntryId { term: term.load(Ordering::Relaxed), n: n.load(Ordering::Relaxed) };
            match connection.append(self.engine.keys(), seen, batch) {
                Ok(_) => {
                    self.appended += 1;
                    if self.trouble.has_ended() {
                        info!("the log is written again, at {}", connection.address());
                    }
                }
                Err(error) => {
                    self.connection = None;
                    self.fail(&error);
                    return Err(());
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, error: &super::redis::RedisError) {
        self.figures.set_writes_to(None);
        if self.trouble.is_news() {
            warn!("the log cannot be written: {error}");
        }
    }
}

/// About how many bytes a command takes in the log.
fn weight(command: &Command) -> usize {
    const OVERHEAD: usize = 64;
    let text = match command {
        Command::Act(Action::Ask { request: Request::Say(content, _), .. }) => {
            content.encoded_len()
        }
        Command::Act(Action::Announce { text }) => text.len(),
        _ => 0,
    };
    OVERHEAD + text
}
