//! What the operator of a cluster sees and does: status, metrics, health, what the doctor finds, and the way from one
//! machine to a cluster and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::admin::get;
use crate::client::{Client, V2};
use crate::host::{Program, eventually};
use crate::metrics::promtool;
use crate::nodes::{Nodes, has_redis};

/// Nodes with an admin listener each.
struct Operated {
    nodes: Nodes,
    folder: TempDir,
}

impl Operated {
    /// A Redis, and no node yet.
    fn new() -> Self {
        Self { nodes: Nodes::start(0, &json!({})), folder: tempfile::tempdir().unwrap() }
    }

    fn socket(&self, node: &str) -> PathBuf {
        self.folder.path().join(format!("{node}.sock"))
    }

    fn settings(&self, node: &str) -> Value {
        json!({
            "cluster": self.nodes.cluster(node),
            "admin": { "listen": self.socket(node) },
        })
    }

    /// Writes settings for a command, and returns their file.
    fn file(&self, settings: &Value) -> PathBuf {
        let file = self.folder.path().join("settings.json");
        fs::write(&file, settings.to_string()).unwrap();
        file
    }

    fn start(&mut self, node: &str) {
        self.nodes.programs.push(Program::start(self.settings(node)));
    }

    /// Runs a command with the settings of a node.
    fn run(&self, arguments: &[&str]) -> Output {
        let file = self.file(&self.settings("north"));
        run(&[arguments, &["--settings", file.to_str().unwrap()]].concat())
    }

    /// Of a command that succeeds.
    #[track_caller]
    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn status(&self, node: &str) -> Value {
        let response = get(&self.socket(node), "/v1/cluster");
        assert_eq!(response.status, 200, "{}", response.text());
        serde_json::from_slice(&response.body).unwrap()
    }
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wschat"));
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Enters the first room with what the client knows, and returns the answer.
fn enter(client: &mut Client, epoch: &Value, seq: u64) -> Value {
    let since = json!({ "epoch": epoch, "seq": seq });
    client.request(&json!({ "type": "enter_room", "roomId": 1, "since": since }).to_string());
    client.skip_to("room")
}

fn say(client: &mut Client, text: &str) -> Value {
    client.request(&json!({ "type": "text", "text": text, "ref": text }).to_string());
    client.skip_to("text")
}

fn texts(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().filter_map(|event| event["text"].as_str()).collect()
}

/// Ends the program, which closes its history.
fn end(mut program: Program) {
    program.signal("TERM");
    assert!(program.wait().success());
}

/// Resumes at a server that has this history, and knows it by this epoch: nothing is missing, nothing is said twice.
fn resume(program: &Program, token: &str, epoch: &Value, said: &[&str]) -> Client {
    let (mut ada, welcome) = program.endpoint.connect_offering(&format!("{V2}, session.{token}"));
    assert_eq!((&welcome["resumed"], &welcome["epoch"]), (&json!(true), epoch), "{welcome}");
    let page = enter(&mut ada, epoch, 0);
    assert_eq!((texts(&page), &page["complete"]), (said.to_vec(), &json!(true)), "{page}");
    for (seq, text) in (1..).zip(said) {
        assert_eq!(say(&mut ada, text)["seq"], seq, "it is recognised by its reference");
    }
    ada
}

#[test]
fn a_session_goes_from_one_machine_to_a_cluster_and_back() {
    if !has_redis() {
        return;
    }
    let mut operated = Operated::new();
    let file = operated.folder.path().join("wschat.db");
    let alone = || Program::start(json!({ "history": { "file": file.clone() } }));
    let single = alone();
    let (mut ada, welcome) = single.endpoint.connect_offering(V2);
    let (token, epoch) = (welcome["session"].as_str().unwrap(), &welcome["epoch"]);
    enter(&mut ada, epoch, 0);
    say(&mut ada, "alone");

    let path = file.to_str().unwrap();
    let output = operated.run(&["cluster", "import", path]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use"), "{output:?}");
    ada.abort();
    end(single);
    let printed = operated.printed(&["cluster", "import", path]);
    let moved = "imported 3 rooms, 1 users who can resume, and 1 messages\n";
    assert!(printed.contains(moved), "{printed}");

    operated.start("north");
    operated.start("south");
    let mut ada = resume(&operated.nodes.programs[1], token, epoch, &["alone"]);
    say(&mut ada, "together");

    // While the nodes run, the file begins anew.
    let copy = operated.folder.path().join("copy.db");
    let export = ["cluster", "export", copy.to_str().unwrap()];
    let exported: Value =
        serde_json::from_str(&operated.printed(&[&export[..], &["--json"]].concat())).unwrap();
    assert_eq!((&exported["messages"], &exported["isSameEpoch"]), (&json!(2), &json!(false)));
    let output = operated.run(&export);
    assert_eq!(output.status.code(), Some(1), "it replaces nothing: {output:?}");
    ada.abort();
    operated.nodes.check_logs();
    operated.nodes.programs.drain(..).for_each(end);
    let printed = operated.printed(&[&export[..], &["--force"]].concat());
    assert!(printed.contains("No node runs, so clients keep what they know"), "{printed}");

    let single = Program::start(json!({ "history": { "file": copy } }));
    let mut ada = resume(&single, token, epoch, &["alone", "together"]);
    assert_eq!(say(&mut ada, "alone again")["seq"], 3);

    // The first file is as it was, and does not say that it goes on where the cluster was.
    let (_, welcome) = alone().endpoint.connect_offering(V2);
    assert_ne!(&welcome["epoch"], epoch);
}

#[test]
fn the_operator_sees_the_nodes_and_why_one_is_not_ready() {
    if !has_redis() {
        return;
    }
    let mut operated = Operated::new();
    operated.start("north");
    operated.start("south");
    let _user = operated.nodes.programs[0].endpoint.member();
    for node in ["north", "south"] {
        eventually("both know both, the user and the keeper", || {
            let status = operated.status(node);
            let nodes = status["nodes"].as_array().unwrap();
            let north = nodes.iter().find(|node| node["name"] == "north");
            let this = nodes.iter().find(|node| node["isThis"] == true);
            nodes.len() == 2
                && north.is_some_and(|north| north["users"] == 1 && north["isKeeper"] == true)
                && this.is_some_and(|this| this["name"] == node)
                && status["keeper"] == "north"
        });
    }
    let printed = operated.printed(&["cluster", "status"]);
    let words = ["log          all is well\n", "this node, keeper\n", "\nsouth  "];
    for words in words {
        assert!(printed.contains(words), "{printed}");
    }
    let printed = operated.printed(&["status"]);
    assert!(printed.contains("\nhistory      in Redis\n"), "{printed}");
    let metrics = |node| get(&operated.socket(node), "/metrics").text().to_owned();
    promtool(&["check", "metrics"], &metrics("north"));
    let has = |node, sample: &str| metrics(node).contains(&format!("\n{sample}\n"));
    assert!(has("south", "wschat_cluster_nodes 2") && has("south", "wschat_cluster_keeper 0"));
    assert!(has("north", "wschat_cluster_keeper 1") && has("north", "wschat_cluster_log_away 0"));

    operated.nodes.redis.signal("-STOP");
    let ready = || get(&operated.socket("south"), "/readyz");
    eventually("it is not ready", || ready().text().contains("Redis, which has the log"));
    assert_eq!(ready().status, 503);
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let health = || operated.nodes.programs[1].endpoint.ask(health);
    assert_eq!(health().status, 503);
    assert!(health().text().contains("has been away for"), "{}", health().text());
    assert!(has("south", "wschat_cluster_log_away 1"));
    eventually("the other node says so, too", || {
        let status = operated.printed(&["cluster", "status"]);
        status.contains("log          away for ") && status.contains("\nThe nodes as of ")
    });
    operated.nodes.redis.signal("-CONT");
    eventually("it is ready again", || ready().status == 200);
    assert_eq!(health().status, 200);
    operated.nodes.check_logs();
}

#[test]
fn the_doctor_looks_at_redis_and_at_the_rules_and_check_connects_to_nothing() {
    if !has_redis() {
        return;
    }
    let mut operated = Operated::new();
    let found = |settings: &Value| {
        let file = operated.file(settings);
        let output = run(&["doctor", "--json", "--settings", file.to_str().unwrap()]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let findings = report["findings"].as_array().unwrap().clone();
        findings.into_iter().filter(|finding| finding["subject"] == "cluster").collect::<Vec<_>>()
    };
    let fit = operated.settings("north");
    assert!(found(&fit).is_empty());

    let mut away = fit.clone();
    away["cluster"]["redis"] = json!("redis://127.0.0.1:1");
    let findings = found(&away);
    assert_eq!(findings[0]["severity"], "error", "{findings:?}");
    let check = |settings: &Value| {
        let file = operated.file(settings);
        run(&["check", "--settings", file.to_str().unwrap()])
    };
    assert_eq!(check(&away).status.code(), Some(0), "{:?}", check(&away));
    let mut secret = fit.clone();
    secret["cluster"]["passwordFile"] = json!("none.txt");
    let output = check(&secret);
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cluster.passwordFile"), "{output:?}");

    let mut of_replica = fit.clone();
    of_replica["cluster"]["readFrom"] = json!("replica");
    let findings = found(&of_replica);
    assert!(findings[0]["what"].as_str().unwrap().contains("nothing will be delivered"));

    operated.start("north");
    let mut others = operated.settings("north");
    others["limits"] = json!({ "maxRooms": 17 });
    let file = operated.file(&others);
    let doctor = || run(&["doctor", "--settings", file.to_str().unwrap()]).stdout;
    let printed = String::from_utf8(doctor()).unwrap();
    assert!(printed.contains("limits.maxRooms is 17 in these settings, but "), "{printed}");
}

#[test]
fn a_server_without_a_cluster_says_so() {
    let (_folder, socket) = crate::admin::socket();
    let program = Program::start(json!({ "admin": { "listen": socket } }));
    let ask = |path: &Path| run(&["cluster", "status", "--admin", path.to_str().unwrap()]);
    let output = ask(&socket);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no \"cluster\" in its settings"));
    assert!(!get(&socket, "/metrics").text().contains("wschat_cluster_"));
    let output = run(&["cluster", "import", program.file("wschat.db").to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cluster.redis is not set"));
}
