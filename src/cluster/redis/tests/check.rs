//! Which servers are fit.

use std::fs;

use crate::cluster::redis::Engine;
use crate::cluster::redis::test_server::{TestServer, eventually, start, start_with};
use crate::settings::{ClusterSettings, ReadFrom};

#[track_caller]
fn refusals(engine: &Engine) -> Vec<String> {
    engine.check().unwrap_err().lines().to_vec()
}

#[test]
fn a_server_that_is_fit() {
    let Some(server) = start() else { return };
    assert_eq!(server.engine().check().unwrap(), [""; 0]);
    assert_eq!(server.cli(&["DBSIZE"]), "0\n", "nothing of the check is left");
}

#[test]
fn each_unfit_setting_has_a_cure_that_works() {
    let Some(server) =
        start_with(&["appendonly no", "maxmemory-policy allkeys-lru", "appendfsync no"])
    else {
        return;
    };
    let engine = server.engine();
    let lines = refusals(&engine);
    let keys = ["maxmemory-policy noeviction", "appendonly yes", "appendfsync always"];
    assert_eq!(lines.len(), keys.len(), "{lines:#?}");
    for (line, key) in lines.iter().zip(keys) {
        let cure = line.rsplit("; ").next().unwrap();
        let (host, port) =
            server.address().split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let cli = format!("redis-cli -h {host} -p {port}");
        assert_eq!(cure, format!("{cli} CONFIG SET {key} && {cli} CONFIG REWRITE"));
        let status = std::process::Command::new("sh").args(["-c", cure]).output().unwrap();
        assert_eq!(String::from_utf8(status.stdout).unwrap(), "OK\nOK\n", "{cure}");
    }
    assert_eq!(engine.check().unwrap(), [""; 0]);
}

#[test]
fn everysec_is_a_warning() {
    let Some(server) = start_with(&["appendfsync everysec"]) else { return };
    let warnings = server.engine().check().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("appendfsync is everysec: when that machine dies"),
        "{warnings:?}"
    );
}

#[test]
fn a_replica_is_no_master() {
    let Some(master) = start() else { return };
    let replica = master.replica().unwrap();
    let lines = refusals(&replica.engine());
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].ends_with(&format!(
            "it is a replica of {}; name the master in cluster.redis",
            master.address()
        )),
        "{lines:?}"
    );
}

#[test]
fn a_missing_replica_is_a_warning() {
    let Some(server) = start() else { return };
    let settings = ClusterSettings { read_from: Some(ReadFrom::Replica), ..server.settings() };
    let warnings = Engine::new(&settings).unwrap().check().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("nothing will be delivered yet: "), "{warnings:?}");
}

#[test]
fn cluster_mode_works_while_the_slot_is_there() {
    let Some(server) = start_with(&["cluster-enabled yes"]) else { return };
    let engine = server.engine();
    let lines = refusals(&engine);
    assert!(lines[0].contains("CLUSTERDOWN") && lines[0].contains("Sentinel"), "{lines:?}");
    server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    eventually("the slots are served", || {
        server.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
    });
    let warnings = engine.check().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("All keys have the hash tag {wschat}"), "{warnings:?}");
}

/// The settings of a user with a password.
fn as_user(server: &TestServer, directory: &tempfile::TempDir, name: &str) -> ClusterSettings {
    let file = directory.path().join("password");
    fs::write(&file, "secret\n").unwrap();
    ClusterSettings {
        username: Some(name.to_owned()),
        password_file: Some(file),
        ..server.settings()
    }
}

#[test]
fn what_a_user_may_not_do_is_named_and_the_line_permits_it() {
    let Some(server) = start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::new(&as_user(&server, &directory, "chat")).unwrap();
    let permit = |line: &str| {
        let acl = line.rsplit("if it has an aclfile): ").next().unwrap();
        let words: Vec<&str> = acl.split(' ').collect();
        assert_eq!(server.cli(&words), "OK\n", "{acl}");
    };
    // Nothing, then all but two commands, then none of the keys, and each time what the refusal says.
    for rights in ["+auth", "~{wschat}:* +@all -xadd -eval", "~other:* +@all"] {
        let mut words = vec!["ACL", "SETUSER", "chat", "reset", "on", ">secret"];
        words.extend(rights.split(' '));
        assert_eq!(server.cli(&words), "OK\n");
        let lines = refusals(&engine);
        assert_eq!(lines.len(), 1, "{lines:?}");
        if rights.contains("xadd") {
            let what = "user chat may not run XADD, EVAL on keys that begin with {wschat}:; do";
            assert!(lines[0].contains(what), "{lines:?}");
        }
        permit(&lines[0]);
        assert_eq!(engine.check().unwrap(), [""; 0]);
    }
    // Without the right to read the settings, it says what it could not check.
    server.cli(&["ACL", "SETUSER", "chat", "-config"]);
    let warnings = engine.check().unwrap();
    assert_eq!(warnings.len(), 1);
    let cure = warnings[0].rsplit("to have it checked: ").next().unwrap();
    assert!(cure.ends_with("ACL SETUSER chat +config|get"), "{cure}");
}

#[test]
fn the_server_that_is_read_needs_the_same_rights() {
    let Some(master) = start() else { return };
    let replica = master.replica().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = as_user(&master, &directory, "chat");
    let settings = ClusterSettings { read_from: Some(ReadFrom::Replica), ..settings };
    let engine = Engine::new(&settings).unwrap();
    for (server, rights) in [(&master, "+@all"), (&replica, "-xread")] {
        let words = ["ACL", "SETUSER", "chat", "on", ">secret", "~*", "+@all", rights];
        assert_eq!(server.cli(&words), "OK\n");
    }
    eventually("the replica follows", || engine.source().is_ok());
    let lines = refusals(&engine);
    let what = format!("Redis at {}: user chat may not run XREAD on keys", replica.address());
    assert!(matches!(&lines[..], [line] if line.starts_with(&what)), "{lines:?}");
    assert_eq!(replica.cli(&["ACL", "SETUSER", "chat", "+xread"]), "OK\n");
    assert_eq!(engine.check().unwrap(), [""; 0]);
    // Why it cannot be read comes first, before what else could be done.
    assert_eq!(replica.cli(&["ACL", "SETUSER", "chat", "resetpass", ">other"]), "OK\n");
    let warnings = engine.check().unwrap();
    let reason = format!("no replica can be read: Redis at {}: AUTH: ", replica.address());
    assert!(matches!(&warnings[..], [warning] if warning.contains(&reason)), "{warnings:?}");
}

#[test]
fn a_full_server_is_refused() {
    let Some(server) = start_with(&["maxmemory 1mb"]) else { return };
    let lines = refusals(&server.engine());
    assert!(
        lines[0].contains("OOM") && lines[0].ends_with("raise maxmemory in Redis"),
        "{lines:?}"
    );
}
