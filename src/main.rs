//! The `wschat` program: a thin command line around the library.

#![forbid(unsafe_code)]

mod cli;
mod logger;
mod malloc;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
