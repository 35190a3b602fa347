//! Starts, names, reloads, drains and joins the threads of one server.
//!
//! Runs on the threads of the program around it, which call [`Server`] and [`ServerHandle`].
//!
//! | file | owns |
//! |---|---|
//! | `server.rs` | the public API, the order of start and end |
//! | `running.rs` | reloading, stopping and asking the running server |
//! | `capacity.rs` | how many connections the machine can carry |
//! | `listening.rs` | opening all sockets that the settings name |
//! | `accept.rs` | what the listener's thread does with a new connection |
//! | `sessions.rs` | the session threads |
//! | `opened.rs` | opening the history, or joining a cluster |
//! | `chat.rs` | making a dispatcher from the settings |
//! | `transfer.rs` | the cluster for a program that is no node of it |
//! | `cluster.rs` | a node of a cluster: joining, and joining anew |
//! | `operator.rs` | the admin listener, and what looks after the dispatcher |
//! | `counts.rs` | how many are here |
//! | `spawn.rs` | how each thread is spawned |
//! | `threads.rs` | spawning the other threads, and what their panics lead to |
//! | `watch.rs` | what is looked at now and then |

mod accept;
mod capacity;
mod chat;
#[cfg(feature = "cluster")]
mod cluster;
mod counts;
mod listening;
mod opened;
mod operator;
mod running;
mod sessions;
mod spawn;
mod threads;
#[cfg(feature = "cluster")]
mod transfer;
mod watch;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use log::{info, warn};

use self::accept::AcceptLoop;
pub use self::capacity::{Bound, Capacity, capacity};
pub use self::counts::Counts;
use self::opened::OpenedChat;
use self::operator::{EndOnDrop, OperatorThreads, Reloader};
use self::running::{Control, Running};
use self::sessions::SessionThreads;
use self::spawn::spawn;
use self::threads::{HistoryThreads, dispatch, flush, io_result};
#[cfg(feature = "cluster")]
pub use self::transfer::inspect_cluster;
#[cfg(all(feature = "cluster", feature = "sqlite"))]
pub use self::transfer::{export_cluster, import_cluster};
use self::watch::Watch;
use crate::admin::{AdminSocket, Answer, Commands};
use crate::error::{ServeError, StartError};
use crate::health::Health;
use crate::input::Input;
use crate::liveness::Liveness;
use crate::mailbox::{MailboxSender, mailbox};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::net::sockets::{ListenSocket, Listening};
use crate::net::stop::Stop;
use crate::outbox::{Bounds, Flusher, FlusherThread};
use crate::pace::Paces;
use crate::session::{Context, Live, LiveCell};
use crate::settings::Settings;

/// A server that listens but does not serve yet. This is the moment to drop privileges.
///
/// Clients that connect wait in the kernel's queue.
#[derive(Debug)]
pub struct Server {
    live: Live,
    sockets: Vec<ListenSocket>,
    listening: Vec<Listening>,
    admin: Option<AdminSocket>,
    reloader: Option<Reloader>,
}

/// A running server.
///
/// Dropping the handle shuts the server down like [`ServerHandle::shutdown`], and does not wait for
/// the end.
#[derive(Debug)]
#[must_use = "dropping the handle shuts the server down"]
pub struct ServerHandle {
    listening: Vec<Listening>,
    admin_addr: Option<SocketAddr>,
    running: Arc<Running>,
    commands: Arc<Commands>,
    threads: Mutex<Option<Threads>>,
}

/// What [`ServerHandle::reload`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The keys of the settings that differ from the running ones but need a restart, such as
    /// `"port"` or `"limits.commandQueueLength"`. They keep their old values.
    pub needs_restart: Vec<&'static str>,
}

#[derive(Debug)]
struct Threads {
    listener: JoinHandle<io::Result<()>>,
    dispatcher: JoinHandle<Result<(), ServeError>>,
    history: HistoryThreads,
    operator: OperatorThreads,
    flusher: JoinHandle<io::Result<()>>,
    /// Ends that thread.
    flushing: Arc<Flusher>,
    watch: Watch,
    sessions: Arc<SessionThreads>,
}

impl Server {
    /// Listens, and reads and checks everything that `settings` name.
    ///
    /// `settings.username` is left to the program: changing the user affects the whole process.
    pub fn bind(settings: Settings) -> Result<Self, StartError> {
        let live = Live::load(settings)?;
        log_warnings(&live);
        capacity::log_warnings(&live.settings);
        let sockets = listening::open(&live.settings)?;
        let listening = sockets.iter().map(ListenSocket::listening).collect::<io::Result<_>>();
        let listening = listening.map_err(StartError::Machine)?;
        let admin = operator::open(&live.settings.admin)?;
        Ok(Self { live, sockets, listening, admin, reloader: None })
    }

    /// Reads and checks everything that `settings` name, as [`Server::bind`] does, without
    /// listening. Returns warnings: about what works now and soon will not, and about connections that the
    /// machine cannot carry.
    pub fn check(settings: &Settings) -> Result<Vec<String>, StartError> {
        let mut warnings = Live::load(settings.clone())?.warnings();
        #[cfg(feature = "cluster")]
        transfer::check(settings)?;
        warnings.extend(capacity(settings).warnings());
        Ok(warnings)
    }

    /// Listens and serves.
    pub fn start(settings: Settings) -> Result<ServerHandle, StartError> {
        Self::bind(settings)?.run()
    }

    /// The first TCP address that the server listens on, with the real port where the settings say 0. If it
    /// listens on Unix sockets only, this is `0.0.0.0:0`; see [`Server::listening`].
    pub fn local_addr(&self) -> SocketAddr {
        first_tcp(&self.listening)
    }

    /// Everything that the server listens on.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// Says what the operator's command to reload does: reads the settings anew, gives them to
    /// [`ServerHandle::reload`], and returns its result, or for the operator what is wrong. Without this, the
    /// command is refused. A thread of the admin listener calls it.
    #[must_use]
    pub fn with_reloader(
        self,
        reload: impl Fn() -> Result<Reloaded, String> + Send + Sync + 'static,
    ) -> Self {
        Self { reloader: Some(Reloader(Box::new(reload))), ..self }
    }

    /// Serves, in threads of its own.
    pub fn run(self) -> Result<ServerHandle, StartError> {
        let Self { live, sockets, listening, admin, reloader } = self;
        let (inputs, received) = mailbox(live.settings.limits.command_queue_length);
        let health = Arc::<Health>::default();
        let memory = Arc::new(Memory::of_settings(live.settings.limits.max_memory_bytes));
        let metrics = Arc::<Metrics>::default();
        let shared = (health.clone(), memory.clone(), metrics.clone());
        let OpenedChat { dispatching, recall, upkeep, archive } =
            opened::open(&live, shared, &inputs)?;
        #[cfg(feature = "cluster")]
        let figures = dispatching.figures();
        let room = live.admission_limits().max_connections;
        let (context, flushing) = context(live, health, memory, metrics, &inputs)?;
        #[cfg(feature = "cluster")]
        let context = Context { cluster: figures, ..context };
        let context = Arc::new(context);
        let (sessions, idle_threads) = SessionThreads::new();
        let commands = Arc::new(Commands::new(inputs.downgrade(), archive));
        let control = Control { context: context.clone(), inputs, sessions: sessions.clone() };

        let flusher = {
            // The context holds the `Flusher`, whose drop ends this thread if the start fails.
            let context = Arc::downgrade(&context);
            spawn("flusher", move || flush(flushing, &context))?
        };
        let history = HistoryThreads::start(recall, upkeep, &control)?;
        let ended = Arc::new(Stop::new().map_err(StartError::Machine)?);
        let end = EndOnDrop(ended.clone());
        let dispatcher = spawn("dispatcher", move || {
            let _end = end;
            dispatch(dispatching, &received, &context)
        })?;
        let running = Arc::new(Running::new(control.clone()));
        let watch = Watch::start(&running)?;
        let accept_loop = AcceptLoop::new(control.clone(), idle_threads);
        let listener = spawn("listener", move || accept_loop.run(&sockets))?;
        let names: Vec<String> = listening.iter().map(ToString::to_string).collect();
        info!("listening on {}, with room for {room} connections", names.join(", "));
        let admin_addr = admin.as_ref().and_then(AdminSocket::tcp_addr);
        let operator =
            OperatorThreads::start(admin, &control, commands.clone(), reloader, names, ended)?;
        let flushing = control.context.flusher.clone();
        let threads =
            Threads { listener, dispatcher, history, operator, flusher, flushing, watch, sessions };
        Ok(ServerHandle {
            listening,
            admin_addr,
            running,
            commands,
            threads: Mutex::new(Some(threads)),
        })
    }
}

impl ServerHandle {
    /// The first TCP address that the server listens on, with the real port where the settings say 0. If it
    /// listens on Unix sockets only, this is `0.0.0.0:0`; see [`ServerHandle::listening`].
    pub fn local_addr(&self) -> SocketAddr {
        first_tcp(&self.listening)
    }

    /// Everything that the server listens on.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// The address of the admin listener, if it is one of TCP.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// Replaces the settings of the running server. Nobody is disconnected.
    ///
    /// First everything that `settings` name is read and checked, as [`Server::bind`] does. On an
    /// error the running settings stay in use, all of them. Otherwise connections accepted from then
    /// on get the new certificate and pictures, and the rules and limits change for everyone: a connection
    /// that is open keeps to the new rates, sizes and times from its next message on.
    ///
    /// Some settings are used only at the start: the table in `docs/operations.md` says which. Where
    /// these differ, they keep their old values, and [`Reloaded::needs_restart`] names them.
    ///
    /// The certificate and the pictures are read again even if their paths are the same. The process
    /// must still be allowed to read them, so mind [`Settings::username`].
    ///
    /// After the end of the server this only checks the settings.
    pub fn reload(&self, settings: Settings) -> Result<Reloaded, StartError> {
        self.running.reload(settings)
    }

    /// Carries out a command of the operator on the running chat, such as
    /// `command("POST", "/v1/announce", r#"{"text":"The server restarts at noon."}"#)`.
    ///
    /// The commands, their bodies and their answers are in `docs/operations.md`, under "Governing the running
    /// server". Returns an HTTP status, 200 if all is well, and JSON; if something is wrong, its member `error` says
    /// what to do. It waits until what was asked for has happened; the chat goes on meanwhile.
    pub fn command(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.commands.answer(method, path, body.as_bytes());
        let Answer { status, body } = answer.unwrap_or_else(Answer::unknown);
        (status, body)
    }

    /// Starts the shutdown and returns immediately. The server accepts no more connections, sends
    /// everyone a Close frame with 1001, and closes all connections within `limits.drainTimeoutMs`.
    pub fn shutdown(&self) {
        if let Some(control) = self.running.control() {
            control.shut_down();
        }
    }

    /// Waits until the server and all its threads have ended, after [`ServerHandle::shutdown`] or
    /// because of a failure.
    pub fn join(&self) -> Result<(), ServeError> {
        let Some(threads) = lock(&self.threads).take() else { return Ok(()) };
        let listened = threads.listener.join();
        threads.sessions.join_all();
        threads.watch.join();
        // Dropping the last sender ends the dispatcher.
        self.running.end();
        let dispatched = threads.dispatcher.join().unwrap_or(Err(ServeError::Dispatcher));
        // The dispatcher commits to the history and queries it, so this ends after it.
        let recalled = threads.history.join();
        threads.operator.join();
        // A request of the operator may still hang, with the context in hand.
        threads.flushing.stop();
        let flushed = threads.flusher.join();
        dispatched?;
        recalled?;
        io_result(listened).map_err(ServeError::Listener)?;
        io_result(flushed).map_err(ServeError::Flusher)
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// How long clients have to close their connections. What is left of `timeout` is for cutting off the others
/// and for ending the threads, which takes longer the more sessions there are.
fn time_to_close(timeout: Duration, sessions: usize) -> Duration {
    /// Several times what a session takes to end if all of them end on one core at once.
    const ENDING_A_SESSION: Duration = Duration::from_micros(150);
    let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
    let ending = (timeout / 10).saturating_add(ENDING_A_SESSION.saturating_mul(sessions));
    timeout.saturating_sub(ending).max(timeout / 2)
}

/// What sessions have in common, and the work of the flusher's thread.
fn context(
    live: Live,
    health: Arc<Health>,
    memory: Arc<Memory>,
    metrics: Arc<Metrics>,
    inputs: &MailboxSender<Input>,
) -> Result<(Context, FlusherThread), StartError> {
    let (max_queued, write_timeout) = live.outbox_bounds();
    let (flusher, flushing) = Flusher::new(memory.clone()).map_err(StartError::Machine)?;
    let context = Context {
        live: LiveCell::new(live),
        stop: Stop::new().map_err(StartError::Machine)?,
        flusher: Arc::new(flusher),
        bounds: Bounds::new(max_queued, write_timeout),
        health,
        paces: Paces::default(),
        memory,
        admission: Arc::default(),
        liveness: Arc::new(Liveness::new(inputs.downgrade())),
        metrics,
        #[cfg(feature = "cluster")]
        cluster: None,
    };
    Ok((context, flushing))
}

fn first_tcp(listening: &[Listening]) -> SocketAddr {
    let tcp = listening.iter().find_map(|listening| match listening {
        Listening::Tcp(address) => Some(*address),
        Listening::Unix(_) => None,
    });
    tcp.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into())
}

fn log_warnings(live: &Live) {
    for warning in live.new_warnings() {
        warn!("{warning}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No statement leaves what these locks guard half changed, so a panic does not poison it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_sessions_have_less_time_to_close_so_that_their_threads_end_in_time() {
        for (timeout, sessions, time) in [
            (5_000, 0, 4_500),
            (5_000, 1_000, 4_350),
            (5_000, 4_000, 3_900),
            // Half of the time at least is for the clients.
            (1_000, 4_000, 500),
            (1_000, usize::MAX, 500),
            (0, 4_000, 0),
        ] {
            let timeout = Duration::from_millis(timeout);
            assert_eq!(time_to_close(timeout, sessions), Duration::from_millis(time));
        }
    }
}
