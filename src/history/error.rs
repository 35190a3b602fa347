//! Why a history cannot be used, in words for the one who can change it.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a history cannot be opened, read or written.
///
/// The text names the file, says what is wrong with it and what to do.
#[derive(Debug)]
pub struct HistoryError {
    file: PathBuf,
    what: String,
    advice: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl HistoryError {
    /// `what` is wrong with `file`, and what to do.
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

impl fmt::Display for HistoryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}; {}", self.file.display(), self.what, self.advice)
    }
}

impl Error for HistoryError {
    /// The text has said it already; this is for a program that asks for the kind.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
