//! One source file of the page: a script's imports, exports and code, or the lines of a style sheet. Pure.
//!
//! Only the forms of `import` and `export` that the page uses are understood; all others are errors.

use super::Refusal;

/// A script, split into what a bundle has to change and what it keeps.
pub(super) struct Module {
    pub(super) lines: Vec<Line>,
    /// A line that waits outside of any function, which only a module with a file of its own can.
    pub(super) waiting: Option<String>,
}

pub(super) enum Line {
    /// `import { a as b } from './c.js';`: the destructuring pattern, and the module's name.
    Import {
        taken: String,
        from: String,
    },
    /// `export const a = 1;`: the entry in the returned object, and the code without `export`.
    Export {
        entry: String,
        code: Code,
    },
    Code(Code),
}

/// A line of code. Behind each of its texts but the last stands an import on demand.
pub(super) struct Code {
    texts: Vec<String>,
    /// The modules imported on demand.
    names: Vec<String>,
}

/// What `export default ` becomes.
pub(super) const DEFAULT: &str = "const exported = ";

/// How an import on demand begins.
const ON_DEMAND: &str = "import(";

impl Module {
    pub(super) fn parse(name: &str, source: &str) -> Result<Self, Refusal> {
        let source = with_short_members(source);
        let lines = without_comments(name, &source)?;
        let waits = |line: &&&str| {
            let is_outside = !line.starts_with([' ', '\t', '}', ')', ']']);
            is_outside && line.contains("await ") && !line.contains("async")
        };
        let waiting = lines.iter().find(waits).map(|line| (*line).to_owned());
        // A text over several lines begins and ends in a line with one of these.
        let has_long_text = lines.iter().any(|line| line.matches('`').count() % 2 == 1);
        let lines = lines.into_iter().map(|line| {
            let code = if has_long_text { line } else { line.trim_start() };
            Line::parse(name, line, code)
        });
        Ok(Self { lines: lines.collect::<Result<_, _>>()?, waiting })
    }

    /// The modules that it always needs.
    pub(super) fn imports(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match line {
            Line::Import { from, .. } => Some(from.as_str()),
            Line::Export { .. } | Line::Code(_) => None,
        })
    }

    /// The modules that it imports on demand.
    pub(super) fn on_demand(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .flat_map(|line| match line {
                Line::Import { .. } => &[][..],
                Line::Export { code, .. } | Line::Code(code) => &code.names,
            })
            .map(String::as_str)
    }
}

/// The source with short names for its private members, which nobody else can see.
fn with_short_members(source: &str) -> String {
    let mut names: Vec<&str> = source.lines().filter_map(private_member).collect();
    names.sort_unstable();
    names.dedup();
    let mut pieces = source.split('#');
    let mut short = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_at(piece.find(|c| !is_name_part(c)).unwrap_or(piece.len()));
        let is_member = short.ends_with('.') || MODIFIERS.iter().any(|it| short.ends_with(it));
        short.push('#');
        match names.binary_search(&name) {
            Ok(index) if is_member => short.push_str(&letters(index)),
            _ => short.push_str(name),
        }
        short.push_str(rest);
    }
    short
}

/// What may stand before the name of a private member where it is declared, which is on a line of its own.
const MODIFIERS: [&str; 6] = ["\n  ", "\n  async ", "\n  get ", "\n  set ", "\n  static ", "\n  *"];

/// The name of the private member that a line declares.
fn private_member(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once('#')?;
    let is_declared = MODIFIERS.iter().any(|it| &it[1..] == before);
    let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
    (is_declared && end > 0).then(|| &rest[..end])
}

/// `a` to `z`, then `aa` and so on.
fn letters(index: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(index % 26).expect("below 26"));
    if index < 26 { letter.to_string() } else { format!("{}{letter}", letters(index / 26 - 1)) }
}

impl Line {
    /// `code` is the line, perhaps without its indentation.
    fn parse(name: &str, line: &str, code: &str) -> Result<Self, Refusal> {
        let refuse = |what: &str| format!("{name}: \"{line}\" is not a supported {what}");
        if line.contains("import.meta") {
            return Err(format!(
                "{name}: \"{line}\" would be about the bundle; use document.baseURI"
            ));
        }
        if let Some(import) = line.strip_prefix("import ") {
            let (taken, from) = parse_import(import).ok_or_else(|| refuse("import"))?;
            return Ok(Self::Import { taken, from: resolve(name, from) });
        }
        if let Some(export) = line.strip_prefix("export ") {
            let (entry, code) = parse_export(export).ok_or_else(|| refuse("export"))?;
            let code = Code::parse(name, &code).ok_or_else(|| refuse("import on demand"))?;
            return Ok(Self::Export { entry, code });
        }
        let code = Code::parse(name, code);
        Ok(Self::Code(code.ok_or_else(|| refuse("import on demand"))?))
    }
}

impl Code {
    fn parse(name: &str, line: &str) -> Option<Self> {
        let mut pieces = line.split(ON_DEMAND);
        let mut code = Self { texts: vec![pieces.next()?.to_owned()], names: Vec::new() };
        for piece in pieces {
            let (file, rest) = piece.strip_prefix('\'')?.split_once("')")?;
            code.names.push(resolve(name, file));
            code.texts.push(rest.to_owned());
        }
        Some(code)
    }

    /// The line as it stands in the file `within`, where a relative path has another meaning.
    pub(super) fn within(&self, within: &str) -> String {
        let mut line = self.texts[0].clone();
        for (name, text) in self.names.iter().zip(&self.texts[1..]) {
            line = format!("{line}{ON_DEMAND}'{}'){text}", relative(within, name));
        }
        line
    }
}

/// Parses the rest of an `import ` line: the destructuring pattern, and the path of the module.
fn parse_import(import: &str) -> Option<(String, &str)> {
    let (what, from) = import.strip_suffix(';')?.split_once(" from ")?;
    let from = unquoted(from)?;
    if what.starts_with('{') {
        // `{ a as b }` in an import is `{ a: b }` in a pattern.
        return what.ends_with('}').then(|| (what.replace(" as ", ": "), from));
    }
    is_name(what).then(|| (format!("{{ default: {what} }}"), from))
}

/// Parses the rest of an `export ` line: the entry in the returned object, and the line without
/// `export`.
fn parse_export(export: &str) -> Option<(String, String)> {
    if let Some(value) = export.strip_prefix("default ") {
        return Some(("default: exported".to_owned(), format!("{DEFAULT}{value}")));
    }
    // Not `let`: importers would not see its changes.
    let kinds = ["const ", "class ", "function ", "async function "];
    let rest = kinds.iter().find_map(|kind| export.strip_prefix(kind))?;
    let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
    (end > 0).then(|| (rest[..end].to_owned(), export.to_owned()))
}

/// The lines of a script or style sheet without comments and empty lines. A comment that starts a
/// line must also end a line.
pub(super) fn without_comments<'a>(name: &str, source: &'a str) -> Result<Vec<&'a str>, Refusal> {
    let mut is_comment = false;
    let mut refused = None;
    let is_code = |line: &&str| {
        let line = line.trim();
        if !is_comment && line.starts_with("/*") {
            is_comment = true;
        }
        let is_code = !is_comment && !line.starts_with("//") && !line.is_empty();
        if is_comment && line.ends_with("*/") {
            is_comment = false;
        } else if is_comment && line.contains("*/") {
            refused.get_or_insert_with(|| format!("{name}: \"{line}\" has code after a comment"));
        }
        is_code
    };
    let lines = source.lines().filter(is_code).collect();
    refused.map_or(Ok(lines), Err)
}

/// Resolves a relative path in a file to a name. What lies outside of the page is named from the
/// repository on, as in `clients/js/src/client.js`.
pub(super) fn resolve(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The path that leads from one file to another: the opposite of [`resolve`].
pub(super) fn relative(from: &str, name: &str) -> String {
    let folders =
        |name: &str| name.rsplit_once('/').map_or(0, |(folder, _)| folder.split('/').count());
    let shared = from.split('/').zip(name.split('/')).take_while(|(a, b)| a == b).count();
    let shared = shared.min(folders(from)).min(folders(name));
    let up = "../".repeat(folders(from) - shared);
    let down: Vec<&str> = name.split('/').skip(shared).collect();
    let start = if up.is_empty() { "./" } else { &up };
    format!("{start}{}", down.join("/"))
}

pub(super) fn unquoted(text: &str) -> Option<&str> {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"'))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_part)
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}
