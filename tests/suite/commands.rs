//! The commands on a running server, against a scripted admin listener: what is asked, and what is printed.

#[cfg(feature = "cluster")]
mod cluster;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{end_of, eventually};

/// An admin listener that answers one request with these bytes.
struct Admin {
    folder: TempDir,
    asked: JoinHandle<String>,
}

impl Admin {
    fn answering(answer: Vec<u8>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("admin.sock")).unwrap();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let asked = read_request(&mut stream);
            // A client that has seen enough may be gone.
            let _ = stream.write_all(&answer);
            asked
        });
        Self { folder, asked }
    }

    fn json(status: &str, body: &Value) -> Self {
        Self::answering(http(status, "application/json", body.to_string().as_bytes()))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&[arguments, &["--admin", self.socket().to_str().unwrap()]].concat())
    }

    /// The request that came, without the fields that are always there.
    fn asked(self) -> String {
        let asked = self.asked.join().unwrap();
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nHost: localhost\r\nConnection: close"), "{head}");
        let is_json = head.contains("\r\nContent-Type: application/json\r\n");
        assert_eq!(is_json, !body.is_empty(), "{head}");
        format!("{} {body}", head.split(" HTTP/1.1").next().unwrap())
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wschat"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The head and the body of a request.
fn read_request(stream: &mut impl Read) -> String {
    let mut asked = String::new();
    loop {
        let mut block = [0; 4096];
        let read = stream.read(&mut block).unwrap();
        asked += std::str::from_utf8(&block[..read]).unwrap();
        let Some((head, body)) = asked.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
            return asked;
        }
    }
}

fn http(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A body that lasts until the end of the connection.
fn stream(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body].concat()
}

/// A body in chunks.
fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks {
        answer.extend(format!("{:x}\r\n", chunk.len()).bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

#[track_caller]
fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// It ended with status 1 and one line that has all of these words.
#[track_caller]
fn check_fails(output: &Output, words: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

/// What is asked, and printed for a person. With `--json` the answer is printed as it is.
#[track_caller]
fn check(arguments: &[&str], asked: &str, answer: &Value, printed: &str) {
    let admin = Admin::json("200 OK", answer);
    let output = admin.run(arguments);
    assert_eq!(admin.asked(), asked);
    assert_eq!(stdout(&output), printed);

    let admin = Admin::json("200 OK", answer);
    let output = admin.run(&[arguments, &["--json"]].concat());
    assert_eq!(admin.asked(), asked);
    assert_eq!(stdout(&output), format!("{answer}\n"));
}

fn status() -> Value {
    json!({
        "version": "0.1.0", "commit": "c066c08", "features": ["sqlite", "openssl"], "pid": 812,
        "startedAt": 1_764_000_000_000_u64, "uptimeSeconds": 273_600, "listening": ["[::]:443"],
        "connections": 1_812, "maxConnections": 4_096, "users": 1_800, "awayUsers": 12, "rooms": 3,
        "history": { "file": "/var/lib/wschat/wschat.db", "isSaving": true, "fileBytes": 1_300_000 },
        "health": [], "certificate": null, "residentBytes": 16_777_216, "threads": 1_820,
        "openFiles": 1_830, "maxOpenFiles": 8_192, "isDraining": false,
    })
}

#[test]
fn status_shows_how_the_server_fares() {
    let mut answer = status();
    let lines = "\
version      0.1.0 (c066c08; sqlite, openssl)
health       all is well
running      for 3 d 4 h, since 2025-11-24T16:00:00Z, as process 812
listening    [::]:443
connections  1,812 of 4,096
users        1,800, and 12 away
rooms        3
history      /var/lib/wschat/wschat.db, 1.2 MiB
memory       16 MiB
threads      1,820
descriptors  1,830 of 8,192
";
    check(&["status"], "GET /v1/status ", &answer, lines);

    answer["history"]["isSaving"] = json!(false);
    answer["health"] = json!(["the history cannot be saved: the disk is full"]);
    answer["certificate"] = json!({ "subject": "CN=chat.example.org", "expiresAt": 0 });
    let printed = stdout(&Admin::json("200 OK", &answer).run(&["status"]));
    for words in ["the disk is full", "cannot be saved", "CN=chat.example.org, expired "] {
        assert!(printed.contains(words), "{printed}");
    }
}

#[test]
fn rooms_and_clients_are_tables_that_no_name_can_break() {
    let rooms = json!({ "rooms": [
        { "id": 1, "title": "Lobby", "users": 1_200, "away": 3, "seq": 98_765, "isPermanent": true },
        { "id": 12, "title": "Évil\u{202e}\n", "users": 0, "away": 0, "seq": 0, "isPermanent": false },
    ]});
    let table = "\
ROOM  USERS  AWAY  MESSAGES  PERMANENT  TITLE
   1  1,200     3    98,765  yes        Lobby
  12      0     0         0  no         Évil\\u{202e}\\n
";
    check(&["rooms"], "GET /v1/rooms ", &rooms, table);

    let clients = json!({
        "clients": [{
            "connection": 7, "id": 3, "name": "Ann\u{1b}[2J", "address": "203.0.113.7",
            "room": { "id": 1, "title": "Lobby" }, "since": i64::MAX, "queuedBytes": 2_048,
            "protocol": "wschat.v2",
        }],
        "away": [{ "id": 4, "name": "Bob", "room": null }],
    });
    let table = "\
USER  ADDRESS      CONNECTION  FOR   QUEUED  PROTOCOL   ROOM     NAME
   3  203.0.113.7           7  0 s  2.0 KiB  wschat.v2  1 Lobby  Ann\\u{1b}[2J
   4  away                                              -        Bob
";
    check(&["clients"], "GET /v1/clients ", &clients, table);
}

#[test]
fn kick_announce_and_reload() {
    let kicked = json!({ "kicked": [5, 6] });
    check(&["kick", "5"], r#"POST /v1/kick {"user":5}"#, &kicked, "kicked: 5, 6\n");
    let by_address = ["kick", "--address", "2001:db8::1", "--reason", "spam"];
    let asked = r#"POST /v1/kick {"address":"2001:db8::1","reason":"spam"}"#;
    check(&by_address, asked, &kicked, "kicked: 5, 6\n");

    let asked = r#"POST /v1/announce {"text":"Back \"soon\""}"#;
    let told = json!({ "told": 1_000 });
    check(&["announce", "Back \"soon\""], asked, &told, "told 1,000 clients\n");

    let nothing = json!({ "needsRestart": [] });
    let printed = "The settings have been reloaded.\n";
    check(&["reload"], "POST /v1/reload {}", &nothing, printed);
    let some = json!({ "needsRestart": ["port", "log.file"] });
    let printed = "The settings have been reloaded. \
                   These have changed but need a restart: port, log.file\n";
    check(&["reload"], "POST /v1/reload {}", &some, printed);
}

#[test]
fn erase_takes_what_by_whom_where_or_when_and_must_be_meant() {
    let erased = json!({ "erased": 1_234 });
    for (option, value, asked) in [
        ("--user", "5", r#"{"user":5}"#),
        ("--room", "2", r#"{"room":2}"#),
        ("--before", "2026-11-01", r#"{"before":1793491200000}"#),
        ("--before", "2026-11-01T01:00:00.5+01:00", r#"{"before":1793491200500}"#),
    ] {
        let asked = format!("POST /v1/erase {asked}");
        check(&["erase", option, value, "--yes"], &asked, &erased, "erased 1,234 messages\n");
    }
    for wrong in [
        &["erase", "--user", "5"][..],
        &["erase", "--yes"],
        &["erase", "--user", "5", "--room", "2", "--yes"],
        &["erase", "--before", "yesterday", "--yes"],
        &["kick"],
        &["kick", "Ann"],
        &["kick", "5", "--address", "203.0.113.7"],
        &["announce"],
        &["export"],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("`wschat --help`"), "{output:?}");
    }
}

#[test]
fn a_refusal_has_the_reason_of_the_server() {
    let why = "nobody has the address 203.0.113.7; `wschat clients` lists all";
    let admin = Admin::json("404 Not Found", &json!({ "error": why }));
    check_fails(&admin.run(&["kick", "--address", "203.0.113.7"]), &["the server refuses: ", why]);
    let admin = Admin::json("422 Unprocessable Content", &json!({ "error": "rooms is empty" }));
    check_fails(&admin.run(&["reload"]), &["rooms is empty"]);
}

#[test]
fn what_cannot_be_reached_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let status = || run(&["status", "--admin", socket.to_str().unwrap()]);
    check_fails(&status(), &["there is no socket", "does not run", "\"admin\"", "--settings"]);
    drop(UnixListener::bind(&socket).unwrap());
    check_fails(&status(), &["nobody listens at", "does not run"]);

    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    check_fails(&run(&["status", "--admin", &gone]), &["nobody listens at", &gone]);

    for answer in [
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        Vec::new(),
        http("404 Not Found", "text/plain", b"not here"),
        http("200 OK", "text/html", b"<p>It works!"),
        http("200 OK", "application/json", b"{}"),
    ] {
        let output = Admin::answering(answer).run(&["status"]);
        check_fails(&output, &["not the admin listener", "--admin"]);
    }
    let mut half = http("200 OK", "application/json", status_text().as_bytes());
    half.truncate(half.len() - 1);
    check_fails(&Admin::answering(half).run(&["status"]), &["broke off"]);
}

#[test]
fn the_admin_address_is_given_or_that_of_the_settings_or_that_of_the_service() {
    let admin = Admin::json("200 OK", &status());
    let folder = admin.folder.path().to_owned();
    let settings = |text: Value| {
        let file = folder.join("settings.json");
        fs::write(&file, text.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    // A mistake elsewhere in the file does not matter: the server is to say what is wrong.
    let file = settings(json!({ "admin": { "listen": admin.socket() }, "prot": 1 }));
    stdout(&run(&["status", "--settings", &file]));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = read_request(&mut stream);
        stream.write_all(&http("200 OK", "application/json", status_text().as_bytes())).unwrap();
        asked
    });
    let file = settings(json!({ "admin": { "listen": address } }));
    stdout(&run(&["--settings", &file, "status"]));
    assert!(served.join().unwrap().contains(&format!("\r\nHost: {address}\r\n")));

    // --admin takes precedence.
    let admin = Admin::json("200 OK", &status());
    stdout(&admin.run(&["status", "--settings", &file]));

    let file = settings(json!({ "admin": { "listen": "" } }));
    check_fails(&run(&["status", "--settings", &file]), &["settings.json", "\"admin\""]);
    let output = run(&["status", "--settings", "/nowhere.json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");

    let file = settings(json!({}));
    let mut command = Command::new(env!("CARGO_BIN_EXE_wschat"));
    command.args(["status", "--settings", &file]);
    let output = command.env("RUNTIME_DIRECTORY", "/nowhere/a:/nowhere/b").output().unwrap();
    check_fails(&output, &["no socket /nowhere/a/admin.sock"]);
    let output = command.env_remove("RUNTIME_DIRECTORY").output().unwrap();
    check_fails(&output, &["/run/wschat/admin.sock"]);
}

fn status_text() -> String {
    status().to_string()
}

/// The lines before a backup of these bytes, and the bytes.
fn backup_of(bytes: &[u8]) -> Vec<u8> {
    let total = bytes.len();
    let lines = format!(
        "{{\"phase\":\"copying\",\"done\":0,\"total\":9}}\n{{\"phase\":\"copying\",\"done\":9,\
         \"total\":9}}\n{{\"phase\":\"sending\",\"total\":{total}}}\n"
    );
    stream(&[lines.as_bytes(), bytes].concat())
}

#[track_caller]
fn check_only(folder: &Path, names: &[&str]) {
    let entries = fs::read_dir(folder).unwrap();
    let mut found: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, names);
}

#[test]
fn a_backup_is_private_and_whole_and_replaces_nothing_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.db");
    let bytes: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    let backup = |answer, more: &[&str]| {
        let admin = Admin::answering(answer);
        admin.run(&[&["backup", file.to_str().unwrap()], more].concat())
    };
    let output = backup(backup_of(&bytes), &[]);
    assert_eq!(stdout(&output), format!("{}: 2.6 MiB\n", file.display()));
    assert!(fs::read(&file).unwrap() == bytes);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    check_only(folder.path(), &["chat.db"]);

    // It is refused before the server copies anything.
    let output = run(&["backup", file.to_str().unwrap(), "--admin", "/nowhere"]);
    check_fails(&output, &["chat.db exists", "--force"]);
    stdout(&backup(backup_of(b"new"), &["--force"]));
    assert_eq!(fs::read(&file).unwrap(), b"new");

    // What is no plain file is not replaced even then.
    for special in ["/dev/null", folder.path().to_str().unwrap()] {
        let output = run(&["backup", special, "--force", "--admin", "/nowhere"]);
        check_fails(&output, &[special, "no plain file"]);
    }
}

#[test]
fn nothing_is_left_of_a_backup_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.db");
    let broken =
        b"{\"phase\":\"copying\",\"done\":1,\"total\":9}\n{\"error\":\"the disk fails\"}\n";
    let mut half = backup_of(b"0123456789");
    half.truncate(half.len() - 1);
    for (answer, words) in [
        (stream(broken), "the server gives up: the disk fails"),
        (half, "broke off"),
        (stream(b""), "broke off"),
        (stream(b"hello\n"), "not the admin listener"),
    ] {
        let output = Admin::answering(answer).run(&["backup", file.to_str().unwrap()]);
        check_fails(&output, &[words]);
        check_only(folder.path(), &[]);
    }
    let missing = folder.path().join("missing/chat.db");
    let output = run(&["backup", missing.to_str().unwrap(), "--admin", "/nowhere"]);
    check_fails(&output, &["missing/chat.db.part cannot be written", "create its directory"]);
}

#[test]
fn nothing_is_left_of_a_backup_that_is_interrupted() {
    for signal in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let (file, socket) = (folder.path().join("chat.db"), folder.path().join("admin.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        let arguments = ["backup", file.to_str().unwrap(), "--admin", socket.to_str().unwrap()];
        let mut backup =
            Command::new(env!("CARGO_BIN_EXE_wschat")).args(arguments).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let answer = backup_of(&vec![1; 100_000]);
        stream.write_all(&answer[..answer.len() - 1]).unwrap();
        let part = folder.path().join("chat.db.part");
        eventually("something is written", || {
            fs::metadata(&part).is_ok_and(|part| part.size() > 0)
        });
        let command = format!("kill -{signal} {}", backup.id());
        assert!(Command::new("sh").arg("-c").arg(command).status().unwrap().success());
        assert_eq!(end_of(&mut backup).code(), None);
        check_only(folder.path(), &["admin.sock"]);
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.db");
    let admin = Admin::answering(backup_of(&vec![1; 10_000_000]));
    // In a mount namespace of its own, the folder is a disk of 64 KiB.
    let script = format!(
        "mount -t tmpfs -o size=64k none {0} && \"$0\" backup {0}/chat.db --admin {1}; \
         status=$?; ls {0} >&2; exit $status",
        folder.path().display(),
        admin.socket().display()
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(env!("CARGO_BIN_EXE_wschat"))
        .output()
        .unwrap();
    check_fails(&output, &["chat.db.part cannot be written", "No space left", "free some space"]);
    assert!(!file.exists());
}

#[test]
fn an_export_goes_to_stdout_or_a_file() {
    let lines = "{\"roomId\":1,\"seq\":1,\"time\":1,\"from\":{\"id\":1,\"name\":\"A\"},\"text\":\"hi\"}\n\
                 {\"roomId\":1,\"seq\":2,\"time\":2,\"from\":{\"id\":1,\"name\":\"A\"},\"gifId\":3}\n";
    let admin = Admin::answering(stream(lines.as_bytes()));
    let output = admin.run(&["export", "--room", "1"]);
    assert_eq!(admin.asked(), "GET /v1/export?room=1 ");
    assert_eq!(stdout(&output), lines);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("room.jsonl");
    let export = ["export", "--room", "1", file.to_str().unwrap()];
    assert_eq!(stdout(&Admin::answering(stream(lines.as_bytes())).run(&export)), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), lines);
    fs::remove_file(&file).unwrap();

    // In chunks, no export is taken for whole that is not.
    let (first, rest) = lines.as_bytes().split_at(20);
    let chunks = chunked(&[first, rest]);
    assert_eq!(stdout(&Admin::answering(chunks.clone()).run(&["export", "--room", "1"])), lines);
    for end in [chunks.len() - 3, chunks.len() - 5, chunks.len() - 6, chunks.len() - 40] {
        let cut = chunks[..end].to_vec();
        let output = Admin::answering(cut).run(&export);
        check_fails(&output, &["broke off"]);
        check_only(folder.path(), &[]);
    }

    for (body, words) in [
        (format!("{lines}{{\"error\":\"the disk fails\"}}\n"), "the disk fails"),
        (lines[..lines.len() - 1].to_owned(), "broke off"),
    ] {
        check_fails(&Admin::answering(stream(body.as_bytes())).run(&export), &[words]);
        check_only(folder.path(), &[]);
    }
}
