//! Starts, names, drains and joins the threads of one server.

mod sessions;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use http::Method;
use log::{debug, info, warn};
use preempt_rt::sched::{Pid, Scheduler, SchedulerParams, get_scheduler, set_scheduler};

use crate::chat::{Chat, ConnectionId, Rules, UserId};
use crate::delivery::Delivery;
use crate::dispatcher::{Dispatcher, Health, Saver};
use crate::error::{ServeError, StartError};
use crate::history::{self, HistoryError, Location, Opened, Retention, Upkeep};
use crate::input::Input;
use crate::lobby::Lobby;
use crate::log::LocalLog;
use crate::mailbox::{Mailbox, MailboxSender, mailbox};
use crate::net::admission::{Admission, Entry};
use crate::net::http::Response;
use crate::net::listener::{self, Unserved};
use crate::net::stop::Stop;
use crate::net::stream::Tcp;
use crate::net::tls::TlsAcceptor;
use crate::outbox::{Flusher, FlusherThread};
use crate::protocol::{AdvertisedLimits, HISTORY_MAX_PAGE, ServerInfo};
use crate::recall::{Recall, RecallThread};
use crate::session::{Session, Shared};
use crate::settings::{Limits, Settings};
use crate::web::{self, Site};
use sessions::SessionThreads;

/// The only one there is outside the real-time policies.
const NO_PRIORITY: SchedulerParams = SchedulerParams { priority: 0 };

/// A server that listens but does not serve yet: the moment to give up privileges.
///
/// Clients that connect already wait in the kernel's queue.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    tls: Option<TlsAcceptor>,
    site: Site,
    listener: TcpListener,
    local_addr: SocketAddr,
}

/// A running server.
///
/// Dropping the handle shuts the server down without waiting for it, as
/// [`ServerHandle::shutdown`] does.
#[derive(Debug)]
#[must_use = "dropping the handle shuts the server down"]
pub struct ServerHandle {
    local_addr: SocketAddr,
    /// `None` once the server has ended.
    control: Mutex<Option<Control>>,
    threads: Mutex<Option<Threads>>,
}

/// What stops a server. The dispatcher runs for as long as there is one, or a session.
#[derive(Clone, Debug)]
struct Control {
    shared: Arc<Shared>,
    inputs: MailboxSender<Input>,
}

#[derive(Debug)]
struct Threads {
    listener: JoinHandle<io::Result<()>>,
    dispatcher: JoinHandle<Result<(), ServeError>>,
    history: Helpers,
    flusher: JoinHandle<io::Result<()>>,
    sessions: Arc<SessionThreads>,
}

/// The chat as the history has it, and the threads that a history takes.
struct Memory {
    dispatcher: Dispatcher<LocalLog>,
    recalling: RecallThread,
    upkeep: Option<Upkeep>,
}

/// The threads of the history; true when they ended in good order.
#[derive(Debug)]
struct Helpers {
    recall: JoinHandle<bool>,
    upkeep: Option<JoinHandle<bool>>,
    /// Dropped to end the upkeep.
    stop_upkeep: Sender<()>,
}

impl Server {
    /// Listens, and reads and checks everything that `settings` name.
    ///
    /// `settings.username` is left to the program around it: becoming another user concerns the
    /// whole process.
    pub fn bind(settings: Settings) -> Result<Self, StartError> {
        settings.check().map_err(StartError::Settings)?;
        let tls = load_tls(&settings)?;
        for warning in tls.iter().flat_map(TlsAcceptor::warnings) {
            warn!("{warning}");
        }
        let site = load_site(&settings)?;
        let (host, port) = (settings.host.as_str(), settings.port);
        let listen_error =
            |source| StartError::Listen { address: format!("{host} port {port}"), source };
        let listener = listener::bind(host, port).map_err(listen_error)?;
        let local_addr = listener.local_addr().map_err(listen_error)?;
        Ok(Self { settings, tls, site, listener, local_addr })
    }

    /// Reads and checks everything that `settings` name, as [`Server::bind`] does, but does not
    /// listen. Returns what works today and will not for long.
    pub fn check(settings: &Settings) -> Result<Vec<String>, StartError> {
        settings.check().map_err(StartError::Settings)?;
        let tls = load_tls(settings)?;
        load_site(settings)?;
        Ok(tls.iter().flat_map(TlsAcceptor::warnings).map(ToString::to_string).collect())
    }

    /// Listens and serves.
    pub fn start(settings: Settings) -> Result<ServerHandle, StartError> {
        Self::bind(settings)?.run()
    }

    /// The address that it listens on; the port is the real one where the settings say 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves, in threads of its own.
    pub fn run(self) -> Result<ServerHandle, StartError> {
        let Self { settings, tls, site, listener, local_addr } = self;
        let limits = &settings.limits;
        let (inputs, received) = mailbox(limits.command_queue_length);
        let health = Arc::<Health>::default();
        let Memory { dispatcher, recalling, upkeep } =
            open_history(&settings, &site, health.clone()).map_err(StartError::History)?;
        let admission = Admission::new(limits.max_connections, limits.max_connections_per_ip);
        let stop = Stop::new().map_err(StartError::Machine)?;
        let (flusher, flushing) = Flusher::new().map_err(StartError::Machine)?;
        let flusher = Arc::new(flusher);
        let shared = Arc::new(Shared { settings, tls, site, stop, flusher, health });
        let (sessions, spares) = SessionThreads::new();
        let control = Control { shared: shared.clone(), inputs };

        let flusher = {
            // Not to hold on to the handle, whose end is the flusher's.
            let shared = Arc::downgrade(&shared);
            spawn("flusher", move || flush(flushing, &shared))?
        };
        let history = Helpers::start(recalling, upkeep, &control)?;
        let dispatcher = spawn("dispatcher", move || dispatch(dispatcher, &received, &shared))?;
        let reception = Reception {
            control: control.clone(),
            admission,
            sessions: sessions.clone(),
            spares,
            last_connection: 0,
        };
        let listener = spawn("listener", move || reception.run(&listener))?;
        info!("listening on {local_addr}");
        let threads = Threads { listener, dispatcher, history, flusher, sessions };
        let threads = Mutex::new(Some(threads));
        Ok(ServerHandle { local_addr, control: Mutex::new(Some(control)), threads })
    }
}

impl ServerHandle {
    /// The address that it listens on; the port is the real one where the settings say 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Begins to shut down, and returns at once: accepts nobody any more, sends everyone a Close
    /// frame with 1001, and ends all connections within `limits.drainTimeoutMs`.
    pub fn shutdown(&self) {
        let control = lock(&self.control).clone();
        if let Some(control) = control {
            control.shut_down();
        }
    }

    /// Waits until the server has ended, after [`ServerHandle::shutdown`] or by a failure, and all
    /// its threads with it.
    pub fn join(&self) -> Result<(), ServeError> {
        let Some(threads) = lock(&self.threads).take() else { return Ok(()) };
        let listened = threads.listener.join();
        threads.sessions.join_all();
        // With the last sender gone the dispatcher ends, and with the last outbox the flusher.
        lock(&self.control).take();
        let dispatched = threads.dispatcher.join().unwrap_or(Err(ServeError::Dispatcher));
        // The history ends with the dispatcher, which asks and commits.
        let recalled = threads.history.join();
        let flushed = threads.flusher.join();
        dispatched?;
        recalled?;
        outcome(listened).map_err(ServeError::Listener)?;
        outcome(flushed).map_err(ServeError::Flusher)
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Control {
    fn shut_down(&self) {
        let timeout = Duration::from_millis(self.shared.settings.limits.drain_timeout_ms);
        // The rest of the time is for ending the threads.
        let until = Instant::now() + timeout * 9 / 10;
        self.shared.stop.announce(until);
        // It fails when the dispatcher has panicked, and then everything is ending anyway. Whether
        // the dispatcher has been told before makes no difference to it.
        let _ = self.inputs.send(Input::Stop { until: self.shared.stop.limit(until) });
    }
}

impl Helpers {
    fn start(
        recalling: RecallThread,
        upkeep: Option<Upkeep>,
        control: &Control,
    ) -> Result<Self, StartError> {
        let inputs = control.inputs.downgrade();
        let shared = Arc::downgrade(&control.shared);
        let recall = spawn("recall", move || {
            watch_over(&shared, AssertUnwindSafe(|| recalling.run(&inputs)))
        })?;
        let (stop_upkeep, stopped) = bounded(0);
        let shared = Arc::downgrade(&control.shared);
        let upkeep = upkeep
            .map(|upkeep| {
                spawn("upkeep", move || {
                    watch_over(&shared, AssertUnwindSafe(|| upkeep.run(&stopped)))
                })
            })
            .transpose()?;
        Ok(Self { recall, upkeep, stop_upkeep })
    }

    /// Waits for both, once the dispatcher has ended.
    fn join(self) -> Result<(), ServeError> {
        drop(self.stop_upkeep);
        let threads = [Some(self.recall), self.upkeep].into_iter().flatten();
        let ended: Vec<bool> = threads.map(|thread| thread.join().unwrap_or(false)).collect();
        if ended.iter().all(|in_good_order| *in_good_order) {
            Ok(())
        } else {
            Err(ServeError::History)
        }
    }
}

/// Runs a thread that the server does not go on without; false when it panicked.
fn watch_over(shared: &Weak<Shared>, run: impl FnOnce() + UnwindSafe) -> bool {
    let is_good = catch_unwind(run).is_ok();
    if !is_good && let Some(shared) = shared.upgrade() {
        // This ends the listener, and then everything ends.
        shared.stop.announce(Instant::now());
    }
    is_good
}

/// Opens the history, and brings the chat back from it.
fn open_history(
    settings: &Settings,
    site: &Site,
    health: Arc<Health>,
) -> Result<Memory, HistoryError> {
    let limits = &settings.limits;
    let place = match settings.history.file.clone() {
        None => Location::Memory,
        Some(path) => Location::File { path, durability: settings.history.durability },
    };
    let max_age = max_age(limits);
    let retention = Retention {
        max_events: limits.history_max_events,
        max_age,
        max_memory_bytes: limits.history_max_memory_bytes,
    };
    let Opened { epoch, remembered, history, reader, upkeep } = history::open(&place, retention)?;
    let noted_user = UserId(remembered.last_user);
    let mut saver = Saver::new(history, health, noted_user);
    let (chat, effects) = Chat::restore(rules(settings), remembered);
    saver.begin(effects)?;
    let (on_enter, max_bytes) = (limits.history_on_enter, limits.outbox_max_bytes);
    let (recall, recalling) = Recall::new(reader, epoch.into(), on_enter, max_bytes);
    let delivery = Delivery::new(ServerInfo::new(advertised(limits), site.gifs().to_vec()));
    let lobby = Lobby::new(Duration::from_millis(limits.room_list_interval_ms));
    let log = LocalLog::default();
    let dispatcher =
        Dispatcher::new(log, chat, lobby, saver, delivery, recall, limits.outbox_max_bytes / 4);
    Ok(Memory { dispatcher, recalling, upkeep })
}

fn max_age(limits: &Limits) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let days = u32::try_from(limits.history_max_days).ok()?;
    (days != 0).then(|| DAY * days)
}

/// Runs the dispatcher; its panic ends the server.
fn dispatch(
    mut dispatcher: Dispatcher<LocalLog>,
    inputs: &Mailbox<Input>,
    shared: &Shared,
) -> Result<(), ServeError> {
    let run = AssertUnwindSafe(|| dispatcher.run(inputs));
    if catch_unwind(run).is_ok() {
        return Ok(());
    }
    let until = Instant::now() + Duration::from_secs(1);
    shared.stop.announce(until);
    dispatcher.give_up(inputs, until);
    Err(ServeError::Dispatcher)
}

/// Runs the flusher; the server does not go on without it.
fn flush(flushing: FlusherThread, shared: &Weak<Shared>) -> io::Result<()> {
    let result = catch_unwind(AssertUnwindSafe(|| flushing.run()));
    // Where it ended before its time, this ends the listener, and then everything ends.
    if let Some(shared) = shared.upgrade() {
        shared.stop.announce(Instant::now());
    }
    outcome(result)
}

/// What the listener's thread does with new connections.
struct Reception {
    control: Control,
    admission: Arc<Admission>,
    sessions: Arc<SessionThreads>,
    /// Threads that have served a session and wait for another.
    spares: Sender<Session>,
    /// The number of the connection that was accepted last.
    last_connection: u64,
}

impl Reception {
    fn run(mut self, listener: &TcpListener) -> io::Result<()> {
        let control = self.control.clone();
        let shared = &control.shared;
        // Under TLS an answer takes a handshake, which takes a thread.
        let regret = shared
            .tls
            .is_none()
            .then(|| Response::unavailable("The server is busy.").into_bytes(&Method::GET));
        let start = |tcp, peer| self.start(tcp, peer);
        let result = listener::run(listener, &shared.stop, regret.as_deref(), start);
        control.shut_down();
        result
    }

    /// Starts a session for a new connection.
    fn start(&mut self, tcp: TcpStream, peer: SocketAddr) -> Result<(), Unserved> {
        let shared = &self.control.shared;
        let is_shared = shared.tls.is_some();
        let tcp = if is_shared { Tcp::Shared(Arc::new(tcp)) } else { Tcp::Own(tcp) };
        let ip = peer.ip().to_canonical();
        let is_proxy = shared.settings.trusted_proxies.iter().any(|net| net.contains(&ip));
        let (ticket, is_turned_away) = match self.admission.enter((!is_proxy).then_some(ip)) {
            Entry::Welcome(ticket) => (ticket, false),
            Entry::TurnedAway(ticket) => (ticket, true),
            Entry::Dropped => {
                return Err(Unserved { tcp, why: io::Error::other("too many connections") });
            }
        };
        let Control { shared, inputs } = self.control.clone();
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let session = Session { id, shared, inputs, tcp, peer, ticket, is_turned_away };
        match self.spares.try_send(session) {
            Ok(()) => Ok(()),
            Err(nobody) => self
                .sessions
                .start(nobody.into_inner())
                .map_err(|(session, why)| Unserved { tcp: session.tcp, why }),
        }
    }
}

fn outcome(joined: thread::Result<io::Result<()>>) -> io::Result<()> {
    joined.unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    let run = || {
        become_batch_work();
        run()
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StartError::Machine)
}

/// Asks the kernel not to interrupt whoever runs in favour of this thread, or of one that it starts,
/// only because it has something to do now. On one core a session that has been sent something would
/// otherwise push the dispatcher aside for each message, which costs a third of what a small room
/// carries. Where an operator has chosen another policy, that stays.
fn become_batch_work() {
    let this = Pid::current_thread();
    if get_scheduler(this).is_ok_and(|policy| policy == Scheduler::SCHED_NORMAL)
        && let Err(error) = set_scheduler(this, Scheduler::SCHED_BATCH, NO_PRIORITY)
    {
        debug!("cannot become batch work: {error}");
    }
}

fn load_tls(settings: &Settings) -> Result<Option<TlsAcceptor>, StartError> {
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.private_key) else {
        return Ok(None);
    };
    TlsAcceptor::load(certificate, key).map(Some).map_err(StartError::Certificate)
}

/// The page, with the pictures that the settings name, or our own.
fn load_site(settings: &Settings) -> Result<Site, StartError> {
    let pictures = match &settings.gifs_directory {
        None => web::own_gifs(),
        Some(folder) => web::read_gifs(folder, &settings.limits).map_err(StartError::Gifs)?,
    };
    Ok(Site::new(pictures))
}

/// The limits that clients are told.
fn advertised(limits: &Limits) -> AdvertisedLimits {
    AdvertisedLimits {
        max_message_bytes: limits.max_message_bytes,
        max_text_chars: limits.max_text_chars,
        max_name_chars: limits.max_name_chars,
        max_title_chars: limits.max_title_chars,
        messages_per_second: limits.messages_per_second,
        message_burst: limits.message_burst,
        ping_interval_ms: limits.ping_interval_ms,
        resume_grace_seconds: limits.resume_grace_seconds,
        history_on_enter: limits.history_on_enter,
        history_max_page: HISTORY_MAX_PAGE,
    }
}

fn rules(settings: &Settings) -> Rules {
    let limits = &settings.limits;
    Rules {
        rooms: settings.rooms.clone(),
        max_rooms: limits.max_rooms,
        max_name_chars: limits.max_name_chars,
        max_title_chars: limits.max_title_chars,
        max_text_chars: limits.max_text_chars,
        empty_room_ttl: Duration::from_secs(limits.empty_room_ttl_seconds),
        resume_grace: Duration::from_secs(limits.resume_grace_seconds),
        max_away: limits.max_away_users,
        max_kept: limits.history_max_events,
        max_age: max_age(limits),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
