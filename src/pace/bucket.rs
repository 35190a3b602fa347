//! Token buckets. Pure: the caller says what time it is.

use std::time::Duration;

/// How many bursts a bucket may be in debt. More is forgiven, so that nobody is refused for long.
const MAX_DEBT_BURSTS: f64 = 10.0;

/// Allows `burst` at once and `per_second` in the long run.
///
/// The time of all calls counts from the same moment. A rate of 0 is no limit.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    /// Tokens beyond the burst, which are used first.
    extra: f64,
    refilled_at: Duration,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(per_second: f64, burst: f64, now: Duration) -> Self {
        Self { per_second, burst, tokens: burst, extra: 0.0, refilled_at: now }
    }

    /// Changes the rate and the burst. Debts stay, and tokens above the new burst are lost.
    pub(crate) fn set_rate(&mut self, per_second: f64, burst: f64, now: Duration) {
        self.refill(now);
        (self.per_second, self.burst) = (per_second, burst);
        self.tokens = self.tokens.min(burst);
    }

    /// The time until `cost` can be taken. What costs more than a burst waits for a whole one.
    pub(crate) fn wait(&mut self, cost: f64, now: Duration) -> Duration {
        if self.per_second == 0.0 {
            return Duration::ZERO;
        }
        self.refill(now);
        let missing = cost.min(self.burst) - self.tokens - self.extra;
        if missing <= 0.0 { Duration::ZERO } else { self.time_for(missing) }
    }

    /// Takes `cost`, even if that leaves a debt.
    pub(crate) fn charge(&mut self, cost: f64, now: Duration) {
        self.refill(now);
        let from_extra = cost.min(self.extra);
        self.extra -= from_extra;
        self.tokens = (self.tokens - (cost - from_extra)).max(-MAX_DEBT_BURSTS * self.burst);
    }

    /// Allows once, beyond the burst, what the rate allows in `time`.
    pub(crate) fn make_up_for(&mut self, time: Duration) {
        self.extra = self.per_second * time.as_secs_f64();
    }

    /// Takes `cost`, or returns the time until it can be taken.
    pub(crate) fn take(&mut self, cost: f64, now: Duration) -> Result<(), Duration> {
        let wait = self.wait(cost, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.charge(cost, now);
        Ok(())
    }

    /// Gives back what was taken for nothing.
    pub(crate) fn refund(&mut self, cost: f64) {
        self.tokens = (self.tokens + cost).min(self.burst);
    }

    /// Whether it is as good as new.
    pub(crate) fn is_full(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.per_second == 0.0 || self.tokens >= self.burst
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.refilled_at);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.per_second).min(self.burst);
        self.refilled_at = now;
    }

    fn time_for(&self, tokens: f64) -> Duration {
        // Rounded up, so that waiting for exactly this time suffices.
        Duration::try_from_secs_f64(tokens / self.per_second)
            .map_or(Duration::MAX, |time| time.saturating_add(Duration::from_nanos(1)))
    }
}

/// A sum whose parts fade: after one `lifetime`, about a third of a part is left.
#[derive(Debug, Default)]
pub(crate) struct FadingSum {
    sum: f64,
    updated_at: Duration,
}

impl FadingSum {
    pub(crate) fn add(&mut self, part: f64, lifetime: Duration, now: Duration) {
        self.sum = self.value(lifetime, now) + part;
        self.updated_at = now;
    }

    pub(crate) fn value(&self, lifetime: Duration, now: Duration) -> f64 {
        let elapsed = now.saturating_sub(self.updated_at);
        self.sum * (-elapsed.as_secs_f64() / lifetime.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn allows_a_burst_and_then_the_rate() {
        let mut bucket = TokenBucket::new(10.0, 3.0, seconds(1));
        assert!((0..3).all(|_| bucket.take(1.0, seconds(1)).is_ok()));
        let wait = bucket.take(1.0, seconds(1)).unwrap_err();
        assert_eq!(wait.as_millis(), 100);
        assert!(bucket.take(1.0, seconds(1) + wait / 2).is_err());
        assert!(bucket.take(1.0, seconds(1) + wait).is_ok());
        assert!(bucket.take(1.0, seconds(1) + wait).is_err());
        assert!(bucket.take(1.0, seconds(10)).is_ok());
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let mut bucket = TokenBucket::new(0.0, 1.0, seconds(0));
        assert!((0..1_000).all(|_| bucket.take(1.0, seconds(0)).is_ok()));
        assert!(bucket.is_full(seconds(0)));
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut bucket = TokenBucket::new(1.0, 1.0, seconds(5));
        assert!(bucket.take(1.0, seconds(0)).is_ok());
        assert_eq!(bucket.take(1.0, seconds(0)).unwrap_err().as_secs(), 1);
    }

    #[test]
    fn debts_are_paid_back_and_have_a_limit() {
        let mut bucket = TokenBucket::new(1.0, 2.0, seconds(0));
        bucket.charge(5.0, seconds(0));
        assert_eq!(bucket.wait(1.0, seconds(0)).as_secs(), 4);
        assert!(bucket.take(1.0, seconds(5)).is_ok());
        bucket.charge(1e9, seconds(5));
        assert_eq!(bucket.wait(0.0, seconds(5)).as_secs(), 20);
    }

    #[test]
    fn what_costs_more_than_a_burst_waits_for_a_whole_one() {
        let mut bucket = TokenBucket::new(1.0, 2.0, seconds(0));
        assert!(bucket.take(3.0, seconds(0)).is_ok());
        assert_eq!(bucket.take(3.0, seconds(0)).unwrap_err().as_secs(), 3);
    }

    #[test]
    fn a_refund_does_not_exceed_the_burst() {
        let mut bucket = TokenBucket::new(1.0, 2.0, seconds(0));
        bucket.charge(1.0, seconds(0));
        bucket.refund(5.0);
        assert!((0..2).all(|_| bucket.take(1.0, seconds(0)).is_ok()));
        assert!(bucket.take(1.0, seconds(0)).is_err());
    }

    #[test]
    fn time_that_is_made_up_for_counts_once_and_beyond_the_burst() {
        let mut bucket = TokenBucket::new(10.0, 3.0, seconds(0));
        bucket.make_up_for(seconds(2));
        assert!((0..23).all(|_| bucket.take(1.0, seconds(0)).is_ok()));
        assert!(bucket.take(1.0, seconds(0)).is_err());
        assert!((0..3).all(|_| bucket.take(1.0, seconds(9)).is_ok()));
        assert!(bucket.take(1.0, seconds(9)).is_err());
    }

    #[test]
    fn a_sum_fades() {
        let mut sum = FadingSum::default();
        sum.add(8.0, seconds(4), seconds(0));
        assert!((sum.value(seconds(4), seconds(4)) - 8.0 / std::f64::consts::E).abs() < 1e-9);
        sum.add(1.0, seconds(4), seconds(400));
        assert!((sum.value(seconds(4), seconds(400)) - 1.0).abs() < 1e-9);
    }
}
