//! The faults: their names, what each needs, and what it does.

use rustix::process::Signal;

use crate::conductor::{Began, Conductor, Later};
use crate::disk;
use crate::options::Options;
use crate::proxy::Mode;
use crate::shared::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillNode,
    StopNodeShort,
    StopNodeLong,
    RestartNode,
    Storm,
    JoinNode,
    RollingUpgrade,
    SlowLinks,
    CutLinks,
    PartitionNode,
    PartitionNodeLong,
    KillMasterRestart,
    KillMasterFailover,
    KillReplica,
    StopMaster,
    Failover,
    PartitionMaster,
    FullMemory,
    SlowFsync,
}

pub const ALL: [(Fault, &str, &str); 19] = [
    (Fault::KillNode, "kill-node", "kill -9 a node, and start it again"),
    (Fault::StopNodeShort, "stop-node-short", "SIGSTOP a node for 3 s"),
    (Fault::StopNodeLong, "stop-node-long", "SIGSTOP a node for longer than its lease"),
    (Fault::RestartNode, "restart-node", "SIGTERM a node: it drains; start it again"),
    (Fault::Storm, "storm", "all clients of a node lose their connection at once"),
    (Fault::JoinNode, "join-node", "one more node joins under load, and drains later"),
    (
        Fault::RollingUpgrade,
        "rolling-upgrade",
        "each node is drained and started as the other program",
    ),
    (
        Fault::SlowLinks,
        "slow-links",
        "each answer to a node, and each request of it, takes 5-60 ms more",
    ),
    (
        Fault::CutLinks,
        "cut-links",
        "a node's connections to Redis are cut at any byte, three times",
    ),
    (Fault::PartitionNode, "partition-node", "nothing passes between a node and Redis for 2 s"),
    (Fault::PartitionNodeLong, "partition-node-long", "the same for longer than the lease"),
    (Fault::KillMasterRestart, "kill-master-restart", "kill -9 the master, and start it at once"),
    (
        Fault::KillMasterFailover,
        "kill-master-failover",
        "kill -9 the master, and start it after a failover",
    ),
    (Fault::KillReplica, "kill-replica", "kill -9 the replica that nodes read from"),
    (Fault::StopMaster, "stop-master", "SIGSTOP the master for 10 s"),
    (Fault::Failover, "failover", "Sentinel is told to fail over"),
    (
        Fault::PartitionMaster,
        "partition-master",
        "the master is cut off from replicas and sentinels for 8 s, not from the nodes",
    ),
    (Fault::FullMemory, "full-memory", "maxmemory of all servers is too small for 3 s"),
    (
        Fault::SlowFsync,
        "slow-fsync",
        "the master's disk hangs in bursts of 100-400 ms for 3 s (fsfreeze, as root)",
    ),
];

impl Fault {
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(fault, ..)| *fault == self).map_or("", |(_, name, _)| name)
    }

    pub fn parse(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, known, _)| *known == name).map(|(fault, ..)| *fault)
    }

    /// Why it is not possible in this run.
    pub fn why_not(self, options: &Options) -> Option<&'static str> {
        let is_of_log = self >= Self::JoinNode && self != Self::RollingUpgrade;
        if options.is_alone && is_of_log {
            return Some("there is no Redis");
        }
        if self == Self::RollingUpgrade && options.nodes < 2 {
            return Some("there is one node");
        }
        if self == Self::SlowFsync && !disk::is_possible() {
            return Some("no loop device can be mounted");
        }
        None
    }

    /// Waits until it makes sense. This time does not count.
    pub fn prepare(self, on: &mut Conductor) -> Result<(), String> {
        if self == Self::Failover { on.engine()?.wait_until_all_is_known() } else { Ok(()) }
    }

    /// Begins it: does the harm, and says what is to be done later.
    pub fn begin(self, on: &mut Conductor) -> Result<Began, String> {
        let node = on.pick_node();
        match self {
            Self::KillNode => {
                on.nodes.kill(node);
                let after = on.random.u64(50..500);
                Ok(on.begun().then(after, move |on| on.nodes.start(node, None)))
            }
            Self::StopNodeShort => Ok(stop_node(on, node, 3_000)),
            Self::StopNodeLong => {
                let ms = on.options.lease + 3_000;
                Ok(stop_node(on, node, ms))
            }
            Self::RestartNode => {
                restart(on, node, None)?;
                Ok(on.begun())
            }
            Self::Storm => {
                on.tell(Command::Storm { node });
                Ok(on.begun().until_all_listen())
            }
            Self::JoinNode => {
                let spare = on.options.nodes;
                on.nodes.start(spare, None)?;
                on.members.push(spare);
                let began = on.begun();
                Ok(began.then(4_000, move |on| {
                    on.members.retain(|&member| member != spare);
                    drain(on, spare)
                }))
            }
            Self::RollingUpgrade => roll(on),
            _ => self.begin_in_log(on, node),
        }
    }

    fn begin_in_log(self, on: &mut Conductor, node: usize) -> Result<Began, String> {
        match self {
            Self::SlowLinks => slow_links(on, node),
            Self::CutLinks => Ok(cut_links(on, node)),
            Self::PartitionNode => partition_node(on, node, 2_000),
            Self::PartitionNodeLong => {
                let ms = on.options.lease + 3_000;
                partition_node(on, node, ms)
            }
            Self::KillMasterRestart => {
                let master = on.engine()?.master()?;
                on.engine()?.kill(master);
                let after = on.random.u64(..300);
                Ok(on.begun().then(after, move |on| on.engine()?.restart(master)))
            }
            Self::KillMasterFailover => {
                let master = on.engine()?.master()?;
                on.engine()?.kill(master);
                Ok(on.begun().then(6_000, move |on| on.engine()?.restart(master)))
            }
            Self::KillReplica => {
                let replica = on.engine()?.busiest_replica()?;
                on.engine()?.kill(replica);
                let after = on.random.u64(500..3_000);
                Ok(on.begun().then(after, move |on| on.engine()?.restart(replica)))
            }
            Self::StopMaster => {
                let master = on.engine()?.master()?;
                on.engine()?.signal(master, Signal::STOP);
                Ok(on.begun().then(10_000, move |on| {
                    on.engine()?.signal(master, Signal::CONT);
                    Ok(())
                }))
            }
            Self::Failover => fail_over(on),
            Self::PartitionMaster => partition_master(on),
            Self::FullMemory => fill_memory(on),
            Self::SlowFsync => slow_fsync(on),
            _ => Err(format!("{self:?} is not one of the log")),
        }
    }
}

fn stop_node(on: &mut Conductor, node: usize, ms: u64) -> Began {
    on.disturb(node, ms + 1_000);
    on.nodes.close_door(node);
    on.nodes.signal(node, Signal::STOP);
    on.begun().then(ms, move |on| {
        on.nodes.signal(node, Signal::CONT);
        on.nodes.open_door(node);
        Ok(())
    })
}

/// Drains a node; it must end well.
fn drain(on: &mut Conductor, node: usize) -> Result<(), String> {
    on.announce_drain(node);
    if on.nodes.drain(node) {
        return Ok(());
    }
    Err(format!("{} did not end well within 20 s of SIGTERM", on.nodes.all[node].name))
}

fn restart(
    on: &mut Conductor,
    node: usize,
    program: Option<&std::path::Path>,
) -> Result<(), String> {
    drain(on, node)?;
    on.nodes.start(node, program)
}

/// Drains and starts one node after the other, as the other program if there is one.
fn roll(on: &mut Conductor) -> Result<Began, String> {
    on.is_other = !on.is_other;
    let program = match (&on.options.other_server, on.is_other) {
        (Some(other), true) => other.clone(),
        _ => on.options.server.clone(),
    };
    for node in 0..on.options.nodes {
        restart(on, node, Some(&program))?;
        let since = on.shared.now();
        on.wait_until_fresh(since)?;
    }
    Ok(on.begun())
}

fn slow_links(on: &mut Conductor, node: usize) -> Result<Began, String> {
    let ms = on.random.u64(5..60);
    on.engine()?.set_node(node, Mode::Delay(ms));
    Ok(on.begun().then(4_000, move |on| {
        on.engine()?.set_node(node, Mode::Pass);
        Ok(())
    }))
}

/// Cuts everything three times, of which some bytes get through.
fn cut_links(on: &mut Conductor, node: usize) -> Began {
    let mut began = on.begun();
    for round in 0..3 {
        let (at, rest) = (round * 150 + on.random.u64(..100), on.random.u32(..400));
        began = began.then(at, move |on| {
            on.engine()?.set_node(node, Mode::Hold);
            std::thread::sleep(std::time::Duration::from_millis(3));
            on.engine()?.cut_node(node, rest);
            on.engine()?.set_node(node, Mode::Pass);
            Ok(())
        });
    }
    began
}

fn partition_node(on: &mut Conductor, node: usize, ms: u64) -> Result<Began, String> {
    on.disturb(node, ms + 1_000);
    on.engine()?.set_node(node, Mode::Hold);
    // When it is over, connections are cut, or go on with what was held.
    let (is_cut, rest) = (on.random.bool(), on.random.u32(..2_000));
    Ok(on.begun().then(ms, move |on| {
        if is_cut {
            on.engine()?.cut_node(node, rest);
        }
        on.engine()?.set_node(node, Mode::Pass);
        Ok(())
    }))
}

fn fail_over(on: &mut Conductor) -> Result<Began, String> {
    let before = on.engine()?.master()?;
    on.engine()?.fail_over()?;
    let began = on.shared.now();
    while on.engine()?.master()? == before {
        if on.shared.now() > began + 15_000 {
            return Err("Sentinel did not fail over within 15 s".to_owned());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(on.begun())
}

fn partition_master(on: &mut Conductor) -> Result<Began, String> {
    let master = on.engine()?.master()?;
    on.engine()?.set_server(master, Mode::Hold);
    // Sometimes the nodes are cut off from it as well.
    let is_whole = on.random.bool();
    if is_whole {
        on.engine()?.set_ways(master, Mode::Hold);
    }
    Ok(on.begun().then(8_000, move |on| {
        on.engine()?.cut_server(master);
        on.engine()?.set_server(master, Mode::Pass);
        if is_whole {
            on.engine()?.cut_ways(master, 0);
            on.engine()?.set_ways(master, Mode::Pass);
        }
        Ok(())
    }))
}

fn fill_memory(on: &mut Conductor) -> Result<Began, String> {
    for server in 0..3 {
        on.engine()?.ask(server, &["CONFIG", "SET", "maxmemory", "1mb"])?;
    }
    Ok(on.begun().then(3_000, |on| {
        for server in 0..3 {
            on.engine()?.ask(server, &["CONFIG", "SET", "maxmemory", "0"])?;
        }
        Ok(())
    }))
}

fn slow_fsync(on: &mut Conductor) -> Result<Began, String> {
    let master = on.engine()?.master()?;
    if !on.engine()?.disk(master).is_there() {
        return Err("the master has no disk of its own".to_owned());
    }
    let mut began = on.begun();
    let mut at = 0;
    while at < 3_000 {
        let ms = on.random.u64(100..400);
        began.later.push(Later::new(at, move |on| on.engine()?.disk(master).freeze()));
        began.later.push(Later::new(at + ms, move |on| on.engine()?.disk(master).thaw()));
        at += ms + on.random.u64(50..200);
    }
    Ok(began)
}
