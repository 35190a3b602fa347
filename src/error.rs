//! Why the server could not start or reload, or stopped running. Pure; every thread may return these.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use crate::history::{HistoryError, may_pass};
use crate::net::tls::CertificateError;
use crate::settings::SettingsError;
use crate::web::{GifsError, IconError};

/// Why a server could not start, or could not be reloaded. The text says what is wrong and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A setting has a value that is not allowed, or contradicts another.
    Settings(SettingsError),
    /// The certificate or its private key cannot be used.
    Certificate(CertificateError),
    /// The pictures of `gifsDirectory` cannot be used.
    Gifs(GifsError),
    /// The picture of `icon` cannot be used.
    Icon(IconError),
    /// The history file cannot be opened.
    History(HistoryError),
    /// The server cannot listen on the address.
    Listen {
        /// What the settings name: host and port, or a Unix socket.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The file of the log cannot be opened. The program around the library says this.
    Log(io::Error),
    /// The cluster that the settings name cannot be joined. The text says what is wrong and what to do.
    #[cfg(feature = "cluster")]
    Cluster(String),
    /// The admin listener cannot be opened.
    Admin {
        /// `admin.listen` of the settings.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// No file descriptor or thread is left.
    Machine(io::Error),
}

/// Why a running server ended without a shutdown.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The dispatcher's thread panicked, which is a defect. Its state cannot be trusted any more.
    Dispatcher,
    /// The listening socket failed.
    Listener(io::Error),
    /// The thread that reads the history or the one that maintains it panicked, which is a defect.
    History,
    /// Waiting for the sockets of slow clients failed.
    Flusher(io::Error),
}

impl StartError {
    /// The cluster cannot be joined.
    #[cfg(feature = "cluster")]
    pub(crate) fn cluster(error: impl fmt::Display) -> Self {
        Self::Cluster(error.to_string())
    }

    /// Whether the same start may succeed later without anybody's changing the settings or the files: a disk is full,
    /// a file is in use by another server, the address is not there yet, or no descriptor or thread is left.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::History(error) => error.may_pass(),
            Self::Listen { source, .. } | Self::Admin { source, .. } => {
                source.kind() == ErrorKind::AddrNotAvailable || may_pass(source)
            }
            Self::Machine(_) => true,
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => true,
            Self::Log(source) => may_pass(source),
            Self::Settings(_) | Self::Certificate(_) | Self::Gifs(_) | Self::Icon(_) => false,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::Gifs(error) => error.fmt(f),
            Self::Icon(error) => error.fmt(f),
            Self::History(error) => write!(f, "the history: {error}"),
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}")?;
                match advice(address, source) {
                    Some(advice) => write!(f, "; {advice}"),
                    None => Ok(()),
                }
            }
            Self::Log(error) => error.fmt(f),
            #[cfg(feature = "cluster")]
            Self::Cluster(error) => write!(f, "the cluster: {error}"),
            Self::Admin { address, source } => write!(
                f,
                "cannot open the admin listener at {address}: {source}; {}",
                admin_advice(source)
            ),
            Self::Machine(error) => {
                write!(f, "the machine lacks what a server takes: {error}; see `ulimit -a`")
            }
        }
    }
}

fn advice(address: &str, error: &io::Error) -> Option<&'static str> {
    if address.starts_with("unix:") {
        return Some(match error.kind() {
            ErrorKind::AddrInUse => {
                "another program listens there (`ss -lxp` shows which): stop it, or choose another path \
                 in \"listen\""
            }
            ErrorKind::PermissionDenied => {
                "give the user who starts wschat the right to write in the directory of the socket"
            }
            ErrorKind::NotFound => "create the directory of the socket first",
            _ => return None,
        });
    }
    Some(match error.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there (`ss -ltnp` shows which): stop it, or choose another \
             port with --port, \"port\" or \"listen\""
        }
        ErrorKind::PermissionDenied => {
            "a port below 1024 takes root or CAP_NET_BIND_SERVICE: choose one from 1024 on with \
             --port, \"port\" or \"listen\", or start as root with \"username\" set"
        }
        ErrorKind::AddrNotAvailable => {
            "no network interface here has this address (`ip address` lists them): \
             choose one with --host, \"host\" or \"listen\", or wait until the network has it"
        }
        _ => return None,
    })
}

fn admin_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "stop what listens there, or choose another address with \"admin.listen\""
        }
        ErrorKind::NotFound => {
            "the directory of the socket must exist: create it, or choose another path with \
             \"admin.listen\""
        }
        ErrorKind::PermissionDenied => {
            "give the server's user the right to write in the directory of the socket, or choose \
             another path with \"admin.listen\""
        }
        _ => "choose another address with \"admin.listen\", or \"\" for none",
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Settings(error) => error.source(),
            Self::Certificate(error) => error.source(),
            Self::Gifs(error) => error.source(),
            Self::Icon(error) => error.source(),
            Self::History(error) => error.source(),
            Self::Listen { source, .. }
            | Self::Admin { source, .. }
            | Self::Log(source)
            | Self::Machine(source) => Some(source),
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => None,
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dispatcher => f.write_str(
                "the dispatcher panicked, which is a defect of wschat; please report what stands above",
            ),
            Self::History => f.write_str(
                "a thread of the history panicked, which is a defect of wschat; please report what stands above",
            ),
            Self::Listener(error) => write!(f, "the listening socket failed: {error}"),
            Self::Flusher(error) => write!(f, "cannot wait for slow clients: {error}"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dispatcher | Self::History => None,
            Self::Listener(error) | Self::Flusher(error) => Some(error),
        }
    }
}
