//! How much one client may ask for: token buckets, one for what is granted, one for what is refused.

use std::time::{Duration, Instant};

/// Grants `burst` at once and `per_second` in the long run.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket. A rate of 0 is no limit.
    pub(super) fn new(per_second: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { per_second, burst, tokens: burst, filled: now }
    }

    /// Takes one token, or says after how long there will be one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.burst);
        self.filled = now;
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

/// Judges the pace of one client's messages.
#[derive(Debug)]
pub(super) struct Limiter {
    granted: Bucket,
    /// Refusals have the same rate and burst: twice too fast for too long is too fast for good.
    refused: Bucket,
}

/// What a message's pace calls for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    Fine,
    /// Not granted; the same message will be after this long.
    TooFast(Duration),
    /// The client keeps on in spite of being refused.
    Hopeless,
}

impl Limiter {
    pub(super) fn new(per_second: f64, burst: u32, now: Instant) -> Self {
        let bucket = || Bucket::new(per_second, burst, now);
        Self { granted: bucket(), refused: bucket() }
    }

    /// Judges one message.
    pub(super) fn judge(&mut self, now: Instant) -> Pace {
        match self.granted.take(now) {
            Ok(()) => Pace::Fine,
            Err(wait) if self.refused.take(now).is_ok() => Pace::TooFast(wait),
            Err(_) => Pace::Hopeless,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate_then_a_wait_that_is_true() {
        let start = Instant::now();
        let mut limiter = Limiter::new(10.0, 3, start);
        for _ in 0..3 {
            assert_eq!(limiter.judge(start), Pace::Fine);
        }
        let Pace::TooFast(wait) = limiter.judge(start) else { panic!("a fourth at once") };
        assert_eq!(wait.as_millis(), 100);
        assert!(matches!(limiter.judge(start + wait / 2), Pace::TooFast(_)));
        assert_eq!(limiter.judge(start + wait), Pace::Fine);
        assert!(matches!(limiter.judge(start + wait), Pace::TooFast(_)));
        assert_eq!(limiter.judge(start + Duration::from_secs(9)), Pace::Fine);
    }

    #[test]
    fn keeping_on_is_hopeless_and_a_little_too_fast_is_not() {
        let start = Instant::now();
        let mut flood = Limiter::new(10.0, 3, start);
        let paces: Vec<Pace> = (0..7).map(|_| flood.judge(start)).collect();
        assert_eq!(paces.iter().filter(|pace| **pace == Pace::Fine).count(), 3);
        assert_eq!(paces[6], Pace::Hopeless);

        let mut brisk = Limiter::new(10.0, 3, start);
        for i in 0..1_000 {
            let pace = brisk.judge(start + Duration::from_millis(60) * i);
            assert_ne!(pace, Pace::Hopeless, "message {i}");
        }
    }

    #[test]
    fn no_rate_is_no_limit_and_a_clock_that_stands_still_harms_nobody() {
        let start = Instant::now();
        let mut bucket = Bucket::new(0.0, 1, start);
        assert!((0..1_000).all(|_| bucket.take(start).is_ok()));
        let mut bucket = Bucket::new(1.0, 1, start + Duration::from_secs(5));
        assert!(bucket.take(start).is_ok());
        assert_eq!(bucket.take(start), Err(Duration::from_secs(1)));
    }
}
