//! When to ping a silent client, and when to give it up (RFC 6455 §5.5.2).

use std::time::Duration;

/// Watches one client's silence. Whatever it sends is a sign of life.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    is_pinged: bool,
}

/// What the silence calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Ping,
    GiveUp,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, timeout: Duration) -> Self {
        Self { interval, timeout, is_pinged: false }
    }

    /// How long a silence is borne from now on.
    pub(super) fn patience(&self) -> Duration {
        if self.is_pinged { self.timeout } else { self.interval }
    }

    /// The client has sent something. True when that changes how long a silence is borne.
    pub(super) fn hear(&mut self) -> bool {
        std::mem::take(&mut self.is_pinged)
    }

    /// What is to be done when the client was silent for as long as is borne. A ping that is asked
    /// for counts as sent.
    pub(super) fn beat(&mut self) -> Beat {
        if std::mem::replace(&mut self.is_pinged, true) { Beat::GiveUp } else { Beat::Ping }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_when_silent_and_gives_up_without_an_answer() {
        let (interval, timeout) = (Duration::from_secs(25), Duration::from_secs(8));
        let mut heartbeat = Heartbeat::new(interval, timeout);
        assert_eq!(heartbeat.patience(), interval);
        assert!(!heartbeat.hear());
        assert_eq!(heartbeat.beat(), Beat::Ping);
        assert_eq!(heartbeat.patience(), timeout);
        assert!(heartbeat.hear());
        assert!(!heartbeat.hear());
        assert_eq!(heartbeat.patience(), interval);
        assert_eq!(heartbeat.beat(), Beat::Ping);
        assert_eq!(heartbeat.beat(), Beat::GiveUp);
    }
}
