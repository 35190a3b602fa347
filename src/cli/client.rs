//! A client of the admin listener: which address it has, one request at a time, and why it fails.
//!
//! Runs on the main thread, which waits for the server. What the commands ask and print is left to
//! `commands`.

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::Value;

use super::answer::Answer;
use super::error::ProgramError;

/// Where systemd's unit has the socket.
const USUAL_SOCKET: &str = "/run/wschat/admin.sock";

/// How long connecting may take, and sending the request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may be silent. To erase much takes a while.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Where the admin listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AdminAddress {
    Unix(PathBuf),
    /// `HOST:PORT`.
    Tcp(String),
}

/// Asks the server at one admin address.
#[derive(Debug)]
pub(super) struct AdminClient {
    address: AdminAddress,
}

impl AdminAddress {
    /// An address as `--admin` and `admin.listen` have it: a path with a slash, or `HOST:PORT`.
    pub(super) fn parse(text: &str) -> Self {
        if text.contains('/') || !text.contains(':') {
            Self::Unix(PathBuf::from(text))
        } else {
            Self::Tcp(text.to_owned())
        }
    }

    /// What `admin.listen` is in a file of settings. The file may have mistakes elsewhere: the server that runs
    /// has read it before they were made, and will say which.
    pub(super) fn of_settings(file: &Path) -> Result<Self, ProgramError> {
        let failed = |error: &dyn fmt::Display| {
            ProgramError::Settings(format!("{}: {error}; `wschat check` explains", file.display()))
        };
        let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
        let settings: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        match &settings["admin"]["listen"] {
            Value::Null => Ok(Self::usual()),
            Value::String(listen) if !listen.is_empty() => Ok(Self::parse(listen)),
            _ => Err(ProgramError::Command(format!(
                "{} has no \"admin\": {{\"listen\": \"/PATH\"}}, at which the server could be asked",
                file.display()
            ))),
        }
    }

    /// The one of the service that this runs in, or else of the service that systemd runs.
    pub(super) fn usual() -> Self {
        Self::Unix(socket_of_service().unwrap_or_else(|| PathBuf::from(USUAL_SOCKET)))
    }
}

/// Where the socket is if systemd gives the service that this runs in a directory for it.
pub(super) fn socket_of_service() -> Option<PathBuf> {
    // With several directories, the first one is the server's, too.
    let directories = env::var_os("RUNTIME_DIRECTORY")?;
    let directory = env::split_paths(&directories).next().filter(|path| path.is_absolute())?;
    Some(directory.join("admin.sock"))
}

impl AdminClient {
    pub(super) fn new(address: AdminAddress) -> Self {
        Self { address }
    }

    /// Asks with GET.
    pub(super) fn get(&self, path: &str) -> Result<Answer, ProgramError> {
        self.ask(&format!("GET {path}"), "")
    }

    /// Asks with POST.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Answer, ProgramError> {
        self.ask(&format!("POST {path}"), &body.to_string())
    }

    /// The error of a connection that broke off.
    pub(super) fn broke_off(&self, error: &io::Error) -> ProgramError {
        let Self { address } = self;
        ProgramError::Command(match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => format!(
                "the server at {address} does not answer: it is stuck or overloaded; its log may \
                 say why"
            ),
            _ => format!("the connection to {address} broke off: {error}"),
        })
    }

    fn ask(&self, line: &str, body: &str) -> Result<Answer, ProgramError> {
        let (reader, mut writer) = self.address.connect().map_err(|error| self.explain(&error))?;
        let host = match &self.address {
            AdminAddress::Unix(_) => "localhost",
            AdminAddress::Tcp(address) => address,
        };
        let content = match body.len() {
            0 => String::new(),
            length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{content}\r\n");
        let sent = writer.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        // A server that refuses early may answer before it has read everything.
        let answer = Answer::read(reader).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => self.is_no_wschat(),
            _ => self.broke_off(sent.as_ref().err().unwrap_or(&error)),
        })?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let status = answer.status;
        match answer.text().ok().and_then(|body| reason(&body)) {
            Some(why) => Err(ProgramError::Command(format!("the server refuses: {why}"))),
            None if status >= 500 => Err(ProgramError::Command(format!(
                "the server at {} answers with HTTP status {status}; its log may say why",
                self.address
            ))),
            None => Err(self.is_no_wschat()),
        }
    }

    /// The error of something that answers in another language.
    pub(super) fn is_no_wschat(&self) -> ProgramError {
        ProgramError::Command(format!(
            "what answers at {} is not the admin listener of a wschat of this version; name the \
             address of \"admin\": {{\"listen\": …}} with --admin",
            self.address
        ))
    }

    fn explain(&self, error: &io::Error) -> ProgramError {
        let Self { address } = self;
        ProgramError::Command(match (error.kind(), address) {
            (ErrorKind::NotFound, AdminAddress::Unix(path)) => format!(
                "there is no socket {}: the server does not run, or runs without an admin \
                 listener; set \"admin\": {{\"listen\": \"/PATH\"}} in its settings and restart \
                 it, and name the settings with --settings FILE or the socket with --admin PATH",
                path.display()
            ),
            (ErrorKind::ConnectionRefused, _) => {
                format!("nobody listens at {address}: the server does not run")
            }
            (ErrorKind::PermissionDenied, _) => format!(
                "{address} may not be used by you ({error}): run this as root or as the server's \
                 user"
            ),
            (ErrorKind::WouldBlock | ErrorKind::TimedOut, _) => {
                format!("{address} does not answer within {} s", CONNECT_TIMEOUT.as_secs())
            }
            _ => format!("cannot connect to {address}: {error}; --admin names another address"),
        })
    }
}

/// Why the server refuses.
fn reason(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body["error"].as_str().map(str::to_owned)
}

type Ends = (Box<dyn Read>, Box<dyn Write>);

impl AdminAddress {
    /// Connects, and returns both ends of the stream.
    fn connect(&self) -> io::Result<Ends> {
        match self {
            Self::Unix(path) => {
                let socket = connect_unix(path)?;
                socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
                Ok((Box::new(socket.try_clone()?), Box::new(socket)))
            }
            Self::Tcp(address) => {
                let socket = connect_tcp(address)?;
                socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
                socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
                Ok((Box::new(socket.try_clone()?), Box::new(socket)))
            }
        }
    }
}

/// std's `connect` would wait for ever while the server accepts nobody.
fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let family = AddressFamily::UNIX;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_TIMEOUT))?;
    rustix::net::connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

fn connect_tcp(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}
