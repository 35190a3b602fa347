//! What the owner says of the place: its name, its colour, its welcome. Pure.

use super::Settings;
use super::rule::{self, TextRule};
use crate::chat::{check_label, check_text};

/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 64;

/// The longest welcome, in characters.
const MAX_WELCOME_CHARS: usize = 4_000;

/// The languages of the page.
const LANGUAGES: [&str; 4] = ["en", "de", "es", "fr"];

pub(super) static TITLE: TextRule = TextRule {
    allowed: "a name of 1 to 64 characters that is not blank and has no control characters or line separators",
    holds: |text| check_label(text, MAX_TITLE_CHARS).is_ok(),
};

pub(super) static ACCENT: TextRule = TextRule {
    allowed: "a colour as \"#\" and six hexadecimal digits, such as \"#0f766e\", or null",
    holds: |text| parse_color(text).is_some(),
};

pub(super) static WELCOME: TextRule = TextRule {
    allowed: "Markdown of at most 4000 characters that is not blank and has no control characters but tabs and \
              line breaks, or null",
    holds: |text| check_text(text, MAX_WELCOME_CHARS).is_ok(),
};

pub(super) static LANGUAGE: TextRule = TextRule {
    allowed: "\"en\", \"de\", \"es\", \"fr\", or null for that of the browser",
    holds: |text| LANGUAGES.contains(&text),
};

/// A picture, in words.
pub(super) const ICON: &str = "the path of a PNG or SVG file, or null";

impl Settings {
    pub(super) fn check_owner(&self, mistakes: &mut Vec<String>) {
        TITLE.check("title", &self.title, mistakes);
        rule::check_path("icon", self.icon.as_deref(), ICON, mistakes);
        let texts = [
            ("accent", &self.accent, &ACCENT),
            ("welcome", &self.welcome, &WELCOME),
            ("language", &self.language, &LANGUAGE),
        ];
        for (key, text, rule) in texts {
            if let Some(text) = text {
                rule.check(key, text, mistakes);
            }
        }
    }

    /// Red, green and blue of `accent`.
    pub(crate) fn accent_color(&self) -> Option<[u8; 3]> {
        self.accent.as_deref().and_then(parse_color)
    }
}

fn parse_color(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    // `from_str_radix` alone would also accept a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some([red, green, blue])
}
