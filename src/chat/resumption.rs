//! Users who can resume: their keys, and since when they are away.

use std::time::Duration;

use super::references::References;
use super::{ResumeKey, UserId};

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

/// In which order users of one source leave when too many are away. The greatest is the first: one with
/// nothing to lose, or else the one whose time ends last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AwayRank {
    has_nothing: bool,
    until: Duration,
    pub(super) user: UserId,
}

impl Resumption {
    pub(super) fn new(key: ResumeKey) -> Self {
        Self { key, away: None, references: References::default() }
    }
}

impl Away {
    pub(super) fn rank(self, user: UserId) -> AwayRank {
        AwayRank { has_nothing: self.has_nothing, until: self.until, user }
    }
}
