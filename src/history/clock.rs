//! Whether the time of day can be trusted to delete what is too old.
//!
//! A deletion cannot be undone, and the time of day may be wrong by years: on a machine without a battery
//! for its clock, or by a mistake. So it is compared with the time since the machine was started, which does
//! not jump, and at the start with the latest messages. After a jump nothing counts as too old until the
//! clock has been steady for a day. Upkeep's thread runs it for a file, and the dispatcher's for the memory.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{info, warn};
use rustix::fs::{statfs, statvfs};
use rustix::time::{ClockId, clock_gettime};

/// How far both clocks may come apart, in milliseconds.
const TOLERANCE_MS: i64 = 5 * 60 * 1_000;

/// How long the clock must have been steady, and how old the latest message may be at the start.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// When a message is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgeLimit {
    /// What was said before this time is too old. Unix time in milliseconds.
    pub(crate) oldest: u64,
    /// What was said after this time has a wrong time.
    pub(crate) latest: u64,
}

/// Watches the time of day.
#[derive(Debug)]
pub(crate) struct AgeClock {
    boot: String,
    /// The time of day less the time since the machine was started, in milliseconds.
    offset: i64,
    /// The time of day is trusted from this time since the machine was started.
    trusted_from: Duration,
    /// How far the clocks are ahead of the real ones.
    #[cfg(test)]
    pub(super) ahead: (Duration, i64),
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    since_boot: Duration,
    /// Unix time in milliseconds.
    time: i64,
}

impl AgeClock {
    /// A clock that is trusted: there is nothing to delete yet.
    pub(super) fn new() -> Self {
        let mut new = Self {
            boot: boot_id(),
            offset: 0,
            trusted_from: Duration::ZERO,
            #[cfg(test)]
            ahead: (Duration::ZERO, 0),
        };
        new.offset = new.now().offset();
        new
    }

    /// Goes on from a [`note`](Self::note). `latest` are the times of the latest messages.
    pub(crate) fn resume(note: Option<&str>, latest: &[u64]) -> Self {
        let mut clock = Self::new();
        let now = clock.now();
        let mut words = note.unwrap_or_default().split(' ');
        let (boot, offset) = (words.next(), words.next().and_then(|word| word.parse().ok()));
        let trusted_from =
            words.next().and_then(|word| word.parse().ok()).map(Duration::from_millis);
        if let (Some(offset), Some(trusted_from)) = (offset, trusted_from)
            && boot == Some(&clock.boot)
            && !clock.boot.is_empty()
        {
            (clock.offset, clock.trusted_from) = (offset, trusted_from);
            clock.observe();
            return clock;
        }
        let is_recent = |time: &u64| {
            let age = now.time.saturating_sub_unsigned(*time);
            (-TOLERANCE_MS..=0_i64.saturating_add_unsigned(DAY_MS)).contains(&age)
        };
        let was_trusted = trusted_from.is_none_or(|from| from.is_zero());
        if !was_trusted || !(latest.is_empty() || latest.iter().any(is_recent)) {
            info!(
                "history: no recent message shows that the time of day is right; nothing is deleted for \
                 its age until the clock has been steady for a day",
            );
            clock.trusted_from = now.since_boot + DAY;
        }
        clock
    }

    /// Looks at the clocks. Returns whether the [`note`](Self::note) has changed.
    pub(crate) fn observe(&mut self) -> bool {
        let now = self.now();
        let jump = now.offset().saturating_sub(self.offset);
        if jump.saturating_abs() > TOLERANCE_MS {
            warn!(
                "history: the time of day has jumped by {} s; nothing is deleted for its age until the \
                 clock has been steady for a day",
                jump / 1_000,
            );
            self.offset = now.offset();
            self.trusted_from = now.since_boot + DAY;
            return true;
        }
        let is_regained = !self.trusted_from.is_zero() && self.trusted_from <= now.since_boot;
        if is_regained {
            self.trusted_from = Duration::ZERO;
        }
        is_regained
    }

    /// What is too old now, as of the last [`observe`](Self::observe). `None`: nothing, or nobody knows.
    pub(crate) fn limit(&self, max_age: Option<Duration>) -> Option<AgeLimit> {
        let max_age = i64::try_from(max_age?.as_millis()).unwrap_or(i64::MAX);
        if !self.trusted_from.is_zero() {
            return None;
        }
        let now = self.now().time;
        let oldest = u64::try_from(now.saturating_sub(max_age)).unwrap_or(0);
        Some(AgeLimit { oldest, latest: u64::try_from(now).unwrap_or(0).saturating_add(DAY_MS) })
    }

    /// What a later [`resume`](Self::resume) needs.
    pub(super) fn note(&self) -> String {
        format!("{} {} {}", self.boot, self.offset, self.trusted_from.as_millis())
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "a test sets it ahead"))]
    fn now(&self) -> Moment {
        let since_boot = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        #[cfg(test)]
        let (since_boot, time) = (since_boot + self.ahead.0, time.saturating_add(self.ahead.1));
        Moment { since_boot, time }
    }
}

impl Moment {
    fn offset(self) -> i64 {
        let since_boot = i64::try_from(self.since_boot.as_millis()).unwrap_or(i64::MAX);
        self.time.saturating_sub(since_boot)
    }
}

/// Identifies the time since the machine was booted; empty if the system does not say.
///
/// In a sandbox the file of the kernel may be hidden (`ProcSubset=pid` of systemd). The file system at /run says it as
/// well: it is in memory, made at each boot, and has a random number.
pub(super) fn boot_id() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    match boot.trim() {
        "" => memory_disk_id(Path::new("/run")).unwrap_or_default(),
        boot => boot.to_owned(),
    }
}

/// The random number of the file system at `path`, if it is in memory.
fn memory_disk_id(path: &Path) -> Option<String> {
    /// `TMPFS_MAGIC` of statfs(2).
    const TMPFS: u64 = 0x0102_1994;
    let is_in_memory = statfs(path).is_ok_and(|disk| u64::try_from(disk.f_type) == Ok(TMPFS));
    let id = statvfs(path).map_or(0, |disk| disk.f_fsid);
    (is_in_memory && id != 0).then(|| format!("run-{id:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1_000;
    const MAX_AGE: Option<Duration> = Some(Duration::from_secs(60));

    /// Time passes on both clocks.
    fn pass(clock: &mut AgeClock, time: Duration) {
        clock.ahead.0 += time;
        clock.ahead.1 += i64::try_from(time.as_millis()).unwrap();
    }

    #[test]
    fn after_a_jump_nothing_is_too_old_for_a_day() {
        let mut clock = AgeClock::new();
        assert!(clock.limit(MAX_AGE).is_some());
        assert_eq!(clock.limit(None), None);
        for jump in [8_000 * YEAR_MS, -60 * YEAR_MS, i64::MAX, i64::MIN, TOLERANCE_MS + 10_000] {
            clock.ahead.1 = clock.ahead.1.saturating_add(jump);
            assert!(clock.observe());
            assert_eq!(clock.limit(MAX_AGE), None, "{jump}");
            assert!(!clock.observe(), "it is news once");
        }
        clock.ahead.1 = 0;
        clock.observe();
        pass(&mut clock, DAY.saturating_sub(Duration::from_secs(60)));
        assert!(!clock.observe());
        assert_eq!(clock.limit(MAX_AGE), None);
        pass(&mut clock, Duration::from_secs(61));
        assert!(clock.observe());
        assert!(clock.limit(MAX_AGE).is_some());
        clock.ahead.1 += TOLERANCE_MS / 2;
        assert!(!clock.observe());
        assert!(clock.limit(MAX_AGE).is_some(), "a correction is no jump");
    }

    #[test]
    fn a_disk_in_memory_has_a_number_of_its_own_and_others_do_not_count() {
        let id = memory_disk_id(Path::new("/dev/shm"));
        assert!(id.is_some());
        assert_eq!(memory_disk_id(Path::new("/dev/shm")), id);
        assert_ne!(memory_disk_id(Path::new("/dev")), id);
        for other in ["/proc", "/sys", "/missing"] {
            assert_eq!(memory_disk_id(Path::new(other)), None);
        }
    }

    #[test]
    fn at_the_start_a_recent_message_or_the_note_shows_that_the_clock_is_right() {
        let now = u64::try_from(AgeClock::new().now().time).unwrap();
        let is_trusted = |note: Option<&str>, latest: &[u64]| {
            AgeClock::resume(note, latest).limit(MAX_AGE).is_some()
        };
        assert!(is_trusted(None, &[]));
        assert!(is_trusted(None, &[5, now - 3_000, now * 2]));
        assert!(is_trusted(None, &[now - DAY_MS + 60_000]));
        assert!(!is_trusted(None, &[5, now - DAY_MS - 1, now * 2]));
        // The note of the same boot says it all.
        let mut clock = AgeClock::new();
        assert!(is_trusted(Some(&clock.note()), &[5]));
        clock.offset -= TOLERANCE_MS + 10_000;
        assert!(!is_trusted(Some(&clock.note()), &[now]));
        clock.ahead.1 = YEAR_MS;
        clock.observe();
        assert!(!is_trusted(Some(&clock.note()), &[now]));
        // After a boot, what was not trusted is not yet.
        assert!(!is_trusted(Some(&format!("other{}", clock.note())), &[now]));
        assert!(is_trusted(Some("other 0 0"), &[now]));
        assert!(!is_trusted(Some("other 0 0"), &[5]));
        assert!(is_trusted(Some("nonsense"), &[now]));
    }
}
