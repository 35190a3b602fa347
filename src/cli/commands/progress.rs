//! How far something that takes long has come, for whoever watches the terminal.

use std::io::{self, IsTerminal, Write};

/// A bar on stderr if that is a terminal. Dropping it removes it.
#[derive(Default)]
pub(super) struct Progress {
    /// The percent that are shown.
    shown: Option<u64>,
}

impl Progress {
    pub(super) fn show(&mut self, what: &str, done: u64, total: u64) {
        let percent = done.min(total) * 100 / total.max(1);
        if self.shown == Some(percent) || !io::stderr().is_terminal() {
            return;
        }
        self.shown = Some(percent);
        let bar = "#".repeat(usize::try_from(percent / 4).unwrap_or_default());
        let _ = write!(io::stderr(), "\r{what:<9} [{bar:<25}] {percent:>3} % ");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
