//! Whether the machine can carry as many connections as the settings allow.

use std::fs;

use rustix::process::{Resource, getrlimit};
use wschat::{Server, Settings};

use super::finding::Findings;

/// Descriptors that are not for connections of the settings: the history, the listener and the flusher, places for those
/// who resume, handshakes and HTTP.
const OTHER_DESCRIPTORS: u64 = 192;

/// The same for threads.
const OTHER_THREADS: u64 = 160;

/// Memory areas of a thread: its stack, the guard below it, and an arena of malloc now and then.
const AREAS_PER_THREAD: u64 = 2;

pub(super) fn examine(settings: &Settings, server: Option<u32>, findings: &mut Findings) {
    let max = settings.limits.max_connections as u64;
    let room = Server::room_for_connections(settings) as u64;
    if max > room {
        findings.warning(
            "memory",
            format!("there is memory for {room} connections, not for the {max} of \"maxConnections\""),
            format!("set \"maxConnections\" to {room}, or give the machine or the service (MemoryMax) more memory"),
        );
    }
    let carried = if max == 0 { room } else { max.min(room) };
    let descriptors = limit_of(server, "Max open files", Resource::Nofile);
    if descriptors < carried + OTHER_DESCRIPTORS {
        findings.warning(
            "descriptors",
            format!(
                "a process may have {descriptors} descriptors, which is enough for {} of {carried} connections",
                descriptors.saturating_sub(OTHER_DESCRIPTORS),
            ),
            format!("raise the limit (systemd: LimitNOFILE={}; shell: ulimit -Hn)", carried + OTHER_DESCRIPTORS),
        );
    }
    ThreadLimits::read(server).examine(carried, findings);
}

/// How many threads there may be.
struct ThreadLimits {
    /// Of the control group of the service.
    of_service: u64,
    of_system: u64,
    /// Memory areas of a process.
    areas: u64,
}

impl ThreadLimits {
    fn read(server: Option<u32>) -> Self {
        let system = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"];
        Self {
            of_service: pids_max(server).unwrap_or(u64::MAX),
            of_system: system.iter().filter_map(|file| number(file)).min().unwrap_or(u64::MAX),
            areas: number("/proc/sys/vm/max_map_count").unwrap_or(u64::MAX),
        }
    }

    fn examine(&self, carried: u64, findings: &mut Findings) {
        let Self { of_service, of_system, areas } = *self;
        let needed = carried + OTHER_THREADS;
        let max = of_service.min(of_system);
        if max < needed {
            let (whose, cure) = if of_service < of_system {
                ("service", format!("set TasksMax={needed} in its unit"))
            } else {
                let enough = 2 * needed;
                let keys = ["threads-max", "pid_max"].map(|key| format!("kernel.{key}={enough}"));
                ("system", format!("`sysctl {}`", keys.join(" ")))
            };
            let what = format!(
                "the {whose} may have {max} threads, fewer than the {needed} of {carried} connections"
            );
            findings.warning("threads", what, cure);
        }
        if areas < needed * AREAS_PER_THREAD {
            let enough = areas / AREAS_PER_THREAD;
            let what = format!(
                "a process may have {areas} memory areas (vm.max_map_count), which is enough for {enough} threads, \
                 fewer than the {needed} of {carried} connections"
            );
            let cure = format!("`sysctl vm.max_map_count={}`", needed * AREAS_PER_THREAD + 1_000);
            findings.warning("threads", what, cure);
        }
    }
}

/// The hard limit of the running server, or else of this process: the server raises the soft one.
fn limit_of(server: Option<u32>, name: &str, resource: Resource) -> u64 {
    let of_server = server.and_then(|process| {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        let hard = line.split_whitespace().nth(1)?;
        Some(hard.parse().unwrap_or(u64::MAX))
    });
    of_server.unwrap_or_else(|| getrlimit(resource).maximum.unwrap_or(u64::MAX))
}

/// What the control group of the running server, or else of this process, allows.
fn pids_max(server: Option<u32>) -> Option<u64> {
    let process = server.map_or_else(|| "self".to_owned(), |process| process.to_string());
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    number(&format!("/sys/fs/cgroup{group}/pids.max"))
}

fn number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(of_service: u64, of_system: u64, areas: u64) -> String {
        let mut findings = Findings::default();
        ThreadLimits { of_service, of_system, areas }.examine(1_000, &mut findings);
        findings.to_string()
    }

    #[test]
    fn whatever_limits_the_threads_is_named_with_what_is_enough() {
        assert_eq!(examined(1_160, 1_160, 2_320), "All is well.\n");
        assert!(examined(1_159, 4_000, 9_000).contains("TasksMax=1160"));
        assert!(examined(u64::MAX, 1_159, 9_000).contains("kernel.threads-max=2320"));
        assert!(examined(u64::MAX, 4_000, 2_319).contains("vm.max_map_count=3320"));
    }
}
