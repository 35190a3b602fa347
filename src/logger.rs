//! The log of the `wschat` program: one line per event, written in one piece by a thread of its own.
//!
//! Any thread logs. It leaves its line in a queue and goes on, so a disk or a pipe that is slow, full or stuck
//! holds up nobody. What the queue does not take is dropped and counted. What is logged, and at which level, is
//! left to the library.
//!
//! | file | owns |
//! |---|---|
//! | `logger.rs` | starting, changing and draining the log |
//! | `line.rs` | how a line looks |
//! | `queue.rs` | the lines that wait, and the count of those that were dropped |
//! | `destination.rs` | the file or stderr, and what form of line belongs there |
//! | `writer.rs` | the log's thread |
//! | `panics.rs` | panics are logged as well |

mod destination;
mod line;
mod panics;
mod queue;
mod writer;

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Sender, bounded};
use log::{Log, Metadata, Record};
use wschat::LogSettings;

pub(crate) use self::destination::Destination;
use self::line::Line;
use self::queue::Queue;
use self::writer::Writer;

/// At level `trace` tungstenite logs whole messages, which must not be in the log.
const IGNORED_TARGET: &str = "tungstenite";

/// The log of this process.
#[derive(Clone, Debug)]
pub(crate) struct Logger {
    queue: Queue,
    current: Arc<Mutex<Current>>,
}

/// Where the log goes at present.
#[derive(Debug)]
struct Current {
    settings: LogSettings,
    /// What the queue needs to retire the thread that writes there.
    retire: Sender<()>,
}

impl Logger {
    /// Logs by these settings from now on, in the whole process, panics included.
    pub(crate) fn start(settings: &LogSettings) -> io::Result<Self> {
        let logger = Self::to(Destination::open(settings)?, settings)?;
        log::set_boxed_logger(Box::new(logger.clone())).map_err(io::Error::other)?;
        log::set_max_level(settings.level);
        panics::log_panics();
        Ok(logger)
    }

    fn to(destination: Destination, settings: &LogSettings) -> io::Result<Self> {
        let queue = Queue::default();
        let retire = start_writer(&queue, destination)?;
        let current = Current { settings: settings.clone(), retire };
        Ok(Self { queue, current: Arc::new(Mutex::new(current)) })
    }

    /// Changes to these settings, and to what has been opened by them. What waits in the queue goes there, too,
    /// even if a write to the old place never ends.
    pub(crate) fn change(
        &self,
        settings: &LogSettings,
        destination: Destination,
    ) -> io::Result<()> {
        let mut current = lock(&self.current);
        let is_file = settings.file.is_some() || current.settings.file.is_some();
        // A thread that is stuck on stderr is enough.
        if is_file || settings.format != current.settings.format {
            let retire = start_writer(&self.queue, destination)?;
            self.queue.retire(mem::replace(&mut current.retire, retire));
        }
        current.settings = settings.clone();
        log::set_max_level(settings.level);
        Ok(())
    }

    /// Opens the log's file anew, which has perhaps been moved away.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let settings = lock(&self.current).settings.clone();
        self.change(&settings, Destination::open(&settings)?)
    }

    /// Waits until what has been logged so far is written, for `timeout` at most. Returns whether it is.
    pub(crate) fn drain(&self, timeout: Duration) -> bool {
        let (done, drained) = bounded(1);
        self.queue.put_mark(done);
        drained.recv_timeout(timeout).is_ok()
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level() && !metadata.target().starts_with(IGNORED_TARGET)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            self.queue.put(Line { time: SystemTime::now(), level: record.level(), message });
        }
    }

    fn flush(&self) {}
}

fn start_writer(queue: &Queue, destination: Destination) -> io::Result<Sender<()>> {
    let (retire, retired) = bounded(0);
    Writer::new(queue.clone(), destination).start(retired)?;
    Ok(retire)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
