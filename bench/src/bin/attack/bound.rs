//! Bounds the memory of a server and reads how much it uses: by a control group of its own, version 1 or 2,
//! or else by `RLIMIT_DATA`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use serde::Serialize;

const ROOT_V1: &str = "/sys/fs/cgroup/memory";
const ROOT_V2: &str = "/sys/fs/cgroup";

/// The folder of a control group, which is removed when this is dropped.
#[derive(Debug)]
pub enum Bound {
    V1(PathBuf),
    V2(PathBuf),
    /// Of the data segment, in bytes.
    Limit(u64),
}

/// In MiB.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Memory {
    /// Of the control group, without caches.
    pub anonymous: f64,
    /// Of the control group, caches and the kernel's memory included.
    pub total: f64,
    /// `VmRSS` of the process.
    pub resident: f64,
}

impl Bound {
    pub fn new(bytes: u64) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("wschat-attack-{}-{number}", process::id());
        let bounded = |root: &str, file: &str| {
            let folder = Path::new(root).join(&name);
            fs::create_dir(&folder).ok()?;
            if fs::write(folder.join(file), bytes.to_string()).is_ok() {
                return Some(folder);
            }
            let _ = fs::remove_dir(&folder);
            None
        };
        if let Some(folder) = bounded(ROOT_V1, "memory.limit_in_bytes") {
            return Self::V1(folder);
        }
        // Often it is switched on already, or may not be.
        let _ = fs::write(Path::new(ROOT_V2).join("cgroup.subtree_control"), "+memory");
        match bounded(ROOT_V2, "memory.max") {
            Some(folder) => {
                let _ = fs::write(folder.join("memory.swap.max"), "0");
                Self::V2(folder)
            }
            None => Self::Limit(bytes),
        }
    }

    /// How memory is bounded.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::V1(_) => "a control group (version 1)",
            Self::V2(_) => "a control group (version 2)",
            Self::Limit(_) => "RLIMIT_DATA, since no control group could be made",
        }
    }

    /// What a command begins with to run within it.
    pub fn prefix(&self) -> Vec<String> {
        match self {
            Self::V1(folder) | Self::V2(folder) => {
                let join = r#"echo $$ > "$0" && exec "$@""#;
                let tasks = folder.join("cgroup.procs").to_string_lossy().into_owned();
                vec!["sh".to_owned(), "-c".to_owned(), join.to_owned(), tasks]
            }
            Self::Limit(bytes) => vec!["prlimit".to_owned(), format!("--data={bytes}")],
        }
    }

    pub fn memory(&self, pid: u32) -> Memory {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let resident = mib(field(&status, "VmRSS:") << 10);
        let (folder, anonymous, total) = match self {
            Self::V1(folder) => (folder, "total_rss", "memory.usage_in_bytes"),
            Self::V2(folder) => (folder, "anon", "memory.current"),
            Self::Limit(_) => return Memory { anonymous: resident, total: resident, resident },
        };
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let total = fs::read_to_string(folder.join(total)).unwrap_or_default();
        Memory {
            anonymous: mib(field(&stat, anonymous)),
            total: mib(total.trim().parse().unwrap_or(0)),
            resident,
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Self::V1(folder) | Self::V2(folder) = self {
            // It stays if the server has not ended, which is reported elsewhere.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Memory {
    /// The largest of each.
    pub fn max(self, other: Self) -> Self {
        Self {
            anonymous: self.anonymous.max(other.anonymous),
            total: self.total.max(other.total),
            resident: self.resident.max(other.resident),
        }
    }
}

/// The number after this word at the start of a line, or 0.
fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|&word| word == name).and(words.next())
    });
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

#[allow(clippy::cast_precision_loss)] // Far below 2^53.
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_read() {
        let memory = Bound::Limit(1 << 30).memory(process::id());
        assert!(memory.resident > 0.5 && memory.anonymous > 0.5, "{memory:?}");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field("anon_thp 7\nanon 5\n", "anon"), 5);
        assert_eq!(field("rss 7\n", "total_rss"), 0);
    }
}
