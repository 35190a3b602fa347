//! Puts the page into the program: a table of all files in `src/web` that are served, each with its
//! path, its type and, where that is smaller, its gzip, for `src/web/mod.rs` to include.
//!
//! The scripts and styles are joined (`build/join.rs`), but for what a script imports only when needed.
//! A new file needs no mention anywhere. One of an unknown kind ends the build, since it would
//! otherwise be missing from the page without a word.

#[path = "build/join.rs"]
mod join;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use self::join::{Joined, join_script, join_style};

/// The kinds of files that are served: how the name ends, the type, and whether it is text, which is
/// compressed. Pictures are compressed as they are.
const KINDS: [(&str, &str, bool); 7] = [
    ("html", "text/html; charset=utf-8", true),
    ("js", "text/javascript; charset=utf-8", true),
    ("css", "text/css; charset=utf-8", true),
    ("svg", "image/svg+xml", true),
    ("webmanifest", "application/manifest+json", true),
    ("gif", "image/gif", false),
    ("png", "image/png", false),
];

/// What else there may be: the code that serves the page, and what draws its pictures.
const NOT_SERVED: [&str; 3] = ["rs", "py", "md"];

/// The folder that Python leaves behind.
const CACHE: &str = "__pycache__";

type Fallible<T> = Result<T, String>;

fn main() {
    // Cargo looks at all that is in there, and at the folders themselves.
    println!("cargo::rerun-if-changed=src/web");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/join.rs");
    if let Err(problem) = embed() {
        println!("cargo::error={problem}");
    }
}

fn embed() -> Fallible<()> {
    let root = folder("CARGO_MANIFEST_DIR")?.join("src/web");
    let out = folder("OUT_DIR")?;
    let mut files = Vec::new();
    find(&root, &mut files)?;
    // Whatever order the file system has, the program is the same.
    files.sort();
    let read = |name: &str| {
        let path = root.join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let joined =
        [("app.js", join_script("app.js", &read)?), ("style.css", join_style("style.css", &read)?)];
    let mut table = "&[\n".to_owned();
    for (index, file) in files.iter().enumerate() {
        let Some((content_type, is_text)) = kind(file)? else { continue };
        let name = name(file.strip_prefix(&root).expect("it was found in there"))?;
        let part_of = joined.iter().find(|(_, Joined { names, .. })| names.contains(&name));
        let file = match part_of {
            Some((whole, _)) if *whole != name => continue,
            Some((_, Joined { text, .. })) => {
                write(&out.join(format!("{index}.joined")), text.as_bytes())?
            }
            None => file.clone(),
        };
        let body = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let gzip = if is_text { Some(compress(&body)?) } else { None };
        let gzip = match gzip.filter(|gzip| gzip.len() < body.len()) {
            None => "None".to_owned(),
            Some(gzip) => {
                format!("Some({})", inclusion(&write(&out.join(format!("{index}.gz")), &gzip)?)?)
            }
        };
        let (path, body) = (address(&name), inclusion(&file)?);
        writeln!(
            table,
            "    File {{ path: {path:?}, content_type: {content_type:?}, body: {body}, gzip: {gzip} }},"
        )
        .expect("memory takes all");
    }
    table.push(']');
    write(&out.join("page.rs"), table.as_bytes()).map(drop)
}

/// Writes a file and gives its path back.
fn write(path: &Path, bytes: &[u8]) -> Fallible<PathBuf> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.to_owned())
}

/// The bytes of a file, as Rust has them.
fn inclusion(path: &Path) -> Fallible<String> {
    let text = path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()))?;
    Ok(format!("include_bytes!({text:?})"))
}

/// A folder that Cargo names.
fn folder(variable: &str) -> Fallible<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).ok_or_else(|| format!("{variable} is not set"))
}

/// Finds all files in a folder and those below it, but for hidden ones.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Fallible<()> {
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || name == CACHE {
            continue;
        }
        if path.is_dir() {
            find(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The type of a file, and whether it is text; `None` if it is not served.
fn kind(file: &Path) -> Fallible<Option<(&'static str, bool)>> {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if NOT_SERVED.contains(&ending) {
        return Ok(None);
    }
    match KINDS.iter().find(|(known, ..)| *known == ending) {
        Some((_, content_type, is_text)) => Ok(Some((content_type, *is_text))),
        None => Err(format!(
            "{} is of a kind that the page has no type for: remove it, or add its ending to KINDS (or to \
             NOT_SERVED) in build.rs",
            file.display()
        )),
    }
}

/// The name of a file in `src/web`.
fn name(file: &Path) -> Fallible<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match file.to_str() {
        Some(name) if name.chars().all(is_plain) => Ok(name.to_owned()),
        _ => Err(format!(
            "src/web/{}: a name has to do with letters, digits, \".\", \"_\" and \"-\", since it is part of an \
             address; rename it",
            file.display()
        )),
    }
}

/// The path of a request for this file of the page.
fn address(name: &str) -> String {
    if name == "index.html" { "/".to_owned() } else { format!("/{name}") }
}

/// The gzip of a file, the same in each build: there is no time in it.
fn compress(body: &[u8]) -> Fallible<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .map_err(|error| format!("cannot compress the page: {error}"))
}
