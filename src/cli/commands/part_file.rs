//! A file that appears whole, or not at all: it is written as `FILE.part`, synced, and renamed.
//!
//! A thread of its own removes the part when a signal ends the program.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::cli::error::ProgramError;

/// A file that is being written. Dropping it removes what there is.
pub(super) struct PartFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    may_replace: bool,
    signals: Handle,
}

impl PartFile {
    /// Begins a file that only its owner can read. Unless it `may_replace` one, there must be none of this name.
    pub(super) fn create(path: &Path, may_replace: bool) -> Result<Self, ProgramError> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => {
                let text = format!("{} is no plain file: name another one", path.display());
                return Err(ProgramError::Command(text));
            }
            Ok(_) if !may_replace => return Err(exists(path)),
            _ => {}
        }
        let mut part = OsString::from(path);
        part.push(".part");
        let part = PathBuf::from(part);
        let failed = |error: &io::Error| match error.kind() {
            ErrorKind::AlreadyExists => ProgramError::Command(format!(
                "{} exists: another command is writing it, or was killed; remove it in that case",
                part.display()
            )),
            _ => unwritable(&part, error),
        };
        let signals = remove_on_signals(&part).map_err(|error| unwritable(&part, &error))?;
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create_new(true).mode(0o600).open(&part).map_err(|error| {
                signals.close();
                failed(&error)
            })?;
        Ok(Self { path: path.to_owned(), part, file, may_replace, signals })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ProgramError> {
        self.file.write_all(bytes).map_err(|error| unwritable(&self.part, &error))
    }

    /// Gives the file its name, once it is on the disk.
    pub(super) fn finish(self) -> Result<(), ProgramError> {
        let unwritable = |error: io::Error| unwritable(&self.path, &error);
        self.file.sync_all().map_err(unwritable)?;
        match self.rename() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(exists(&self.path));
            }
            renamed => renamed.map_err(unwritable)?,
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Not every file system can sync a folder.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }

    fn rename(&self) -> io::Result<()> {
        if self.may_replace {
            return fs::rename(&self.part, &self.path);
        }
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(CWD, &self.part, CWD, &self.path, flags) {
            // This file system knows no flags; the name was free a moment ago.
            Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&self.part, &self.path),
            renamed => Ok(renamed?),
        }
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // After the renaming there is none.
        let _ = fs::remove_file(&self.part);
        self.signals.close();
    }
}

fn remove_on_signals(part: &Path) -> io::Result<Handle> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let handle = signals.handle();
    let part = part.to_owned();
    thread::spawn(move || {
        for signal in signals.forever() {
            let _ = fs::remove_file(&part);
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(handle)
}

fn exists(path: &Path) -> ProgramError {
    ProgramError::Command(format!(
        "{} exists: name another file, or replace it with --force",
        path.display()
    ))
}

fn unwritable(path: &Path, error: &io::Error) -> ProgramError {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space there, or name a file on another disk"
        }
        ErrorKind::NotFound => "create its directory first",
        _ => "name another file",
    };
    ProgramError::Command(format!("{} cannot be written: {error}; {advice}", path.display()))
}
