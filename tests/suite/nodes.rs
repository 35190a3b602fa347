//! Nodes of a cluster to test: real programs that share a log in a Redis of their own.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::admin::get;
use crate::client::PATIENCE;
use crate::host::{Program, eventually};
use crate::player::Player;

/// Several nodes, and what they share. Dropping it kills them.
pub(crate) struct Nodes {
    pub(crate) programs: Vec<Program>,
    pub(crate) redis: RedisServer,
    settings: Value,
}

/// A Redis of its own. Dropping it kills it.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    directory: TempDir,
}

/// Whether Redis is installed. If not, says so.
pub(crate) fn has_redis() -> bool {
    let is_there =
        Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !is_there {
        eprintln!("skipped: redis-server is not installed");
    }
    is_there
}

/// Plays the transcript with these limits, each connection to the next node of a cluster.
#[track_caller]
pub(crate) fn play_on_nodes(limits: &Value, script: &str) {
    if has_redis() {
        let nodes = Nodes::start(3, &json!({ "limits": limits }));
        Player::on(&nodes).play(script);
        nodes.check_logs();
    }
}

impl Nodes {
    /// So many nodes with these settings.
    pub(crate) fn start(count: usize, settings: &Value) -> Self {
        let redis = RedisServer::start();
        let mut nodes = Self { programs: Vec::new(), redis, settings: settings.clone() };
        for _ in 0..count {
            nodes.add();
        }
        nodes
    }

    /// Nodes that are added from now on have these settings.
    pub(crate) fn set(&mut self, settings: &Value) {
        self.settings = settings.clone();
    }

    /// One more node.
    pub(crate) fn add(&mut self) {
        let mut settings = self.settings.clone();
        let node = format!("node-{}", self.programs.len() + 1);
        settings["history"] = json!({ "file": null });
        settings["admin"] = json!({ "listen": self.admin(self.programs.len()) });
        let Value::Object(cluster) = self.cluster(&node) else { unreachable!("an object") };
        for (name, value) in cluster {
            settings["cluster"][name] = value;
        }
        self.programs.push(Program::start(settings));
    }

    /// The settings of the cluster for the node of this name.
    pub(crate) fn cluster(&self, node: &str) -> Value {
        json!({ "redis": format!("redis://127.0.0.1:{}", self.redis.port), "node": node })
    }

    /// Where the node of this number listens for the operator.
    fn admin(&self, number: usize) -> PathBuf {
        self.redis.directory.path().join(format!("{number}.sock"))
    }

    /// Waits until each node has applied what any node shows already.
    pub(crate) fn meet(&self) {
        let places = || (0..self.programs.len()).map(|number| place(&self.admin(number)));
        let goal = places().max().unwrap_or_default();
        eventually("each node applies what another one has", || places().all(|it| it >= goal));
    }

    /// No node has panicked, or has seen another one in another state.
    pub(crate) fn check_logs(&self) {
        for program in &self.programs {
            let log = program.log();
            for bad in ["panick", "another state", "cannot be read and is skipped"] {
                assert!(!log.contains(bad), "{log}");
            }
        }
    }
}

/// The number of the entry that a node has applied last.
fn place(admin: &Path) -> u64 {
    let page = String::from_utf8(get(admin, "/metrics").body).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix("wschat_cluster_place "));
    line.expect(&page).parse().expect(&page)
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Whoever else takes the port in between makes the start fail, which is tried again.
        loop {
            let port = {
                let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                socket.local_addr().unwrap().port()
            };
            let mut child = redis_command(port, &directory).spawn().unwrap();
            if is_ready(&mut child, port) {
                return Self { child, port, directory };
            }
        }
    }

    /// Kills it and starts it again, with what it has stored.
    pub(crate) fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = redis_command(self.port, &self.directory).spawn().unwrap();
        assert!(is_ready(&mut self.child, self.port), "Redis starts again");
    }

    /// Stops or continues its process.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn redis_command(port: u16, directory: &TempDir) -> Command {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .arg("--dir")
        .arg(directory.path())
        .stdout(Stdio::null());
    command
}

/// Waits until it takes commands. False if it has ended.
fn is_ready(child: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if ping(port).is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("Redis does not start");
}

fn ping(port: u16) -> io::Result<()> {
    use std::io::{Read, Write};
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    socket.read_exact(&mut answer)?;
    if answer == *b"+PONG" { Ok(()) } else { Err(io::Error::other("loading")) }
}
