//! Files that cannot be used. Each is refused with advice, and left as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::history::sqlite::schema::VERSION;

/// The files in the folder, without the lock and what SQLite keeps there only while a file is open.
fn contents(folder: &TempDir) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut contents: BTreeMap<_, _> =
        paths.map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect();
    contents.retain(|path, bytes| {
        !path.ends_with("history.db.lock") && !path.ends_with("history.db-shm") && !bytes.is_empty()
    });
    contents
}

/// Checks that the file is refused with a text that has all of `words`, and that nothing has changed. To try again
/// helps only if another server has the file.
#[track_caller]
fn check_refused(folder: &TempDir, path: &Path, words: &[&str]) {
    let before = contents(folder);
    let error = super::super::open(path, Durability::Process, EVERYTHING)
        .err()
        .expect("it should be refused");
    let (error, may_pass) = (error.to_string(), error.may_pass());
    assert_eq!(may_pass, error.contains("in use by another server"), "{error}");
    assert!(error.starts_with(&*path.to_string_lossy()), "{error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is missing: {error}");
    }
    assert!(contents(folder) == before, "changed: {error}");
}

#[test]
fn a_missing_folder() {
    let (folder, path) = new_path();
    let path = path.with_file_name("nowhere").join("history.db");
    check_refused(&folder, &path, &["nowhere does not exist", "create the folder"]);
}

#[test]
fn a_folder_instead_of_a_file() {
    let (folder, path) = new_path();
    fs::create_dir(&path).unwrap();
    check_refused(&folder, &path, &["cannot be opened", "name a file"]);
}

#[test]
fn a_file_in_a_read_only_folder() {
    let (folder, path) = new_path();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write there all the same, but not in /proc.
    let (folder, path) = match fs::File::create(folder.path().join("probe")) {
        Ok(_) => (tempfile::tempdir().unwrap(), PathBuf::from("/proc/history.db")),
        Err(_) => (folder, path),
    };
    check_refused(&folder, &path, &["lock cannot be created", "right to write in that folder"]);
}

#[test]
fn a_read_only_file() {
    let (folder, path) = new_path();
    drop(TestServer::start_anew(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        // Root may write it all the same.
        drop(TestServer::start(&path));
        return;
    }
    check_refused(&folder, &path, &["permission denied", "right to read and write it"]);
}

#[test]
fn a_file_that_is_no_database() {
    let (folder, path) = new_path();
    for text in ["x", "Notes of mine. ".repeat(1_000).as_str()] {
        fs::write(&path, text).unwrap();
        check_refused(&folder, &path, &["is not a wschat history", "move it away"]);
    }
}

#[test]
fn a_database_of_another_program() {
    let (folder, path) = new_path();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE song (title)").unwrap();
    check_refused(&folder, &path, &["database of another program", "move it away"]);
}

#[test]
fn a_file_of_a_newer_version() {
    let (folder, path) = new_path();
    drop(TestServer::start_anew(&path));
    let (newer_version, known) = (VERSION + 1, format!("knows {VERSION}"));
    let newer_words = format!("version {newer_version}");
    let words = ["newer wschat", &newer_words, &known, "run that version"];
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", newer_version.to_string()).unwrap();
    // After a kill only the WAL has the version. It must not be copied back either.
    let (left_folder, left) = new_path();
    fs::copy(&path, &left).unwrap();
    fs::copy(wal(&path), wal(&left)).unwrap();
    check_refused(&left_folder, &left, &words);
    newer.close().unwrap();
    assert!(!wal(&path).exists());
    check_refused(&folder, &path, &words);
}

#[test]
fn a_truncated_file() {
    let (folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=500);
    drop(server);
    let whole = fs::read(&path).unwrap();
    for length in [50, 100, 4_096, whole.len() / 2] {
        fs::write(&path, &whole[..length]).unwrap();
        check_refused(&folder, &path, &["is damaged", "backup"]);
    }
}

#[test]
fn a_damaged_file() {
    let (folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=500);
    drop(server);
    let whole = fs::read(&path).unwrap();
    // Damages the tables that a start reads, which come after the header.
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
fn a_file_without_a_table() {
    let (folder, path) = new_path();
    drop(TestServer::start_anew(&path));
    Connection::open(&path).unwrap().execute_batch("DROP TABLE session").unwrap();
    check_refused(&folder, &path, &["unexpected contents", "no such table", "backup"]);
}

#[test]
fn a_file_in_use_by_another_server() {
    let (folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    let process = format!("(process {})", std::process::id());
    check_refused(&folder, &path, &["in use by another server", &process, "stop that server"]);
    // The first server does not notice.
    server.say(LOBBY, 1..=3);
    assert_eq!(server.all(LOBBY), [1, 2, 3]);
    // The file is in use until the last connection is closed.
    let TestServer { writer, reader, upkeep, .. } = server;
    drop((writer, upkeep));
    check_refused(&folder, &path, &["in use by another server"]);
    drop(reader);
    assert_eq!(TestServer::start(&path).last_seqs(), [(1, 3), (2, 0)]);
}

#[test]
fn a_link_to_a_file_in_use() {
    let (folder, path) = new_path();
    let server = TestServer::start_anew(&path);
    let link = folder.path().join("link.db");
    symlink(&path, &link).unwrap();
    let error = super::super::open(&link, Durability::Process, EVERYTHING).err().unwrap();
    assert!(error.to_string().contains("in use by another server"), "{error}");
    // The link leads to the same file, whichever folder it is in.
    drop(server);
    let mut server = TestServer::start(&link);
    server.say(LOBBY, 1..=3);
    drop(server);
    assert_eq!(TestServer::start(&path).last_seqs(), [(1, 3), (2, 0)]);
}

#[test]
fn a_link_that_leads_nowhere() {
    let (folder, path) = new_path();
    symlink(folder.path().join("nowhere.db"), &path).unwrap();
    check_refused(&folder, &path, &["is a link to", "nowhere.db, which does not exist"]);
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    check_refused(&folder, &path, &["cannot be opened", "name a file"]);
}

#[test]
fn a_file_with_several_names() {
    let (folder, path) = new_path();
    drop(TestServer::start_anew(&path));
    let other = folder.path().join("other.db");
    fs::hard_link(&path, &other).unwrap();
    check_refused(&folder, &path, &["has 2 names (hard links)", "leave one of them"]);
    check_refused(&folder, &other, &["has 2 names (hard links)", "leave one of them"]);
    fs::remove_file(&other).unwrap();
    drop(TestServer::start(&path));
}

#[test]
fn a_link_in_the_place_of_what_lies_beside_the_file() {
    for suffix in ["-wal", "-shm", ".lock"] {
        let (folder, path) = new_path();
        drop(TestServer::start_anew(&path));
        let _ = fs::remove_file(beside(&path, suffix));
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        symlink(&elsewhere, beside(&path, suffix)).unwrap();
        let error = super::super::open(&path, Durability::Process, EVERYTHING).err().unwrap();
        let words = format!("history.db{suffix} is a link");
        assert!(error.to_string().contains(&words), "{error}");
        fs::remove_file(beside(&path, suffix)).unwrap();
        fs::hard_link(&elsewhere, beside(&path, suffix)).unwrap();
        let error = super::super::open(&path, Durability::Process, EVERYTHING).err().unwrap();
        assert!(error.to_string().contains("has 2 names (hard links)"), "{error}");
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file() {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let (folder, path) = new_path();
        let pipe = beside(&path, suffix);
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = super::super::open(&path, Durability::Process, EVERYTHING).err().unwrap();
        let words = format!("history.db{suffix} cannot be opened: it is no file");
        assert!(error.to_string().contains(&words), "{error}");
        drop(folder);
    }
}

#[test]
fn only_what_is_mounted_by_itself_is_a_mount() {
    use super::super::place::is_mounted;

    let (folder, path) = new_path();
    drop(TestServer::start_anew(&path));
    assert!(!is_mounted(&path) && !is_mounted(&folder.path().join("missing")));
    assert!(is_mounted(Path::new("/proc")));
}

#[test]
fn a_file_in_use_that_was_moved() {
    let (folder, path) = new_path();
    let _server = TestServer::start_anew(&path);
    let moved = folder.path().join("moved.db");
    fs::rename(&path, &moved).unwrap();
    let error = super::super::open(&moved, Durability::Process, EVERYTHING).err().unwrap();
    assert!(error.to_string().contains("in use by another server"), "{error}");
}

#[test]
fn an_older_file_is_migrated_step_by_step() {
    let mut connection = Connection::open_in_memory().unwrap();
    let mut migrate = |steps: &[&str]| {
        let transaction = connection.transaction().unwrap();
        super::super::schema::migrate(&transaction, steps).and_then(|()| transaction.commit())
    };
    let steps = ["CREATE TABLE a (x); INSERT INTO a VALUES (1)", "ALTER TABLE a ADD y DEFAULT 2"];
    migrate(&steps[..1]).unwrap();
    migrate(&steps).unwrap();
    migrate(&steps).unwrap();
    // A step that fails undoes the others.
    migrate(&[steps[0], steps[1], "DELETE FROM a", "DROP TABLE missing"]).unwrap_err();
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let sum: i64 = connection.query_row("SELECT sum(x + y) FROM a", [], |it| it.get(0)).unwrap();
    assert_eq!((version, sum), (2, 3));
}
