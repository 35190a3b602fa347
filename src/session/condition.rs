//! What is wrong with the server at present, in sentences for the operator. Any thread may ask.

#[cfg(feature = "cluster")]
use std::time::SystemTime;

use super::Context;
#[cfg(feature = "cluster")]
use crate::clock;
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
        match log_away(context) {
            Some(failure) => failures.push(failure),
            None if context.health.is_failing() => failures.push(
                "The history cannot be saved, so messages are refused. See the log.".to_owned(),
            ),
            None => {}
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

/// That the log of the cluster is away, if it is. Nothing can be saved meanwhile.
#[cfg(feature = "cluster")]
fn log_away(context: &Context) -> Option<String> {
    let since = context.cluster.as_ref()?.away_since()?;
    let seconds = clock::unix_millis(SystemTime::now()).saturating_sub(since) / 1_000;
    Some(format!(
        "Redis, which has the log of the cluster, has been away for {seconds} s, so messages are refused. \
         `wschat doctor` says why."
    ))
}

#[cfg(not(feature = "cluster"))]
fn log_away(_context: &Context) -> Option<String> {
    None
}
