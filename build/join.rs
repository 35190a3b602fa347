//! Bundles the page's fifty or so small source files into one script and one style sheet.
//!
//! This server takes one connection per file, each file costs a round trip, and small files
//! compress badly. So `app.js` is sent with all modules that it imports, each as a function that
//! returns its exports, and a style sheet with everything that it imports, in place. Comments are
//! removed; nothing else is changed.
//!
//! Only the forms of `import` and `export` that the page uses are understood; all others are
//! errors. Pure: the build script passes the files in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Why a file cannot be bundled.
pub(crate) type Refusal = String;

/// Reads a source file by its name, such as `view/dom.js`.
type Read<'a> = dyn Fn(&str) -> Result<String, Refusal> + 'a;

/// Several files as one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) text: String,
    /// The files in the bundle, which need not be served by themselves.
    pub(crate) names: Vec<String>,
}

/// Bundles the script `entry` with everything that it imports.
pub(crate) fn join_script(entry: &str, read: &Read<'_>) -> Result<Joined, Refusal> {
    let mut script = Script { read, text: String::new(), states: BTreeMap::new() };
    script.add(entry, true)?;
    let names = script.states.into_keys().collect();
    Ok(Joined { text: script.text, names })
}

/// Bundles the style sheet `entry` with everything that it imports.
pub(crate) fn join_style(entry: &str, read: &Read<'_>) -> Result<Joined, Refusal> {
    let mut text = String::new();
    let mut names = vec![entry.to_owned()];
    for line in without_comments(entry, &read(entry)?)? {
        let Some(import) = line.strip_prefix("@import ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let name = import.strip_suffix(';').and_then(unquoted).ok_or_else(|| {
            format!("{entry}: \"{line}\" is not of the form @import \"file.css\";")
        })?;
        let name = resolve(entry, name);
        for line in without_comments(&name, &read(&name)?)? {
            text.push_str(line);
            text.push('\n');
        }
        names.push(name);
    }
    Ok(Joined { text, names })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waiting for its imports.
    Begun,
    Added,
}

struct Script<'a> {
    read: &'a Read<'a>,
    text: String,
    states: BTreeMap<String, State>,
}

impl Script<'_> {
    /// Adds a module after everything that it imports.
    fn add(&mut self, name: &str, is_entry: bool) -> Result<(), Refusal> {
        match self.states.get(name) {
            Some(State::Added) => return Ok(()),
            Some(State::Begun) => return Err(format!("{name} imports itself, directly or not")),
            None => {}
        }
        self.states.insert(name.to_owned(), State::Begun);
        let source = (self.read)(name)?;
        let mut body = String::new();
        let mut exports = Vec::new();
        for line in without_comments(name, &source)? {
            let line = if let Some(import) = line.strip_prefix("import ") {
                let (taken, from) = parse_import(import)
                    .ok_or_else(|| format!("{name}: \"{line}\" is not a supported import"))?;
                let from = resolve(name, from);
                self.add(&from, false)?;
                format!("const {taken} = {};", variable(&from))
            } else if let Some(export) = line.strip_prefix("export ") {
                let (exported, rest) = parse_export(export)
                    .ok_or_else(|| format!("{name}: \"{line}\" is not a supported export"))?;
                exports.push(exported);
                rest
            } else {
                line.to_owned()
            };
            body.push_str(&relocated(name, &line));
            body.push('\n');
        }
        if is_entry {
            self.text.push_str(&body);
        } else {
            let exports = exports.join(", ");
            writeln!(
                self.text,
                "const {} = (() => {{\n{body}return {{ {exports} }};\n}})();",
                variable(name)
            )
            .expect("writing to memory cannot fail");
        }
        self.states.insert(name.to_owned(), State::Added);
        Ok(())
    }
}

/// Parses the rest of an `import ` line: the destructuring pattern, and the name of the module.
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
        return Some(("default: exported".to_owned(), format!("const exported = {value}")));
    }
    // Not `let`: importers would not see its changes.
    let kinds = ["const ", "class ", "function ", "async function "];
    let rest = kinds.iter().find_map(|kind| export.strip_prefix(kind))?;
    let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
    (end > 0).then(|| (rest[..end].to_owned(), export.to_owned()))
}

/// Rewrites a dynamic import: its path was relative to the module.
fn relocated(name: &str, line: &str) -> String {
    let mark = "import('";
    let Some((before, after)) = line.split_once(mark) else { return line.to_owned() };
    match after.split_once('\'') {
        Some((file, rest)) => format!("{before}{mark}./{}'{rest}", resolve(name, file)),
        None => line.to_owned(),
    }
}

/// The lines of a script or style sheet without comments and empty lines. A comment that starts a
/// line must also end a line.
fn without_comments<'a>(name: &str, source: &'a str) -> Result<Vec<&'a str>, Refusal> {
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
fn resolve(from: &str, name: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The variable that holds a module's exports.
fn variable(name: &str) -> String {
    let name = name.strip_suffix(".js").unwrap_or(name);
    format!("${}", name.replace(['/', '-', '.'], "_"))
}

fn unquoted(text: &str) -> Option<&str> {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"'))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_part)
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}
