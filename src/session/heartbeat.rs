//! When to ping a silent client, and when to give it up (RFC 6455 §5.5.2).

use std::time::{Duration, Instant};

/// Watches one client's silence. Whatever it sends is a sign of life.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    /// When the present silence began.
    heard: Instant,
    pinged: Option<Instant>,
}

/// What the silence calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Quiet,
    Ping,
    GiveUp,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self { interval, timeout, heard: now, pinged: None }
    }

    /// The client has sent something.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// When [`Heartbeat::beat`] will have something to say, if the silence lasts.
    pub(super) fn deadline(&self) -> Instant {
        match self.pinged {
            Some(pinged) => pinged + self.timeout,
            None => self.heard + self.interval,
        }
    }

    /// What is to be done now. A ping that is asked for counts as sent.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if now < self.deadline() {
            Beat::Quiet
        } else if self.pinged.is_some() {
            Beat::GiveUp
        } else {
            self.pinged = Some(now);
            Beat::Ping
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_when_silent_and_gives_up_without_an_answer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut heartbeat = Heartbeat::new(Duration::from_secs(25), Duration::from_secs(8), start);
        assert_eq!(heartbeat.deadline(), at(25));
        assert_eq!(heartbeat.beat(at(24)), Beat::Quiet);
        heartbeat.hear(at(20));
        assert_eq!(heartbeat.beat(at(25)), Beat::Quiet);
        assert_eq!(heartbeat.beat(at(45)), Beat::Ping);
        assert_eq!(heartbeat.deadline(), at(53));
        assert_eq!(heartbeat.beat(at(52)), Beat::Quiet);
        heartbeat.hear(at(52));
        assert_eq!(heartbeat.beat(at(53)), Beat::Quiet);
        assert_eq!(heartbeat.beat(at(77)), Beat::Ping);
        assert_eq!(heartbeat.beat(at(85)), Beat::GiveUp);
    }
}
