//! Why the program ends with an error, and its exit status.

use std::fmt;

use wschat::{ServeError, StartError};

/// Why the program ends with an error. Each has its exit status.
#[derive(Debug)]
pub(super) enum ProgramError {
    Usage(String),
    /// The user of the settings cannot be used.
    Settings(String),
    /// What was asked of the running server has failed.
    Command(String),
    Start(StartError),
    Serve(ServeError),
    /// Everything has been printed. Only the exit status is left.
    Told(u8),
}

impl ProgramError {
    /// The table of `wschat --help`.
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Start(error) if error.may_pass() => 5,
            Self::Start(StartError::Listen { .. } | StartError::Admin { .. }) => 4,
            Self::Settings(_) | Self::Start(_) => 3,
            Self::Command(_) | Self::Serve(_) => 1,
            Self::Told(status) => *status,
        }
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) => write!(f, "{problem}; `wschat --help` shows what there is"),
            Self::Settings(problem) | Self::Command(problem) => f.write_str(problem),
            Self::Start(error) => error.fmt(f),
            Self::Serve(error) => error.fmt(f),
            Self::Told(_) => Ok(()),
        }
    }
}
