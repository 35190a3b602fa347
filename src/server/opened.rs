//! What the settings name, opened: the chat of a server that is alone, or that of a cluster. Runs once, on the thread
//! that starts the server.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::chat::{Parts, assemble, reload};
#[cfg(feature = "cluster")]
use super::cluster::{Member, Membership};
use crate::chat::Chat;
#[cfg(feature = "cluster")]
use crate::cluster::{Figures, Keeper};
use crate::dispatcher::{Dispatcher, Saver};
use crate::error::StartError;
use crate::health::Health;
use crate::history::{self, Archive, HistoryError, Location, Opened, Upkeep};
use crate::input::Input;
use crate::log::LocalLog;
use crate::mailbox::MailboxSender;
#[cfg(feature = "cluster")]
use crate::mailbox::WeakMailboxSender;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::recall::RecallThread;
use crate::session::Live;

/// The dispatcher with its chat, and what the threads of the history run.
pub(super) struct OpenedChat {
    pub(super) dispatching: Dispatching,
    pub(super) recall: RecallThread,
    pub(super) upkeep: Option<UpkeepTask>,
    pub(super) archive: Archive,
}

/// What the dispatcher's thread runs.
#[cfg_attr(
    feature = "cluster",
    expect(
        clippy::large_enum_variant,
        reason = "there is one, and a box makes the smallest program larger"
    )
)]
pub(super) enum Dispatching {
    /// A server that is a chat of its own.
    Alone(Dispatcher<LocalLog>),
    /// A node of a cluster.
    #[cfg(feature = "cluster")]
    Member(Box<Member>),
}

/// What the thread `upkeep` runs.
#[cfg_attr(
    all(feature = "cluster", feature = "sqlite"),
    expect(clippy::large_enum_variant, reason = "as above")
)]
pub(super) enum UpkeepTask {
    File(Upkeep),
    #[cfg(feature = "cluster")]
    Keeper(Keeper),
}

#[cfg(feature = "cluster")]
impl Dispatching {
    /// What is known of the cluster, if there is one.
    pub(super) fn figures(&self) -> Option<Arc<Figures>> {
        match self {
            Self::Alone(_) => None,
            Self::Member(member) => Some(member.figures()),
        }
    }
}

impl UpkeepTask {
    /// Runs until `stop` is disconnected.
    pub(super) fn run(self, stop: &Receiver<()>, health: &Health) {
        match self {
            Self::File(upkeep) => upkeep.run(stop, health),
            #[cfg(feature = "cluster")]
            Self::Keeper(keeper) => keeper.run(stop),
        }
    }
}

/// Opens the chat that the settings name: one of this server's own, or that of a cluster.
#[cfg_attr(not(feature = "cluster"), expect(unused_variables, reason = "there are no clusters"))]
pub(super) fn open(
    live: &Live,
    shared: (Arc<Health>, Arc<Memory>, Arc<Metrics>),
    inputs: &MailboxSender<Input>,
) -> Result<OpenedChat, StartError> {
    #[cfg(feature = "cluster")]
    if live.settings.cluster.redis.is_some() {
        return OpenedChat::join(live, shared, inputs.downgrade());
    }
    let (health, memory, metrics) = shared;
    OpenedChat::open(live, health, memory, &metrics).map_err(StartError::History)
}

impl OpenedChat {
    /// Opens the history of a server that is a chat of its own, and restores the chat from it.
    #[inline(never)] // Inlined, it makes the smallest program larger.
    pub(super) fn open(
        live: &Live,
        health: Arc<Health>,
        memory: Arc<Memory>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, HistoryError> {
        let settings = &live.settings;
        let location = match settings.history.file.clone() {
            None => Location::Memory,
            Some(path) => Location::File { path, durability: settings.history.durability },
        };
        let start = reload(live);
        let Opened { epoch, remembered, history, reader, upkeep, archive } =
            history::open(&location, start.retention)?;
        let mut saver = Saver::new(history, health);
        let (chat, effects) = Chat::restore(start.rules.clone(), remembered);
        saver.begin(&chat, effects)?;
        let parts = Parts { chat, saver, reader, epoch: epoch.into() };
        let (dispatcher, recall) = assemble(LocalLog::default(), parts, start, memory, metrics);
        let dispatching = Dispatching::Alone(dispatcher);
        Ok(Self { dispatching, recall, upkeep: upkeep.map(UpkeepTask::File), archive })
    }

    /// Joins the cluster that the settings name.
    #[cfg(feature = "cluster")]
    fn join(
        live: &Live,
        shared: (Arc<Health>, Arc<Memory>, Arc<Metrics>),
        inputs: WeakMailboxSender<Input>,
    ) -> Result<Self, StartError> {
        let retention = reload(live).retention;
        let membership = Membership::open(&live.settings, retention, shared, inputs)?;
        let (dispatcher, recall) = membership.join_first(live)?;
        let (keeper, archive) = (membership.keeper(), membership.archive()?);
        let member = Member::new(Arc::new(membership), dispatcher);
        Ok(Self {
            dispatching: Dispatching::Member(Box::new(member)),
            recall,
            upkeep: Some(UpkeepTask::Keeper(keeper)),
            archive,
        })
    }
}
