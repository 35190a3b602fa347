//! The house rules of CONTRIBUTING.md, checked on the sources: who imports whom, how long files and
//! functions are, and what the chat may use. What breaks a rule is named with `file:line` and with
//! what to do about it.
//!
//! The table of imports is in CONTRIBUTING.md and nowhere else: this suite reads it there.
//!
//! | module | does |
//! |---|---|
//! | `tree` | finds and reads the sources |
//! | `tokens` | tells code from comments and literals |
//! | `imports` | follows every path to the module that it leads to |
//! | `rules` | reads the rules, and finds forbidden imports and circles |
//! | `lengths` | counts lines |

mod imports;
mod lengths;
mod rules;
mod tokens;
mod tree;

use std::fs;

use rules::{Breach, Rules};

fn rules() -> Rules {
    Rules::parse(&read("CONTRIBUTING.md")).unwrap_or_else(|error| panic!("{error}"))
}

fn read(path: &str) -> String {
    fs::read_to_string(tree::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn check_none(messages: &[String]) {
    assert!(messages.is_empty(), "{} broken:\n\n{}\n", messages.len(), messages.join("\n\n"));
}

#[test]
fn the_table_of_layers_has_every_module_above_those_it_may_import() {
    check_none(&rules().faults(&tree::sources(&["src"], &["rs"])));
}

#[test]
fn imports_run_down_only_and_close_no_circle() {
    check_none(&rules().import_breaches(&tree::sources(&["src"], &["rs"])));
}

#[test]
fn the_chat_uses_the_standard_library_alone() {
    let dependencies = rules::dependencies(&read("Cargo.toml"));
    check_none(&rules::impurities(&tree::sources(&["src"], &["rs"]), &dependencies));
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let rust =
        ["src", "bench/src", "bench/tests", "tests", "benches", "examples", "build", "build.rs"];
    let mut sources = tree::sources(&rust, &["rs"]);
    sources.extend(tree::sources(&["src/web", "tests/browser"], &["js", "mjs"]));
    let breaches = sources.iter().flat_map(lengths::too_long);
    let breaches = breaches.map(|long| Breach { what: long.what, message: long.message });
    check_none(&rules().judge("length", breaches.collect()));
}
