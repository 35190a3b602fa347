//! Bundles the page's fifty or so small source files into few: one style sheet, one script, and one script for each
//! part that is imported on demand.
//!
//! This server takes one connection per file, each file costs a round trip, and small files
//! compress badly. So `app.js` is sent with all modules that it imports, each as a function that
//! returns its exports, and a style sheet with everything that it imports, in place. Comments
//! and indentation are removed, and private members (`#name`) get short names; nothing else is changed.
//!
//! A module that is imported on demand (`import('./picker.js')`) is sent by itself, as a *chunk*, with the modules that
//! nobody else imports. It takes the modules of the bundle out of a global variable, not by an `import`: that would
//! wait for `app.js`, which may be waiting for the chunk. What two chunks import is a chunk of its own, so that each
//! module runs once.
//!
//! Pure: the build script passes the files in. `module.rs` has the forms of `import` that are understood.

mod module;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use self::module::{DEFAULT, Line, Module, relative, resolve, unquoted, without_comments};

/// Why a file cannot be bundled.
pub(crate) type Refusal = String;

/// Reads a source file by its name, such as `view/dom.js`.
type Read<'a> = dyn Fn(&str) -> Result<String, Refusal> + 'a;

/// Several files as one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    /// The name under which it is served.
    pub(crate) name: String,
    pub(crate) text: String,
    /// The files in it, which need not be served by themselves.
    pub(crate) names: Vec<String>,
}

/// The global variable with the modules of the bundle that chunks import.
const SHARED: &str = "$bundle";

/// Bundles the script `entry` with everything that it imports, and after it each chunk.
pub(crate) fn join_scripts(entry: &str, read: &Read<'_>) -> Result<Vec<Joined>, Refusal> {
    let mut graph = Graph { modules: BTreeMap::new() };
    graph.load(entry, read)?;
    graph.refuse_circles()?;
    let bundle = graph.reached(entry, &BTreeSet::new());
    let roots = graph.roots(entry, &bundle)?;
    let mut wanted = BTreeSet::new();
    let mut chunks = Vec::new();
    for root in &roots {
        chunks.push(graph.chunk(root, &roots, &bundle, &mut wanted));
    }
    let mut joined = vec![graph.bundle(entry, &bundle, &wanted)];
    joined.append(&mut chunks);
    graph.refuse_waiting(&joined)?;
    Ok(joined)
}

/// Bundles the style sheet `entry` with everything that it imports.
pub(crate) fn join_style(entry: &str, read: &Read<'_>) -> Result<Joined, Refusal> {
    let mut text = String::new();
    let mut names = vec![entry.to_owned()];
    for line in without_comments(entry, &read(entry)?)? {
        let Some(import) = line.strip_prefix("@import ") else {
            add(&mut text, line.trim_start());
            continue;
        };
        let name = import.strip_suffix(';').and_then(unquoted).ok_or_else(|| {
            format!("{entry}: \"{line}\" is not of the form @import \"file.css\";")
        })?;
        let name = resolve(entry, name);
        for line in without_comments(&name, &read(&name)?)? {
            add(&mut text, line.trim_start());
        }
        names.push(name);
    }
    Ok(Joined { name: entry.to_owned(), text, names })
}

/// All modules of the page, by name.
struct Graph {
    modules: BTreeMap<String, Module>,
}

impl Graph {
    /// Reads a module, and whatever it imports.
    fn load(&mut self, name: &str, read: &Read<'_>) -> Result<(), Refusal> {
        if self.modules.contains_key(name) {
            return Ok(());
        }
        let module = Module::parse(name, &read(name)?)?;
        let next: Vec<String> =
            module.imports().chain(module.on_demand()).map(str::to_owned).collect();
        self.modules.insert(name.to_owned(), module);
        next.iter().try_for_each(|name| self.load(name, read))
    }

    fn refuse_circles(&self) -> Result<(), Refusal> {
        for (name, module) in &self.modules {
            let mut imports = module.imports();
            if imports.any(|import| self.reached(import, &BTreeSet::new()).contains(name)) {
                return Err(format!("{name} imports itself, directly or not"));
            }
        }
        Ok(())
    }

    /// Within another's file a module is a function, which cannot wait.
    fn refuse_waiting(&self, joined: &[Joined]) -> Result<(), Refusal> {
        for whole in joined {
            for name in whole.names.iter().filter(|name| **name != whole.name) {
                if let Some(line) = &self.modules[name].waiting {
                    let why = "waits outside of a function; only app.js may";
                    return Err(format!("{name}: \"{line}\" {why}"));
                }
            }
        }
        Ok(())
    }

    /// A module and everything that it always needs, without `others` and what only they need. Each stands after all
    /// that it imports.
    fn reached(&self, name: &str, others: &BTreeSet<String>) -> Vec<String> {
        let mut found = Vec::new();
        self.visit(name, others, &mut BTreeSet::new(), &mut found);
        found
    }

    fn visit(
        &self,
        name: &str,
        others: &BTreeSet<String>,
        seen: &mut BTreeSet<String>,
        found: &mut Vec<String>,
    ) {
        if !seen.insert(name.to_owned()) {
            return;
        }
        for import in self.modules[name].imports().filter(|import| !others.contains(*import)) {
            self.visit(import, others, seen, found);
        }
        found.push(name.to_owned());
    }

    /// The modules that begin a chunk: those that are imported on demand, and those that several chunks import.
    fn roots(&self, entry: &str, bundle: &[String]) -> Result<BTreeSet<String>, Refusal> {
        let mut roots = BTreeSet::new();
        for (name, module) in &self.modules {
            for wanted in module.on_demand() {
                if bundle.iter().any(|bundled| bundled == wanted) {
                    return Err(format!(
                        "{name} imports {wanted} on demand, but {entry} always loads it; import it as the others do, \
                         or everywhere on demand"
                    ));
                }
                roots.insert(wanted.to_owned());
            }
            if module.imports().any(|import| import == entry) {
                return Err(format!("{name} imports {entry}, which has no exports"));
            }
        }
        while let Some(shared) = self.shared(&roots, bundle) {
            roots.insert(shared);
        }
        Ok(roots)
    }

    /// A module that two chunks would have. Of several, the one that imports the others, which then need be in no other
    /// chunk.
    fn shared(&self, roots: &BTreeSet<String>, bundle: &[String]) -> Option<String> {
        let outside: BTreeSet<String> = roots.iter().chain(bundle).cloned().collect();
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for root in roots {
            for name in self.reached(root, &outside) {
                *owners.entry(name).or_default() += 1;
            }
        }
        let shared: Vec<&String> =
            owners.iter().filter(|(_, count)| **count > 1).map(|(name, _)| name).collect();
        let is_imported = |name: &str| {
            shared.iter().any(|other| self.modules[*other].imports().any(|import| import == name))
        };
        shared.iter().find(|name| !is_imported(name)).map(|&name| name.clone())
    }

    /// `entry` with the modules before it, and a global variable with those that chunks want.
    fn bundle(&self, entry: &str, names: &[String], wanted: &BTreeSet<String>) -> Joined {
        let mut text = String::new();
        for name in names.iter().filter(|name| *name != entry) {
            text.push_str(&self.function(name, entry));
        }
        if !wanted.is_empty() {
            let variables: Vec<String> = wanted.iter().map(|name| variable(name)).collect();
            add(&mut text, &format!("globalThis.{SHARED} = {{ {} }};", variables.join(", ")));
        }
        text.push_str(&self.body(entry, entry, false));
        Joined { name: entry.to_owned(), text, names: sorted(names) }
    }

    /// A module that is imported on demand, with the modules that only it imports. What it takes from the bundle is
    /// added to `wanted`.
    fn chunk(
        &self,
        root: &str,
        roots: &BTreeSet<String>,
        bundle: &[String],
        wanted: &mut BTreeSet<String>,
    ) -> Joined {
        let outside: BTreeSet<String> = roots.iter().chain(bundle).cloned().collect();
        let names = self.reached(root, &outside);
        let imports: BTreeSet<&str> =
            names.iter().flat_map(|name| self.modules[name].imports()).collect();
        let (bundled, others): (Vec<&str>, Vec<&str>) = imports
            .into_iter()
            .filter(|import| outside.contains(*import))
            .partition(|import| bundle.iter().any(|name| name == import));
        let mut text = String::new();
        for other in others {
            add(
                &mut text,
                &format!("import * as {} from '{}';", variable(other), relative(root, other)),
            );
        }
        if !bundled.is_empty() {
            let variables: Vec<String> = bundled.iter().map(|name| variable(name)).collect();
            add(&mut text, &format!("const {{ {} }} = {SHARED};", variables.join(", ")));
        }
        wanted.extend(bundled.into_iter().map(str::to_owned));
        for name in names.iter().filter(|name| *name != root) {
            text.push_str(&self.function(name, root));
        }
        text.push_str(&self.body(root, root, true));
        Joined { name: root.to_owned(), text, names: sorted(&names) }
    }

    /// A module as a function that is called at once and returns its exports.
    fn function(&self, name: &str, within: &str) -> String {
        let exports: Vec<&str> = self.modules[name]
            .lines
            .iter()
            .filter_map(|line| match line {
                Line::Export { entry, .. } => Some(entry.as_str()),
                Line::Import { .. } | Line::Code(_) => None,
            })
            .collect();
        let (variable, body) = (variable(name), self.body(name, within, false));
        format!(
            "const {variable} = (() => {{\n{body}return {{ {} }};\n}})();\n",
            exports.join(", ")
        )
    }

    /// The code of a module, in the file `within`, with or without its exports.
    fn body(&self, name: &str, within: &str, exports: bool) -> String {
        let mut body = String::new();
        for part in &self.modules[name].lines {
            let code = match part {
                Line::Import { taken, from } => format!("const {taken} = {};", variable(from)),
                Line::Code(code) => code.within(within),
                Line::Export { code, .. } if !exports => code.within(within),
                Line::Export { code, .. } => {
                    let code = code.within(within);
                    match code.strip_prefix(DEFAULT) {
                        Some(value) => format!("export default {value}"),
                        None => format!("export {code}"),
                    }
                }
            };
            add(&mut body, &code);
        }
        body
    }
}

fn add(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to memory cannot fail");
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

/// The variable that holds a module's exports.
fn variable(name: &str) -> String {
    let name = name.strip_suffix(".js").unwrap_or(name);
    format!("${}", name.replace(['/', '-', '.'], "_"))
}
