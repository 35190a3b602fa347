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
    examine_threads(carried, server, findings);
}

fn examine_threads(carried: u64, server: Option<u32>, findings: &mut Findings) {
    let needed = carried + OTHER_THREADS;
    let system = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"];
    let system = system.iter().filter_map(|file| number(file)).min().unwrap_or(u64::MAX);
    let of_service = pids_max(server).unwrap_or(u64::MAX);
    if of_service.min(system) < needed {
        let (what, cure) = if of_service < system {
            ("service", format!("set TasksMax={needed} in its unit"))
        } else {
            ("system", format!("`sysctl kernel.threads-max={0} kernel.pid_max={0}`", 2 * needed))
        };
        let max = of_service.min(system);
        let what = format!(
            "the {what} may have {max} threads, fewer than the {needed} of {carried} connections"
        );
        findings.warning("threads", what, cure);
    }
    let areas = number("/proc/sys/vm/max_map_count").unwrap_or(u64::MAX);
    if areas < needed * AREAS_PER_THREAD {
        findings.warning(
            "threads",
            format!(
                "a process may have {areas} memory areas (vm.max_map_count), enough for some {} threads of {needed}",
                areas / AREAS_PER_THREAD,
            ),
            format!("`sysctl vm.max_map_count={}`", needed * AREAS_PER_THREAD + 1_000),
        );
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
