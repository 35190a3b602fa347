//! The `wschat` program: command line → settings → log → server → exit status.
//!
//! Owns what belongs to the whole process: standard output, the log, the user, and signals. The main
//! thread waits for the server, and a second thread for signals. Everything else is the library's.

#![forbid(unsafe_code)]

mod logger;
mod malloc;

use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use log::{error, info, warn};
use privdrop::PrivDrop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wschat::{LogSettings, ServeError, Server, ServerHandle, Settings, StartError};

use crate::logger::Logger;

const HELP: &str = "\
wschat - a chat server: one binary, one settings file, one port

Usage: wschat [--settings FILE] [--host HOST] [--port PORT] [--check]

  --settings FILE   read the settings from FILE (default: the built-in settings)
  --host HOST       listen on this address or name, whatever the settings say
  --port PORT       listen on this port instead (0: any free port)
  --check           read and check everything, certificate, key and pictures included,
                    and exit
  --help            show this help and exit
  --version         show the version and exit

Exit status:
  0  ended as asked (SIGTERM, SIGINT, --check, --help, --version)
  1  ended by a failure while serving
  2  wrong usage
  3  wrong settings, or a certificate, key, picture, history, log file or user that
     cannot be used
  4  cannot listen

SIGTERM and SIGINT close all connections with 1001 (going away) within
limits.drainTimeoutMs; a second signal ends the program at once.
";

/// Why the program ends with an error. Each has its exit status.
#[derive(Debug)]
enum ProgramError {
    Usage(String),
    /// The log file or the user of the settings cannot be used.
    Settings(String),
    Start(StartError),
    Serve(ServeError),
}

/// The parsed command line.
#[derive(Debug, Default)]
struct Arguments {
    settings: Option<PathBuf>,
    host: Option<String>,
    port: Option<u16>,
    task: Task,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Task {
    #[default]
    Serve,
    Check,
    Help,
    Version,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "wschat: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}

fn run() -> Result<(), ProgramError> {
    let arguments = Arguments::parse(std::env::args_os())?;
    match arguments.task {
        Task::Help => say(HELP),
        Task::Version => say(concat!("wschat ", env!("CARGO_PKG_VERSION"), "\n")),
        Task::Check => check(&arguments.settings()?)?,
        Task::Serve => {
            malloc::give_memory_back();
            let settings = arguments.settings()?;
            start_logger(&settings.log)?;
            let has_log_file = settings.log.file.is_some();
            // `main` writes it to stderr as well.
            serve(settings).inspect_err(|error| {
                if has_log_file {
                    error!("{error}");
                }
            })?;
        }
    }
    Ok(())
}

fn check(settings: &Settings) -> Result<(), ProgramError> {
    let warnings = Server::check(settings).map_err(ProgramError::Start)?;
    for warning in warnings {
        say(&format!("warning: {warning}\n"));
    }
    say("The settings are good.\n");
    Ok(())
}

fn serve(settings: Settings) -> Result<(), ProgramError> {
    let has_tls = settings.certificate.is_some();
    let domain = settings.domain.clone();
    let username = settings.username.clone();
    let server = Server::bind(settings).map_err(ProgramError::Start)?;
    // Listening below port 1024 and reading the key may have needed root. Nothing else does.
    if let Some(username) = username {
        become_user(&username)?;
    }
    let handle = server.run().map_err(ProgramError::Start)?;
    say(&format!(
        "wschat {} is open at {}\n",
        env!("CARGO_PKG_VERSION"),
        address_to_open(handle.local_addr(), has_tls)
    ));
    if let Some(domain) = domain
        && handle.local_addr().ip().is_loopback()
    {
        say(&format!(
            "{domain} reaches it through a proxy on this machine only; \
             to be reached directly, set \"host\" to \"0.0.0.0\"\n"
        ));
    }
    let result = wait(&handle);
    info!("ended");
    result
}

/// Waits for the end of the server. The first SIGTERM or SIGINT shuts it down, the second ends the
/// program immediately.
fn wait(handle: &ServerHandle) -> Result<(), ProgramError> {
    let mut signals = Signals::new([SIGTERM, SIGINT])
        .map_err(|error| ProgramError::Start(StartError::Machine(error)))?;
    let listening = signals.handle();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut is_stopping = false;
            for signal in &mut signals {
                if is_stopping {
                    warn!("ending at once");
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
                is_stopping = true;
                info!("stopping; a second signal ends at once");
                handle.shutdown();
            }
        });
        let result = handle.join().map_err(ProgramError::Serve);
        listening.close();
        result
    })
}

/// Starts logging to the file or to stderr.
fn start_logger(settings: &LogSettings) -> Result<(), ProgramError> {
    let out: Box<dyn Write + Send> = match &settings.file {
        None => Box::new(io::stderr()),
        Some(path) => {
            let file =
                OpenOptions::new().append(true).create(true).open(path).map_err(|error| {
                    let path = path.display();
                    ProgramError::Settings(format!("log.file {path} cannot be written: {error}"))
                })?;
            Box::new(file)
        }
    };
    Logger::start(settings.level, out)
        .map_err(|error| ProgramError::Settings(format!("cannot start the log: {error}")))
}

fn become_user(username: &str) -> Result<(), ProgramError> {
    PrivDrop::default().user(username).apply().map_err(|error| {
        ProgramError::Settings(format!(
            "cannot become the user {username:?}: {error}; start as root, name a user that \
             exists (`getent passwd`), or remove \"username\""
        ))
    })
}

/// The URL of the page for a browser on this machine.
fn address_to_open(local: SocketAddr, has_tls: bool) -> String {
    let (scheme, default_port) = if has_tls { ("https", 443) } else { ("http", 80) };
    let ip = match local.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let address = SocketAddr::new(ip, local.port());
    if local.port() == default_port {
        let host = address.to_string();
        let host = host.trim_end_matches(&format!(":{default_port}")).to_owned();
        return format!("{scheme}://{host}/");
    }
    format!("{scheme}://{address}/")
}

/// Writes to stdout. It may be closed, which is no error.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

impl Arguments {
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ProgramError> {
        use lexopt::prelude::{Long, Short, ValueExt};

        let mut parsed = Self::default();
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("settings") => parsed.settings = Some(parser.value()?.into()),
                Long("host") => parsed.host = Some(parser.value()?.string()?),
                Long("port") => {
                    let value = parser.value()?.string()?;
                    parsed.port = Some(value.parse().map_err(|_| {
                        ProgramError::Usage(format!(
                            "--port {value} is not a number from 0 to 65535"
                        ))
                    })?);
                }
                Long("check") => parsed.task = Task::Check,
                Long("help") | Short('h') => return Ok(Self { task: Task::Help, ..parsed }),
                Long("version") | Short('V') => {
                    return Ok(Self { task: Task::Version, ..parsed });
                }
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(parsed)
    }

    /// The settings of the file or the defaults, with the options of the command line applied.
    fn settings(&self) -> Result<Settings, ProgramError> {
        let mut settings = match &self.settings {
            None => Settings::default(),
            Some(path) => Settings::load(path)
                .map_err(|error| ProgramError::Start(StartError::Settings(error)))?,
        };
        if let Some(host) = &self.host {
            settings.host.clone_from(host);
        }
        if let Some(port) = self.port {
            settings.port = port;
        }
        Ok(settings)
    }
}

impl ProgramError {
    fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Settings(_)
            | Self::Start(
                StartError::Settings(_)
                | StartError::Certificate(_)
                | StartError::Gifs(_)
                | StartError::History(_),
            ) => 3,
            Self::Start(StartError::Listen { .. }) => 4,
            Self::Start(_) | Self::Serve(_) => 1,
        }
    }
}

impl From<lexopt::Error> for ProgramError {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) => write!(f, "{problem}; `wschat --help` shows what there is"),
            Self::Settings(problem) => f.write_str(problem),
            Self::Start(error) => error.fmt(f),
            Self::Serve(error) => error.fmt(f),
        }
    }
}
