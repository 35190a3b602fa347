//! The real program: its command line, exit statuses, signals and log.

use std::fs;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, PATIENCE, UPGRADE};
use crate::frame::{self, CLOSE};
use crate::host::{Host, Identity, Program, eventually, skipped};
use crate::lifecycle::slow_consumer;

/// Runs the program until it ends.
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wschat")).args(arguments).output().unwrap()
}

/// Runs the program until it ends, with a settings file of this text.
fn run_with(settings: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.json");
    fs::write(&file, settings).unwrap();
    run(&[&["--settings", file.to_str().unwrap()], arguments].concat())
}

/// It ended with this status, and printed all of these on one output: stdout for status 0, else stderr.
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
        let commit = wschat::COMMIT.map_or(String::new(), |commit| format!("{commit}; "));
        let build = format!("({commit}{})\n", wschat::FEATURES.join(", "));
        check(&run(&[option]), 0, &[concat!("wschat ", env!("CARGO_PKG_VERSION"), " "), &build]);
    }
    check(&run(&["check", "--help"]), 0, &["Usage: wschat check", "Example:\n  wschat check"]);
}

#[test]
fn wrong_usage() {
    check(&run(&["--prot", "1"]), 2, &["wschat: ", "--prot", "'--port'", "`wschat --help`"]);
    check(&run(&["extra"]), 2, &["'extra'", "`wschat --help`"]);
    check(&run(&["--port"]), 2, &["--port"]);
    for port in ["65536", "http", "-1", ""] {
        check(&run(&["--port", port]), 2, &["--port", port]);
    }
    check(&run(&["--check", "check"]), 2, &["--check"]);
    check(&run(&["--port", "1", "check"]), 2, &["--port", "after"]);
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
    check(&run_with("{}", &["--check", "--port", "0"]), 0, &["The settings are good.\n"]);
    let host = Host::start();
    let port = host.endpoint.address.port().to_string();
    // A check does not listen, so it works beside a running server.
    check(&run(&["--check", "--port", &port]), 0, &["The settings are good.\n"]);
    check(&run(&["check", "--port", &port]), 0, &["The settings are good.\n"]);
    let settings = include_str!("../../settings.json");
    check(&run_with(settings, &["--check", "--port", "0"]), 0, &["The settings are good.\n"]);
}

#[test]
fn a_check_of_certificate_and_key() {
    let (one, other) = (Identity::new(), Identity::new());
    let settings = |certificate, key| json!({"certificate": certificate, "privateKey": key});
    let good = settings(one.certificate(), one.key()).to_string();
    check(&run_with(&good, &["--check", "--port", "0"]), 0, &["The settings are good.\n"]);
    let mismatch = settings(one.certificate(), other.key()).to_string();
    let missing = settings(one.certificate(), "/nowhere.pem".into()).to_string();
    let no_key = settings(one.certificate(), one.certificate()).to_string();
    for (bad, words) in [(mismatch, "key.pem"), (missing, "/nowhere.pem"), (no_key, "key")] {
        check(&run_with(&bad, &["--check", "--port", "0"]), 3, &["wschat: ", words]);
        check(&run_with(&bad, &["--port", "0"]), 3, &["wschat: ", words]);
    }
}

#[test]
fn a_check_of_the_gifs() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "gifsDirectory": folder.path() }).to_string();
    let words = &["wschat: ", folder.path().to_str().unwrap(), "no picture in this directory"];
    check(&run_with(&settings, &["--check", "--port", "0"]), 3, words);
    check(&run_with(&settings, &["--port", "0"]), 3, words);

    let picture = folder.path().join("1 wave.gif");
    fs::write(&picture, "no gif").unwrap();
    check(&run_with(&settings, &["--check", "--port", "0"]), 3, &["1 wave.gif: this is not a GIF"]);
    fs::write(&picture, "GIF89a").unwrap();
    check(&run_with(&settings, &["--check", "--port", "0"]), 0, &["The settings are good.\n"]);
}

#[test]
fn a_port_in_use() {
    let host = Host::start();
    let port = host.endpoint.address.port().to_string();
    let output = run(&["--port", &port]);
    check(&output, 4, &[&format!("cannot listen on 127.0.0.1 port {port}"), "--port"]);
}

/// These may pass by themselves, so that a service is to be started again.
#[test]
fn an_address_that_is_not_there_yet_and_a_history_in_use() {
    let output = run(&["--host", "203.0.113.1", "--port", "0"]);
    check(&output, 5, &["cannot listen on 203.0.113.1", "ip address"]);

    let program = Program::durable(json!({}));
    let file = json!({ "history": { "file": program.file("wschat.db") } }).to_string();
    let output = run_with(&file, &["--port", "0"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another server"));
}

#[test]
fn a_signal_shuts_it_down_with_status_0() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(json!({}));
        let mut user = program.endpoint.member();
        program.signal(signal);
        assert_eq!(user.skip_to_close(), (1001, "server stopping".to_owned()));
        drop(user);
        assert_eq!(program.wait().code(), Some(0), "{}", program.log());
        assert!(program.log().contains("ended"), "{}", program.log());
    }
}

#[test]
fn it_drains_in_time_under_load_and_with_a_slow_consumer() {
    const DRAIN: Duration = Duration::from_secs(3);
    let mut program = Program::start(json!({
        "limits": { "messagesPerSecond": 0, "drainTimeoutMs": 3_000 }
    }));
    let mut clients: Vec<Client> = (0..8).map(|_| connect_to_room_2(&program)).collect();
    let _stuffed = slow_consumer(&program.endpoint);
    let elapsed = thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                let until = Instant::now() + PATIENCE * 2;
                loop {
                    assert!(Instant::now() < until, "the server goes on");
                    client.say("load");
                    if client.frame().first == CLOSE {
                        return;
                    }
                }
            });
        }
        let mut witness = connect_to_room_2(&program);
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

fn connect_to_room_2(program: &Program) -> Client {
    let mut user = program.endpoint.user();
    user.request(r#"{"type":"enter_room","roomId":2}"#);
    let id = user.id;
    user.expect(&format!(r#"{{"type":"enter_room","user":{{"id":{id},"name":"User {id}"}}}}"#));
    user
}

#[test]
fn a_second_signal_kills_it() {
    const SIGTERM: i32 = 15;
    let limits = json!({
        "messagesPerSecond": 0, "drainTimeoutMs": 600_000, "outboxMaxBytes": 64 << 20
    });
    let mut program = Program::start(json!({ "limits": limits }));
    let _stuffed = slow_consumer(&program.endpoint);
    // More than the system takes for it, so that the drain does not end.
    let mut speaker = program.endpoint.member();
    let text = "x".repeat(4_000);
    for _ in 0..2_500 {
        speaker.say(&text);
        speaker.text();
    }
    program.signal("TERM");
    eventually("it drains", || program.log().contains("a second signal ends at once"));
    // Those of the first second are the same order.
    eventually("a later one ends it", || {
        program.signal("TERM");
        program.log().contains("ending at once")
    });
    assert_eq!(program.wait().signal(), Some(SIGTERM), "{}", program.log());
}

#[test]
fn the_log_has_connections_and_close_reasons_but_never_what_was_said() {
    let mut program = Program::start(json!({
        "log": { "file": "wschat.log", "level": "trace" },
        "limits": { "messageBurst": 30 }
    }));
    let mut one = program.endpoint.member();
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
    let mut two = program.endpoint.user();
    two.send(frame::masked(frame::BINARY, secret.as_bytes()));
    two.expect_close(1003);
    drop(two);
    drop(program.endpoint.user());
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
fn threads_use_sched_batch_unless_the_operator_chose_another_policy() {
    const BATCH: u64 = 3;
    const IDLE: u64 = 5;
    for (preparation, policy) in [("true", BATCH), ("chrt --idle --pid 0 $$", IDLE)] {
        let program = Program::start_after(preparation, json!({}));
        let _user = program.endpoint.user();
        let policies = program.policies();
        let kinds: Vec<&str> = policies.iter().map(|(kind, _)| kind.as_str()).collect();
        assert!(kinds.contains(&"session") && kinds.contains(&"dispatcher"), "{kinds:?}");
        // A thread sets its policy as its first act, which may come after the first client is served.
        eventually("every thread has the policy", || {
            program.policies().iter().all(|(_, of_thread)| *of_thread == policy)
        });
    }
}

/// SIGSTOP and SIGCONT interrupt every blocking call with a timeout.
#[test]
fn stopping_and_continuing_it_closes_nobody() {
    let program = Program::start(json!({}));
    let mut member = program.endpoint.member();
    for _ in 0..5 {
        program.stop();
        program.signal("CONT");
        member.expect_nothing_more();
    }
}

/// More clients connect than some resource allows: a number within `expected` is served, the others
/// are rejected, and the server goes on.
#[track_caller]
fn check_overload(program: &Program, expected: Range<usize>) {
    let began = Instant::now();
    let mut served = Vec::new();
    let mut rejected = 0;
    for _ in 0..200 {
        let mut client = program.endpoint.connect();
        let is_sent = client.try_send(UPGRADE).is_ok();
        match if is_sent { client.read_to_head() } else { None } {
            Some(head) if head.starts_with("HTTP/1.1 101 ") => served.push(client),
            Some(head) => {
                assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
                rejected += 1;
            }
            None => {}
        }
    }
    assert!(expected.contains(&served.len()), "{}", served.len());
    assert!(rejected > 100, "{rejected}");
    for client in &mut served {
        client.expect_welcome();
        client.expect_nothing_more();
    }
    program.expect_log("WARN");
    let warnings = program.log().lines().filter(|line| line.contains("WARN")).count();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!((1..=seconds + 2).contains(&warnings), "{}", program.log());

    drop(served);
    eventually("it serves again", || {
        let mut client = program.endpoint.connect();
        client.try_send(UPGRADE).is_ok()
            && client.read_to_head().is_some_and(|head| head.starts_with("HTTP/1.1 101 "))
    });
}

/// Each client needs one descriptor; the program itself needs a few.
#[test]
fn out_of_descriptors_it_rejects_connections_and_goes_on() {
    let program = Program::start_after("ulimit -n 40", json!({}));
    check_overload(&program, 20..36);
}

/// Each client needs one thread. This needs root, to run as a user whose only threads are these: the
/// limit counts all threads of a user, and does not apply to root.
#[test]
fn out_of_threads_it_rejects_connections_and_goes_on() {
    if !rustix::process::geteuid().is_root() {
        skipped("it takes root");
        return;
    }
    let program =
        Program::start_after("prlimit --nproc=40 --pid $$", json!({"username": "nobody"}));
    check_overload(&program, 20..36);
    program.expect_log("cannot serve");
}

/// Only root may change the user.
#[test]
fn the_user_is_named_or_numbered() {
    const NOBODY: u64 = 65_534;
    if rustix::process::geteuid().is_root() {
        let program = Program::start(json!({ "username": NOBODY.to_string() }));
        program.endpoint.user().close();
        assert_eq!(program.status("Uid"), NOBODY);
    }
}

#[test]
fn what_a_client_sends_cannot_disguise_itself_in_the_log() {
    let program = Program::start(json!({ "log": { "level": "debug" } }));
    for path in ["/\u{202e}gpj", "/\u{85}2026-11-23T09:16:11Z"] {
        let response =
            program.endpoint.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(response.status, 404);
    }
    eventually("the log has both requests", || program.log().matches(" GET /").count() == 2);
    let log = program.log();
    assert!(log.contains(r" GET /\u{202e}gpj 404"), "{log}");
    assert!(log.contains(r" GET /\u{85}2026-11-23T09:16:11Z 404"), "{log}");
}

#[cfg(target_env = "gnu")]
#[test]
fn it_starts_with_settings_for_malloc_and_leaves_those_of_the_operator() {
    // glibc may have put NULs for the colons between its settings.
    let tunables = |program: &Program| {
        let environment = fs::read_to_string(format!("/proc/{}/environ", program.id())).unwrap();
        let words = environment.split(['\0', ':']);
        let words = words.map(|word| word.trim_start_matches("GLIBC_TUNABLES=").to_owned());
        words.filter(|word| word.starts_with("glibc.")).collect::<Vec<_>>()
    };
    let unit = include_str!("../../systemd/wschat.service");
    let in_unit = unit.lines().find_map(|line| line.strip_prefix("Environment=GLIBC_TUNABLES="));
    let program = Program::start_after("unset GLIBC_TUNABLES", json!({}));
    assert_eq!(tunables(&program).join(":"), in_unit.expect("the same in the unit"));
    program.endpoint.user().close();
    let own = "glibc.malloc.arena_max=3";
    let program = Program::start_after(&format!("export GLIBC_TUNABLES={own}"), json!({}));
    assert_eq!(tunables(&program), [own]);
}

#[test]
fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let program = Program::start_after("ulimit -S -n 20", json!({}));
    let users: Vec<_> = (0..30).map(|_| program.endpoint.user()).collect();
    drop(users);
    let limits = fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
}

#[test]
fn a_start_warns_of_connections_that_the_machine_cannot_carry() {
    let program = Program::start_after("ulimit -n 400", json!({}));
    program.expect_log("[WARN] limits.maxConnections is 4096, but the limit of open files");
    program.expect_log("is 400, which carries about 80 connections");
    let program =
        Program::start_after("ulimit -n 400", json!({ "limits": { "maxConnections": 50 } }));
    assert!(!program.log().contains("open files"), "{}", program.log());
}

#[test]
fn a_new_history_is_no_reason_to_warn() {
    let program = Program::start(json!({ "history": { "file": "wschat.db" } }));
    program.endpoint.user().close();
    let log = program.log();
    assert!(!log.contains("[WARN]"), "{log}");
}
