//! What is looked at now and then: every second whether the process has stood still, and less often whether the
//! certificate has been renewed.
//!
//! Each on a thread of its own: reading a file takes as long as a disk hangs, which is no standstill of the process.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use log::warn;

use super::running::Running;
use super::spawn::spawn;
use crate::error::StartError;
use crate::net::tls::RenewalWatch;
use crate::pace::BEAT;

/// The time between two looks at the files of the certificate.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// How long the end of the server waits for a look. Nothing depends on it.
const PATIENCE: Duration = Duration::from_millis(100);

/// The threads. They go on until they are joined.
#[derive(Debug)]
pub(super) struct Watch {
    beats: JoinHandle<()>,
    renewal: JoinHandle<()>,
    /// Disconnected when that thread has ended.
    looks: Receiver<()>,
    /// Dropping this ends both.
    stop: Sender<()>,
}

impl Watch {
    pub(super) fn start(running: &Arc<Running>) -> Result<Self, StartError> {
        let (stop, stopped) = bounded::<()>(0);
        let (look, looks) = bounded::<()>(0);
        running.beat();
        let watched = Arc::downgrade(running);
        let is_stopped = stopped.clone();
        let beats = spawn("watch", move || {
            while let Err(RecvTimeoutError::Timeout) = is_stopped.recv_timeout(BEAT)
                && let Some(running) = watched.upgrade()
            {
                if let Some(length) = running.beat() {
                    warn!(
                        "nothing ran for {} s: the process was stopped, or the machine slept or was overloaded",
                        length.as_secs()
                    );
                }
            }
        })?;
        let watched = Arc::downgrade(running);
        let renewal = spawn("renewal", move || {
            let _look = look;
            let mut renewal = RenewalWatch::default();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_INTERVAL)
                && let Some(running) = watched.upgrade()
            {
                running.renew_certificate(&mut renewal, Instant::now());
            }
        })?;
        Ok(Self { beats, renewal, looks, stop })
    }

    /// Ends both threads, and waits for them, but not for a disk that hangs.
    pub(super) fn join(self) {
        drop(self.stop);
        // A panic has been logged, and nothing else depends on these threads.
        let _ = self.beats.join();
        if self.looks.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.renewal.join();
        }
    }
}
