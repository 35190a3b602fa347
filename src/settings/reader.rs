//! The JSON tree, and taking the known keys out of it. Pure.
//!
//! A key is known because somebody asks for it, so there is no list of keys to keep up to date. What
//! is left at the end is unknown.

use std::fmt::{self, Display};
use std::net::IpAddr;

use ipnet::IpNet;
use log::LevelFilter;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::SettingsError;
use super::listen::{LISTEN, ListenAddress};
use super::rule::{self, Number, Range, TextRule};
use super::{Durability, LogFormat};

/// The keys whose value is an object with settings of its own.
const SECTIONS: &[&str] = &[
    "admin",
    "log",
    "history",
    #[cfg(feature = "cluster")]
    "cluster",
    "limits",
];

/// A JSON value that, unlike `serde_json::Value`, keeps duplicate keys.
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Parses JSON text, whatever its keys and values are.
pub(super) fn parse(text: &str) -> Result<Json, SettingsError> {
    if text.starts_with('\u{feff}') {
        return Err(SettingsError::byte_order_mark());
    }
    serde_json::from_str(text).map_err(|cause| SettingsError::syntax(&cause))
}

/// Hands out the values of the known keys and collects the mistakes.
#[derive(Debug)]
pub(super) struct SettingsReader {
    /// What has not been asked for yet.
    left: Vec<KeyValue>,
    /// The keys that have been asked for, in that order: `port`, `log.level`.
    known: Vec<&'static str>,
    mistakes: Vec<String>,
}

#[derive(Debug)]
struct KeyValue {
    /// Empty at the top level.
    section: &'static str,
    name: String,
    value: Json,
}

impl SettingsReader {
    pub(super) fn new(root: Json) -> Self {
        let mut reader = Self { left: Vec::new(), known: Vec::new(), mistakes: Vec::new() };
        match root {
            Json::Object(members) => reader.add("", members),
            other => reader.refuse("the outermost value", other, "an object"),
        }
        #[cfg(not(feature = "cluster"))]
        reader.refuse_cluster();
        for &section in SECTIONS {
            match reader.remove(section) {
                Some(Json::Object(members)) => reader.add(section, members),
                // No cluster.
                Some(Json::Null) if section == "cluster" => {}
                Some(other) => reader.refuse(section, other, "an object"),
                None => {}
            }
        }
        reader
    }

    /// Takes the section of a cluster out if it names none.
    #[cfg(not(feature = "cluster"))]
    fn refuse_cluster(&mut self) {
        let is_none = match self.remove("cluster") {
            None | Some(Json::Null) => true,
            Some(Json::Object(members)) => {
                members.iter().all(|(name, value)| name != "redis" || matches!(value, Json::Null))
            }
            Some(_) => false,
        };
        if !is_none {
            self.mistakes.push(
                "cluster.redis is set, but this wschat was built without the feature `cluster`; build it with that \
                 feature, or set cluster.redis to null"
                    .to_owned(),
            );
        }
    }

    /// Adds the members of an object to those that can be asked for.
    fn add(&mut self, section: &'static str, members: Vec<(String, Json)>) {
        for (name, value) in members {
            let entry = KeyValue { section, name, value };
            let key = entry.key();
            if self.left.iter().any(|other| other.key() == key) {
                self.mistakes.push(format!("{key} stands more than once; keep one"));
            } else {
                self.left.push(entry);
            }
        }
    }

    /// A number that fits its type. [`Range::check`] checks its range.
    pub(super) fn number<T: Number>(
        &mut self,
        key: &'static str,
        range: &Range<T>,
        default: T,
    ) -> T {
        self.read(key, range, default, |value| match value {
            Json::Number(number) => T::from_json(number),
            _ => None,
        })
    }

    /// A port: a number, or a string of digits as in settings files of the Node.js sample chat.
    pub(super) fn port(&mut self, key: &'static str, default: u16) -> u16 {
        self.read(key, &rule::PORT, default, |value| match value {
            Json::Number(number) => u16::from_json(number),
            Json::String(text) => rule::parse_port(text),
            _ => None,
        })
    }

    /// A string. [`TextRule::check`] checks whether it is allowed.
    pub(super) fn text(&mut self, key: &'static str, rule: &TextRule, default: String) -> String {
        self.read(key, rule.allowed, default, Json::to_text)
    }

    /// A string or null. A missing key is the same as null.
    pub(super) fn text_or_null(&mut self, key: &'static str, allowed: &str) -> Option<String> {
        self.read(key, allowed, None, |value| match value {
            Json::Null => Some(None),
            other => other.to_text().map(Some),
        })
    }

    /// A list of strings. [`TextRule::check_all`] checks whether each is allowed.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        rule: &TextRule,
        default: Vec<String>,
    ) -> Vec<String> {
        self.list(key, rule.allowed, default, Json::to_text)
    }

    /// A list of addresses to listen on. `check_listen` checks whether each is allowed.
    pub(super) fn addresses(
        &mut self,
        key: &'static str,
        default: Vec<ListenAddress>,
    ) -> Vec<ListenAddress> {
        self.list(key, LISTEN.allowed, default, Json::to_address)
    }

    /// A list of addresses and networks.
    pub(super) fn networks(&mut self, key: &'static str, default: Vec<IpNet>) -> Vec<IpNet> {
        self.list(key, rule::NETWORK, default, |value| {
            let Json::String(text) = value else {
                return None;
            };
            text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
        })
    }

    /// The name of a log level, in lower case.
    pub(super) fn level(&mut self, key: &'static str, default: LevelFilter) -> LevelFilter {
        let name = |level: LevelFilter| level.as_str().to_ascii_lowercase();
        let names: Vec<String> =
            LevelFilter::iter().map(|level| rule::quote(&name(level))).collect();
        self.read(key, names.join(", "), default, |value| match value {
            Json::String(text) => LevelFilter::iter().find(|level| name(*level) == *text),
            _ => None,
        })
    }

    /// The form of the log.
    pub(super) fn log_format(&mut self, key: &'static str, default: LogFormat) -> LogFormat {
        self.read(key, "\"auto\", \"text\", \"json\"", default, |value| match value {
            Json::String(text) if text == "auto" => Some(LogFormat::Auto),
            Json::String(text) if text == "text" => Some(LogFormat::Text),
            Json::String(text) if text == "json" => Some(LogFormat::Json),
            _ => None,
        })
    }

    /// What the history is to survive.
    pub(super) fn durability(&mut self, key: &'static str, default: Durability) -> Durability {
        self.read(key, "\"process\", \"power-loss\"", default, |value| match value {
            Json::String(text) if text == "process" => Some(Durability::Process),
            Json::String(text) if text == "power-loss" => Some(Durability::PowerLoss),
            _ => None,
        })
    }

    /// All mistakes, including those about unknown keys.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.known.extend_from_slice(SECTIONS);
        for entry in &self.left {
            self.mistakes.push(self.unknown(entry));
        }
        self.mistakes
    }

    /// All keys that have been asked for.
    #[cfg(test)]
    pub(super) fn known(&self) -> &[&'static str] {
        &self.known
    }

    fn list<T>(
        &mut self,
        key: &'static str,
        each: &str,
        default: Vec<T>,
        parse: impl Fn(&Json) -> Option<T>,
    ) -> Vec<T> {
        let values = match self.take(key) {
            None => return default,
            Some(Json::List(values)) => values,
            Some(other) => {
                self.refuse(key, other, format_args!("a list, each item {each}"));
                return default;
            }
        };
        let before = self.mistakes.len();
        let mut items = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            match parse(&value) {
                Some(item) => items.push(item),
                None => self.refuse(&format!("{key}[{index}]"), value, each),
            }
        }
        // After a refused item, the indexes in later mistakes would be wrong.
        if self.mistakes.len() == before { items } else { default }
    }

    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        allowed: impl Display,
        default: T,
        parse: impl FnOnce(&Json) -> Option<T>,
    ) -> T {
        let Some(value) = self.take(key) else {
            return default;
        };
        parse(&value).unwrap_or_else(|| {
            self.refuse(key, value, allowed);
            default
        })
    }

    fn take(&mut self, key: &'static str) -> Option<Json> {
        self.known.push(key);
        self.remove(key)
    }

    fn remove(&mut self, key: &str) -> Option<Json> {
        let index = self.left.iter().position(|entry| entry.key() == key)?;
        Some(self.left.remove(index).value)
    }

    fn refuse(&mut self, key: &str, found: Json, allowed: impl Display) {
        self.mistakes.push(rule::not_allowed(key, found, allowed));
    }

    /// The error text for an unknown key, with the key that was probably meant.
    fn unknown(&self, entry: &KeyValue) -> String {
        let key = entry.key();
        let name = normalize(&entry.name);
        let nearest = self
            .known
            .iter()
            .map(|known| (distance(&name, &normalize(split(known).1)), *known))
            .min_by_key(|(distance, _)| *distance);
        match nearest {
            Some((distance, known)) if distance <= name.chars().count() / 3 => {
                format!("{key} is not a setting; did you mean {known}?")
            }
            _ => {
                let known: Vec<&str> = self
                    .known
                    .iter()
                    .filter_map(|known| {
                        let (section, name) = split(known);
                        (section == entry.section).then_some(name)
                    })
                    .collect();
                format!("{key} is not a setting; allowed here: {}", known.join(", "))
            }
        }
    }
}

impl KeyValue {
    /// The whole key: `port`, `log.level`. A name with other characters is in quotes, so that a dot in
    /// it is not taken for the end of a section.
    fn key(&self) -> String {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let name = if !self.name.is_empty() && self.name.chars().all(is_plain) {
            self.name.clone()
        } else {
            rule::quote(&self.name)
        };
        if self.section.is_empty() { name } else { format!("{}.{name}", self.section) }
    }
}

/// The section and the name of a known key.
fn split(key: &'static str) -> (&'static str, &'static str) {
    key.split_once('.').unwrap_or(("", key))
}

/// A name for comparison: `max_rooms` and `MaxRooms` both mean `maxRooms`.
fn normalize(name: &str) -> String {
    let name = name.rsplit('.').next().unwrap_or_default();
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The optimal string alignment distance: how many characters to insert, delete, replace or swap with
/// their neighbour to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // `cost[i][j]` is the distance between the first `i` characters of `a` and the first `j` of `b`.
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
    pub(super) fn to_text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// An address to listen on: a string, or an object with what else is to be said of it.
    fn to_address(&self) -> Option<ListenAddress> {
        let Self::Object(members) = self else {
            return Some(self.to_text()?.as_str().into());
        };
        let (mut address, mut proxy_protocol) = (None, false);
        for (name, value) in members {
            match (&**name, value) {
                ("address", Self::String(text)) => address = Some(text.clone()),
                ("proxyProtocol", Self::Bool(value)) => proxy_protocol = *value,
                _ => return None,
            }
        }
        Some(ListenAddress { address: address?, proxy_protocol })
    }
}

/// How errors name a value that is refused.
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
        // Numbers in JSON are finite.
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
