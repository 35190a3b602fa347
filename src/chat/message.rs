//! Messages, their authors, and the names that clients give their requests.

use std::sync::Arc;

use super::wording::check_text;
use super::{Flaw, UserId};

/// About what a message takes beside its text and names, in bytes.
pub(crate) const MESSAGE_OVERHEAD_BYTES: usize = 128;

/// A message, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Counts up by one in its room, from 1, for ever.
    pub(crate) seq: u64,
    /// Unix time in milliseconds.
    pub(crate) time: u64,
    pub(crate) from: Person,
    pub(crate) content: Content,
    /// Unique for its author.
    pub(crate) reference: Reference,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(String),
    /// A picture by its number. What it shows is the client's business.
    Gif(u64),
}

impl Content {
    /// What is wrong with it, if anything is.
    pub(super) fn check(&self, max_text_chars: usize) -> Result<(), Flaw> {
        match self {
            Self::Text(text) => check_text(text, max_text_chars),
            Self::Gif(_) => Ok(()),
        }
    }

    /// What it takes beside its [`MESSAGE_OVERHEAD_BYTES`].
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Gif(_) => 0,
        }
    }
}

impl Said {
    /// About how many bytes it takes: its text, its names, and [`MESSAGE_OVERHEAD_BYTES`].
    pub(crate) fn weight(&self) -> usize {
        let reference = self.reference.as_ref().map_or(0, |name| name.len());
        MESSAGE_OVERHEAD_BYTES + self.content.bytes() + self.from.name.len() + reference
    }
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: Arc<str>,
}

/// The name that a client gives a request: 1 to 64 characters.
pub(crate) type Reference = Option<Arc<str>>;
