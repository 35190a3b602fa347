//! Why the settings were refused, for the operator who can correct them. Pure.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;

/// Why the settings were refused.
///
/// The text names the file, the key, the value found and what is allowed, and is complete with the
/// program's name in front. Several mistakes make several lines.
#[derive(Debug)]
pub struct SettingsError {
    /// `None` when the settings are not from a file.
    file: Option<PathBuf>,
    kind: SettingsErrorKind,
}

#[derive(Debug)]
enum SettingsErrorKind {
    Unreadable(io::Error),
    NotUtf8(Utf8Error),
    Syntax { line: usize, column: usize, what: String },
    Mistakes(Vec<String>),
}

impl SettingsError {
    /// One line for each setting that is unknown or not allowed. Empty when the text could not be read
    /// or is not JSON.
    pub fn mistakes(&self) -> &[String] {
        match &self.kind {
            SettingsErrorKind::Mistakes(mistakes) => mistakes,
            SettingsErrorKind::Unreadable(_)
            | SettingsErrorKind::NotUtf8(_)
            | SettingsErrorKind::Syntax { .. } => &[],
        }
    }

    pub(super) fn unreadable(file: &Path, cause: io::Error) -> Self {
        Self { file: Some(file.to_owned()), kind: SettingsErrorKind::Unreadable(cause) }
    }

    pub(super) fn not_utf8(file: &Path, cause: Utf8Error) -> Self {
        Self { file: Some(file.to_owned()), kind: SettingsErrorKind::NotUtf8(cause) }
    }

    pub(super) fn byte_order_mark() -> Self {
        let what = "a byte order mark; save the text as UTF-8 without it".to_owned();
        Self { file: None, kind: SettingsErrorKind::Syntax { line: 1, column: 1, what } }
    }

    pub(super) fn syntax(cause: &serde_json::Error) -> Self {
        let text = cause.to_string();
        // The position has its own fields, so the text need not repeat it.
        let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what).to_owned();
        let (line, column) = (cause.line(), cause.column().max(1));
        Self { file: None, kind: SettingsErrorKind::Syntax { line, column, what } }
    }

    /// `Ok` when there is no mistake.
    pub(super) fn unless_empty(mistakes: Vec<String>) -> Result<(), Self> {
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Self { file: None, kind: SettingsErrorKind::Mistakes(mistakes) })
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
        match &self.kind {
            SettingsErrorKind::Unreadable(cause) => match cause.kind() {
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
            SettingsErrorKind::NotUtf8(cause) => write!(
                out,
                " is not UTF-8 text (byte {} does not fit); save it as UTF-8",
                cause.valid_up_to() + 1,
            ),
            SettingsErrorKind::Syntax { line, column, what } => {
                write!(out, ", line {line}, column {column}: {what}")
            }
            SettingsErrorKind::Mistakes(mistakes) => match &mistakes[..] {
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
    /// For programs that need the kind of an I/O error. The text includes it.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            SettingsErrorKind::Unreadable(cause) => Some(cause),
            SettingsErrorKind::NotUtf8(cause) => Some(cause),
            SettingsErrorKind::Syntax { .. } | SettingsErrorKind::Mistakes(_) => None,
        }
    }
}
