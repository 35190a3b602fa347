//! Every limit: its range, its type and the text of its error.

use super::*;

/// Each limit: its key, a value just below its range, one just above it, and what is allowed.
const LIMITS: &str = "
maxConnections      |     -1 |    1000001 | a whole number from 1 to 1000000 (connections), or 0 for no limit
maxConnectionsPerIp |     -1 |    1000001 | a whole number from 1 to 1000000 (connections), or 0 for no limit
maxHandshakes       |     -1 |    1000001 | a whole number from 1 to 1000000 (connections), or 0 for no limit
maxHandshakesPerIp  |     -1 |    1000001 | a whole number from 1 to 1000000 (connections), or 0 for no limit
connectsPerSecond   | 0.0009 |  1000000.5 | a number from 0.001 to 1000000 (connections per second), or 0 for no limit
connectBurst        |      0 |    1000001 | a whole number from 1 to 1000000 (connections)
commandQueueLength  |      0 |    1048577 | a whole number from 1 to 1048576 (commands)
handshakeTimeoutMs  |     99 |     600001 | a whole number from 100 to 600000 (milliseconds)
maxRequestHeadBytes |    255 |      65537 | a whole number from 256 to 65536 (bytes)
maxMessageBytes     |    127 |   16777217 | a whole number from 128 to 16777216 (bytes)
outboxMaxBytes      |   4095 | 1073741825 | a whole number from 4096 to 1073741824 (bytes)
maxMemoryBytes      | 16777215 | 4294967296 | a whole number from 16777216 to 4294967295 (bytes), or 0 for what there is
writeTimeoutMs      |     99 |     600001 | a whole number from 100 to 600000 (milliseconds)
pingIntervalMs      |     99 |   86400001 | a whole number from 100 to 86400000 (milliseconds)
pongTimeoutMs       |     99 |   86400001 | a whole number from 100 to 86400000 (milliseconds)
messagesPerSecond   | 0.0009 |  1000000.5 | a number from 0.001 to 1000000 (messages per second), or 0 for no limit
messageBurst        |      0 |    1000001 | a whole number from 1 to 1000000 (messages)
roomBytesPerSecond  | 1023.5 | 1000000000.5 | a number from 1024 to 1000000000 (bytes per second), or 0 for no limit
roomsPerSecond      | 0.0009 |  1000000.5 | a number from 0.001 to 1000000 (rooms per second), or 0 for no limit
roomBurst           |      0 |    1000001 | a whole number from 1 to 1000000 (rooms)
maxRooms            |     -1 |    1000001 | a whole number from 1 to 1000000 (rooms), or 0 for no limit
maxNameChars        |      0 |        257 | a whole number from 1 to 256 (characters)
maxTitleChars       |      0 |       1025 | a whole number from 1 to 1024 (characters)
maxTextChars        |      0 |    1000001 | a whole number from 1 to 1000000 (characters)
maxGifs             |      0 |      10001 | a whole number from 1 to 10000 (pictures)
maxGifBytes         |   1023 |   67108865 | a whole number from 1024 to 67108864 (bytes)
maxIconBytes        |   1023 |    4194305 | a whole number from 1024 to 4194304 (bytes)
emptyRoomTtlSeconds |      0 |   31536001 | a whole number from 1 to 31536000 (seconds)
roomListIntervalMs  |     -1 |      60001 | a whole number from 1 to 60000 (milliseconds), or 0 for no pause
historyOnEnter      |     -1 |       1001 | a whole number from 1 to 1000 (events), or 0 for none
historyMaxEvents    |     -1 | 4294967296 | a whole number from 1 to 4294967295 (events), or 0 for none
historyMaxDays      |     -1 |      36501 | a whole number from 1 to 36500 (days), or 0 for no limit
historyMaxMemoryBytes | 65535 | 4294967296 | a whole number from 65536 to 4294967295 (bytes)
historyMaxFileBytes | 1048575 | 1099511627777 | a whole number from 1048576 to 1099511627776 (bytes), or 0 for no limit
historyMaxReferenceBytes | 65535 | 4294967296 | a whole number from 65536 to 4294967295 (bytes)
resumeGraceSeconds  |     -1 |     604801 | a whole number from 1 to 604800 (seconds), or 0 for no time
reloadGraceSeconds  |     -1 |     604801 | a whole number from 1 to 604800 (seconds), or 0 for no time
maxAwayUsers        |     -1 |    1000001 | a whole number from 1 to 1000000 (users), or 0 for nobody
drainTimeoutMs      |     -1 |     600001 | a whole number from 1 to 600000 (milliseconds), or 0 for no wait
";

/// The rows of [`LIMITS`].
fn limits() -> Vec<[&'static str; 4]> {
    let cells = |row: &'static str| {
        let mut cells = row.split('|').map(str::trim);
        std::array::from_fn(|_| cells.next().expect("four cells"))
    };
    LIMITS.trim().lines().map(cells).collect()
}

#[test]
fn every_limit_refuses_what_it_does_not_allow() {
    let keys: Vec<String> = limits().iter().map(|[key, ..]| format!("limits.{key}")).collect();
    let known: Vec<_> = known_keys().into_iter().filter(|key| key.starts_with("limits.")).collect();
    assert_eq!(keys, known, "the table of this test has every limit");

    for [key, below, above, allowed] in limits() {
        let path = format!("limits.{key}");
        let wrong = [
            (below, below),
            (above, above),
            ("null", "null"),
            ("true", "true"),
            (r#""5""#, r#"the string "5""#),
            ("[5]", "a list"),
            ("{}", "an object"),
        ];
        let numbers = if allowed.starts_with("a whole") {
            [("-1", "-1"), ("300.5", "300.5")]
        } else {
            [("-1", "-1.0"), ("1e300", "1e300")]
        };
        for (value, found) in wrong.into_iter().chain(numbers) {
            refused(&json_with(&path, value), &[&format!("{path} is {found}; allowed: {allowed}")]);
        }
    }
}

#[test]
fn every_limit_accepts_both_ends_of_its_range() {
    for [key, _, _, allowed] in limits() {
        let mut words = allowed.split(' ').skip_while(|word| *word != "from");
        let (min, max) = (words.nth(1).unwrap(), words.nth(1).unwrap());
        let zero = allowed.contains("or 0").then_some("0");
        for value in [min, max].into_iter().chain(zero) {
            let json = json_with(&format!("limits.{key}"), value);
            let error = Settings::from_json(&json).err().map(|error| error.to_string());
            // The end of a range may contradict the default of another setting.
            let own = error.filter(|error| error.contains(allowed));
            assert_eq!(own, None, "{json}");
        }
    }
}

#[test]
fn a_rate_may_be_a_fraction() {
    let limits = accepted(r#"{"limits":{"messagesPerSecond":2,"roomsPerSecond":0.5}}"#).limits;
    assert!((limits.messages_per_second - 2.0).abs() < f64::EPSILON);
    assert!((limits.rooms_per_second - 0.5).abs() < f64::EPSILON);
}

#[test]
fn a_number_that_does_not_fit_its_type_is_out_of_range() {
    for value in ["4294967296", "18446744073709551616"] {
        assert!(Settings::from_json(&json_with("limits.roomBurst", value)).is_err(), "{value}");
    }
}

#[test]
fn limits_built_in_code_have_the_same_ranges() {
    let with = |limits| Settings { limits, ..Settings::default() };
    refused_in_code(
        &with(Limits { max_name_chars: 0, ping_interval_ms: 0, ..Limits::default() }),
        &[
            "limits.pingIntervalMs is 0; allowed: a whole number from 100 to 86400000 (milliseconds)",
            "limits.maxNameChars is 0; allowed: a whole number from 1 to 256 (characters)",
        ],
    );
    for rate in [f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, -1.0] {
        let expected = format!(
            "limits.messagesPerSecond is {rate:?}; allowed: a number from 0.001 to 1000000 \
             (messages per second), or 0 for no limit",
        );
        refused_in_code(
            &with(Limits { messages_per_second: rate, ..Limits::default() }),
            &[&expected],
        );
    }
}
