//! The pace: how much a session, and the source that it comes from, may ask of the server.
//!
//! A pace is charged by what a request costs: the request itself, its length, the bytes of the answer, and
//! the bytes that others are sent because of it. The unit is one short message. A session keeps its pace
//! when it is resumed, so nobody gets a fresh burst by reconnecting. All sessions of one source share a pace
//! as well, and so do those of the wider networks around it.
//!
//! Session threads count what they read. The dispatcher's thread charges what follows from it. One small
//! lock guards each pace; none is held while anything else happens.

mod bucket;
mod standstill;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chat::{Network, ResumeKey, Source};

use bucket::FadingSum;
pub(crate) use bucket::TokenBucket;
pub(crate) use standstill::BEAT;
use standstill::{Beats, Standstill};

/// How many bytes from a client cost as much as one message.
const BYTES_IN: f64 = 65_536.0;

/// How many bytes each WebSocket frame counts for, besides its own: an empty frame costs time, too.
const BYTES_PER_FRAME: usize = 6_554;

/// A read counts for at least this many bytes, even if it brings one: it costs a system call, and under TLS
/// the decryption of some records.
const MIN_READ: usize = 2_048;

/// How many bytes of answers cost as much as one message.
const BYTES_ANSWERED: f64 = 65_536.0;

/// How many bytes, sent to all members of a room together, cost as much as one message.
const BYTES_TOLD: f64 = 1_048_576.0;

/// For how long what a room was told counts towards the share of its author.
pub(crate) const SHARE_LIFETIME: Duration = Duration::from_secs(4);

/// How much more than one session the sessions of a source may do together. Wider networks may do so for
/// each of their shares.
const SOURCE_FACTOR: usize = 10;

/// The paces of one server.
#[derive(Debug)]
pub(crate) struct Paces {
    started: Instant,
    beats: Arc<Beats>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<ResumeKey, Arc<Mutex<Buckets>>>,
    networks: HashMap<Network, Arc<Mutex<Buckets>>>,
    /// At this number of entries, those that are as good as new are forgotten.
    sweep_at: usize,
}

/// The rates of a session. A rate of 0 messages is no limit, and then nothing is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaceLimits {
    pub(crate) messages_per_second: f64,
    pub(crate) message_burst: u32,
    pub(crate) rooms_per_second: f64,
    pub(crate) room_burst: u32,
}

/// The pace of one connection: that of its session, and those of its networks.
#[derive(Debug)]
pub(crate) struct Pace {
    started: Instant,
    beats: Arc<Beats>,
    /// Otherwise nothing is counted.
    is_limited: AtomicBool,
    session: Arc<Mutex<Buckets>>,
    networks: Vec<Arc<Mutex<Buckets>>>,
    source: Source,
}

/// What rooms were told lately by one author.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// How many bytes this session has said.
    pub(crate) by_session: f64,
    /// The same for the network of it that has said most.
    pub(crate) by_networks: f64,
    /// How long the session has been known.
    pub(crate) age: Duration,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RateDecision {
    Allow,
    /// Reject it. It will be allowed after `retry_after`.
    Reject {
        retry_after: Duration,
    },
    /// Disconnect the client, which goes on in spite of rejections.
    Disconnect,
}

#[derive(Debug)]
struct Buckets {
    /// How many connections use it.
    connections: usize,
    /// How much more than one session these may do together.
    factor: f64,
    messages: TokenBucket,
    /// Rejections have the same rate and burst. A client that exceeds these as well does not slow
    /// down when it is told to.
    rejections: TokenBucket,
    /// Bytes and frames, whatever they hold. A client that exceeds this is not read from for a while.
    intake: TokenBucket,
    rooms: TokenBucket,
    /// The bytes of messages that rooms were told recently.
    told: FadingSum,
    /// The number of the last standstill that was made up for.
    made_up_for: u64,
    created_at: Duration,
}

impl Default for Paces {
    fn default() -> Self {
        Self { started: Instant::now(), beats: Arc::default(), known: Mutex::default() }
    }
}

impl Paces {
    /// The pace of a new connection from `source`. `keys` are those by which it may be resumed: whether the
    /// first one is good is decided later. If that has a pace, this is it; otherwise the pace is from then on
    /// that of all of them. Without a key, the pace ends with the connection.
    ///
    /// A loopback address has no pace of its own: behind it may be a proxy, and with that all clients.
    pub(crate) fn connect(&self, keys: &[ResumeKey], source: Source, limits: PaceLimits) -> Pace {
        let now = self.started.elapsed();
        let is_limited = AtomicBool::new(limits.is_limited());
        let mut known = lock(&self.known);
        known.sweep(now);
        let new = || Arc::new(Mutex::new(Buckets::new(limits, 1.0, now)));
        let resumed = keys.first().and_then(|key| known.sessions.get(key)).cloned();
        let session = resumed.unwrap_or_else(|| {
            let session = new();
            known.sessions.extend(keys.iter().map(|key| (*key, session.clone())));
            session
        });
        lock(&session).set_limits(limits, now);
        let networks = if source.is_loopback() { None } else { Some(source.steps()) };
        let networks = networks.into_iter().flatten().map(|network| {
            let factor = as_f64(SOURCE_FACTOR * network.shares());
            let new = || Arc::new(Mutex::new(Buckets::new(limits, factor, now)));
            let buckets = known.networks.entry(network).or_insert_with(new);
            lock(buckets).set_limits(limits, now);
            buckets.clone()
        });
        let networks = networks.collect();
        let (started, beats) = (self.started, self.beats.clone());
        let pace = Pace { started, beats, is_limited, session, networks, source };
        pace.for_all(|buckets| buckets.connections += 1);
        pace
    }
}

impl Paces {
    /// To be called every [`BEAT`]. Returns for how long the process had stood still before, if it had.
    pub(crate) fn beat(&self) -> Option<Duration> {
        self.beats.beat(self.started.elapsed()).map(|standstill| standstill.length)
    }
}

impl Known {
    /// Now and then forgets the paces that nobody uses and that are as good as new.
    fn sweep(&mut self, now: Duration) {
        const MIN_SWEEP: usize = 1_024;
        if self.sessions.len() + self.networks.len() < self.sweep_at.max(MIN_SWEEP) {
            return;
        }
        let is_used = |buckets: &Arc<Mutex<Buckets>>| {
            let mut buckets = lock(buckets);
            buckets.connections > 0 || !buckets.is_full(now)
        };
        self.sessions.retain(|_, buckets| is_used(buckets));
        self.networks.retain(|_, buckets| is_used(buckets));
        // Doubling spreads the cost of a sweep over many connections.
        self.sweep_at = 2 * (self.sessions.len() + self.networks.len());
    }
}

impl Pace {
    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// Counts one message of `len` bytes, and decides about it.
    pub(crate) fn message(&self, len: usize) -> RateDecision {
        if !self.is_limited() {
            return RateDecision::Allow;
        }
        let now = self.started.elapsed();
        let cost = (as_f64(len) / BYTES_IN).max(1.0);
        let mut wait = self.longest_wait(|buckets| buckets.messages.wait(cost, now));
        if !wait.is_zero()
            && let Some(standstill) = self.beats.standstill(now)
        {
            self.for_all(|buckets| buckets.make_up_for(standstill));
            wait = self.longest_wait(|buckets| buckets.messages.wait(cost, now));
        }
        if wait.is_zero() {
            self.for_all(|buckets| buckets.messages.charge(cost, now));
            return RateDecision::Allow;
        }
        match lock(&self.session).rejections.take(1.0, now) {
            Ok(()) => RateDecision::Reject { retry_after: wait },
            Err(_) => RateDecision::Disconnect,
        }
    }

    /// Counts the creation of a room, or returns the time until it is allowed.
    pub(crate) fn take_room(&self) -> Result<(), Duration> {
        let now = self.started.elapsed();
        let wait = self.longest_wait(|buckets| buckets.rooms.wait(1.0, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.for_all(|buckets| buckets.rooms.charge(1.0, now));
        Ok(())
    }

    /// Takes back [`Pace::take_room`], as no room was created.
    pub(crate) fn refund_room(&self) {
        self.for_all(|buckets| buckets.rooms.refund(1.0));
    }

    /// Counts what was read at once. Returns how long to read nothing more.
    pub(crate) fn intake(&self, bytes: usize, frames: usize) -> Duration {
        if !self.is_limited() {
            return Duration::ZERO;
        }
        let now = self.started.elapsed();
        let bytes = bytes.max(MIN_READ);
        let cost = as_f64(bytes.saturating_add(frames.saturating_mul(BYTES_PER_FRAME)));
        self.longest_wait(|buckets| {
            buckets.intake.charge(cost, now);
            buckets.intake.wait(0.0, now)
        })
    }

    /// Charges an answer of `bytes` to this client. The request itself pays for the first
    /// [`BYTES_ANSWERED`].
    pub(crate) fn charge_answer(&self, bytes: usize) {
        self.charge(as_f64(bytes) / BYTES_ANSWERED - 1.0);
    }

    /// Charges `bytes` that all members of a room together are sent because of a request of this client,
    /// which itself pays for the first [`BYTES_TOLD`].
    pub(crate) fn charge_told(&self, bytes: usize) {
        self.charge(as_f64(bytes) / BYTES_TOLD - 1.0);
    }

    /// Notes that a room was told a message of this many bytes.
    pub(crate) fn note_told(&self, bytes: usize) {
        if self.is_limited() {
            let now = self.started.elapsed();
            self.for_all(|buckets| buckets.told.add(as_f64(bytes), SHARE_LIFETIME, now));
        }
    }

    /// What counts when a room is near its rate.
    pub(crate) fn told(&self) -> Told {
        let now = self.started.elapsed();
        let told = |buckets: &Arc<Mutex<Buckets>>| lock(buckets).told.value(SHARE_LIFETIME, now);
        let by_networks = self.networks.iter().map(told).fold(0.0, f64::max);
        let age = now.saturating_sub(lock(&self.session).created_at);
        Told { by_session: told(&self.session), by_networks, age }
    }

    /// Changes the limits of the session and of its networks. What they have used counts on.
    pub(crate) fn set_limits(&self, limits: PaceLimits) {
        let now = self.started.elapsed();
        self.for_all(|buckets| buckets.set_limits(limits, now));
        self.is_limited.store(limits.is_limited(), Ordering::Relaxed);
    }

    fn is_limited(&self) -> bool {
        self.is_limited.load(Ordering::Relaxed)
    }

    fn charge(&self, cost: f64) {
        if self.is_limited() && cost > 0.0 {
            let now = self.started.elapsed();
            self.for_all(|buckets| buckets.messages.charge(cost, now));
        }
    }

    fn longest_wait(&self, mut wait: impl FnMut(&mut Buckets) -> Duration) -> Duration {
        self.all().map(|buckets| wait(&mut lock(buckets))).max().unwrap_or_default()
    }

    fn for_all(&self, mut f: impl FnMut(&mut Buckets)) {
        self.all().for_each(|buckets| f(&mut lock(buckets)));
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Mutex<Buckets>>> {
        std::iter::once(&self.session).chain(&self.networks)
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.for_all(|buckets| buckets.connections -= 1);
    }
}

impl Buckets {
    fn new(limits: PaceLimits, factor: f64, now: Duration) -> Self {
        let bucket = |(per_second, burst)| TokenBucket::new(per_second, burst, now);
        Self {
            connections: 0,
            factor,
            messages: bucket(limits.messages(factor)),
            rejections: bucket(limits.messages(factor)),
            intake: bucket(limits.intake(factor)),
            rooms: bucket(limits.rooms(factor)),
            told: FadingSum::default(),
            made_up_for: 0,
            created_at: now,
        }
    }

    fn set_limits(&mut self, limits: PaceLimits, now: Duration) {
        let factor = self.factor;
        for (bucket, (per_second, burst)) in [
            (&mut self.messages, limits.messages(factor)),
            (&mut self.rejections, limits.messages(factor)),
            (&mut self.intake, limits.intake(factor)),
            (&mut self.rooms, limits.rooms(factor)),
        ] {
            bucket.set_rate(per_second, burst, now);
        }
    }

    /// Allows for what was sent while the process stood still, once.
    fn make_up_for(&mut self, standstill: Standstill) {
        // It is reckoned from the last beat, and has begun later.
        let was_there = self.created_at + standstill.length <= standstill.ended + 2 * BEAT;
        if was_there && self.made_up_for != standstill.number {
            self.made_up_for = standstill.number;
            self.messages.make_up_for(standstill.length);
            self.intake.make_up_for(standstill.length);
        }
    }

    /// Whether a new pace would be the same.
    fn is_full(&mut self, now: Duration) -> bool {
        let buckets = [&mut self.messages, &mut self.rejections, &mut self.intake, &mut self.rooms];
        buckets.into_iter().all(|bucket| bucket.is_full(now))
            && self.told.value(SHARE_LIFETIME, now) < 1.0
    }
}

impl PaceLimits {
    fn is_limited(self) -> bool {
        self.messages_per_second != 0.0
    }

    fn messages(self, factor: f64) -> (f64, f64) {
        (self.messages_per_second * factor, f64::from(self.message_burst) * factor)
    }

    fn intake(self, factor: f64) -> (f64, f64) {
        let (per_second, burst) = self.messages(factor);
        (per_second * BYTES_IN, burst * BYTES_IN)
    }

    fn rooms(self, factor: f64) -> (f64, f64) {
        (self.rooms_per_second * factor, f64::from(self.room_burst) * factor)
    }
}

/// Numbers of bytes are small enough to be exact.
pub(crate) fn as_f64(bytes: usize) -> f64 {
    u32::try_from(bytes).map_or(f64::from(u32::MAX), f64::from)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers are whole at any moment, so a panic does not poison them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(any(test, feature = "bench"))]
impl Pace {
    /// A pace that limits nothing.
    pub(crate) fn unlimited() -> Arc<Self> {
        let limits = PaceLimits {
            messages_per_second: 0.0,
            message_burst: 1,
            rooms_per_second: 0.0,
            room_burst: 1,
        };
        Arc::new(Paces::default().connect(&[], Source::SAMPLE, limits))
    }
}

#[cfg(test)]
impl Paces {
    /// As if they had been there for a long time. Sessions are new when they connect, and known for as long
    /// when [`Pace::grow_old`] has been called.
    pub(crate) fn old() -> Self {
        let started =
            Instant::now().checked_sub(Duration::from_secs(60)).expect("the machine is up");
        Self { started, ..Self::default() }
    }
}

#[cfg(test)]
impl Pace {
    pub(crate) fn grow_old(&self) {
        lock(&self.session).created_at = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests;
