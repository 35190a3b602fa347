//! One connection to one server: logging in, commands and their replies.
//!
//! It belongs to the thread that asks. After an error of the socket, or a time-out, it is dead for ever: a reply that
//! comes late must never answer the next command.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use redis::{Arg, Cmd, Parser, Value, cmd};

use super::error::{RedisError, RedisErrorKind};
use super::reply::{info_field, text};
use super::role::{Role, Standing};
use super::socket::{Address, Socket};
use super::tls::TlsConnector;

/// How long a reply may take, unless [`Connection::set_timeout`] says otherwise.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// How this node is called in `CLIENT LIST`.
const CLIENT_NAME: &str = "wschat";

/// One socket.
pub(crate) struct Connection {
    address: String,
    socket: Watched,
    parser: Parser,
    run_id: String,
    /// What the server has to be, for what is read to count.
    pub(super) role: Role,
    timeout: Duration,
    /// The time-out of reads that the socket has now.
    read_timeout: Duration,
    dead: Option<RedisError>,
}

/// Ends a connection from another thread: whoever waits in it gets an error at once.
#[derive(Clone, Debug)]
pub(crate) struct Stopper(Arc<TcpStream>);

/// How to log in.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<TlsConnector>,
    pub(super) database: u32,
}

/// The user, or none for `default`, and the password.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) username: Option<String>,
    pub(super) password: String,
}

/// Remembers the error of the socket, which the parser does not hand on.
struct Watched {
    socket: Socket,
    error: Option<io::Error>,
}

impl Connection {
    /// Connects and logs in. Each step may take `limit`; after that, a reply may take [`REPLY_TIMEOUT`].
    pub(super) fn open(
        server: &Address,
        access: &Access,
        limit: Duration,
    ) -> Result<(Self, Standing), RedisError> {
        let mut connection = Self::dial(server, access, limit)?;
        if let Some(credentials) = &access.credentials {
            connection.log_in(credentials)?;
        }
        let mut steps = vec![
            cmd("CLIENT").arg("SETNAME").arg(CLIENT_NAME).take(),
            cmd("INFO").arg("server").take(),
            cmd("ROLE"),
        ];
        if access.database != 0 {
            steps.push(cmd("SELECT").arg(access.database).take());
        }
        let mut replies = connection.pipeline(&steps)?.into_iter();
        let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
        // The name is for the operator only. If this is not allowed, the next is not either, or does without.
        let _ = next();
        let info = next()?;
        let role = next()?;
        next()?;
        let run_id = text(&info).and_then(|info| info_field(info, "run_id"));
        run_id.unwrap_or_default().clone_into(&mut connection.run_id);
        if connection.run_id.is_empty() {
            return Err(connection.unexpected("INFO", "there is no run_id in the answer"));
        }
        let standing = Standing::parse(&role)
            .ok_or_else(|| connection.unexpected("ROLE", "the answer is not understood"))?;
        connection.role = standing.role();
        connection.timeout = REPLY_TIMEOUT;
        Ok((connection, standing))
    }

    /// Connects, and does not log in.
    pub(super) fn dial(
        server: &Address,
        access: &Access,
        limit: Duration,
    ) -> Result<Self, RedisError> {
        let socket = server.connect(access.tls.as_ref(), limit)?;
        Ok(Self {
            address: server.to_string(),
            socket: Watched { socket, error: None },
            parser: Parser::new(),
            run_id: String::new(),
            role: Role::Master,
            timeout: limit,
            read_timeout: limit,
            dead: None,
        })
    }

    pub(super) fn log_in(&mut self, credentials: &Credentials) -> Result<(), RedisError> {
        let mut auth = cmd("AUTH");
        if let Some(username) = &credentials.username {
            auth.arg(username);
        }
        self.call(auth.arg(&credentials.password)).map(drop)
    }

    /// The run id of the server's process. A server that has started anew has another one.
    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// `HOST:PORT` of the server.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether nothing can be asked any more.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.is_some()
    }

    /// How long a reply may take from now on. It is rounded up to a millisecond.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout.max(Duration::from_millis(1));
    }

    /// Ends this connection from another thread.
    pub(crate) fn stopper(&self) -> Result<Stopper, RedisError> {
        let socket = self.socket.socket.tcp().try_clone();
        let failed = |error: io::Error| {
            let kind = RedisErrorKind::Failed(error.to_string());
            RedisError::new(&self.address, "copy the socket", kind)
        };
        Ok(Stopper(Arc::new(socket.map_err(failed)?)))
    }

    /// One command and its reply.
    ///
    /// A refusal of the server is an error, and the connection lives on.
    pub(crate) fn call(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        let mut replies = self.exchange(std::slice::from_ref(command), Duration::ZERO)?;
        replies.pop().unwrap_or(Ok(Value::Nil))
    }

    /// Several commands at once. The outer error is that of the connection; then it is not known which of the
    /// commands were carried out. An inner one is the server's, for one command.
    pub(crate) fn pipeline(
        &mut self,
        commands: &[Cmd],
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        self.exchange(commands, Duration::ZERO)
    }

    /// As `pipeline`. The server may take `pause` before it replies at all.
    pub(super) fn exchange(
        &mut self,
        commands: &[Cmd],
        pause: Duration,
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        let step = commands.first().map(name).unwrap_or_default();
        let limit = self.timeout + pause;
        let sent = self.prepare(limit).and_then(|()| {
            let mut bytes = Vec::new();
            for command in commands {
                command.write_packed_command(&mut bytes);
            }
            self.socket.socket.write_all(&bytes)
        });
        if let Err(error) = sent {
            return Err(self.end(&step, RedisErrorKind::of_socket(&error, limit)));
        }
        commands.iter().map(|command| self.reply(&name(command), limit)).collect()
    }

    /// Waits for one reply.
    fn reply(
        &mut self,
        step: &str,
        limit: Duration,
    ) -> Result<Result<Value, RedisError>, RedisError> {
        let value = match self.parser.parse_value(&mut self.socket) {
            Ok(value) => value,
            Err(error) => {
                let kind = match self.socket.error.take() {
                    Some(error) => RedisErrorKind::of_socket(&error, limit),
                    None if error.is_io_error() => RedisErrorKind::Closed,
                    None => RedisErrorKind::Unexpected(format!("the answer is no RESP: {error}")),
                };
                return Err(self.end(step, kind));
            }
        };
        let Value::ServerError(refusal) = value else { return Ok(Ok(value)) };
        let kind = RedisErrorKind::Refused {
            code: refusal.code().to_owned(),
            detail: refusal.details().unwrap_or_default().to_owned(),
        };
        let error = RedisError::new(&self.address, step, kind);
        // Redis before 7 wraps it where a script writes.
        if error.code() == Some("READONLY")
            || refusal.details().is_some_and(|it| it.contains("-READONLY"))
        {
            // It has become a replica. Whoever writes has to look for the master.
            self.dead = Some(error.clone());
        }
        Ok(Err(error))
    }

    fn prepare(&mut self, limit: Duration) -> io::Result<()> {
        if self.read_timeout != limit {
            let socket = self.socket.socket.tcp();
            socket.set_read_timeout(Some(limit))?;
            socket.set_write_timeout(Some(limit))?;
            self.read_timeout = limit;
        }
        Ok(())
    }

    /// The connection is dead from now on.
    pub(super) fn end(&mut self, step: &str, mut kind: RedisErrorKind) -> RedisError {
        if kind == RedisErrorKind::Closed && self.run_id.is_empty() && self.socket.socket.has_tls()
        {
            // The alert that says so is often lost with the connection.
            kind = RedisErrorKind::Unfit(
                "it has closed the connection after the TLS handshake; if it wants a certificate, set \
                 cluster.tls.cert and cluster.tls.key"
                    .to_owned(),
            );
        }
        let error = RedisError::new(&self.address, step, kind);
        let _ = self.socket.socket.tcp().shutdown(Shutdown::Both);
        self.dead = Some(error.clone());
        error
    }

    /// The server's answer is not one that the command may have.
    pub(crate) fn unexpected(&self, step: &str, what: &str) -> RedisError {
        RedisError::new(&self.address, step, RedisErrorKind::Unexpected(what.to_owned()))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .field("role", &self.role)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Stopper {
    /// Ends the connection. To do so again does nothing.
    pub(crate) fn stop(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(buf) {
                // A signal ends a read of a socket with a time-out.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(io::Error::new(error.kind(), error.to_string()));
                    return Err(error);
                }
                read => return read,
            }
        }
    }
}

/// The name of a command.
fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    }
}
