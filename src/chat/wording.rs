//! What names, titles and texts may consist of.

/// What is wrong with a name, a title or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Empty, or nothing but white space.
    Blank,
    /// Longer than allowed, in characters (Unicode scalar values).
    TooLong { max_chars: usize },
    /// Holds a control character, such as a line break or an escape.
    ControlCharacter(char),
}

/// The Unicode line and paragraph separators, which are no control characters.
const SEPARATORS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// Checks what is to stand on one line, a name or a title; returns it without the white space around it.
pub(crate) fn check_label(label: &str, max_chars: usize) -> Result<&str, Flaw> {
    let label = label.trim();
    check_length(label, max_chars)?;
    match label.chars().find(|c| c.is_control() || SEPARATORS.contains(c)) {
        Some(c) => Err(Flaw::ControlCharacter(c)),
        None => Ok(label),
    }
}

/// Checks what somebody says. It is passed on as it is, line breaks, tabs and all.
pub(super) fn check_text(text: &str, max_chars: usize) -> Result<(), Flaw> {
    check_length(text, max_chars)
}

fn check_length(wording: &str, max_chars: usize) -> Result<(), Flaw> {
    if wording.trim_start().is_empty() {
        return Err(Flaw::Blank);
    }
    // No string has more characters than bytes: the short ones need no counting.
    if wording.len() > max_chars && wording.chars().count() > max_chars {
        return Err(Flaw::TooLong { max_chars });
    }
    Ok(())
}
