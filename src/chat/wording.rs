//! The rules for names, titles and texts.

/// What is wrong with a name, a title or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Empty, or nothing but white space.
    Blank,
    /// Longer than allowed, in characters (Unicode scalar values).
    TooLong { max_chars: usize },
    /// Contains a control character that is not allowed, such as an escape, or a line break in a name.
    ControlCharacter(char),
}

/// The Unicode line and paragraph separators, which are no control characters.
const SEPARATORS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// Checks a name or a title, which has to fit on one line; returns it without the white space around it.
pub(crate) fn check_label(label: &str, max_chars: usize) -> Result<&str, Flaw> {
    let label = label.trim();
    check_length(label, max_chars)?;
    match label.chars().find(|c| c.is_control() || SEPARATORS.contains(c)) {
        Some(c) => Err(Flaw::ControlCharacter(c)),
        None => Ok(label),
    }
}

/// Checks a text. It is sent unchanged, with its line breaks and tabs. No other control character may be in
/// it: on a terminal or in a log they would do more than show.
pub(crate) fn check_text(text: &str, max_chars: usize) -> Result<(), Flaw> {
    check_length(text, max_chars)?;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_allowed = match c {
            '\t' | '\n' => true,
            // A line break of Windows. Alone it would put the cursor back over what is there.
            '\r' => rest.peek() == Some(&'\n'),
            c => !c.is_control(),
        };
        if !is_allowed {
            return Err(Flaw::ControlCharacter(c));
        }
    }
    Ok(())
}

fn check_length(wording: &str, max_chars: usize) -> Result<(), Flaw> {
    if wording.trim_start().is_empty() {
        return Err(Flaw::Blank);
    }
    // A string has no more characters than bytes, so short strings need no counting.
    if wording.len() > max_chars && wording.chars().count() > max_chars {
        return Err(Flaw::TooLong { max_chars });
    }
    Ok(())
}
