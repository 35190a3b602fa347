//! Running the server until it ends: the log, the user, what signals ask for.
//!
//! | thread | does |
//! |---|---|
//! | main | starts the server, and waits for its end |
//! | `signals` | takes signals, and waits for nothing |
//! | `reload` | reloads, which may wait for a disk |
//! | `notify` | tells systemd |

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{error, info, warn};
use privdrop::PrivDrop;
use wschat::{Listening, Reloaded, Server, ServerHandle, Settings, StartError};

use super::arguments::Arguments;
use super::error::ProgramError;
use super::notify::{Notifier, State};
use super::signals::{Order, Signals, end_by};
use super::streams::{PATIENCE, say_aside};
use crate::logger::{Destination, Logger};
use crate::malloc;

/// What the thread `reload` is to do.
#[derive(Clone, Copy, Debug)]
enum Task {
    Reload,
    ReopenLog,
}

/// What signals steer.
struct Steering {
    logger: Logger,
    /// One task of each kind may wait: more would do the same again.
    reload: Sender<Task>,
    reopen: Sender<Task>,
    stop: Mutex<Stop>,
}

/// The server, once it runs, and whether it is to stop.
#[derive(Default)]
struct Stop {
    running: Option<Running>,
    is_ordered: bool,
}

#[derive(Clone)]
struct Running {
    server: Arc<ServerHandle>,
    notifier: Notifier,
}

/// Serves until the end.
pub(super) fn run(arguments: Arguments) -> Result<(), ProgramError> {
    // From here on no signal has its default action, also during the new start.
    let signals = Signals::hold()?;
    malloc::give_memory_back();
    let settings = arguments.settings(&arguments.place)?;
    let logger = Logger::start(&settings.log).map_err(cannot_log)?;
    let has_log_file = settings.log.file.is_some();
    // The caller writes it to stderr as well.
    let result = serve(arguments, settings, signals, &logger).inspect_err(|error| {
        if has_log_file {
            error!("{error}");
        }
    });
    logger.drain(PATIENCE);
    result
}

fn serve(
    arguments: Arguments,
    settings: Settings,
    signals: Signals,
    logger: &Logger,
) -> Result<(), ProgramError> {
    let (reload, reloads) = bounded(1);
    let (reopen, reopenings) = bounded(1);
    let (logger, stop) = (logger.clone(), Mutex::default());
    let steering = Arc::new(Steering { logger: logger.clone(), reload, reopen, stop });
    signals.obey({
        let steering = steering.clone();
        move |order| steering.follow(order)
    })?;

    let has_tls = settings.certificate.is_some();
    let domain = settings.domain.clone();
    let username = settings.username.clone();
    let (ask, asked) = bounded(1);
    let server = Server::bind(settings)
        .map_err(ProgramError::Start)?
        .with_reloader(move || reload_by_command(&ask));
    // Listening below port 1024 and reading the key may have needed root. Nothing else does.
    if let Some(username) = username {
        become_user(&username)?;
    }
    let server = Arc::new(server.run().map_err(ProgramError::Start)?);
    let notifier = Notifier::start(server.clone());
    notifier.tell(State::Ready);
    greet(server.listening(), has_tls, domain.as_deref());
    let running = Running { server: server.clone(), notifier };
    steering.serve(running.clone());
    let reader = Reader { arguments, logger, running };
    thread::Builder::new()
        .name("reload".to_owned())
        .spawn(move || reader.run(&reloads, &reopenings, asked))
        .map_err(|error| ProgramError::Start(StartError::Machine(error)))?;

    let result = server.join().map_err(ProgramError::Serve);
    info!("ended");
    result
}

impl Steering {
    /// Called by the thread that takes the signals. What may take a while is done by others.
    fn follow(&self, order: Order) {
        match order {
            Order::Stop => {
                let running = {
                    let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
                    stop.is_ordered = true;
                    stop.running.clone()
                };
                if let Some(running) = running {
                    running.stop();
                }
                info!("stopping; a second signal ends at once");
            }
            Order::EndNow(signal) => {
                warn!("ending at once");
                self.logger.drain(Duration::from_millis(100));
                end_by(signal);
            }
            // If one waits already, it will do.
            Order::Reload => drop(self.reload.try_send(Task::Reload)),
            Order::ReopenLog => drop(self.reopen.try_send(Task::ReopenLog)),
            Order::Ignored(signal) => info!("{signal} does nothing"),
        }
    }

    /// From now on there is a server to stop. It may have been ordered to already.
    fn serve(&self, running: Running) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if stop.is_ordered {
            running.stop();
        }
        stop.running = Some(running);
    }
}

impl Running {
    fn stop(&self) {
        self.notifier.tell(State::Stopping);
        let server = self.server.clone();
        // While the dispatcher waits for the disk, this may wait for the dispatcher.
        let spawned =
            thread::Builder::new().name("stop".to_owned()).spawn(move || server.shutdown());
        if spawned.is_err() {
            self.server.shutdown();
        }
    }
}

/// What came of a reload, or in words why nothing did.
type ReloadResult = Result<Reloaded, String>;

/// Reads the settings and the log's file anew.
struct Reader {
    arguments: Arguments,
    logger: Logger,
    running: Running,
}

/// Asks the thread `reload`, and waits for its answer.
fn reload_by_command(reader: &Sender<Sender<ReloadResult>>) -> ReloadResult {
    let ending = || "The server is starting or ending. Try again.".to_owned();
    let (answer, answered) = bounded(1);
    reader.send(answer).map_err(|_| ending())?;
    answered.recv().map_err(|_| ending())?
}

impl Reader {
    fn run(
        &self,
        reloads: &Receiver<Task>,
        reopenings: &Receiver<Task>,
        mut asked: Receiver<Sender<ReloadResult>>,
    ) {
        loop {
            let task = crossbeam_channel::select! {
                recv(reloads) -> task => task,
                recv(reopenings) -> task => task,
                recv(asked) -> answer => {
                    match answer {
                        Ok(answer) => {
                            let _ = answer.send(self.reload_and_tell());
                        }
                        // Without an admin listener nobody asks.
                        Err(_) => asked = crossbeam_channel::never(),
                    }
                    continue;
                }
            };
            match task {
                Ok(Task::Reload) => drop(self.reload_and_tell()),
                Ok(Task::ReopenLog) => match self.logger.reopen() {
                    Ok(()) => info!("the log's file has been opened anew"),
                    Err(error) => error!("the log stays where it is: {error}"),
                },
                Err(_) => return,
            }
        }
    }

    fn reload_and_tell(&self) -> ReloadResult {
        self.running.notifier.tell(State::Reloading);
        let result = self.reload().map_err(|error| error.to_string());
        if let Err(error) = &result {
            error!("the settings have not been reloaded, and the old ones stay: {error}");
        }
        self.running.notifier.tell(State::Ready);
        result
    }

    /// All of it, or on an error nothing.
    fn reload(&self) -> Result<Reloaded, ProgramError> {
        let settings = self.arguments.settings(&self.arguments.place)?;
        let log = settings.log.clone();
        let destination = Destination::open(&log).map_err(cannot_log)?;
        let reloaded = self.running.server.reload(settings).map_err(ProgramError::Start)?;
        self.logger.change(&log, destination).map_err(cannot_log)?;
        Ok(reloaded)
    }
}

fn cannot_log(error: io::Error) -> ProgramError {
    ProgramError::Start(StartError::Log(error))
}

/// Says where the page is.
fn greet(listening: &[Listening], has_tls: bool, domain: Option<&str>) {
    let version = env!("CARGO_PKG_VERSION");
    let mut text =
        format!("wschat {version} is open at {}\n", addresses_to_open(listening, has_tls));
    let is_local = |listening: &Listening| match listening {
        Listening::Tcp(address) => address.ip().is_loopback(),
        _ => false,
    };
    if let Some(domain) = domain
        && listening.iter().all(is_local)
    {
        let hint = format!(
            "{domain} reaches it through a proxy on this machine only; \
             to be reached directly, set \"host\" to \"0.0.0.0\"\n"
        );
        text.push_str(&hint);
    }
    say_aside(text);
}

fn become_user(username: &str) -> Result<(), ProgramError> {
    let privileges = PrivDrop::default().user(username).fallback_to_ids_if_names_are_numeric();
    privileges.apply().map_err(|error| {
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
