//! Logging in, with TLS and without; and servers that do not answer.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use redis::cmd;
use tempfile::TempDir;

use crate::cluster::redis::test_server::{TestServer, start, start_with};
use crate::cluster::redis::{Engine, RedisErrorKind, text};
use crate::settings::{ClusterSettings, RedisServers, RedisTls};

#[track_caller]
fn error(settings: &ClusterSettings) -> String {
    let engine = Engine::new(settings).unwrap();
    engine.master().expect_err("it connects").to_string()
}

fn with_password(
    settings: ClusterSettings,
    directory: &TempDir,
    password: &str,
) -> ClusterSettings {
    let file = directory.path().join("password");
    fs::write(&file, password).unwrap();
    ClusterSettings { password_file: Some(file), ..settings }
}

#[test]
fn a_user_and_a_password() {
    let Some(server) = start_with(&["user default off", "user chat on >right ~* +@all"]) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let nobody = server.settings();
    let shown = error(&nobody);
    assert!(shown.contains("NOAUTH") && shown.ends_with("set cluster.passwordFile"), "{shown}");
    let chat = ClusterSettings { username: Some("chat".to_owned()), ..nobody };
    let settings = with_password(chat, &directory, "right\r\n");
    let mut connection = Engine::new(&settings).unwrap().master().unwrap();
    let who = connection.call(cmd("ACL").arg("WHOAMI")).unwrap();
    assert_eq!(text(&who), Some("chat"));
    let name = connection.call(cmd("CLIENT").arg("GETNAME")).unwrap();
    assert_eq!(text(&name), Some("wschat"));

    let wrong = with_password(settings.clone(), &directory, "wrong");
    let shown = error(&wrong);
    assert!(shown.contains(": AUTH: ") && shown.contains("WRONGPASS"), "{shown}");
    assert!(
        shown.ends_with("correct cluster.username, or the password in cluster.passwordFile"),
        "{shown}"
    );
    assert!(
        !format!("{:?}", Engine::new(&wrong).unwrap()).contains("wrong"),
        "the password is shown"
    );

    fs::write(directory.path().join("password"), "\n").unwrap();
    let shown = Engine::new(&wrong).unwrap_err().to_string();
    assert!(shown.ends_with("is empty; write the password into it"), "{shown}");
    fs::remove_file(directory.path().join("password")).unwrap();
    let shown = Engine::new(&wrong).unwrap_err().to_string();
    assert!(
        shown.starts_with("cluster.passwordFile: ") && shown.contains("cannot be read"),
        "{shown}"
    );
}

#[test]
fn a_password_that_nobody_wants() {
    let Some(server) = start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let shown = error(&with_password(server.settings(), &directory, "x"));
    assert!(shown.contains("set cluster.passwordFile to null"), "{shown}");
}

#[test]
fn a_database_of_the_url() {
    let Some(server) = start() else { return };
    let settings = |database: u32| {
        let url = format!("redis://localhost:{}/{database}", server.port());
        ClusterSettings { redis: Some(RedisServers::Url(url)), ..ClusterSettings::default() }
    };
    let mut connection = Engine::new(&settings(3)).unwrap().master().unwrap();
    connection.call(cmd("SET").arg("x").arg("y")).unwrap();
    assert_eq!(server.cli(&["-n", "3", "GET", "x"]), "y\n");
    let shown = error(&settings(99));
    assert!(shown.contains("SELECT: it answers \"ERR DB index is out of range"), "{shown}");
}

#[test]
fn nobody_listens_or_nobody_is_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = |url: String| ClusterSettings {
        redis: Some(RedisServers::Url(url)),
        ..ClusterSettings::default()
    };
    let shown = error(&settings(format!("redis://127.0.0.1:{port}")));
    assert!(
        shown.starts_with(&format!("Redis at 127.0.0.1:{port}: connect: Connection refused")),
        "{shown}"
    );
    assert!(shown.ends_with("start it, or correct cluster.redis"), "{shown}");
    let shown = error(&settings("redis://no-such-host.invalid".to_owned()));
    assert!(shown.starts_with("Redis at no-such-host.invalid:6379: resolve: "), "{shown}");
}

#[test]
fn a_server_that_is_frozen_is_given_up() {
    let Some(server) = start() else { return };
    let engine = server.engine();
    let mut connection = engine.master().unwrap();
    server.freeze();
    let began = Instant::now();
    let late = connection.call(cmd("SET").arg("x").arg("late")).unwrap_err();
    let shown = engine.master().unwrap_err();
    // Each waits for its own time-out; a machine that does much else may add to that.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(
        matches!(late.kind(), RedisErrorKind::TimedOut(limit) if *limit <= Duration::from_secs(2)),
        "{late}"
    );
    assert!(
        matches!(shown.kind(), RedisErrorKind::TimedOut(limit) if *limit <= Duration::from_secs(1)),
        "{shown}"
    );
    server.thaw();
    // The answer that comes now is not that of the next command.
    let again = connection.call(cmd("GET").arg("x").arg("other")).unwrap_err();
    assert_eq!(again.to_string(), late.to_string());
    assert!(engine.master().is_ok());
}

#[test]
fn a_time_out_is_that_of_the_caller() {
    let Some(server) = start() else { return };
    let mut connection = server.engine().master().unwrap();
    connection.set_timeout(Duration::from_millis(50));
    let error = connection.call(cmd("BLPOP").arg("x").arg(0)).unwrap_err();
    assert_eq!(*error.kind(), RedisErrorKind::TimedOut(Duration::from_millis(50)), "{error}");
}

#[cfg(feature = "tls")]
/// Makes a CA, and a certificate for 127.0.0.1 by it, as `ca.pem`, `cert.pem` and `key.pem`.
fn make_certificates(directory: &std::path::Path) {
    let script = "set -e\n\
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca\n\
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=redis\n\
        printf 'subjectAltName=IP:127.0.0.1\\n' >ext\n\
        openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile ext";
    let made = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[cfg(feature = "tls")]
#[test]
fn tls_with_an_own_authority_and_a_certificate_of_the_client() {
    let directory = tempfile::tempdir().unwrap();
    make_certificates(directory.path());
    let file = |name: &str| directory.path().join(name);
    let line = |key: &str, name: &str| format!("{key} {}", file(name).display());
    let Some(server) = start_with(&[
        "tls-port {port}",
        "port 0",
        &line("tls-ca-cert-file", "ca.pem"),
        &line("tls-cert-file", "cert.pem"),
        &line("tls-key-file", "key.pem"),
    ]) else {
        return;
    };
    let settings = |host: &str, tls: RedisTls| {
        let url = format!("rediss://{host}:{}", server.port());
        let redis = Some(RedisServers::Url(url));
        ClusterSettings { redis, tls: Some(tls), ..ClusterSettings::default() }
    };
    let ca = || RedisTls { ca: Some(file("ca.pem")), ..RedisTls::default() };
    let all = || RedisTls { cert: Some(file("cert.pem")), key: Some(file("key.pem")), ..ca() };
    let engine = Engine::new(&settings("127.0.0.1", all())).unwrap();
    let mut connection = engine.master().unwrap();
    let large = vec![b'x'; 1 << 20];
    connection.append(engine.keys(), crate::chat::EntryId::default(), &large).unwrap();
    let after = crate::chat::EntryId::default();
    let found = connection.read(engine.keys(), after, 1, Duration::from_millis(10)).unwrap();
    assert!(found[0].batch == large);
    assert_eq!(*connection.run_id(), *engine.master().unwrap().run_id());

    let shown = error(&settings("127.0.0.1", ca()));
    assert!(shown.contains("set cluster.tls.cert and cluster.tls.key"), "{shown}");
    let shown = error(&settings("127.0.0.1", RedisTls::default()));
    assert!(
        shown.contains("its certificate is not trusted: ") && shown.contains("cluster.tls.ca"),
        "{shown}"
    );
    let shown = error(&settings("localhost", all()));
    assert!(shown.contains("ostname mismatch"), "{shown}");
    let url = format!("redis://127.0.0.1:{}", server.port());
    let shown = error(&ClusterSettings {
        redis: Some(RedisServers::Url(url)),
        ..ClusterSettings::default()
    });
    assert!(shown.contains("begin the URL with \"rediss:\""), "{shown}");

    let wrong = RedisTls { key: Some(file("ca.key")), ..all() };
    let shown = Engine::new(&settings("127.0.0.1", wrong)).unwrap_err().to_string();
    assert!(shown.starts_with("cluster.tls.key: "), "{shown}");
}

#[cfg(feature = "tls")]
#[test]
fn tls_where_nobody_speaks_it() {
    let Some(server) = start() else { return };
    let url = format!("rediss://{}", server.address());
    let shown = error(&ClusterSettings {
        redis: Some(RedisServers::Url(url)),
        ..ClusterSettings::default()
    });
    assert!(shown.contains(": TLS: "), "{shown}");
    // It accepts connections and says nothing.
    server.freeze();
    let url = format!("rediss://{}", server.address());
    let frozen =
        ClusterSettings { redis: Some(RedisServers::Url(url)), ..ClusterSettings::default() };
    let error = Engine::new(&frozen).unwrap().master().unwrap_err();
    assert!(matches!(error.kind(), RedisErrorKind::TimedOut(_)), "{error}");
}

/// Valkey, where it is installed, or the program that `VALKEY_SERVER` names.
#[test]
fn valkey_is_as_good() {
    let program = std::env::var("VALKEY_SERVER").unwrap_or_else(|_| "valkey-server".to_owned());
    let lines = ["appendonly yes", "appendfsync always"];
    let Some(server) = TestServer::run(&program, &lines) else { return };
    let engine = server.engine();
    assert_eq!(engine.check().unwrap(), [""; 0]);
    let mut connection = engine.master().unwrap();
    let begin = crate::chat::EntryId::default();
    let place = connection.append(engine.keys(), begin, b"x").unwrap();
    let found = connection.read(engine.keys(), begin, 1, Duration::ZERO).unwrap();
    assert_eq!(found[0].id, place);
}
