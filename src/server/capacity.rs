//! How many connections this machine can carry: what each takes, and what there is of it.
//!
//! Runs on the thread that starts or reloads the server. The reckoning is pure; reading the machine's limits
//! is separate. Nothing is enforced here: admission and memory do that.

use std::fmt;
use std::fs;

use log::warn;
use rustix::process::{Resource, geteuid, getrlimit};

use crate::memory::{Memory, TASKS};
use crate::net::admission::AdmissionLimits;
use crate::settings::Settings;

/// How many connections the settings want and how many the machine can carry, from [`capacity`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capacity {
    /// `maxConnections`, or if that is 0, as many as there is memory for.
    pub wanted: usize,
    /// What bounds the connections. Limits that are not known are left out.
    pub bounds: Vec<Bound>,
}

/// One of the machine's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// What is limited, and where the limit is set.
    pub what: &'static str,
    /// The limit: a number of descriptors, threads, memory mappings, or bytes.
    pub limit: u64,
    /// About how many connections it carries, besides all else that the server needs.
    pub connections: usize,
}

/// What of one resource the server takes.
struct Cost {
    what: &'static str,
    /// For each connection.
    each: u64,
    /// For all else.
    base: u64,
}

/// A connection has one; two while it is in its handshake, which few are at a time.
const DESCRIPTORS: Cost =
    Cost { what: "open files (`ulimit -n`, LimitNOFILE= in the unit)", each: 1, base: 192 };

const OF_USER: Cost = Cost {
    what: "processes of the user (`ulimit -u`, LimitNPROC= in the unit)",
    each: 1,
    base: 32,
};

const OF_GROUP: Cost =
    Cost { what: "tasks of the service (TasksMax= in the unit)", each: 1, base: 32 };

/// The rest of the system has a few hundred.
const OF_MACHINE: Cost = Cost {
    what: "threads of the machine (kernel.threads-max, kernel.pid_max)",
    each: 1,
    base: 512,
};

/// A thread has a stack and an area of malloc, each with a guard.
const MAPPINGS: Cost =
    Cost { what: "memory mappings (`sysctl vm.max_map_count`)", each: 4, base: 128 };

/// What bounds the connections by memory. [`Memory`] reckons with it.
const MEMORY: &str = "memory (maxMemoryBytes, MemoryMax= in the unit, or the machine's)";

/// Reckons how many connections this process can carry with these settings.
///
/// Limits of the process count as they are now. The `wschat` program raises the number of open files to
/// the hard limit when it starts; a program around the library may do the same.
pub fn capacity(settings: &Settings) -> Capacity {
    let memory = Memory::of_settings(settings.limits.max_memory_bytes);
    let machine = [
        (&DESCRIPTORS, getrlimit(Resource::Nofile).current),
        // It does not apply to root.
        (&OF_USER, getrlimit(Resource::Nproc).current.filter(|_| !geteuid().is_root())),
        (&OF_GROUP, TASKS.of_own_groups()),
        (&OF_MACHINE, least_of(&["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"])),
        (&MAPPINGS, least_of(&["/proc/sys/vm/max_map_count"])),
    ];
    let limits = machine.into_iter().filter_map(|(cost, limit)| Some((cost, limit?)));
    reckon(settings.limits.max_connections, &memory, limits)
}

/// Warns of what cannot be carried.
pub(super) fn log_warnings(settings: &Settings) {
    for warning in capacity(settings).warnings() {
        warn!("{warning}");
    }
}

fn reckon<'a>(
    max_connections: usize,
    memory: &Memory,
    limits: impl Iterator<Item = (&'a Cost, u64)>,
) -> Capacity {
    let by_memory = Bound {
        what: MEMORY,
        limit: memory.max_bytes() as u64,
        connections: memory.max_connections(),
    };
    let wanted = if max_connections == 0 { by_memory.connections } else { max_connections };
    let admission = AdmissionLimits { max_connections: wanted, ..AdmissionLimits::default() };
    // Visitors, and those who resume when all places are taken.
    let others = admission.max_in_all() - wanted;
    let bound = |(cost, limit): (&Cost, u64)| {
        let all =
            usize::try_from(limit.saturating_sub(cost.base) / cost.each).unwrap_or(usize::MAX);
        Bound { what: cost.what, limit, connections: all.saturating_sub(others) }
    };
    let mut bounds: Vec<Bound> = limits.map(bound).collect();
    bounds.push(by_memory);
    Capacity { wanted, bounds }
}

/// The least number in files of the kernel.
fn least_of(files: &[&str]) -> Option<u64> {
    files.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).min()
}

impl Capacity {
    /// How many connections can be carried, at most as many as are wanted.
    pub fn connections(&self) -> usize {
        self.bounds.iter().map(|bound| bound.connections).fold(self.wanted, usize::min)
    }

    /// A sentence for each limit that carries fewer connections than are wanted, with what to do.
    pub fn warnings(&self) -> Vec<String> {
        let wanted = self.wanted;
        let short = self.bounds.iter().filter(|bound| bound.connections < wanted);
        short
            .map(|bound| {
                format!(
                    "limits.maxConnections is {wanted}, but {bound}; raise that limit, or lower \
                     limits.maxConnections"
                )
            })
            .collect()
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, limit, connections } = self;
        write!(f, "the limit of {what} is {limit}, which carries about {connections} connections")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reckoned(max_connections: usize, max_memory: usize, limits: &[(&Cost, u64)]) -> Capacity {
        let memory = Memory::of_settings(max_memory);
        reckon(max_connections, &memory, limits.iter().copied())
    }

    #[test]
    fn each_limit_that_is_too_low_is_named_with_what_it_carries() {
        let plenty = 1 << 40;
        // Beside 4,096 connections there may be 64 visitors and a reserve of 64.
        let limits = [
            (&DESCRIPTORS, 1_024),
            (&OF_GROUP, 4_096 + 32 + 128),
            (&MAPPINGS, 4 * 4_223 + 128),
            (&OF_MACHINE, 1_000_000),
        ];
        let capacity = reckoned(4_096, plenty, &limits);
        let carried: Vec<usize> = capacity.bounds.iter().map(|bound| bound.connections).collect();
        assert_eq!(carried[..3], [704, 4_096, 4_095]);
        assert_eq!(capacity.connections(), 704);
        let warnings = capacity.warnings();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert_eq!(
            warnings[0],
            "limits.maxConnections is 4096, but the limit of open files (`ulimit -n`, LimitNOFILE= in \
             the unit) is 1024, which carries about 704 connections; raise that limit, or lower \
             limits.maxConnections"
        );
        assert!(warnings[1].contains("vm.max_map_count"), "{warnings:?}");
    }

    #[test]
    fn the_memory_bounds_what_has_no_limit() {
        let capacity = reckoned(0, 512 << 20, &[(&DESCRIPTORS, 10_000)]);
        assert_eq!((capacity.wanted, capacity.connections()), (4_096, 4_096));
        let capacity = reckoned(5_000, 512 << 20, &[(&DESCRIPTORS, 10_000)]);
        assert_eq!(capacity.connections(), 4_096);
        assert!(capacity.warnings()[0].contains("maxMemoryBytes"));
        // Nothing is left at all.
        assert_eq!(reckoned(10, 512 << 20, &[(&DESCRIPTORS, 3)]).connections(), 0);
    }

    #[test]
    fn the_limits_of_this_machine_are_known() {
        let capacity = capacity(&Settings::default());
        for cost in [&DESCRIPTORS, &OF_MACHINE, &MAPPINGS] {
            assert!(capacity.bounds.iter().any(|bound| bound.what == cost.what), "{capacity:?}");
        }
    }
}
