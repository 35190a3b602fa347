//! The log of the `wschat` program: one line per event, written in one piece.
//!
//! Any thread logs. A line is finished before the lock is taken, so nothing that goes wrong while a value is
//! shown can damage the log. What a client sent, such as the path of a request, may be in a line: characters
//! that would begin a new line, change the direction of the text or control a terminal are escaped here, for
//! all lines. What is logged, and at which level, is left to the library.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// At level `trace` tungstenite logs whole messages, which must not be in the log.
const IGNORED_TARGET: &str = "tungstenite";

/// Writes the log to a file or to stderr.
pub(crate) struct Logger {
    level: LevelFilter,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Logger {
    /// Logs to `out` from now on, in the whole process.
    pub(crate) fn start(
        level: LevelFilter,
        out: Box<dyn Write + Send>,
    ) -> Result<(), SetLoggerError> {
        log::set_boxed_logger(Box::new(Self { level, out: Mutex::new(out) }))?;
        log::set_max_level(level);
        Ok(())
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level && !metadata.target().starts_with(IGNORED_TARGET)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = line(SystemTime::now(), record.level(), &record.args().to_string());
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // There is nobody to tell that the log cannot be written.
        let _ = out.write_all(line.as_bytes());
    }

    fn flush(&self) {
        let _ = self.out.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

/// One line of the log.
fn line(now: SystemTime, level: Level, message: &str) -> String {
    let mut line = format!("{} [{level}] ", timestamp(now));
    for c in message.chars() {
        match c {
            // Escaped in Rust's notation for characters, but harmless here.
            '"' | '\'' | '\\' => line.push(c),
            c => line.extend(c.escape_debug()),
        }
    }
    line.push('\n');
    line
}

/// The time in UTC as RFC 3339 has it. A clock may also show a year that has no such form: then `@` and the
/// seconds since 1970, as `date -d` reads them.
fn timestamp(now: SystemTime) -> String {
    let nanos = unix_nanos(now);
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds(nanos))
}

fn seconds(nanos: i128) -> String {
    let mut text = String::from(if nanos < 0 { "@-" } else { "@" });
    let nanos = nanos.unsigned_abs();
    let _ = write!(text, "{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text
}

/// The nanoseconds since 1970. A `SystemTime` is far from filling an `i128` with them.
fn unix_nanos(time: SystemTime) -> i128 {
    let nanos =
        |duration: std::time::Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}

#[cfg(test)]
mod tests;
