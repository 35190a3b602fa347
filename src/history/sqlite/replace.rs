//! Puts a backup in the place of the file while no server uses it.
//!
//! Runs on a thread of the program's, which has the database for itself: the lock of the servers is held. The
//! backup is copied, checked and prepared beside the file, and then takes its place in one step. What was there is
//! kept under another name. Where anything fails before that step, nothing has changed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags, flock, renameat_with};
use rustix::process::geteuid;

use super::super::{HistoryError, Restored, new_epoch};
use super::claim::{Claim, LastMessages};
use super::database::open_connection;
use super::explain::{MOVE_AWAY, RESTORE, explain};
use super::file::{TOKEN, check_header, note_synced};
use super::place::{beside, resolve};
use super::row::uint;
use super::schema::{Marks, VERSION, meta, set_meta};
use super::{backup, restore};
use crate::chat::RoomId;
use crate::shell::{Quoted, directory};

const ANOTHER: &str = "restore another backup";

/// What is read from the copy, once it is ready.
struct Prepared {
    token: String,
    last: LastMessages,
    messages: u64,
    newest: Option<u64>,
}

/// As [`restore`](super::super::restore).
pub(crate) fn replace(
    path: &Path,
    backup_path: &Path,
    owner: Option<(u32, u32)>,
) -> Result<Restored, HistoryError> {
    let path = &*resolve(path)?;
    let is_new = !path.exists();
    let mut claim = Claim::new(path)?;
    let replaced = replace_claimed(path, backup_path, owner, &mut claim);
    if replaced.is_err() && is_new {
        // The claim has created it.
        let _ = fs::remove_file(path);
    }
    replaced
}

fn replace_claimed(
    path: &Path,
    backup_path: &Path,
    owner: Option<(u32, u32)>,
    claim: &mut Claim,
) -> Result<Restored, HistoryError> {
    let source = open_backup(path, backup_path)?;
    backup::remove_leftover(path)?;
    let copy = NewFile::new(path, backup_path, &source)?;
    let prepared = prepare(&copy.0, backup_path)?;
    give_away(path, &copy.0, owner)?;
    let kept = swap(path, copy)?;
    // Without it, the next start takes the file for an older copy, which is true as well.
    let _ = claim
        .set_tokens(&prepared.token, &prepared.token)
        .and_then(|()| claim.set_last(prepared.last.marked()));
    give_away(path, &beside(path, ".lock"), owner)?;
    let Prepared { messages, newest, .. } = prepared;
    Ok(Restored { file: path.to_owned(), kept, messages, newest })
}

/// Opens the backup, which must be neither the file itself nor in use.
fn open_backup(path: &Path, backup: &Path) -> Result<File, HistoryError> {
    let unreadable = |error: io::Error| {
        let what = format!("cannot be read: {error}");
        HistoryError::new(backup, what, "name a backup that can be read").because_of(error)
    };
    // Opening a pipe would wait for somebody to write to it.
    let no_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(no_waiting).open(backup);
    let source = opened.map_err(unreadable)?;
    let metadata = source.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(HistoryError::new(backup, "is no file", "name the file of a backup"));
    }
    let is_the_same =
        |file: fs::Metadata| (file.dev(), file.ino()) == (metadata.dev(), metadata.ino());
    if fs::metadata(path).is_ok_and(is_the_same) {
        let what = "is the history itself";
        return Err(HistoryError::new(backup, what, "name a backup of it"));
    }
    if flock(&source, FlockOperation::NonBlockingLockShared).is_err() {
        let what = "is in use by a server";
        let advice = "make a backup of it with `wschat backup`, and restore that";
        return Err(HistoryError::new(backup, what, advice).that_may_pass(true));
    }
    check_header(backup, &source).map_err(of_backup)?;
    (&source).rewind().map_err(unreadable)?;
    if metadata.len() == 0 {
        return Err(HistoryError::new(backup, "is empty", ANOTHER));
    }
    Ok(source)
}

/// The error of a file that was to be the history, as one of a backup: there is nothing to move away.
fn of_backup(error: HistoryError) -> HistoryError {
    let is_about_the_file = [RESTORE, MOVE_AWAY].contains(&error.advice());
    if is_about_the_file { error.with_advice(ANOTHER) } else { error }
}

/// The copy of a backup beside the file. It is removed when this is dropped.
struct NewFile(PathBuf);

impl NewFile {
    /// With what SQLite has not copied into the backup yet, if that lies beside it.
    fn new(path: &Path, backup: &Path, source: &File) -> Result<Self, HistoryError> {
        let copy = Self(beside(path, ".restore"));
        copy.remove();
        let copied =
            copy_private(source, &copy.0).and_then(|()| match File::open(beside(backup, "-wal")) {
                Ok(wal) => copy_private(&wal, &beside(&copy.0, "-wal")),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            });
        copied.map_err(|error| unwritable(&copy.0, error))?;
        Ok(copy)
    }

    fn remove(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(beside(&self.0, suffix));
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        self.remove();
    }
}

fn copy_private(mut source: &File, path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(&mut source, &mut file).map(drop)
}

/// Checks the copy as a whole, and begins a new epoch in it: clients may have seen what is not in it. Leaves a file
/// that is complete without a WAL, and on the disk.
fn prepare(copy: &Path, backup: &Path) -> Result<Prepared, HistoryError> {
    // The error is about the backup, but a full disk is one of the copy's.
    let explain = |error: rusqlite::Error| {
        let error = explain(copy, error);
        if error.may_pass() { error } else { of_backup(error.about(backup)) }
    };
    let mut connection =
        open_connection(copy, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(explain)?;
    let marks = Marks::read(&connection).map_err(explain)?;
    marks.check(backup, VERSION).map_err(of_backup)?;
    let page: i64 =
        connection.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(explain)?;
    let len = fs::metadata(copy).map_err(|error| unwritable(copy, error))?.len();
    if !len.is_multiple_of(uint(page)) {
        // SQLite takes what is missing of the last page for zeros.
        return Err(HistoryError::new(backup, "is damaged: its end is missing", ANOTHER));
    }
    let fault: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(explain)?;
    if fault != "ok" {
        return Err(HistoryError::new(backup, format!("is damaged: {fault}"), ANOTHER));
    }
    let prepared = begin_anew(&mut connection).map_err(explain)?;
    connection.close().map_err(|(_, error)| explain(error))?;
    let synced = File::open(copy).and_then(|file| file.sync_all());
    synced.map_err(|error| unwritable(copy, error))?;
    Ok(prepared)
}

fn begin_anew(connection: &mut Connection) -> rusqlite::Result<Prepared> {
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    let token = new_epoch();
    let transaction = connection.transaction()?;
    set_meta(&transaction, "epoch", &new_epoch())?;
    set_meta(&transaction, TOKEN, &token)?;
    note_synced(&transaction)?;
    let rooms = transaction
        .prepare("SELECT id FROM room")?
        .query_map([], |row| row.get(0).map(uint))?
        .map(|id| {
            let room = RoomId(id?);
            Ok((room, restore::last_seq(&transaction, room)?.unwrap_or(0)))
        })
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let last = LastMessages::new(rooms.into_iter(), restore::deleted_rooms(&transaction)?);
    let count =
        "SELECT count(*), max(time) FROM event JOIN room ON room.id = event.room AND seq > pruned";
    let (messages, newest): (i64, Option<i64>) =
        transaction.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // It must be there, as a start takes it for granted.
    let _users: Option<i64> = meta(&transaction, "last_user")?;
    transaction.commit()?;
    Ok(Prepared { token, last, messages: uint(messages), newest: newest.map(uint) })
}

/// Gives a file to the user that the server runs as. Only root can, and nobody else needs to.
fn give_away(path: &Path, file: &Path, owner: Option<(u32, u32)>) -> Result<(), HistoryError> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner_of = |path: &Path| fs::metadata(path).map(|status| (status.uid(), status.gid())).ok();
    let is_user = |owner: &(u32, u32)| owner.0 != 0;
    let Some((user, group)) = owner
        .or_else(|| owner_of(directory(path)).filter(is_user))
        .or_else(|| owner_of(path).filter(is_user))
    else {
        return Ok(());
    };
    chown(file, Some(user), Some(group)).map_err(|error| {
        let what = format!("cannot be given to the user {user}: {error}");
        HistoryError::new(file, what, "let root restore it, on a disk that knows owners")
            .because_of(error)
    })
}

/// Puts the copy in the place of the file, in one step where the disk can do that. Returns where the file that was
/// there is kept.
fn swap(path: &Path, copy: NewFile) -> Result<Option<PathBuf>, HistoryError> {
    let is_empty = fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    let kept = (!is_empty).then(|| place_to_keep(path));
    let swapped = put(path, &copy, kept.as_deref());
    swapped.map_err(|error| {
        let what = format!("cannot be replaced: {error}");
        HistoryError::new(path, what, "let the user that restores it write in that folder")
            .because_of(error)
    })?;
    drop(copy);
    let synced = File::open(directory(path)).and_then(|folder| folder.sync_all());
    synced.map_err(|error| unwritable(path, error))?;
    Ok(kept)
}

fn put(path: &Path, copy: &NewFile, kept: Option<&Path>) -> io::Result<()> {
    let remove = |path: PathBuf| match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // The WAL of one file must never lie beside another: SQLite would copy it into that.
    match kept {
        Some(kept) => match fs::rename(beside(path, "-wal"), beside(kept, "-wal")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        },
        None => remove(beside(path, "-wal"))?,
    }
    remove(beside(path, "-shm"))?;
    let Some(kept) = kept else { return fs::rename(&copy.0, path) };
    let exchange = || renameat_with(CWD, &copy.0, CWD, path, RenameFlags::EXCHANGE);
    if exchange().is_ok() {
        // What is left under the name of the copy will be removed.
        return fs::rename(&copy.0, kept).inspect_err(|_| {
            let _ = exchange();
        });
    }
    fs::rename(path, kept)?;
    fs::rename(&copy.0, path)
}

/// A name beside the file that nothing has yet.
fn place_to_keep(path: &Path) -> PathBuf {
    let mut names = (1_u32..).map(|number| match number {
        1 => beside(path, ".before-restore"),
        _ => beside(path, &format!(".before-restore-{number}")),
    });
    let is_free = |name: &PathBuf| !name.exists() && !beside(name, "-wal").exists();
    names.find(is_free).expect("some number is free")
}

fn unwritable(path: &Path, error: io::Error) -> HistoryError {
    let what = format!("cannot be written: {error}");
    let advice =
        format!("free some space there, or look who may write in {}", Quoted(directory(path)));
    HistoryError::new(path, what, advice).because_of(error)
}
