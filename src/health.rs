//! Whether messages can be saved, for `GET /health`. The dispatcher's thread and upkeep's set it, session
//! threads read it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether messages can be saved at present.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_failing: AtomicBool,
    is_misplaced: AtomicBool,
}

impl Health {
    /// Whether the last commit failed, or the next one will.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed) || self.is_misplaced.load(Ordering::Relaxed)
    }

    /// Whether the history's file is not in its place.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is no file"))]
    pub(crate) fn set_misplaced(&self, is_misplaced: bool) {
        self.is_misplaced.store(is_misplaced, Ordering::Relaxed);
    }

    pub(crate) fn set_failing(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
    }
}
