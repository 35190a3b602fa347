//! What the operator asks of the dispatcher, and where it answers.
//!
//! The threads of the admin listener, of `GET /health` and of the program send these; the dispatcher's thread
//! answers each once. There has to be room for the answer: the dispatcher does not wait for whoever asked.

use std::time::Instant;

use crossbeam_channel::{Sender, bounded};

use super::Input;
use crate::mailbox::MailboxSender;

/// One question or command of the operator.
#[derive(Debug)]
pub(crate) enum Control {
    /// Whether the dispatcher works. Answered when the tick is over, so that a commit that hangs shows.
    Ping(Sender<()>),
}

impl Control {
    /// Asks the dispatcher, and waits for its answer until `deadline`, however full the mailbox is. `None`
    /// when there is no answer by then, or never will be.
    pub(crate) fn ask<T>(
        inputs: &MailboxSender<Input>,
        deadline: Instant,
        question: impl FnOnce(Sender<T>) -> Self,
    ) -> Option<T> {
        let (answer, answered) = bounded(1);
        let question = Input::Control(Box::new(question(answer)));
        if !inputs.send_by(question, deadline) {
            return None;
        }
        answered.recv_deadline(deadline).ok()
    }
}
