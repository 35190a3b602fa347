//! The rules of the settings, key by key, with the error texts the operator reads.

#[cfg(feature = "cluster")]
mod cluster;
mod limits;
mod text;
mod values;

use std::collections::BTreeSet;

use super::reader::{Json, parse};
use super::reload::Applies;
use super::*;

/// The file at the root of the project.
const SHIPPED: &str = include_str!("../../settings.json");

/// Checks that `json` is refused with exactly these mistakes.
#[track_caller]
fn refused(json: &str, expected: &[&str]) {
    let error = Settings::from_json(json).expect_err(json);
    assert_eq!(error.mistakes(), expected, "{json}");
}

/// Checks that `settings` built in code are refused with exactly these mistakes.
#[track_caller]
fn refused_in_code(settings: &Settings, expected: &[&str]) {
    let error = settings.check().expect_err("these settings are wrong");
    assert_eq!(error.mistakes(), expected);
}

#[track_caller]
fn accepted(json: &str) -> Settings {
    let settings = Settings::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    settings.check().expect("what from_json accepts, check accepts");
    settings
}

/// Returns `{"limits":{"maxRooms":5}}` for `limits.maxRooms` and `5`.
fn json_with(path: &str, value: &str) -> String {
    match path.split_once('.') {
        Some((section, key)) => format!(r#"{{"{section}":{{"{key}":{value}}}}}"#),
        None => format!(r#"{{"{path}":{value}}}"#),
    }
}

/// All keys that the parser asks for.
fn known_keys() -> Vec<&'static str> {
    let mut reader = SettingsReader::new(Json::Object(Vec::new()));
    Settings::read(&mut reader);
    reader.known().to_vec()
}

// Defaults

/// All keys with what the docs say about when a change applies.
fn change_column() -> Vec<(&'static str, &'static str)> {
    let name = |applies| match applies {
        Applies::Live => "live",
        Applies::Restart => "restart",
    };
    let rows = super::reload::TABLE.iter().chain(super::limits::TABLE);
    rows.map(|(key, applies)| (*key, name(*applies))).collect()
}

#[test]
fn the_docs_have_every_key_and_when_its_change_applies() {
    let docs = include_str!("../../docs/operations.md");
    let rows: Vec<Vec<&str>> = docs
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for (key, change) in change_column() {
        let name = format!("`{}`", key.strip_prefix("limits.").unwrap_or(key));
        // Other tables of that file have fewer columns.
        let row = rows.iter().find(|cells| cells.len() == 4 && cells[0].contains(&name));
        let row = row.unwrap_or_else(|| panic!("{key} is in no table of docs/operations.md"));
        assert_eq!(row[2], change, "{key} in docs/operations.md");
    }
}

#[test]
fn the_tables_of_when_a_change_applies_have_every_key() {
    let keys: Vec<&str> = change_column().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, known_keys());
}

#[test]
fn a_reload_keeps_what_needs_a_restart() {
    let running = Settings::default();
    let mut reloaded = Settings {
        port: 9000,
        domain: Some("chat.example.org".to_owned()),
        log: LogSettings { level: LevelFilter::Debug, ..LogSettings::default() },
        limits: Limits { max_rooms: 5, command_queue_length: 5, ..Limits::default() },
        ..Settings::default()
    };
    let expected = Settings {
        domain: Some("chat.example.org".to_owned()),
        log: LogSettings { level: LevelFilter::Debug, ..LogSettings::default() },
        limits: Limits { max_rooms: 5, ..Limits::default() },
        ..Settings::default()
    };
    let kept = reloaded.keep_restart_only(&running);
    assert_eq!(kept, ["port", "limits.commandQueueLength"]);
    assert_eq!(reloaded, expected);
    assert!(reloaded.keep_restart_only(&running).is_empty());
}

#[test]
fn the_shipped_file_has_every_key_at_its_default() {
    assert_eq!(accepted(SHIPPED), Settings::default());

    let Json::Object(members) = parse(SHIPPED).unwrap() else { panic!("not an object") };
    let mut shipped = Vec::new();
    for (key, value) in members {
        match value {
            Json::Object(members) => {
                shipped.extend(members.into_iter().map(|(inner, _)| format!("{key}.{inner}")));
            }
            _ => shipped.push(key),
        }
    }
    assert_eq!(shipped, known_keys());
}

#[test]
fn a_missing_key_has_its_default() {
    assert_eq!(accepted("{}"), Settings::default());
    assert_eq!(accepted(r#"{"log":{},"limits":{}}"#), Settings::default());
    Settings::default().check().unwrap();

    let settings = accepted(r#"{"limits":{"maxRooms":5}}"#);
    let limits = Limits { max_rooms: 5, ..Limits::default() };
    assert_eq!(settings, Settings { limits, ..Settings::default() });
}

#[test]
fn every_key_is_its_field_name_in_camel_case() {
    let fields: BTreeSet<String> = format!("{:#?}", Settings::default())
        .lines()
        .filter_map(|line| line.trim().split_once(':').map(|(field, _)| field.to_owned()))
        .collect();
    for path in known_keys() {
        let key = path.rsplit('.').next().unwrap();
        let snake: String = key
            .chars()
            .flat_map(|c| {
                c.is_ascii_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()])
            })
            .collect();
        assert!(fields.contains(&snake), "{path} has no field {snake}");
    }
}

#[cfg(not(feature = "cluster"))]
#[test]
fn a_build_without_clusters_refuses_only_a_cluster() {
    for none in ["null", "{}", r#"{"redis":null,"prefix":"wschat","leaseMs":6000}"#] {
        assert_eq!(accepted(&format!(r#"{{"cluster":{none}}}"#)), Settings::default());
    }
    let refusal = "cluster.redis is set, but this wschat was built without the feature `cluster`; build it with that feature, or set cluster.redis to null";
    for some in [r#"{"redis":"redis://a"}"#, r#"{"redis":{"sentinels":["a"],"name":"b"}}"#, "7"] {
        refused(&format!(r#"{{"cluster":{some}}}"#), &[refusal]);
    }
}
