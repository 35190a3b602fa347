//! What went wrong with Redis: which server, at which step, and what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why Redis did not do what it was asked.
#[derive(Clone, Debug)]
pub(crate) struct RedisError {
    /// `HOST:PORT`, or what was looked for.
    server: String,
    /// What was being done: `connect`, or the name of a command.
    step: String,
    kind: RedisErrorKind,
}

/// What kind of error it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RedisErrorKind {
    /// There was no answer within this time. The connection has ended.
    TimedOut(Duration),
    /// The server has closed the connection.
    Closed,
    /// The socket or TLS has failed. The connection has ended.
    Failed(String),
    /// The server answers, and refuses. The connection lives, unless the server is a replica now (`READONLY`).
    Refused {
        /// The first word of the answer: `NOPERM`, `OOM`, `ERR`.
        code: String,
        /// The rest of it.
        detail: String,
    },
    /// The answer is not one that the command may have.
    Unexpected(String),
    /// No server is what is wanted; in words, with the cure.
    Unfit(String),
}

impl RedisError {
    pub(super) fn new(server: &str, step: &str, kind: RedisErrorKind) -> Self {
        Self { server: server.to_owned(), step: step.to_owned(), kind }
    }

    pub(crate) fn kind(&self) -> &RedisErrorKind {
        &self.kind
    }

    /// The first word of a server's refusal: `NOPERM`, `OOM`, `BUSYGROUP`.
    pub(crate) fn code(&self) -> Option<&str> {
        match &self.kind {
            RedisErrorKind::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// What is wrong, without what to do.
    pub(super) fn what(&self) -> String {
        let what = match &self.kind {
            RedisErrorKind::TimedOut(limit) => format!("no answer within {limit:?}"),
            RedisErrorKind::Closed => "the connection was closed".to_owned(),
            RedisErrorKind::Failed(what)
            | RedisErrorKind::Unexpected(what)
            | RedisErrorKind::Unfit(what) => what.clone(),
            RedisErrorKind::Refused { code, detail } => format!("it answers \"{code} {detail}\""),
        };
        format!("Redis at {}: {}: {what}", self.server, self.step)
    }

    /// What to do, where that can be told.
    fn cure(&self) -> &'static str {
        match &self.kind {
            RedisErrorKind::TimedOut(_) if self.step == RESOLVE => {
                "look whether the name servers of this machine answer"
            }
            RedisErrorKind::TimedOut(_) => {
                "look whether it runs, is overloaded, or is cut off from this machine"
            }
            RedisErrorKind::Closed if is_first(&self.step) => {
                "if it expects TLS on that port, begin the URL with \"rediss:\" or set cluster.tls"
            }
            RedisErrorKind::Failed(_) if self.step == RESOLVE => {
                "correct the name in cluster.redis"
            }
            RedisErrorKind::Failed(what) if what.contains("refused") => {
                "start it, or correct cluster.redis"
            }
            RedisErrorKind::Failed(what) if what.contains("wrong version number") => {
                "it does not expect TLS on that port: begin the URL with \"redis:\" and set cluster.tls to null, or \
                 name its port for TLS"
            }
            RedisErrorKind::Failed(what) if what.contains("certificate required") => {
                "it wants a certificate: set cluster.tls.cert and cluster.tls.key"
            }
            RedisErrorKind::Failed(what) if what.contains("certificate") => {
                "set cluster.tls.ca to the certificate of who has signed the server's, and use a host name that is \
                 in the server's certificate"
            }
            RedisErrorKind::Refused { code, detail } => refused(code, detail),
            _ => "",
        }
    }
}

/// The step of finding a host's addresses.
pub(super) const RESOLVE: &str = "resolve";

/// Whether it is the first command of a connection.
fn is_first(step: &str) -> bool {
    matches!(step, "AUTH" | "CLIENT" | "SENTINEL")
}

fn refused(code: &str, detail: &str) -> &'static str {
    match code {
        "WRONGPASS" => "correct cluster.username, or the password in cluster.passwordFile",
        "NOAUTH" => "set cluster.passwordFile",
        "NOPERM" => {
            "permit it: `wschat doctor` prints the ACL line that permits all that is needed"
        }
        "ERR" if detail.contains("without any password configured") => {
            "set cluster.passwordFile to null, or give the user a password in Redis"
        }
        "DENIED" => "set a password in Redis, and cluster.passwordFile here",
        "LOADING" => "wait: it is reading its file",
        "OOM" => "raise maxmemory in Redis",
        "MISCONF" => "look at the disk of that server and at its log",
        "NOREPLICAS" => "look at its replicas: `info replication` shows whether they follow",
        "MOVED" | "CROSSSLOT" | "CLUSTERDOWN" => {
            "use a server that is not in cluster mode: a master with replicas and Sentinel"
        }
        _ => "",
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())?;
        match self.cure() {
            "" => Ok(()),
            cure => write!(f, "; {cure}"),
        }
    }
}

impl Error for RedisError {}

impl RedisErrorKind {
    /// An error of a socket whose time-out is `limit`.
    pub(super) fn of_socket(error: &io::Error, limit: Duration) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut(limit),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Why this server cannot be a node of the cluster: one line for each thing that is wrong, with the cure.
#[derive(Clone, Debug)]
pub struct ClusterError {
    lines: Vec<String>,
}

impl ClusterError {
    pub(crate) fn new(lines: Vec<String>) -> Self {
        Self { lines }
    }

    /// One line for each thing that is wrong.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl From<String> for ClusterError {
    fn from(line: String) -> Self {
        Self { lines: vec![line] }
    }
}

impl From<RedisError> for ClusterError {
    fn from(error: RedisError) -> Self {
        error.to_string().into()
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl Error for ClusterError {}
