//! The first paragraph of a text in Markdown, as plain text: for those who show a link to the page. Pure.

/// How much of it is shown, in characters.
const MAX_CHARS: usize = 200;

/// Returns the first paragraph without its marks, or else the first heading; cut after a word if it is long.
pub(super) fn summary(markdown: &str) -> String {
    let (mut paragraph, mut heading) = (Vec::new(), None);
    for line in markdown.lines().map(str::trim) {
        let text = line.trim_start_matches('#');
        let is_heading = text.len() < line.len() && text.starts_with([' ', '\t']);
        let is_break = line.is_empty() || is_heading || line.starts_with("```");
        if is_break && !paragraph.is_empty() {
            break;
        }
        if is_heading {
            heading.get_or_insert(text);
        } else if !is_break {
            paragraph.push(line.trim_start_matches(['>', '-', '*', '+', ' ']));
        }
    }
    let text = if paragraph.is_empty() {
        heading.unwrap_or_default().to_owned()
    } else {
        paragraph.join(" ")
    };
    cut(&plain(&text))
}

/// Leaves out the marks of emphasis and code, and the addresses of links.
fn plain(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((label, after)) = link(rest) {
            words.push_str(&plain(label));
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        let is_mark = matches!(c, '*' | '`')
            || matches!(c, '~' | '|') && rest.starts_with(c)
            || c == '_' && (is_end(words.chars().next_back()) || is_end(rest.chars().next()));
        if matches!(c, '~' | '|') && is_mark {
            rest = &rest[1..];
        }
        if !is_mark {
            words.push(c);
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A link at the beginning: its label, and what follows it.
fn link(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (_, rest) = rest.split_once(')')?;
    (!label.contains(['[', ']'])).then_some((label, rest))
}

/// Whether a word ends here. An underscore within a word is no mark.
fn is_end(c: Option<char>) -> bool {
    c.is_none_or(|c| !c.is_alphanumeric())
}

fn cut(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(MAX_CHARS) else { return text.to_owned() };
    let text = &text[..end];
    let text = text.rsplit_once(' ').map_or(text, |(words, _)| words);
    format!("{text}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_without_its_marks() {
        for (markdown, expected) in [
            ("", ""),
            ("\n\n", ""),
            ("# Pond", "Pond"),
            ("# Pond\n\nA *calm* place\nfor **frogs**.\n\nMore.", "A calm place for frogs."),
            ("Hello\n# Pond", "Hello"),
            ("#1 of all ponds", "#1 of all ponds"),
            ("Read [the rules](https://a.example/?a=b) first", "Read the rules first"),
            ("[a] and (b) and [c](d", "[a] and (b) and [c](d"),
            (
                "_so_ `code` ~~old~~ ||secret|| snake_case a | b",
                "so code old secret snake_case a | b",
            ),
            ("> - one\n> - two", "one two"),
            ("```\ncode\n```", "code"),
            ("[**bold**](x)\tand  more", "bold and more"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ] {
            assert_eq!(summary(markdown), expected, "{markdown:?}");
        }
    }

    #[test]
    fn a_long_one_is_cut_after_a_word() {
        let text = summary(&"größer ".repeat(100));
        assert!(text.ends_with("größer…"), "{text}");
        assert!((190..=201).contains(&text.chars().count()), "{text}");
        assert_eq!(summary(&"x".repeat(500)), format!("{}…", "x".repeat(200)));
        assert_eq!(summary(&"x".repeat(200)), "x".repeat(200));
    }
}
