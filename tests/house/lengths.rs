//! The lengths of files and functions.

use std::path::Path;

use crate::tokens::{group_length, tokens};
use crate::tree::Source;

const MAX_FILE_LINES: usize = 500;

/// From the line of `fn` to that of the closing brace.
const MAX_FUNCTION_LINES: usize = 60;

/// A file or a function that is too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// Its name in the list of exceptions: the file, or the file and the function.
    pub(crate) what: String,
    /// What is wrong, where, and what to do.
    pub(crate) message: String,
}

/// The file and the functions that are too long. Functions are checked in Rust only.
pub(crate) fn too_long(source: &Source) -> Vec<TooLong> {
    let path = &source.path;
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > MAX_FILE_LINES {
        found.push(TooLong {
            what: path.clone(),
            message: format!(
                "{path}:{MAX_FILE_LINES}: the file has {lines} lines, and {MAX_FILE_LINES} are \
                 allowed: move a part of it to another file"
            ),
        });
    }
    if Path::new(path).extension().is_none_or(|extension| extension != "rs") {
        return found;
    }
    for Function { name, line, lines } in functions(&source.text) {
        if lines > MAX_FUNCTION_LINES {
            found.push(TooLong {
                what: format!("{path} {name}"),
                message: format!(
                    "{path}:{line}: fn {name} has {lines} lines, and {MAX_FUNCTION_LINES} are \
                     allowed: move a step of it to another function"
                ),
            });
        }
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
struct Function<'a> {
    name: &'a str,
    /// The line of its `fn`, from 1.
    line: usize,
    lines: usize,
}

fn functions(source: &str) -> Vec<Function<'_>> {
    let tokens = tokens(source);
    let mut functions = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        let is_name = name.text.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if keyword.text != "fn" || !is_name {
            continue;
        }
        let mut at = at + 2;
        // A declaration without a body ends in a semicolon.
        while let Some(token) = tokens.get(at) {
            match token.text {
                ";" => break,
                "{" => {
                    let end = tokens[at + group_length(&tokens[at..]) - 1].line;
                    let lines = end + 1 - keyword.line;
                    functions.push(Function { name: name.text, line: keyword.line, lines });
                    break;
                }
                "(" | "[" => at += group_length(&tokens[at..]),
                _ => at += 1,
            }
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        too_long(&source).into_iter().map(|long| long.what).collect()
    }

    #[test]
    fn a_function_is_counted_from_fn_to_its_closing_brace() {
        let source = "/// Doc.\n#[inline]\npub fn one(a: [u8; 2])\nwhere\n    A: B,\n{\n}\n\
            trait T { fn none(&self); }\nfn outer() {\n    fn inner() {}\n    \"}\"; // }\n}\n\
            type F = fn(u8);";
        let all = functions(source);
        let all: Vec<_> = all.iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(all, [("one", 3, 5), ("outer", 9, 4), ("inner", 10, 1)]);
    }

    #[test]
    fn a_function_of_sixty_lines_passes_and_one_more_fails() {
        let function = |inside| format!("fn f() {{\n{}}}\n", "x();\n".repeat(inside));
        assert_eq!(found("a.rs", &function(58)), [""; 0]);
        assert_eq!(found("a.rs", &function(59)), ["a.rs f"]);
        assert_eq!(found("a.js", &function(59)), [""; 0]);
    }

    #[test]
    fn a_file_of_five_hundred_lines_passes_and_one_more_fails() {
        assert_eq!(found("a.mjs", &"x\n".repeat(500)), [""; 0]);
        assert_eq!(found("a.mjs", &"x\n".repeat(501)), ["a.mjs"]);
        assert_eq!(found("a.rs", &"x\n".repeat(501)), ["a.rs"]);
    }
}
