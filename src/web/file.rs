//! Reads a file that the operator has named, and says what is wrong with it.
//!
//! Runs on the thread that starts or reloads the server.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::shell::{Quoted, directory};

/// Why a file cannot be read.
#[derive(Debug)]
pub(super) enum FileFault {
    /// There is a link of that name, or not even that.
    Missing {
        is_link: bool,
        error: io::Error,
    },
    Unreadable(io::Error),
    /// A directory, a named pipe, a device.
    NoFile,
}

/// Reads a file, and at most one byte more than `max`, which tells that it is too large.
pub(super) fn read(file: &Path, max: usize) -> Result<Vec<u8>, FileFault> {
    let refuse = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => {
            FileFault::Missing { is_link: fs::symlink_metadata(file).is_ok(), error }
        }
        _ => FileFault::Unreadable(error),
    };
    // Opening a named pipe would block forever.
    if !fs::metadata(file).map_err(refuse)?.is_file() {
        return Err(FileFault::NoFile);
    }
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let opened = File::open(file).map_err(refuse)?;
    let mut bytes = Vec::new();
    opened.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(refuse)?;
    Ok(bytes)
}

impl FileFault {
    pub(super) fn source(&self) -> Option<&io::Error> {
        match self {
            Self::Missing { error, .. } | Self::Unreadable(error) => Some(error),
            Self::NoFile => None,
        }
    }

    /// What is wrong, and what to do.
    pub(super) fn fmt(&self, file: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, parent) = (Quoted(file), Quoted(directory(file)));
        match self {
            Self::Missing { is_link: true, .. } => {
                write!(f, "this is a link to nothing. What it is: ls -l {path}")
            }
            Self::Missing { .. } => {
                write!(f, "there is no such file. What is there: ls -l {parent}")
            }
            Self::Unreadable(error) if error.kind() == ErrorKind::PermissionDenied => {
                fmt_denied(file, f)
            }
            Self::Unreadable(error) => {
                write!(f, "the file cannot be read ({error}). Try: cat {path}")
            }
            Self::NoFile => write!(f, "this is not a file. What it is: ls -ld {path}"),
        }
    }
}

pub(super) fn fmt_denied(path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let path = Quoted(path);
    write!(f, "the user that starts the server may not read it. Who may: namei -l {path}")
}
