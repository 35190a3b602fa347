//! What the server counts: for each reason and code, a counter moves when it happens.
//!
//! What cannot be provoked from outside is counted by the same tables, which unit tests check.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use wschat::Settings;

use crate::admin::{get, socket};
use crate::client::{Client, PATIENCE, UPGRADE, V2};
use crate::frame::{self, BINARY, CLOSE, TEXT};
use crate::host::{Host, eventually, skipped};

/// A server whose metrics are read.
struct Watched {
    host: Host,
    socket: PathBuf,
    directory: TempDir,
}

impl Watched {
    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (directory, socket) = socket();
        let host = Host::with(|settings| {
            settings.admin.listen = Some(socket.display().to_string());
            settings.history.file = Some(directory.path().join("wschat.db"));
            change(settings);
        });
        Self { host, socket, directory }
    }

    fn page(&self) -> String {
        let response = get(&self.socket, "/metrics");
        assert_eq!(response.status, 200);
        assert!(response.head.to_lowercase().contains("content-type: text/plain; version=0.0.4"));
        String::from_utf8(response.body).unwrap()
    }

    fn samples(&self) -> BTreeMap<String, f64> {
        let page = self.page();
        let samples = page.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, value) = line.rsplit_once(' ').expect(line);
            (name.to_owned(), value.parse().expect(line))
        });
        samples.collect()
    }

    #[track_caller]
    fn value(&self, sample: &str) -> f64 {
        *self.samples().get(sample).unwrap_or_else(|| panic!("there is no {sample}"))
    }

    /// What `act` does moves this counter, which is there from the start.
    #[track_caller]
    fn moves(self, sample: &str, act: impl FnOnce(&Self)) {
        assert!(self.value(sample).abs() < 0.5, "{sample} begins at 0");
        act(&self);
        eventually(sample, || self.value(sample) > 0.5);
    }

    fn operate(&self, path: &str, body: &str) {
        let (status, answer) = self.host.handle.command("POST", path, body);
        assert_eq!(status, 200, "{answer}");
    }
}

fn ending(reason: &str) -> String {
    format!("wschat_connection_endings_total{{reason=\"{reason}\"}}")
}

#[test]
fn each_ending_is_counted_by_its_reason() {
    let sent: [(&str, Vec<u8>); 8] = [
        ("closed_by_client", frame::close(1000, "bye")),
        ("proxy_stopping", frame::unmasked(CLOSE, b"")),
        ("protocol_error", frame::unmasked(TEXT, b"x")),
        ("binary_message", frame::masked(BINARY, b"x")),
        ("invalid_utf8", frame::masked(TEXT, b"\xff")),
        ("too_fast", frame::masked(TEXT, b"x").repeat(9)),
        ("message_too_big", frame::header(TEXT, 1 << 30)),
        ("connection_lost", Vec::new()),
    ];
    for (reason, bytes) in sent {
        let server = Watched::with(|settings| settings.limits.message_burst = 1);
        server.moves(&ending(reason), |server| {
            let mut user = server.host.endpoint.user();
            if bytes.is_empty() {
                return user.abort();
            }
            user.send(bytes);
            user.skip_to_close();
        });
    }
    Watched::with(|settings| {
        settings.limits.ping_interval_ms = 150;
        settings.limits.pong_timeout_ms = 100;
    })
    .moves(&ending("pong_timeout"), |server| {
        server.host.endpoint.user().skip_to_close();
    });
    Watched::with(|_| {}).moves(&ending("replaced"), |server| {
        let mut first = server.host.endpoint.v2_user();
        let _second = server.host.endpoint.resume(&first.token);
        first.skip_to_close();
    });
    Watched::with(|_| {}).moves(&ending("kicked"), |server| {
        let mut user = server.host.endpoint.user();
        server.operate("/v1/kick", r#"{"user":1}"#);
        user.skip_to_close();
    });
    Watched::with(|_| {}).moves(&ending("server_stopping"), |server| {
        let mut user = server.host.endpoint.user();
        // It closes only when its test ends, so the server has not ended yet.
        let stubborn = server.host.endpoint.user();
        server.host.handle.shutdown();
        user.skip_to_close();
        drop(user);
        eventually("counted", || server.value(&ending("server_stopping")) > 0.5);
        drop(stubborn);
    });
}

#[test]
fn slow_consumers_and_hoarders_are_counted_with_what_was_queued_for_them() {
    let server = Watched::with(|settings| {
        settings.limits.messages_per_second = 0.0;
        settings.limits.outbox_max_bytes = 65_536;
    });
    server.moves(&ending("slow_consumer"), |server| {
        let mut speaker = server.host.endpoint.member();
        let _slow = server.host.endpoint.connect_with_small_buffer().into_user().into_member();
        speaker.skip_to("enter_room");
        let text = "x".repeat(4_000);
        while server.value(&ending("slow_consumer")) < 0.5 {
            for _ in 0..50 {
                speaker.say(&text);
                speaker.skip_to("text");
            }
        }
        assert!(server.value("wschat_outbox_high_water_bytes") > 65_536.0);
    });
    let server = Watched::with(|settings| {
        settings.limits.max_memory_bytes = 16 << 20;
        settings.limits.messages_per_second = 0.0;
    });
    server.moves(&ending("out_of_memory"), |server| {
        let part = [frame::header(TEXT, 65_000), vec![b' '; 60_000]].concat();
        let mut hoarders: Vec<Client> = (0..40).map(|_| server.host.endpoint.user()).collect();
        for hoarder in &mut hoarders {
            let _ = hoarder.try_send(&part);
        }
        eventually("counted", || server.value(&ending("out_of_memory")) > 0.5);
    });
}

#[test]
fn each_refusal_is_counted_by_its_code() {
    let requests = [
        ("bad_json", "x"),
        ("bad_request", r#"{"type":"enter_room"}"#),
        ("unknown_type", r#"{"type":"dance"}"#),
        ("unknown_room", r#"{"type":"enter_room","roomId":9}"#),
        ("not_in_room", r#"{"type":"leave_room"}"#),
        ("bad_name", r#"{"type":"change_name","name":""}"#),
        ("bad_title", r#"{"type":"create_room","title":""}"#),
        ("bad_text", r#"{"type":"text","text":""}"#),
        ("too_many_rooms", r#"{"type":"create_room","title":"one more"}"#),
    ];
    let server = Watched::with(|settings| settings.limits.max_rooms = 3);
    let mut user = server.host.endpoint.member();
    for (code, request) in requests {
        let sample = format!("wschat_refusals_total{{code=\"{code}\"}}");
        assert!(server.value(&sample).abs() < 0.5, "{code}");
        if code == "not_in_room" {
            let mut outside = server.host.endpoint.user();
            outside.request(request);
            outside.expect_error(code);
        } else {
            user.request(request);
            user.expect_error(code);
        }
        eventually(code, || server.value(&sample) > 0.5);
    }
    drop(user);

    let refusal = |code: &str| format!("wschat_refusals_total{{code=\"{code}\"}}");
    Watched::with(|settings| settings.limits.message_burst = 1).moves(
        &refusal("rate_limited"),
        |server| {
            let mut user = server.host.endpoint.user();
            user.send(frame::masked(TEXT, br#"{"type":"leave_room"}"#).repeat(2));
            user.expect_error("not_in_room");
            user.expect_error("rate_limited");
        },
    );
    Watched::with(|_| {}).moves(&refusal("already_said"), |server| {
        let mut user = server.host.endpoint.v2_user();
        user.request(r#"{"type":"enter_room","roomId":1}"#);
        user.skip_to("room");
        user.request(r#"{"type":"text","text":"x","ref":"r"}"#);
        user.skip_to("text");
        server.operate("/v1/erase", r#"{"user":1}"#);
        user.request(r#"{"type":"text","text":"x","ref":"r"}"#);
        user.skip_to("error");
    });
    Watched::with(|_| {}).moves(&refusal("not_saved"), |server| {
        let mut user = server.host.endpoint.member();
        fs::remove_file(server.directory.path().join("wschat.db")).unwrap();
        eventually("it is noticed", || server.value("wschat_history_saving") < 0.5);
        user.say("lost");
        user.expect_error("not_saved");
        assert!(server.value("wschat_commits_failed_total") > 0.5);
    });
}

#[test]
fn who_is_turned_away_is_counted_and_so_are_responses() {
    let turned_away = |reason: &str| format!("wschat_turned_away_total{{reason=\"{reason}\"}}");
    let server = Watched::with(|settings| settings.limits.max_connections = 1);
    server.moves(&turned_away("full"), |server| {
        let _user = server.host.endpoint.user();
        assert_eq!(server.host.endpoint.ask(UPGRADE).status, 503);
        eventually("counted", || server.value("wschat_http_responses_total{status=\"503\"}") > 0.5);
        assert!(server.value("wschat_http_responses_total{status=\"101\"}") > 0.5);
    });
    let source = |change: fn(&mut Settings)| {
        let server = Watched::with(|settings| {
            settings.host = "127.0.0.1".to_owned();
            settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
            change(settings);
        });
        let client = "\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n";
        let upgrade = UPGRADE.replace("\r\n\r\n", client);
        (server, upgrade)
    };
    let (server, upgrade) = source(|settings| settings.limits.max_connections_per_ip = 1);
    server.moves(&turned_away("source_has_too_many"), |server| {
        let mut first = server.host.endpoint.connect();
        first.send(&upgrade);
        first.read_head();
        assert_eq!(server.host.endpoint.ask(&upgrade).status, 503);
    });
    let (server, upgrade) = source(|settings| {
        settings.limits.connects_per_second = 0.001;
        settings.limits.connect_burst = 1;
    });
    server.moves(&turned_away("too_fast"), |server| {
        let mut first = server.host.endpoint.connect();
        first.send(&upgrade);
        first.read_head();
        assert_eq!(server.host.endpoint.ask(&upgrade).status, 503);
    });
}

#[test]
fn what_is_said_is_counted_with_its_receivers_and_bytes() {
    let server = Watched::with(|_| {});
    let mut first = server.host.endpoint.member();
    let mut second = server.host.endpoint.member();
    let away = server.host.endpoint.v2_user();
    away.abort();
    eventually("one is away", || server.value("wschat_away_users") > 0.5);
    let before = server.samples();
    for _ in 0..3 {
        first.say("hello");
        second.skip_to("text");
    }
    // A tick is counted when it is over, which is after its messages have arrived.
    assert!(server.host.handle.counts(PATIENCE).is_some());
    let after = server.samples();
    let grown = |name: &str| after[name] - before[name];
    let is = |value: f64, expected: f64| (value - expected).abs() < 0.5;
    assert!(is(grown("wschat_messages_total"), 3.0));
    assert!(is(grown("wschat_deliveries_total"), 6.0));
    let frame = r#"{"type":"text","text":"hello","from":{"id":1,"name":"User 1"}}"#;
    let bytes = u32::try_from(2 + frame.len()).unwrap();
    assert!(is(grown("wschat_sent_bytes_total"), 6.0 * f64::from(bytes)));
    assert!(grown("wschat_commit_duration_seconds_count") > 0.5);
    assert!(
        grown("wschat_tick_duration_seconds_count")
            >= grown("wschat_commit_duration_seconds_count")
    );
    assert!(is(after["wschat_users"], 2.0) && is(after["wschat_connections"], 2.0));
    assert!(is(after["wschat_connections_total"], 3.0) && is(after["wschat_rooms"], 3.0));
    assert!(is(after["wschat_dispatcher_up"], 1.0) && is(after["wschat_history_saving"], 1.0));
    for name in ["wschat_history_file_bytes", "process_resident_memory_bytes", "process_open_fds"] {
        assert!(after[name] > 0.5, "{name}");
    }
    let inputs = "wschat_tick_inputs_bucket{le=\"+Inf\"}";
    assert!(is(after[inputs], after["wschat_tick_inputs_count"]));
    assert!(after.contains_key("wschat_tick_duration_seconds_bucket{le=\"0.00001\"}"));
    assert!(after.contains_key("wschat_tick_duration_seconds_bucket{le=\"5\"}"));
}

#[test]
fn a_certificate_shows_its_end_and_a_reload_its_time() {
    let (_directory, path) = socket();
    let listen = path.display().to_string();
    let host = Host::with_tls(|settings| settings.admin.listen = Some(listen.clone()));
    let page = || String::from_utf8(get(&path, "/metrics").body).unwrap();
    let value = |name: &str| -> f64 {
        let page = page();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.expect(name).parse().unwrap()
    };
    let end = value("wschat_certificate_expiry_timestamp_seconds");
    let days = (end - value("process_start_time_seconds")) / 86_400.0;
    assert!((88.0..92.0).contains(&days), "{days}");
    assert!(value("wschat_reloads_total") < 0.5);
    let mut settings = Settings { port: 0, ..Settings::default() };
    settings.admin.listen = Some(listen);
    host.handle.reload(settings).unwrap();
    assert!(value("wschat_reloads_total") > 0.5);
    let reloaded = value("wschat_last_reload_success_timestamp_seconds");
    assert!(reloaded >= value("process_start_time_seconds"));
}

/// The project's file in `monitoring/`.
fn monitoring(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("monitoring").join(file)
}

/// Runs `promtool`, if it is there, with this input.
fn promtool(arguments: &[&str], input: &str) {
    let command = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = command else {
        skipped("there is no promtool (Debian package prometheus)");
        return;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn prometheus_accepts_the_metrics_and_the_alerts() {
    let server = Watched::with(|_| {});
    let _user = server.host.endpoint.member();
    promtool(&["check", "metrics"], &server.page());
    promtool(&["check", "rules", monitoring("alerts.yml").to_str().unwrap()], "");
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let server = Watched::with(|_| {});
    let mut samples: Vec<String> = server.samples().into_keys().collect();
    // Only with TLS.
    samples.push("wschat_certificate_expiry_timestamp_seconds".to_owned());
    // Only nodes of a cluster have them. A unit test checks that the table has all.
    let docs = include_str!("../../docs/operations.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    samples.extend(names.filter(|name| name.starts_with("wschat_cluster_")).map(str::to_owned));
    let known = |name: &str| {
        let is_known = |name: &str| samples.iter().any(|it| it.split('{').next() == Some(name));
        is_known(name) || is_known(&format!("{name}_bucket"))
    };
    let alerts = fs::read_to_string(monitoring("alerts.yml")).unwrap();
    let dashboard = fs::read_to_string(monitoring("grafana.json")).unwrap();
    let json: Value = serde_json::from_str(&dashboard).expect("JSON");
    assert!(json["panels"].as_array().unwrap().len() > 5);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for text in [&alerts, &dashboard] {
        let names = text
            .split(|c| !is_part(c))
            .filter(|word| word.starts_with("wschat_") || word.starts_with("process_"));
        let mut count = 0;
        for name in names {
            assert!(known(name), "there is no {name}");
            count += 1;
        }
        assert!(count > 5);
    }
}

#[test]
fn every_connection_that_ends_has_been_counted_as_one() {
    let server = Watched::with(|_| {});
    for _ in 0..3 {
        server.host.endpoint.connect_offering(V2).0.close();
    }
    eventually("all are counted", || server.value(&ending("closed_by_client")) > 2.5);
    assert!((server.value("wschat_connections_total") - 3.0).abs() < 0.5);
}
