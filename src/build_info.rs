//! What this build of the library is: its commit and its Cargo features. Pure.

/// The first digits of the git commit that a release was built from; `None` if the sources did not come from a
/// git repository, or for a debug build, which would otherwise have to be built anew after each commit.
pub const COMMIT: Option<&str> = option_env!("WSCHAT_BUILT_FROM");

/// The Cargo features of this build that change what the server can do.
pub const FEATURES: &[&str] = &[
    #[cfg(feature = "cli")]
    "cli",
    #[cfg(feature = "cluster")]
    "cluster",
    #[cfg(feature = "tls")]
    "tls",
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "openssl")]
    "openssl",
];
