//! Messages, their authors, and the references of requests.

use std::sync::Arc;

use super::wording::check_text;
use super::{Flaw, UserId};

/// About how many bytes a message takes besides its text and names.
pub(crate) const MESSAGE_OVERHEAD_BYTES: usize = 128;

/// A message with its number, time and author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Counts up by one in its room, from 1. Never reused.
    pub(crate) seq: u64,
    /// Unix time in milliseconds.
    pub(crate) time: u64,
    pub(crate) from: Person,
    pub(crate) content: Content,
    /// The reference of the request that sent it, unique for its author.
    pub(crate) reference: Reference,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(String),
    /// The number of a picture. The chat does not know which pictures exist.
    Gif(u64),
    /// Nothing any more: the message has been erased. Its author is nobody, with the id 0. Nobody can say it.
    Erased,
}

impl Content {
    /// Checks the content against the rules.
    pub(super) fn check(&self, max_text_chars: usize) -> Result<(), Flaw> {
        match self {
            Self::Text(text) => check_text(text, max_text_chars),
            Self::Gif(_) => Ok(()),
            Self::Erased => Err(Flaw::Blank),
        }
    }

    /// About how long a frame with it is.
    pub(crate) fn encoded_len(&self) -> usize {
        let escapes = match self {
            Self::Text(text) => {
                text.bytes().filter(|byte| matches!(byte, ..32 | b'"' | b'\\')).count()
            }
            Self::Gif(_) | Self::Erased => 0,
        };
        MESSAGE_OVERHEAD_BYTES + self.bytes() + escapes
    }

    /// How many bytes it takes besides [`MESSAGE_OVERHEAD_BYTES`].
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Gif(_) | Self::Erased => 0,
        }
    }
}

impl Said {
    /// What is left of it once it is erased.
    pub(crate) fn erased(&self) -> Self {
        let (seq, time, reference) = (self.seq, self.time, None);
        let from = Person { id: UserId(0), name: "".into() };
        Self { seq, time, from, content: Content::Erased, reference }
    }

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

/// The name that a client has given to a request, if any: 1 to 64 characters.
pub(crate) type Reference = Option<Arc<str>>;
