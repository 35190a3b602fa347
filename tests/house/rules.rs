//! The import rules of CONTRIBUTING.md.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::imports::{Import, crate_names, imports, is_test, module_of};
use crate::tree::Source;

/// The module that may use only the standard library.
const PURE: &str = "chat";

/// The content of the fenced blocks in CONTRIBUTING.md.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Block `layers`: each module with the modules that it may import, from the top down.
    layers: Vec<(String, BTreeSet<String>)>,
    /// Block `exceptions`: violations that are allowed for now.
    exceptions: BTreeSet<String>,
}

/// A violation of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its name in the list of exceptions.
    pub(crate) what: String,
    /// What is wrong, where, and what to do.
    pub(crate) message: String,
}

impl Rules {
    pub(crate) fn parse(document: &str) -> Result<Self, String> {
        let lines = block(document, "layers").ok_or("CONTRIBUTING.md has no block ```layers")?;
        let mut layers: Vec<(String, BTreeSet<String>)> = Vec::new();
        for line in lines {
            let (module, others) = line
                .split_once(':')
                .ok_or_else(|| format!("CONTRIBUTING.md: {line:?} is not `module: module, …`"))?;
            let names = others.split(',').map(str::trim).filter(|name| !name.is_empty());
            layers.push((module.trim().to_owned(), names.map(str::to_owned).collect()));
        }
        let exceptions = block(document, "exceptions").unwrap_or_default();
        Ok(Self { layers, exceptions: exceptions.into_iter().map(str::to_owned).collect() })
    }

    /// Messages for violations that are no exceptions, and for exceptions without a violation.
    pub(crate) fn judge(&self, kind: &str, violations: Vec<Violation>) -> Vec<String> {
        let named = |violation: &Violation| format!("{kind} {}", violation.what);
        let found: BTreeSet<_> = violations.iter().map(named).collect();
        let mut messages: Vec<_> = violations
            .into_iter()
            .filter(|violation| !self.exceptions.contains(&named(violation)))
            .map(|violation| violation.message)
            .collect();
        let stale = self.exceptions.iter().filter(|exception| {
            exception.split(' ').next() == Some(kind) && !found.contains(*exception)
        });
        messages.extend(stale.map(|exception| {
            format!("CONTRIBUTING.md: the exception `{exception}` is no longer needed: delete it")
        }));
        messages
    }

    /// Faults of the table: it must have every module of `src/` once, above those that it may import.
    pub(crate) fn faults(&self, sources: &[Source]) -> Vec<String> {
        let modules: BTreeSet<String> = sources
            .iter()
            .filter(|source| !is_test(&source.path))
            .filter_map(|source| module_of(&source.path).into_iter().next())
            .collect();
        let mut faults = Vec::new();
        let mut above = BTreeSet::new();
        for (module, others) in &self.layers {
            if !above.insert(module) {
                faults.push(format!("CONTRIBUTING.md: {module} has two lines: join them"));
            }
            if !modules.contains(module) {
                faults.push(format!("CONTRIBUTING.md: there is no module {module} in src/"));
            }
            for other in others.iter().filter(|other| above.contains(other)) {
                faults.push(format!(
                    "CONTRIBUTING.md: {module} may import {other}, which stands above it: a module \
                     may import only modules below its line"
                ));
            }
            for other in others.iter().filter(|other| !modules.contains(*other)) {
                faults.push(format!(
                    "CONTRIBUTING.md: {module} may import {other}, which is no module in src/"
                ));
            }
        }
        for module in modules.iter().filter(|module| !above.contains(module)) {
            faults.push(format!(
                "CONTRIBUTING.md: the table of layers has no line for src/{module}: add it above \
                 the modules that it imports"
            ));
        }
        faults
    }

    /// The imports between top-level modules that the table does not have.
    fn forbidden(&self, imports: &[Import]) -> Vec<Violation> {
        let allowed: BTreeMap<_, _> =
            self.layers.iter().map(|(module, others)| (module.as_str(), others)).collect();
        let is_forbidden = |import: &&Import| {
            !import.from.contains('/')
                && !allowed.get(&*import.from).is_some_and(|others| others.contains(&import.to))
        };
        imports
            .iter()
            .filter(is_forbidden)
            .map(|Import { from, to, place, path }| Violation {
                what: format!("{from} -> {to}"),
                message: format!(
                    "{place}: {from} must not import {to} (`{path}`): move what both need to a \
                     module below both, or pass it in from above. The table is in CONTRIBUTING.md"
                ),
            })
            .collect()
    }

    /// Imports that violate the table, and cycles.
    pub(crate) fn import_violations(&self, sources: &[Source]) -> Vec<String> {
        let imports = imports(sources);
        let is_exception = |import: &Import| {
            self.exceptions.contains(&format!("import {} -> {}", import.from, import.to))
        };
        let forbidden = self.forbidden(&imports);
        // An exception within a top-level module concerns a cycle, not the table.
        let within =
            imports.iter().filter(|import| import.from.contains('/') && is_exception(import));
        let within = within.map(|import| Violation {
            what: format!("{} -> {}", import.from, import.to),
            message: String::new(),
        });
        let violations = forbidden.into_iter().chain(within).collect();
        let mut messages = self.judge("import", violations);
        let others: Vec<_> = imports.into_iter().filter(|import| !is_exception(import)).collect();
        messages.extend(cycles(&others));
        messages
    }
}

/// The lines of a fenced block, without empty lines and comments.
fn block<'a>(document: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let open = format!("```{name}");
    let mut lines = document.lines().skip_while(|line| line.trim() != open);
    lines.next()?;
    let inside = lines.map(str::trim).take_while(|line| *line != "```");
    Some(inside.filter(|line| !line.is_empty() && !line.starts_with('#')).collect())
}

/// Uses of other crates and modules by the pure module. `dependencies` are the crates' names in code.
pub(crate) fn impurities(sources: &[Source], dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        if module_of(&source.path).first().is_none_or(|module| module != PURE) {
            continue;
        }
        let foreign = crate_names(&source.text).filter(|(name, _)| dependencies.contains(*name));
        found.extend(foreign.map(|(name, line)| {
            format!(
                "{}:{line}: src/{PURE} uses the crate {name}, and may use only std: convert in the \
                 module that calls it",
                source.path
            )
        }));
    }
    let imports = imports(sources);
    let outwards = imports.iter().filter(|import| import.from == PURE);
    found.extend(outwards.map(|Import { to, place, path, .. }| {
        format!("{place}: src/{PURE} imports {to} (`{path}`), and may import only itself and std")
    }));
    found
}

/// The dependencies in Cargo.toml, by their names in code.
pub(crate) fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut is_inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_inside = line == "[dependencies]";
        } else if let Some((name, _)) = line.split_once('=').filter(|_| is_inside) {
            names.insert(name.trim().replace('-', "_"));
        }
    }
    names
}

/// The shortest cycle through each module, each cycle once.
fn cycles(imports: &[Import]) -> Vec<String> {
    let mut by_module: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in imports {
        by_module.entry(&import.from).or_default().push(import);
    }
    let mut seen = BTreeSet::new();
    let mut messages = Vec::new();
    for start in by_module.keys() {
        let Some(cycle) = cycle_through(start, &by_module) else { continue };
        let members: BTreeSet<_> = cycle.iter().map(|import| &import.from).collect();
        if seen.insert(members) {
            let steps: Vec<_> = cycle
                .iter()
                .map(|Import { from, to, place, .. }| format!("\n  {place}: {from} -> {to}"))
                .collect();
            messages.push(format!(
                "these modules import each other in a cycle: move what one of them needs to a module \
                 below{}",
                steps.concat()
            ));
        }
    }
    messages
}

/// The shortest cycle through a module, by breadth-first search.
fn cycle_through<'a>(
    start: &str,
    by_module: &BTreeMap<&str, Vec<&'a Import>>,
) -> Option<Vec<&'a Import>> {
    let mut reached_by: BTreeMap<&str, &Import> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for import in by_module.get(module).into_iter().flatten() {
            if !reached_by.contains_key(&*import.to) {
                reached_by.insert(&import.to, import);
                queue.push_back(&import.to);
            }
        }
    }
    let mut cycle = vec![*reached_by.get(start)?];
    while cycle[0].from != start {
        cycle.insert(0, reached_by[&*cycle[0].from]);
    }
    Some(cycle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "# Rules\n\n```layers\ntop: middle, bottom\n# a comment\nmiddle: chat\n\
        bottom:\nchat:\n```\n\n```exceptions\nimport middle -> bottom\n```\n";

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        let source = |(path, text): &(&str, &str)| Source {
            path: format!("src/{path}.rs"),
            text: (*text).to_owned(),
        };
        files.iter().map(source).collect()
    }

    /// A tree without violations, with some files replaced or added.
    fn tree(changes: &[(&str, &str)]) -> Vec<Source> {
        let mut files = BTreeMap::from([
            ("lib", "pub use top::Top;"),
            ("top", "use crate::bottom::B; use crate::middle;"),
            ("middle/mod", "use crate::bottom::B; use crate::chat::C; use one::One;"),
            ("middle/one", "use super::two;"),
            ("middle/two", "use std::fmt;"),
            ("bottom", ""),
            ("chat", "use std::fmt; enum A { B } fn f() { A::B; bytes.len() }"),
        ]);
        files.extend(changes.iter().copied());
        sources(&files.into_iter().collect::<Vec<_>>())
    }

    fn violations(changes: &[(&str, &str)]) -> Vec<String> {
        Rules::parse(RULES).unwrap().import_violations(&tree(changes))
    }

    fn faults(rules: &str) -> Vec<String> {
        Rules::parse(rules).unwrap().faults(&tree(&[]))
    }

    #[track_caller]
    fn check_only(messages: &[String], words: &[&str]) {
        assert_eq!(messages.len(), 1, "{messages:#?}");
        for word in words {
            assert!(messages[0].contains(word), "no {word:?} in {}", messages[0]);
        }
    }

    #[test]
    fn a_tree_without_violations_passes() {
        assert_eq!(violations(&[]), [""; 0]);
        assert_eq!(faults(RULES), [""; 0]);
    }

    #[test]
    fn a_forbidden_import_is_reported_with_its_place() {
        let messages = violations(&[("bottom", "\nuse crate::chat::C;")]);
        check_only(&messages, &["src/bottom.rs:2: bottom must not import chat (`crate::chat::C`)"]);
    }

    #[test]
    fn a_cycle_between_top_level_modules_is_reported_with_each_step() {
        let rules = RULES.replace("bottom:\n", "bottom: top\n");
        let tree = tree(&[("bottom", "use crate::top::Top;")]);
        let messages = Rules::parse(&rules).unwrap().import_violations(&tree);
        check_only(&messages, &["src/bottom.rs:1: bottom -> top", "src/top.rs:1: top -> bottom"]);
    }

    #[test]
    fn a_cycle_within_a_module_is_reported() {
        let messages = violations(&[("middle/two", "use super::one::One;")]);
        check_only(
            &messages,
            &["src/middle/one.rs:1: middle/one -> middle/two", "two -> middle/one"],
        );
        let excepted = RULES.replace("import", "import middle/two -> middle/one\nimport");
        let tree = tree(&[("middle/two", "use super::one::One;")]);
        assert_eq!(Rules::parse(&excepted).unwrap().import_violations(&tree), [""; 0]);
    }

    #[test]
    fn a_stale_exception_is_reported() {
        let messages = violations(&[("middle/mod", "")]);
        check_only(&messages, &["`import middle -> bottom` is no longer needed"]);
    }

    #[test]
    fn faults_of_the_table_are_reported() {
        check_only(&faults(&RULES.replace("bottom:\n", "")), &["no line for src/bottom"]);
        check_only(&faults(&RULES.replace("chat:\n", "chat:\nchat:\n")), &["chat has two lines"]);
        check_only(&faults(&RULES.replace("chat:\n", "chat:\nx:\n")), &["no module x in src/"]);
        check_only(&faults(&RULES.replace("bottom:\n", "bottom: y\n")), &["y, which is no module"]);
        check_only(&faults(&RULES.replace("chat:\n", "chat: top\n")), &["top, which stands above"]);
    }

    #[test]
    fn a_missing_or_malformed_table_is_reported() {
        assert!(Rules::parse("```text\na: b\n```").unwrap_err().contains("no block ```layers"));
        assert!(Rules::parse("```layers\na b\n```").unwrap_err().contains("\"a b\""));
    }

    #[test]
    fn impurities_of_the_chat_are_reported() {
        let dependencies =
            dependencies("[package]\nname = \"x\"\n[dependencies]\nserde-x = 1\nbytes = 1\n[a]\n");
        assert_eq!(dependencies, ["bytes", "serde_x"].map(str::to_owned).into());
        assert_eq!(impurities(&tree(&[]), &dependencies), [""; 0]);
        let impure = |text| impurities(&tree(&[("chat/inner", text)]), &dependencies);
        check_only(&impure("\nuse serde_x::A;"), &["src/chat/inner.rs:2:", "the crate serde_x"]);
        check_only(&impure("fn f() { bytes::g() }"), &["src/chat/inner.rs:1:", "the crate bytes"]);
        check_only(&impure("use crate::bottom::B;"), &["src/chat/inner.rs:1:", "imports bottom"]);
        assert_eq!(impure("#[cfg(test)] mod tests { use serde_x::A; }"), [""; 0]);
    }
}
