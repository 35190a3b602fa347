//! Every setting that is not a limit, and checks across settings.

use super::*;

// What the owner may say.

const TITLE: &str = "a name of 1 to 64 characters that is not blank and has no control characters or line separators";
const ICON: &str = "the path of a PNG or SVG file, or null";
const ACCENT: &str = r##"a colour as "#" and six hexadecimal digits, such as "#0f766e", or null"##;
const WELCOME: &str = "Markdown of at most 4000 characters that is not blank and has no control characters but tabs and line breaks, or null";
const LANGUAGE: &str = r#""en", "de", "es", "fr", or null for that of the browser"#;

// What the others may be.

const HOST: &str = r#"an address such as "127.0.0.1" or "::", or a host name, without a port"#;
const LISTEN: &str = r#"a list, each item "HOST:PORT" such as "[::]:443", "unix:/PATH", "systemd", or an object such as {"address": "127.0.0.1:8776", "proxyProtocol": true}"#;
const DOMAIN: &str =
    r#"a host name such as "chat.example.org", in ASCII, without scheme, port or path, or null"#;
const USERNAME: &str = "the name of a user of this machine, or null";
const FILE: &str = "the path of a file, or null";
const DIRECTORY: &str = "the path of a directory, or null";
const TITLES: &str =
    "a list, each item a title that is not blank and has no control characters or line separators";
const ORIGINS: &str = r#"a list, each item a host name such as "chat.example.org", a whole origin such as "https://example.org:8443" (not wss, no path, no slash at the end), or "*" for all; names as browsers send them (in ASCII), without wildcards"#;
const NETWORKS: &str = r#"a list, each item an address such as "127.0.0.1" or "::1", or a network such as "10.0.0.0/8""#;
const ADMIN: &str = r#"the absolute path of a Unix socket ("/run/wschat/admin.sock"), an IP address with a port ("127.0.0.1:8777"), "" for none, or null for the default"#;
const LEVEL: &str = r#""off", "error", "warn", "info", "debug", "trace""#;
const FORMAT: &str = r#""auto", "text", "json""#;
const DURABILITY: &str = r#""process", "power-loss""#;
const REDIS_TLS: &str =
    r#"true, an object such as {"ca": "PATH", "cert": "PATH", "key": "PATH"}, or null"#;
const PORT: &str = "a whole number from 1 to 65535, or 0 for any free port";
const REDIS: &str = r#""redis://HOST:PORT/DATABASE" or "rediss://…", without user and password; an object such as {"sentinels": ["HOST:26379"], "name": "wschat"}; or null"#;
const PREFIX: &str = r#"a name of 1 to 64 letters, digits, "-", "_", "." and ":", in ASCII"#;
const NODE: &str =
    r#"a name of 1 to 64 letters, digits, "-", "_" and ".", in ASCII, or null for the host name"#;
const REDIS_USER: &str = "the name of an ACL user of Redis, without spaces, or null";

#[test]
fn every_other_key_refuses_the_wrong_type() {
    let keys = [
        ("host", "null", HOST),
        ("port", "null", PORT),
        ("listen", "null", LISTEN),
        ("domain", "1", DOMAIN),
        ("username", "1", USERNAME),
        ("certificate", "1", FILE),
        ("privateKey", "1", FILE),
        ("title", "null", TITLE),
        ("icon", "1", ICON),
        ("accent", "1", ACCENT),
        ("welcome", "1", WELCOME),
        ("language", "1", LANGUAGE),
        ("rooms", "null", TITLES),
        ("gifsDirectory", "1", DIRECTORY),
        ("allowedOrigins", "null", ORIGINS),
        ("trustedProxies", "null", NETWORKS),
        ("admin.listen", "1", ADMIN),
        ("log.level", "null", LEVEL),
        ("log.file", "1", FILE),
        ("log.format", "null", FORMAT),
        ("history.file", "1", FILE),
        ("history.durability", "null", DURABILITY),
        ("cluster.redis", "1", REDIS),
        ("cluster.readFrom", "1", r#""replica", "master", or null"#),
        ("cluster.prefix", "null", PREFIX),
        ("cluster.leaseMs", "null", "a whole number from 1000 to 60000 (ms)"),
        ("cluster.node", "1", NODE),
        ("cluster.username", "1", REDIS_USER),
        ("cluster.passwordFile", "1", FILE),
        ("cluster.tls", "1", REDIS_TLS),
    ];
    let known: Vec<_> =
        known_keys().into_iter().filter(|key| !key.starts_with("limits.")).collect();
    assert_eq!(
        keys.map(|(path, ..)| path).as_slice(),
        known,
        "the table of this test has every key"
    );

    for (path, value, allowed) in keys {
        for (value, found) in [(value, value), ("true", "true"), ("{}", "an object")] {
            if path == "cluster.tls" && found != "1" {
                continue; // Both are TLS.
            }
            refused(&json_with(path, value), &[&format!("{path} is {found}; allowed: {allowed}")]);
        }
    }
    refused(r#"{"log":7}"#, &["log is 7; allowed: an object"]);
    refused(r#"{"limits":[]}"#, &["limits is a list; allowed: an object"]);
    refused("[1]", &["the outermost value is a list; allowed: an object"]);
}

/// Checks that `path` accepts each of `good` and refuses each of `bad`, in JSON and in code.
#[track_caller]
fn check_texts(path: &str, good: &[&str], bad: &[&str]) {
    let whole = |text: &str| {
        let text = serde_json::to_string(text).unwrap();
        match path.strip_suffix("[0]") {
            Some(list) => json_with(list, &format!("[{text}]")),
            None => json_with(path, &text),
        }
    };
    for text in good {
        accepted(&whole(text));
    }
    for text in bad {
        let error = Settings::from_json(&whole(text)).expect_err(text);
        let [mistake] = error.mistakes() else { panic!("{text}: {error}") };
        assert!(mistake.starts_with(&format!("{path} is ")), "{text}: {mistake}");
        assert!(mistake.contains("; allowed: "), "{text}: {mistake}");
    }
}

#[test]
fn host() {
    check_texts(
        "host",
        &["0.0.0.0", "::", "::1", "fe80::1%eth0", "localhost", "chat_server", "a.example.org"],
        &["", " ", "a b", "[::1]", "localhost:80", "http://localhost", "10.0.0.256", "a..b", "-a"],
    );
}

#[test]
fn domain() {
    check_texts(
        "domain",
        &[
            "",
            "chat.example.org",
            "chat.example.org.",
            "203.0.113.7",
            "2001:db8::1",
            "[2001:db8::1]",
        ],
        &[
            " ",
            "https://chat.example.org",
            "chat.example.org:443",
            "[2001:db8::1]:443",
            "*.example.org",
            "chat.example.org..",
            "chat.example.org/",
            "münchen.de",
        ],
    );
}

#[test]
fn username() {
    check_texts("username", &["", "www-data", "_wschat"], &["a b", "a:b", "../a", "a\n"]);
}

#[test]
fn what_the_owner_says_of_the_place() {
    let (longest, too_long) = ("é".repeat(64), "é".repeat(65));
    check_texts(
        "title",
        &["Pond", " Café ☕ ", &longest],
        &["", "  ", "a\nb", "a\u{2028}b", &too_long],
    );
    check_texts("icon", &["", "icon.png", "/srv/icon"], &[]);
    check_texts(
        "accent",
        &["#0f766e", "#FFFFFF"],
        &[
            "",
            "#fff",
            "0f766e",
            "#0f766",
            "#0f766ee",
            "#+f766e",
            "#0f766g",
            "teal",
            "#éeee",
            "#0f766e;}",
        ],
    );
    let (longest, too_long) = ("é".repeat(4_000), "é".repeat(4_001));
    check_texts(
        "welcome",
        &["# Hi\r\n\n\tyou", &longest],
        &["", "\n", "a\u{1b}b", "a\rb", &too_long],
    );
    check_texts("language", &["en", "de", "es", "fr"], &["", "EN", "de-AT", "it"]);
    assert_eq!(accepted(r##"{"accent":"#0F76fe"}"##).accent_color(), Some([0x0f, 0x76, 0xfe]));
    assert_eq!(accepted(r#"{"icon":""}"#).icon, None);
}

#[test]
fn rooms() {
    check_texts(
        "rooms[0]",
        &["Lobby", "Café ☕", " spaced "],
        &["", "  ", "\u{3000}", "a\tb", "\u{7f}", "a\u{2028}b", "a\u{2029}b"],
    );
    refused(r#"{"rooms":[]}"#, &["rooms is an empty list; allowed: at least one title"]);
    refused(
        r#"{"rooms":["a",2,"b",null]}"#,
        &[
            "rooms[1] is 2; allowed: a title that is not blank and has no control characters or line separators",
            "rooms[3] is null; allowed: a title that is not blank and has no control characters or line separators",
        ],
    );
}

#[test]
fn allowed_origins() {
    check_texts(
        "allowedOrigins[0]",
        &[
            "*",
            "chat.example.org",
            "127.0.0.1",
            "[::1]",
            "::1",
            "chat.example.org.",
            "https://example.org",
            "https://example.org:443",
            "https://example.org:8443",
            "http://[::1]:8080",
            "http://[::1]",
            "chrome-extension://abcdef",
        ],
        &[
            "",
            "*.example.org",
            "localhost:3000",
            "https://*.example.org",
            "[::1",
            "[::1]:80",
            "https://::1",
            "https://",
            "://example.org",
            "https://example.org/",
            "https://example.org:",
            "https://example.org:+1",
            "https://example.org:65536",
            "https://example.org/chat",
            "https://me@example.org",
            "https://example.org:0",
            "https://münchen.de",
            "münchen.de",
            "wss://example.org",
            "file://example.org",
        ],
    );
}

#[test]
fn gifs_directory() {
    check_texts("gifsDirectory", &["", "gifs", "/srv/chat/gifs"], &[]);
    assert_eq!(accepted(r#"{"gifsDirectory":""}"#).gifs_directory, None);
    let gifs_directory = Some(PathBuf::new());
    refused_in_code(
        &Settings { gifs_directory, ..Settings::default() },
        &[r#"gifsDirectory is ""; allowed: the path of a directory, or null"#],
    );
}

#[test]
fn trusted_proxies() {
    check_texts(
        "trustedProxies[0]",
        &["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0"],
        &["", "localhost", "10.0.0.0/33", "10.0.0", "[::1]", "10.0.0.0/8 "],
    );
    let proxies = accepted(r#"{"trustedProxies":["127.0.0.1","10.0.0.0/8"]}"#).trusted_proxies;
    let networks: Vec<IpNet> =
        ["127.0.0.1/32", "10.0.0.0/8"].iter().map(|net| net.parse().unwrap()).collect();
    assert_eq!(proxies, networks);
}

#[test]
fn log() {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    check_texts("log.level", &levels, &["", "INFO", "loud"]);
    check_texts("log.file", &["/var/log/wschat.log"], &[""]);
    check_texts("log.format", &["auto", "text", "json"], &["", "Text", "xml"]);
    for (name, level) in levels.into_iter().zip(LevelFilter::iter()) {
        assert_eq!(accepted(&json_with("log.level", &format!("{name:?}"))).log.level, level);
    }
}

#[test]
fn port() {
    const ALLOWED: &str = "a whole number from 1 to 65535, or 0 for any free port";
    for (json, port) in [("0", 0), ("80", 80), ("65535", 65535), (r#""9000""#, 9000)] {
        assert_eq!(accepted(&json_with("port", json)).port, port);
    }
    for wrong in ["65536", "-1", "80.5"] {
        let expected = format!("port is {wrong}; allowed: {ALLOWED}");
        refused(&json_with("port", wrong), &[&expected]);
    }
    for wrong in [r#""""#, r#""http""#, r#""+80""#, r#"" 80""#, r#""65536""#] {
        let expected = format!("port is the string {wrong}; allowed: {ALLOWED}");
        refused(&json_with("port", wrong), &[&expected]);
    }
}

#[test]
fn admin_listen() {
    check_texts(
        "admin.listen",
        &["", "/run/wschat/admin.sock", "127.0.0.1:8777", "[::1]:0"],
        &["admin.sock", "localhost:8777", "8777", ":8777", "127.0.0.1", "/a\0b", "unix:/a"],
    );
}

// Checks across settings

#[test]
fn certificate_and_private_key_need_each_other() {
    accepted(r#"{"certificate":"a.pem","privateKey":"b.pem"}"#);
    refused(
        r#"{"certificate":"a.pem"}"#,
        &["certificate is set but privateKey is not; allowed: both, or neither"],
    );
    refused(
        r#"{"privateKey":"b.pem","certificate":""}"#,
        &["privateKey is set but certificate is not; allowed: both, or neither"],
    );
}

#[test]
fn rooms_are_within_the_limits() {
    refused(
        r#"{"rooms":["a","b","c"],"limits":{"maxRooms":2}}"#,
        &["rooms has 3 titles; allowed: at most 2 (limits.maxRooms)"],
    );
    accepted(r#"{"rooms":["a","b"],"limits":{"maxRooms":2}}"#);
    accepted(r#"{"rooms":["a","b"],"limits":{"maxRooms":0}}"#);

    refused(
        r#"{"rooms":["ééé","éééé"],"limits":{"maxTitleChars":3}}"#,
        &["rooms[1] has 4 characters; allowed: at most 3 (limits.maxTitleChars)"],
    );
    accepted(r#"{"rooms":["  ééé "],"limits":{"maxTitleChars":3}}"#);
}

#[test]
fn a_refused_value_causes_no_second_mistake() {
    let title = "a title that is not blank and has no control characters or line separators";
    refused(
        r#"{"certificate":7,"privateKey":"b.pem","rooms":[1],"limits":{"maxRooms":1}}"#,
        &[
            "certificate is 7; allowed: the path of a file, or null",
            &format!("rooms[0] is 1; allowed: {title}"),
        ],
    );
}

#[test]
fn settings_built_in_code_are_checked_by_the_same_rules() {
    let settings = Settings {
        host: "a\nb".to_owned(),
        domain: Some(String::new()),
        username: Some(String::new()),
        certificate: Some(PathBuf::new()),
        rooms: Vec::new(),
        allowed_origins: vec!["*".to_owned(), "a b".to_owned()],
        ..Settings::default()
    };
    let error = settings.check().unwrap_err();
    let starts = [
        r#"host is "a\nb"; allowed: "#,
        r#"domain is ""; allowed: "#,
        r#"username is ""; allowed: "#,
        r#"certificate is ""; allowed: "#,
        "rooms is an empty list; allowed: ",
        r#"allowedOrigins[1] is "a b"; allowed: "#,
    ];
    assert_eq!(error.mistakes().len(), starts.len(), "{error}");
    for (mistake, start) in error.mistakes().iter().zip(starts) {
        assert!(mistake.starts_with(start), "{mistake}");
    }

    let certificate = Some(PathBuf::from("a.pem"));
    refused_in_code(
        &Settings { certificate, ..Settings::default() },
        &["certificate is set but privateKey is not; allowed: both, or neither"],
    );
}
