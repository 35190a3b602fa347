//! Whether the server that runs may have as many descriptors and threads as the settings want: its unit may set
//! other limits than those of this process, which the library reckons with.

use std::fs;

use wschat::{Settings, capacity};

use super::finding::Findings;

const SUBJECT: &str = "machine";

/// Descriptors and threads that are not for connections of the settings: the history, the listener and the flusher, places
/// for those who resume, handshakes and HTTP.
const OTHERS: u64 = 192;

pub(super) fn examine(settings: &Settings, server: Option<u32>, findings: &mut Findings) {
    if let Some(process) = server {
        examine_server(process, capacity(settings).wanted as u64, findings);
    }
}

fn examine_server(process: u32, wanted: u64, findings: &mut Findings) {
    let needed = wanted + OTHERS;
    let limits = [
        (descriptors(process), "descriptors", "LimitNOFILE"),
        (tasks(process), "threads", "TasksMax"),
    ];
    for (limit, what, setting) in limits {
        let Some(limit) = limit.filter(|limit| *limit < needed) else { continue };
        findings.warning(
            SUBJECT,
            format!(
                "the server (process {process}) may have {limit} {what}, fewer than the {needed} of {wanted} connections"
            ),
            format!("set {setting}={needed} in its unit, or lower \"maxConnections\""),
        );
    }
}

/// The hard limit: the server raises the soft one.
fn descriptors(process: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What the control group allows.
fn tasks(process: u32) -> Option<u64> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    fs::read_to_string(format!("/sys/fs/cgroup{group}/pids.max")).ok()?.trim().parse().ok()
}
