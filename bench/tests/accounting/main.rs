//! Checks the accounting: a server that breaks one delivery in a thousand on purpose is reported with
//! the exact count, and a correct server is clean.

mod server;

use std::process::{Command, Output};

use serde_json::Value;

use self::server::{Fault, Server};

/// Runs the tool against a server with this fault: 3 rooms of 4 clients, with 1,000 messages in each.
/// Only `count` is not 0, and it is exact.
#[track_caller]
fn check(fault: Fault, senders: u32, count: Option<&str>) {
    let server = Server::start(fault);
    let messages = server::MESSAGES / senders;
    let output = bench(&[
        "fanout",
        "--json",
        "--clients=12",
        "--rooms=3",
        &format!("--senders={senders}"),
        "--window=8",
        &format!("--messages={messages}"),
        "--seconds=60",
        &server.url(),
    ]);
    let faults = server.faults();
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report in JSON");
    let account = &report["account"];

    assert_eq!(account["sent"], 3_000, "{report:#}");
    assert_eq!(account["expected"], 12_000, "{report:#}");
    for name in ["missing", "duplicated", "misrouted", "outOfOrder", "unknown"] {
        let expected = if count == Some(name) { faults } else { 0 };
        assert_eq!(account[name], expected, "{name} in {report:#}");
    }
    assert_eq!(report["clean"], count.is_none(), "{report:#}");
    assert_eq!(output.status.code(), Some(i32::from(count.is_some())), "{report:#}");
    if count.is_some() {
        // About one in a thousand of 12,000; not every due fault can be made.
        assert!((9..=12).contains(&faults), "the server made {faults} faults");
    }
}

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wschat-bench")).args(arguments).output().expect("it runs")
}

#[test]
fn a_correct_server_is_clean() {
    check(Fault::None, 4, None);
}

#[test]
fn one_delivery_in_a_thousand_dropped_is_missing() {
    check(Fault::Drop, 2, Some("missing"));
}

#[test]
fn one_delivery_in_a_thousand_repeated_is_duplicated() {
    check(Fault::Double, 2, Some("duplicated"));
}

#[test]
fn one_delivery_in_a_thousand_also_sent_to_another_room_is_misrouted() {
    check(Fault::Misroute, 2, Some("misrouted"));
}

#[test]
fn one_delivery_in_a_thousand_swapped_with_the_next_is_out_of_order() {
    // With two senders, the tool could not know which order is correct.
    check(Fault::Swap, 1, Some("outOfOrder"));
}

#[test]
fn one_delivery_in_a_thousand_with_another_marker_is_unknown() {
    check(Fault::Forge, 2, Some("unknown"));
}

#[test]
fn a_server_that_closes_a_connection_is_reported() {
    let server = Server::start(Fault::HangUp);
    let output =
        bench(&["fanout", "--clients", "3", "--messages", "500", "--seconds", "60", &server.url()]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("connections lost: 1"), "{table}");
    assert_eq!(output.status.code(), Some(1), "{table}");
}

#[test]
fn without_a_server_there_is_no_result() {
    let server = Server::start(Fault::None);
    let url = server.url();
    drop(server);
    let output = bench(&["pingpong", "--seconds", "1", &url]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(why.contains("only 0 of 1 clients"), "{why}");
}
