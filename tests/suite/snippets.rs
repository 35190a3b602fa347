//! What the docs show of the command line is what the program prints and takes.
//!
//! `UPDATE_DOCS=1 cargo test --test suite snippets` writes what it prints into the docs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A block of code in a file.
struct Block {
    file: PathBuf,
    /// The comment right above it, such as `<!-- wschat print nginx -->`, without the marks.
    comment: Option<String>,
    language: String,
    text: String,
}

/// The file with the settings of all printed blocks, and the heading above them.
const OPERATIONS: &str = "docs/operations.md";
const PRINTED_BELOW: &str = "\n## Behind a proxy\n";

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "bench/README.md"].map(|file| root.join(file)).into();
    for folder in ["docs", "clients/rust", "clients/js", "clients/python", "systemd"] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    files
}

fn blocks(file: &Path) -> Vec<Block> {
    let whole = fs::read_to_string(file).unwrap();
    let mut blocks = Vec::new();
    let mut lines = whole.lines();
    let mut above = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let mut text = String::new();
            for line in lines.by_ref().take_while(|line| *line != "```") {
                text.push_str(line);
                text.push('\n');
            }
            let comment = above.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
            blocks.push(Block {
                file: file.to_owned(),
                comment: comment.map(str::to_owned),
                language: language.to_owned(),
                text,
            });
        }
        above = line;
    }
    blocks
}

fn all_blocks() -> Vec<Block> {
    files().iter().flat_map(|file| blocks(file)).collect()
}

/// Runs a line of the shell. `wschat` in it is the program, with these arguments added.
fn shell(line: &str, more: &str, folder: &Path) -> Output {
    let program = env!("CARGO_BIN_EXE_wschat");
    Command::new("bash")
        .args(["-c", &format!("wschat() {{ '{program}' \"$@\" {more}; }}; {line}")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn configuration_in_the_docs_is_what_is_printed() {
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join(OPERATIONS);
    let text = fs::read_to_string(operations).unwrap();
    let (_, below) = text.split_once(PRINTED_BELOW).expect("the heading");
    let settings = below.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.json"), settings).unwrap();
    let mut printed = 0;
    for Block { file, comment, language, text: old } in all_blocks() {
        let command = comment.filter(|comment| comment.starts_with("wschat "));
        // `proxies` checks that what is printed works.
        let must_be = ["nginx", "caddy"].contains(&language.as_str());
        assert!(command.is_some() || !must_be, "{}: {old} is not printed", file.display());
        let Some(command) = command else { continue };
        let output = shell(&command, "--settings settings.json", folder.path());
        assert!(output.status.success(), "{output:?}");
        printed += 1;
        let new = String::from_utf8(output.stdout).unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let whole = |body: &str| format!("<!-- {command} -->\n```{language}\n{body}```\n");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replacen(&whole(&old), &whole(&new), 1)).unwrap();
        } else {
            assert_eq!(old, new, "{}: UPDATE_DOCS=1 brings it up to date", file.display());
        }
    }
    assert_ne!(printed, 0);
}

#[test]
fn commands_in_the_docs_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut taken = 0;
    for Block { file, language, text, .. } in all_blocks() {
        let lines: Vec<&str> = match language.as_str() {
            "sh" | "bash" => text.lines().collect(),
            "console" => text.lines().filter_map(|line| line.strip_prefix("$ ")).collect(),
            _ => continue,
        };
        let file = file.display();
        let script = lines.join("\n");
        let checked = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
        assert!(checked.status.success(), "{file}: {checked:?}");
        for line in lines.iter().filter(|line| line.starts_with("wschat ")) {
            // An option that is not known is refused before the help.
            let output = shell(line, "--help", folder.path());
            assert!(output.status.success(), "{file}: {line}: {output:?}");
            taken += 1;
        }
    }
    assert_ne!(taken, 0);
}

#[test]
fn each_command_has_an_example_that_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let help = |command: &str| {
        let output = shell(&format!("wschat {command}"), "--help", folder.path());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for command in commands() {
        let text = help(&command);
        let examples = text.split("\nExample").nth(1).expect(&text);
        let examples: Vec<_> =
            examples.lines().map(str::trim).filter(|line| line.starts_with("wschat ")).collect();
        assert!(!examples.is_empty(), "{text}");
        for example in examples {
            // A pipe would hide the status.
            let line = format!("set -o pipefail; {}", example.split(" | ").next().unwrap());
            let output = shell(&line, "--help", folder.path());
            assert!(output.status.success(), "{example}: {output:?}");
            assert!(example.contains(&command), "{example}");
        }
    }
}

/// The names of all commands, such as `status`; of one with commands of its own, the names of these.
fn commands() -> Vec<String> {
    let below = |command: &str| -> Vec<String> {
        let help = printed(&format!("{command} --help"));
        let Some((_, below)) = help.split_once("Commands:\n") else { return Vec::new() };
        let names = below.lines().map_while(|line| line.split_whitespace().next());
        names.map(|name| format!("{command} {name}").trim().to_owned()).collect()
    };
    let all = below("").into_iter().map(|name| match below(&name) {
        names if names.is_empty() => vec![name],
        names => names,
    });
    all.flatten().collect()
}

fn printed(arguments: &str) -> String {
    let output = shell(&format!("wschat {arguments}"), "", Path::new("/"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_command_is_in_the_man_page_the_completions_and_the_docs() {
    let man = printed("man");
    assert!(man.contains(".TH wschat 1 "), "{man}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join(OPERATIONS);
    let docs = fs::read_to_string(docs).unwrap();
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&format!("completions {shell}"));
        for command in &commands {
            let is_there = command.split(' ').all(|word| script.contains(word));
            assert!(is_there, "{command} is not completed in {shell}");
        }
    }
    for command in &commands {
        assert!(man.contains(&format!(".SS \"wschat {command}")), "{command} is not in {man}");
        let in_docs = format!("| `{command}");
        assert!(docs.contains(&in_docs), "{in_docs} is not in {OPERATIONS}");
    }
    // What completes in bash is a script that bash takes.
    let checked = shell("bash -n <(wschat completions bash)", "", Path::new("/"));
    assert!(checked.status.success(), "{checked:?}");
    assert!(checked.stderr.is_empty(), "{checked:?}");
}
