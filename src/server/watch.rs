//! What is looked at every second, on a thread of its own: whether the process has stood still.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use log::warn;

use super::threads::spawn;
use crate::error::StartError;
use crate::pace::BEAT;
use crate::session::Context;

/// The thread. It goes on until it is joined.
#[derive(Debug)]
pub(super) struct Watch {
    thread: JoinHandle<()>,
    /// Dropping this ends the thread.
    stop: Sender<()>,
}

impl Watch {
    pub(super) fn start(context: &Arc<Context>) -> Result<Self, StartError> {
        let (stop, stopped) = bounded::<()>(0);
        context.paces.beat();
        let context = Arc::downgrade(context);
        let thread = spawn("watch", move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BEAT)
                && let Some(context) = context.upgrade()
            {
                if let Some(length) = context.paces.beat() {
                    warn!(
                        "nothing ran for {} s: the process was stopped, or the machine slept or was overloaded",
                        length.as_secs()
                    );
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
