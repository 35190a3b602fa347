//! The rules of the settings, key by key, in the words the operator reads.

mod limits;
mod text;
mod values;

use std::collections::BTreeSet;

use super::reader::{Json, parse};
use super::*;

/// The file at the root of the project.
const SHIPPED: &str = include_str!("../../settings.json");

/// Refuses `json` with exactly these mistakes.
#[track_caller]
fn refused(json: &str, expected: &[&str]) {
    let error = Settings::from_json(json).expect_err(json);
    assert_eq!(error.mistakes(), expected, "{json}");
}

/// Refuses `settings` built in code with exactly these mistakes.
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

/// `{"limits":{"maxRooms":5}}` of `limits.maxRooms` and `5`.
fn json_with(path: &str, value: &str) -> String {
    match path.split_once('.') {
        Some((section, key)) => format!(r#"{{"{section}":{{"{key}":{value}}}}}"#),
        None => format!(r#"{{"{path}":{value}}}"#),
    }
}

/// Every key that the parser asks for.
fn known_keys() -> Vec<&'static str> {
    let mut reader = SettingsReader::new(Json::Object(Vec::new()));
    Settings::read(&mut reader);
    reader.known().to_vec()
}

// Defaults

#[test]
fn the_docs_have_every_key() {
    let docs = include_str!("../../docs/operations.md");
    for key in known_keys() {
        let key = key.strip_prefix("limits.").unwrap_or(key);
        let is_there =
            docs.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{key}`")));
        assert!(is_there, "{key} is in no table of docs/operations.md");
    }
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
fn what_is_left_out_has_its_default() {
    assert_eq!(accepted("{}"), Settings::default());
    assert_eq!(accepted(r#"{"log":{},"limits":{}}"#), Settings::default());
    Settings::default().check().unwrap();

    let settings = accepted(r#"{"limits":{"maxRooms":5}}"#);
    let limits = Limits { max_rooms: 5, ..Limits::default() };
    assert_eq!(settings, Settings { limits, ..Settings::default() });
}

#[test]
fn every_key_is_its_fields_name_in_camel_case() {
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
