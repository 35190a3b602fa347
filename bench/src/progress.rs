//! The progress line: on a terminal only, on standard error, redrawn in place.

use std::io::{self, IsTerminal, Write};

const BAR_CELLS: usize = 24;

/// Shows the progress of a run.
#[derive(Debug)]
pub struct Progress {
    is_shown: bool,
}

impl Progress {
    /// A progress line if standard error is a terminal.
    pub fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal() }
    }

    /// Redraws the line: `done` of `all`, and `what` is being done.
    pub fn show(&self, done: u64, all: u64, what: &str) {
        if self.is_shown {
            let cells = BAR_CELLS as u64 * done.min(all) / all.max(1);
            let cells = usize::try_from(cells).unwrap_or(BAR_CELLS);
            let bar = format!("{}{}", "█".repeat(cells), "░".repeat(BAR_CELLS - cells));
            // A terminal that is gone must not end the run.
            let _ = write!(io::stderr(), "\r\x1b[K{bar} {what}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
