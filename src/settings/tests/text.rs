//! The settings text as a whole: unknown keys, syntax, files, and the error the operator reads.

use std::error::Error as _;
use std::io;

use proptest::prelude::*;
use tempfile::tempdir;

use super::*;

/// Checks the whole text of the error.
#[track_caller]
fn check_error(json: &str, expected: &str) {
    assert_eq!(Settings::from_json(json).expect_err(json).to_string(), expected, "{json}");
}

// Keys

#[test]
fn an_unknown_key_is_refused_with_a_suggestion() {
    let cases = [
        ("prot", "port"),
        ("allowedOrigin", "allowedOrigins"),
        ("private_key", "privateKey"),
        ("limit", "limits"),
        ("maxRooms", "limits.maxRooms"),
        ("limits.maxNameChar", "limits.maxNameChars"),
        ("limits.MAX_TEXT_CHARS", "limits.maxTextChars"),
        ("limits.port", "port"),
        ("log.levl", "log.level"),
        ("log.fil", "log.file"),
    ];
    for (path, meant) in cases {
        let expected = format!("{path} is not a setting; did you mean {meant}?");
        refused(&json_with(path, "1"), &[&expected]);
    }
}

#[test]
fn an_unknown_key_without_a_similar_one_is_refused_with_the_known_keys() {
    refused(
        r#"{"colour":"red"}"#,
        &[
            "colour is not a setting; allowed here: host, port, listen, domain, username, certificate, \
           privateKey, title, icon, accent, welcome, language, rooms, gifsDirectory, allowedOrigins, trustedProxies, admin, log, history, cluster, limits",
        ],
    );
    refused(
        r#"{"log":{"colour":"red"}}"#,
        &["log.colour is not a setting; allowed here: level, file, format"],
    );
    let error = Settings::from_json(r#"{"limits":{"colour":"red"}}"#).unwrap_err();
    assert!(error.mistakes()[0].starts_with(
        "limits.colour is not a setting; allowed here: maxConnections, maxConnectionsPerIp, "
    ));
}

#[test]
fn a_dot_in_a_key_does_not_name_a_section() {
    refused(
        r#"{"limits.maxRooms":5}"#,
        &[r#""limits.maxRooms" is not a setting; did you mean limits.maxRooms?"#],
    );
    let error = Settings::from_json(r#"{"":5,"a\nb":6}"#).unwrap_err();
    assert!(error.mistakes()[0].starts_with(r#""" is not a setting; allowed here: host, "#));
    assert!(error.mistakes()[1].starts_with(r#""a\nb" is not a setting; allowed here: host, "#));
}

#[test]
fn a_duplicate_key_is_refused() {
    refused(r#"{"port":1,"port":1}"#, &["port stands more than once; keep one"]);
    refused(
        r#"{"limits":{"maxRooms":5,"maxRooms":6}}"#,
        &["limits.maxRooms stands more than once; keep one"],
    );
    refused(
        r#"{"log":{"level":"off"},"log":{"file":null}}"#,
        &["log stands more than once; keep one"],
    );
}

// Syntax

#[test]
fn a_syntax_error_has_its_position() {
    check_error("{\n  \"port\": 1,\n}", "settings, line 3, column 1: trailing comma");
    check_error("{\"port\": 1 \"host\"", "settings, line 1, column 12: expected `,` or `}`");
    check_error("", "settings, line 1, column 1: EOF while parsing a value");
    check_error("{} {}", "settings, line 1, column 4: trailing characters");
    check_error(
        "\u{feff}{}",
        "settings, line 1, column 1: a byte order mark; save the text as UTF-8 without it",
    );
    let deep = "[".repeat(100_000);
    check_error(&deep, "settings, line 1, column 128: recursion limit exceeded");
}

proptest! {
    #[test]
    fn any_text_is_accepted_or_refused_with_an_error(
        (at, len) in (0..SHIPPED.len(), 0..40_usize),
        piece in r#"[\PC"\\{}\[\]:,.0-9enul-]{0,12}"#,
    ) {
        let end = SHIPPED.len().min(at + len);
        let text = format!("{}{piece}{}", &SHIPPED[..at], &SHIPPED[end..]);
        match Settings::from_json(&text) {
            Ok(settings) => prop_assert!(settings.check().is_ok()),
            Err(error) => prop_assert!(error.to_string().starts_with("settings")),
        }
    }
}

// The error text

#[test]
fn one_error_has_all_mistakes() {
    check_error(
        r#"{"prot":1,"host":"a b","log":{"level":"loud"},"limits":{"maxRooms":"many","roomBurst":0}}"#,
        r#"settings: 5 mistakes
  log.level is the string "loud"; allowed: "off", "error", "warn", "info", "debug", "trace"
  limits.maxRooms is the string "many"; allowed: a whole number from 1 to 1000000 (rooms), or 0 for no limit
  prot is not a setting; did you mean port?
  host is "a b"; allowed: an address such as "127.0.0.1" or "::", or a host name, without a port
  limits.roomBurst is 0; allowed: a whole number from 1 to 1000000 (rooms)"#,
    );
    check_error(
        r#"{"limits":{"pingIntervalMs":0}}"#,
        "settings: limits.pingIntervalMs is 0; allowed: a whole number from 100 to 86400000 \
         (milliseconds)",
    );
}

#[test]
fn a_long_value_is_cut_short() {
    let json = json_with("username", &format!("{:?}", "é ".repeat(1_000)));
    let found = "é ".repeat(30);
    refused(
        &json,
        &[&format!("username is {found:?}…; allowed: the name of a user of this machine, or null")],
    );
}

// Files

/// Writes `text` to a settings file and loads it. Also returns the file's directory.
fn load(text: impl AsRef<[u8]>) -> (PathBuf, Result<Settings, SettingsError>) {
    let directory = tempdir().unwrap();
    let file = directory.path().join("settings.json");
    fs::write(&file, text).unwrap();
    (directory.path().to_owned(), Settings::load(&file))
}

#[test]
fn a_settings_file_of_the_nodejs_sample_chat_is_accepted() {
    let (_, settings) = load(
        r#"{"domain":"chat.example.org","port":9000,"username":"www-data",
            "certificate":"/etc/letsencrypt/live/chat.example.org/fullchain.pem",
            "privateKey":"/etc/letsencrypt/live/chat.example.org/privkey.pem"}"#,
    );
    let live = Path::new("/etc/letsencrypt/live/chat.example.org");
    let expected = Settings {
        domain: Some("chat.example.org".to_owned()),
        port: 9000,
        username: Some("www-data".to_owned()),
        certificate: Some(live.join("fullchain.pem")),
        private_key: Some(live.join("privkey.pem")),
        ..Settings::default()
    };
    assert_eq!(settings.unwrap(), expected);

    let (_, settings) =
        load(r#"{"domain":"","port":"9000","username":"","certificate":"","privateKey":""}"#);
    assert_eq!(settings.unwrap(), Settings { port: 9000, ..Settings::default() });
}

#[test]
fn relative_paths_are_relative_to_the_settings_file() {
    let text = r#"{"certificate":"tls/cert.pem","privateKey":"../key.pem",
        "icon":"icon.png","gifsDirectory":"gifs","log":{"file":"chat.log"}}"#;
    let (directory, settings) = load(text);
    let settings = settings.unwrap();
    assert_eq!(settings.certificate, Some(directory.join("tls/cert.pem")));
    assert_eq!(settings.private_key, Some(directory.join("../key.pem")));
    assert_eq!(settings.icon, Some(directory.join("icon.png")));
    assert_eq!(settings.gifs_directory, Some(directory.join("gifs")));
    assert_eq!(settings.log.file, Some(directory.join("chat.log")));

    let (_, settings) = load(r#"{"log":{"file":"/var/log/chat.log"}}"#);
    assert_eq!(settings.unwrap().log.file, Some(PathBuf::from("/var/log/chat.log")));

    assert_eq!(accepted(text).log.file, Some(PathBuf::from("chat.log")));
}

#[test]
fn an_error_names_the_file() {
    let (directory, result) = load("{\n\"port\" 1}");
    let file = directory.join("settings.json");
    assert_eq!(
        result.unwrap_err().to_string(),
        format!("{}, line 2, column 8: expected `:`", file.display()),
    );

    let (directory, result) = load(r#"{"prot":1}"#);
    let file = directory.join("settings.json");
    assert_eq!(
        result.unwrap_err().to_string(),
        format!("{}: prot is not a setting; did you mean port?", file.display()),
    );

    let (directory, result) = load(b"{\"host\":\"\xff\"}");
    let file = directory.join("settings.json");
    assert_eq!(
        result.unwrap_err().to_string(),
        format!("{} is not UTF-8 text (byte 10 does not fit); save it as UTF-8", file.display()),
    );
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let error = Settings::load(Path::new("/nowhere/settings.json")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nowhere/settings.json does not exist; name another settings file, or put a copy of the \
         settings.json that comes with wschat there",
    );
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::NotFound));

    let directory = tempdir().unwrap();
    let error = Settings::load(directory.path()).unwrap_err().to_string();
    let start = format!("{} cannot be read: ", directory.path().display());
    assert!(error.starts_with(&start), "{error}");

    // Root may read every file, so this error is constructed.
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    assert_eq!(
        SettingsError::unreadable(Path::new("settings.json"), denied).to_string(),
        "settings.json may not be read (permission denied); give the user who starts wschat the \
         right to read it",
    );
}
