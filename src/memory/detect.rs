//! How much memory there is: most of the machine's, or less if a control group or a resource limit allows
//! less.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use rustix::system::sysinfo;

/// Where the control groups of Linux are (cgroups(7)).
const CGROUPS: &str = "/sys/fs/cgroup";

/// How many bytes of memory this process may use.
pub(crate) fn detect() -> usize {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = [Some(of_machine()), of_groups(&groups, Path::new(CGROUPS)), of_process()];
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

/// The least limit of the process's groups and the groups around them. `groups` is the content of
/// `/proc/self/cgroup`.
fn of_groups(groups: &str, root: &Path) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        // Version 2 has one hierarchy, without a name. In version 1 each controller has its own.
        let (root, file) = if controllers.is_empty() {
            (root.to_path_buf(), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            return None;
        };
        let group = root.join(group.trim_start_matches('/'));
        let around = group.ancestors().take_while(|group| group.starts_with(&root));
        around.filter_map(|group| limit_in(&group.join(file))).min()
    });
    limits.min()
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
        let limit = |groups| of_groups(groups, root);
        assert_eq!(limit("0::/system.slice/wschat.service\n"), Some(700));
        assert_eq!(limit("0::/\n"), None);
        assert_eq!(limit("0::/../outside\n"), None);
        write(root, "memory/a/memory.limit_in_bytes", "300\n");
        write(root, "memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit("5:cpu,memory:/a/b\n1:name=systemd:/x\n0::/system.slice\n"), Some(300));
        assert_eq!(limit(""), None);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(detect() > 1 << 20);
    }
}
