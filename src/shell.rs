//! Paths quoted for a shell, for the commands that error messages suggest. Pure.

use std::fmt;
use std::path::Path;

/// Displays a path as one word of a shell command.
pub(crate) struct Quoted<'a>(pub(crate) &'a Path);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.to_string_lossy();
        if path.chars().all(|c| c.is_alphanumeric() || "/._-+@:,".contains(c)) {
            f.write_str(&path)
        } else {
            write!(f, "'{}'", path.replace('\'', r"'\''"))
        }
    }
}

/// The directory that contains a file; `.` for a bare file name.
pub(crate) fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
