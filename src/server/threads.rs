//! The server's threads other than sessions: how each is spawned, and what a panic in it leads to.
//!
//! The server does not go on without any of these threads. One that ends too early announces the stop,
//! which ends the listener, and then everything else.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
#[cfg(feature = "cluster")]
use log::error;

use super::Control;
use super::opened::{Dispatching, UpkeepTask};
use super::spawn::{announce_stop, spawn, stop_on_panic};
use crate::dispatcher::{Dispatcher, RunEnd};
use crate::error::{ServeError, StartError};
use crate::input::Input;
use crate::log::Log;
use crate::mailbox::Mailbox;
use crate::outbox::FlusherThread;
use crate::recall::RecallThread;
use crate::session::Context;

/// The threads of the history. Each returns false when it panicked.
#[derive(Debug)]
pub(super) struct HistoryThreads {
    recall: JoinHandle<bool>,
    upkeep: Option<JoinHandle<bool>>,
    /// Dropping this ends the upkeep.
    stop_upkeep: Sender<()>,
}

impl HistoryThreads {
    pub(super) fn start(
        recall: RecallThread,
        upkeep: Option<UpkeepTask>,
        control: &Control,
    ) -> Result<Self, StartError> {
        let inputs = control.inputs.downgrade();
        let context = Arc::downgrade(&control.context);
        let recall_thread = spawn("recall", move || {
            stop_on_panic(&context, AssertUnwindSafe(|| recall.run(&inputs)))
        })?;
        let (stop_upkeep, stopped) = bounded(0);
        let context = Arc::downgrade(&control.context);
        let health = control.context.health.clone();
        let upkeep = upkeep
            .map(|upkeep| {
                spawn("upkeep", move || {
                    stop_on_panic(&context, AssertUnwindSafe(|| upkeep.run(&stopped, &health)))
                })
            })
            .transpose()?;
        Ok(Self { recall: recall_thread, upkeep, stop_upkeep })
    }

    /// Waits for both threads. To be called when the dispatcher has ended.
    pub(super) fn join(self) -> Result<(), ServeError> {
        drop(self.stop_upkeep);
        let threads = [Some(self.recall), self.upkeep].into_iter().flatten();
        let ended: Vec<bool> = threads.map(|thread| thread.join().unwrap_or(false)).collect();
        if ended.iter().all(|without_panic| *without_panic) {
            Ok(())
        } else {
            Err(ServeError::History)
        }
    }
}

/// Runs the dispatcher, of a node of a cluster also those that follow it. A panic ends the server.
pub(super) fn dispatch(
    dispatching: Dispatching,
    inputs: &Mailbox<Input>,
    context: &Arc<Context>,
) -> Result<(), ServeError> {
    match dispatching {
        Dispatching::Alone(mut dispatcher) => run(&mut dispatcher, inputs, context).map(drop),
        #[cfg(feature = "cluster")]
        Dispatching::Member(mut member) => {
            let ended = loop {
                let lost = match run(&mut member.dispatcher, inputs, context) {
                    Ok(RunEnd::Lost(lost)) => lost,
                    Ok(RunEnd::Finished) => break Ok(()),
                    Err(error) => break Err(error),
                };
                match member.rejoin(lost, inputs, context) {
                    Ok(Some(again)) => member = again,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        error!("this node cannot join the cluster anew: {error}");
                        context.stop.announce(Instant::now());
                        return Err(ServeError::Dispatcher);
                    }
                }
            };
            member.end();
            ended
        }
    }
}

/// Runs one dispatcher.
fn run<L: Log>(
    dispatcher: &mut Dispatcher<L>,
    inputs: &Mailbox<Input>,
    context: &Context,
) -> Result<RunEnd, ServeError> {
    let run = AssertUnwindSafe(|| dispatcher.run(inputs));
    catch_unwind(run).map_err(|_| {
        let until = Instant::now() + Duration::from_secs(1);
        context.stop.announce(until);
        dispatcher.close_after_panic(inputs, until);
        ServeError::Dispatcher
    })
}

/// Runs the flusher. Its end is the end of the server.
pub(super) fn flush(flusher: FlusherThread, context: &Weak<Context>) -> io::Result<()> {
    let result = catch_unwind(AssertUnwindSafe(|| flusher.run()));
    announce_stop(context);
    io_result(result)
}

/// The result of a thread, with a panic as an error.
pub(super) fn io_result(joined: thread::Result<io::Result<()>>) -> io::Result<()> {
    joined.unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
}
