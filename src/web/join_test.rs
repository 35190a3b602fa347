//! Tests of build/join.rs: what it makes of scripts and style sheets.

use super::join::{Joined, join_scripts, join_style};

fn files<'a>(files: &'a [(&str, &str)]) -> impl Fn(&str) -> Result<String, String> + 'a {
    |name| {
        let file = files.iter().find(|(known, _)| *known == name);
        file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| format!("there is no {name}"))
    }
}

/// The first of the names is that of the whole.
fn joined(text: &str, names: &[&str]) -> Joined {
    let mut all: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    all.sort();
    Joined { name: names[0].to_owned(), text: text.to_owned(), names: all }
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
        ("core/de.js", "// Deutsch.\nexport default {\n  yes: 'ja',\n};\n"),
        (
            "view/d.js",
            "/** Of one line. */\nexport function d() {}\nexport async function e() {}\n",
        ),
    ]);
    let text = "const $view_d = (() => {\nfunction d() {}\nasync function e() {}\nreturn { d, e };\n})();\n\
        const $core_a = (() => {\nconst { d } = $view_d;\nclass A {\na = 1; // one\n}\nconst b = (x) => d(x);\nreturn { A, b };\n})();\n\
        const $core_words = (() => {\nconst exported = {\nde: () => import('./core/de.js'),\n};\nreturn { default: exported };\n})();\n\
        const { A, b: c } = $core_a;\nconst { default: words } = $core_words;\nc(A, words);\n";
    let names = ["app.js", "core/a.js", "core/words.js", "view/d.js"];
    let chunk = joined("export default {\nyes: 'ja',\n};\n", &["core/de.js"]);
    assert_eq!(join_scripts("app.js", &files), Ok(vec![joined(text, &names), chunk]));
}

#[test]
fn private_members_have_short_names_and_what_looks_like_one_stays() {
    let files = files(&[(
        "app.js",
        "class A {\n  #chat;\n  static #b = 1;\n  async #load() { return this.#chat?.#load(`#chat`); }\n  \
         go() { return '#chat #load' + this.#chat.b; }\n}\n",
    )]);
    let text = "class A {\n#b;\nstatic #a = 1;\nasync #c() { return this.#b?.#c(`#chat`); }\n\
        go() { return '#chat #load' + this.#b.b; }\n}\n";
    assert_eq!(join_scripts("app.js", &files), Ok(vec![joined(text, &["app.js"])]));
}

#[test]
fn a_module_imported_twice_is_included_once() {
    let files = files(&[
        ("app.js", "import { a } from './a.js';\nimport { b } from './b.js';\n"),
        ("a.js", "import { b } from './b.js';\nexport const a = b;\n"),
        ("b.js", "export const b = 1;\n"),
    ]);
    let text = join_scripts("app.js", &files).unwrap().remove(0).text;
    assert_eq!(text.matches("const b = 1;").count(), 1);
}

#[test]
fn what_is_imported_on_demand_is_a_chunk_with_what_only_it_imports() {
    let files = files(&[
        (
            "app.js",
            "import { h } from './view/dom.js';\nimport t from './words.js';\nh(t, () => import('./view/picker.js'));\n",
        ),
        ("words.js", "export default 1;\n"),
        ("view/dom.js", "export const h = 1;\n"),
        (
            "view/picker.js",
            "import { h } from './dom.js';\nimport { find } from '../text/emoji.js';\nimport t from '../words.js';\n\
             export class Picker {}\nfind(h, t);\nimport('./tabs/more.js').then(() => import('../text/late.js'));\n",
        ),
        ("text/emoji.js", "export function find() {\n  return import('./late.js');\n}\n"),
        ("text/late.js", "export const late = 1;\n"),
        ("view/tabs/more.js", "import { late } from '../../text/late.js';\nlate();\n"),
    ]);
    let bundle = "const $view_dom = (() => {\nconst h = 1;\nreturn { h };\n})();\n\
        const $words = (() => {\nconst exported = 1;\nreturn { default: exported };\n})();\n\
        globalThis.$bundle = { $view_dom, $words };\n\
        const { h } = $view_dom;\nconst { default: t } = $words;\nh(t, () => import('./view/picker.js'));\n";
    let picker = "const { $view_dom, $words } = $bundle;\n\
        const $text_emoji = (() => {\nfunction find() {\nreturn import('../text/late.js');\n}\nreturn { find };\n})();\n\
        const { h } = $view_dom;\nconst { find } = $text_emoji;\nconst { default: t } = $words;\n\
        export class Picker {}\nfind(h, t);\nimport('./tabs/more.js').then(() => import('../text/late.js'));\n";
    let more = "import * as $text_late from '../../text/late.js';\nconst { late } = $text_late;\nlate();\n";
    let expected = vec![
        joined(bundle, &["app.js", "view/dom.js", "words.js"]),
        joined("export const late = 1;\n", &["text/late.js"]),
        joined(picker, &["view/picker.js", "text/emoji.js"]),
        joined(more, &["view/tabs/more.js"]),
    ];
    assert_eq!(join_scripts("app.js", &files), Ok(expected));
}

/// Otherwise it would run twice, and each would have a state of its own.
#[test]
fn what_two_chunks_import_is_a_chunk_of_its_own() {
    let files = files(&[
        ("app.js", "import('./a.js');\nimport('./b.js');\n"),
        ("a.js", "import { both } from './both.js';\n"),
        ("b.js", "import { both } from './both.js';\nimport { own } from './own.js';\n"),
        ("both.js", "import { part } from './part.js';\nexport const both = part;\n"),
        ("own.js", "import { part } from './part.js';\nexport const own = part;\n"),
        ("part.js", "import { deep } from './deep.js';\nexport const part = deep;\n"),
        ("deep.js", "export const deep = {};\n"),
    ]);
    let chunks = join_scripts("app.js", &files).unwrap();
    let parts: Vec<(&str, Vec<&str>)> = chunks
        .iter()
        .map(|chunk| (chunk.name.as_str(), chunk.names.iter().map(String::as_str).collect()))
        .collect();
    let expected = [
        ("app.js", vec!["app.js"]),
        ("a.js", vec!["a.js"]),
        ("b.js", vec!["b.js", "own.js"]),
        ("both.js", vec!["both.js"]),
        ("part.js", vec!["deep.js", "part.js"]),
    ];
    assert_eq!(parts, expected);
    let a = "import * as $both from './both.js';\nconst { both } = $both;\n";
    assert_eq!(chunks[1].text, a);
}

#[test]
fn a_text_over_several_lines_keeps_its_indentation() {
    let text = "say(`a\n  b`);\nif (c) {\n  d();\n}\n";
    let page = [("app.js", text)];
    let files = files(&page);
    assert_eq!(join_scripts("app.js", &files), Ok(vec![joined(text, &["app.js"])]));
}

#[test]
fn a_style_sheet_includes_its_imports_in_place() {
    let files = files(&[
        ("style.css", "/* All. */\n@import \"style/a.css\";\nb { top: 0; }\n"),
        ("style/a.css", "/* Of\n   two lines. */\n\na {\n  top: 0;\n}\n"),
    ]);
    let text = "a {\ntop: 0;\n}\nb { top: 0; }\n";
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
            "a.js imports itself, directly or not",
        ),
        (
            "import { a } from './a.js';",
            "export const a = () => import(name);",
            "a.js: \"export const a = () => import(name);\" is not a supported import on demand",
        ),
        (
            "import { a } from './a.js';\nconst b = await import('./a.js');",
            "export const a = 1;",
            "app.js imports a.js on demand, but app.js always loads it; import it as the others do, or everywhere on \
             demand",
        ),
        (
            "import { a } from './a.js';",
            "export const a = await b();",
            "a.js: \"export const a = await b();\" waits outside of a function; only app.js may",
        ),
        (
            "const a = import.meta.url;",
            "",
            "app.js: \"const a = import.meta.url;\" would be about the bundle; use document.baseURI",
        ),
        (
            "await import('./a.js');",
            "import { b } from './app.js';",
            "a.js imports app.js, which has no exports",
        ),
        ("import { a } from './c.js';", "", "there is no c.js"),
    ] {
        let page = [("app.js", line), ("a.js", other)];
        let files = files(&page);
        assert_eq!(join_scripts("app.js", &files), Err(refusal.to_owned()));
    }
}

#[test]
fn an_unsupported_import_of_a_style_sheet_is_refused() {
    let files = files(&[("style.css", "@import url(a.css);")]);
    let refusal = "style.css: \"@import url(a.css);\" is not of the form @import \"file.css\";";
    assert_eq!(join_style("style.css", &files), Err(refusal.to_owned()));
}
