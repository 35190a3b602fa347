//! A process that the harness starts, stops and kills. What it prints goes to a file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

#[derive(Debug)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub fn new(program: &Path, arguments: Vec<OsString>, log: PathBuf) -> Self {
        Self { program: program.to_owned(), arguments, log, child: None }
    }

    /// Starts it, or starts it anew, perhaps another program with the same arguments.
    pub fn start(&mut self, program: Option<&Path>) -> io::Result<()> {
        self.kill();
        if let Some(program) = program {
            program.clone_into(&mut self.program);
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        // It must not outlive the harness, however that ends.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| {
                io::Error::other(format!("{} cannot be started: {error}", self.program.display()))
            })?;
        self.child = Some(child);
        Ok(())
    }

    pub fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills it, and waits for its end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits until it has ended by itself; after the patience it is killed. Returns whether it ended well.
    pub fn wait(&mut self, patience: Duration) -> bool {
        let Some(child) = &mut self.child else { return true };
        let until = Instant::now() + patience;
        while Instant::now() < until {
            match child.try_wait() {
                Ok(Some(status)) => {
                    self.child = None;
                    return status.success();
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        self.kill();
        false
    }

    /// Whether it has ended although nobody ended it.
    pub fn has_died(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// The lines of its log for which `is_wanted` holds. None if it has never been started.
    pub fn log_lines(&self, is_wanted: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
        if !self.log.exists() {
            return Ok(Vec::new());
        }
        let lines = BufReader::new(File::open(&self.log)?).split(b'\n');
        let lines = lines.map(|line| Ok(String::from_utf8_lossy(&line?).into_owned()));
        lines.filter(|line| line.as_ref().map_or(true, |line| is_wanted(line))).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the program says of its version. Fails if it cannot be started at all.
pub fn version(program: &Path) -> io::Result<String> {
    let output = Command::new(program).arg("--version").output().map_err(|error| {
        io::Error::other(format!("{} cannot be started: {error}", program.display()))
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
