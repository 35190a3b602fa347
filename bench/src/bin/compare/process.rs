//! Processes pinned to a core: starting and stopping a server, and running programs.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

const START_AT_MOST: Duration = Duration::from_secs(15);
/// wschat's own `drainTimeoutMs` is 5 seconds.
const STOP_AT_MOST: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A server that listens may still be starting, which must not be measured.
const COME_TO_REST: Duration = Duration::from_millis(200);

/// Why a server could not be started.
#[derive(Debug)]
pub enum StartError {
    Io(io::Error),
    /// It exited; with its standard error.
    Ended(ExitStatus, String),
    /// It does not listen; with its standard error.
    Silent(String),
}

/// How a server ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Stopped,
    /// It did not end in time after SIGTERM.
    Killed,
    /// It exited before it was stopped.
    ByItself(ExitStatus),
}

/// A running server. It is killed when this is dropped, and when this program ends.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stderr: PathBuf,
}

impl Running {
    /// Starts a server and waits until it listens on `port`. Its standard error goes into the file
    /// `stderr`.
    pub fn start(
        command: &[OsString],
        core: u32,
        port: u16,
        stderr: &Path,
    ) -> Result<Self, StartError> {
        let child = pinned(core, command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(stderr)?)
            .spawn()?;
        let mut running = Self { child, stderr: stderr.to_owned() };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let begun = Instant::now();
        while TcpStream::connect_timeout(&address, START_AT_MOST).is_err() {
            if let Some(status) = running.child.try_wait()? {
                return Err(StartError::Ended(status, running.said()));
            }
            if begun.elapsed() > START_AT_MOST {
                return Err(StartError::Silent(running.said()));
            }
            thread::sleep(LOOK_EVERY);
        }
        thread::sleep(COME_TO_REST);
        Ok(running)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard error so far.
    pub fn said(&self) -> String {
        let said = fs::read(&self.stderr).unwrap_or_default();
        String::from_utf8_lossy(&said).trim().to_owned()
    }

    /// Stops it with SIGTERM, and kills it if that does not help.
    pub fn stop(mut self) -> io::Result<End> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(End::ByItself(status));
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_AT_MOST {
            if self.child.try_wait()?.is_some() {
                return Ok(End::Stopped);
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(End::Killed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program pinned to one core. It is killed when this program ends: a leftover would disturb the next
/// measurement.
pub fn pinned<A: AsRef<OsStr>>(core: u32, command: &[A]) -> Command {
    let mut pinned = Command::new("setpriv");
    pinned.args(["--pdeathsig", "KILL", "taskset", "--cpu-list", &core.to_string()]).args(command);
    pinned
}

/// A free port, a new one each time, since connections of the previous server may linger.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Raises the limit on open files for this program and its children to the hard limit.
pub fn allow_files() -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self {
            Self::Io(error) => return write!(f, "it could not be started: {error}"),
            Self::Ended(status, said) => {
                write!(f, "it ended when it was started ({status})")?;
                said
            }
            Self::Silent(said) => {
                write!(f, "it did not listen within {} s", START_AT_MOST.as_secs())?;
                said
            }
        };
        if said.is_empty() { Ok(()) } else { write!(f, ": {said}") }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_server_that_does_not_start_is_reported_with_its_stderr() {
        let scratch = Scratch::new().unwrap();
        let command = ["sh", "-c", "echo no such setting >&2; exit 3"].map(OsString::from);
        let port = free_port().unwrap();
        let refusal = Running::start(&command, 0, port, &scratch.path("stderr")).unwrap_err();
        let words = refusal.to_string();
        assert!(words.contains("exit status: 3") && words.contains("no such setting"), "{words}");
    }
}
