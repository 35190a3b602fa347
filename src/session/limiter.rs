//! Rate limits of one client: token buckets for what is allowed and for what is rejected. Pure.

use std::time::{Duration, Instant};

/// Limits the messages of one client.
#[derive(Debug)]
pub(super) struct RateLimiter {
    allowed: TokenBucket,
    /// Rejections have the same rate and burst. A client that exceeds these as well does not slow
    /// down when it is told to.
    rejected: TokenBucket,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RateDecision {
    Allow,
    /// Reject it. It will be allowed after `retry_after`.
    Reject {
        retry_after: Duration,
    },
    /// Disconnect the client, which goes on in spite of rejections.
    Disconnect,
}

/// Allows `burst` events at once and `per_second` in the long run.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    refilled_at: Instant,
}

impl RateLimiter {
    pub(super) fn new(per_second: f64, burst: u32, now: Instant) -> Self {
        let bucket = || TokenBucket::new(per_second, burst, now);
        Self { allowed: bucket(), rejected: bucket() }
    }

    /// Counts one message and decides about it.
    pub(super) fn check(&mut self, now: Instant) -> RateDecision {
        match self.allowed.take(now) {
            Ok(()) => RateDecision::Allow,
            Err(retry_after) if self.rejected.take(now).is_ok() => {
                RateDecision::Reject { retry_after }
            }
            Err(_) => RateDecision::Disconnect,
        }
    }
}

impl TokenBucket {
    /// A full bucket. A rate of 0 is no limit.
    pub(super) fn new(per_second: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { per_second, burst, tokens: burst, refilled_at: now }
    }

    /// Takes a token, or returns the time until there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let elapsed = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.burst);
        self.refilled_at = now;
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(10.0, 3, start);
        for _ in 0..3 {
            assert_eq!(limiter.check(start), RateDecision::Allow);
        }
        let RateDecision::Reject { retry_after } = limiter.check(start) else {
            panic!("a fourth at once")
        };
        assert_eq!(retry_after.as_millis(), 100);
        assert!(matches!(limiter.check(start + retry_after / 2), RateDecision::Reject { .. }));
        assert_eq!(limiter.check(start + retry_after), RateDecision::Allow);
        assert!(matches!(limiter.check(start + retry_after), RateDecision::Reject { .. }));
        assert_eq!(limiter.check(start + Duration::from_secs(9)), RateDecision::Allow);
    }

    #[test]
    fn disconnects_a_flood_but_not_a_client_that_is_slightly_too_fast() {
        let start = Instant::now();
        let mut flood = RateLimiter::new(10.0, 3, start);
        let decisions: Vec<RateDecision> = (0..7).map(|_| flood.check(start)).collect();
        let is_allowed = |decision: &&RateDecision| **decision == RateDecision::Allow;
        assert_eq!(decisions.iter().filter(is_allowed).count(), 3);
        assert_eq!(decisions[6], RateDecision::Disconnect);

        let mut brisk = RateLimiter::new(10.0, 3, start);
        for i in 0..1_000 {
            let decision = brisk.check(start + Duration::from_millis(60) * i);
            assert_ne!(decision, RateDecision::Disconnect, "message {i}");
        }
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(0.0, 1, start);
        assert!((0..1_000).all(|_| bucket.take(start).is_ok()));
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1.0, 1, start + Duration::from_secs(5));
        assert!(bucket.take(start).is_ok());
        assert_eq!(bucket.take(start), Err(Duration::from_secs(1)));
    }
}
