//! The command line: options → settings → log → server → exit status.
//!
//! Owns what belongs to the whole process: standard output, the user, and signals. Everything else is the
//! library's.
//!
//! | file | owns |
//! |---|---|
//! | `arguments.rs` | the options, and the help |
//! | `descriptors.rs` | how many files the process may open |
//! | `serve.rs` | running the server: the log, the user, signals |
//! | `error.rs` | why the program ends with an error, and its exit status |

mod arguments;
mod descriptors;
mod error;
mod serve;

use std::io::{self, Write};
use std::process::ExitCode;

use wschat::{Server, Settings};

use self::arguments::{Arguments, HELP, Task};
use self::error::ProgramError;

/// Runs the program with the arguments of the process.
pub(crate) fn run() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "wschat: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}

fn perform() -> Result<(), ProgramError> {
    let arguments = Arguments::parse(std::env::args_os())?;
    descriptors::raise_limit();
    match arguments.task {
        Task::Help => say(HELP),
        Task::Version => say(concat!("wschat ", env!("CARGO_PKG_VERSION"), "\n")),
        Task::Check => check(&arguments.settings()?)?,
        Task::Serve => serve::run(&arguments)?,
    }
    Ok(())
}

fn check(settings: &Settings) -> Result<(), ProgramError> {
    let warnings = Server::check(settings).map_err(ProgramError::Start)?;
    for warning in warnings {
        say(&format!("warning: {warning}\n"));
    }
    say("The settings are good.\n");
    Ok(())
}

/// Writes to stdout. It may be closed, which is no error.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
