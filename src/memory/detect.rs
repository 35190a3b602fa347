//! How much memory there is: most of the machine's, or less if a control group or a resource limit allows
//! less.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use rustix::system::sysinfo;

/// Where the control groups of Linux are (cgroups(7)).
const CGROUPS: &str = "/sys/fs/cgroup";

/// A limit that control groups have.
pub(crate) struct GroupLimit {
    controller: &'static str,
    file: &'static str,
    file_in_version_1: &'static str,
}

const MEMORY: GroupLimit = GroupLimit {
    controller: "memory",
    file: "memory.max",
    file_in_version_1: "memory.limit_in_bytes",
};

/// How many threads and processes there may be.
pub(crate) const TASKS: GroupLimit =
    GroupLimit { controller: "pids", file: "pids.max", file_in_version_1: "pids.max" };

/// How many bytes of memory this process may use.
pub(crate) fn detect() -> usize {
    let limits = [Some(of_machine()), MEMORY.of_own_groups(), of_process()];
    let least = limits.into_iter().flatten().min().unwrap_or(u64::MAX);
    usize::try_from(least).unwrap_or(usize::MAX)
}

/// Three quarters of the machine's memory: the system and other programs need the rest.
fn of_machine() -> u64 {
    let info = sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit.max(1))) / 4 * 3
}

/// The limits that `ulimit` and systemd's `LimitDATA` and `LimitAS` set.
fn of_process() -> Option<u64> {
    [Resource::Data, Resource::As].into_iter().filter_map(|of| getrlimit(of).current).min()
}

impl GroupLimit {
    /// The least limit of this process's groups and the groups around them.
    pub(crate) fn of_own_groups(&self) -> Option<u64> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        self.of_groups(&groups, Path::new(CGROUPS))
    }

    /// The same for a process with `groups` in its `/proc/self/cgroup`.
    fn of_groups(&self, groups: &str, root: &Path) -> Option<u64> {
        let limits = groups.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, group) = (fields.next()?, fields.next()?);
            // Version 2 has one hierarchy, without a name. In version 1 each controller has its own.
            let (root, file) = if controllers.is_empty() {
                (root.to_path_buf(), self.file)
            } else if controllers.split(',').any(|name| name == self.controller) {
                (root.join(self.controller), self.file_in_version_1)
            } else {
                return None;
            };
            let group = root.join(group.trim_start_matches('/'));
            let around = group.ancestors().take_while(|group| group.starts_with(&root));
            around.filter_map(|group| limit_in(&group.join(file))).min()
        });
        limits.min()
    }
}

/// The number in a file of a control group, unless it says "max".
fn limit_in(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, content: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn the_least_limit_of_all_groups_around_the_process_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "system.slice/memory.max", "700\n");
        write(root, "system.slice/wschat.service/memory.max", "max\n");
        write(root, "other.slice/memory.max", "5\n");
        let limit = |groups| MEMORY.of_groups(groups, root);
        assert_eq!(limit("0::/system.slice/wschat.service\n"), Some(700));
        assert_eq!(limit("0::/\n"), None);
        assert_eq!(limit("0::/../outside\n"), None);
        write(root, "memory/a/memory.limit_in_bytes", "300\n");
        write(root, "memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit("5:cpu,memory:/a/b\n1:name=systemd:/x\n0::/system.slice\n"), Some(300));
        assert_eq!(limit(""), None);
        write(root, "system.slice/wschat.service/pids.max", "120\n");
        assert_eq!(TASKS.of_groups("0::/system.slice/wschat.service\n", root), Some(120));
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(detect() > 1 << 20);
    }
}
