//! One run: starts a server, puts it under a cell's load, stops it, and judges the outcome.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;
use std::{fmt, io, thread};

use serde_json::Value;

use crate::cell::Cell;
use crate::options::Options;
use crate::paths;
use crate::process::{self, End, Running, StartError};
use crate::scratch::Scratch;
use crate::server::Server;

/// The kernel frees the memory of a server a little later; the next run must not be credited with it.
const PAUSE: Duration = Duration::from_millis(500);

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With the tool's report.
    Clean(Value),
    /// It was completed, and the server failed it: with the report and the reasons.
    Unclean(Value, Vec<String>),
    /// It could not be completed.
    Failed(String),
}

/// Why a run failed before the tool reported.
#[derive(Debug)]
enum TrialError {
    Io(io::Error),
    Start(StartError),
}

/// What all runs share.
#[derive(Debug)]
pub struct Bench {
    tool: PathBuf,
    server_core: u32,
    tool_core: u32,
    seconds: f64,
    scratch: Scratch,
}

impl Bench {
    pub fn new(options: &Options) -> io::Result<Self> {
        Ok(Self {
            tool: paths::built("wschat-bench"),
            server_core: options.server_core,
            tool_core: options.tool_core,
            seconds: options.seconds,
            scratch: Scratch::new()?,
        })
    }

    pub fn run(&self, cell: &Cell, server: &Server) -> Outcome {
        let outcome = self.attempt(cell, server);
        thread::sleep(PAUSE);
        outcome.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
    }

    fn attempt(&self, cell: &Cell, server: &Server) -> Result<Outcome, TrialError> {
        let settings = match server.settings() {
            Some(settings) if cell.is_tls => Some(self.scratch.with_tls(settings)?),
            _ => None,
        };
        let port = process::free_port()?;
        let command = server.command(port, settings.as_deref());
        let log = self.scratch.path("stderr");
        let running = Running::start(&command, self.server_core, port, &log)?;
        let tool = self.tool(cell, running.pid(), port);
        let output = process::pinned(self.tool_core, &tool).output()?;
        let said = running.said();
        let end = running.stop()?;
        Ok(after(judge(output.status.code(), &output), &end, &said))
    }

    fn tool(&self, cell: &Cell, pid: u32, port: u16) -> Vec<OsString> {
        let mut command = vec![self.tool.clone().into_os_string()];
        command.extend(cell.arguments.iter().map(OsString::from));
        let scheme = if cell.is_tls { "wss" } else { "ws" };
        let rest = [
            cell.seconds.to_owned(),
            self.seconds.to_string(),
            "--json".to_owned(),
            "--pid".to_owned(),
            pid.to_string(),
            format!("{scheme}://127.0.0.1:{port}/"),
        ];
        command.extend(rest.map(OsString::from));
        command
    }
}

/// The tool's verdict on a run. Its exit status and its report have to agree.
fn judge(code: Option<i32>, output: &Output) -> Outcome {
    let report = serde_json::from_slice::<Value>(&output.stdout);
    let is_clean = report.as_ref().ok().and_then(|report| report["clean"].as_bool());
    match (code, is_clean, report) {
        (Some(0), Some(true), Ok(report)) => Outcome::Clean(report),
        (Some(1), Some(false), Ok(report)) => {
            let failures = report["failures"].as_array().into_iter().flatten();
            let why = failures.filter_map(Value::as_str).map(str::to_owned).collect();
            Outcome::Unclean(report, why)
        }
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim();
            let words = if said.is_empty() { "the tool gave no reason" } else { said };
            Outcome::Failed(format!("{words} ({})", output.status))
        }
    }
}

/// Combines the tool's verdict with the end of the server and its standard error: a server that exited
/// by itself, or did not stop, has failed.
fn after(outcome: Outcome, end: &End, said: &str) -> Outcome {
    let mut words = match end {
        End::Stopped => Vec::new(),
        End::Killed => vec!["the server did not end when it was asked to".to_owned()],
        End::ByItself(status) => vec![format!("the server ended by itself ({status})")],
    };
    if !said.is_empty() && (!words.is_empty() || outcome.failure().is_some()) {
        words.push(format!("the server said: {said}"));
    }
    match outcome {
        Outcome::Clean(_) if words.is_empty() => outcome,
        Outcome::Clean(report) => Outcome::Unclean(report, words),
        Outcome::Unclean(report, why) => Outcome::Unclean(report, [why, words].concat()),
        Outcome::Failed(why) => Outcome::Failed([vec![why], words].concat().join("; ")),
    }
}

impl Outcome {
    pub fn report(&self) -> Option<&Value> {
        match self {
            Self::Clean(report) | Self::Unclean(report, _) => Some(report),
            Self::Failed(_) => None,
        }
    }

    /// `None` for a clean run.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Clean(_) => None,
            Self::Unclean(_, why) => Some(format!("not clean: {}", why.join("; "))),
            Self::Failed(why) => Some(format!("could not be completed: {why}")),
        }
    }
}

impl fmt::Display for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for TrialError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<StartError> for TrialError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use serde_json::json;

    use super::*;

    fn judged(code: i32, stdout: &str, stderr: &str) -> Outcome {
        let status = ExitStatus::from_raw(code << 8);
        let (stdout, stderr) = (stdout.into(), stderr.into());
        judge(Some(code), &Output { status, stdout, stderr })
    }

    #[test]
    fn a_run_passes_only_if_status_and_report_agree() {
        let clean = r#"{"clean": true}"#;
        assert_eq!(judged(0, clean, ""), Outcome::Clean(json!({ "clean": true })));
        for outcome in [judged(2, clean, "no server"), judged(0, "", ""), judged(1, clean, "")] {
            assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        }
        let failure = judged(2, "", "wschat-bench: no server\n").failure().unwrap();
        assert!(failure.contains("could not be completed: wschat-bench: no server"), "{failure}");
    }

    #[test]
    fn the_reasons_of_an_unclean_run_are_kept() {
        let report = r#"{"clean": false, "failures": ["3 deliveries missing", "two"]}"#;
        let failure = judged(1, report, "").failure();
        assert_eq!(failure.as_deref(), Some("not clean: 3 deliveries missing; two"));
    }

    #[test]
    fn a_server_that_exited_by_itself_has_failed() {
        let gone = End::ByItself(ExitStatus::from_raw(11));
        let outcome = after(Outcome::Clean(json!({})), &gone, "boom");
        let failure = outcome.failure().unwrap();
        assert!(failure.contains("ended by itself (signal: 11") && failure.ends_with("said: boom"));
        let stopped = after(Outcome::Clean(json!({})), &End::Stopped, "a warning");
        assert_eq!(stopped.failure(), None);
        let outcome = after(Outcome::Failed("no welcome".to_owned()), &End::Stopped, "a bug");
        assert_eq!(outcome, Outcome::Failed("no welcome; the server said: a bug".to_owned()));
    }
}
