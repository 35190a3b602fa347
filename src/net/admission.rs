//! Admission control: how many connections there may be in all, and how many from one address.
//!
//! The listener's thread counts a connection when it accepts it. The session's thread counts it for
//! its address when that is known only from a proxy's header. One lock guards the counts; it is taken
//! when a connection opens and closes, never for a message. Which limits apply is the caller's
//! choice with each call, so that they can change while the server runs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections beyond the limit are accepted only to be refused with a response.
const MAX_REFUSALS: usize = 16;

/// Counts the connections of one server.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    counts: Mutex<Counts>,
}

/// How many connections there may be. 0 is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdmissionLimits {
    pub(crate) max_connections: usize,
    pub(crate) max_per_address: usize,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// What to do with a new connection.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// Serve it.
    Serve(Ticket),
    /// Tell the client that the server is full, and close.
    Refuse(Ticket),
    /// Close it without a response: there are too many from its address, or too many refusals at
    /// once.
    Drop,
}

/// One counted connection. Dropping it takes the connection off the counts.
#[derive(Debug)]
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Admission {
    /// Counts a new connection, also for `address` unless that is `None`.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        limits: AdmissionLimits,
    ) -> Admitted {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let max = limits.max_connections;
        if max != 0 && counts.connections >= max.saturating_add(MAX_REFUSALS) {
            return Admitted::Drop;
        }
        counts.connections += 1;
        let is_over = max != 0 && counts.connections > max;
        drop(counts);
        let mut ticket = Ticket { admission: self.clone(), address: None };
        if is_over {
            Admitted::Refuse(ticket)
        } else if address.is_none_or(|address| ticket.count_for(address, limits)) {
            Admitted::Serve(ticket)
        } else {
            Admitted::Drop
        }
    }
}

impl Ticket {
    /// Counts this connection for its address as well. Returns false when that address has too many.
    ///
    /// IPv6 counts per /64, the smallest network that a customer gets. Loopback is not counted: it
    /// may be a proxy, and a program on this machine can exhaust it in other ways.
    #[must_use]
    pub(crate) fn count_for(&mut self, address: IpAddr, limits: AdmissionLimits) -> bool {
        let max = limits.max_per_address;
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

/// The part of an address that connections are counted by.
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

    fn ticket(admission: &Arc<Admission>, limits: AdmissionLimits) -> Ticket {
        match admission.admit(None, limits) {
            Admitted::Serve(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn connections_beyond_the_limit_are_refused_and_then_dropped() {
        let admission = Arc::<Admission>::default();
        let limits = AdmissionLimits { max_connections: 2, ..AdmissionLimits::default() };
        let served = [ticket(&admission, limits), ticket(&admission, limits)];
        let refused: Vec<Admitted> =
            (0..MAX_REFUSALS).map(|_| admission.admit(None, limits)).collect();
        assert!(refused.iter().all(|admitted| matches!(admitted, Admitted::Refuse(_))));
        assert!(matches!(admission.admit(None, limits), Admitted::Drop));
        drop(refused);
        assert!(matches!(admission.admit(None, limits), Admitted::Refuse(_)));
        drop(served);
        assert!(matches!(admission.admit(None, limits), Admitted::Serve(_)));
    }

    #[test]
    fn limits_may_change_while_connections_are_open() {
        let admission = Arc::<Admission>::default();
        let no_limits = AdmissionLimits::default();
        let _served = [ticket(&admission, no_limits), ticket(&admission, no_limits)];
        let limits = AdmissionLimits { max_connections: 2, ..AdmissionLimits::default() };
        assert!(matches!(admission.admit(None, limits), Admitted::Refuse(_)));
        let limits = AdmissionLimits { max_connections: 3, ..AdmissionLimits::default() };
        assert!(matches!(admission.admit(None, limits), Admitted::Serve(_)));
    }

    #[test]
    fn addresses_are_counted_and_released() {
        let admission = Arc::<Admission>::default();
        let limits = AdmissionLimits { max_per_address: 2, ..AdmissionLimits::default() };
        let mut held = Vec::new();
        for (address, is_admitted) in [
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
            let mut ticket = ticket(&admission, limits);
            let address = address.parse().unwrap();
            assert_eq!(ticket.count_for(address, limits), is_admitted, "{address}");
            held.push(ticket);
        }
        let address = "203.0.113.1".parse().unwrap();
        assert!(matches!(admission.admit(Some(address), limits), Admitted::Drop));
        held.remove(0);
        assert!(ticket(&admission, limits).count_for(address, limits));
    }
}
