//! Whether the dispatcher works: it answers a ping at the end of each tick.
//!
//! One ping is on its way at most, and its answer counts for a moment, so however many ask, the dispatcher is
//! not kept busy. Any thread may ask, and waits for some seconds at most. A thread of its own asks regularly,
//! and logs when the dispatcher is stuck, which that cannot do itself.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use log::{error, info};

use crate::input::{Control, Input};
use crate::mailbox::WeakMailboxSender;
use crate::trouble::Trouble;

/// How long an answer counts.
const FRESH: Duration = Duration::from_millis(100);

/// How long the dispatcher may take. It does so only if the disk or the machine does.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often the thread asks.
const INTERVAL: Duration = Duration::from_secs(1);

/// After how long the log says that the dispatcher is stuck, and how often it repeats that.
const WARN_AFTER: Duration = Duration::from_secs(5);
const WARN_EVERY: Duration = Duration::from_secs(30);

/// See the module's documentation.
pub(crate) struct Liveness {
    inputs: WeakMailboxSender<Input>,
    /// Held while waiting: who comes meanwhile gets the same answer.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answered_at: Option<Instant>,
    /// Since when the dispatcher is asked without an answer.
    asked_at: Option<Instant>,
    /// Where the answer to the ping comes; `None` as long as there was no room for the ping.
    answer: Option<Receiver<()>>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAlive {
    /// The dispatcher has not answered for so long.
    Stuck(Duration),
    /// It has ended.
    Ended,
}

impl Liveness {
    pub(crate) fn new(inputs: WeakMailboxSender<Input>) -> Self {
        Self { inputs, state: Mutex::default() }
    }

    /// Whether the dispatcher has answered just now, or does within two seconds.
    pub(crate) fn check(&self) -> Result<(), NotAlive> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.answered_at.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let asked_at = *state.asked_at.get_or_insert_with(Instant::now);
        let deadline = asked_at + PATIENCE;
        if state.answer.is_none() {
            let (sender, answer) = bounded(1);
            let ping = Input::Control(Box::new(Control::Ping(sender)));
            let inputs = self.inputs.upgrade().ok_or(NotAlive::Ended)?;
            if !inputs.send_by(ping, deadline) {
                return Err(NotAlive::Stuck(asked_at.elapsed()));
            }
            state.answer = Some(answer);
        }
        let answered = state.answer.as_ref().map(|answer| answer.recv_deadline(deadline));
        match answered {
            Some(Ok(())) => {
                *state = State { answered_at: Some(Instant::now()), ..State::default() };
                Ok(())
            }
            Some(Err(RecvTimeoutError::Timeout)) => Err(NotAlive::Stuck(asked_at.elapsed())),
            Some(Err(RecvTimeoutError::Disconnected)) | None => Err(NotAlive::Ended),
        }
    }

    /// Asks regularly until `stop` is disconnected, and logs when the dispatcher is stuck.
    pub(crate) fn watch(&self, stop: &Receiver<()>) {
        let mut trouble = Trouble::told_every(WARN_EVERY);
        while stop.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            match self.check() {
                Ok(()) => {
                    if trouble.has_ended() {
                        info!("the dispatcher works again");
                    }
                }
                Err(NotAlive::Stuck(time)) if time >= WARN_AFTER => {
                    if trouble.is_news() {
                        error!(
                            "the dispatcher has been stuck for {} s, so nobody is told anything: it \
                             waits for the disk of the history, or for the processor",
                            time.as_secs()
                        );
                    }
                }
                Err(NotAlive::Stuck(_)) => {}
                Err(NotAlive::Ended) => return,
            }
        }
    }
}

impl fmt::Debug for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Liveness")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::mailbox;

    fn take_ping(
        mailbox: &crate::mailbox::Mailbox<Input>,
    ) -> Option<crossbeam_channel::Sender<()>> {
        match mailbox.take() {
            Some(Input::Control(control)) => match *control {
                Control::Ping(answer) => Some(answer),
                other => panic!("{other:?}"),
            },
            Some(other) => panic!("{other:?}"),
            None => None,
        }
    }

    #[test]
    fn one_ping_is_on_its_way_however_many_ask() {
        let (sender, mailbox) = mailbox(4);
        let liveness = Liveness::new(sender.downgrade());
        // As if it had been asked long ago.
        liveness.state.lock().unwrap().asked_at = Instant::now().checked_sub(PATIENCE);
        for _ in 0..3 {
            assert!(matches!(liveness.check(), Err(NotAlive::Stuck(time)) if time >= PATIENCE));
        }
        let answer = take_ping(&mailbox).expect("one ping");
        assert!(take_ping(&mailbox).is_none());
        answer.send(()).unwrap();
        assert_eq!(liveness.check(), Ok(()));
        let asked_at = liveness.state.lock().unwrap().asked_at;
        assert_eq!(asked_at, None, "it is stuck no longer");
    }

    #[test]
    fn a_full_mailbox_counts_as_stuck_and_its_end_as_the_end() {
        let (sender, mailbox) = mailbox(1);
        sender.send(Input::Stop { until: Instant::now() }).unwrap();
        let liveness = Liveness::new(sender.downgrade());
        liveness.state.lock().unwrap().asked_at = Instant::now().checked_sub(PATIENCE);
        assert!(matches!(liveness.check(), Err(NotAlive::Stuck(_))));
        assert!(mailbox.take().is_some());
        assert!(matches!(liveness.check(), Err(NotAlive::Stuck(_))));
        drop(take_ping(&mailbox).expect("there was room for it now"));
        assert_eq!(liveness.check(), Err(NotAlive::Ended));
        drop(sender);
        let liveness = Liveness::new(crate::mailbox::mailbox(1).0.downgrade());
        assert_eq!(liveness.check(), Err(NotAlive::Ended));
    }
}
