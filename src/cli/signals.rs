//! The signals that a service may get, and what each means here.
//!
//! They are held back from the first moment of the program on, also over the new start of [`crate::malloc`], and one
//! thread takes them one by one. So none has its default action, and none is lost while the server starts.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, raise};
use wschat::StartError;

use super::error::ProgramError;

/// Two signals within this time are one order to stop: `timeout`, for instance, sends SIGTERM to the program and to
/// its group.
pub(super) const SAME_ORDER: Duration = Duration::from_secs(1);

/// The signals of this process, held back.
#[derive(Debug)]
pub(super) struct Signals(SigSet);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// SIGTERM, SIGINT, SIGQUIT.
    Stop,
    /// Another of these, a while later.
    EndNow(Signal),
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    ReopenLog,
    /// SIGUSR2, which means nothing here.
    Ignored(Signal),
}

impl Signals {
    /// Holds signals back in this thread, and in all threads that it starts.
    pub(super) fn hold() -> Result<Self, ProgramError> {
        let mut taken = SigSet::empty();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
        ] {
            taken.add(signal);
        }
        let mut held = taken;
        // A file that has reached its largest size (`ulimit -f`) is an error of the write. SIGPIPE is ignored by
        // Rust's runtime.
        held.add(Signal::SIGXFSZ);
        held.thread_block().map_err(no_signals)?;
        Ok(Self(taken))
    }

    /// Starts the thread that takes the signals, for the rest of the process.
    pub(super) fn obey(self, act: impl Fn(Order) + Send + 'static) -> Result<(), ProgramError> {
        let mut stopping_since = None;
        let run = move || {
            while let Ok(signal) = self.0.wait() {
                if let Some(order) = order(signal, Instant::now(), &mut stopping_since) {
                    act(order);
                }
            }
        };
        let spawned = thread::Builder::new().name("signals".to_owned()).spawn(run);
        spawned.map(|_| ()).map_err(|error| ProgramError::Start(StartError::Machine(error)))
    }
}

/// Ends the process as this signal does by default.
pub(super) fn end_by(signal: Signal) -> ! {
    let mut one = SigSet::empty();
    one.add(signal);
    let _ = one.thread_unblock();
    let _ = raise(signal);
    // The first process of a container has no default actions.
    std::process::exit(128 + signal as i32)
}

fn order(signal: Signal, now: Instant, stopping_since: &mut Option<Instant>) -> Option<Order> {
    match signal {
        Signal::SIGHUP => Some(Order::Reload),
        Signal::SIGUSR1 => Some(Order::ReopenLog),
        Signal::SIGUSR2 => Some(Order::Ignored(signal)),
        _ => match *stopping_since {
            None => {
                *stopping_since = Some(now);
                Some(Order::Stop)
            }
            Some(since) if now.duration_since(since) < SAME_ORDER => None,
            Some(_) => Some(Order::EndNow(signal)),
        },
    }
}

fn no_signals(error: nix::Error) -> ProgramError {
    ProgramError::Start(StartError::Machine(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_come_together_are_one_order_to_stop_and_later_ones_end_at_once() {
        let began = Instant::now();
        let mut since = None;
        let mut take = |signal, after| order(signal, began + after, &mut since);
        let just_before = SAME_ORDER.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(take(Signal::SIGHUP, Duration::ZERO), Some(Order::Reload));
        assert_eq!(take(Signal::SIGTERM, Duration::ZERO), Some(Order::Stop));
        assert_eq!(take(Signal::SIGTERM, Duration::ZERO), None);
        assert_eq!(take(Signal::SIGINT, just_before), None);
        assert_eq!(take(Signal::SIGHUP, SAME_ORDER), Some(Order::Reload));
        let end = Some(Order::EndNow(Signal::SIGQUIT));
        assert_eq!(take(Signal::SIGQUIT, SAME_ORDER), end);
    }
}
