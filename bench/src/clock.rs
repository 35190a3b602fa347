//! The run's clock, and a timer for epoll that is finer than epoll's own milliseconds.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

pub const MICROSECOND: u64 = 1_000;
pub const MILLISECOND: u64 = 1_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since the run began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base: u64,
}

impl Clock {
    pub fn start() -> Self {
        Self { base: monotonic() }
    }

    #[inline]
    pub fn now(self) -> u64 {
        monotonic() - self.base
    }
}

/// A timer for epoll: its descriptor becomes readable when it expires.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    base: u64,
    armed: u64,
}

impl Timer {
    pub fn new(clock: Clock) -> io::Result<Self> {
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        Ok(Self { fd, base: clock.base, armed: u64::MAX })
    }

    /// Sets the time of the clock at which the timer expires: at once if it is past.
    pub fn set(&mut self, at: u64) -> io::Result<()> {
        if at == self.armed {
            return Ok(());
        }
        let it_value = timespec(self.base + at);
        let new = Itimerspec { it_interval: timespec(0), it_value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &new)?;
        self.armed = at;
        Ok(())
    }

    /// Must be called when the timer has expired, so that the same time can be set again.
    pub fn expired(&mut self) {
        self.armed = u64::MAX;
    }

    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The CPU time that this program has used, in nanoseconds.
pub fn own_cpu() -> u64 {
    nanoseconds(clock_gettime(ClockId::ProcessCPUTime))
}

fn monotonic() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

// Both clocks count up from zero and stay far below the 584 years that fit.
#[allow(clippy::cast_sign_loss)]
fn nanoseconds(time: Timespec) -> u64 {
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}

#[allow(clippy::cast_possible_wrap)]
fn timespec(nanoseconds: u64) -> Timespec {
    Timespec { tv_sec: (nanoseconds / SECOND) as i64, tv_nsec: (nanoseconds % SECOND) as i64 }
}
