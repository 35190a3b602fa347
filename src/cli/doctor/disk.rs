//! The disk that a file is on: how much is free, and whether it is on this machine.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};

/// Free space, in bytes, for those who are not root; `None` if the system does not say.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let disk = statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether no file can be created, however much space is free.
pub(super) fn lacks_inodes(path: &Path) -> bool {
    statvfs(path).is_ok_and(|disk| disk.f_files != 0 && disk.f_favail == 0)
}

pub(super) fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// The kind of the file system, if others than this machine can write to it.
pub(super) fn network_kind(path: &Path) -> Option<&'static str> {
    let disk = statfs(path).ok()?;
    name_of(u64::try_from(disk.f_type).ok()?)
}

/// By the number of statfs(2).
fn name_of(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => "SMB",
        0x0102_1997 => "9P",
        0x00c3_6400 => "Ceph",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x0bd0_0bd0 => "Lustre",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_of_a_network_are_known_and_those_of_this_machine_are_not() {
        assert_eq!(name_of(0x6969), Some("NFS"));
        assert_eq!(name_of(0xff53_4d42), Some("SMB"));
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS.
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(name_of(local), None);
        }
        assert_eq!(network_kind(Path::new("/proc")), None);
    }
}
