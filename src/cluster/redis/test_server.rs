//! Redis servers for tests: each is a process of its own in a directory of its own, and ends with its value.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Engine;
use crate::settings::{ClusterSettings, RedisServers};

/// How long a server may take to do what it is asked, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
#[derive(Debug)]
pub(crate) struct TestServer {
    process: Child,
    port: u16,
    program: String,
    directory: TempDir,
}

/// Starts a server with what wschat needs. `None`, and a line that says so, where Redis is not installed.
pub(crate) fn start() -> Option<TestServer> {
    start_with(&[])
}

/// As `start`, with more lines of `redis.conf`.
pub(crate) fn start_with(lines: &[&str]) -> Option<TestServer> {
    let fit = ["appendonly yes", "appendfsync always", "maxmemory-policy noeviction"];
    TestServer::run("redis-server", &[&fit, lines].concat())
}

impl TestServer {
    /// Starts a program on a free port, with these lines of `redis.conf`.
    pub(crate) fn run(program: &str, lines: &[&str]) -> Option<Self> {
        // Another process may take the port in between.
        for _ in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let port = free_port();
            fs::write(directory.path().join("redis.conf"), configuration(&directory, port, lines))
                .unwrap();
            let process = launch(program, directory.path())?;
            let program = program.to_owned();
            let mut server = Self { process, port, program, directory };
            if server.listens() {
                return Some(server);
            }
        }
        panic!("{program} finds no free port");
    }

    /// Starts a sentinel that watches `master` as `wschat`, with a quorum of two.
    pub(crate) fn sentinel(master: &Self) -> Option<Self> {
        let watch = format!("sentinel monitor wschat 127.0.0.1 {} 2", master.port);
        let lines = [
            &*watch,
            "sentinel down-after-milliseconds wschat 500",
            "sentinel failover-timeout wschat 2000",
        ];
        let sentinel = Self::run("redis-sentinel", &lines)?;
        // Otherwise it looks every ten seconds for replicas, and every two for other sentinels.
        let periods = ["info-period", "200", "publish-period", "200", "ping-period", "100"];
        sentinel.cli(&[&["SENTINEL", "DEBUG"], &periods[..]].concat());
        Some(sentinel)
    }

    /// Starts a replica of this server.
    pub(crate) fn replica(&self) -> Option<Self> {
        let of = format!("replicaof 127.0.0.1 {}", self.port);
        start_with(&[&of, "repl-ping-replica-period 1"])
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The settings of a cluster on this server alone.
    pub(crate) fn settings(&self) -> ClusterSettings {
        let url = format!("redis://{}", self.address());
        ClusterSettings { redis: Some(RedisServers::Url(url)), ..ClusterSettings::default() }
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(&self.settings()).unwrap()
    }

    /// Runs a command line with `redis-cli`, and returns what it prints.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let mut cli = Command::new("redis-cli");
        cli.args(["-h", "127.0.0.1", "-p", &port]).args(arguments);
        String::from_utf8(cli.output().unwrap().stdout).unwrap()
    }

    /// Stops the process without ending it: connections stay open, and nobody answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port with the same files.
    pub(crate) fn restart(&mut self) {
        self.process = launch(&self.program, self.directory.path()).unwrap();
        assert!(self.listens(), "somebody has taken the port");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until it listens; false if its port is taken.
    #[track_caller]
    fn listens(&mut self) -> bool {
        let mut is_taken = false;
        eventually(&format!("{} listens", self.program), || {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
            if let Some(status) = self.process.try_wait().unwrap() {
                is_taken = log.contains("already in use");
                assert!(is_taken, "{} ended: {status}: {log}", self.program);
            }
            is_taken
                || log.contains("Ready to accept connections")
                || log.contains("+monitor master")
        });
        !is_taken
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(program: &str, directory: &Path) -> Option<Child> {
    let log = File::create(directory.join("log")).unwrap();
    let process = Command::new(program)
        .arg(directory.join("redis.conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    match process {
        Ok(process) => Some(process),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skipped(&format!("{program} is not installed"));
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// Says that the test that runs has not tested anything here. `tests/run` lists these lines.
pub(crate) fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(io::stderr(), "skipped: {test}: {why}");
}

/// Polls until the condition holds; for what sends no event.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "timed out: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The text of `redis.conf`; in `lines`, `{port}` is the port and `{dir}` the directory.
fn configuration(directory: &TempDir, port: u16, lines: &[&str]) -> String {
    let mut all = vec!["dir {dir}", "save \"\"", "repl-diskless-sync-delay 0"];
    if !lines.iter().any(|line| line.starts_with("tls-port")) {
        all.push("port {port}");
    }
    all.extend(lines);
    let text = all.join("\n").replace("{dir}", &directory.path().display().to_string());
    text.replace("{port}", &port.to_string()) + "\n"
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
