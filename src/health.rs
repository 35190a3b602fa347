//! Whether the server does what it is there for. The dispatcher's thread says so, session threads tell it
//! to programs that watch the server.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether messages can be saved at present. Shared with those who tell operators.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_failing: AtomicBool,
}

impl Health {
    /// Whether the last commit failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_failing(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
    }
}
