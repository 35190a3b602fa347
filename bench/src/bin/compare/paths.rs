//! Paths in the checkout that this program was built from, and of programs built with it.

use std::env;
use std::path::{Path, PathBuf};

/// The folder `bench` of the checkout.
pub fn bench() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The checkout.
pub fn root() -> &'static Path {
    bench().parent().unwrap_or(bench())
}

/// A program that cargo has built beside this one.
pub fn built(name: &str) -> PathBuf {
    let this = env::current_exe().unwrap_or_default();
    this.with_file_name(name)
}

/// Bun, which is installed with its peer.
pub fn bun() -> PathBuf {
    bench().join("peers/bun/node_modules/.bin/bun")
}

/// Whether a program exists; a name without a slash is looked up in `PATH`.
pub fn is_program(path: &Path) -> bool {
    if path.components().count() > 1 || path.has_root() {
        return path.is_file();
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(path).is_file())
}
