//! The JSON tree, and taking the known keys out of it.
//!
//! A key is known because it is asked for, so no list of keys can fall behind. What is left when
//! everything was asked for is unknown.

use std::fmt::{self, Display};
use std::net::IpAddr;

use ipnet::IpNet;
use log::LevelFilter;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Durability;
use super::error::SettingsError;
use super::rule::{self, Number, Range, TextRule};

/// The keys whose value is an object with settings of its own.
const SECTIONS: [&str; 3] = ["log", "history", "limits"];

/// A JSON value that, unlike `serde_json::Value`, still knows that a key stood twice.
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Parses JSON text, without looking at what it means.
pub(super) fn parse(text: &str) -> Result<Json, SettingsError> {
    if text.starts_with('\u{feff}') {
        return Err(SettingsError::byte_order_mark());
    }
    serde_json::from_str(text).map_err(|cause| SettingsError::syntax(&cause))
}

/// Hands out the values of the known keys and collects the mistakes.
#[derive(Debug)]
pub(super) struct SettingsReader {
    /// What nobody has asked for yet.
    left: Vec<Entry>,
    /// What somebody has asked for, in that order: `port`, `log.level`.
    known: Vec<&'static str>,
    mistakes: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    /// Empty at the top.
    section: &'static str,
    key: String,
    value: Json,
}

impl SettingsReader {
    pub(super) fn new(root: Json) -> Self {
        let mut reader = Self { left: Vec::new(), known: Vec::new(), mistakes: Vec::new() };
        match root {
            Json::Object(members) => reader.open("", members),
            other => reader.refuse("the outermost value", other, "an object"),
        }
        for section in SECTIONS {
            match reader.remove(section) {
                Some(Json::Object(members)) => reader.open(section, members),
                Some(other) => reader.refuse(section, other, "an object"),
                None => {}
            }
        }
        reader
    }

    /// Lays the members of an object out to be asked for.
    fn open(&mut self, section: &'static str, members: Vec<(String, Json)>) {
        for (key, value) in members {
            let entry = Entry { section, key, value };
            let path = entry.path();
            if self.left.iter().any(|other| other.path() == path) {
                self.mistakes.push(format!("{path} stands more than once; keep one"));
            } else {
                self.left.push(entry);
            }
        }
    }

    /// A number that fits its type. Whether it is in its range is for [`Range::check`] to say.
    pub(super) fn number<T: Number>(
        &mut self,
        path: &'static str,
        range: &Range<T>,
        default: T,
    ) -> T {
        self.read(path, range, default, |value| match value {
            Json::Number(number) => T::from_json(number),
            _ => None,
        })
    }

    /// A port: a number or, as the ancestor has it, a string of digits.
    pub(super) fn port(&mut self, path: &'static str, default: u16) -> u16 {
        self.read(path, &rule::PORT, default, |value| match value {
            Json::Number(number) => u16::from_json(number),
            Json::String(text) => rule::parse_port(text),
            _ => None,
        })
    }

    /// A string. Whether it is allowed is for [`TextRule::check`] to say.
    pub(super) fn text(&mut self, path: &'static str, rule: &TextRule, default: String) -> String {
        self.read(path, rule.allowed, default, Json::to_text)
    }

    /// A string or null; null and a key that is not there are the same.
    pub(super) fn text_or_null(&mut self, path: &'static str, allowed: &str) -> Option<String> {
        self.read(path, allowed, None, |value| match value {
            Json::Null => Some(None),
            other => other.to_text().map(Some),
        })
    }

    /// A list of strings. Whether each is allowed is for [`TextRule::check_all`] to say.
    pub(super) fn texts(
        &mut self,
        path: &'static str,
        rule: &TextRule,
        default: Vec<String>,
    ) -> Vec<String> {
        self.list(path, rule.allowed, default, Json::to_text)
    }

    /// A list of addresses and networks.
    pub(super) fn networks(&mut self, path: &'static str, default: Vec<IpNet>) -> Vec<IpNet> {
        self.list(path, rule::NETWORK, default, |value| {
            let Json::String(text) = value else {
                return None;
            };
            text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
        })
    }

    /// The name of a log level, in lower case.
    pub(super) fn level(&mut self, path: &'static str, default: LevelFilter) -> LevelFilter {
        let name = |level: LevelFilter| level.as_str().to_ascii_lowercase();
        let names: Vec<String> =
            LevelFilter::iter().map(|level| rule::quote(&name(level))).collect();
        self.read(path, names.join(", "), default, |value| match value {
            Json::String(text) => LevelFilter::iter().find(|level| name(*level) == *text),
            _ => None,
        })
    }

    /// What something that is kept is to survive.
    pub(super) fn durability(&mut self, path: &'static str, default: Durability) -> Durability {
        self.read(path, "\"process\", \"power-loss\"", default, |value| match value {
            Json::String(text) if text == "process" => Some(Durability::Process),
            Json::String(text) if text == "power-loss" => Some(Durability::PowerLoss),
            _ => None,
        })
    }

    /// The mistakes, those about keys that nobody asked for included.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.known.extend(SECTIONS);
        for entry in &self.left {
            self.mistakes.push(self.unknown(entry));
        }
        self.mistakes
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub(super) fn known(&self) -> &[&'static str] {
        &self.known
    }

    fn list<T>(
        &mut self,
        path: &'static str,
        each: &str,
        default: Vec<T>,
        parse: impl Fn(&Json) -> Option<T>,
    ) -> Vec<T> {
        let values = match self.take(path) {
            None => return default,
            Some(Json::List(values)) => values,
            Some(other) => {
                self.refuse(path, other, format_args!("a list, each item {each}"));
                return default;
            }
        };
        let before = self.mistakes.len();
        let mut items = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            match parse(&value) {
                Some(item) => items.push(item),
                None => self.refuse(&format!("{path}[{index}]"), value, each),
            }
        }
        // A list with a gap would be told of under wrong indexes.
        if self.mistakes.len() == before { items } else { default }
    }

    fn read<T>(
        &mut self,
        path: &'static str,
        allowed: impl Display,
        default: T,
        parse: impl FnOnce(&Json) -> Option<T>,
    ) -> T {
        let Some(value) = self.take(path) else {
            return default;
        };
        parse(&value).unwrap_or_else(|| {
            self.refuse(path, value, allowed);
            default
        })
    }

    fn take(&mut self, path: &'static str) -> Option<Json> {
        self.known.push(path);
        self.remove(path)
    }

    fn remove(&mut self, path: &str) -> Option<Json> {
        let index = self.left.iter().position(|entry| entry.path() == path)?;
        Some(self.left.remove(index).value)
    }

    fn refuse(&mut self, path: &str, found: Json, allowed: impl Display) {
        self.mistakes.push(rule::not_allowed(path, found, allowed));
    }

    /// The words for a key that nobody asked for: with the key that was meant, if it can be told.
    fn unknown(&self, entry: &Entry) -> String {
        let path = entry.path();
        let key = plain(&entry.key);
        let nearest = self
            .known
            .iter()
            .map(|known| (distance(&key, &plain(split(known).1)), *known))
            .min_by_key(|(distance, _)| *distance);
        match nearest {
            Some((distance, known)) if distance <= key.chars().count() / 3 => {
                format!("{path} is not a setting; did you mean {known}?")
            }
            _ => {
                let known: Vec<&str> = self
                    .known
                    .iter()
                    .filter_map(|known| {
                        let (section, key) = split(known);
                        (section == entry.section).then_some(key)
                    })
                    .collect();
                format!("{path} is not a setting; allowed here: {}", known.join(", "))
            }
        }
    }
}

impl Entry {
    /// `port`, `log.level`. A key that does not look like one is in quotes, so that a dot in it
    /// cannot pass for a section.
    fn path(&self) -> String {
        let looks_like_one = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let key = if !self.key.is_empty() && self.key.chars().all(looks_like_one) {
            self.key.clone()
        } else {
            rule::quote(&self.key)
        };
        if self.section.is_empty() { key } else { format!("{}.{key}", self.section) }
    }
}

/// The section and the key of a known path.
fn split(path: &'static str) -> (&'static str, &'static str) {
    path.split_once('.').unwrap_or(("", path))
}

/// A key as it compares: `max_rooms` and `MaxRooms` are both meant to be `maxRooms`.
fn plain(key: &str) -> String {
    let key = key.rsplit('.').next().unwrap_or_default();
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many characters to add, drop, change or swap with their neighbour to make `b` of `a` (the
/// optimal string alignment distance).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // `cost[i][j]` is the distance of the first `i` characters of `a` from the first `j` of `b`.
    let mut cost = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            cost[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let kept_or_changed = cost[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    cost[i - 2][j - 2] + 1
                } else {
                    usize::MAX
                };
                kept_or_changed.min(cost[i - 1][j] + 1).min(cost[i][j - 1] + 1).min(swapped)
            };
        }
    }
    cost[a.len()][b.len()]
}

impl Json {
    fn to_text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// What was found where something else is allowed.
impl Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => value.fmt(out),
            Self::Number(number) => number.fmt(out),
            Self::String(text) => write!(out, "the string {}", rule::quote(text)),
            Self::List(_) => out.write_str("a list"),
            Self::Object(_) => out.write_str("an object"),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        // JSON has no other numbers than finite ones.
        Ok(serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}
