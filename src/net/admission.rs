//! Admission control: how many connections there may be, in all and from one source, and who has to go.
//!
//! A connection is at first a *visitor*: it is in its handshake, or gets one HTTP response. When it is
//! upgraded, it takes one of the places. The listener's thread counts a connection when it accepts it; its
//! session's thread counts it for a source that is known only from a proxy's header, and takes the place.
//! One lock guards the counts. It is taken when a connection opens, changes and closes, never for a message.
//!
//! Where there are too many visitors, the oldest one of the heaviest source is cut off for a newcomer, if the
//! newcomer's source is lighter or that visitor has had its time: so neither slow request heads nor one network
//! keep others out, and a crowd that comes at once does not cut off itself. Beyond the places for everyone
//! there is a reserve for those who resume. Which limits apply is the caller's choice with each call, so that
//! they can change while the server runs.

mod pace;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::warn;

use self::pace::ConnectPace;
use crate::chat::{Owner, Shares, Source};

/// How many visitors may be there beyond all places.
const ANTEROOM: usize = 64;

/// Of the places, this part is reserved for those who resume, in addition.
const RESERVE_PART: usize = 64;

/// The least and the most of the reserve.
const RESERVE: (usize, usize) = (8, 64);

/// One network may take this part of the reserve.
const RESERVE_SHARE: usize = 2;

/// A visitor is not cut off earlier than this for the sake of one whose source is no lighter.
const FRESH: Duration = Duration::from_secs(5);

/// The same where there is no room at all. It is enough for most, and a flood does not lock out everyone who
/// comes from where it comes from.
const FRESH_WHEN_FULL: Duration = Duration::from_millis(500);

/// Counts the connections of one server.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    counts: Mutex<Counts>,
}

/// How many connections there may be. 0 is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdmissionLimits {
    /// Places for upgraded connections.
    pub(crate) max_connections: usize,
    /// Connections of one source, visitors included.
    pub(crate) max_per_source: usize,
    /// Connections whose request head has not been read yet.
    pub(crate) max_handshakes: usize,
    /// The same, of one source.
    pub(crate) max_handshakes_per_source: usize,
    /// How many times one source may connect in the long run, and at once after a pause.
    pub(crate) connects_per_second: f64,
    pub(crate) connect_burst: u32,
}

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    SourceHasTooMany,
    TooFast,
    Full,
}

impl Error for NotAdmitted {}

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SourceHasTooMany => "too many connections from its network",
            Self::TooFast => "its network connects too often",
            Self::Full => "too many connections",
        })
    }
}

/// One counted connection. Dropping it takes the connection off the counts.
#[derive(Debug)]
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    id: u64,
    owner: Owner,
    /// It has a place; otherwise it is a visitor.
    has_place: bool,
    is_reserved: bool,
}

#[derive(Debug, Default)]
struct Counts {
    last_id: u64,
    /// All connections, by source. Visitors are spare, the oldest first.
    connections: Tally,
    /// Those whose request head has not been read.
    handshakes: Tally,
    /// Those that have one of the places.
    places: usize,
    /// Those that have a place of the reserve.
    reserve: Tally,
    visitors: HashMap<u64, Visitor>,
    pace: ConnectPace,
    /// The operator knows that one machine has many connections without a limit.
    has_warned: bool,
}

/// A number of connections, and their sources.
#[derive(Debug, Default)]
struct Tally {
    total: usize,
    shares: Shares<Reverse<u64>>,
}

/// A connection without a place.
#[derive(Debug)]
struct Visitor {
    owner: Owner,
    since: Instant,
    is_in_handshake: bool,
    /// Its socket, to cut it off; `None` in tests and benchmarks.
    socket: Option<TcpStream>,
}

impl Admission {
    /// Counts a new connection, also for its source unless that is not known yet. `socket` is a handle to
    /// cut it off.
    pub(crate) fn admit(
        self: &Arc<Self>,
        source: Option<Source>,
        socket: Option<TcpStream>,
        limits: AdmissionLimits,
        now: Instant,
    ) -> Result<Ticket, NotAdmitted> {
        let mut counts = self.lock();
        let id = counts.last_id + 1;
        let owner = Owner::new(source, id);
        if let Some(source) = source.filter(|source| !source.is_loopback()) {
            counts.check_source(source, limits, now)?;
            counts.make_room_for_handshake(source, limits, now)?;
        }
        let handshakes = &counts.handshakes;
        if limits.max_handshakes != 0 && handshakes.total >= limits.max_handshakes {
            let first = handshakes.shares.first();
            counts.cut_off(first, owner, now, FRESH);
        }
        if limits.max_connections != 0 && counts.connections.total >= limits.max_in_all() {
            let first = counts.connections.shares.first();
            if !counts.cut_off(first, owner, now, FRESH_WHEN_FULL) {
                return Err(NotAdmitted::Full);
            }
        }
        counts.last_id = id;
        let visitor = Visitor { owner, since: now, is_in_handshake: true, socket };
        counts.put_visitor(id, visitor);
        let is_crowd = source.is_some_and(|source| counts.is_unlimited_crowd(source, limits));
        drop(counts);
        warn_of_crowd(is_crowd, source);
        let admission = self.clone();
        Ok(Ticket { admission, id, owner, has_place: false, is_reserved: false })
    }

    /// How many connections are WebSockets.
    pub(crate) fn places(&self) -> usize {
        self.lock().places
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Counts this connection for a source that was not known when it was accepted. A loopback address
    /// has no limits of its own if it `is_exempt`: it may be a proxy.
    pub(crate) fn count_for(
        &mut self,
        source: Source,
        is_exempt: bool,
        limits: AdmissionLimits,
        now: Instant,
    ) -> Result<(), NotAdmitted> {
        let mut counts = self.admission.lock();
        if !(is_exempt && source.is_loopback()) {
            counts.check_source(source, limits, now)?;
        }
        if let Some(visitor) = counts.take_visitor(self.id) {
            self.owner = Owner::Source(source);
            counts.put_visitor(self.id, Visitor { owner: self.owner, ..visitor });
        }
        let is_crowd = is_exempt && counts.is_unlimited_crowd(source, limits);
        drop(counts);
        warn_of_crowd(is_crowd, Some(source));
        Ok(())
    }

    /// The request head has been read.
    pub(crate) fn end_handshake(&mut self) {
        let mut counts = self.admission.lock();
        if let Some(visitor) = counts.take_visitor(self.id) {
            counts.put_visitor(self.id, Visitor { is_in_handshake: false, ..visitor });
        }
    }

    /// Whether all places are taken, but for the reserve.
    pub(crate) fn is_full(&self, limits: AdmissionLimits) -> bool {
        limits.max_connections != 0 && self.admission.lock().places >= limits.max_connections
    }

    /// Takes a place. Returns false when there is none, or when this visitor has been cut off.
    #[must_use]
    pub(crate) fn take_place(&mut self, is_resuming: bool, limits: AdmissionLimits) -> bool {
        let mut counts = self.admission.lock();
        let is_reserved = limits.max_connections != 0 && counts.places >= limits.max_connections;
        if is_reserved && !(is_resuming && counts.has_reserve_for(self.owner, limits)) {
            return false;
        }
        if counts.take_visitor(self.id).is_none() {
            return false;
        }
        counts.connections.add(self.owner);
        counts.places += 1;
        if is_reserved {
            counts.reserve.add(self.owner);
        }
        (self.has_place, self.is_reserved) = (true, is_reserved);
        true
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        if self.has_place {
            counts.connections.remove(self.owner);
            counts.places -= 1;
            if self.is_reserved {
                counts.reserve.remove(self.owner);
            }
        } else {
            // It is not there any more if it has been cut off.
            counts.take_visitor(self.id);
        }
    }
}

impl Counts {
    /// Whether a source may have one more connection now.
    fn check_source(
        &mut self,
        source: Source,
        limits: AdmissionLimits,
        now: Instant,
    ) -> Result<(), NotAdmitted> {
        let (each, all) = (limits.max_per_source, limits.max_connections);
        if each != 0 {
            let mut steps = source.steps();
            let is_full = steps.any(|network| {
                self.connections.shares.weight(network) >= share(network.shares(), each, all)
            });
            if is_full {
                return Err(NotAdmitted::SourceHasTooMany);
            }
        }
        let (rate, burst) = (limits.connects_per_second, limits.connect_burst);
        if self.pace.take(source, rate, burst, now) { Ok(()) } else { Err(NotAdmitted::TooFast) }
    }

    /// Where a network has as many handshakes as it may have, its first one goes for the next.
    fn make_room_for_handshake(
        &mut self,
        source: Source,
        limits: AdmissionLimits,
        now: Instant,
    ) -> Result<(), NotAdmitted> {
        let (each, all) = (limits.max_handshakes_per_source, limits.max_handshakes);
        for network in source.steps().filter(|_| each != 0) {
            let shares = &self.handshakes.shares;
            if shares.weight(network) >= share(network.shares(), each, all) {
                let first = shares.first_in(network);
                if !self.cut_off(first, Owner::Source(source), now, FRESH) {
                    return Err(NotAdmitted::SourceHasTooMany);
                }
            }
        }
        Ok(())
    }

    /// Whether a connection from this source is the first above a limit that does not apply to it.
    fn is_unlimited_crowd(&mut self, source: Source, limits: AdmissionLimits) -> bool {
        let each = limits.max_per_source;
        let weight = |network| self.connections.shares.weight(network);
        let is_crowd =
            source.is_loopback() && each != 0 && source.steps().any(|step| weight(step) > each);
        is_crowd && !std::mem::replace(&mut self.has_warned, true)
    }

    fn has_reserve_for(&self, owner: Owner, limits: AdmissionLimits) -> bool {
        let reserve = limits.reserve();
        let is_in_share = match owner {
            Owner::Source(source) if !source.is_loopback() => source
                .steps()
                .all(|network| self.reserve.shares.weight(network) < reserve / RESERVE_SHARE),
            Owner::Source(_) | Owner::Nobody(_) => true,
        };
        is_in_share && self.places < limits.max_connections.saturating_add(reserve)
    }

    /// Cuts off a visitor for the sake of a newcomer; returns whether it did.
    fn cut_off(
        &mut self,
        visitor: Option<Reverse<u64>>,
        newcomer: Owner,
        now: Instant,
        fresh: Duration,
    ) -> bool {
        let Some(Reverse(id)) = visitor else { return false };
        let is_due = self.visitors.get(&id).is_some_and(|visitor| {
            now.saturating_duration_since(visitor.since) >= fresh
                || self.connections.shares.is_lighter(newcomer, visitor.owner)
        });
        if is_due && let Some(Visitor { socket: Some(socket), .. }) = self.take_visitor(id) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        is_due
    }

    /// Takes a visitor off the counts, if it is still there.
    fn take_visitor(&mut self, id: u64) -> Option<Visitor> {
        let visitor = self.visitors.remove(&id)?;
        self.connections.shares.withdraw(visitor.owner, Reverse(id));
        self.connections.remove(visitor.owner);
        if visitor.is_in_handshake {
            self.handshakes.shares.withdraw(visitor.owner, Reverse(id));
            self.handshakes.remove(visitor.owner);
        }
        Some(visitor)
    }

    fn put_visitor(&mut self, id: u64, visitor: Visitor) {
        self.connections.add(visitor.owner);
        self.connections.shares.offer(visitor.owner, Reverse(id));
        if visitor.is_in_handshake {
            self.handshakes.add(visitor.owner);
            self.handshakes.shares.offer(visitor.owner, Reverse(id));
        }
        self.visitors.insert(id, visitor);
    }
}

impl Tally {
    fn add(&mut self, owner: Owner) {
        self.total += 1;
        self.shares.add(owner);
    }

    fn remove(&mut self, owner: Owner) {
        self.total -= 1;
        self.shares.remove(owner);
    }
}

impl AdmissionLimits {
    fn reserve(self) -> usize {
        (self.max_connections / RESERVE_PART).clamp(RESERVE.0, RESERVE.1)
    }

    /// How many connections there may be, whatever they are.
    pub(crate) fn max_in_all(self) -> usize {
        self.max_connections.saturating_add(self.reserve()).saturating_add(ANTEROOM)
    }
}

/// What a network may hold of something of which a source may hold `each`: so many shares, but no more than
/// half of `all`, unless a single source may.
fn share(shares: usize, each: usize, all: usize) -> usize {
    let share = each.saturating_mul(shares);
    if all == 0 { share } else { share.min(each.max(all / 2)) }
}

fn warn_of_crowd(is_crowd: bool, source: Option<Source>) {
    if is_crowd && let Some(source) = source {
        warn!(
            "more than maxConnectionsPerIp connections come from {source}, where limits by address do not \
             apply; if that is a proxy, name it in \"trustedProxies\", and have it send X-Forwarded-For"
        );
    }
}
