//! What the system says about this process. Read when it is asked for. What cannot be read, as when no descriptor
//! is left for it, is left out.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What this process takes of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    pub(super) threads: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    /// In user and in kernel mode.
    pub(super) cpu_seconds: Option<f64>,
    pub(super) open_files: Option<u64>,
    /// `None` is no limit.
    pub(super) max_open_files: Option<u64>,
}

impl Process {
    pub(super) fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // proc_pid_stat(5). Field 2, the name, is in parentheses and may contain spaces.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or_else(Vec::new, |(_, fields)| fields.split_whitespace().collect());
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = field(14).zip(field(15)).map(|(user, system)| user + system);
        Self {
            threads: field(20),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * page_size() as u64),
            cpu_seconds: ticks.map(|ticks| as_f64(ticks) / as_f64(clock_ticks_per_second())),
            // Without the one that reads the directory.
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64 - 1),
            max_open_files: getrlimit(Resource::Nofile).current,
        }
    }
}

/// Exact up to 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "the last digits of huge numbers do not matter")]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_threads_memory_and_descriptors() {
        let process = Process::read();
        assert!(process.threads.unwrap() >= 1);
        assert!(process.resident_bytes.unwrap() > 1 << 20);
        assert!(process.virtual_bytes.unwrap() > process.resident_bytes.unwrap());
        assert!(process.cpu_seconds.unwrap() >= 0.0);
        let before = process.open_files.unwrap();
        assert!(process.max_open_files.is_none_or(|max| max >= before));
    }
}
