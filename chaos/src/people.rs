//! Who is where, as the clients themselves know it: so that it can be judged whether what others are
//! shown of them may be so.

use std::collections::HashMap;

use crate::ledger::User;

/// How long after a disturbance its consequences may still arrive, in milliseconds: a frozen node may hold
/// frames for a while, and updates of presence wait for each other.
const AFTERMATH: u64 = 20_000;

/// How far the clocks of a client and of the cluster may be apart in their view of an end.
const SLACK: u64 = 1_500;

/// What is known of one user.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    pub is_base: bool,
    /// Whether it changes its room, so that it may be seen to leave.
    pub is_restless: bool,
    pub node: usize,
    /// The node that it came from. What is shown of it may be about that one.
    pub came_from: Option<usize>,
    /// Since when its connection is gone; `None` while it is connected.
    pub gone_at: Option<u64>,
    /// When it last cut its own connection, or was closed for a reason of its own.
    pub cut_at: Option<u64>,
    /// The longest recent absence, and when it ended.
    pub absence: Option<(u64, u64)>,
    /// Whether its session is given up for good.
    pub is_over: bool,
}

#[derive(Debug, Default)]
pub struct People {
    users: HashMap<User, Whereabouts>,
    /// Until when each node may have been out of touch with the others.
    disturbed_until: HashMap<usize, u64>,
    /// When each node was last told to drain.
    drained_at: HashMap<usize, u64>,
}

impl People {
    /// A user is connected to a node, for the first time or again.
    pub fn arrived(&mut self, user: User, node: usize, is_base: bool, is_restless: bool, now: u64) {
        let known = self.users.entry(user).or_insert(Whereabouts {
            is_base,
            is_restless,
            node,
            came_from: None,
            gone_at: None,
            cut_at: None,
            absence: None,
            is_over: false,
        });
        if known.node != node {
            known.came_from = Some(known.node);
        }
        known.node = node;
        if let Some(gone_at) = known.gone_at.take() {
            known.absence = Some((now - gone_at.min(now), now));
        }
    }

    /// A user's connection has ended: `is_own` if for a reason that the server may show to others at once.
    pub fn departed(&mut self, user: User, is_own: bool, now: u64) {
        if let Some(known) = self.users.get_mut(&user) {
            known.gone_at.get_or_insert(now);
            if is_own {
                known.cut_at = Some(now);
            }
        }
    }

    /// A user will never come back.
    pub fn ended(&mut self, user: User) {
        if let Some(known) = self.users.get_mut(&user) {
            known.is_over = true;
        }
    }

    /// A node may be out of touch until then.
    pub fn disturb(&mut self, node: usize, until: u64) {
        let known = self.disturbed_until.entry(node).or_default();
        *known = until.max(*known);
    }

    /// A node is told to drain.
    pub fn drain(&mut self, node: usize, now: u64) {
        self.drained_at.insert(node, now);
    }

    /// Whether this user may be shown as left now, and why not.
    pub fn may_leave(&self, user: User, grace: u64, now: u64) -> Result<(), String> {
        let Some(known) = self.users.get(&user) else { return Ok(()) };
        let drained_at = self.drained_at.get(&known.node);
        let has_drained = drained_at.is_some_and(|&at| now < at + AFTERMATH);
        let is_excused = known.is_over
            || known.is_restless
            || known.is_base
                && (known.gone_at.is_some() || self.is_disturbed(known.node, now) || has_drained)
            || known.gone_at.is_some_and(|at| now + SLACK >= at + grace);
        if is_excused { Ok(()) } else { Err(format!("{known:?}")) }
    }

    /// Whether this user may be shown as away now, and why not.
    pub fn may_be_away(&self, user: User, lease: u64, now: u64) -> Result<(), String> {
        let Some(known) = self.users.get(&user) else { return Ok(()) };
        let is_long = |absence: u64| absence + SLACK >= lease;
        let is_excused = known.is_over
            || self.is_disturbed(known.node, now)
            || known.came_from.is_some_and(|node| self.is_disturbed(node, now))
            || known.cut_at.is_some_and(|at| now < at + lease + AFTERMATH)
            || known.gone_at.is_some_and(|at| is_long(now - at.min(now)))
            || known.absence.is_some_and(|(long, until)| is_long(long) && now < until + AFTERMATH);
        if is_excused { Ok(()) } else { Err(format!("{known:?}")) }
    }

    fn is_disturbed(&self, node: usize, now: u64) -> bool {
        self.disturbed_until.get(&node).is_some_and(|&until| now < until + AFTERMATH)
    }
}
