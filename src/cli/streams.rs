//! Standard output and standard error of a program that must end in time, whoever reads them or does not.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;

/// How long a last word may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Writes to stdout. It may be closed, which is no error.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Writes to stdout, in a thread of its own: the server goes on, also if nobody reads.
pub(super) fn say_aside(text: String) {
    aside(move || say(&text));
}

/// Writes to stderr. Waits no longer than [`PATIENCE`] for whoever reads it.
pub(super) fn complain(text: String) {
    let (done, written) = bounded(1);
    aside(move || {
        let _ = io::stderr().write_all(text.as_bytes());
        let _ = done.try_send(());
    });
    let _ = written.recv_timeout(PATIENCE);
}

fn aside(write: impl FnOnce() + Send + 'static) {
    // Without a thread nothing is said: to wait for the reader would be worse.
    let _ = thread::Builder::new().name("output".to_owned()).spawn(write);
}
