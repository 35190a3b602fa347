//! How many files the process may open. Each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. From a shell it is 1,024, for programs that use `select`; there is
/// none here.
pub(super) fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it fails, the old limit stays, and a start says how many connections that carries.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
