//! The server under attack: the shipped settings, a core and a bound on memory of its own.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bound::{Bound, Memory};
use crate::paths;
use crate::scratch::Scratch;

/// wschat's own `drainTimeoutMs` is 5 seconds.
const STOP_AT_MOST: Duration = Duration::from_secs(15);

/// It is killed when this is dropped, and when this program ends.
#[derive(Debug)]
pub struct Server {
    child: Child,
    bound: Bound,
    stderr: PathBuf,
}

/// How to start it.
#[derive(Debug)]
pub struct Start<'a> {
    pub program: &'a Path,
    /// The settings to begin with.
    pub settings: &'a Path,
    pub host: &'a str,
    pub port: u16,
    pub tls: bool,
    /// Whether the history is in a file.
    pub file: bool,
    /// What the command begins with: its namespace and its core.
    pub prefix: Vec<String>,
    pub bound: Bound,
}

impl Server {
    /// Returns when it serves.
    pub fn start(start: Start<'_>, scratch: &Scratch) -> io::Result<Self> {
        let settings = settings(&start, scratch)?;
        let stderr = scratch.path("stderr");
        let mut words = start.prefix;
        words.extend(start.bound.prefix());
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(words).arg(start.program);
        command.arg("--settings").arg(settings).envs(environment());
        let log = File::create(&stderr)?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let server = Self { child, bound: start.bound, stderr };
        if line.is_empty() {
            return Err(io::Error::other(format!("it did not start: {}", server.last_words())));
        }
        Ok(server)
    }

    pub fn memory(&self) -> Memory {
        self.bound.memory(self.child.id())
    }

    pub fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// User and system time so far.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // The name is in parentheses and may contain anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: u32 = fields.skip(11).take(2).filter_map(|it| it.parse::<u32>().ok()).sum();
        let second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
        f64::from(ticks) / f64::from(second)
    }

    /// The last line of its log that is a warning or worse, or the last line.
    pub fn last_words(&self) -> String {
        let log = fs::read(&self.stderr).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let grave = |line: &&str| line.contains("ERROR") || line.contains("panic");
        let line = log.lines().rfind(grave).or_else(|| log.lines().last());
        line.unwrap_or("no words").trim().to_owned()
    }

    /// Returns whether it ended as asked, in time.
    pub fn stop(mut self) -> io::Result<bool> {
        if self.child.try_wait()?.is_some() {
            return Ok(false);
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_AT_MOST {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings with this host and port.
fn settings(start: &Start<'_>, scratch: &Scratch) -> io::Result<PathBuf> {
    let shipped = fs::read_to_string(start.settings)?;
    let mut settings: Value = serde_json::from_str(&shipped)?;
    settings["host"] = json!(start.host);
    settings["port"] = json!(start.port);
    if start.file {
        settings["history"]["file"] = json!(scratch.path(&format!("{}.db", start.port)));
    }
    let path = scratch.path("settings.json");
    fs::write(&path, settings.to_string())?;
    if start.tls { scratch.with_tls(&path) } else { Ok(path) }
}

/// What the shipped unit sets.
fn environment() -> Vec<(String, String)> {
    let unit = fs::read_to_string(paths::root().join("systemd/wschat.service")).unwrap_or_default();
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    let pairs = lines.filter_map(|line| line.trim_matches('"').split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
