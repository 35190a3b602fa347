//! How each thread of the server is spawned, and what its panic leads to.

use std::panic::{UnwindSafe, catch_unwind};
use std::sync::Weak;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use log::debug;
use preempt_rt::sched::{Pid, Scheduler, SchedulerParams, get_scheduler, set_scheduler};

use crate::error::StartError;
use crate::session::Context;

/// The only priority outside the real-time policies.
const NO_PRIORITY: SchedulerParams = SchedulerParams { priority: 0 };

/// Spawns a thread of the server.
pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    let run = || {
        become_batch_work();
        run()
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StartError::Machine)
}

/// Sets the scheduling policy `SCHED_BATCH` for this thread and the threads it starts, so that one
/// that wakes up does not preempt the one that runs. On one core, sessions would otherwise preempt
/// the dispatcher with every message, which costs a third of the throughput of a small room. A
/// policy that the operator has set stays.
pub(super) fn become_batch_work() {
    let this = Pid::current_thread();
    if get_scheduler(this).is_ok_and(|policy| policy == Scheduler::SCHED_NORMAL)
        && let Err(error) = set_scheduler(this, Scheduler::SCHED_BATCH, NO_PRIORITY)
    {
        debug!("cannot become batch work: {error}");
    }
}

/// Runs `run`. Its panic ends the server, and this returns false.
pub(super) fn stop_on_panic(context: &Weak<Context>, run: impl FnOnce() + UnwindSafe) -> bool {
    let is_ok = catch_unwind(run).is_ok();
    if !is_ok {
        announce_stop(context);
    }
    is_ok
}

pub(super) fn announce_stop(context: &Weak<Context>) {
    if let Some(context) = context.upgrade() {
        context.stop.announce(Instant::now());
    }
}
