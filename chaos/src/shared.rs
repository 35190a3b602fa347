//! What the conductor and the crowd tell each other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

/// One node, as clients know it.
#[derive(Debug)]
pub struct Door {
    pub address: SocketAddr,
    /// Whether it was ever started, so that clients may try it.
    pub exists: AtomicBool,
    /// Whether a load balancer would send clients to it.
    pub is_open: AtomicBool,
}

#[derive(Debug)]
pub struct Shared {
    pub start: Instant,
    pub doors: Vec<Door>,
    /// When the newest text was sent that came from the probe of one node to that of another.
    heard: Vec<AtomicU64>,
    /// The longest time that nothing came from one to the other since it was last asked for.
    gaps: Vec<AtomicU64>,
    /// Clients that are in their room, and clients that wait for an answer.
    pub listening: AtomicUsize,
    /// Clients that wait for an answer, or are not in their room.
    pub unrested: AtomicUsize,
    pub violations: AtomicUsize,
    pub texts: AtomicU64,
}

/// What the conductor has the crowd do.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// All clients of this node lose their connection at once.
    Storm { node: usize },
    /// This node may be out of touch with the others for so many milliseconds.
    Disturb { node: usize, ms: u64 },
    /// This node is about to drain, so its clients of the base protocol leave.
    Drain { node: usize },
    /// Clients say nothing new, and stay where they are.
    Rest,
    /// The crowd returns.
    End,
}

impl Shared {
    pub fn new(addresses: &[SocketAddr]) -> Self {
        let cells = || (0..addresses.len().pow(2)).map(|_| AtomicU64::new(0)).collect();
        let door = |&address: &SocketAddr| Door {
            address,
            exists: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
        };
        Self {
            start: Instant::now(),
            doors: addresses.iter().map(door).collect(),
            heard: cells(),
            gaps: cells(),
            listening: AtomicUsize::new(0),
            unrested: AtomicUsize::new(0),
            violations: AtomicUsize::new(0),
            texts: AtomicU64::new(0),
        }
    }

    /// Milliseconds since the run began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn cell(&self, from: usize, to: usize) -> usize {
        from * self.doors.len() + to
    }

    /// A text that the probe of `from` sent at this time came to the probe of `to`, after nothing had come
    /// for `gap` milliseconds.
    pub fn hear(&self, from: usize, to: usize, sent_at: u64, gap: u64) {
        let cell = self.cell(from, to);
        self.heard[cell].fetch_max(sent_at, SeqCst);
        self.gaps[cell].fetch_max(gap, SeqCst);
    }

    /// Whether texts that each of these nodes was given after `since` have come to all of them.
    pub fn is_fresh(&self, nodes: &[usize], since: u64) -> bool {
        self.stale(nodes, since).is_none()
    }

    /// A pair of nodes between which nothing came that was sent after `since`.
    pub fn stale(&self, nodes: &[usize], since: u64) -> Option<(usize, usize)> {
        let pairs = nodes.iter().flat_map(|&from| nodes.iter().map(move |&to| (from, to)));
        let mut pairs = pairs;
        pairs.find(|&(from, to)| self.heard[self.cell(from, to)].load(SeqCst) <= since)
    }

    /// The longest time that nothing came between two of these nodes; then it counts anew.
    pub fn take_gap(&self, nodes: &[usize]) -> u64 {
        let pairs = nodes.iter().flat_map(|&from| nodes.iter().map(move |&to| (from, to)));
        pairs.map(|(from, to)| self.gaps[self.cell(from, to)].swap(0, SeqCst)).max().unwrap_or(0)
    }
}
