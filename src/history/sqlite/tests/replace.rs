//! A backup takes the place of the file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};

use super::backup::{back_up, names, save, whole};
use super::*;
use crate::history::sqlite::replace::replace;
use crate::history::sqlite::schema::VERSION;

/// A backup with the messages up to `last` in the lobby.
fn backup_up_to(last: u64) -> (TempDir, PathBuf) {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=last);
    save(back_up(&server.archive, &mut whole).unwrap())
}

/// A file with the messages up to `last` in the lobby, whose server has ended.
fn history_up_to(last: u64) -> (TempDir, PathBuf) {
    let (folder, path) = new_path();
    TestServer::start_anew(&path).say(LOBBY, 1..=last);
    (folder, path)
}

fn epoch(path: &Path) -> String {
    query(path, "SELECT value FROM meta WHERE key = 'epoch'")
}

#[track_caller]
fn check_has(path: &Path, last: u64) {
    let mut server = TestServer::start(path);
    assert_eq!(server.all(LOBBY), (1..=last).collect::<Vec<_>>());
}

/// Checks that the backup is refused with a text that has all of `words`, and that nothing has changed.
#[track_caller]
fn check_refused(backup: &Path, words: &[&str]) {
    let (folder, path) = history_up_to(3);
    let before = fs::read(&path).unwrap();
    let error = replace(&path, backup, None).unwrap_err().to_string();
    assert!(error.starts_with(&*backup.to_string_lossy()), "{error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is missing: {error}");
    }
    assert!(fs::read(&path).unwrap() == before, "changed: {error}");
    assert_eq!(names(&folder), ["history.db", "history.db.lock"]);
    // A place without a file stays without one.
    let (_empty_folder, nothing) = new_path();
    replace(&nothing, backup, None).unwrap_err();
    assert!(!nothing.exists());
}

#[test]
fn a_backup_takes_the_place_of_the_file_which_is_kept() {
    let (_backup_folder, backup) = backup_up_to(3);
    let (folder, path) = history_up_to(5);
    let (old_epoch, in_backup) = (epoch(&path), fs::read(&backup).unwrap());
    let restored = replace(&path, &backup, None).unwrap();
    let kept = beside(&path, ".before-restore");
    assert_eq!(
        restored,
        Restored {
            file: path.clone(),
            kept: Some(kept.clone()),
            messages: 3,
            newest: Some(text(3).time)
        }
    );
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read(&backup).unwrap() == in_backup, "the backup stays as it is");
    assert_eq!(names(&folder), ["history.db", "history.db.before-restore", "history.db.lock"]);
    // Clients are told once that messages may be missing.
    let new_epoch = epoch(&path);
    assert!(new_epoch != old_epoch && new_epoch != epoch(&backup));
    assert_eq!(TestServer::start(&path).writer.epoch(), new_epoch);
    check_has(&path, 3);
    // What was there before can be restored as well, and nothing that is kept is overwritten.
    let again = replace(&path, &kept, None).unwrap();
    assert_eq!(again.kept, Some(beside(&path, ".before-restore-2")));
    check_has(&path, 5);
    check_has(&beside(&path, ".before-restore-2"), 3);
}

#[test]
fn a_backup_is_restored_where_there_is_no_file() {
    let (_backup_folder, backup) = backup_up_to(3);
    let (folder, path) = new_path();
    assert_eq!(replace(&path, &backup, None).unwrap().kept, None);
    assert_eq!(names(&folder), ["history.db", "history.db.lock"]);
    check_has(&path, 3);
}

#[test]
fn what_a_kill_left_beside_the_file_does_not_get_into_the_backup() {
    let (_backup_folder, backup) = backup_up_to(3);
    let (_folder, running) = new_path();
    let mut server = TestServer::start_anew(&running);
    server.say(LOBBY, 1..=7);
    let (folder, path) = killed(&running);
    fs::write(beside(&path, "-shm"), vec![0; 32_768]).unwrap();
    assert_ne!(fs::metadata(wal(&path)).unwrap().len(), 0);
    let kept = replace(&path, &backup, None).unwrap().kept.unwrap();
    check_has(&path, 3);
    // The WAL goes with the file that it belongs to.
    assert!(beside(&kept, "-wal").exists());
    let restored = replace(&path, &kept, None).unwrap();
    assert_eq!(restored.messages, 7);
    check_has(&path, 7);
    assert!(!names(&folder).iter().any(|name| name.contains("restore") && name.ends_with("shm")));
}

#[test]
fn a_file_in_use_is_not_replaced() {
    let (_backup_folder, backup) = backup_up_to(3);
    let (folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    let before = names(&folder);
    let error = replace(&path, &backup, None).unwrap_err();
    assert!(error.may_pass());
    let (error, process) = (error.to_string(), format!("(process {})", std::process::id()));
    assert!(error.contains("in use by another server") && error.contains(&process), "{error}");
    assert_eq!(names(&folder), before);
    server.say(LOBBY, 1..=5);
    drop(server);
    check_has(&path, 5);
}

#[test]
fn what_is_no_sound_backup_is_refused() {
    let (folder, backup) = backup_up_to(3);
    check_refused(&folder.path().join("missing"), &["cannot be read", "name a backup"]);
    check_refused(folder.path(), &["no file", "name the file of a backup"]);
    let pipe = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    check_refused(&pipe, &["no file", "name the file of a backup"]);
    let other = folder.path().join("other");
    for (contents, words) in [("", "is empty"), ("Notes of mine", "is not a wschat history")] {
        fs::write(&other, contents).unwrap();
        check_refused(&other, &[words, "restore another backup"]);
    }
    let song = folder.path().join("song.db");
    Connection::open(&song).unwrap().execute_batch("CREATE TABLE song (title)").unwrap();
    check_refused(&song, &["database of another program", "restore another backup"]);
    let newer = folder.path().join("newer.db");
    fs::copy(&backup, &newer).unwrap();
    let version = (VERSION + 1).to_string();
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", &version).unwrap();
    check_refused(&newer, &["newer wschat", "run that version"]);
}

#[test]
fn a_damaged_backup_is_refused() {
    let (folder, backup) = backup_up_to(500);
    let damaged = folder.path().join("damaged.db");
    let len = fs::metadata(&backup).unwrap().len();
    for len in [50, len / 2, len - 1] {
        fs::copy(&backup, &damaged).unwrap();
        File::options().write(true).open(&damaged).unwrap().set_len(len).unwrap();
        check_refused(&damaged, &["damaged", "restore another backup"]);
    }
    fs::copy(&backup, &damaged).unwrap();
    let page: i64 = query(&damaged, "SELECT rootpage FROM sqlite_schema WHERE name = 'event'");
    let file = File::options().write(true).open(&damaged).unwrap();
    file.write_all_at(&[0x55; 100], uint(page - 1) * 4_096).unwrap();
    check_refused(&damaged, &["is damaged", "restore another backup"]);
    fs::copy(&backup, &damaged).unwrap();
    Connection::open(&damaged).unwrap().execute_batch("DROP TABLE event").unwrap();
    check_refused(&damaged, &["no such table", "restore another backup"]);
}

#[test]
fn the_file_itself_and_one_in_use_are_no_backups() {
    let (_folder, path) = history_up_to(3);
    let error = replace(&path, &path, None).unwrap_err().to_string();
    assert!(error.contains("is the history itself"), "{error}");
    check_has(&path, 3);
    let _server = TestServer::start(&path);
    let (_other_folder, other) = history_up_to(4);
    let error = replace(&other, &path, None).unwrap_err().to_string();
    assert!(error.contains("in use by a server; make a backup"), "{error}");
    check_has(&other, 4);
}

#[test]
fn the_advice_about_a_damaged_file_leads_to_a_way_that_works() {
    let (_backup_folder, backup) = backup_up_to(3);
    let (_folder, running) = new_path();
    let mut server = TestServer::start_anew(&running);
    server.say(LOBBY, 1..=7);
    let (_left_folder, path) = killed(&running);
    File::options().write(true).open(&path).unwrap().set_len(50).unwrap();
    let start = || super::super::open(&path, Durability::Process, EVERYTHING);
    let error = start().err().unwrap().to_string();
    assert!(error.contains("is damaged") && error.contains("wschat restore"), "{error}");
    replace(&path, &backup, None).unwrap();
    check_has(&path, 3);
}

#[test]
fn root_gives_the_file_to_the_user_that_serves() {
    let (_backup_folder, backup) = backup_up_to(3);
    let (folder, path) = new_path();
    if chown(folder.path(), Some(4_321), Some(4_322)).is_err() {
        // `println!` would show nothing.
        let _ = writeln!(io::stderr(), "skipped: only root can give files away");
        return;
    }
    let owner = |path: &Path| {
        let status = fs::metadata(path).unwrap();
        (status.uid(), status.gid())
    };
    replace(&path, &backup, None).unwrap();
    assert_eq!(owner(&path), (4_321, 4_322));
    assert_eq!(owner(&beside(&path, ".lock")), (4_321, 4_322));
    replace(&path, &backup, Some((4_567, 4_568))).unwrap();
    assert_eq!(owner(&path), (4_567, 4_568));
    assert_eq!(owner(&beside(&path, ".before-restore")), (4_321, 4_322));
    chown(folder.path(), Some(0), Some(0)).unwrap();
    replace(&path, &backup, None).unwrap();
    assert_eq!(owner(&path), (4_567, 4_568));
}
