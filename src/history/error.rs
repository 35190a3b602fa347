//! Why a history cannot be used or copied, in words for the operator.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why a history cannot be opened, read or written.
///
/// The text names the file, and says what is wrong with it and what to do.
#[derive(Debug)]
pub struct HistoryError {
    file: PathBuf,
    what: String,
    advice: String,
    may_pass: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl HistoryError {
    /// `what` is wrong with `file`, and `advice` is what to do about it.
    pub(crate) fn new(
        file: &Path,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> HistoryError {
        let (what, advice) = (what.into(), advice.into());
        Self { file: file.to_owned(), what, advice, may_pass: false, source: None }
    }

    #[cfg(not(feature = "sqlite"))]
    pub(super) fn without_sqlite(path: &Path) -> Self {
        let what = "cannot be used: this wschat was built without the feature `sqlite`";
        Self::new(path, what, "build it with that feature, or set the history's file to null")
    }

    /// Whether the same may succeed later without anybody's changing the settings or the file: the disk is full,
    /// the file is in use, or the system lacks something for the moment.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        let source = self.source.as_deref();
        let system = source.and_then(|source| source.downcast_ref::<io::Error>());
        self.may_pass || system.is_some_and(may_pass)
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn about(self, file: &Path) -> Self {
        Self { file: file.to_owned(), ..self }
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn advice(&self) -> &str {
        &self.advice
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn with_advice(self, advice: &str) -> Self {
        Self { advice: advice.to_owned(), ..self }
    }

    #[cfg(any(feature = "sqlite", feature = "cluster"))]
    pub(crate) fn that_may_pass(self, may_pass: bool) -> Self {
        Self { may_pass, ..self }
    }

    #[cfg(any(feature = "sqlite", feature = "cluster"))]
    pub(crate) fn because_of(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }
}

/// Why a history cannot be copied.
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "only a file is copied"))]
#[derive(Debug)]
pub(crate) enum ArchiveError {
    /// It is in memory only.
    Memory,
    /// It is in Redis, for all nodes.
    #[cfg(feature = "cluster")]
    Shared,
    /// Another backup is being made.
    Busy,
    /// Whoever asked for it wants it no more.
    Cancelled,
    /// The server has ended.
    Closed,
    History(HistoryError),
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

impl From<HistoryError> for ArchiveError {
    fn from(error: HistoryError) -> Self {
        Self::History(error)
    }
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Memory => {
                "the history is in memory only; to keep one that can be backed up, name a file in \"history\" of the \
                 settings and restart"
            }
            #[cfg(feature = "cluster")]
            Self::Shared => {
                "the history is in Redis, and a backup is made of that; `wschat cluster export FILE` writes a file that \
                 a server without a cluster can use"
            }
            Self::Busy => "another backup is being made; try again when it is done",
            Self::Cancelled => "the backup was cancelled",
            Self::Closed => "the server is ending; try again when it runs",
            Self::History(error) => return error.fmt(out),
        })
    }
}

impl Error for ArchiveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::History(error) => error.source(),
            #[cfg(feature = "cluster")]
            Self::Shared => None,
            Self::Memory | Self::Busy | Self::Cancelled | Self::Closed => None,
        }
    }
}

/// Whether the system may give later what it has just refused.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    let lacks_descriptors = error.raw_os_error().is_some_and(|code| {
        code == Errno::MFILE.raw_os_error() || code == Errno::NFILE.raw_os_error()
    });
    lacks_descriptors
        || matches!(
            error.kind(),
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::OutOfMemory
                | ErrorKind::WouldBlock
                | ErrorKind::ResourceBusy
                | ErrorKind::Interrupted
                | ErrorKind::TimedOut
                | ErrorKind::StaleNetworkFileHandle
        )
}
