//! The order of a single node: first come, first served.

use std::collections::VecDeque;

use super::{Log, Now, Ordered, Proposal};
use crate::chat::{Entry, EntryId, NodeId};

/// The node of a server that is a chat of its own.
const NODE: NodeId = NodeId(0);

/// Hands back at once what is proposed.
#[derive(Debug, Default)]
pub(crate) struct LocalLog {
    now: Now,
    last: EntryId,
    ordered: VecDeque<Ordered>,
}

impl Log for LocalLog {
    const IS_SHARED: bool = false;

    fn node(&self) -> NodeId {
        NODE
    }

    fn set_time(&mut self, now: Now) {
        self.now = now;
    }

    fn propose(&mut self, proposal: Proposal) {
        self.ordered.push_back(match proposal {
            Proposal::Local(local) => Ordered::Local(local),
            Proposal::Action { action, since } => {
                self.last.n += 1;
                let Now { at, time } = self.now;
                Ordered::Entry { entry: Entry { id: self.last, at, time, action }, since }
            }
        });
    }

    fn next(&mut self) -> Option<Ordered> {
        self.ordered.pop_front()
    }
}

#[cfg(test)]
mod tests;
