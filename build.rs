//! Embeds the page into the binary: generates the table of the served files in `src/web`, each with
//! its path, its content type and, where they are smaller, its gzip and its brotli. `src/web/mod.rs` includes the
//! table. It also names the commit for `wschat --version`.
//!
//! Scripts and styles are bundled (`build/join.rs`); scripts that are imported on demand are chunks
//! of their own. New files are found automatically. A file of an unknown kind fails the build: it would
//! otherwise be missing from the page unnoticed.

#[path = "build/join.rs"]
mod join;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use brotli::enc::BrotliEncoderParams;
use brotli::enc::backward_references::BrotliEncoderMode;
use zopfli::{Format, Options};

use self::join::{Joined, join_scripts, join_style};

/// The kinds of files that are served: suffix, content type, and whether it is text. Text is
/// compressed; images already are.
const KINDS: [(&str, &str, bool); 7] = [
    ("html", "text/html; charset=utf-8", true),
    ("js", "text/javascript; charset=utf-8", true),
    ("css", "text/css; charset=utf-8", true),
    ("svg", "image/svg+xml", true),
    ("webmanifest", "application/manifest+json", true),
    ("gif", "image/gif", false),
    ("png", "image/png", false),
];

/// Other files that may be there: the code that serves the page, and the code that draws its GIFs.
const NOT_SERVED: [&str; 3] = ["rs", "py", "md"];

/// The file at the address `/`.
const PAGE: &str = "index.html";

/// The line of it that the server replaces.
const MARKER: &str = "<!-- owner -->";

/// The client of the protocol, which is a package of its own. The page's scripts import it as
/// `../../../clients/js/src/…`, so that there is one copy.
const CLIENT: &str = "clients/js/src";

/// Python's cache directory.
const CACHE: &str = "__pycache__";

type Fallible<T> = Result<T, String>;

fn main() {
    // Watch every directory and file, so that Cargo rebuilds when one is added.
    println!("cargo::rerun-if-changed=src/web");
    println!("cargo::rerun-if-changed={CLIENT}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    name_commit();
    if let Err(problem) = embed() {
        println!("cargo::error={problem}");
    }
}

/// Names the commit in a release: `WSCHAT_COMMIT`, or else that of the git repository. A debug build names none,
/// or it would have to be built anew after each commit.
fn name_commit() {
    println!("cargo::rerun-if-env-changed=WSCHAT_COMMIT");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        return;
    }
    let given = std::env::var("WSCHAT_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(commit) = given.or_else(|| git(&["rev-parse", "--short=7", "HEAD"])) {
        println!("cargo::rustc-env=WSCHAT_BUILT_FROM={commit}");
    }
    // It changes with each commit and each switch of the branch.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// What git prints about the repository of the sources; `None` without git, or if they have none of their own.
fn git(arguments: &[&str]) -> Option<String> {
    let sources = folder("CARGO_MANIFEST_DIR").ok()?;
    let output = Command::new("git")
        .args(arguments)
        // Otherwise sources without a repository would get the commit of one around them.
        .env("GIT_CEILING_DIRECTORIES", sources.parent()?)
        .current_dir(&sources)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn embed() -> Fallible<()> {
    let repository = folder("CARGO_MANIFEST_DIR")?;
    let root = repository.join("src/web");
    let out = folder("OUT_DIR")?;
    let mut files = Vec::new();
    find(&root, &mut files)?;
    // Sorted, so that the binary does not depend on the file system.
    files.sort();
    let read = |name: &str| {
        let path = if name.starts_with(CLIENT) { repository.join(name) } else { root.join(name) };
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let mut joined = join_scripts("app.js", &read)?;
    joined.push(join_style("style.css", &read)?);
    refuse_chunks_elsewhere(&joined, &root)?;
    let mut table = "&[\n".to_owned();
    for (index, file) in files.iter().enumerate() {
        let Some((content_type, is_text)) = kind(file)? else { continue };
        let name = name(file.strip_prefix(&root).expect("it was found below the root"))?;
        let file = match joined.iter().find(|whole| whole.names.contains(&name)) {
            Some(whole) if whole.name != name => continue,
            Some(whole) => write(&out.join(format!("{index}.joined")), whole.text.as_bytes())?,
            None => file.clone(),
        };
        let body = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let packed = |ending: &str, bytes: Vec<u8>| {
            if bytes.len() >= body.len() {
                return Ok("None".to_owned());
            }
            let path = write(&out.join(format!("{index}.{ending}")), &bytes)?;
            Ok::<_, String>(format!("Some({})", inclusion(&path)?))
        };
        let is_packed = is_text && name != PAGE;
        let gzip = if is_packed { packed("gz", compress(&body, Format::Gzip)?)? } else { none() };
        let brotli = if is_packed { packed("br", compress_brotli(&body)?)? } else { none() };
        if name == PAGE {
            let rest = after_marker(&body)?;
            write(&out.join("rest.deflate"), &compress(rest, Format::Deflate)?)?;
        }
        let (path, body) = (address(&name), inclusion(&file)?);
        writeln!(
            table,
            "    File {{ path: {path:?}, content_type: {content_type:?}, body: {body}, gzip: {gzip}, brotli: {brotli} }},"
        )
        .expect("writing to memory cannot fail");
    }
    table.push(']');
    write(&out.join("page.rs"), table.as_bytes()).map(drop)
}

/// Only what is in `src/web` is served, and can be loaded on demand.
fn refuse_chunks_elsewhere(joined: &[Joined], root: &Path) -> Fallible<()> {
    match joined.iter().find(|whole| !root.join(&whole.name).exists()) {
        None => Ok(()),
        Some(Joined { name, .. }) => Err(format!(
            "{name} would have to be loaded on demand, but is not in src/web; import it in a module that app.js \
             always loads"
        )),
    }
}

fn none() -> String {
    "None".to_owned()
}

/// Writes a file and returns its path.
fn write(path: &Path, bytes: &[u8]) -> Fallible<PathBuf> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.to_owned())
}

/// The bytes of a file, as a Rust expression.
fn inclusion(path: &Path) -> Fallible<String> {
    let text = path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()))?;
    Ok(format!("include_bytes!({text:?})"))
}

/// A directory that Cargo passes in an environment variable.
fn folder(variable: &str) -> Fallible<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).ok_or_else(|| format!("{variable} is not set"))
}

/// Finds all files in a directory and below, except hidden ones.
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

/// The content type of a file, and whether it is text; `None` if it is not served.
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

/// The name of a file relative to `src/web`.
fn name(file: &Path) -> Fallible<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match file.to_str() {
        Some(name) if name.chars().all(is_plain) => Ok(name.to_owned()),
        _ => Err(format!(
            "src/web/{}: a name may hold only letters, digits, \".\", \"_\" and \"-\", since it is part of an \
             address; rename it",
            file.display()
        )),
    }
}

/// The request path of a file of the page.
fn address(name: &str) -> String {
    if name == PAGE { "/".to_owned() } else { format!("/{name}") }
}

/// The part of the page that comes after what the owner says. Only that is known when wschat is built.
fn after_marker(page: &[u8]) -> Fallible<&[u8]> {
    let mut places = (0..page.len()).filter(|at| page[*at..].starts_with(MARKER.as_bytes()));
    match (places.next(), places.next()) {
        (Some(at), None) => Ok(&page[at + MARKER.len()..]),
        _ => Err(format!(
            "{PAGE} must have \"{MARKER}\" once, where the server puts the owner's part"
        )),
    }
}

/// The gzip or DEFLATE stream of a file. It holds no time stamp, so every build gives the same bytes.
fn compress(body: &[u8], format: Format) -> Fallible<Vec<u8>> {
    let mut compressed = Vec::new();
    zopfli::compress(Options::default(), format, body, &mut compressed)
        .map_err(|error| format!("cannot compress the page: {error}"))?;
    Ok(compressed)
}

/// The brotli of a file, as small as it can be.
fn compress_brotli(body: &[u8]) -> Fallible<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        quality: 11,
        mode: BrotliEncoderMode::BROTLI_MODE_TEXT,
        size_hint: body.len(),
        ..BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*body, &mut compressed, &parameters)
        .map_err(|error| format!("cannot compress the page: {error}"))?;
    Ok(compressed)
}
