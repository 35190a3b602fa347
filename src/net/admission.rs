//! Who may connect: how many in all, and how many from one address.
//!
//! Counted by the listener's thread and by session threads, under one lock that is taken once when a
//! connection comes and once when it goes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections beyond the limit that are kept just long enough to be told so.
const TURNED_AWAY_AT_ONCE: usize = 16;

/// Counts connections against the limits. 0 is no limit.
#[derive(Debug)]
pub(crate) struct Admission {
    max_connections: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// What a new connection may do.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Be served.
    Welcome(Ticket),
    /// Be told that the server is full.
    TurnedAway(Ticket),
    /// Nothing: there are too many from its address, or even too many who are told so.
    Dropped,
}

/// The right to one connection; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Admission {
    pub(crate) fn new(max_connections: usize, max_per_address: usize) -> Arc<Self> {
        let counts = Mutex::default();
        Arc::new(Self { max_connections, max_per_address, counts })
    }

    /// Counts one more connection, and, unless `address` is `None`, one more from that address.
    pub(crate) fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Entry {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let max = self.max_connections;
        if max != 0 && counts.connections >= max.saturating_add(TURNED_AWAY_AT_ONCE) {
            return Entry::Dropped;
        }
        counts.connections += 1;
        let is_over = max != 0 && counts.connections > max;
        drop(counts);
        let mut ticket = Ticket { admission: self.clone(), address: None };
        if is_over {
            Entry::TurnedAway(ticket)
        } else if address.is_none_or(|address| ticket.count_for(address)) {
            Entry::Welcome(ticket)
        } else {
            Entry::Dropped
        }
    }
}

impl Ticket {
    /// Counts this connection for its address, too; false when there are too many from there.
    ///
    /// An IPv6 address counts for its /64, the least that anybody is given. Loopback is not counted:
    /// it may be a proxy, and whoever is on the same machine has other ways.
    #[must_use]
    pub(crate) fn count_for(&mut self, address: IpAddr) -> bool {
        let max = self.admission.max_per_address;
        let address = network(address);
        if max == 0 || address.is_loopback() {
            return true;
        }
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.by_address.entry(address).or_default();
        if *count >= max {
            return false;
        }
        *count += 1;
        self.address = Some(address);
        true
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.connections -= 1;
        if let Some(address) = self.address
            && let Some(count) = counts.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

/// The part of an address by which connections are counted.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)))
        }
        canonical => canonical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(admission: &Arc<Admission>) -> Ticket {
        match admission.enter(None) {
            Entry::Welcome(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn beyond_the_limit_some_are_told_and_the_rest_dropped() {
        let admission = Admission::new(2, 0);
        let served = [ticket(&admission), ticket(&admission)];
        let told: Vec<Entry> = (0..TURNED_AWAY_AT_ONCE).map(|_| admission.enter(None)).collect();
        assert!(told.iter().all(|entry| matches!(entry, Entry::TurnedAway(_))));
        assert!(matches!(admission.enter(None), Entry::Dropped));
        drop(told);
        assert!(matches!(admission.enter(None), Entry::TurnedAway(_)));
        drop(served);
        assert!(matches!(admission.enter(None), Entry::Welcome(_)));
    }

    #[test]
    fn addresses_are_counted_and_given_back() {
        let admission = Admission::new(0, 2);
        let mut held = Vec::new();
        for (address, welcome) in [
            ("203.0.113.1", true),
            ("::ffff:203.0.113.1", true),
            ("203.0.113.1", false),
            ("203.0.113.2", true),
            ("2001:db8::1", true),
            ("2001:db8::2", true),
            ("2001:db8:0:0:ffff::3", false),
            ("2001:db8:0:1::1", true),
            ("127.0.0.1", true),
            ("127.0.0.1", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("::1", true),
            ("::1", true),
        ] {
            let mut ticket = ticket(&admission);
            assert_eq!(ticket.count_for(address.parse().unwrap()), welcome, "{address}");
            held.push(ticket);
        }
        let address = Some("203.0.113.1".parse().unwrap());
        assert!(matches!(admission.enter(address), Entry::Dropped));
        held.remove(0);
        assert!(ticket(&admission).count_for("203.0.113.1".parse().unwrap()));
    }
}
