//! Starts, names, reloads, drains and joins the threads of one server.
//!
//! Runs on the threads of the program around it, which call [`Server`] and [`ServerHandle`].
//!
//! | file | owns |
//! |---|---|
//! | `server.rs` | the public API, the order of start and end, reload |
//! | `accept.rs` | what the listener's thread does with a new connection |
//! | `sessions.rs` | the session threads |
//! | `chat.rs` | opening the history and restoring the chat from it |
//! | `threads.rs` | spawning the other threads, and what their panics lead to |

mod accept;
mod chat;
mod sessions;
mod threads;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use log::{info, warn};

use self::accept::AcceptLoop;
use self::chat::OpenedChat;
use self::sessions::SessionThreads;
use self::threads::{HistoryThreads, dispatch, flush, io_result, spawn};
use crate::error::{ServeError, StartError};
use crate::health::Health;
use crate::input::Input;
use crate::mailbox::{MailboxSender, mailbox};
use crate::memory::Memory;
use crate::net::listener;
use crate::net::stop::Stop;
use crate::outbox::{Bounds, Flusher};
use crate::pace::Paces;
use crate::session::{Context, Live, LiveCell};
use crate::settings::Settings;

/// A server that listens but does not serve yet. This is the moment to drop privileges.
///
/// Clients that connect wait in the kernel's queue.
#[derive(Debug)]
pub struct Server {
    live: Live,
    listener: TcpListener,
    local_addr: SocketAddr,
}

/// A running server.
///
/// Dropping the handle shuts the server down like [`ServerHandle::shutdown`], and does not wait for
/// the end.
#[derive(Debug)]
#[must_use = "dropping the handle shuts the server down"]
pub struct ServerHandle {
    local_addr: SocketAddr,
    /// `None` when the server has ended.
    control: Mutex<Option<Control>>,
    threads: Mutex<Option<Threads>>,
    /// Held by a reload, so that two of them do not mix.
    reloading: Mutex<()>,
}

/// What [`ServerHandle::reload`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The keys of the settings that differ from the running ones but need a restart, such as
    /// `"port"` or `"limits.commandQueueLength"`. They keep their old values.
    pub needs_restart: Vec<&'static str>,
}

/// What reloads and stops a server. The dispatcher runs as long as a control or a session exists.
#[derive(Clone, Debug)]
struct Control {
    context: Arc<Context>,
    inputs: MailboxSender<Input>,
    sessions: Arc<SessionThreads>,
}

#[derive(Debug)]
struct Threads {
    listener: JoinHandle<io::Result<()>>,
    dispatcher: JoinHandle<Result<(), ServeError>>,
    history: HistoryThreads,
    flusher: JoinHandle<io::Result<()>>,
    sessions: Arc<SessionThreads>,
}

impl Server {
    /// Listens, and reads and checks everything that `settings` name.
    ///
    /// `settings.username` is left to the program: changing the user affects the whole process.
    pub fn bind(settings: Settings) -> Result<Self, StartError> {
        let live = Live::load(settings)?;
        log_warnings(&live);
        let (host, port) = (live.settings.host.as_str(), live.settings.port);
        let listen_error =
            |source| StartError::Listen { address: format!("{host} port {port}"), source };
        let listener = listener::bind(host, port).map_err(listen_error)?;
        let local_addr = listener.local_addr().map_err(listen_error)?;
        Ok(Self { live, listener, local_addr })
    }

    /// Reads and checks everything that `settings` name, as [`Server::bind`] does, without
    /// listening. Returns warnings about what works now and soon will not.
    pub fn check(settings: &Settings) -> Result<Vec<String>, StartError> {
        Ok(Live::load(settings.clone())?.warnings())
    }

    /// Listens and serves.
    pub fn start(settings: Settings) -> Result<ServerHandle, StartError> {
        Self::bind(settings)?.run()
    }

    /// The address that the server listens on, with the real port where the settings say 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves, in threads of its own.
    pub fn run(self) -> Result<ServerHandle, StartError> {
        let Self { live, listener, local_addr } = self;
        let (inputs, received) = mailbox(live.settings.limits.command_queue_length);
        let health = Arc::<Health>::default();
        let memory = Arc::new(Memory::of_settings(live.settings.limits.max_memory_bytes));
        let OpenedChat { dispatcher, recall, upkeep } =
            OpenedChat::open(&live, health.clone(), memory.clone()).map_err(StartError::History)?;
        let room = live.admission_limits().max_connections;
        let (max_queued, write_timeout) = live.outbox_bounds();
        let bounds = Bounds::new(max_queued, write_timeout);
        let stop = Stop::new().map_err(StartError::Machine)?;
        let (flusher, flushing) = Flusher::new(memory.clone()).map_err(StartError::Machine)?;
        let (live, flusher) = (LiveCell::new(live), Arc::new(flusher));
        let paces = Paces::default();
        let context = Arc::new(Context { live, stop, flusher, bounds, health, paces, memory });
        let (sessions, idle_threads) = SessionThreads::new();
        let control = Control { context: context.clone(), inputs, sessions: sessions.clone() };

        let flusher = {
            // The context holds the `Flusher`, whose drop ends this thread.
            let context = Arc::downgrade(&context);
            spawn("flusher", move || flush(flushing, &context))?
        };
        let history = HistoryThreads::start(recall, upkeep, &control)?;
        let dispatcher = spawn("dispatcher", move || dispatch(dispatcher, &received, &context))?;
        let accept_loop = AcceptLoop::new(control.clone(), idle_threads);
        let listener = spawn("listener", move || accept_loop.run(&listener))?;
        info!("listening on {local_addr}, with room for {room} connections");
        let threads = Threads { listener, dispatcher, history, flusher, sessions };
        Ok(ServerHandle {
            local_addr,
            control: Mutex::new(Some(control)),
            threads: Mutex::new(Some(threads)),
            reloading: Mutex::default(),
        })
    }
}

impl ServerHandle {
    /// The address that the server listens on, with the real port where the settings say 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Replaces the settings of the running server. Nobody is disconnected.
    ///
    /// First everything that `settings` name is read and checked, as [`Server::bind`] does. On an
    /// error the running settings stay in use, all of them. Otherwise connections accepted from then
    /// on get the new settings, certificate and pictures. Those already open keep their own rates,
    /// sizes and timeouts, but the rules of the chat, such as the rooms and the length of a text,
    /// change for everyone.
    ///
    /// Some settings are used only at the start: the table in `docs/operations.md` says which. Where
    /// these differ, they keep their old values, and [`Reloaded::needs_restart`] names them.
    ///
    /// The certificate and the pictures are read again even if their paths are the same. The process
    /// must still be allowed to read them, so mind [`Settings::username`].
    ///
    /// After the end of the server this only checks the settings.
    pub fn reload(&self, mut settings: Settings) -> Result<Reloaded, StartError> {
        settings.check().map_err(StartError::Settings)?;
        let _one_at_a_time = lock(&self.reloading);
        let Some(Control { context, inputs, .. }) = lock(&self.control).clone() else {
            Live::load(settings)?;
            return Ok(Reloaded::default());
        };
        let needs_restart = settings.keep_restart_only(&context.live.get().settings);
        let live = Live::load(settings)?;
        log_warnings(&live);
        let reload = Box::new(chat::reload(&live));
        let (max_queued, write_timeout) = live.outbox_bounds();
        context.bounds.set(max_queued, write_timeout);
        context.memory.resize_to(&Memory::of_settings(live.settings.limits.max_memory_bytes));
        context.live.swap(live);
        // It fails when the dispatcher has panicked, and then the server is ending.
        let _ = inputs.send(Input::Reload(reload));
        info!("the settings have been reloaded");
        if !needs_restart.is_empty() {
            warn!("these settings have changed but need a restart: {}", needs_restart.join(", "));
        }
        Ok(Reloaded { needs_restart })
    }

    /// Starts the shutdown and returns immediately. The server accepts no more connections, sends
    /// everyone a Close frame with 1001, and closes all connections within `limits.drainTimeoutMs`.
    pub fn shutdown(&self) {
        let control = lock(&self.control).clone();
        if let Some(control) = control {
            control.shut_down();
        }
    }

    /// Waits until the server and all its threads have ended, after [`ServerHandle::shutdown`] or
    /// because of a failure.
    pub fn join(&self) -> Result<(), ServeError> {
        let Some(threads) = lock(&self.threads).take() else { return Ok(()) };
        let listened = threads.listener.join();
        threads.sessions.join_all();
        // Dropping the last sender ends the dispatcher, dropping the last outbox the flusher.
        lock(&self.control).take();
        let dispatched = threads.dispatcher.join().unwrap_or(Err(ServeError::Dispatcher));
        // The dispatcher commits to the history and queries it, so this ends after it.
        let recalled = threads.history.join();
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

impl Control {
    fn shut_down(&self) {
        let timeout =
            Duration::from_millis(self.context.live.get().settings.limits.drain_timeout_ms);
        let until = Instant::now() + time_to_close(timeout, self.sessions.count());
        self.context.stop.announce(until);
        // This fails when the dispatcher has panicked, and then the server is ending already. A
        // second stop makes no difference to the dispatcher.
        let _ = self.inputs.send(Input::Stop { until: self.context.stop.limit(until) });
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
