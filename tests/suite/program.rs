//! The real program: its command line, exit statuses, signals and log.

use std::fs;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, UPGRADE};
use crate::frame::{self, CLOSE};
use crate::host::{Host, Identity, Program, eventually};
use crate::lifecycle::stuffed;

/// Runs the program to its end.
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wschat")).args(arguments).output().unwrap()
}

/// Runs the program to its end, with settings of this text.
fn run_with(settings: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.json");
    fs::write(&file, settings).unwrap();
    run(&[&["--settings", file.to_str().unwrap()], arguments].concat())
}

/// Ended with this status, and says all of these on one of its two outputs alone.
#[track_caller]
fn check(output: &Output, status: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let (said, silent) = match status {
        0 => (&output.stdout, &output.stderr),
        _ => (&output.stderr, &output.stdout),
    };
    assert!(silent.is_empty(), "{output:?}");
    let said = String::from_utf8_lossy(said);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[test]
fn help_and_version() {
    for option in ["--help", "-h"] {
        check(&run(&[option]), 0, &["Usage: wschat", "--settings", "--check", "Exit status"]);
    }
    for option in ["--version", "-V"] {
        check(&run(&[option]), 0, &[concat!("wschat ", env!("CARGO_PKG_VERSION"), "\n")]);
    }
}

#[test]
fn wrong_usage() {
    check(&run(&["--prot", "1"]), 2, &["wschat: ", "--prot", "wschat --help"]);
    check(&run(&["extra"]), 2, &["extra"]);
    check(&run(&["--port"]), 2, &["--port"]);
    check(&run(&["--port", "65536"]), 2, &["--port 65536"]);
    check(&run(&["--port", "http"]), 2, &["--port http"]);
}

#[test]
fn bad_settings() {
    check(&run(&["--settings", "/nowhere.json"]), 3, &["/nowhere.json does not exist"]);
    check(&run_with("{", &[]), 3, &["settings.json, line 1, column"]);
    check(&run_with(r#"{"prot":1}"#, &[]), 3, &["settings.json", "prot"]);
    let both = r#"{"port":-1,"limits":{"maxRooms":"many"}}"#;
    check(&run_with(both, &[]), 3, &["2 mistakes", "port", "limits.maxRooms"]);
    check(&run_with(r#"{"log":{"file":"/nowhere/log"}}"#, &["--port", "0"]), 3, &["/nowhere/log"]);
}

#[test]
fn a_check_of_good_settings() {
    check(&run_with("{}", &["--check"]), 0, &["The settings are good.\n"]);
    let host = Host::start();
    let port = host.door.address.port().to_string();
    // It does not listen, so a server that runs is not in its way.
    check(&run(&["--check", "--port", &port]), 0, &["The settings are good.\n"]);
    let settings = include_str!("../../settings.json");
    check(&run_with(settings, &["--check"]), 0, &["The settings are good.\n"]);
}

#[test]
fn a_check_of_certificate_and_key() {
    let (one, other) = (Identity::new(), Identity::new());
    let settings = |certificate, key| json!({"certificate": certificate, "privateKey": key});
    let good = settings(one.certificate(), one.key()).to_string();
    check(&run_with(&good, &["--check"]), 0, &["The settings are good.\n"]);
    let mismatch = settings(one.certificate(), other.key()).to_string();
    let missing = settings(one.certificate(), "/nowhere.pem".into()).to_string();
    let no_key = settings(one.certificate(), one.certificate()).to_string();
    for (bad, words) in [(mismatch, "key.pem"), (missing, "/nowhere.pem"), (no_key, "key")] {
        check(&run_with(&bad, &["--check"]), 3, &["wschat: ", words]);
        check(&run_with(&bad, &["--port", "0"]), 3, &["wschat: ", words]);
    }
}

#[test]
fn a_check_of_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "gifsDirectory": folder.path() }).to_string();
    let words = &["wschat: ", folder.path().to_str().unwrap(), "no picture in this directory"];
    check(&run_with(&settings, &["--check"]), 3, words);
    check(&run_with(&settings, &["--port", "0"]), 3, words);

    let picture = folder.path().join("1 wave.gif");
    fs::write(&picture, "no gif").unwrap();
    check(&run_with(&settings, &["--check"]), 3, &["1 wave.gif: this is no GIF"]);
    fs::write(&picture, "GIF89a").unwrap();
    check(&run_with(&settings, &["--check"]), 0, &["The settings are good.\n"]);
}

#[test]
fn a_port_in_use() {
    let host = Host::start();
    let port = host.door.address.port().to_string();
    let output = run(&["--port", &port]);
    check(&output, 4, &[&format!("cannot listen on 127.0.0.1 port {port}"), "--port"]);
}

#[test]
fn a_signal_ends_it_well() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(json!({}));
        let mut user = program.door.member();
        program.signal(signal);
        assert_eq!(user.skip_to_close(), (1001, "server stopping".to_owned()));
        drop(user);
        assert_eq!(program.wait().code(), Some(0), "{}", program.log());
        assert!(program.log().contains("ended"), "{}", program.log());
    }
}

#[test]
fn under_load_and_with_one_who_never_reads_it_ends_in_time() {
    const DRAIN: Duration = Duration::from_secs(3);
    let mut program = Program::start(json!({
        "limits": { "messagesPerSecond": 0, "drainTimeoutMs": 3_000 }
    }));
    let mut clients: Vec<Client> = (0..8).map(|_| enter_second_room(&program)).collect();
    let _stuffed = stuffed(&program.door);
    let elapsed = thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                loop {
                    client.say("load");
                    if client.frame().first == CLOSE {
                        return;
                    }
                }
            });
        }
        let mut witness = enter_second_room(&program);
        for _ in 0..1_000 {
            witness.frame();
        }
        program.signal("TERM");
        let began = Instant::now();
        assert_eq!(program.wait().code(), Some(0), "{}", program.log());
        began.elapsed()
    });
    assert!(elapsed < DRAIN, "{elapsed:?}");
}

fn enter_second_room(program: &Program) -> Client {
    let mut user = program.door.user();
    user.request(r#"{"type":"enter_room","roomId":2}"#);
    let id = user.id;
    user.expect(&format!(r#"{{"type":"enter_room","user":{{"id":{id},"name":"User {id}"}}}}"#));
    user
}

#[test]
fn a_second_signal_ends_it_at_once() {
    const SIGTERM: i32 = 15;
    let mut program = Program::start(json!({
        "limits": { "messagesPerSecond": 0, "drainTimeoutMs": 600_000 }
    }));
    let _stuffed = stuffed(&program.door);
    program.signal("TERM");
    eventually("it stops", || program.log().contains("a second signal ends at once"));
    program.signal("TERM");
    assert_eq!(program.wait().signal(), Some(SIGTERM), "{}", program.log());
}

#[test]
fn the_log_tells_who_came_and_why_they_went_and_never_what_was_said() {
    let mut program = Program::start(json!({
        "log": { "file": "wschat.log", "level": "trace" },
        "limits": { "messageBurst": 30 }
    }));
    let mut one = program.door.member();
    let secret = "unmistakable-4f1c";
    one.say(secret);
    one.text();
    for member in ["name", "title", "type"] {
        one.request(&format!(r#"{{"type":"{secret}","{member}":"{secret}","text":"{secret}"}}"#));
        one.text();
    }
    one.request(&format!(r#"{{"type":"text","text":"{secret}"#));
    one.expect_error("bad_json");
    one.send(frame::masked(frame::PING, secret.as_bytes()));
    one.frame();
    one.close();
    let mut two = program.door.user();
    two.send(frame::masked(frame::BINARY, secret.as_bytes()));
    two.expect_close(1003);
    drop(two);
    drop(program.door.user());
    let log = || fs::read_to_string(program.file("wschat.log")).unwrap();
    for line in [
        "connection 1 from 127.0.0.1 ",
        "user 1 from 127.0.0.1 gone after 0 s: closed by the client (1000)",
        "user 2 from 127.0.0.1 gone after 0 s: binary messages are not accepted (1003)",
        "user 3 from 127.0.0.1 gone after 0 s: connection lost",
    ] {
        eventually(line, || log().contains(line));
    }
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    let log = fs::read_to_string(program.file("wschat.log")).unwrap();
    assert!(!log.contains(secret), "{log}");
    assert!(log.contains("ended"), "{log}");
    assert_eq!(program.log(), "");
}

#[test]
fn its_threads_are_batch_work_unless_the_operator_chose_otherwise() {
    const BATCH: u64 = 3;
    const IDLE: u64 = 5;
    for (preparation, policy) in [("true", BATCH), ("chrt --idle --pid 0 $$", IDLE)] {
        let program = Program::start_after(preparation, json!({}));
        let _user = program.door.user();
        let policies = program.policies();
        let kinds: Vec<&str> = policies.iter().map(|(kind, _)| kind.as_str()).collect();
        assert!(kinds.contains(&"session") && kinds.contains(&"dispatcher"), "{kinds:?}");
        assert!(policies.iter().all(|(_, of_thread)| *of_thread == policy), "{policies:?}");
    }
}

/// Stopping and continuing interrupts every wait that has a time-out.
#[test]
fn stopped_and_continued_it_loses_nobody() {
    let program = Program::start(json!({}));
    let mut member = program.door.member();
    for _ in 0..5 {
        program.signal("STOP");
        program.signal("CONT");
        member.expect_nothing_more();
    }
}

/// Many knock, and for fewer than that there is enough of something: as many as `expected` are served.
#[track_caller]
fn check_that_it_turns_away_and_goes_on(program: &Program, expected: Range<usize>) {
    let began = Instant::now();
    let mut served = Vec::new();
    let mut told_so = 0;
    for _ in 0..200 {
        let mut client = program.door.knock();
        let is_sent = client.try_send(UPGRADE).is_ok();
        match if is_sent { client.read_to_head() } else { None } {
            Some(head) if head.starts_with("HTTP/1.1 101 ") => served.push(client),
            Some(head) => {
                assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
                told_so += 1;
            }
            None => {}
        }
    }
    assert!(expected.contains(&served.len()), "{}", served.len());
    assert!(told_so > 100, "{told_so}");
    for client in &mut served {
        client.expect_welcome();
        client.expect_nothing_more();
    }
    let complaints = program.log().lines().filter(|line| line.contains("WARN")).count();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!((1..=seconds + 2).contains(&complaints), "{}", program.log());

    drop(served);
    eventually("it serves again", || {
        let mut client = program.door.knock();
        client.try_send(UPGRADE).is_ok()
            && client.read_to_head().is_some_and(|head| head.starts_with("HTTP/1.1 101 "))
    });
}

/// Each client takes one, beside the few that the program itself needs.
#[test]
fn out_of_descriptors_it_turns_away_and_goes_on() {
    let program = Program::start_after("ulimit -n 40", json!({}));
    check_that_it_turns_away_and_goes_on(&program, 20..36);
}

/// The same. Root, which may become anybody, has no limit, and for anybody else all that they run counts.
#[test]
fn out_of_threads_it_turns_away_and_goes_on() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let program =
        Program::start_after("prlimit --nproc=40 --pid $$", json!({"username": "nobody"}));
    check_that_it_turns_away_and_goes_on(&program, 20..36);
    assert!(program.log().contains("cannot serve"), "{}", program.log());
}
