//! The wall clock, as numbers that are valid whatever it shows.
//!
//! Pure: the caller reads the clock. An operator, a flat battery or a time server can set it to any year, and
//! back, so nothing here panics. Timeouts and deadlines go by `Instant`, which cannot jump.

use std::time::{SystemTime, UNIX_EPOCH};

/// The latest time that a `Date` of JavaScript can hold, in Unix milliseconds: in the year 275760.
const MAX_MILLIS: u64 = 8_640_000_000_000_000;

/// Unix time in milliseconds, as clients get it. 0 before 1970.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).map_or(MAX_MILLIS, |millis| millis.min(MAX_MILLIS))
}

/// Unix time in seconds, negative before 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    let seconds =
        |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => -seconds(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_time_has_its_numbers() {
        let far = Duration::from_secs(i64::MAX.unsigned_abs());
        for (time, millis, seconds) in [
            (UNIX_EPOCH, 0, 0),
            (
                UNIX_EPOCH + Duration::from_millis(1_795_511_771_337),
                1_795_511_771_337,
                1_795_511_771,
            ),
            // The year 10000.
            (
                UNIX_EPOCH + Duration::from_secs(253_402_300_800),
                253_402_300_800_000,
                253_402_300_800,
            ),
            (UNIX_EPOCH + far, MAX_MILLIS, i64::MAX),
            (UNIX_EPOCH - Duration::from_secs(86_400), 0, -86_400),
            (UNIX_EPOCH - far, 0, -i64::MAX),
        ] {
            assert_eq!((unix_millis(time), unix_seconds(time)), (millis, seconds), "{time:?}");
        }
    }
}
