//! How a line of the log looks. Pure.
//!
//! What a client sent, such as the path of a request, may be in a line: characters that would begin a new line,
//! change the direction of the text or control a terminal are escaped here, for all lines.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::Level;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One thing to be logged.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) message: String,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people: time, level, message.
    Text,
    /// For systemd's journal, which adds the time: the priority of `sd-daemon(3)`, and the message.
    Journal,
    /// For programs: an object.
    Json,
}

impl Line {
    /// The line, with its end.
    pub(super) fn format(&self, form: Form) -> String {
        let Self { time, level, message } = self;
        match form {
            Form::Text => format!("{} [{level}] {}\n", timestamp(*time), escaped(message)),
            Form::Journal => format!("<{}>{}\n", priority(*level), escaped(message)),
            Form::Json => {
                let time = timestamp(*time);
                let level = level.as_str().to_ascii_lowercase();
                let message = json_string(message);
                format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"message\":{message}}}\n")
            }
        }
    }
}

/// Harmless for who reads the log in a terminal, in Rust's notation for characters.
fn escaped(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for c in message.chars() {
        if is_harmless(c) {
            text.push(c);
        } else {
            text.extend(c.escape_debug());
        }
    }
    text
}

/// A string of JSON that means `message` exactly, and that is harmless in a terminal as well.
fn json_string(message: &str) -> String {
    let mut text = String::with_capacity(message.len() + 2);
    text.push('"');
    for c in message.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if is_harmless(c) => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
    text
}

fn is_harmless(c: char) -> bool {
    // Rust escapes these, but nothing needs it here.
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// The priority of `syslog(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
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
    let nanos = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}

#[cfg(test)]
mod tests;
