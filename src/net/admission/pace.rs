//! How often each source may connect. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::chat::{Network, Source};

/// Below this number of networks nothing is swept.
const SWEEP_MIN: usize = 1_024;

/// When the networks that have connected lately will have no debt left: each connection adds to it the time
/// that one takes in the long run. A burst is the greatest debt that is allowed.
#[derive(Debug, Default)]
pub(super) struct ConnectPace {
    free_at: HashMap<Network, Instant>,
    /// At this number, those without a debt are dropped.
    sweep_at: usize,
}

impl ConnectPace {
    /// Counts a connection of this source; returns whether it is within the pace, at each step. A rate of 0
    /// is no limit.
    pub(super) fn take(
        &mut self,
        source: Source,
        per_second: f64,
        burst: u32,
        now: Instant,
    ) -> bool {
        if per_second == 0.0 {
            return true;
        }
        // The time for one connection, and for a burst less this one.
        let times = |network: Network| {
            let interval = Duration::from_secs(1).div_f64(per_second) / shares_of(network);
            (interval, interval * (burst.saturating_mul(shares_of(network)) - 1))
        };
        let debt = |network: &Network, all: &HashMap<Network, Instant>| {
            all.get(network).map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
        };
        if source.steps().any(|network| debt(&network, &self.free_at) > times(network).1) {
            return false;
        }
        for network in source.steps() {
            let debt = debt(&network, &self.free_at);
            self.free_at.insert(network, now + debt + times(network).0);
        }
        if self.free_at.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.free_at.retain(|_, at| *at > now);
            self.sweep_at = 2 * self.free_at.len();
        }
        true
    }
}

fn shares_of(network: Network) -> u32 {
    u32::try_from(network.shares()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    /// How many connections in a row are within 10 a second and 5 at once.
    fn run(pace: &mut ConnectPace, address: &str, now: Instant) -> usize {
        (0..1_000).take_while(|_| pace.take(source(address), 10.0, 5, now)).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let (mut pace, start) = (ConnectPace::default(), Instant::now());
        assert_eq!(run(&mut pace, "203.0.113.7", start), 5);
        assert_eq!(run(&mut pace, "203.0.113.7", start + Duration::from_millis(99)), 0);
        assert_eq!(run(&mut pace, "203.0.113.7", start + Duration::from_millis(301)), 3);
        assert_eq!(run(&mut pace, "203.0.113.8", start), 5, "another source");
        assert_eq!(run(&mut pace, "203.0.113.7", start + Duration::from_secs(60)), 5);
    }

    #[test]
    fn wider_networks_have_their_pace_as_well() {
        let (mut pace, start) = (ConnectPace::default(), Instant::now());
        let mut total = |address: &dyn Fn(u16) -> String| -> usize {
            (0..200).map(|i| run(&mut pace, &address(i), start)).sum()
        };
        assert_eq!(total(&|i| format!("2001:db8:0:{i:x}::1")), 20, "a /56");
        assert_eq!(total(&|i| format!("2001:db8:0:{:x}::1", i << 8)), 60, "its /48");
        assert_eq!(total(&|i| format!("2001:db8:{:x}::1", i + 1)), 1_000, "each another /48");
    }

    #[test]
    fn only_those_with_a_debt_are_remembered() {
        let (mut pace, start) = (ConnectPace::default(), Instant::now());
        for address in 0..100_000 {
            let now = start + Duration::from_millis(10) * address;
            assert!(pace.take(Source::V4(address), 10.0, 5, now));
        }
        assert!(pace.free_at.len() <= SWEEP_MIN, "{}", pace.free_at.len());
    }
}
