//! Finds and reads the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files with one of these extensions in `folders`, sorted by path; an entry may also be a file.
/// Skips `node_modules` and `target`.
pub(crate) fn sources(folders: &[&str], extensions: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        let before = paths.len();
        collect(&root().join(folder), &mut paths);
        assert!(paths.len() > before, "{folder} does not exist: correct the list in tests/house");
    }
    paths.retain(|path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    });
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn collect(path: &Path, paths: &mut Vec<PathBuf>) {
    if path.is_file() {
        paths.push(path.to_owned());
    } else if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
        for entry in fs::read_dir(path).expect("a folder can be read") {
            collect(&entry.expect("a folder can be read").path(), paths);
        }
    }
}

fn read(path: &Path) -> Source {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path = path.strip_prefix(root()).expect("below the root").components();
    let path: Vec<_> = path.map(|part| part.as_os_str().to_string_lossy()).collect();
    Source { path: path.join("/"), text }
}
