//! Running the server until it ends: the log, the user, and signals.
//!
//! The main thread waits for the server, and a second thread for signals.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;

use log::{error, info, warn};
use privdrop::PrivDrop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wschat::{Listening, LogSettings, Server, ServerHandle, Settings, StartError};

use super::arguments::Arguments;
use super::error::ProgramError;
use super::say;
use crate::logger::Logger;
use crate::malloc;

/// Serves until the end.
pub(super) fn run(arguments: &Arguments) -> Result<(), ProgramError> {
    malloc::give_memory_back();
    let settings = arguments.settings(&arguments.place)?;
    start_logger(&settings.log)?;
    let has_log_file = settings.log.file.is_some();
    // The caller writes it to stderr as well.
    serve(settings).inspect_err(|error| {
        if has_log_file {
            error!("{error}");
        }
    })
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
        addresses_to_open(handle.listening(), has_tls)
    ));
    let is_local = |listening: &Listening| match listening {
        Listening::Tcp(address) => address.ip().is_loopback(),
        _ => false,
    };
    if let Some(domain) = domain
        && handle.listening().iter().all(is_local)
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

/// Everything to open: URLs, and the paths of sockets.
fn addresses_to_open(listening: &[Listening], has_tls: bool) -> String {
    let open = |listening: &Listening| match listening {
        Listening::Tcp(address) => address_to_open(*address, has_tls),
        other => other.to_string(),
    };
    listening.iter().map(open).collect::<Vec<_>>().join(", ")
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
