//! Users who can resume: their keys, and since when they are away.

use std::time::Duration;

use super::ResumeKey;
use super::references::References;

/// The state of a user who can resume, besides name and room.
#[derive(Debug, PartialEq)]
pub(super) struct Resumption {
    pub(super) key: ResumeKey,
    /// `None` while the user is connected.
    pub(super) away: Option<Away>,
    pub(super) references: References,
}

/// The user has lost the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away {
    /// The user leaves at this time, unless it reconnects earlier.
    pub(super) until: Duration,
    /// The user would lose nothing by leaving: it is in no room, has not chosen a name, and has sent
    /// nothing with a reference.
    pub(super) has_nothing: bool,
}

impl Resumption {
    pub(super) fn new(key: ResumeKey) -> Self {
        Self { key, away: None, references: References::default() }
    }
}
