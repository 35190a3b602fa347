//! What this node has proposed to a shared log and has not got back, and what waits behind it. The dispatcher's thread
//! runs it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::Local;
use crate::chat::ConnectionId;
use crate::protocol::{CloseReason, Since};

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Proposals {
    /// In order.
    on_their_way: VecDeque<Proposed>,
    /// How many proposals there have been.
    count: u64,
    /// The last proposal of each connection that has one on its way.
    last_of: HashMap<ConnectionId, u64>,
    /// How many of them are that time passes, and signs of life.
    waits: usize,
    signs: usize,
    /// What waits for each connection, in order, each behind the proposal of this number, which is of the same connection.
    behind: BTreeMap<ConnectionId, VecDeque<(u64, Local)>>,
}

/// A proposal on its way.
pub(super) struct Proposed {
    number: u64,
    /// When it was made, by this node's own clock.
    pub(super) at: Duration,
    pub(super) kind: Kind,
    pub(super) since: Option<Box<Since>>,
}

/// What a proposal leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A step of this connection, or of none.
    Step(Option<ConnectionId>),
    /// A step: time passes.
    Wait,
    /// No step.
    Sign,
}

impl Proposals {
    pub(super) fn push(&mut self, kind: Kind, at: Duration, since: Option<Box<Since>>) {
        self.count += 1;
        let number = self.count;
        match kind {
            Kind::Step(Some(connection)) => {
                self.last_of.insert(connection, number);
            }
            Kind::Step(None) => {}
            Kind::Wait => self.waits += 1,
            Kind::Sign => self.signs += 1,
        }
        self.on_their_way.push_back(Proposed { number, at, kind, since });
    }

    /// The first of them has come back. What waits behind it is next, in [`Proposals::next_behind`] of its connection.
    pub(super) fn pop(&mut self) -> Option<Proposed> {
        let proposed = self.on_their_way.pop_front()?;
        match proposed.kind {
            Kind::Step(Some(connection)) => {
                if self.last_of.get(&connection) == Some(&proposed.number) {
                    self.last_of.remove(&connection);
                }
            }
            Kind::Step(None) => {}
            Kind::Wait => self.waits -= 1,
            Kind::Sign => self.signs -= 1,
        }
        Some(proposed)
    }

    /// What is next for this connection, if its turn has come.
    pub(super) fn next_behind(&mut self, connection: ConnectionId) -> Option<Local> {
        let returned = self.returned();
        let waiting = self.behind.get_mut(&connection)?;
        if waiting.front()?.0 > returned {
            return None;
        }
        let (_, local) = waiting.pop_front()?;
        if waiting.is_empty() {
            self.behind.remove(&connection);
        }
        Some(local)
    }

    /// Lets something wait behind what its connection has proposed. Gives it back if that is nothing.
    pub(super) fn wait(&mut self, local: Local) -> Option<Local> {
        let connection = local.connection();
        let Some(number) = self.last_of.get(&connection).copied() else {
            return Some(local);
        };
        self.behind.entry(connection).or_default().push_back((number, local));
        None
    }

    /// Nothing that waits for this connection is of use any more.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.behind.remove(&connection);
    }

    /// The connections that wait to be closed.
    pub(super) fn closing(&self) -> Vec<(ConnectionId, CloseReason)> {
        let closing = |(_, local): &(u64, Local)| match local {
            Local::Close { connection, reason } => Some((*connection, *reason)),
            _ => None,
        };
        self.behind.values().flatten().filter_map(closing).collect()
    }

    /// When the oldest of them was made.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.on_their_way.front().map(|proposed| proposed.at)
    }

    pub(super) fn len(&self) -> usize {
        self.on_their_way.len()
    }

    pub(super) fn has_wait(&self) -> bool {
        self.waits > 0
    }

    pub(super) fn has_sign(&self) -> bool {
        self.signs > 0
    }

    /// How many there have been.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many have come back.
    pub(super) fn returned(&self) -> u64 {
        self.on_their_way.front().map_or(self.count, |first| first.number - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorReply;

    const ONE: ConnectionId = ConnectionId(1);
    const OTHER: ConnectionId = ConnectionId(2);

    fn refusal(connection: ConnectionId) -> Local {
        Local::Refuse { connection, error: ErrorReply::not_readable() }
    }

    #[test]
    fn what_is_local_waits_for_its_own_connection_alone() {
        let mut proposals = Proposals::default();
        assert!(proposals.wait(refusal(ONE)).is_some());
        proposals.push(Kind::Step(Some(ONE)), Duration::ZERO, None);
        proposals.push(Kind::Sign, Duration::ZERO, None);
        assert!(proposals.wait(refusal(OTHER)).is_some());
        assert!(proposals.wait(refusal(ONE)).is_none());
        proposals.push(Kind::Step(Some(ONE)), Duration::ZERO, None);
        assert!(proposals.wait(refusal(ONE)).is_none());
        assert!(proposals.next_behind(ONE).is_none());
        // The first of them waits for the first proposal only.
        proposals.pop();
        assert_eq!(proposals.next_behind(ONE).map(|local| local.connection()), Some(ONE));
        assert!(proposals.next_behind(ONE).is_none());
        proposals.pop();
        assert!(proposals.next_behind(ONE).is_none() && !proposals.has_sign());
        proposals.pop();
        assert_eq!(proposals.next_behind(ONE).map(|local| local.connection()), Some(ONE));
        assert!(proposals.next_behind(ONE).is_none());
        assert!(proposals.wait(refusal(ONE)).is_some(), "nothing is on its way");
        assert_eq!((proposals.count(), proposals.returned(), proposals.len()), (3, 3, 0));
    }

    #[test]
    fn of_a_closed_connection_nothing_waits() {
        let mut proposals = Proposals::default();
        for connection in [ONE, OTHER] {
            proposals.push(Kind::Step(Some(connection)), Duration::ZERO, None);
            proposals.wait(refusal(connection));
        }
        proposals.forget(ONE);
        proposals.wait(Local::Close { connection: ONE, reason: CloseReason::SlowConsumer });
        assert_eq!(proposals.closing(), [(ONE, CloseReason::SlowConsumer)]);
        proposals.pop();
        assert!(matches!(proposals.next_behind(ONE), Some(Local::Close { .. })));
        assert!(proposals.next_behind(ONE).is_none() && proposals.next_behind(OTHER).is_none());
    }
}
