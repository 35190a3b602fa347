//! How long to wait before the next attempt. Also the source of randomness, without a dependency.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after so many failures before this one: half a second, doubled up to 30 s. It is shortened
/// by up to a half at random, so that the clients of a server that restarts do not come back at once.
pub(crate) fn wait(failures: u32) -> Duration {
    let longest = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    longest * u32::try_from(50 + random() % 51).unwrap_or(100) / 100
}

/// A random number: each `RandomState` has keys of its own.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_differ() {
        let waits: Vec<Duration> = (0..40).map(wait).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[10..].iter().all(|wait| (LONGEST / 2..=LONGEST).contains(wait)));
        assert!(waits[10..].iter().any(|wait| *wait != waits[10]));
    }
}
