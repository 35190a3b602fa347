//! Why a history cannot be used, in words for the operator.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a history cannot be opened, read or written.
///
/// The text names the file, and says what is wrong with it and what to do.
#[derive(Debug)]
pub struct HistoryError {
    file: PathBuf,
    what: String,
    advice: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl HistoryError {
    /// `what` is wrong with `file`, and `advice` is what to do about it.
    pub(super) fn new(
        file: &Path,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> HistoryError {
        Self { file: file.to_owned(), what: what.into(), advice: advice.into(), source: None }
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn because_of(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }
}

#[cfg(test)]
impl HistoryError {
    /// An error, for tests of what follows from one.
    pub(crate) fn example() -> Self {
        Self::new(Path::new("/chat.db"), "cannot be used", "look into it")
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}; {}", self.file.display(), self.what, self.advice)
    }
}

impl Error for HistoryError {
    /// The text above includes it; this is for programs that look at its type.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
