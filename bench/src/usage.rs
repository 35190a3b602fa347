//! CPU time and memory of processes and the kernel, from `/proc` (see proc(5)).

use std::fs;

use serde::Serialize;

use crate::clock::{self, SECOND};

/// If the tool was running or waiting for a core for more than this share of the time, it counts as
/// never idle, and the figures may be its own limit.
const BUSY_SHARE: f64 = 0.9;

/// The server's process.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    pid: u32,
}

/// Context switches of all live threads.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Switches {
    pub voluntary: u64,
    pub involuntary: u64,
}

/// Kernel memory that grows with connections, in KiB, of the whole machine.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names)] // Each name has its unit.
pub struct KernelMemory {
    /// Sockets, descriptors, epoll entries and all other objects of the kernel.
    pub slab_kib: f64,
    /// One for each thread.
    pub kernel_stack_kib: f64,
    pub page_tables_kib: f64,
    /// Data waiting in TCP buffers.
    pub tcp_buffers_kib: f64,
}

/// Measures time and CPU time from its start.
#[derive(Debug)]
pub struct Meter {
    started_at: u64,
    own_cpu: u64,
    own_wait: u64,
    server: Option<(Process, f64)>,
}

/// Time and CPU time between the start and the stop of a meter.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub seconds: f64,
    pub tool: Spent,
    /// The share of the time in which it was runnable, but waited for a core.
    pub tool_wait_share: f64,
    pub server: Option<Spent>,
}

/// CPU time.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    pub cpu_seconds: f64,
    /// Of one core.
    pub cpu_share: f64,
}

impl Process {
    /// An existing process.
    pub fn find(pid: u32) -> Option<Self> {
        let process = Self { pid };
        process.cpu_seconds().map(|_| process)
    }

    pub fn pid(self) -> u32 {
        self.pid
    }

    /// User and system time of all threads, including ended ones.
    pub fn cpu_seconds(self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // The name is in parentheses and may contain anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11).map_while(|field| field.parse().ok());
        let ticks: u64 =
            times.next().zip(times.next()).map(|(user, system): (u64, u64)| user + system)?;
        Some(float(ticks) / float(rustix::param::clock_ticks_per_second()))
    }

    pub fn resident_kib(self) -> Option<u64> {
        self.status("VmRSS:")
    }

    pub fn threads(self) -> Option<u64> {
        self.status("Threads:")
    }

    /// Reads a file per thread: too slow to be called while measuring if there are thousands.
    pub fn switches(self) -> Option<Switches> {
        let mut sum = Switches::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?.flatten() {
            // The thread may have ended meanwhile.
            let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
            sum.voluntary += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            sum.involuntary += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
        Some(sum)
    }

    fn status(self, name: &str) -> Option<u64> {
        field(&fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?, name)
    }
}

impl Switches {
    pub fn since(self, earlier: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }

    pub fn sum(self) -> u64 {
        self.voluntary + self.involuntary
    }
}

impl KernelMemory {
    pub fn now() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let sockstat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        let kib = |name| field(&meminfo, name).map_or(0.0, float);
        let tcp = sockstat.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
        let pages = tcp.split_once(" mem ").and_then(|(_, pages)| pages.trim().parse().ok());
        Self {
            slab_kib: kib("Slab:"),
            kernel_stack_kib: kib("KernelStack:"),
            page_tables_kib: kib("PageTables:"),
            tcp_buffers_kib: pages.map_or(0.0, float) * page_kib(),
        }
    }

    /// The growth since `earlier`, divided by `count`.
    pub fn since(self, earlier: Self, count: f64) -> Self {
        Self {
            slab_kib: (self.slab_kib - earlier.slab_kib) / count,
            kernel_stack_kib: (self.kernel_stack_kib - earlier.kernel_stack_kib) / count,
            page_tables_kib: (self.page_tables_kib - earlier.page_tables_kib) / count,
            tcp_buffers_kib: (self.tcp_buffers_kib - earlier.tcp_buffers_kib) / count,
        }
    }
}

impl Meter {
    pub fn start(server: Option<Process>, now: u64) -> Self {
        Self {
            started_at: now,
            own_cpu: clock::own_cpu(),
            own_wait: own_wait(),
            server: server.and_then(|server| Some((server, server.cpu_seconds()?))),
        }
    }

    pub fn stop(&self, now: u64) -> Usage {
        let seconds = seconds(now - self.started_at);
        let spent = |cpu_seconds| Spent { cpu_seconds, cpu_share: share(cpu_seconds, seconds) };
        let server = self.server.and_then(|(server, before)| Some(server.cpu_seconds()? - before));
        Usage {
            seconds,
            tool: spent(self::seconds(clock::own_cpu() - self.own_cpu)),
            tool_wait_share: share(self::seconds(own_wait() - self.own_wait), seconds),
            server: server.map(spent),
        }
    }
}

impl Usage {
    /// Whether the tool was never idle.
    pub fn is_tool_busy(&self) -> bool {
        self.tool.cpu_share + self.tool_wait_share > BUSY_SHARE
    }
}

/// A count as a floating-point number: exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// `part / whole`, or 0 if `whole` is 0.
pub fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn seconds(nanoseconds: u64) -> f64 {
    float(nanoseconds) / float(SECOND)
}

fn page_kib() -> f64 {
    float(rustix::param::page_size() as u64) / 1024.0
}

/// Nanoseconds in which this program's thread was runnable, but had no core.
fn own_wait() -> u64 {
    let schedstat = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    schedstat.split_whitespace().nth(1).and_then(|wait| wait.parse().ok()).unwrap_or(0)
}

/// The number after a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let this = Process::find(std::process::id()).unwrap();
        assert!(this.resident_kib().unwrap() > 100);
        assert!(this.threads().unwrap() >= 1);
        assert!(this.switches().unwrap().sum() > 0);
        assert!(KernelMemory::now().slab_kib > 0.0);
    }

    #[test]
    fn a_field_is_taken_from_the_start_of_its_line() {
        let status =
            "nonvoluntary_ctxt_switches:\t5\nvoluntary_ctxt_switches:\t7\nVmRSS:\t 12 kB\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(field(status, "VmRSS:"), Some(12));
        assert_eq!(field(status, "VmSwap:"), None);
    }
}
