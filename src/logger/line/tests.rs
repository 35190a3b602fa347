use serde_json::json;

use super::*;

fn in_form(form: Form, time: SystemTime, message: &str) -> String {
    Line { time, level: Level::Info, message: message.to_owned() }.format(form)
}

#[track_caller]
fn check(now: SystemTime, expected: &str) {
    assert_eq!(in_form(Form::Text, now, "ended"), format!("{expected} [INFO] ended\n"));
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
        let line = in_form(Form::Text, UNIX_EPOCH, message);
        assert_eq!(line, format!("1970-01-01T00:00:00Z [INFO] {expected}\n"));
        assert_eq!(in_form(Form::Journal, UNIX_EPOCH, message), format!("<6>{expected}\n"));

        let line = in_form(Form::Json, UNIX_EPOCH, message);
        let json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let whole = json!({"time": "1970-01-01T00:00:00Z", "level": "info", "message": message});
        assert_eq!(json, whole);
        assert!(line.trim_end().chars().all(is_harmless), "{line}");
    }
}

#[test]
fn the_journal_gets_the_priority_of_each_level() {
    for (level, expected) in [
        (Level::Error, "<3>ended\n"),
        (Level::Warn, "<4>ended\n"),
        (Level::Info, "<6>ended\n"),
        (Level::Debug, "<7>ended\n"),
        (Level::Trace, "<7>ended\n"),
    ] {
        let line = Line { time: UNIX_EPOCH, level, message: "ended".to_owned() };
        assert_eq!(line.format(Form::Journal), expected);
    }
}
