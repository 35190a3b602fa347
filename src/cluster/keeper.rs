//! The keeper: what was said gets from the log into the streams of the rooms, and the log stays short.
//!
//! A thread on each node runs it; the one that has the lease is at work. It follows the log with a replica of its own,
//! never with what its node has in memory, so a node that goes wrong cannot spoil what is kept. It writes to the
//! server that it has read from, over the same connection: what that server has of the streams never is of an entry
//! that it has lost. Now and then it saves a snapshot, and trims the log.
//!
//! | file | owns |
//! |---|---|
//! | `keeper.rs` | the thread: when it does what |
//! | `lease.rs` | who is at work |
//! | `follower.rs` | the replica, and what is due |
//! | `writer.rs` | what is written into the streams |
//! | `upkeep.rs` | what is trimmed there |

mod follower;
mod lease;
mod upkeep;
mod writer;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use log::{info, warn};
use redis::cmd;

use super::figures::Figures;
use super::redis::{Connection, Engine, Keys, RedisError, info_field, text};
use super::retention::SharedRetention;
use super::store::{self, LoadError};
use crate::trouble::Trouble;
use follower::Follower;
use lease::Lease;
#[cfg(test)]
pub(super) use upkeep::trim;
#[cfg(any(test, feature = "sqlite"))]
pub(super) use writer::Writer;

/// How long a keeper that is not heard of has the lease.
const LEASE: Duration = Duration::from_secs(6);

/// How long what was said may take until it is in its room's stream: it is written in batches.
const WRITE_PAUSE: Duration = Duration::from_millis(100);

/// How long the thread waits for an entry. It does nothing else meanwhile, such as ending.
const READ_PAUSE: Duration = Duration::from_millis(200);

/// How many entries are read at once.
const READ_ENTRIES: usize = 1_000;

/// After how long it tries again what has failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How often the log says that it still fails.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// How often Redis is asked how much memory it uses.
const MEMORY_PAUSE: Duration = Duration::from_secs(10);

/// See the module's documentation.
pub(crate) struct Keeper {
    engine: Engine,
    lease: Lease,
    retention: SharedRetention,
    figures: Arc<Figures>,
    memory_due: Instant,
}

/// Why the keeper cannot go on for the moment.
#[derive(Debug)]
enum KeeperError {
    Redis(RedisError),
    Load(LoadError),
    /// The log begins later than the newest snapshot.
    Behind,
    /// The cluster has a level of behaviour that this program does not know.
    Newer {
        level: u32,
    },
    Panicked,
}

/// How a turn has ended.
enum End {
    Stopped,
    LeaseLost,
}

impl Keeper {
    /// `node` is the name of this node.
    pub(crate) fn new(
        engine: Engine,
        node: &str,
        retention: SharedRetention,
        figures: Arc<Figures>,
    ) -> Self {
        let lease = Lease::new(unique(node), LEASE);
        let memory_due = Instant::now();
        Self { engine, lease, retention, figures, memory_due }
    }

    /// Runs until something comes from `stop`, or nothing can come any more. A keeper at work then saves a snapshot
    /// and gives its lease back. What fails is tried again.
    pub(crate) fn run(mut self, stop: &Receiver<()>) {
        let mut trouble = Trouble::told_every(WARN_EVERY);
        loop {
            // A panic while an entry is applied: nothing of the replica is used any more.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(stop)));
            self.figures.is_keeper.store(false, Ordering::Relaxed);
            let error = match turn {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(_) => KeeperError::Panicked,
            };
            if trouble.is_news() {
                warn!("cluster: what is said is not kept for the moment: {error}");
            }
            // What is not for want of Redis another keeper may do better.
            let pause = match error {
                KeeperError::Redis(_) => RETRY_PAUSE,
                _ => LEASE,
            };
            if is_stopped(stop, pause) {
                return;
            }
        }
    }

    /// Works over one connection, until `stop` says so.
    fn turn(&mut self, stop: &Receiver<()>) -> Result<(), KeeperError> {
        let mut connection = self.engine.master()?;
        loop {
            while !self.lease.take(&mut connection, self.engine.keys())? {
                self.measure(&mut connection)?;
                if is_stopped(stop, self.lease.pause()) {
                    return Ok(());
                }
            }
            self.figures.is_keeper.store(true, Ordering::Relaxed);
            info!("cluster: this node keeps what is said, with Redis at {}", connection.address());
            let end = match self.work(&mut connection, stop) {
                Err(error @ KeeperError::Redis(_)) => return Err(error),
                Err(error) => {
                    self.lease.give_back(&mut connection, self.engine.keys())?;
                    return Err(error);
                }
                Ok(end) => end,
            };
            self.figures.is_keeper.store(false, Ordering::Relaxed);
            match end {
                End::Stopped => return Ok(()),
                End::LeaseLost => {}
            }
            info!("cluster: another node keeps what is said");
        }
    }

    /// Follows the log while the lease is this keeper's. It begins with the snapshot of this server, which has all that
    /// came before it in the streams as well: what an earlier connection was told to have written may be lost.
    fn work(
        &mut self,
        connection: &mut Connection,
        stop: &Receiver<()>,
    ) -> Result<End, KeeperError> {
        let keys = self.engine.keys().clone();
        let mut follower = Follower::load(connection, &keys)?;
        self.follow(&mut follower, connection, &keys, stop)
    }

    fn follow(
        &mut self,
        follower: &mut Follower,
        connection: &mut Connection,
        keys: &Keys,
        stop: &Receiver<()>,
    ) -> Result<End, KeeperError> {
        loop {
            let began = Instant::now();
            let is_full = follower.read(connection, keys)?;
            if self.lease.is_due() && !self.lease.take(connection, keys)? {
                return Ok(End::LeaseLost);
            }
            follower.write(connection, keys)?;
            follower.upkeep(connection, keys, self.retention.get().max_age)?;
            follower.save_if_due(connection, keys, &self.figures)?;
            self.measure(connection)?;
            let pause = if is_full { Duration::ZERO } else { WRITE_PAUSE };
            if is_stopped(stop, pause.saturating_sub(began.elapsed())) {
                follower.save(connection, keys, &self.figures)?;
                self.lease.give_back(connection, keys)?;
                return Ok(End::Stopped);
            }
        }
    }

    /// Notes how much memory Redis uses, who is the keeper, and which snapshot is the newest, if it is time to.
    fn measure(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        if Instant::now() < self.memory_due {
            return Ok(());
        }
        self.memory_due = Instant::now() + MEMORY_PAUSE;
        let reply = connection.call(cmd("INFO").arg("memory"))?;
        let info = text(&reply).unwrap_or_default();
        let field = |name| info_field(info, name).and_then(|it| it.parse().ok()).unwrap_or(0);
        self.figures.redis_bytes.store(field("used_memory"), Ordering::Relaxed);
        self.figures.redis_max_bytes.store(field("maxmemory"), Ordering::Relaxed);
        let keys = self.engine.keys();
        let owner = connection.call(cmd("GET").arg(keys.keeper()))?;
        self.figures.set_keeper(text(&owner).and_then(node_of));
        if let Some((n, bytes, at)) = store::newest(connection, keys)? {
            self.figures.snapshot_n.store(n, Ordering::Relaxed);
            self.figures.snapshot_bytes.store(bytes, Ordering::Relaxed);
            self.figures.snapshot_at.store(at, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The name of a keeper: that of its node, and 64 random bits.
fn unique(node: &str) -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    format!("{node} {:016x}", u64::from_be_bytes(bytes))
}

/// The name of the node of a keeper with this name.
fn node_of(keeper: &str) -> Option<&str> {
    Some(keeper.rsplit_once(' ')?.0)
}

/// Waits so long for the word to stop.
fn is_stopped(stop: &Receiver<()>, pause: Duration) -> bool {
    !stop.recv_timeout(pause).is_err_and(|error| error.is_timeout())
}

impl From<RedisError> for KeeperError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl From<LoadError> for KeeperError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl fmt::Display for KeeperError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(out),
            Self::Load(error) => error.fmt(out),
            Self::Behind => out.write_str(
                "the log in Redis lacks entries that came after the newest snapshot; if a backup of Redis has both, \
                 restore it",
            ),
            Self::Newer { level } => write!(
                out,
                "the cluster has level {level}, which this version of wschat does not know; install the version that \
                 the other nodes have",
            ),
            Self::Panicked => out.write_str(
                "an entry of the log made the keeper panic; what it says is above, and it begins again from the \
                 newest snapshot",
            ),
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Keeper").field("lease", &self.lease).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests;
