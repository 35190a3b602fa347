//! The imports between modules: every `use` and every path in code that is not for tests, resolved
//! through re-exports to the module that has the item.

use std::collections::{BTreeMap, BTreeSet};

use crate::tokens::{Token, shipped_tokens};
use crate::tree::Source;

/// The path of a module from the root of the crate; empty for the root.
pub(crate) type Module = Vec<String>;

/// A module refers to another one that is neither an ancestor nor a descendant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// The outermost module that the two do not share, such as `history/sqlite/file`.
    pub(crate) from: String,
    /// The sibling of `from` that has the other module.
    pub(crate) to: String,
    /// `file:line`.
    pub(crate) place: String,
    /// The path as written.
    pub(crate) path: String,
}

/// A path in the code of a module.
#[derive(Debug)]
struct Mention<'a> {
    module: Module,
    path: Vec<&'a str>,
    /// Its name in the module, if this is a `use`.
    name: Option<&'a str>,
    line: usize,
}

/// Whether a file is only for tests, by its name or a folder's.
pub(crate) fn is_test(path: &str) -> bool {
    path.split('/').any(|part| {
        let part = part.trim_end_matches(".rs");
        part == "tests" || part.ends_with("_test") || part.ends_with("_tests")
    })
}

/// The module of a file in `src/`. `lib.rs` and `main.rs` are roots.
pub(crate) fn module_of(path: &str) -> Module {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || matches!(path, "lib" | "main") {
        module.pop();
    }
    module
}

/// All imports between modules of `src/`, in the order of the files. A path through re-exports imports
/// every module on its way.
pub(crate) fn imports(sources: &[Source]) -> Vec<Import> {
    let shipped: Vec<_> = sources.iter().filter(|source| !is_test(&source.path)).collect();
    let mentions: Vec<(&str, Vec<Mention<'_>>)> = shipped
        .iter()
        .map(|source| (source.path.as_str(), mentions(&source.text, module_of(&source.path))))
        .collect();
    let crate_map = CrateMap::new(&mentions);

    let mut imports = Vec::new();
    for (file, mentions) in &mentions {
        for mention in mentions {
            for target in crate_map.resolve(mention) {
                let shared = mention.module.iter().zip(&target).take_while(|(a, b)| a == b).count();
                if shared == mention.module.len() || shared == target.len() {
                    continue;
                }
                let import = Import {
                    from: mention.module[..=shared].join("/"),
                    to: target[..=shared].join("/"),
                    place: format!("{file}:{}", mention.line),
                    path: mention.path.join("::"),
                };
                if !imports.contains(&import) {
                    imports.push(import);
                }
            }
        }
    }
    imports
}

/// The first segments of all paths, which may be names of crates, with their lines.
pub(crate) fn crate_names(source: &str) -> impl Iterator<Item = (&str, usize)> {
    let tokens = shipped_tokens(source);
    (0..tokens.len()).filter_map(move |at| {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].text);
        let after = tokens.get(at + 1).map_or("", |after| after.text);
        let is_first = before != "::" && (after == "::" || before == "use");
        is_first.then_some((tokens[at].text, tokens[at].line))
    })
}

/// The modules and names of the crate, to resolve paths.
struct CrateMap<'a> {
    modules: BTreeSet<Module>,
    /// The names that each module imports.
    aliases: BTreeMap<(Module, &'a str), &'a Mention<'a>>,
}

impl<'a> CrateMap<'a> {
    fn new(files: &'a [(&str, Vec<Mention<'a>>)]) -> Self {
        let modules = files.iter().map(|(path, _)| module_of(path)).collect();
        let mentions = files.iter().flat_map(|(_, mentions)| mentions);
        let aliases = mentions
            .filter_map(|mention| Some(((mention.module.clone(), mention.name?), mention)))
            .collect();
        Self { modules, aliases }
    }

    /// The modules of this crate on the way of a path. The last one has the item.
    fn resolve(&self, mention: &Mention<'_>) -> Vec<Module> {
        let mut found = Vec::new();
        self.follow(&mention.module, &mention.path, &mut found, 0);
        found
    }

    fn follow(&self, from: &Module, path: &[&str], found: &mut Vec<Module>, depth: usize) {
        let Some((mut at, mut rest)) = self.begin(from, path) else { return };
        while let Some((first, others)) = rest.split_first() {
            let mut next = at.clone();
            next.push((*first).to_owned());
            if self.modules.contains(&next) {
                (at, rest) = (next, others);
                continue;
            }
            found.push(at.clone());
            // A re-export. The limit stops one that refers to itself.
            if let Some(alias) = self.aliases.get(&(at, *first)).filter(|_| depth < 10) {
                self.follow(&alias.module, &alias.path, found, depth + 1);
            }
            return;
        }
        found.push(at);
    }

    /// The module that a path starts at, and the rest of the path; `None` for another crate.
    fn begin<'p, 's>(&self, from: &Module, path: &'p [&'s str]) -> Option<(Module, &'p [&'s str])> {
        let mut at = from.clone();
        let mut rest = path;
        match *path.first()? {
            "crate" => (at, rest) = (Module::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while let Some((&"super", others)) = rest.split_first() {
                    at.pop();
                    rest = others;
                }
            }
            first => {
                let mut child = at.clone();
                child.push(first.to_owned());
                if !self.modules.contains(&child) {
                    return None;
                }
            }
        }
        Some((at, rest))
    }
}

/// The paths of all `use`s, and the paths in the code that begin with `crate`, `self` or `super`.
fn mentions(source: &str, file: Module) -> Vec<Mention<'_>> {
    let tokens = shipped_tokens(source);
    let mut mentions = Vec::new();
    // For each inline module, the depth of braces at which it ends.
    let mut module = file;
    let mut inline_ends = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(token) = tokens.get(at) {
        let text = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text);
        match token.text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline_ends.last() == Some(&depth) {
                    inline_ends.pop();
                    module.pop();
                }
            }
            "mod" if text(2) == "{" => {
                module.push(text(1).to_owned());
                inline_ends.push(depth);
            }
            "use" if text(1) != "<" => {
                at = use_tree(&tokens, at + 1, &[], &module, &mut mentions);
                continue;
            }
            "crate" | "self" | "super" if text(1) == "::" => {
                let path = path_at(&tokens[at..]);
                mentions.push(Mention {
                    module: module.clone(),
                    path,
                    name: None,
                    line: token.line,
                });
                // Skips the path, because further `super`s in it start no path.
                at += 2 * mentions[mentions.len() - 1].path.len() - 1;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    mentions
}

/// The segments of the path at the first token.
fn path_at<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut path = vec![tokens[0].text];
    for pair in tokens[1..].chunks_exact(2) {
        let [colons, segment] = pair else { break };
        let is_word = segment.text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if colons.text != "::" || !is_word {
            break;
        }
        path.push(segment.text);
    }
    path
}

/// Parses a branch of a `use` from `at`; returns its end.
fn use_tree<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: &[&'a str],
    module: &Module,
    mentions: &mut Vec<Mention<'a>>,
) -> usize {
    let begin = at;
    let mut path = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    let mut name = None;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => {
                while !matches!(tokens.get(at).map(|token| token.text), None | Some("}")) {
                    at = use_tree(tokens, at + 1, &path, module, mentions);
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "::" | "*" => {}
            "as" => {
                at += 1;
                name = tokens.get(at).map(|token| token.text);
            }
            // `use a::{self}` is `use a`.
            "self" if !path.is_empty() => {}
            segment => path.push(segment),
        }
        at += 1;
    }
    if at > begin {
        let name = name.or(path.last().copied());
        mentions.push(Mention { module: module.clone(), path, name, line });
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The imports of these files, each as `from -> to (place)`.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| source(path, text)).collect();
        let line = |import: Import| format!("{} -> {} ({})", import.from, import.to, import.place);
        imports(&sources).into_iter().map(line).collect()
    }

    #[test]
    fn a_file_is_a_module() {
        let name = |path| module_of(path).join("::");
        assert_eq!(name("src/a.rs"), "a");
        assert_eq!(name("src/a/mod.rs"), "a");
        assert_eq!(name("src/a/b.rs"), "a::b");
        assert_eq!(name("src/lib.rs"), "");
    }

    #[test]
    fn test_files_are_recognised_by_path() {
        assert!(is_test("src/a/tests.rs") && is_test("src/a/tests/b.rs"));
        assert!(is_test("src/a/golden_test.rs") && is_test("src/a/golden_test/b.rs"));
        assert!(!is_test("src/a/testing.rs") && !is_test("src/latest.rs"));
    }

    #[test]
    fn every_form_of_a_path_is_found() {
        let a = "use crate::b::{self, C,\n d::{E as F, G},\n};\nuse std::fmt;\n\
            fn f() -> crate::e::H { use super::i::*; $crate::j::k!() }\n\
            // use crate::l::M;\n#[cfg(test)]\nmod tests { use crate::l::M; }";
        let others = ["b", "d", "e", "i", "j", "l"].map(|name| format!("src/{name}.rs"));
        let mut files = vec![("src/a.rs", a)];
        files.extend(others.iter().map(|path| (path.as_str(), "")));
        assert_eq!(
            found(&files),
            [
                "a -> b (src/a.rs:1)",
                "a -> b (src/a.rs:1)",
                "a -> b (src/a.rs:2)",
                "a -> b (src/a.rs:2)",
                "a -> e (src/a.rs:5)",
                "a -> i (src/a.rs:5)",
                "a -> j (src/a.rs:5)",
            ]
        );
    }

    #[test]
    fn parents_and_children_may_import_each_other() {
        let files = [
            ("src/lib.rs", "pub use a::A;"),
            ("src/a/mod.rs", "mod b; use b::B; use self::b::C; struct A;"),
            ("src/a/b.rs", "use super::A; use crate::a::A as D;"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn an_import_is_between_the_outermost_siblings() {
        let files = [
            ("src/a/mod.rs", ""),
            ("src/a/b.rs", "use super::c; fn f() { super::c::d::g() }"),
            ("src/a/c.rs", ""),
            ("src/a/c/d.rs", "use super::super::b::f;"),
            ("src/e.rs", "use crate::a::c::d;"),
        ];
        assert_eq!(
            found(&files),
            [
                "a/b -> a/c (src/a/b.rs:1)",
                "a/b -> a/c (src/a/b.rs:1)",
                "a/c -> a/b (src/a/c/d.rs:1)",
                "e -> a (src/e.rs:1)",
            ]
        );
    }

    #[test]
    fn a_re_export_is_resolved_to_the_module_with_the_item() {
        let files = [
            ("src/a/mod.rs", "pub use c::{D as E}; pub use crate::f::G;"),
            ("src/a/b.rs", "use super::E;"),
            ("src/a/c.rs", "use super::E;"),
            ("src/f.rs", ""),
            ("src/h.rs", "use crate::a::G;"),
        ];
        assert_eq!(
            found(&files),
            [
                "a -> f (src/a/mod.rs:1)",
                "a/b -> a/c (src/a/b.rs:1)",
                "h -> a (src/h.rs:1)",
                "h -> f (src/h.rs:1)",
            ]
        );
    }

    #[test]
    fn super_in_an_inline_module_is_the_file() {
        let files = [("src/a.rs", "mod b { use super::c; } use super::c;"), ("src/c.rs", "")];
        assert_eq!(found(&files), ["a -> c (src/a.rs:1)"]);
    }

    #[test]
    fn a_crate_name_is_the_first_segment_of_a_path() {
        let source = "use serde::A; use serde;\nfn f(log: u8) { log::info!(a::bytes::b) }";
        let names: Vec<_> = crate_names(source).collect();
        assert_eq!(names, [("serde", 1), ("serde", 1), ("log", 2), ("a", 2)]);
    }
}
