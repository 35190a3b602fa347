//! Looking at a file from outside.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::backup::names;
use super::*;
use crate::history::HistoryState;
use crate::history::sqlite::inspect::inspect;

const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn check_fault(path: &Path, words: &str) {
    let error = inspect(path, PATIENCE).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn a_file_is_seen_as_it_is_whether_or_not_a_server_uses_it() {
    let (folder, path) = new_path();
    assert_eq!(inspect(&path, PATIENCE).unwrap(), HistoryState::default());
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=5);
    let files = names(&folder);
    let seen = inspect(&path, PATIENCE).unwrap();
    assert_eq!(seen.used_by, Some(std::process::id()));
    assert_eq!(seen.newest, Some(text(5).time));
    // What a kill leaves is read with its WAL.
    let (left_folder, left) = killed(&path);
    let seen = inspect(&left, PATIENCE).unwrap();
    assert_eq!((seen.used_by, seen.newest), (None, Some(text(5).time)));
    drop(left_folder);
    server.say(LOBBY, 6..=6);
    assert_eq!(names(&folder), files);
    drop(server);
    // A name that must be written differently in a URI.
    let odd = folder.path().join("a ?#%25 name.db");
    fs::copy(&path, &odd).unwrap();
    let (before, files) = (fs::read(&odd).unwrap(), names(&folder));
    let seen = inspect(&odd, PATIENCE).unwrap();
    let bytes = fs::metadata(&odd).unwrap().len();
    let newest = Some(text(6).time);
    assert_eq!(seen, HistoryState { exists: true, used_by: None, bytes, newest });
    assert!(fs::read(&odd).unwrap() == before && names(&folder) == files, "it has changed");
}

#[test]
fn faults_are_found_with_what_to_do() {
    let (folder, path) = new_path();
    check_fault(&folder.path().join("no/history.db"), "create the folder");
    TestServer::start_anew(&path).say(LOBBY, 1..=500);
    let page: i64 = query(&path, "SELECT rootpage FROM sqlite_schema WHERE name = 'event'");
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0x55; 100], uint(page - 1) * 4_096).unwrap();
    check_fault(&path, "wschat restore");
    fs::write(&path, "Notes of mine").unwrap();
    check_fault(&path, "is not a wschat history");
}

#[test]
fn a_check_that_takes_too_long_has_found_nothing() {
    let (_folder, path) = new_path();
    TestServer::start_anew(&path).say(LOBBY, 1..=5_000);
    assert_eq!(inspect(&path, Duration::ZERO).unwrap().newest, Some(text(5_000).time));
}
