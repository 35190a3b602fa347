//! When to ping a silent client, and when to close its connection (RFC 6455 §5.5.2). Pure.

use std::time::Duration;

/// Tracks the silence of one client. Anything it sends ends the silence.
#[derive(Debug)]
pub(super) struct Heartbeat {
    ping_interval: Duration,
    pong_timeout: Duration,
    awaits_pong: bool,
}

/// What to do when the timeout has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeoutAction {
    Ping,
    Close,
}

impl Heartbeat {
    pub(super) fn new(ping_interval: Duration, pong_timeout: Duration) -> Self {
        Self { ping_interval, pong_timeout, awaits_pong: false }
    }

    /// How long the client may be silent from now on.
    pub(super) fn timeout(&self) -> Duration {
        if self.awaits_pong { self.pong_timeout } else { self.ping_interval }
    }

    /// Notes that the client has sent something. Returns true when that changes the timeout.
    pub(super) fn on_received(&mut self) -> bool {
        std::mem::take(&mut self.awaits_pong)
    }

    /// Says what to do when the client was silent for the whole timeout. After `Ping` the caller
    /// sends one.
    pub(super) fn on_timeout(&mut self) -> TimeoutAction {
        let was_pinged = std::mem::replace(&mut self.awaits_pong, true);
        if was_pinged { TimeoutAction::Close } else { TimeoutAction::Ping }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_pinged_and_then_closed() {
        let (ping_interval, pong_timeout) = (Duration::from_secs(25), Duration::from_secs(8));
        let mut heartbeat = Heartbeat::new(ping_interval, pong_timeout);
        assert_eq!(heartbeat.timeout(), ping_interval);
        assert!(!heartbeat.on_received());
        assert_eq!(heartbeat.on_timeout(), TimeoutAction::Ping);
        assert_eq!(heartbeat.timeout(), pong_timeout);
        assert!(heartbeat.on_received());
        assert!(!heartbeat.on_received());
        assert_eq!(heartbeat.timeout(), ping_interval);
        assert_eq!(heartbeat.on_timeout(), TimeoutAction::Ping);
        assert_eq!(heartbeat.on_timeout(), TimeoutAction::Close);
    }
}
