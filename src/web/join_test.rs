//! Tests of build/join.rs: what it makes of scripts and style sheets.

use super::join::{Joined, join_script, join_style};

fn files<'a>(files: &'a [(&str, &str)]) -> impl Fn(&str) -> Result<String, String> + 'a {
    |name| {
        let file = files.iter().find(|(known, _)| *known == name);
        file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| format!("there is no {name}"))
    }
}

fn joined(text: &str, names: &[&str]) -> Joined {
    Joined { text: text.to_owned(), names: names.iter().map(|&name| name.to_owned()).collect() }
}

#[test]
fn a_module_becomes_a_function_that_returns_its_exports() {
    let files = files(&[
        (
            "app.js",
            "// Begins.\nimport { A, b as c } from './core/a.js';\nimport words from './core/words.js';\n\nc(A, words);\n",
        ),
        (
            "core/a.js",
            "import { d } from '../view/d.js';\n\n/**\n * Says.\n */\nexport class A {\n  a = 1; // one\n}\n\nexport const b = (x) => d(x);\n",
        ),
        ("core/words.js", "export default {\n  de: () => import('./de.js'),\n};\n"),
        (
            "view/d.js",
            "/** Of one line. */\nexport function d() {}\nexport async function e() {}\n",
        ),
    ]);
    let text = "const $view_d = (() => {\nfunction d() {}\nasync function e() {}\nreturn { d, e };\n})();\n\
        const $core_a = (() => {\nconst { d } = $view_d;\nclass A {\n  a = 1; // one\n}\nconst b = (x) => d(x);\nreturn { A, b };\n})();\n\
        const $core_words = (() => {\nconst exported = {\n  de: () => import('./core/de.js'),\n};\nreturn { default: exported };\n})();\n\
        const { A, b: c } = $core_a;\nconst { default: words } = $core_words;\nc(A, words);\n";
    let names = ["app.js", "core/a.js", "core/words.js", "view/d.js"];
    assert_eq!(join_script("app.js", &files), Ok(joined(text, &names)));
}

#[test]
fn a_module_imported_twice_is_included_once() {
    let files = files(&[
        ("app.js", "import { a } from './a.js';\nimport { b } from './b.js';\n"),
        ("a.js", "import { b } from './b.js';\nexport const a = b;\n"),
        ("b.js", "export const b = 1;\n"),
    ]);
    let text = join_script("app.js", &files).unwrap().text;
    assert_eq!(text.matches("const b = 1;").count(), 1);
}

#[test]
fn a_style_sheet_includes_its_imports_in_place() {
    let files = files(&[
        ("style.css", "/* All. */\n@import \"style/a.css\";\nb { top: 0; }\n"),
        ("style/a.css", "/* Of\n   two lines. */\n\na { top: 0; }\n"),
    ]);
    let text = "a { top: 0; }\nb { top: 0; }\n";
    assert_eq!(join_style("style.css", &files), Ok(joined(text, &["style.css", "style/a.css"])));
}

#[test]
fn unsupported_syntax_is_refused() {
    for (line, other, refusal) in [
        (
            "import * as a from './a.js';",
            "",
            "app.js: \"import * as a from './a.js';\" is not a supported import",
        ),
        ("import './a.js';", "", "app.js: \"import './a.js';\" is not a supported import"),
        ("/* a */ b();", "", "app.js: \"/* a */ b();\" has code after a comment"),
        ("import {", "", "app.js: \"import {\" is not a supported import"),
        (
            "import { a } from './a.js';",
            "export let a;",
            "a.js: \"export let a;\" is not a supported export",
        ),
        (
            "import { a } from './a.js';",
            "export { a };",
            "a.js: \"export { a };\" is not a supported export",
        ),
        (
            "import { a } from './a.js';",
            "import { b } from './app.js';",
            "app.js imports itself, directly or not",
        ),
        ("import { a } from './c.js';", "", "there is no c.js"),
    ] {
        let page = [("app.js", line), ("a.js", other)];
        let files = files(&page);
        assert_eq!(join_script("app.js", &files), Err(refusal.to_owned()));
    }
    let files = files(&[("style.css", "@import url(a.css);")]);
    let refusal = "style.css: \"@import url(a.css);\" is not of the form @import \"file.css\";";
    assert_eq!(join_style("style.css", &files), Err(refusal.to_owned()));
}
