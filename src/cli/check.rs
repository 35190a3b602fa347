//! `wschat check`: everything that a start needs, as far as it can be tried without starting. It changes
//! nothing, also beside a running server.
//!
//! Runs on the main thread. What is wrong with the machine rather than with the settings is left to
//! `doctor`.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::Access;
use serde_json::json;
use wschat::{Server, Settings, StartError};

use super::error::ProgramError;
use super::listening::{self, Place};
use super::say;
use super::wire::{Trust, Wire};

/// How long the history's contents are looked at. The whole of a large one would take minutes.
const HISTORY_PATIENCE: Duration = Duration::from_secs(2);

/// How long whoever has the port may take to say what it is.
const PORT_PATIENCE: Duration = Duration::from_secs(2);

/// What is found.
#[derive(Default)]
struct Findings {
    /// With these it cannot start.
    problems: Vec<ProgramError>,
    /// With these it can, but not for ever or not as meant.
    warnings: Vec<String>,
}

/// Checks the settings, and prints all that it finds.
pub(super) fn run(settings: &Settings, is_json: bool) -> Result<(), ProgramError> {
    let mut findings = Findings::default();
    findings.check_files(settings.clone());
    findings.check_history(settings);
    findings.check_log(settings);
    findings.check_places(settings);
    findings.print(is_json)
}

impl Findings {
    /// The settings, the certificate, the icon and the pictures: what is wrong is left out, to find what else is.
    fn check_files(&mut self, mut settings: Settings) {
        loop {
            let error = match Server::check(&settings) {
                Ok(warnings) => return self.warnings.extend(warnings),
                Err(error) => error,
            };
            match error {
                StartError::Certificate(_) if settings.certificate.is_some() => {
                    (settings.certificate, settings.private_key) = (None, None);
                    self.problems.push(ProgramError::Start(error));
                }
                StartError::Gifs(_) if settings.gifs_directory.is_some() => {
                    settings.gifs_directory = None;
                    self.problems.push(ProgramError::Start(error));
                }
                StartError::Icon(_) if settings.icon.is_some() => {
                    settings.icon = None;
                    self.problems.push(ProgramError::Start(error));
                }
                error => return self.problems.push(ProgramError::Start(error)),
            }
        }
    }

    fn check_history(&mut self, settings: &Settings) {
        let Some(file) = &settings.history.file else { return };
        if let Err(problem) = check_directory("history.file", file) {
            return self.problems.push(problem);
        }
        match wschat::inspect_history(file, HISTORY_PATIENCE) {
            Ok(state) => {
                if let Some(process) = state.used_by {
                    let file = file.display();
                    self.warnings.push(format!("the server of process {process} uses {file}"));
                }
            }
            Err(error) => self.problems.push(ProgramError::Start(StartError::History(error))),
        }
    }

    fn check_log(&mut self, settings: &Settings) {
        let Some(file) = &settings.log.file else { return };
        let checked = match fs::metadata(file) {
            // It is created at the start, and not now.
            Err(error) if error.kind() == ErrorKind::NotFound => check_directory("log.file", file),
            _ => OpenOptions::new()
                .append(true)
                .open(file)
                .map(drop)
                .map_err(|error| unwritable("log.file", file, &error)),
        };
        self.problems.extend(checked.err());
    }

    fn check_places(&mut self, settings: &Settings) {
        let has_tls = settings.certificate.is_some();
        for (place, _) in listening::places(settings) {
            match place {
                Place::Tcp(host, port) => self.check_port(&host, port, has_tls),
                Place::Unix(path) => self.check_socket(&path),
                // Only a process that systemd starts has them.
                Place::Systemd => {}
            }
        }
    }

    fn check_port(&mut self, host: &str, port: u16, has_tls: bool) {
        let failed = |source| {
            let address = format!("{host} port {port}");
            ProgramError::Start(StartError::Listen { address, source })
        };
        let addresses: Vec<SocketAddr> = match (host, port).to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(error) => return self.problems.push(failed(error)),
        };
        match TcpListener::bind(addresses.as_slice()) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if addresses.iter().any(|address| is_wschat(address, has_tls)) {
                    let text = format!("a server runs there already: {host} port {port}");
                    self.warnings.push(text);
                } else {
                    self.problems.push(failed(error));
                }
            }
            Err(error) => self.problems.push(failed(error)),
        }
    }

    fn check_socket(&mut self, path: &Path) {
        if let Err(problem) = check_directory("listen", path) {
            return self.problems.push(problem);
        }
        match UnixStream::connect(path) {
            Ok(_) => {
                self.warnings.push(format!("a server listens there already: {}", path.display()));
            }
            // What a server has left behind is replaced.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket(path) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.problems.push(unwritable("listen", path, &error)),
        }
    }

    fn print(self, is_json: bool) -> Result<(), ProgramError> {
        let Self { problems, warnings } = self;
        if is_json {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            say(&format!("{}\n", json!({ "problems": problems, "warnings": warnings })));
        } else if problems.is_empty() {
            for warning in warnings {
                say(&format!("warning: {warning}\n"));
            }
            say("The settings are good.\n");
        } else {
            let mut err = io::stderr();
            for problem in &problems {
                let _ = writeln!(err, "wschat: {problem}");
            }
            for warning in warnings {
                let _ = writeln!(err, "warning: {warning}");
            }
        }
        // The least of them is the one that lasts longest.
        match problems.iter().map(ProgramError::exit_status).min() {
            Some(status) => Err(ProgramError::Told(status)),
            None => Ok(()),
        }
    }
}

/// Whether a file can be created beside `file`.
fn check_directory(key: &str, file: &Path) -> Result<(), ProgramError> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Ok(()),
        Err(error) => Err(unwritable(key, file, &error.into())),
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

fn unwritable(key: &str, file: &Path, error: &io::Error) -> ProgramError {
    let advice = match error.kind() {
        ErrorKind::NotFound => "create its directory",
        ErrorKind::PermissionDenied => "give the server's user the file and its directory",
        ErrorKind::ReadOnlyFilesystem => "name a file on a disk that can be written",
        _ => "name another file",
    };
    let file = file.display();
    ProgramError::Settings(format!("{key} {file} cannot be written: {error}; {advice}"))
}

/// Whether it answers as a wschat does, with TLS or without.
pub(super) fn is_wschat(address: &SocketAddr, has_tls: bool) -> bool {
    let connect = || -> io::Result<TcpStream> {
        let socket = TcpStream::connect_timeout(address, PORT_PATIENCE)?;
        socket.set_read_timeout(Some(PORT_PATIENCE))?;
        Ok(socket)
    };
    let Ok(tcp) = connect() else { return false };
    let wire = if has_tls {
        // What it says only turns an error into a warning.
        Wire::encrypt("localhost", tcp, Trust::Anybody)
    } else {
        Ok(Wire::Plain(tcp))
    };
    wire.is_ok_and(is_healthy)
}

fn is_healthy(mut socket: Wire) -> bool {
    let mut answer = Vec::new();
    let _ = socket.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // An error at the end does not matter.
    let _ = socket.take(4096).read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    // With status 503 the body says what is wrong with it.
    head.starts_with("HTTP/1.1 503 ") && head.contains("cache-control: no-store")
        || head.starts_with("HTTP/1.1 200 ") && body.starts_with("ok\n")
}
