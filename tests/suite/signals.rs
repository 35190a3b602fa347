//! What each signal does to the program.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::host::{Program, eventually};

/// The program is there and serves.
fn serves(program: &Program) {
    program.endpoint.user().close();
}

#[test]
fn hup_reloads_and_disconnects_nobody() {
    let program = Program::start(json!({}));
    let mut member = program.endpoint.member();
    program.write_settings(&json!({ "rooms": ["Lobby"], "port": 1 }));
    program.signal("HUP");
    eventually("it is reloaded", || program.log().contains("the settings have been reloaded"));
    eventually("a restart is asked for", || program.log().contains("need a restart: port"));
    member.request(r#"{"type":"list_rooms"}"#);
    eventually("the new title", || member.text().contains("Lobby"));

    fs::write(program.file("settings.json"), r#"{"prot":1}"#).unwrap();
    program.signal("HUP");
    eventually("it says why not", || {
        program.log().contains("the old ones stay: settings.json: prot is not a setting")
    });
    member.request(r#"{"type":"list_rooms"}"#);
    assert!(member.text().contains("Lobby"));
}

#[test]
fn usr1_opens_the_log_anew_and_nothing_else() {
    let program = Program::start(json!({ "log": { "file": "log" } }));
    fs::rename(program.file("log"), program.file("log.1")).unwrap();
    program.write_settings(&json!({ "prot": 1 }));
    program.signal("USR1");
    eventually("there is a new log", || {
        fs::read_to_string(program.file("log")).is_ok_and(|log| log.contains("opened anew"))
    });
    let mut before = fs::read_to_string(program.file("log.1")).unwrap();
    before += &fs::read_to_string(program.file("log")).unwrap();
    assert!(!before.contains("reloaded"), "{before}");
}

#[test]
fn usr2_and_pipe_do_nothing() {
    let program = Program::start(json!({}));
    program.signal("PIPE");
    program.signal("USR2");
    eventually("it says so", || program.log().contains("SIGUSR2 does nothing"));
    serves(&program);
}

#[test]
fn quit_drains_and_two_signals_at_once_are_one() {
    for [first, second] in [["QUIT", "QUIT"], ["TERM", "TERM"], ["INT", "TERM"]] {
        let mut program = Program::start(json!({}));
        let mut user = program.endpoint.user();
        program.signal(&format!("{first} {0}; kill -{second}", program.id()));
        assert_eq!(user.skip_to_close(), (1001, "server stopping".to_owned()));
        drop(user);
        assert_eq!(program.wait().code(), Some(0), "{}", program.log());
    }
}

/// At whatever moment of its start a signal comes, it does not end abruptly, but as asked.
#[test]
fn a_signal_during_the_start_is_obeyed() {
    for hups in [0, 200] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wschat"))
            .args(["--port", "0"])
            .current_dir(&directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let status_file = format!("/proc/{}/status", child.id());
        // Signals are held back (`SigBlk`, with SIGHUP as its lowest bit) before anything else is done.
        eventually("the program holds signals back", || {
            let status = fs::read_to_string(&status_file).unwrap_or_default();
            let blocked =
                status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or("0");
            u64::from_str_radix(blocked.trim(), 16).unwrap() & 1 != 0
        });
        let kill =
            format!("for i in $(seq {hups}); do kill -HUP {0}; done; kill -TERM {0}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut status = None;
        eventually("it ends", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        assert_eq!((status.code(), status.signal()), (Some(0), None));
    }
}
