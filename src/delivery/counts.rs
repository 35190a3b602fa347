//! What is counted of a tick's delivery. Plain numbers: the dispatcher adds them to the metrics once a tick.

use crate::chat::Event;
use crate::protocol::{ErrorReply, Outgoing};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// What was said.
    pub(crate) messages: u64,
    /// The members that it went to, added up.
    pub(crate) deliveries: u64,
    /// Of frames that were handed to outboxes.
    pub(crate) bytes: u64,
    /// The codes of refusals.
    pub(crate) refusals: Vec<&'static str>,
}

impl Counts {
    /// An event is told to so many seats.
    pub(super) fn told(&mut self, event: &Outgoing<'_>, seats: usize) {
        if matches!(event, Outgoing::Event { event: Event::Said(_), .. }) {
            self.messages += 1;
            self.deliveries += seats as u64;
        }
    }

    /// Something is sent to one client.
    pub(super) fn sent(&mut self, outgoing: &Outgoing<'_>) {
        match outgoing {
            Outgoing::Error(error) => self.refusals.push(error.code),
            Outgoing::Reply { reply: crate::chat::Reply::Refused(refusal), .. } => {
                self.refusals.push(ErrorReply::from(refusal).code);
            }
            _ => {}
        }
    }
}
