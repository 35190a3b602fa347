//! A node joins the cluster: it loads the newest snapshot, follows the log from there, and is part of it when its
//! own first batch comes back.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use log::info;

use super::batch::{Command, Join, MAX_SKIPPED};
use super::figures::Figures;
use super::nodes::{Break, LEVEL, LogEntry, Nodes, Verdict};
use super::present::last_entry;
use super::reader::{Reader, Wake};
use super::redis::{Engine, RedisError};
use super::replica::Replica;
use super::retention::SharedRetention;
use super::rooms::Rooms;
use super::store::LoadError;
use super::watch::{Reconnect, Watch};
use super::writer::Writer;
use super::{poison, rooms, store};
use crate::chat::{Chat, Effect, EntryId, Erased, Event, Memo, NodeId, RoomId, Rules, Said};
use crate::health::Health;
use crate::history::{self, HistoryError};

/// How long a joining node waits for the next entry.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a node says of itself when it joins.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    pub(crate) name: String,
    /// How long the others wait for a sign of life.
    pub(crate) lease: Duration,
    /// Those of its settings. They hold if the cluster has none.
    pub(crate) rules: Rules,
}

/// What a node is made of that has joined.
pub(crate) struct Joined {
    pub(crate) node: NodeId,
    pub(crate) chat: Chat,
    pub(crate) follower: Follower,
    pub(crate) rooms: Rooms,
    pub(crate) epoch: String,
}

/// What a node needs to go on following the log.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) engine: Engine,
    pub(crate) nodes: Nodes,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    _watch: Option<Watch>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) health: Arc<Health>,
    /// Read and not applied yet.
    pub(crate) ahead: Vec<LogEntry>,
}

/// Why a node could not join. The text says what to do.
#[derive(Debug)]
pub(crate) enum JoinError {
    Redis(RedisError),
    Load(LoadError),
    History(HistoryError),
    /// No thread could be started, or there is no randomness.
    Machine(std::io::Error),
    /// The cluster behaves by a level that this build does not know.
    TooOld {
        level: u32,
    },
    /// The first batch has not come back.
    Silence,
    /// The log was trimmed or lost entries while it was read.
    Moved,
}

/// Joins the cluster. `forked`: the place that this node had reached in a branch of the log that is lost.
pub(crate) fn join(
    engine: &Engine,
    me: &Me,
    retention: &SharedRetention,
    forked: Option<EntryId>,
    wake: &Wake,
    (figures, health): (&Arc<Figures>, &Arc<Health>),
) -> Result<Joined, JoinError> {
    let mut connection = engine.master().map_err(JoinError::Redis)?;
    let keys = engine.keys();
    let replica = store::load(&mut connection, keys).map_err(JoinError::Load)?;
    let last = last_entry(&mut connection, keys).map_err(JoinError::Redis)?;
    let poisoned = poison::poisoned(&mut connection, keys).map_err(JoinError::Redis)?;
    drop(connection);
    let replica = replica.unwrap_or_else(Replica::fresh);
    let node = random_node().map_err(JoinError::Machine)?;
    let rooms = rooms::history(engine, retention, &replica.chat);
    let reconnect = Reconnect::default();
    let entries = Reader::start(
        engine.clone(),
        replica.nodes.place(),
        poisoned.clone(),
        reconnect.reader.clone(),
        wake.clone(),
        figures.clone(),
    )
    .map_err(JoinError::Machine)?;
    let watch = engine
        .has_sentinels()
        .then(|| Watch::start(engine.clone(), figures.clone(), reconnect.clone()))
        .transpose()
        .map_err(JoinError::Machine)?;
    let writer = Writer::start(engine.clone(), node, figures.clone(), reconnect)
        .map_err(JoinError::Machine)?;
    let mut joining = Joining { node, replica, rooms, effects: Vec::new(), ahead: Vec::new() };
    // Only then it joins: while it reads what has been before, it cannot show that it lives.
    let goal = last.map_or(0, |(place, _)| place.n);
    joining.follow(&entries, |joining| joining.replica.nodes.place().n >= goal)?;
    let introduction = introduction(me, forked, &poisoned);
    // If the thread has ended, nothing comes back.
    let _ = writer.send(vec![Command::Join(Box::new(introduction))]);
    joining.follow(&entries, |joining| joining.replica.nodes.counter(node).is_some())?;
    writer.confirm(1);
    let Joining { replica: Replica { nodes, chat }, rooms, ahead, .. } = joining;
    let epoch = nodes.epoch();
    info!("this node has joined the cluster as {:016x} at entry {}", node.0, nodes.place().n);
    let follower = Follower {
        engine: engine.clone(),
        nodes,
        reader: entries,
        writer,
        _watch: watch,
        figures: figures.clone(),
        health: health.clone(),
        ahead: ahead.into_iter().rev().collect(),
    };
    Ok(Joined { node, chat, follower, rooms, epoch })
}

/// A node that follows the log and is not part of the cluster yet.
struct Joining {
    node: NodeId,
    replica: Replica,
    rooms: Rooms,
    /// A buffer, empty in between.
    effects: Vec<Effect>,
    /// Read and not applied yet.
    ahead: Vec<LogEntry>,
}

impl Joining {
    /// Applies entries until it is there.
    fn follow(
        &mut self,
        entries: &Reader,
        is_there: impl Fn(&Self) -> bool,
    ) -> Result<(), JoinError> {
        while !is_there(self) {
            if self.ahead.is_empty() {
                self.ahead = entries.wait(PATIENCE).ok_or(JoinError::Silence)?;
                self.ahead.reverse();
            }
            if let Some(entry) = self.ahead.pop() {
                self.apply(entry)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, entry: LogEntry) -> Result<(), JoinError> {
        let is_own = entry.batch.as_ref().is_some_and(|batch| batch.node == self.node);
        let taken = self.replica.apply(entry, &mut self.effects);
        self.keep()?;
        match taken {
            Ok(taken) if is_own && taken.verdict == Verdict::Fenced => {
                Err(JoinError::TooOld { level: self.replica.nodes.level() })
            }
            Ok(_) => Ok(()),
            Err(Break::Newer { level }) => Err(JoinError::TooOld { level }),
            Err(Break::Behind | Break::Forked) => Err(JoinError::Moved),
        }
    }

    /// Keeps what was said since the snapshot.
    fn keep(&mut self) -> Result<(), JoinError> {
        let mut said: Vec<(RoomId, Said)> = Vec::new();
        let mut memos: Vec<Memo> = Vec::new();
        let mut erased: Vec<(RoomId, Erased)> = Vec::new();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Tell { room, event: Event::Said(it), .. } => said.push((room, it)),
                Effect::Tell { room, event: Event::Erased(it), .. } => erased.push((room, it)),
                Effect::Store(memo) => memos.push(memo),
                _ => {}
            }
        }
        // An entry may have changed it.
        self.rooms.history.set_max_events(self.replica.chat.max_kept());
        let said: Vec<(RoomId, &Said)> = said.iter().map(|(room, it)| (*room, it)).collect();
        let batch = history::Batch { said: &said, memos: &memos };
        self.rooms.history.commit(batch).map_err(JoinError::History)?;
        for (room, erased) in erased {
            self.rooms.history.erase(room, erased);
        }
        Ok(())
    }
}

fn introduction(me: &Me, forked: Option<EntryId>, poisoned: &BTreeSet<EntryId>) -> Join {
    Join {
        name: me.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lease: me.lease,
        max_level: LEVEL,
        base: history::new_epoch(),
        rules: me.rules.clone(),
        forked,
        // The last ones: no node that lives has applied the others.
        skipped: poisoned.iter().rev().take(MAX_SKIPPED).copied().collect(),
    }
}

/// The number of a node: it has another one each time it joins.
fn random_node() -> std::io::Result<NodeId> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(NodeId(u64::from_be_bytes(bytes)))
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::History(error) => error.fmt(f),
            Self::Machine(error) => error.fmt(f),
            Self::TooOld { level } => write!(
                f,
                "the cluster behaves by level {level}, and this wschat knows levels up to {LEVEL} only: install \
                 the version that the other nodes have"
            ),
            Self::Silence => write!(
                f,
                "what is in the log has not come for {} s: see whether the server that it \
                 reads from follows the one that it writes to (`redis-cli info replication`)",
                PATIENCE.as_secs()
            ),
            Self::Moved => {
                f.write_str("the log has been trimmed while this node read it: it reads again")
            }
        }
    }
}

impl std::error::Error for JoinError {}
