//! Where the file is: the names that lead to it, and whether it is still there.
//!
//! SQLite finds the WAL by the name of the database. So one database under two names is two databases,
//! which overwrite each other. The thread that starts the server resolves links and refuses what has
//! several names; later the dispatcher's thread and upkeep look whether the files are still in place.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::super::HistoryError;
use super::explain::{cut_short, gone, not_accessible, replaced};
use crate::shell::directory;

/// The places of two of the files in [`OpenFiles`].
const DATABASE: usize = 0;
const WAL: usize = 1;

/// The files that a server has opened.
#[derive(Debug)]
pub(super) struct OpenFiles {
    files: Vec<(PathBuf, FileId)>,
    /// The WAL is at least this long, unless another program has shortened it.
    wal_bytes: AtomicU64,
}

/// Identifies a file under whatever name: its device and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId(u64, u64);

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

impl OpenFiles {
    /// The database and what SQLite keeps beside it. All are open, so they exist.
    pub(super) fn find(database: &Path) -> io::Result<Self> {
        let paths = [database.to_owned(), beside(database, "-wal"), beside(database, "-shm")];
        let files = paths.into_iter().map(|path| {
            let id = (&fs::metadata(&path)?).into();
            Ok((path, id))
        });
        Ok(Self { files: files.collect::<io::Result<_>>()?, wal_bytes: AtomicU64::new(0) })
    }

    /// Checks that no file has been deleted, moved away, replaced or emptied. What is written to it then
    /// would be lost.
    pub(super) fn check(&self) -> Result<(), HistoryError> {
        for (index, (path, id)) in self.files.iter().enumerate() {
            match fs::metadata(path) {
                Ok(metadata) if index == DATABASE && metadata.len() == 0 => {
                    return Err(cut_short(path));
                }
                Ok(metadata) if FileId::from(&metadata) == *id => {}
                Ok(_) => return Err(replaced(path)),
                Err(error) => return Err(gone(path, error)),
            }
        }
        Ok(())
    }

    /// Notes how long the WAL is after a commit. SQLite itself may shorten it to `max_bytes`.
    pub(super) fn note_wal(&self, max_bytes: u64) {
        if let Ok(metadata) = fs::metadata(&self.files[WAL].0) {
            self.wal_bytes.store(metadata.len().min(max_bytes), Ordering::Relaxed);
        }
    }

    /// Whether the WAL has become shorter since.
    pub(super) fn is_wal_shorter(&self) -> bool {
        let len = fs::metadata(&self.files[WAL].0).map_or(0, |metadata| metadata.len());
        len < self.wal_bytes.load(Ordering::Relaxed)
    }
}

/// The one name of the file, without links. The file need not exist, but its folder must.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, HistoryError> {
    let folder = directory(path);
    if !folder.is_dir() {
        let what = format!("cannot be created: the folder {} does not exist", folder.display());
        return Err(HistoryError::new(path, what, "create the folder, or name another file"));
    }
    let resolved = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => resolve_new(path, folder)?,
        resolved => resolved.map_err(|error| unreadable(path, error))?,
    };
    for suffix in ["", "-wal", "-shm", ".lock"] {
        check_file(&beside(&resolved, suffix))?;
    }
    Ok(resolved)
}

fn resolve_new(path: &Path, folder: &Path) -> Result<PathBuf, HistoryError> {
    if let Ok(target) = fs::read_link(path) {
        let what = format!("is a link to {}, which does not exist", target.display());
        let advice = "put the file back there, or remove the link to start with an empty one";
        return Err(HistoryError::new(path, what, advice));
    }
    let folder = fs::canonicalize(folder).map_err(|error| unreadable(path, error))?;
    // A path without a name ends in "..", which exists.
    Ok(folder.join(path.file_name().unwrap_or_default()))
}

/// Checks that this is a file, and that nothing else leads to it, if it exists.
fn check_file(path: &Path) -> Result<(), HistoryError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if metadata.is_symlink() {
        let advice = "put the file that it leads to in its place: it is looked for by its name";
        return Err(HistoryError::new(path, "is a link", advice));
    }
    // Reading a pipe could wait for ever.
    if !metadata.is_file() {
        let advice = "move it away, or name a file that can be read and written";
        return Err(HistoryError::new(path, "cannot be opened: it is no file", advice));
    }
    if is_mounted(path) {
        let advice = "mount the folder that it is in: what lies beside it must be reached under the \
                      same name";
        return Err(HistoryError::new(path, "is mounted by itself", advice));
    }
    if metadata.nlink() > 1 {
        let what = format!("has {} names (hard links)", metadata.nlink());
        let advice = "leave one of them (`find -samefile` shows all), or make the others copies: \
                      under another name SQLite would not find its latest messages";
        return Err(HistoryError::new(path, what, advice));
    }
    Ok(())
}

/// Whether something is mounted at this very name, as far as the kernel says.
pub(super) fn is_mounted(path: &Path) -> bool {
    let status = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS);
    status.is_ok_and(|status| {
        status.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
            && status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
    })
}

/// The file cannot be opened.
pub(super) fn unreadable(path: &Path, error: io::Error) -> HistoryError {
    if error.kind() == ErrorKind::PermissionDenied {
        return not_accessible(path).because_of(error);
    }
    let what = format!("cannot be opened: {error}");
    HistoryError::new(path, what, "name a file that can be read and written").because_of(error)
}

/// The file of this name beside the database.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}
