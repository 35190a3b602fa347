//! What is wrong with the server at present, in sentences for the operator. Any thread may ask.

use super::Context;
use crate::liveness::NotAlive;
use crate::net::tls::{Expiring, Expiry};

/// What is wrong, and what will be.
#[derive(Debug)]
pub(crate) struct Condition {
    /// Clients cannot use the server now.
    pub(crate) failures: Vec<String>,
    /// They still can.
    pub(crate) warnings: Vec<String>,
}

impl Condition {
    /// The condition at present. It may take two seconds to learn that the dispatcher is stuck.
    pub(crate) fn of(context: &Context) -> Self {
        let mut failures = Vec::new();
        match context.liveness.check() {
            Ok(()) => {}
            Err(NotAlive::Stuck(time)) => failures.push(format!(
                "The chat has been stuck for {} s, so nobody is told anything. See the log.",
                time.as_secs()
            )),
            Err(NotAlive::Ended) => failures.push("The server is ending.".to_owned()),
        }
        if context.health.is_failing() {
            failures.push(
                "The history cannot be saved, so messages are refused. See the log.".to_owned(),
            );
        }
        let expiring = context.live.get().ask_expiry(Expiry::state);
        let (over, soon): (Vec<_>, Vec<_>) = expiring.iter().partition(|expiring| expiring.is_over);
        let expired =
            |expiring: &Expiring| format!("TLS: {expiring}, so clients refuse it; renew it.");
        failures.extend(over.into_iter().map(expired));
        let warnings = soon.iter().map(|expiring| format!("{expiring}; renew it.")).collect();
        Self { failures, warnings }
    }
}
