//! When to ping a silent client, and when to close its connection (RFC 6455 §5.5.2). Pure.

use std::time::Duration;

/// How long a session waits for its client at a time, at most. After this it notices that the settings have
/// changed, however long its client may be silent.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Tracks the silence of one client. Anything it sends ends the silence.
#[derive(Debug)]
pub(super) struct Heartbeat {
    times: HeartbeatTimes,
    /// For how long the client has been silent, in waits that have passed.
    silence: Duration,
    awaits_pong: bool,
}

/// How long a client may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeartbeatTimes {
    /// Until it is pinged.
    pub(super) ping_interval: Duration,
    /// After that, until its connection is closed.
    pub(super) pong_timeout: Duration,
}

/// What to do when a wait has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeoutAction {
    Wait,
    Ping,
    Close,
}

impl Heartbeat {
    pub(super) fn new(times: HeartbeatTimes) -> Self {
        Self { times, silence: Duration::ZERO, awaits_pong: false }
    }

    /// From now on these times hold, also for a silence that has begun.
    pub(super) fn set_times(&mut self, times: HeartbeatTimes) {
        self.times = times;
    }

    /// How long to wait for the client now. It is never zero.
    pub(super) fn timeout(&self) -> Duration {
        // A limit may have become shorter than the silence.
        self.limit().saturating_sub(self.silence).clamp(Duration::from_millis(1), MAX_WAIT)
    }

    /// Notes that the client has sent something. Returns true when that changes the timeout.
    pub(super) fn on_received(&mut self) -> bool {
        let was_silent = !std::mem::take(&mut self.silence).is_zero();
        std::mem::take(&mut self.awaits_pong) || was_silent
    }

    /// Notes that the client was silent for the whole timeout.
    pub(super) fn on_timeout(&mut self) {
        self.silence += self.timeout();
    }

    /// Says what to do about the silence. After `Ping` the caller sends one.
    pub(super) fn due(&mut self) -> TimeoutAction {
        if self.silence < self.limit() {
            return TimeoutAction::Wait;
        }
        self.silence = Duration::ZERO;
        let was_pinged = std::mem::replace(&mut self.awaits_pong, true);
        if was_pinged { TimeoutAction::Close } else { TimeoutAction::Ping }
    }

    fn limit(&self) -> Duration {
        if self.awaits_pong { self.times.pong_timeout } else { self.times.ping_interval }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ping_interval: u64, pong_timeout: u64) -> HeartbeatTimes {
        let [ping_interval, pong_timeout] = [ping_interval, pong_timeout].map(Duration::from_secs);
        HeartbeatTimes { ping_interval, pong_timeout }
    }

    /// The client is silent for the whole timeout, which is so many seconds.
    #[track_caller]
    fn pass(heartbeat: &mut Heartbeat, seconds: u64) -> TimeoutAction {
        assert_eq!(heartbeat.timeout(), Duration::from_secs(seconds));
        heartbeat.on_timeout();
        heartbeat.due()
    }

    #[test]
    fn a_silent_client_is_pinged_and_then_closed() {
        let mut heartbeat = Heartbeat::new(times(25, 8));
        assert!(!heartbeat.on_received());
        assert_eq!(pass(&mut heartbeat, 25), TimeoutAction::Ping);
        assert_eq!(heartbeat.timeout(), Duration::from_secs(8));
        assert!(heartbeat.on_received());
        assert!(!heartbeat.on_received());
        assert_eq!(pass(&mut heartbeat, 25), TimeoutAction::Ping);
        assert_eq!(pass(&mut heartbeat, 8), TimeoutAction::Close);
    }

    #[test]
    fn a_long_silence_is_waited_for_in_parts() {
        let mut heartbeat = Heartbeat::new(times(70, 45));
        assert_eq!(pass(&mut heartbeat, 30), TimeoutAction::Wait);
        assert_eq!(pass(&mut heartbeat, 30), TimeoutAction::Wait);
        assert_eq!(heartbeat.timeout(), Duration::from_secs(10));
        assert!(heartbeat.on_received(), "the silence begins anew");
        assert_eq!(pass(&mut heartbeat, 30), TimeoutAction::Wait);
        assert_eq!(pass(&mut heartbeat, 30), TimeoutAction::Wait);
        assert_eq!(pass(&mut heartbeat, 10), TimeoutAction::Ping);
        assert_eq!(pass(&mut heartbeat, 30), TimeoutAction::Wait);
        assert_eq!(pass(&mut heartbeat, 15), TimeoutAction::Close);
    }

    #[test]
    fn new_times_hold_for_a_silence_that_has_begun() {
        let mut heartbeat = Heartbeat::new(times(24 * 60 * 60, 45));
        heartbeat.on_timeout();
        heartbeat.set_times(times(5, 45));
        assert_eq!(heartbeat.due(), TimeoutAction::Ping, "30 s are more than 5");
        assert_eq!(pass(&mut heartbeat, 30), TimeoutAction::Wait);
        heartbeat.set_times(times(5, 32));
        assert_eq!(pass(&mut heartbeat, 2), TimeoutAction::Close);
    }
}
