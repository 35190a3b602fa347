//! The commands that need no running server: `check` and `restore`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use serde_json::{Value, json};

use crate::client::Client;
use crate::host::{Host, Program};

/// Runs a command with a settings file that has this text.
fn run(folder: &Path, settings: &Value, arguments: &[&str]) -> Output {
    let file = folder.join("settings.json");
    fs::write(&file, settings.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wschat"));
    command.args(arguments).arg("--settings").arg(file).output().unwrap()
}

/// It ended with this status, and said all of these.
#[track_caller]
fn expect(output: &Output, status: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A program of another kind that has a port, and closes every connection.
fn stranger() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    port
}

#[test]
fn a_check_says_all_that_is_wrong_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({
        "port": stranger(),
        "certificate": "missing.pem", "privateKey": "missing.pem",
        "gifsDirectory": "no-gifs",
        "icon": "settings.json",
        "log": { "file": "no-logs/wschat.log" },
        "history": { "file": "no-data/wschat.db" },
    });
    let words = [
        "missing.pem",
        "no-gifs",
        "settings.json: this is neither a PNG nor an SVG",
        "log.file ",
        "no-logs/wschat.log cannot be written: No such file or directory",
        "history.file ",
        "no-data/wschat.db cannot be written",
        "create its directory",
        "cannot listen on 127.0.0.1 port",
    ];
    let output = run(folder.path(), &settings, &["check"]);
    expect(&output, 3, &words);
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("wschat: ").count(), 6);

    let output = run(folder.path(), &settings, &["check", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stderr.is_empty());
    assert_eq!(found["problems"].as_array().unwrap().len(), 6, "{found}");
    assert_eq!(found["warnings"], json!([]));
}

#[test]
fn a_check_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({
        "port": 0, "log": { "file": "wschat.log" }, "history": { "file": "wschat.db" },
    });
    expect(&run(folder.path(), &settings, &["check"]), 0, &["The settings are good.\n"]);
    assert_eq!(names(folder.path()), ["settings.json"]);

    // Files that are no log and no history stay as they are, too.
    fs::create_dir(folder.path().join("wschat.log")).unwrap();
    fs::write(folder.path().join("wschat.db"), "not a database, but a text").unwrap();
    let words = ["wschat.log cannot be written: Is a directory", "wschat.db is not"];
    expect(&run(folder.path(), &settings, &["check"]), 3, &words);
    assert_eq!(names(folder.path()), ["settings.json", "wschat.db", "wschat.log"]);
}

#[test]
fn a_check_tells_a_running_server_from_a_stranger_on_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let check = |port| run(folder.path(), &json!({ "port": port }), &["check"]);
    expect(&check(stranger()), 4, &["cannot listen", "another program listens there"]);
    let host = Host::start();
    let words = ["warning: a server runs there already", "The settings are good.\n"];
    expect(&check(host.endpoint.address.port()), 0, &words);

    let identity = crate::host::Identity::new();
    let (certificate, key) = (identity.certificate(), identity.key());
    let host = Host::with(|settings| {
        settings.certificate = Some(certificate.clone());
        settings.private_key = Some(key.clone());
    });
    let port = host.endpoint.address.port();
    let settings = json!({ "port": port, "certificate": certificate, "privateKey": key });
    expect(&run(folder.path(), &settings, &["check"]), 0, &words);
}

#[test]
fn a_check_tries_each_address_of_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("ws.sock");
    let address = format!("unix:{}", socket.display());
    let check = |listen: Value| run(folder.path(), &json!({ "listen": listen }), &["check"]);
    expect(&check(json!(["127.0.0.1:0", address, "systemd"])), 0, &["The settings are good.\n"]);
    let busy = format!("127.0.0.1:{}", stranger());
    let words = ["cannot listen on 127.0.0.1 port", "/nowhere/ws.sock cannot be written"];
    expect(&check(json!([busy, "unix:/nowhere/ws.sock"])), 3, &words);

    let listener = UnixListener::bind(&socket).unwrap();
    expect(&check(json!([address])), 0, &["warning: a server listens there already"]);
    drop(listener);
    // A server that was killed leaves its socket behind.
    expect(&check(json!([address])), 0, &["The settings are good.\n"]);
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "a file").unwrap();
    expect(&check(json!([address])), 3, &["ws.sock cannot be written"]);
}

#[test]
fn a_check_beside_the_server_of_these_settings() {
    let program = Program::durable(json!({}));
    let mut command = Command::new(env!("CARGO_BIN_EXE_wschat"));
    command.arg("check").arg("--settings").arg(program.file("settings.json"));
    // The file of the settings has no port, so this is another one.
    let output = command.args(["--port", "0"]).output().unwrap();
    let process = format!("the server of process {} uses", program.id());
    expect(&output, 0, &["warning: ", &process, "The settings are good.\n"]);
}

#[test]
fn a_restore_puts_a_backup_in_the_place_of_the_history() {
    let mut program = Program::durable(json!({}));
    let said = |user: &mut Client, text: &str| {
        user.say(text);
        user.text()
    };
    said(&mut program.endpoint.member(), "before");
    stop(&mut program);
    let backup = program.file("backup.db");
    fs::copy(program.file("wschat.db"), &backup).unwrap();
    let settings = program.file("settings.json");
    let restore = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wschat"));
        command.arg("restore").arg(&backup).arg("--settings").arg(&settings).output().unwrap()
    };

    program.restart();
    said(&mut program.endpoint.member(), "after");
    expect(&restore(), 5, &["wschat: ", "in use by another server"]);
    stop(&mut program);
    expect(&restore(), 0, &["wschat.db: 1 messages\n", "is kept as "]);
    program.restart();
    let mut reader = program.endpoint.v2_user();
    reader.request(r#"{"type":"enter_room","roomId":1}"#);
    let room = reader.json();
    let texts: Vec<_> = room["events"].as_array().unwrap().iter().map(|e| &e["text"]).collect();
    assert_eq!(texts, ["before"], "{room}");

    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &json!({}), &["restore", backup.to_str().unwrap()]);
    expect(&output, 3, &["history.file is not set"]);
}

fn stop(program: &mut Program) {
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
}
