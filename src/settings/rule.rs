//! What a single value may be, in code and in words. The parser and the check of settings built in
//! code share both. Pure.

use std::fmt::{self, Debug, Display};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use crate::chat::check_label;

/// The numbers that a setting allows: `min` to `max`, and 0 if it has a meaning of its own.
pub(super) struct Range<T> {
    pub(super) min: T,
    pub(super) max: T,
    /// Empty for a number without a unit.
    pub(super) unit: &'static str,
    /// What 0 means, if it is allowed outside the range.
    pub(super) zero: Option<&'static str>,
}

/// A number type of a setting.
pub(super) trait Number: Copy + Default + PartialOrd + Debug + Display {
    /// What errors call such a number.
    const NAME: &'static str;

    /// The number as this type, or `None` if it does not fit.
    fn from_json(number: &serde_json::Number) -> Option<Self>;
}

macro_rules! whole_numbers {
    ($($type:ty),+) => {$(
        impl Number for $type {
            const NAME: &'static str = "a whole number";

            fn from_json(number: &serde_json::Number) -> Option<Self> {
                number.as_u64()?.try_into().ok()
            }
        }
    )+};
}

whole_numbers!(u16, u32, u64, usize);

impl Number for f64 {
    const NAME: &'static str = "a number";

    fn from_json(number: &serde_json::Number) -> Option<Self> {
        number.as_f64()
    }
}

impl<T: Number> Range<T> {
    /// Adds a mistake unless `value` is allowed. NaN never is.
    pub(super) fn check(&self, key: &str, value: T, mistakes: &mut Vec<String>) {
        let is_zero = self.zero.is_some() && value == T::default();
        if !is_zero && !(self.min..=self.max).contains(&value) {
            // `Debug` writes a huge or tiny fraction as 1e300 and not with all its digits.
            mistakes.push(not_allowed(key, format_args!("{value:?}"), self));
        }
    }
}

impl<T: Number> Display for Range<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} from {} to {}", T::NAME, self.min, self.max)?;
        if !self.unit.is_empty() {
            write!(out, " ({})", self.unit)?;
        }
        if let Some(zero) = self.zero {
            write!(out, ", or 0 for {zero}")?;
        }
        Ok(())
    }
}

/// All ports.
pub(super) static PORT: Range<u16> =
    Range { min: 1, max: u16::MAX, unit: "", zero: Some("any free port") };

/// The texts that a setting allows.
pub(super) struct TextRule {
    /// The rule in words, to follow "allowed: ".
    pub(super) allowed: &'static str,
    pub(super) holds: fn(&str) -> bool,
}

impl TextRule {
    /// Adds a mistake unless `text` is allowed.
    pub(super) fn check(&self, key: &str, text: &str, mistakes: &mut Vec<String>) {
        if !(self.holds)(text) {
            mistakes.push(not_allowed(key, quote(text), self.allowed));
        }
    }

    /// Adds a mistake for each of `texts` that is not allowed.
    pub(super) fn check_all(&self, key: &str, texts: &[String], mistakes: &mut Vec<String>) {
        for (index, text) in texts.iter().enumerate() {
            self.check(&format!("{key}[{index}]"), text, mistakes);
        }
    }
}

pub(super) static HOST: TextRule = TextRule {
    allowed: "an address such as \"127.0.0.1\" or \"::\", or a host name, without a port",
    holds: is_listen_host,
};

pub(super) static USERNAME: TextRule = TextRule {
    allowed: "the name of a user of this machine, or null",
    holds: |text| {
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/');
        !text.is_empty() && !text.contains(forbidden)
    },
};

pub(super) static ROOM_TITLE: TextRule = TextRule {
    allowed: "a title that is not blank and has no control characters or line separators",
    // The rule for titles that users choose. Their length is checked with the limits.
    holds: |text| check_label(text, usize::MAX).is_ok(),
};

/// What `trustedProxies` allows, in words. Parsing checks the value.
pub(super) const NETWORK: &str =
    "an address such as \"127.0.0.1\" or \"::1\", or a network such as \"10.0.0.0/8\"";

/// What the path of a file may be, in words.
pub(super) const FILE: &str = "the path of a file, or null";

/// What the path of a directory may be, in words.
pub(super) const DIRECTORY: &str = "the path of a directory, or null";

/// Adds a mistake if there is a path and it is empty.
pub(super) fn check_path(
    key: &str,
    path: Option<&Path>,
    allowed: &str,
    mistakes: &mut Vec<String>,
) {
    if path.is_some_and(|path| path.as_os_str().is_empty()) {
        mistakes.push(not_allowed(key, "\"\"", allowed));
    }
}

/// The error text for a value that is refused.
pub(super) fn not_allowed(key: &str, found: impl Display, allowed: impl Display) -> String {
    format!("{key} is {found}; allowed: {allowed}")
}

/// `text` in quotes, on one line, and cut if it is long.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// What can be listened on: an address, one with an interface (`fe80::1%eth0`), or a host name.
fn is_listen_host(text: &str) -> bool {
    let link_local = || {
        let (address, interface) = text.split_once('%')?;
        Some(address.parse::<Ipv6Addr>().is_ok() && is_label(interface))
    };
    is_host_name(text) || text.parse::<IpAddr>().is_ok() || link_local().unwrap_or(false)
}

/// A host name as in RFC 1123, and with underscores, which container networks use. A name whose last
/// label is all digits is refused: it is a mistyped address.
pub(super) fn is_host_name(text: &str) -> bool {
    const LONGEST: usize = 253;
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= LONGEST
        && text.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_label(text: &str) -> bool {
    const LONGEST: usize = 63;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A port in digits only. `parse` alone would also accept a sign.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
