//! The rules of imports, as CONTRIBUTING.md has them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::imports::{Import, crate_names, imports, is_test, module_of};
use crate::tree::Source;

/// The module that uses the standard library alone.
const PURE: &str = "chat";

/// What CONTRIBUTING.md says, in its fenced blocks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Of the block `layers`: each module and those that it may import, from the top down.
    layers: Vec<(String, BTreeSet<String>)>,
    /// Of the block `exceptions`: what is allowed although it breaks a rule.
    exceptions: BTreeSet<String>,
}

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    /// As the list of exceptions names it.
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

    /// The breaches that are no exceptions, and the exceptions that have no breach.
    pub(crate) fn judge(&self, kind: &str, breaches: Vec<Breach>) -> Vec<String> {
        let named = |breach: &Breach| format!("{kind} {}", breach.what);
        let found: BTreeSet<_> = breaches.iter().map(named).collect();
        let mut messages: Vec<_> = breaches
            .into_iter()
            .filter(|breach| !self.exceptions.contains(&named(breach)))
            .map(|breach| breach.message)
            .collect();
        let stale = self.exceptions.iter().filter(|exception| {
            exception.split(' ').next() == Some(kind) && !found.contains(*exception)
        });
        messages.extend(stale.map(|exception| {
            format!("CONTRIBUTING.md: the exception `{exception}` is no longer needed: delete it")
        }));
        messages
    }

    /// Whether the table is one: every module of `src/` once, and each above those that it may import.
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
    fn forbidden(&self, imports: &[Import]) -> Vec<Breach> {
        let allowed: BTreeMap<_, _> =
            self.layers.iter().map(|(module, others)| (module.as_str(), others)).collect();
        let is_forbidden = |import: &&Import| {
            !import.from.contains('/')
                && !allowed.get(&*import.from).is_some_and(|others| others.contains(&import.to))
        };
        imports
            .iter()
            .filter(is_forbidden)
            .map(|Import { from, to, place, path }| Breach {
                what: format!("{from} -> {to}"),
                message: format!(
                    "{place}: {from} must not import {to} (`{path}`): move what both need to a \
                     module below both, or pass it in from above. The table is in CONTRIBUTING.md"
                ),
            })
            .collect()
    }

    /// What breaks the table of layers or closes a circle.
    pub(crate) fn import_breaches(&self, sources: &[Source]) -> Vec<String> {
        let imports = imports(sources);
        let is_exception = |import: &Import| {
            self.exceptions.contains(&format!("import {} -> {}", import.from, import.to))
        };
        let forbidden = self.forbidden(&imports);
        // An exception within a module closes a circle, and breaks no table.
        let within =
            imports.iter().filter(|import| import.from.contains('/') && is_exception(import));
        let within = within.map(|import| Breach {
            what: format!("{} -> {}", import.from, import.to),
            message: String::new(),
        });
        let breaches = forbidden.into_iter().chain(within).collect();
        let mut messages = self.judge("import", breaches);
        let others: Vec<_> = imports.into_iter().filter(|import| !is_exception(import)).collect();
        messages.extend(circles(&others));
        messages
    }
}

/// The lines of a fenced block that are neither empty nor comments.
fn block<'a>(document: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let open = format!("```{name}");
    let mut lines = document.lines().skip_while(|line| line.trim() != open);
    lines.next()?;
    let inside = lines.map(str::trim).take_while(|line| *line != "```");
    Some(inside.filter(|line| !line.is_empty() && !line.starts_with('#')).collect())
}

/// What the pure module has from other crates. `dependencies` are their names in code.
pub(crate) fn impurities(sources: &[Source], dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        if module_of(&source.path).first().is_none_or(|module| module != PURE) {
            continue;
        }
        let foreign = crate_names(&source.text).filter(|(name, _)| dependencies.contains(*name));
        found.extend(foreign.map(|(name, line)| {
            format!(
                "{}:{line}: src/{PURE} uses the crate {name}, and may use only std: convert at the \
                 boundary, in the module that calls it",
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

/// The dependencies that Cargo.toml names, as code names them.
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

/// The shortest circle through each module that is on one, each circle once.
fn circles(imports: &[Import]) -> Vec<String> {
    let mut by_module: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in imports {
        by_module.entry(&import.from).or_default().push(import);
    }
    let mut seen = BTreeSet::new();
    let mut messages = Vec::new();
    for start in by_module.keys() {
        let Some(circle) = circle_through(start, &by_module) else { continue };
        let members: BTreeSet<_> = circle.iter().map(|import| &import.from).collect();
        if seen.insert(members) {
            let steps: Vec<_> = circle
                .iter()
                .map(|Import { from, to, place, .. }| format!("\n  {place}: {from} -> {to}"))
                .collect();
            messages.push(format!(
                "these modules import each other in a circle: move what closes it to a module of \
                 its own{}",
                steps.concat()
            ));
        }
    }
    messages
}

/// Breadth first.
fn circle_through<'a>(
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
    let mut circle = vec![*reached_by.get(start)?];
    while circle[0].from != start {
        circle.insert(0, reached_by[&*circle[0].from]);
    }
    Some(circle)
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

    /// A tree that keeps every rule, with these files in place of its own.
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

    fn breaches(changes: &[(&str, &str)]) -> Vec<String> {
        Rules::parse(RULES).unwrap().import_breaches(&tree(changes))
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
    fn what_keeps_the_rules_passes() {
        assert_eq!(breaches(&[]), [""; 0]);
        assert_eq!(faults(RULES), [""; 0]);
    }

    #[test]
    fn an_import_that_the_table_does_not_have_is_named_with_its_place() {
        let messages = breaches(&[("bottom", "\nuse crate::chat::C;")]);
        check_only(&messages, &["src/bottom.rs:2: bottom must not import chat (`crate::chat::C`)"]);
    }

    #[test]
    fn a_circle_between_top_level_modules_is_named_with_each_step() {
        let rules = RULES.replace("bottom:\n", "bottom: top\n");
        let tree = tree(&[("bottom", "use crate::top::Top;")]);
        let messages = Rules::parse(&rules).unwrap().import_breaches(&tree);
        check_only(&messages, &["src/bottom.rs:1: bottom -> top", "src/top.rs:1: top -> bottom"]);
    }

    #[test]
    fn a_circle_within_a_module_is_named() {
        let messages = breaches(&[("middle/two", "use super::one::One;")]);
        check_only(
            &messages,
            &["src/middle/one.rs:1: middle/one -> middle/two", "two -> middle/one"],
        );
        let excepted = RULES.replace("import", "import middle/two -> middle/one\nimport");
        let tree = tree(&[("middle/two", "use super::one::One;")]);
        assert_eq!(Rules::parse(&excepted).unwrap().import_breaches(&tree), [""; 0]);
    }

    #[test]
    fn an_exception_that_nothing_needs_is_named() {
        let messages = breaches(&[("middle/mod", "")]);
        check_only(&messages, &["`import middle -> bottom` is no longer needed"]);
    }

    #[test]
    fn the_table_has_every_module_once_and_in_order() {
        check_only(&faults(&RULES.replace("bottom:\n", "")), &["no line for src/bottom"]);
        check_only(&faults(&RULES.replace("chat:\n", "chat:\nchat:\n")), &["chat has two lines"]);
        check_only(&faults(&RULES.replace("chat:\n", "chat:\nx:\n")), &["no module x in src/"]);
        check_only(&faults(&RULES.replace("bottom:\n", "bottom: y\n")), &["y, which is no module"]);
        check_only(&faults(&RULES.replace("chat:\n", "chat: top\n")), &["top, which stands above"]);
    }

    #[test]
    fn a_table_that_is_missing_or_broken_is_refused() {
        assert!(Rules::parse("```text\na: b\n```").unwrap_err().contains("no block ```layers"));
        assert!(Rules::parse("```layers\na b\n```").unwrap_err().contains("\"a b\""));
    }

    #[test]
    fn the_chat_uses_std_and_itself_alone() {
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
