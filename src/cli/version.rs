//! What `wschat --version` names: the version, the commit, and the features of this build.

use wschat::{COMMIT, FEATURES};

/// Such as `0.1.0 (c066c08; sqlite, openssl)`.
pub(super) fn line() -> String {
    let features = if FEATURES.is_empty() { "no features".to_owned() } else { FEATURES.join(", ") };
    let build = COMMIT.map_or_else(|| features.clone(), |commit| format!("{commit}; {features}"));
    format!("{} ({build})", env!("CARGO_PKG_VERSION"))
}
