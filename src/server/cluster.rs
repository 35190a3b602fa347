//! A node of a cluster: joins, runs the dispatcher, and joins anew when it can no longer follow the log.
//!
//! The dispatcher's thread runs it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::{error, warn};

use super::chat::{Parts, assemble, reload};
use super::spawn::{become_batch_work, spawn, stop_on_panic};
use crate::chat::{EntryId, Erasure, RoomId};
use crate::cluster::{
    Engine, Figures, JoinError, Joined, Keeper, Me, Rooms, SharedRetention, Wake, join,
};
use crate::dispatcher::{Dispatcher, Saver};
use crate::error::StartError;
use crate::health::Health;
use crate::history::{Archive, ArchiveError, HistoryReader, Retention, SharedArchive};
use crate::input::{Control, Input};
use crate::log::{Lost, SharedLog};
use crate::mailbox::{Mailbox, WaitOutcome, WeakMailboxSender};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::protocol::CloseReason;
use crate::recall::RecallThread;
use crate::session::{Context, Live};
use crate::settings::{ClusterSettings, Settings};
use crate::trouble::Trouble;

/// How long a client has to close its connection that comes while the node joins.
const TIME_TO_CLOSE: Duration = Duration::from_secs(1);

/// How long the node waits before it tries again to join, and how often it says why it could not.
const PAUSE: Duration = Duration::from_millis(500);
const WARN_EVERY: Duration = Duration::from_secs(10);

/// What makes a node, again and again.
pub(super) struct Membership {
    engine: Engine,
    name: String,
    lease: Duration,
    retention: SharedRetention,
    /// Set when the node has joined for the first time.
    archive: OnceLock<Arc<PresentArchive>>,
    wake: Wake,
    figures: Arc<Figures>,
    health: Arc<Health>,
    memory: Arc<Memory>,
    metrics: Arc<Metrics>,
    inputs: WeakMailboxSender<Input>,
}

/// A node that has joined.
pub(super) struct Member {
    pub(super) membership: Arc<Membership>,
    pub(super) dispatcher: Dispatcher<SharedLog>,
    /// That of a dispatcher after the first. It returns false when it panicked.
    recall: Option<JoinHandle<bool>>,
}

impl Membership {
    /// Checks the servers that the settings name.
    pub(super) fn open(
        settings: &Settings,
        retention: Retention,
        (health, memory, metrics): (Arc<Health>, Arc<Memory>, Arc<Metrics>),
        inputs: WeakMailboxSender<Input>,
    ) -> Result<Self, StartError> {
        let cluster = &settings.cluster;
        let engine = Engine::new(cluster).map_err(StartError::cluster)?;
        for warning in engine.check().map_err(StartError::cluster)? {
            warn!("{warning}");
        }
        let sender = inputs.clone();
        let wake = move || {
            if let Some(inputs) = sender.upgrade() {
                // If the mailbox is full, the dispatcher is awake.
                inputs.send_by(Input::LogReady, Instant::now());
            }
        };
        Ok(Self {
            engine,
            name: node_name(cluster),
            lease: Duration::from_millis(cluster.lease_ms),
            retention: SharedRetention::new(retention),
            archive: OnceLock::new(),
            wake: Arc::new(wake),
            figures: Arc::default(),
            health,
            memory,
            metrics,
            inputs,
        })
    }

    /// Joins the cluster for the first time.
    pub(super) fn join_first(
        &self,
        live: &Live,
    ) -> Result<(Dispatcher<SharedLog>, RecallThread), StartError> {
        // A thread for it, since those that it starts are to be batch work, and the caller's is not.
        let joined = thread::scope(|scope| {
            let joining = scope.spawn(|| {
                become_batch_work();
                self.join(live, None)
            });
            joining.join()
        });
        let panicked = |_| StartError::cluster("the thread that joins it has panicked");
        joined.map_err(panicked)?.map_err(StartError::cluster)
    }

    /// Joins the cluster.
    fn join(
        &self,
        live: &Live,
        forked: Option<EntryId>,
    ) -> Result<(Dispatcher<SharedLog>, RecallThread), JoinError> {
        let start = reload(live);
        let me = Me { name: self.name.clone(), lease: self.lease, rules: start.rules.clone() };
        let watchers = (&self.figures, &self.health);
        self.retention.set(start.retention);
        let joined = join(&self.engine, &me, &self.retention, forked, &self.wake, watchers)?;
        let Joined { node, chat, follower, rooms, epoch } = joined;
        let Rooms { history, reader, archive } = rooms;
        match self.archive.get() {
            Some(present) => present.replace(archive),
            None => {
                let _ = self.archive.set(Arc::new(PresentArchive(Mutex::new(archive))));
            }
        }
        if *chat.rules() != start.rules {
            warn!(
                "the settings of this node have other rooms or limits than the cluster, which keeps its own: after \
                 `wschat reload` those of this node hold on all nodes"
            );
        }
        let log = SharedLog::new(node, follower, self.lease);
        let saver = Saver::new(history, self.health.clone());
        let parts = Parts { chat, saver, reader, epoch: epoch.into() };
        Ok(assemble(log, parts, start, self.memory.clone(), &self.metrics))
    }

    /// What the thread `upkeep` of this node runs.
    pub(super) fn keeper(&self) -> Keeper {
        let (retention, figures) = (self.retention.clone(), self.figures.clone());
        Keeper::new(self.engine.clone(), &self.name, retention, figures)
    }

    /// The history for the operator, of a node that has joined.
    pub(super) fn archive(&self) -> Result<Archive, StartError> {
        let archive = self.archive.get().cloned();
        Ok(Archive::Shared(archive.ok_or_else(|| StartError::cluster("it has no history"))?))
    }
}

impl Member {
    pub(super) fn new(membership: Arc<Membership>, dispatcher: Dispatcher<SharedLog>) -> Self {
        Self { membership, dispatcher, recall: None }
    }

    pub(super) fn figures(&self) -> Arc<Figures> {
        self.membership.figures.clone()
    }

    /// Joins anew, for this reason. Meanwhile it turns clients away. Returns the node, or `None` if the server stops.
    pub(super) fn rejoin(
        self: Box<Self>,
        lost: Lost,
        inputs: &Mailbox<Input>,
        context: &Arc<Context>,
    ) -> Result<Option<Box<Self>>, StartError> {
        let membership = self.membership.clone();
        // Nothing of it may go on: it would append what nobody waits for, and show that a node lives which does not.
        self.end();
        let forked = match lost {
            Lost::Forked(place) => Some(place),
            Lost::Expired
            | Lost::Behind
            | Lost::NewEpoch
            | Lost::Poisoned
            | Lost::TooOld
            | Lost::Defect => None,
        };
        error!("{}: it closes all connections and joins the cluster anew", why(lost));
        let figures = &membership.figures;
        figures.rejoins.fetch_add(1, Ordering::Relaxed);
        figures.forks.fetch_add(u64::from(forked.is_some()), Ordering::Relaxed);
        let is_abandoned = Arc::<AtomicBool>::default();
        let joining = {
            let (membership, context) = (membership.clone(), context.clone());
            let is_abandoned = is_abandoned.clone();
            spawn("joining", move || membership.join_until(&context, forked, &is_abandoned))?
        };
        let Meanwhile::Joined { is_reloaded } = turn_away(inputs, &joining) else {
            // The thread may wait for Redis for a while, and ends by itself.
            is_abandoned.store(true, Ordering::Release);
            return Ok(None);
        };
        let panicked = || StartError::cluster("the thread that joins it has panicked");
        let (mut dispatcher, recall) = joining.join().ok().flatten().ok_or_else(panicked)?;
        if is_reloaded {
            dispatcher.reload(reload(&context.live.get()));
        }
        let recall = {
            let (inputs, context) = (membership.inputs.clone(), Arc::downgrade(context));
            spawn("recall", move || {
                stop_on_panic(&context, AssertUnwindSafe(|| recall.run(&inputs)))
            })?
        };
        // Only now somebody takes clients in.
        membership.health.set_failing(false);
        Ok(Some(Box::new(Self { membership, dispatcher, recall: Some(recall) })))
    }

    /// Waits for the threads that it has started.
    pub(super) fn end(self) {
        drop(self.dispatcher);
        let _ = self.recall.map(JoinHandle::join);
    }
}

impl Membership {
    /// Tries to join until that succeeds.
    fn join_until(
        &self,
        context: &Context,
        forked: Option<EntryId>,
        is_abandoned: &AtomicBool,
    ) -> Option<(Dispatcher<SharedLog>, RecallThread)> {
        let mut trouble = Trouble::told_every(WARN_EVERY);
        while !is_abandoned.load(Ordering::Acquire) {
            match self.join(&context.live.get(), forked) {
                Ok(joined) => return Some(joined),
                Err(error) => {
                    if trouble.is_news() {
                        warn!("this node cannot join the cluster, and tries again: {error}");
                    }
                }
            }
            thread::sleep(PAUSE);
        }
        None
    }
}

/// What has happened while a node joined.
enum Meanwhile {
    /// The thread that joins has ended.
    Joined { is_reloaded: bool },
    /// The server stops.
    Stopped,
}

/// Turns clients away while the node joins.
fn turn_away<T>(inputs: &Mailbox<Input>, joining: &JoinHandle<T>) -> Meanwhile {
    let mut is_reloaded = false;
    while !joining.is_finished() {
        match inputs.wait(Some(Instant::now() + PAUSE / 10)) {
            WaitOutcome::Received(Input::Stop { .. }) | WaitOutcome::Disconnected => {
                return Meanwhile::Stopped;
            }
            WaitOutcome::Received(Input::Connect { outbox, .. }) => {
                outbox.finish(CloseReason::CannotSave, Instant::now() + TIME_TO_CLOSE);
            }
            WaitOutcome::Received(Input::Control(control)) => {
                if let Control::Ping(answer) = *control {
                    let _ = answer.try_send(());
                }
            }
            WaitOutcome::Received(Input::Reload(_)) => is_reloaded = true,
            WaitOutcome::Received(_) | WaitOutcome::TimedOut => {}
        }
    }
    Meanwhile::Joined { is_reloaded }
}

fn why(lost: Lost) -> &'static str {
    match lost {
        Lost::Expired => "the other nodes have not heard of this node for longer than its lease",
        Lost::Behind => "this node has fallen behind what the log still has",
        Lost::Forked(_) => "the log has lost entries that this node has applied",
        Lost::NewEpoch => "the log has lost entries that another node has applied",
        Lost::Defect => "a thread of the log has panicked, which is a defect",
        Lost::TooOld => "the cluster has a level that this build does not know",
        Lost::Poisoned => "another node has had to skip an entry that this node has applied",
    }
}

/// The name of this node: that of the settings, or of the machine.
fn node_name(settings: &ClusterSettings) -> String {
    settings
        .node
        .clone()
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// The history of the node as it has joined last, for the operator.
#[derive(Debug)]
struct PresentArchive(Mutex<Arc<dyn SharedArchive>>);

impl PresentArchive {
    fn replace(&self, archive: Arc<dyn SharedArchive>) {
        *super::lock(&self.0) = archive;
    }

    fn get(&self) -> Arc<dyn SharedArchive> {
        super::lock(&self.0).clone()
    }
}

impl SharedArchive for PresentArchive {
    fn count(&self, what: Erasure, up_to: &[(RoomId, u64)]) -> Result<u64, ArchiveError> {
        self.get().count(what, up_to)
    }

    fn reader(&self) -> Box<dyn HistoryReader> {
        self.get().reader()
    }
}
