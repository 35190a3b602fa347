//! The doctor: faults are planted, one at a time; each is found, and its cure is named.

mod proxy;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use openssl::asn1::Asn1Time;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{Host, Identity, Program};

/// Settings in a folder, for the doctor to look at.
struct Patient {
    folder: TempDir,
    settings: Value,
    /// What starts the doctor.
    command: Vec<String>,
}

impl Patient {
    /// Sound, with a history.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = json!({
            "port": 0,
            "history": { "file": "wschat.db" },
            // For any machine that runs this.
            "limits": { "maxConnections": 64, "historyMaxFileBytes": 1_048_576 },
        });
        let command = vec![env!("CARGO_BIN_EXE_wschat").to_owned()];
        Self { folder, settings, command }
    }

    fn with(settings: Value) -> Self {
        let mut patient = Self::new();
        for (key, value) in settings.as_object().unwrap() {
            patient.settings[key] = value.clone();
        }
        patient
    }

    /// After a server has used the history.
    fn used() -> Self {
        let patient = Self::new();
        let file = patient.file("wschat.db");
        let host = Host::with(|settings| settings.history.file = Some(file));
        host.endpoint.member().say("Hello");
        host.stop();
        patient
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let file = self.file("settings.json");
        fs::write(&file, self.settings.to_string()).unwrap();
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg("doctor").arg("--settings").arg(file);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn findings(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(&[arguments, &["--json"]].concat());
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let findings = report["findings"].as_array().unwrap().clone();
        assert_eq!(report["isSound"], findings.is_empty(), "{report}");
        let status = i32::from(!findings.is_empty());
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        findings
    }

    #[track_caller]
    fn check_sound(&self) {
        let found = self.findings(&[]);
        assert!(found.is_empty(), "{found:?}");
    }

    /// Exactly this is found.
    #[track_caller]
    fn check(&self, severity: &str, subject: &str, what: &str, cure: &str) {
        self.check_at(&[], severity, subject, what, cure);
    }

    #[track_caller]
    fn check_at(&self, arguments: &[&str], severity: &str, subject: &str, what: &str, cure: &str) {
        let found = self.findings(arguments);
        let [finding] = &found[..] else { panic!("not one finding: {found:?}") };
        assert_eq!((&finding["severity"], &finding["subject"]), (&json!(severity), &json!(subject)), "{finding}");
        assert!(finding["what"].as_str().unwrap().contains(what), "{what:?}: {finding}");
        assert!(finding["cure"].as_str().unwrap().contains(cure), "{cure:?}: {finding}");
    }
}

/// Only root can give files to others, or look at what other users may do.
fn is_root(patient: &Patient) -> bool {
    let probe = patient.file("probe");
    fs::write(&probe, "").unwrap();
    let is_root = chown(&probe, Some(4_321), None).is_ok();
    fs::remove_file(probe).unwrap();
    if !is_root {
        println!("skipped, because it takes root");
    }
    is_root
}

#[test]
fn a_sound_machine_is_said_to_be_sound_within_a_second() {
    let patient = Patient::used();
    let started = Instant::now();
    let output = patient.run(&[]);
    // Only the promise itself is a duration. It takes some milliseconds.
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "All is well.\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let files = || {
        let files = fs::read_dir(&patient.folder).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(files(), ["settings.json", "wschat.db", "wschat.db.lock"]);
}

#[test]
fn it_looks_at_a_running_server_too() {
    let program = Program::durable(json!({ "limits": { "maxConnections": 64, "historyMaxFileBytes": 1_048_576 } }));
    program.endpoint.member().say("Hello");
    let mut patient = Patient::new();
    let address = program.endpoint.address;
    patient.settings["host"] = json!(address.ip().to_string());
    patient.settings["port"] = json!(address.port());
    patient.settings["history"]["file"] = json!(program.file("wschat.db"));
    patient.check_sound();
    // Another server has the port that these settings name.
    let other = Program::durable(json!({}));
    patient.settings["host"] = json!(other.endpoint.address.ip().to_string());
    patient.settings["port"] = json!(other.endpoint.address.port());
    patient.check("error", "port", "in use by another wschat", "a history of its own");
}

#[test]
fn findings_are_lines_for_a_person() {
    let output = Patient::with(json!({ "prot": 1, "rooms": [] })).run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.contains("error: prot is not a setting; did you mean port?\n"), "{lines}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "wschat: found 2 problems\n");
}

#[test]
fn faults_of_the_settings() {
    let patient = Patient::with(json!({ "rooms": 3 }));
    patient.check("error", "settings", "rooms is the number 3", "allowed: ");
    let mut patient = Patient::new();
    patient.command.extend(["--settings".to_owned(), "missing.json".to_owned()]);
    let proxied = Patient::with(json!({ "domain": "chat.example.org" }));
    proxied.check("warning", "proxy", "count as one address", "set \"trustedProxies\"");
    let trusted = ["127.0.0.1", "::1"];
    Patient::with(json!({ "domain": "chat.example.org", "trustedProxies": trusted })).check_sound();
    let unnamed = Patient::with(json!({ "trustedProxies": trusted }));
    unnamed.check("warning", "domain", "opened under a name", "set \"domain\"");
    let open = Patient::with(json!({ "host": "0.0.0.0", "domain": "chat.example.org" }));
    open.check("warning", "tls", "can read along", "set \"certificate\"");
    let user = Patient::with(json!({ "username": "nobody-of-this-name" }));
    user.check("error", "username", "no user \"nobody-of-this-name\"", "useradd");
}

#[test]
fn faults_of_the_certificate() {
    let with = |certificate: &Identity, key: &Identity| {
        let (certificate, key) = (certificate.certificate(), key.key());
        Patient::with(json!({ "certificate": certificate, "privateKey": key, "domain": "localhost" }))
    };
    let (sound, other) = (Identity::new(), Identity::new());
    for identity in [&sound, &other] {
        fs::set_permissions(identity.key(), fs::Permissions::from_mode(0o600)).unwrap();
    }
    with(&sound, &sound).check_sound();
    with(&sound, &other).check("error", "certificate", "", "");
    let soon = Identity::until(&Asn1Time::days_from_now(3).unwrap());
    fs::set_permissions(soon.key(), fs::Permissions::from_mode(0o600)).unwrap();
    with(&soon, &soon).check("warning", "certificate", "expires", "renew it");
    fs::set_permissions(sound.key(), fs::Permissions::from_mode(0o644)).unwrap();
    with(&sound, &sound).check("warning", "certificate", "everybody on this machine can read", "chmod o= ");
    let mut missing = with(&sound, &sound);
    missing.settings["certificate"] = json!("missing.pem");
    missing.settings["privateKey"] = json!("missing.pem");
    missing.check("error", "certificate", "missing.pem", "");
}

#[test]
fn faults_of_the_pictures_and_the_log() {
    Patient::with(json!({ "gifsDirectory": "missing" })).check("error", "gifs", "missing", "");
    let missing = Patient::with(json!({ "log": { "file": "missing/wschat.log" } }));
    missing.check("error", "log", "does not exist", "create it");
    let folder = Patient::with(json!({ "log": { "file": "logs" } }));
    fs::create_dir(folder.file("logs")).unwrap();
    folder.check("error", "log", "is no file", "name a file");
}

#[test]
fn files_that_the_server_s_user_cannot_use() {
    let patient = Patient::used();
    if !is_root(&patient) {
        return;
    }
    let set = |name: &str, mode: u32| {
        fs::set_permissions(patient.file(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut patient = Patient { settings: patient.settings.clone(), command: patient.command.clone(), ..patient };
    set_user(&mut patient);
    set_mode(&patient, ".", 0o755);
    patient.check("error", "history", "the user nobody cannot create files in", "chown nobody");
    set_mode(&patient, ".", 0o777);
    patient.check("error", "history", "the user nobody cannot read and write", "chown nobody");
    for name in ["wschat.db", "wschat.db.lock"] {
        chown(patient.file(name), Some(nobody()), None).unwrap();
    }
    patient.check_sound();
    patient.settings["log"] = json!({ "file": "wschat.log" });
    fs::write(patient.file("wschat.log"), "").unwrap();
    set_mode(&patient, "wschat.log", 0o644);
    patient.check("error", "log", "the user nobody cannot write", "chown nobody");
}
