//! The time of day. Messages carry it, and what is too old is deleted by it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use wschat::HistoryState;

use super::finding::Findings;

const SUBJECT: &str = "clock";

/// 2026-01-01, in Unix milliseconds. This program is younger.
const LONG_AGO: u64 = 1_767_225_600_000;

/// How far in the future a message may be, in milliseconds.
const TOLERANCE: u64 = 5 * 60 * 1_000;

const CURE: &str = "set the clock, and let it be kept right (`timedatectl set-ntp true`)";

/// Where systemd-timesyncd notes that it runs, and that it has set the clock.
const TIMESYNC: &str = "/run/systemd/timesync";

pub(super) fn examine(history: Option<&HistoryState>, findings: &mut Findings) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    if now < LONG_AGO {
        findings.error(SUBJECT, "the clock is wrong by years: it is before 2026", CURE);
    } else if let Some(newest) = history.and_then(|history| history.newest)
        && newest > now.saturating_add(TOLERANCE)
    {
        let what = format!(
            "the newest message is from {} minutes in the future: the clock is slow, or was fast when it was said",
            (newest - now) / 60_000,
        );
        findings.warning(SUBJECT, what, CURE);
    }
    let timesync = Path::new(TIMESYNC);
    if timesync.is_dir() && !timesync.join("synchronized").exists() {
        let what = "the clock has not been set by a time server since the machine was booted";
        findings.warning(
            SUBJECT,
            what,
            "see `timedatectl timesync-status`; the network or NTP may be blocked",
        );
    }
}
