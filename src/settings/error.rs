//! Why the settings were refused, in words for the one who can change them.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;

/// Why the settings were refused.
///
/// The text says which file, which key, what was found there and what is allowed, and needs nothing
/// before it but the program's name. It has several lines if there are several mistakes.
#[derive(Debug)]
pub struct SettingsError {
    /// Not known when the settings are not from a file.
    file: Option<PathBuf>,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Unreadable(io::Error),
    NotUtf8(Utf8Error),
    Syntax { line: usize, column: usize, what: String },
    Mistakes(Vec<String>),
}

impl SettingsError {
    /// One line for each setting that is unknown or not allowed. None if it did not come to that,
    /// because the text could not be read or is not JSON.
    pub fn mistakes(&self) -> &[String] {
        match &self.cause {
            Cause::Mistakes(mistakes) => mistakes,
            Cause::Unreadable(_) | Cause::NotUtf8(_) | Cause::Syntax { .. } => &[],
        }
    }

    pub(super) fn unreadable(file: &Path, cause: io::Error) -> Self {
        Self { file: Some(file.to_owned()), cause: Cause::Unreadable(cause) }
    }

    pub(super) fn not_utf8(file: &Path, cause: Utf8Error) -> Self {
        Self { file: Some(file.to_owned()), cause: Cause::NotUtf8(cause) }
    }

    pub(super) fn byte_order_mark() -> Self {
        let what = "a byte order mark; save the text as UTF-8 without it".to_owned();
        Self { file: None, cause: Cause::Syntax { line: 1, column: 1, what } }
    }

    pub(super) fn syntax(cause: &serde_json::Error) -> Self {
        let text = cause.to_string();
        // The position is told apart from the words, and so need not stand in them as well.
        let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what).to_owned();
        let (line, column) = (cause.line(), cause.column().max(1));
        Self { file: None, cause: Cause::Syntax { line, column, what } }
    }

    /// All is well if there is no mistake.
    pub(super) fn unless_empty(mistakes: Vec<String>) -> Result<(), Self> {
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Self { file: None, cause: Cause::Mistakes(mistakes) })
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(out, "{}", file.display())?,
            None => out.write_str("settings")?,
        }
        match &self.cause {
            Cause::Unreadable(cause) => match cause.kind() {
                io::ErrorKind::NotFound => out.write_str(
                    " does not exist; name another settings file, or put a copy of the \
                     settings.json that comes with wschat there",
                ),
                io::ErrorKind::PermissionDenied => out.write_str(
                    " may not be read (permission denied); give the user who starts wschat the \
                     right to read it",
                ),
                _ => write!(out, " cannot be read: {cause}"),
            },
            Cause::NotUtf8(cause) => write!(
                out,
                " is not UTF-8 text (byte {} does not fit); save it as UTF-8",
                cause.valid_up_to() + 1,
            ),
            Cause::Syntax { line, column, what } => {
                write!(out, ", line {line}, column {column}: {what}")
            }
            Cause::Mistakes(mistakes) => match &mistakes[..] {
                [mistake] => write!(out, ": {mistake}"),
                mistakes => {
                    write!(out, ": {} mistakes", mistakes.len())?;
                    mistakes.iter().try_for_each(|mistake| write!(out, "\n  {mistake}"))
                }
            },
        }
    }
}

impl Error for SettingsError {
    /// The text has said it already; this is for a program that asks for the kind.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Unreadable(cause) => Some(cause),
            Cause::NotUtf8(cause) => Some(cause),
            Cause::Syntax { .. } | Cause::Mistakes(_) => None,
        }
    }
}
