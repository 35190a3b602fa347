//! A copy of the whole file, as it is at one moment, while others write.
//!
//! The thread that asks for it runs it, with a connection of its own: nobody waits for it. A read
//! transaction holds the moment, so the copy is consistent however long it takes; meanwhile the WAL grows
//! by what is written. The copy is a file without a name beside the database: it is on the same disk, and
//! goes with whoever holds it, even after a kill.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use rusqlite::backup::{self, StepResult};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::fstatvfs;

use super::super::{ArchiveError, Backup, HistoryError};
use super::database::{Database, open_connection};
use super::explain::explain;
use super::place::beside;
use super::reader::SqliteReader;
use super::row::uint;
use super::schema::meta;
use super::wal::WAL_MAX_BYTES;

/// How many pages are copied between two looks at the disk and at whoever waits for the copy.
const STEP_PAGES: i32 = 256;

/// After how many steps the copy is written to the disk. A commit that waits for the disk may have to wait
/// for all that was written before it.
const SYNC_STEPS: u32 = 4;

/// What a backup leaves free on the disk, for what is said meanwhile.
const RESERVE_BYTES: u64 = 2 * WAL_MAX_BYTES;

/// Reads the file beside its server. It does not keep the file open when the server ends.
#[derive(Clone, Debug)]
pub(crate) struct FileArchive(Weak<Database>);

/// A backup that has begun: its moment is held.
#[derive(Debug)]
pub(crate) struct FileBackup {
    /// Closed before the database's own descriptor is, which would end its locks.
    source: Connection,
    copy: Connection,
    file: File,
    path: PathBuf,
    running: Running,
}

/// That the only backup is being made.
#[derive(Debug)]
struct Running(Arc<Database>);

impl Running {
    fn begin(database: Arc<Database>) -> Result<Self, ArchiveError> {
        if database.set_backing_up(true) {
            return Err(ArchiveError::Busy);
        }
        Ok(Self(database))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set_backing_up(false);
    }
}

impl FileArchive {
    pub(super) fn new(database: &Arc<Database>) -> Self {
        Self(Arc::downgrade(database))
    }

    /// Where the file is, and how many bytes it takes with its WAL.
    pub(crate) fn place(&self) -> Result<(PathBuf, u64), ArchiveError> {
        let path = self.database()?.path.clone();
        let len = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let bytes = len(&path) + len(&beside(&path, "-wal"));
        Ok((path, bytes))
    }

    pub(crate) fn reader(&self) -> Result<SqliteReader, ArchiveError> {
        Ok(SqliteReader::new(self.database()?)?)
    }

    /// As [`Archive::backup`](super::super::Archive::backup).
    pub(crate) fn backup(&self) -> Result<FileBackup, ArchiveError> {
        let running = Running::begin(self.database()?)?;
        let database = &running.0;
        let source = database.connect_read_only()?;
        let explain_source = |error| ArchiveError::from(database.explain(error));
        source.execute_batch("BEGIN").map_err(explain_source)?;
        // The transaction begins with the first read.
        let _epoch: Option<String> = meta(&source, "epoch").map_err(explain_source)?;
        let bytes = page_bytes(&source).map_err(explain_source)?;
        let path = place(&database.path);
        let (file, copy) = create(&path)?;
        #[cfg(test)]
        super::tests::limit_pages(database, &copy);
        check_space(&path, &file, bytes)?;
        Ok(FileBackup { source, copy, file, path, running })
    }

    pub(super) fn database(&self) -> Result<Arc<Database>, ArchiveError> {
        self.0.upgrade().ok_or(ArchiveError::Closed)
    }
}

impl FileBackup {
    /// As [`BackupStart::copy`](super::super::archive::BackupStart::copy).
    pub(crate) fn copy(
        self,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Backup, ArchiveError> {
        let Self { source, mut copy, file, path, running } = self;
        let copied = copy_all(&source, &mut copy, &file, progress);
        drop((source, copy, running));
        copied.map_err(|failure| match failure {
            Failure::Sqlite(error) => explain(&path, error).into(),
            Failure::Archive(error) => error,
            Failure::Disk(error) => unwritable(&path, error).into(),
        })?;
        let bytes = file.metadata().map_err(|error| unwritable(&path, error))?.len();
        Ok(Backup { file, bytes })
    }
}

enum Failure {
    Sqlite(rusqlite::Error),
    Disk(std::io::Error),
    Archive(ArchiveError),
}

fn copy_all(
    source: &Connection,
    copy: &mut Connection,
    file: &File,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let page: i64 =
        source.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(Failure::Sqlite)?;
    let copying = backup::Backup::new(source, copy).map_err(Failure::Sqlite)?;
    for step in 1_u32.. {
        let is_done = match copying.step(STEP_PAGES).map_err(Failure::Sqlite)? {
            StepResult::Done => true,
            StepResult::More => false,
            // Nobody else has the copy, and readers of a WAL wait for nobody.
            _ => return Err(Failure::Archive(ArchiveError::Busy)),
        };
        let backup::Progress { remaining, pagecount } = copying.progress();
        let bytes = |pages: i32| uint(i64::from(pages) * page);
        let (done, total) = (bytes(pagecount - remaining), bytes(pagecount));
        if progress(done, total).is_break() {
            return Err(Failure::Archive(ArchiveError::Cancelled));
        }
        if is_done {
            break;
        }
        if step % SYNC_STEPS == 0 {
            file.sync_data().map_err(Failure::Disk)?;
        }
    }
    Ok(())
}

/// A file that only this process can reach, and the database in it. It is on the disk of `path`, and has no name.
pub(super) fn create(path: &Path) -> Result<(File, Connection), HistoryError> {
    remove(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(path).map_err(|error| unwritable(path, error))?;
    let copy = open_connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|copy| {
        // If it fails, it goes as a whole.
        copy.pragma_update(None, "journal_mode", "OFF")?;
        copy.pragma_update(None, "synchronous", "OFF")?;
        // SQLite opens the file when it reads it first.
        copy.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(copy)
    });
    let removed = fs::remove_file(path);
    let copy = copy.map_err(|error| explain(path, error))?;
    removed.map_err(|error| unwritable(path, error))?;
    Ok((file, copy))
}

/// Removes what a kill has left between the creation of the copy and the removal of its name. Nobody else may use
/// the database.
pub(super) fn remove_leftover(database: &Path) -> Result<(), HistoryError> {
    remove(&place(database))
}

fn remove(path: &Path) -> Result<(), HistoryError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unwritable(path, error)),
        _ => Ok(()),
    }
}

fn place(database: &Path) -> PathBuf {
    beside(database, ".backup")
}

/// Checks that the disk has room for the copy and for what is said meanwhile: nobody's message is refused for a
/// backup.
fn check_space(path: &Path, file: &File, bytes: u64) -> Result<(), HistoryError> {
    let Ok(disk) = fstatvfs(file) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = bytes.saturating_add(RESERVE_BYTES);
    if free >= needed {
        return Ok(());
    }
    let what = format!(
        "cannot be written: the disk has {} MB free, and a backup takes {} MB",
        free / 1_000_000,
        needed.div_ceil(1_000_000),
    );
    let advice = "free some space there; the copy lies there until it is handed over";
    Err(HistoryError::new(path, what, advice).that_may_pass(true))
}

fn unwritable(path: &Path, error: std::io::Error) -> HistoryError {
    let what = format!("cannot be written: {error}");
    let advice = "free some space there, and let the user that wschat runs as write in that folder";
    HistoryError::new(path, what, advice).because_of(error)
}

fn page_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0).map(uint));
    Ok(pragma("page_count")? * pragma("page_size")?)
}
