use std::sync::Arc;
use std::time::Duration;

use super::*;

const LEVEL: Level = Level::Info;

#[track_caller]
fn check(now: SystemTime, expected: &str) {
    assert_eq!(line(now, LEVEL, "ended"), format!("{expected} [INFO] ended\n"));
}

fn after_1970(seconds: u64, nanos: u32) -> SystemTime {
    UNIX_EPOCH + Duration::new(seconds, nanos)
}

#[test]
fn a_line_has_its_time_in_utc_and_its_level() {
    check(after_1970(1_795_511_771, 337_146_497), "2026-11-24T09:16:11.337146497Z");
    check(after_1970(1_795_511_771, 250_000_000), "2026-11-24T09:16:11.25Z");
    check(after_1970(1_795_511_771, 0), "2026-11-24T09:16:11Z");
}

#[test]
fn a_line_is_written_whatever_the_clock_shows() {
    check(UNIX_EPOCH, "1970-01-01T00:00:00Z");
    check(UNIX_EPOCH - Duration::new(1, 500_000_000), "1969-12-31T23:59:58.5Z");
    check(after_1970(253_402_300_799, 0), "9999-12-31T23:59:59Z");
    check(after_1970(253_402_300_800, 1), "@253402300800.000000001");
    check(after_1970(i64::MAX.unsigned_abs(), 999_999_999), "@9223372036854775807.999999999");
    // Year 0 is the first that RFC 3339 has.
    check(UNIX_EPOCH - Duration::new(62_167_219_201, 0), "@-62167219201.000000000");
    check(
        UNIX_EPOCH - Duration::new(i64::MAX.unsigned_abs(), 0),
        "@-9223372036854775807.000000000",
    );
}

#[test]
fn characters_that_could_deceive_the_reader_are_escaped() {
    for (message, expected) in [
        ("GET /Café/☕ 404", "GET /Café/☕ 404"),
        (r#"rooms["a"] isn't C:\x"#, r#"rooms["a"] isn't C:\x"#),
        ("/\u{202e}gnp.exe", r"/\u{202e}gnp.exe"),
        ("/\u{2066}a\u{2069}\u{200f}\u{61c}", r"/\u{2066}a\u{2069}\u{200f}\u{61c}"),
        ("a\u{85}b\u{2028}c\u{2029}d", r"a\u{85}b\u{2028}c\u{2029}d"),
        ("a\r\n2026-11-24T09:16:11Z [INFO] b\tc", r"a\r\n2026-11-24T09:16:11Z [INFO] b\tc"),
        ("\u{1b}[31m\0\u{7f}\u{9b}", r"\u{1b}[31m\0\u{7f}\u{9b}"),
    ] {
        let line = line(UNIX_EPOCH, LEVEL, message);
        assert_eq!(line, format!("1970-01-01T00:00:00Z [INFO] {expected}\n"));
    }
}

#[test]
fn the_level_and_the_target_decide_what_is_logged_and_no_panic_ends_it() {
    struct Explosive;
    impl std::fmt::Display for Explosive {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("while a value is shown")
        }
    }
    let written = Arc::<Mutex<Vec<u8>>>::default();
    let out = Mutex::new(Box::new(Shared(written.clone())) as Box<dyn Write + Send>);
    let logger = Logger { level: LevelFilter::Info, out };
    let log = |level, target: &str, message: &str| {
        let mut record = Record::builder();
        record.level(level).target(target);
        logger.log(&record.args(format_args!("{message}")).build());
    };
    log(Level::Info, "wschat::server", "one");
    log(Level::Debug, "wschat::server", "below the level");
    log(Level::Error, "tungstenite::protocol", "a whole message");
    std::thread::scope(|scope| {
        let logging = scope.spawn(|| {
            logger.log(&Record::builder().args(format_args!("{Explosive}")).build());
        });
        assert!(logging.join().is_err());
    });
    log(Level::Warn, "wschat::server", "two");
    let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let messages: Vec<_> = written.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(messages, ["[INFO] one", "[WARN] two"]);
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
