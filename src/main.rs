//! The `wschat` program: a thin command line around the library.

#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod logger;
#[cfg(feature = "cli")]
mod malloc;
#[cfg(not(feature = "cli"))]
mod small;

use std::process::ExitCode;

#[cfg(feature = "cli")]
use cli::run;
#[cfg(not(feature = "cli"))]
use small::run;

fn main() -> ExitCode {
    run()
}
