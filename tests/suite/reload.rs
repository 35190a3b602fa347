//! New settings for a running server: what changes, what stays, and that nobody is disconnected.

mod chat;
mod limits;

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use wschat::{Limits, Settings, StartError};

use crate::client::{Endpoint, UPGRADE};
use crate::host::{Host, Identity, eventually};

/// Default settings on any port, with these changes.
fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings { port: 0, ..Settings::default() };
    change(&mut settings);
    settings
}

/// Gives the running server default settings with these changes.
#[track_caller]
fn reload(host: &Host, change: impl FnOnce(&mut Settings)) {
    let reloaded = host.handle.reload(settings(change)).expect("the reload succeeds");
    assert_eq!(reloaded.needs_restart, [""; 0]);
}

/// The status that a page of another site gets for its upgrade.
fn status_for_other_site(endpoint: &Endpoint) -> u16 {
    let origin = "\r\nOrigin: https://www.example.org\r\n\r\n";
    let mut client = endpoint.connect();
    client.send(UPGRADE.replace("\r\n\r\n", origin));
    let head = client.read_head();
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect(&head)
}

fn allow_other_site(settings: &mut Settings) {
    settings.allowed_origins = vec!["www.example.org".to_owned()];
}

fn use_identity(settings: &mut Settings, identity: &Identity) {
    settings.certificate = Some(identity.certificate());
    settings.private_key = Some(identity.key());
}

/// The endpoint of the same server, for a client that trusts this identity.
fn trusting(host: &Host, identity: &Identity) -> Endpoint {
    Endpoint { address: host.endpoint.address, root: Some(identity.root.clone()) }
}

fn gif_list(endpoint: &Endpoint) -> Value {
    let response = endpoint.ask("GET /gifs.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    serde_json::from_slice(&response.body).expect("JSON")
}

#[test]
fn origins_change_and_nobody_is_disconnected() {
    let host = Host::start();
    let mut user = host.endpoint.user();
    assert_eq!(status_for_other_site(&host.endpoint), 403);
    reload(&host, allow_other_site);
    assert_eq!(status_for_other_site(&host.endpoint), 101);
    reload(&host, |_| {});
    assert_eq!(status_for_other_site(&host.endpoint), 403);
    user.expect_nothing_more();
}

#[test]
fn a_renewed_certificate_serves_new_connections() {
    let (old, new) = (Identity::new(), Identity::new());
    let host = Host::with(|settings| use_identity(settings, &old));
    let mut user = trusting(&host, &old).user();
    // The usual renewal: other content in the same files.
    fs::copy(new.certificate(), old.certificate()).unwrap();
    fs::copy(new.key(), old.key()).unwrap();
    reload(&host, |settings| use_identity(settings, &old));
    trusting(&host, &new).user().close();
    assert!(trusting(&host, &old).try_tls().is_err());
    user.expect_nothing_more();
}

#[test]
fn a_renewed_certificate_is_noticed_by_itself() {
    const CLIENTS: usize = 50;
    let (old, new) = (Identity::new(), Identity::new());
    // As certbot has it: links that lead to other files after a renewal.
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let lead_to = |identity: &Identity| {
        for (name, file) in
            [("fullchain.pem", identity.certificate()), ("privkey.pem", identity.key())]
        {
            symlink(file, path("new")).unwrap();
            fs::rename(path("new"), path(name)).unwrap();
        }
    };
    lead_to(&old);
    let host = Host::with(|settings| {
        settings.certificate = Some(path("fullchain.pem"));
        settings.private_key = Some(path("privkey.pem"));
    });
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| trusting(&host, &old).user()).collect();
    lead_to(&new);
    eventually("the renewed certificate is served", || trusting(&host, &new).try_tls().is_ok());
    assert!(trusting(&host, &old).try_tls().is_err());
    trusting(&host, &new).user().close();
    for client in &mut clients {
        client.expect_nothing_more();
    }
}

#[test]
fn tls_is_switched_on_and_off() {
    let identity = Identity::new();
    let host = Host::start();
    let mut plain = host.endpoint.user();
    reload(&host, |settings| use_identity(settings, &identity));
    let mut encrypted = trusting(&host, &identity).user();
    reload(&host, |_| {});
    host.endpoint.user().close();
    plain.expect_nothing_more();
    encrypted.expect_nothing_more();
}

#[test]
fn a_broken_certificate_changes_nothing() {
    let (good, broken) = (Identity::new(), Identity::new());
    let host = Host::with(|settings| use_identity(settings, &good));
    let endpoint = trusting(&host, &good);
    let mut user = endpoint.user();
    fs::write(broken.certificate(), "no certificate").unwrap();
    let error = host.handle.reload(settings(|settings| {
        use_identity(settings, &broken);
        allow_other_site(settings);
    }));
    assert!(matches!(error, Err(StartError::Certificate(_))), "{error:?}");
    assert_eq!(status_for_other_site(&endpoint), 403);
    user.expect_nothing_more();
}

#[test]
fn settings_that_are_not_allowed_change_nothing() {
    let host = Host::start();
    let error = host.handle.reload(settings(|settings| {
        allow_other_site(settings);
        settings.limits.max_name_chars = 0;
    }));
    assert!(matches!(error, Err(StartError::Settings(_))), "{error:?}");
    assert_eq!(status_for_other_site(&host.endpoint), 403);
}

#[test]
fn another_directory_of_pictures_is_served_when_all_of_it_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("7 a kite.gif"), b"GIF89a kite").unwrap();
    let use_directory = |settings: &mut Settings| {
        settings.gifs_directory = Some(directory.path().to_owned());
    };
    let host = Host::start();
    let mut user = host.endpoint.user();
    reload(&host, use_directory);
    let expected = json!([{ "id": 7, "alt": "a kite" }]);
    assert_eq!(gif_list(&host.endpoint), expected);

    fs::write(directory.path().join("8.gif"), b"not a GIF").unwrap();
    let error = host.handle.reload(settings(use_directory));
    assert!(matches!(error, Err(StartError::Gifs(_))), "{error:?}");
    assert_eq!(gif_list(&host.endpoint), expected);
    user.expect_nothing_more();
}

#[test]
fn the_owners_place_follows_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let icon = folder.path().join("icon.svg");
    let svg = r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#;
    fs::write(&icon, svg).unwrap();
    let pond = |settings: &mut Settings| {
        settings.title = "Pond".to_owned();
        settings.icon = Some(icon.clone());
        settings.accent = Some("#7c3aed".to_owned());
        settings.welcome = Some("# Hi".to_owned());
        settings.language = Some("de".to_owned());
    };
    let host = Host::start();
    let get = |path: &str| {
        let response = host.endpoint.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.status, 200, "{path}");
        response
    };
    let page = || serde_json::from_slice::<Value>(&get("/page.json").body).expect("JSON");
    let mut user = host.endpoint.user();
    let built_in = page();
    assert_eq!(built_in["title"], "wschat");
    assert!(get("/owner.css").body.is_empty());
    reload(&host, pond);
    let after = page();
    assert_eq!(after["title"], "Pond");
    assert_eq!(after["welcome"], "# Hi");
    assert_eq!(after["language"], "de");
    assert_ne!(after["icon"], built_in["icon"]);
    let icon_path = format!("/{}", after["icon"].as_str().unwrap());
    let served = get(&icon_path);
    assert_eq!(served.text(), svg);
    assert_eq!(served.field("content-type"), "image/svg+xml");
    let policy = served.field("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(get("/owner.css").text().contains("--accent:light-dark(#"));
    assert!(get("/").text().contains("<title>Pond</title>"));
    assert!(get("/manifest.webmanifest").text().contains("\"Pond\""));

    fs::write(&icon, "no picture").unwrap();
    let error = host.handle.reload(settings(pond));
    assert!(matches!(error, Err(StartError::Icon(_))), "{error:?}");
    assert_eq!(get(&icon_path).text(), svg);
    reload(&host, |_| {});
    assert_eq!(page(), built_in);
    user.expect_nothing_more();
}

#[test]
fn settings_that_need_a_restart_are_named_and_keep_their_values() {
    let host = Host::start();
    let new = settings(|settings| {
        settings.port = host.endpoint.address.port();
        settings.history.file = Some("/nowhere/wschat.db".into());
        settings.limits = Limits { command_queue_length: 7, ..Limits::default() };
        allow_other_site(settings);
    });
    for _ in 0..2 {
        // They still differ the second time.
        let reloaded = host.handle.reload(new.clone()).unwrap();
        assert_eq!(reloaded.needs_restart, ["port", "history.file", "limits.commandQueueLength"]);
        assert_eq!(status_for_other_site(&host.endpoint), 101);
    }
}

#[test]
fn the_number_of_connections_is_limited_by_the_new_settings() {
    let max = |max| move |settings: &mut Settings| settings.limits.max_connections = max;
    let host = Host::with(max(1));
    let mut one = host.endpoint.user();
    assert_eq!(host.endpoint.ask(UPGRADE).status, 503);
    // The refused connection may still count.
    reload(&host, max(3));
    let mut two = host.endpoint.user();
    reload(&host, max(1));
    assert_eq!(host.endpoint.ask(UPGRADE).status, 503);
    one.expect_nothing_more();
    two.expect_nothing_more();
}

#[test]
fn a_server_that_has_ended_only_checks_the_settings() {
    let host = Host::start();
    host.handle.shutdown();
    host.handle.join().unwrap();
    reload(&host, allow_other_site);
    let error = host.handle.reload(settings(|settings| settings.rooms.clear()));
    assert!(matches!(error, Err(StartError::Settings(_))), "{error:?}");
}

/// A named pipe that nobody writes to is as slow as a disk that hangs.
#[test]
fn a_reload_that_hangs_does_not_keep_the_server_from_ending() {
    let identity = Identity::new();
    let pipe = identity.certificate().with_file_name("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let (reloaded, reloads) = std::sync::mpsc::channel();
    let host = std::sync::Arc::new(Host::start());
    let mut user = host.endpoint.user();
    let reloading = host.clone();
    let hanging = settings(|settings| {
        use_identity(settings, &identity);
        settings.certificate = Some(pipe.clone());
    });
    let thread =
        std::thread::spawn(move || reloaded.send(reloading.handle.reload(hanging).is_ok()));
    // Opening the other end waits until the reload reads.
    let writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    host.handle.shutdown();
    user.expect_close(1001);
    let (ended, ends) = std::sync::mpsc::channel();
    let ending = host.clone();
    let end = std::thread::spawn(move || ended.send(ending.handle.join().is_ok()));
    let end_result = ends.recv_timeout(std::time::Duration::from_secs(20));
    drop(writer);
    assert_eq!(end_result, Ok(true));
    assert_eq!(reloads.recv(), Ok(false), "an empty file is no certificate");
    thread.join().unwrap().unwrap();
    end.join().unwrap().unwrap();
}
