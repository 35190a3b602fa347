//! The lock that keeps other servers away from the file, and what must lie outside it.
//!
//! The lock is on a file beside the database, which has the id of the process that holds it, and on the
//! database itself, in case that is reached under another name. The file beside it also has the *mark*: a
//! token that the database has as well, the last message, and how many rooms
//! were deleted. So a start notices when the database is not
//! the one that the last server left, but an older copy. The thread that starts the server makes the
//! [`Claim`]; later the dispatcher's thread alone writes the mark.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::super::HistoryError;
use super::place::{beside, unreadable};
use crate::chat::{Memo, Position, RoomId};

/// How long, and how often, it is tried to lock a file that somebody else holds.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The right to use a file, for as long as this lives.
#[derive(Debug)]
pub(super) struct Claim {
    lock_file: File,
    /// What the last server left, if it left anything.
    mark: Option<Mark>,
    database: File,
}

/// What the file beside the database says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The database has one of them: the second, unless a start was cut short.
    tokens: [String; 2],
    last: Last,
}

/// What a database at least has, unless it is an older copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    /// The last message of some room that has not been deleted; room 0: there is none.
    message: Position,
    /// How many rooms have been deleted. In an older copy they are still there, with numbers that were used
    /// again.
    deleted_rooms: u64,
}

/// The mark begins here. All of it has a fixed length, so that it is overwritten in place, which takes no
/// space on a full disk.
const MARK_AT: u64 = 11;

/// More than the file ever has, so that another one in its place is not read as a whole.
const MAX_BYTES: u64 = 1_024;

const NOTHING: Last = Last { message: Position { room: RoomId(0), seq: 0 }, deleted_rooms: 0 };

/// The last messages of all rooms, of which one is in the mark.
#[derive(Debug)]
pub(super) struct LastMessages {
    seqs: BTreeMap<RoomId, u64>,
    marked: RoomId,
    deleted_rooms: u64,
}

impl LastMessages {
    /// Of the rooms that there are, when so many have been deleted.
    pub(super) fn new(seqs: impl Iterator<Item = (RoomId, u64)>, deleted_rooms: u64) -> Self {
        let seqs = seqs.filter(|(_, seq)| *seq > 0).collect();
        let mut new = Self { seqs, marked: RoomId(0), deleted_rooms };
        new.mark_another();
        new
    }

    /// What the mark says of them.
    pub(super) fn marked(&self) -> Last {
        let seq = self.seqs.get(&self.marked).copied().unwrap_or(0);
        let message = Position { room: self.marked, seq };
        Last { message, deleted_rooms: self.deleted_rooms }
    }

    /// A room is about to be deleted; returns whether the mark has to change before that is committed.
    pub(super) fn forget(&mut self, memo: &Memo) -> bool {
        let Memo::RoomGone(room) = memo else { return false };
        self.seqs.remove(room);
        if *room != self.marked {
            return false;
        }
        self.mark_another();
        true
    }

    /// A message was committed, which is in the mark from now on.
    pub(super) fn note(&mut self, message: Position) {
        self.seqs.insert(message.room, message.seq);
        self.marked = message.room;
    }

    /// A deletion was committed.
    pub(super) fn count_deleted(&mut self, memo: &Memo) {
        self.deleted_rooms += u64::from(matches!(memo, Memo::RoomGone(_)));
    }

    fn mark_another(&mut self) {
        let most = self.seqs.iter().max_by_key(|(_, seq)| **seq);
        self.marked = most.map_or(RoomId(0), |(room, _)| *room);
    }
}

impl Claim {
    /// Locks the database, and creates it if there is none.
    pub(super) fn new(path: &Path) -> Result<Self, HistoryError> {
        let lock_path = beside(path, ".lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock_file = options.open(&lock_path).map_err(|error| {
            let what =
                format!("cannot be used: {} cannot be created: {error}", lock_path.display());
            let advice = "give the user that wschat runs as the right to write in that folder, or \
                          name a file in another one";
            HistoryError::new(path, what, advice).because_of(error)
        })?;
        let is_locked = lock(path, &lock_file)?;
        let mut text = String::new();
        // If it cannot be read, nothing is known of the last server.
        let _ = (&lock_file).take(MAX_BYTES).read_to_string(&mut text);
        if !is_locked {
            return Err(in_use(path, text.lines().next()));
        }
        let mark = text.lines().nth(1).and_then(Mark::parse);
        // For `in_use`, in another server. The lock holds without it.
        let _ = match &mark {
            Some(_) => Ok(()),
            None => lock_file.set_len(0),
        }
        .and_then(|()| lock_file.write_all_at(owner_line().as_bytes(), 0));
        // A lock of flock(2) is not lost when SQLite closes another descriptor of the file.
        let database = options.open(path).map_err(|error| unreadable(path, error))?;
        if !lock(path, &database)? {
            return Err(in_use(path, None));
        }
        Ok(Self { lock_file, mark, database })
    }

    /// The database, which must not be closed while SQLite uses it: that would end SQLite's own locks.
    pub(super) fn database(&self) -> &File {
        &self.database
    }

    /// Whether the database with this token may be the one that the last server left. `last_seq` finds the
    /// last message in it of a room that it has, and `deleted_rooms` have been deleted in it.
    pub(super) fn fits<E>(
        &self,
        token: Option<&str>,
        deleted_rooms: u64,
        last_seq: impl FnOnce(RoomId) -> Result<Option<u64>, E>,
    ) -> Result<bool, E> {
        // Before there were marks, a database had no token.
        let Some(token) = token else { return Ok(true) };
        let Some(Mark { tokens, last }) = &self.mark else { return Ok(false) };
        if !tokens.iter().any(|known| known == token) || deleted_rooms < last.deleted_rooms {
            return Ok(false);
        }
        let Position { room, seq } = last.message;
        Ok(room.0 == 0 || last_seq(room)?.is_some_and(|found| found >= seq))
    }

    /// Notes the tokens of the database before and after a commit, for good.
    pub(super) fn set_tokens(&mut self, before: &str, after: &str) -> io::Result<()> {
        let last = self.mark.as_ref().map_or(NOTHING, |mark| mark.last);
        let mark = Mark { tokens: [before.to_owned(), after.to_owned()], last };
        self.lock_file.write_all_at(owner_line().as_bytes(), 0)?;
        self.lock_file.write_all_at(mark.to_line().as_bytes(), MARK_AT)?;
        self.lock_file.sync_data()?;
        self.mark = Some(mark);
        Ok(())
    }

    /// Notes what was committed last. It need not reach the disk: if it is lost together with
    /// the commit, nothing is wrong.
    pub(super) fn set_last(&self, last: Last) -> io::Result<()> {
        self.lock_file.write_all_at(last_line(last).as_bytes(), MARK_AT + 2 * 17)
    }
}

impl Mark {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let mut word = || words.next();
        let tokens = [word()?.to_owned(), word()?.to_owned()];
        let room = RoomId(word()?.parse().ok()?);
        let seq = word()?.parse().ok()?;
        // Before deleted rooms were counted, the line ended here.
        let deleted_rooms = word().and_then(|number| number.parse().ok()).unwrap_or(0);
        let last = Last { message: Position { room, seq }, deleted_rooms };
        Some(Self { tokens, last })
    }

    fn to_line(&self) -> String {
        let [before, after] = &self.tokens;
        let mut line = format!("{before:16} {after:16} ");
        line.push_str(&last_line(self.last));
        line
    }
}

fn last_line(last: Last) -> String {
    let Last { message: Position { room, seq }, deleted_rooms } = last;
    format!("{:020} {seq:020} {deleted_rooms:020}\n", room.0)
}

fn owner_line() -> String {
    format!("{:<10}\n", std::process::id())
}

/// Whether the file could be locked; false if somebody else holds it.
///
/// It is tried for [`PATIENCE`]: a process that is forked while a server has the file holds the lock as well, after that
/// server's end, until it runs the other program for which it was forked.
fn lock(path: &Path, file: &File) -> Result<bool, HistoryError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(PAUSE),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => {
                let what = format!("cannot be locked: {error}");
                return Err(
                    HistoryError::new(path, what, "put it on a local disk").because_of(error)
                );
            }
        }
    }
}

fn in_use(path: &Path, owner: Option<&str>) -> HistoryError {
    let mut what = "is in use by another server".to_owned();
    if let Some(process) = owner.and_then(|owner| owner.trim().parse::<u32>().ok()) {
        let _ = write!(what, " (process {process})");
    }
    HistoryError::new(path, what, "stop that server, or name another file").that_may_pass(true)
}
