//! Paths in the checkout that this program was built from.

use std::path::Path;

/// The checkout.
pub fn root() -> &'static Path {
    let chaos = Path::new(env!("CARGO_MANIFEST_DIR"));
    chaos.parent().unwrap_or(chaos)
}
