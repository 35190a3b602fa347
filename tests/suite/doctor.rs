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

use crate::host::{Host, Identity, Program, skipped};

/// Settings in a folder, for the doctor to look at.
struct Patient {
    folder: TempDir,
    settings: Value,
    /// What starts the doctor.
    command: Vec<String>,
    /// The file of the authorities that its system knows, if it is not that of this machine.
    authorities: Option<PathBuf>,
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
        Self { folder, settings, command, authorities: None }
    }

    fn with(settings: &Value) -> Self {
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
        let mut member = host.endpoint.member();
        member.say("Hello");
        member.text();
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
        if let Some(file) = &self.authorities {
            command.env("SSL_CERT_FILE", file);
        }
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
        assert_eq!(
            (&finding["severity"], &finding["subject"]),
            (&json!(severity), &json!(subject)),
            "{finding}"
        );
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
        skipped("it takes root");
    }
    is_root
}

#[test]
fn a_sound_machine_is_said_to_be_sound_within_a_second() {
    let patient = Patient::used();
    let files = || {
        let files = fs::read_dir(&patient.folder).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.retain(|name| name != "settings.json");
        names.sort();
        names
    };
    let before = files();
    let started = Instant::now();
    let output = patient.run(&[]);
    // Only the promise itself is a duration. It takes some milliseconds.
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "All is well.\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(files(), before);
}

#[test]
fn it_looks_at_a_running_server_too() {
    let program = Program::durable(
        json!({ "limits": { "maxConnections": 64, "historyMaxFileBytes": 1_048_576 } }),
    );
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
    let output = Patient::with(&json!({ "prot": 1, "rooms": [] })).run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.contains("error: prot is not a setting; did you mean port?\n"), "{lines}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "wschat: found 2 problems\n");
}

#[test]
fn faults_of_the_settings() {
    let patient = Patient::with(&json!({ "rooms": 3 }));
    patient.check("error", "settings", "rooms is 3", "allowed: ");
    let proxied = Patient::with(&json!({ "domain": "chat.example.org" }));
    proxied.check("warning", "proxy", "count as one address", "set \"trustedProxies\"");
    let trusted = ["127.0.0.1", "::1"];
    Patient::with(&json!({ "domain": "chat.example.org", "trustedProxies": trusted }))
        .check_sound();
    let unnamed = Patient::with(&json!({ "trustedProxies": trusted }));
    unnamed.check("warning", "domain", "opened under a name", "set \"domain\"");
    let open = Patient::with(&json!({ "host": "0.0.0.0", "domain": "chat.example.org" }));
    open.check("warning", "tls", "can read along", "set \"certificate\"");
    let user = Patient::with(&json!({ "username": "nobody-of-this-name" }));
    user.check("error", "username", "no user \"nobody-of-this-name\"", "useradd");
}

#[test]
fn faults_of_the_certificate() {
    let with = |certificate: &Identity, key: &Identity| {
        let (certificate, key) = (certificate.certificate(), key.key());
        let mut patient = Patient::with(
            &json!({ "certificate": certificate, "privateKey": key, "domain": "localhost" }),
        );
        patient.authorities = Some(certificate);
        patient
    };
    let (sound, other) = (Identity::new(), Identity::new());
    for identity in [&sound, &other] {
        fs::set_permissions(identity.key(), fs::Permissions::from_mode(0o600)).unwrap();
    }
    with(&sound, &sound).check_sound();
    with(&sound, &other).check("error", "certificate", "", "");
    let mut elsewhere = with(&sound, &sound);
    elsewhere.settings["domain"] = json!("chat.example.org");
    elsewhere.check("warning", "certificate", "not for chat.example.org", "correct \"domain\"");
    let mut untrusted = with(&sound, &sound);
    untrusted.authorities = Some(other.certificate());
    untrusted.check("warning", "certificate", "signed by itself", "Let's Encrypt");
    let soon = Identity::until(&Asn1Time::days_from_now(3).unwrap());
    fs::set_permissions(soon.key(), fs::Permissions::from_mode(0o600)).unwrap();
    with(&soon, &soon).check("warning", "certificate", "expires", "renew it");
    fs::set_permissions(sound.key(), fs::Permissions::from_mode(0o644)).unwrap();
    with(&sound, &sound).check(
        "warning",
        "certificate",
        "everybody on this machine can read",
        "chmod o= ",
    );
    let mut missing = with(&sound, &sound);
    missing.settings["certificate"] = json!("missing.pem");
    missing.settings["privateKey"] = json!("missing.pem");
    missing.check("error", "certificate", "missing.pem", "");
}

#[test]
fn faults_of_the_pictures_and_the_log() {
    Patient::with(&json!({ "gifsDirectory": "missing" })).check("error", "gifs", "missing", "");
    Patient::with(&json!({ "icon": "missing" })).check("error", "icon", "no such file", "");
    let missing = Patient::with(&json!({ "log": { "file": "missing/wschat.log" } }));
    missing.check("error", "log", "does not exist", "create it");
    let folder = Patient::with(&json!({ "log": { "file": "logs" } }));
    fs::create_dir(folder.file("logs")).unwrap();
    folder.check("error", "log", "is no file", "name a file");
    let socket = folder.file("missing/admin.sock");
    let admin = Patient::with(&json!({ "admin": { "listen": socket } }));
    admin.check("error", "admin", "does not exist", "RuntimeDirectory");
}

#[test]
fn files_that_the_server_s_user_cannot_use() {
    const NOBODY: u32 = 65_534;
    let mut patient = Patient::used();
    if !is_root(&patient) {
        return;
    }
    patient.settings["username"] = json!("nobody");
    let folder = patient.folder.path().to_owned();
    let set_mode = |name: &str, mode: u32| {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(".", 0o755);
    patient.check("error", "history", "the user nobody cannot create files in", "chown nobody");
    set_mode(".", 0o777);
    patient.check("error", "history", "the user nobody cannot read and write", "chown nobody");
    for name in ["wschat.db", "wschat.db.lock"] {
        chown(patient.file(name), Some(NOBODY), None).unwrap();
    }
    patient.check_sound();
    fs::write(patient.file("wschat.log"), "").unwrap();
    set_mode("wschat.log", 0o644);
    patient.settings["log"] = json!({ "file": "wschat.log" });
    patient.check("error", "log", "the user nobody cannot write", "chown nobody");
    patient.settings["log"] = json!({});
    fs::create_dir(patient.file("pictures")).unwrap();
    fs::write(patient.file("pictures/1.gif"), b"GIF89a").unwrap();
    fs::set_permissions(patient.file("pictures"), fs::Permissions::from_mode(0o700)).unwrap();
    patient.settings["gifsDirectory"] = json!("pictures");
    patient.check("error", "gifs", "the user nobody cannot read", "give it the right");
    patient.settings["gifsDirectory"] = json!(null);
    fs::write(patient.file("icon.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
    fs::set_permissions(patient.file("icon.svg"), fs::Permissions::from_mode(0o600)).unwrap();
    patient.settings["icon"] = json!("icon.svg");
    patient.check("error", "icon", "the user nobody cannot read", "give it the right");
    patient.settings["icon"] = json!(null);
    fs::write(patient.file("password.txt"), "secret").unwrap();
    set_mode("password.txt", 0o600);
    patient.settings["history"] = json!({ "file": null });
    patient.settings["cluster"] =
        json!({ "redis": "redis://127.0.0.1:1", "passwordFile": "password.txt" });
    let finds = |what: &str, cure: &str| {
        let has = |found: &Value, key: &str, text| found[key].as_str().unwrap().contains(text);
        let findings = patient.findings(&[]);
        findings.iter().any(|found| has(found, "what", what) && has(found, "cure", cure))
    };
    assert!(finds("password.txt, because of", "chown nobody"));
    set_mode("password.txt", 0o644);
    assert!(finds("everybody on this machine can read the password", "chmod o= "));
}

#[test]
fn faults_of_the_history_s_file() {
    let mut patient = Patient::new();
    patient.settings["history"]["file"] = json!("missing/wschat.db");
    patient.check("error", "history", "does not exist", "create the folder");
    let link = Patient::new();
    symlink("gone.db", link.file("wschat.db")).unwrap();
    link.check(
        "error",
        "history",
        "is a link to gone.db, which does not exist",
        "put the file back",
    );
    let other = Patient::new();
    fs::write(other.file("wschat.db"), "Notes of mine").unwrap();
    fs::set_permissions(other.file("wschat.db"), fs::Permissions::from_mode(0o600)).unwrap();
    other.check("error", "history", "is not a wschat history", "move it away");
    let newer = Patient::used();
    let database = Connection::open(newer.file("wschat.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    newer.check("error", "history", "written by a newer wschat", "run that version");
    let damaged = Patient::used();
    let file = OpenOptions::new().write(true).open(damaged.file("wschat.db")).unwrap();
    file.set_len(50).unwrap();
    damaged.check("error", "history", "is damaged", "wschat restore");
    let readable = Patient::used();
    fs::set_permissions(readable.file("wschat.db"), fs::Permissions::from_mode(0o644)).unwrap();
    readable.check("warning", "history", "others on this machine can read", "chmod 600");
}

#[test]
fn a_disk_that_is_too_small_for_the_history() {
    let mut patient = Patient::new();
    patient.settings["limits"]["historyMaxFileBytes"] = json!(1_099_511_627_776_u64);
    patient.check("warning", "history", "and the history may take", "historyMaxFileBytes");
    // A disk of its own, which is full.
    patient.command = ["unshare", "-rm", "sh", "-c"].map(str::to_owned).to_vec();
    let mount = "mkdir full && mount -t tmpfs -o size=1m tmpfs full && \
                 head -c 1000k /dev/zero > full/filler && exec \"$0\" \"$@\"";
    patient.command.extend([mount.to_owned(), env!("CARGO_BIN_EXE_wschat").to_owned()]);
    if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success())
    {
        skipped("mounting is not permitted here");
        return;
    }
    patient.settings["history"]["file"] = json!("full/wschat.db");
    patient.check("error", "history", "is full", "free some space");
}

#[test]
fn a_message_from_the_future() {
    let patient = Patient::used();
    let database = Connection::open(patient.file("wschat.db")).unwrap();
    database.execute("UPDATE event SET time = time + 3600000", []).unwrap();
    drop(database);
    patient.check("warning", "clock", "minutes in the future", "set the clock");
}

#[test]
fn a_machine_that_cannot_carry_as_many_connections() {
    let mut patient = Patient::new();
    patient.settings["limits"]["maxMemoryBytes"] = json!(16 << 20);
    patient.settings["limits"]["maxConnections"] = json!(1_000);
    patient.check("warning", "machine", "the limit of memory", "lower limits.maxConnections");
    let mut few = Patient::new();
    let limited = "ulimit -n 100; exec \"$0\" \"$@\"";
    few.command = ["sh", "-c", limited, env!("CARGO_BIN_EXE_wschat")].map(str::to_owned).to_vec();
    few.check("warning", "machine", "the limit of open files", "raise that limit");
    // The limits of a server that runs are its own.
    let settings = json!({ "limits": { "maxConnections": 64, "historyMaxFileBytes": 1_048_576 } });
    let program = Program::durable_after("ulimit -n 200", settings);
    let mut running = Patient::new();
    running.settings["history"]["file"] = json!(program.file("wschat.db"));
    running.check("warning", "machine", "may have 200 descriptors", "LimitNOFILE=256");
}

#[test]
fn a_port_that_something_else_has() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // It answers, but not as a wschat does.
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        listener.incoming().for_each(|stream| drop(stream.unwrap().write_all(b"220 mail\r\n")));
    });
    let taken = Patient::with(&json!({ "port": port }));
    let process = format!("(process {})", std::process::id());
    taken.check("error", "port", &process, "stop it, or set another \"port\"");
    let foreign = Patient::with(
        &json!({ "host": "192.0.2.1", "port": 8776, "trustedProxies": ["192.0.2.2"], "domain": "chat.example.org" }),
    );
    foreign.check("error", "port", "no network interface here", "ip address");
}

#[test]
fn another_server_on_the_same_file() {
    let patient = Patient::new();
    let file = patient.file("wschat.db");
    let host = Host::with(|settings| settings.history.file = Some(file));
    let stranger = Program::durable(json!({}));
    let mut patient = patient;
    patient.settings["host"] = json!(stranger.endpoint.address.ip().to_string());
    patient.settings["port"] = json!(stranger.endpoint.address.port());
    let process = format!("than the history (process {})", std::process::id());
    patient.check("error", "port", &process, "stop one of them");
    host.stop();
}
