//! Memory that is no longer in use goes back to the system: the settings of glibc's malloc for that.
//!
//! Runs on the main thread, before anything else. When a program has freed a large block once, glibc takes such
//! blocks from its own heap from then on, and hardly ever gives them back: after a peak, such as many clients
//! that do not read, the server would keep ten times the memory it needs. Fixed thresholds prevent that. glibc
//! reads them from the environment when a program starts, and calling it instead would be unsafe code, so the
//! program starts itself again. Where malloc is not glibc's, there is nothing to do.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::{env, os::unix::process::CommandExt, process::Command};

/// Where glibc reads its settings.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Blocks from 64 KiB on are taken from the system one by one. 128 KiB that are free at the end of a heap go
/// back. The unit for systemd has the same values.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const THRESHOLDS: &str = "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=131072";

/// Set in the environment of the second start, in case glibc has removed its own variable: it does in a program
/// with file capabilities.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const STARTED_AGAIN: &str = "WSCHAT_STARTED_AGAIN";

/// Starts the program again with the settings, in the same process, unless the environment has some already.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_memory_back() {
    if env::var_os(TUNABLES).is_some() || env::var_os(STARTED_AGAIN).is_some() {
        return;
    }
    let mut arguments = env::args_os();
    if let (Ok(program), Some(name)) = (env::current_exe(), arguments.next()) {
        // Returns only if it fails. Then the program serves as well, and keeps more memory.
        let _ = Command::new(program)
            .arg0(name)
            .args(arguments)
            .env(TUNABLES, THRESHOLDS)
            .env(STARTED_AGAIN, "1")
            .exec();
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_memory_back() {}
