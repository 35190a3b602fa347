//! The watch: notices that Sentinel names other servers than those that this node uses, on a thread of its own.
//!
//! A master that a failover has left behind takes entries for some seconds, which nobody will read. Asking the sentinels
//! can take some time, so neither the writer nor the reader does it while it works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::figures::Figures;
use super::redis::Engine;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    is_abandoned: Arc<AtomicBool>,
}

/// Who is told to connect anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Reconnect {
    pub(super) writer: Arc<AtomicBool>,
    pub(super) reader: Arc<AtomicBool>,
}

impl Watch {
    /// Starts the thread.
    pub(super) fn start(
        engine: Engine,
        figures: Arc<Figures>,
        reconnect: Reconnect,
    ) -> std::io::Result<Self> {
        let is_abandoned = Arc::<AtomicBool>::default();
        let watch = Self { is_abandoned: is_abandoned.clone() };
        let run = move || {
            while !is_abandoned.load(Ordering::Acquire) {
                thread::sleep(LOOK_EVERY);
                let (writes_to, reads_from) = figures.servers();
                let old = engine.outdated(writes_to.as_deref(), reads_from.as_deref());
                if old.master {
                    reconnect.writer.store(true, Ordering::Release);
                }
                if old.source {
                    reconnect.reader.store(true, Ordering::Release);
                }
            }
        };
        thread::Builder::new().name("log watch".to_owned()).spawn(run)?;
        Ok(watch)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_abandoned.store(true, Ordering::Release);
    }
}
