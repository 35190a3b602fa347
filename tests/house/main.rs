//! Checks the house rules of CONTRIBUTING.md on the sources: imports between modules, lengths of files
//! and functions, and the purity of the chat. A message names the `file:line` of each violation and says
//! what to do.
//!
//! The table of imports is in CONTRIBUTING.md only; this suite reads it from there.
//!
//! | module | does |
//! |---|---|
//! | `tree` | finds and reads the sources |
//! | `tokens` | separates code from comments and literals |
//! | `imports` | resolves every path to its modules |
//! | `rules` | reads the rules, and finds forbidden imports and cycles |
//! | `lengths` | measures files and functions |

mod imports;
mod lengths;
mod rules;
mod tokens;
mod tree;

use std::fs;

use rules::{Rules, Violation};

fn rules() -> Rules {
    Rules::parse(&read("CONTRIBUTING.md")).unwrap_or_else(|error| panic!("{error}"))
}

fn read(path: &str) -> String {
    fs::read_to_string(tree::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn check_none(messages: &[String]) {
    assert!(
        messages.is_empty(),
        "violations of the house rules: {}\n\n{}\n",
        messages.len(),
        messages.join("\n\n")
    );
}

#[test]
fn the_layers_in_contributing_are_complete_and_ordered() {
    check_none(&rules().faults(&tree::sources(&["src"], &["rs"])));
}

#[test]
fn imports_follow_the_layers_and_form_no_cycle() {
    check_none(&rules().import_violations(&tree::sources(&["src"], &["rs"])));
}

#[test]
fn the_chat_uses_only_std_and_itself() {
    let dependencies = rules::dependencies(&read("Cargo.toml"));
    check_none(&rules::impurities(&tree::sources(&["src"], &["rs"]), &dependencies));
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let rust = [
        "src",
        "bench/src",
        "bench/tests",
        "chaos/src",
        "tests",
        "benches",
        "examples",
        "build",
        "build.rs",
    ];
    let mut sources = tree::sources(&rust, &["rs"]);
    sources.extend(tree::sources(&["src/web", "tests/browser"], &["js", "mjs"]));
    let violations = sources.iter().flat_map(lengths::too_long);
    let violations = violations.map(|long| Violation { what: long.what, message: long.message });
    check_none(&rules().judge("length", violations.collect()));
}
