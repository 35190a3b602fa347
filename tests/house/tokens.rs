//! Splits Rust source into tokens with line numbers. Comments, strings, character literals and lifetimes
//! are left out, so that no check mistakes them for code. This is no complete lexer, but sufficient for
//! the checks.

/// A word (an identifier, a keyword or a number) or one punctuation mark; `::` is one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// From 1.
    pub(crate) line: usize,
}

pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < source.len() {
        let rest = &source[at..];
        let (length, is_token) = next(rest);
        if is_token {
            tokens.push(Token { text: &rest[..length], line });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

/// The tokens without items under `#[cfg(test)]`.
pub(crate) fn shipped_tokens(source: &str) -> Vec<Token<'_>> {
    let all = tokens(source);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if is_test_attribute(&all[at..]) {
            at += item_length(&all[at..]);
        } else {
            kept.push(all[at]);
            at += 1;
        }
    }
    kept
}

/// The number of tokens from the bracket `tokens[0]` to its closing bracket.
pub(crate) fn group_length(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

/// The length in bytes of the next piece, and whether it is a token.
fn next(rest: &str) -> (usize, bool) {
    let first = rest.chars().next().expect("the rest is not empty");
    if first.is_whitespace() {
        return (first.len_utf8(), false);
    }
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), false);
    }
    if let Some(length) = literal(rest) {
        return (length, false);
    }
    if rest.starts_with("::") {
        return (2, true);
    }
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (word.max(first.len_utf8()), true)
}

/// The length of a block comment, which may be nested.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of the string, character or lifetime at the start of `rest`.
fn literal(rest: &str) -> Option<usize> {
    let body = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = rest.len() - body.len();
    if prefix > 2 {
        return None;
    }
    let hashes = body.len() - body.trim_start_matches('#').len();
    if rest[..prefix].ends_with('r') && body[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let open = prefix + hashes + 1;
        return Some(rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len()));
    }
    match body.chars().next()? {
        '"' => Some(prefix + quoted(body, '"')),
        '\'' => Some(prefix + character_or_lifetime(body)),
        _ => None,
    }
}

fn quoted(body: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        if !is_escaped && c == quote {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    body.len()
}

fn character_or_lifetime(body: &str) -> usize {
    let mut chars = body.chars().skip(1);
    if chars.next() == Some('\\') || chars.next() == Some('\'') {
        return quoted(body, '\'');
    }
    body[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(body.len(), |at| at + 1)
}

fn is_test_attribute(tokens: &[Token<'_>]) -> bool {
    let is = |index: usize, text| tokens.get(index).is_some_and(|token| token.text == text);
    if !(is(0, "#") && is(1, "[") && is(2, "cfg")) {
        return false;
    }
    let condition = &tokens[3..3 + group_length(&tokens[3..])];
    let has = |text| condition.iter().any(|token| token.text == text);
    has("test") && !has("not")
}

/// The length of an item, a statement or a field, its attributes included.
fn item_length(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    while tokens.get(at).is_some_and(|token| token.text == "#") {
        at += 1 + group_length(&tokens[at + 1..]);
    }
    let is_field = tokens.get(at + 1).is_some_and(|token| token.text == ":");
    while let Some(token) = tokens.get(at) {
        match token.text {
            ";" => return at + 1,
            "," if is_field => return at + 1,
            "}" => return at,
            "{" => return at + group_length(&tokens[at..]),
            "(" | "[" => at += group_length(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> String {
        tokens(source).iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        assert_eq!(words("a // fn b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(words(r#"a("use x;", b"\"y", 'z', '\'', '"')"#), "a ( , , , , )");
        assert_eq!(words("r#\"a \"quoted\" b\"# br\"\\\" c"), "c");
        assert_eq!(
            words("fn f<'a>(s: &'a str, r#type: u8)"),
            "fn f < > ( s : & str , r # type : u8 )"
        );
        assert_eq!(words("/// [`crate::chat`]\nbridge::crab 'é'"), "bridge :: crab");
    }

    #[test]
    fn tokens_have_line_numbers() {
        let lines: Vec<_> =
            tokens("a\n/* \n */ b \"\n\" c").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 4]);
    }

    #[test]
    fn a_test_only_field_ends_with_its_comma() {
        let source = "struct A { #[cfg(test)] b: C<D>, e: F, #[cfg(test)] g: H }";
        let shipped: Vec<_> = shipped_tokens(source).iter().map(|token| token.text).collect();
        assert_eq!(shipped.join(" "), "struct A { e : F , }");
    }

    #[test]
    fn test_only_items_are_left_out() {
        let source = "a; #[cfg(test)] #[allow(x)] mod tests { fn b() {} } c; \
            #[cfg(test)] use d::{e, f}; g #[cfg(not(test))] h #[cfg(test)] i(j, k); \
            #[cfg(all(test, unix))] fn l<M, N>(o: [u8; 2]) { p } q";
        let shipped: Vec<_> = shipped_tokens(source).iter().map(|token| token.text).collect();
        assert_eq!(shipped.join(" "), "a ; c ; ; g # [ cfg ( not ( test ) ) ] h q");
    }
}
