//! Files that cannot be used: each is refused with what to do, and left as it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// What is in the folder, but for the lock, and for what SQLite keeps there only while a file is open.
fn contents(folder: &TempDir) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut contents: BTreeMap<_, _> =
        paths.map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect();
    contents.retain(|path, bytes| {
        !path.ends_with("history.db.lock") && !path.ends_with("history.db-shm") && !bytes.is_empty()
    });
    contents
}

/// The file is refused with a text that has all of `words`, and nothing is changed.
#[track_caller]
fn check_refused(folder: &TempDir, path: &Path, words: &[&str]) {
    let before = contents(folder);
    let error = super::super::open(path, Durability::Process, EVERYTHING)
        .err()
        .expect("it is refused")
        .to_string();
    assert!(error.starts_with(&*path.to_string_lossy()), "{error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is missing: {error}");
    }
    assert!(contents(folder) == before, "changed: {error}");
}

#[test]
fn a_folder_that_is_missing() {
    let (folder, path) = place();
    let path = path.with_file_name("nowhere").join("history.db");
    check_refused(&folder, &path, &["nowhere does not exist", "make the folder"]);
}

#[test]
fn a_folder_in_its_place() {
    let (folder, path) = place();
    fs::create_dir(&path).unwrap();
    check_refused(&folder, &path, &["cannot be opened", "name a file"]);
}

#[test]
fn one_in_a_folder_that_may_not_be_written() {
    let (folder, path) = place();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // Root may all the same, but not in /proc.
    let (folder, path) = match fs::File::create(folder.path().join("probe")) {
        Ok(_) => (tempfile::tempdir().unwrap(), PathBuf::from("/proc/history.db")),
        Err(_) => (folder, path),
    };
    check_refused(&folder, &path, &["lock cannot be made", "right to write in that folder"]);
}

#[test]
fn one_that_may_not_be_written() {
    let (folder, path) = place();
    drop(Server::start_anew(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        // Root may write it all the same.
        drop(Server::start(&path));
        return;
    }
    check_refused(&folder, &path, &["permission denied", "right to read and write it"]);
}

#[test]
fn one_that_is_no_database() {
    let (folder, path) = place();
    for text in ["x", "Notes of mine. ".repeat(1_000).as_str()] {
        fs::write(&path, text).unwrap();
        check_refused(&folder, &path, &["is not a history of wschat", "move it away"]);
    }
}

#[test]
fn one_of_another_program() {
    let (folder, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE song (title)").unwrap();
    check_refused(&folder, &path, &["database of another program", "move it away"]);
}

#[test]
fn one_that_a_newer_version_wrote() {
    let (folder, path) = place();
    drop(Server::start_anew(&path));
    let words = ["newer wschat", "version 2", "knows 1", "run that one"];
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 2).unwrap();
    // A kill leaves the mark in the WAL alone, which is not to be copied back either.
    let (left_folder, left) = place();
    fs::copy(&path, &left).unwrap();
    fs::copy(wal(&path), wal(&left)).unwrap();
    check_refused(&left_folder, &left, &words);
    newer.close().unwrap();
    assert!(!wal(&path).exists());
    check_refused(&folder, &path, &words);
}

#[test]
fn one_that_was_cut_off() {
    let (folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=500);
    drop(server);
    let whole = fs::read(&path).unwrap();
    for length in [50, 100, 4_096, whole.len() / 2] {
        fs::write(&path, &whole[..length]).unwrap();
        check_refused(&folder, &path, &["is damaged", "backup"]);
    }
}

#[test]
fn one_that_is_damaged_inside() {
    let (folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=500);
    drop(server);
    let whole = fs::read(&path).unwrap();
    // The tables, as far as a start reads them: all that comes after the marks, a page at a time.
    let damage = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xA5);
        fs::write(&path, bytes).unwrap();
    };
    damage(100, 4_096);
    check_refused(&folder, &path, &["is damaged", "backup"]);
    damage(4_096, whole.len());
    check_refused(&folder, &path, &["is damaged", "backup"]);
}

#[test]
fn one_without_a_table() {
    let (folder, path) = place();
    drop(Server::start_anew(&path));
    Connection::open(&path).unwrap().execute_batch("DROP TABLE session").unwrap();
    check_refused(&folder, &path, &["does not hold what it should", "no such table", "backup"]);
}

#[test]
fn one_that_another_server_uses() {
    let (folder, path) = place();
    let mut server = Server::start_anew(&path);
    let process = format!("(process {})", std::process::id());
    check_refused(&folder, &path, &["in use by another server", &process, "stop that one"]);
    // The first one is none the worse.
    server.say(LOBBY, 1..=3);
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
    // It is in use as long as anything of that server is.
    let Server { keeper, reader, upkeep, .. } = server;
    drop((keeper, upkeep));
    check_refused(&folder, &path, &["in use by another server"]);
    drop(reader);
    assert_eq!(Server::start(&path).last_seqs(), [(1, 3), (2, 0)]);
}

#[test]
fn an_older_one_is_brought_up_to_date_in_steps() {
    let mut connection = Connection::open_in_memory().unwrap();
    let mut migrate = |steps: &[&str]| {
        let transaction = connection.transaction().unwrap();
        super::super::file::migrate(&transaction, steps).and_then(|()| transaction.commit())
    };
    let steps = ["CREATE TABLE a (x); INSERT INTO a VALUES (1)", "ALTER TABLE a ADD y DEFAULT 2"];
    migrate(&steps[..1]).unwrap();
    migrate(&steps).unwrap();
    migrate(&steps).unwrap();
    // A step that fails takes the others with it.
    migrate(&[steps[0], steps[1], "DELETE FROM a", "DROP TABLE missing"]).unwrap_err();
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let sum: i64 = connection.query_row("SELECT sum(x + y) FROM a", [], |it| it.get(0)).unwrap();
    assert_eq!((version, sum), (2, 3));
}
