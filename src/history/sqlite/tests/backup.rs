//! Copies of the whole file while it is used.

use std::fs;
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Instant;

use super::*;
use crate::chat::Content;
use crate::history::{ArchiveError, Backup};

/// As it comes to whoever asked for it: in a file of its own.
pub(super) fn save(backup: Backup) -> (TempDir, PathBuf) {
    let Backup { mut file, bytes } = backup;
    let (folder, path) = new_path();
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    let copied = std::io::copy(&mut file, &mut fs::File::create(&path).unwrap()).unwrap();
    assert_eq!(copied, bytes);
    assert_eq!(query::<String>(&path, "PRAGMA integrity_check"), "ok");
    (folder, path)
}

pub(super) fn back_up(
    archive: &FileArchive,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Backup, ArchiveError> {
    archive.backup()?.copy(progress)
}

/// The names of the files in the folder.
pub(super) fn names(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

pub(super) fn whole(_: u64, _: u64) -> ControlFlow<()> {
    Continue(())
}

/// Some MiB, so that a copy takes several steps.
fn start_with_much(path: &Path) -> TestServer {
    let mut server = TestServer::start_anew(path);
    let long = "x".repeat(10_000);
    for seq in 1..=300 {
        let said = Said { content: Content::Text(long.clone()), ..text(seq) };
        server.writer.commit(Batch { said: &[(LOBBY, &said), (BAR, &said)], memos: &[] }).unwrap();
    }
    server
}

#[test]
fn a_backup_is_the_file_at_one_moment_however_much_is_said_meanwhile() {
    let (folder, path) = new_path();
    let mut server = start_with_much(&path);
    server.upkeep.set_wal_max_bytes(1 << 20);
    let archive = server.archive.clone();
    let mut steps = Vec::new();
    let backup = back_up(&archive, &mut |done, total| {
        // The dispatcher and upkeep go on, and hold up neither each other nor the copy.
        let seq = 301 + 100 * steps.len() as u64;
        server.say(LOBBY, seq..seq + 100);
        server.upkeep.round(Instant::now(), &|_| true).unwrap();
        steps.push((done, total));
        Continue(())
    });
    let total = steps[0].1;
    assert!(steps.len() > 3, "{steps:?}");
    assert!(steps.is_sorted() && steps.iter().all(|step| step.1 == total), "{steps:?}");
    assert_eq!(steps.last(), Some(&(total, total)));
    let (_copy_folder, copy) = save(backup.unwrap());
    assert_eq!(fs::metadata(&copy).unwrap().len(), total);
    assert_eq!(
        names(&folder),
        ["history.db", "history.db-shm", "history.db-wal", "history.db.lock"]
    );
    let last = 300 + 100 * steps.len() as u64;
    assert_eq!(server.all(LOBBY), (1..=last).collect::<Vec<_>>());
    // Nothing that was said meanwhile is in it.
    let mut copied = TestServer::start(&copy);
    assert_eq!(copied.last_seqs(), [(1, 300), (2, 300)]);
    assert_eq!(copied.all(LOBBY), (1..=300).collect::<Vec<_>>());
    assert_eq!(copied.all(BAR), (1..=300).collect::<Vec<_>>());
    // The WAL is copied back when nobody needs it any more.
    server.upkeep.catch_up().unwrap();
    assert_eq!(query::<i64>(&path, "SELECT max(seq) FROM event"), int(last));
}

#[test]
fn each_of_many_backups_under_load_is_whole() {
    let (_folder, path) = new_path();
    let server = start_with_much(&path);
    let TestServer { mut writer, mut upkeep, archive, reader, .. } = server;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 301.. {
                let said = text(seq);
                let both = [(LOBBY, &said), (BAR, &said)];
                writer.commit(Batch { said: &both, memos: &[] }).unwrap();
                if seq % 64 == 0 {
                    upkeep.catch_up().unwrap();
                }
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let mut last_before = 0;
        for _ in 0..20 {
            let (_folder, copy) = save(back_up(&archive, &mut whole).unwrap());
            let mut copied = TestServer::start(&copy);
            let last = copied.last_seqs()[0].1;
            // A batch is in it as a whole or not at all.
            assert_eq!(copied.last_seqs(), [(1, last), (2, last)]);
            assert_eq!(copied.all(LOBBY), (1..=last).collect::<Vec<_>>());
            assert!(last >= last_before);
            last_before = last;
        }
        is_over.store(true, Ordering::Relaxed);
    });
    drop(reader);
}

#[test]
fn one_backup_is_made_at_a_time() {
    let (_folder, path) = new_path();
    let server = TestServer::start_anew(&path);
    let archive = server.archive.clone();
    let backup = back_up(&server.archive, &mut |_, _| {
        let second = back_up(&archive, &mut whole);
        assert!(matches!(second, Err(ArchiveError::Busy)), "{second:?}");
        Continue(())
    });
    drop(backup.unwrap());
    back_up(&archive, &mut whole).unwrap();
}

#[test]
fn a_backup_that_is_cancelled_leaves_nothing() {
    let (folder, path) = new_path();
    let server = start_with_much(&path);
    let mut steps = 0;
    let cancelled = back_up(&server.archive, &mut |_, _| {
        steps += 1;
        Break(())
    });
    assert!(matches!(cancelled, Err(ArchiveError::Cancelled)), "{cancelled:?}");
    assert_eq!(steps, 1);
    assert_eq!(
        names(&folder),
        ["history.db", "history.db-shm", "history.db-wal", "history.db.lock"]
    );
    back_up(&server.archive, &mut whole).unwrap();
}

#[test]
fn what_a_killed_backup_left_is_no_obstacle() {
    let (folder, path) = new_path();
    let server = TestServer::start_anew(&path);
    fs::write(beside(&path, ".backup"), "left").unwrap();
    fs::set_permissions(beside(&path, ".backup"), fs::Permissions::from_mode(0o400)).unwrap();
    drop(save(back_up(&server.archive, &mut whole).unwrap()));
    // The next start removes it, too.
    fs::write(beside(&path, ".backup"), "left").unwrap();
    drop(server);
    drop(TestServer::start(&path));
    assert_eq!(names(&folder), ["history.db", "history.db.lock"]);
}

#[test]
fn a_full_disk_ends_a_backup_and_nothing_else() {
    let (folder, path) = new_path();
    let mut server = start_with_much(&path);
    server.writer.database().max_pages.store(100, Ordering::Relaxed);
    let Err(ArchiveError::History(error)) = back_up(&server.archive, &mut whole) else {
        panic!("it should fail")
    };
    assert!(error.may_pass());
    let error = error.to_string();
    assert!(error.contains("history.db.backup cannot be written: the disk is full"), "{error}");
    assert_eq!(
        names(&folder),
        ["history.db", "history.db-shm", "history.db-wal", "history.db.lock"]
    );
    server.say(LOBBY, 301..=310);
}

#[test]
fn the_server_can_end_while_somebody_may_still_ask_for_a_backup() {
    let (_folder, path) = new_path();
    let server = TestServer::start_anew(&path);
    let archive = server.archive.clone();
    drop(server);
    assert!(matches!(back_up(&archive, &mut whole), Err(ArchiveError::Closed)));
    // Nothing keeps the file in use.
    drop(TestServer::start(&path));
}
