//! Whom a text mentions: `@name`, in any case and at the boundaries of words. `src/web/text/mention.js` has the
//! same rule, and `tests/browser/text/mentions.json` has cases that both pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, HirKind};

use crate::chat::UserId;

/// Characters that continue a word. Scripts without spaces between words are left out: there a mark or a name
/// may have letters on both sides.
const WORD: &str = r"[[\p{L}\p{N}\p{M}_]--[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]]";

/// How many `@` of a text are looked at, the first ones. It bounds what a text costs.
pub(super) const MAX_MARKS: usize = 50;

/// An index of names: what a text costs does not depend on how many there are.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By the folded name.
    users: HashMap<String, BTreeSet<UserId>>,
    /// How many of these names are so many characters long.
    lengths: BTreeMap<usize, usize>,
}

impl Names {
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub(super) fn add(&mut self, name: &str, user: UserId) {
        let users = self.users.entry(fold(name)).or_default();
        if users.is_empty() {
            *self.lengths.entry(name.chars().count()).or_default() += 1;
        }
        users.insert(user);
    }

    pub(super) fn remove(&mut self, name: &str, user: UserId) {
        let (folded, length) = (fold(name), name.chars().count());
        let Some(users) = self.users.get_mut(&folded) else { return };
        users.remove(&user);
        if users.is_empty() {
            self.users.remove(&folded);
            if let Some(count) = self.lengths.get_mut(&length) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&length);
                }
            }
        }
    }

    /// The users whose name stands behind an `@`.
    pub(super) fn mentioned(&self, text: &str) -> BTreeSet<UserId> {
        let mut mentioned = BTreeSet::new();
        for (at, mark) in text.match_indices('@').take(MAX_MARKS) {
            if !text[..at].chars().next_back().is_some_and(is_word) {
                mentioned.extend(self.begins(&text[at + mark.len()..]));
            }
        }
        mentioned
    }

    /// The users with the longest name that the text begins with, if it ends where a word does.
    fn begins(&self, text: &str) -> impl Iterator<Item = UserId> {
        let longest = self.lengths.last_key_value().map_or(0, |(longest, _)| *longest);
        let mut folded = String::new();
        // Behind each character: where the folded text ends, and the text.
        let mut ends = Vec::new();
        for (start, character) in text.char_indices().take(longest) {
            folded.push(fold_character(character));
            ends.push((folded.len(), start + character.len_utf8()));
        }
        let users = self.lengths.keys().rev().find_map(|length| {
            let (folded_end, end) = *ends.get(length - 1)?;
            let users = self.users.get(&folded[..folded_end])?;
            let (name, rest) = text.split_at(end);
            let goes_on = rest.chars().next().is_some_and(is_word)
                && name.chars().next_back().is_some_and(is_word);
            (!goes_on).then_some(users)
        });
        users.into_iter().flatten().copied()
    }
}

fn fold(text: &str) -> String {
    text.chars().map(fold_character).collect()
}

/// Lower case, one character for each: `İ` would become two. A sigma is the same at the end of a word.
fn fold_character(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some('ς'), None) => 'σ',
        (Some(one), None) => one,
        _ => character,
    }
}

fn is_word(character: char) -> bool {
    static RANGES: LazyLock<ClassUnicode> = LazyLock::new(word_class);
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    let ranges = RANGES.ranges();
    let index = ranges.partition_point(|range| range.end() < character);
    ranges.get(index).is_some_and(|range| range.start() <= character)
}

fn word_class() -> ClassUnicode {
    let parsed = regex_syntax::parse(WORD).map(regex_syntax::hir::Hir::into_kind);
    match parsed {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        other => unreachable!("a constant class: {other:?}"),
    }
}

#[cfg(test)]
mod tests;
