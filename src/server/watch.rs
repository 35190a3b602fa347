//! What is looked at every second or so, on a thread of its own: whether the process has stood still, and whether
//! the certificate has been renewed.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use log::warn;

use super::running::Running;
use super::threads::spawn;
use crate::error::StartError;
use crate::net::tls::RenewalWatch;
use crate::pace::BEAT;

/// After how many beats the files of the certificate are looked at.
const BEATS_PER_LOOK: u64 = 15;

/// The thread. It goes on until it is joined.
#[derive(Debug)]
pub(super) struct Watch {
    thread: JoinHandle<()>,
    /// Dropping this ends the thread.
    stop: Sender<()>,
}

impl Watch {
    pub(super) fn start(running: &Arc<Running>) -> Result<Self, StartError> {
        let (stop, stopped) = bounded::<()>(0);
        running.beat();
        let running = Arc::downgrade(running);
        let thread = spawn("watch", move || {
            let mut renewal = RenewalWatch::default();
            let mut beats = 0_u64;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BEAT)
                && let Some(running) = running.upgrade()
            {
                if let Some(length) = running.beat() {
                    warn!(
                        "nothing ran for {} s: the process was stopped, or the machine slept or was overloaded",
                        length.as_secs()
                    );
                }
                beats += 1;
                if beats.is_multiple_of(BEATS_PER_LOOK) {
                    running.renew_certificate(&mut renewal, Instant::now());
                }
            }
        })?;
        Ok(Self { thread, stop })
    }

    pub(super) fn join(self) {
        drop(self.stop);
        // A panic has been logged, and nothing else depends on this thread.
        let _ = self.thread.join();
    }
}
