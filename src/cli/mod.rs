//! The command line: options → settings → log → server → exit status.
//!
//! Owns what belongs to the whole process: standard output, the user, and signals. Everything else is the
//! library's.
//!
//! | file | owns |
//! |---|---|
//! | `arguments.rs` | the options and subcommands, and the help |
//! | `version.rs` | what `--version` names |
//! | `serve.rs` | running the server: the log, the user, signals |
//! | `error.rs` | why the program ends with an error, and its exit status |

mod arguments;
mod error;
mod serve;
mod version;

use std::io::{self, Write};
use std::process::ExitCode;

use wschat::{Server, Settings};

use self::arguments::{Arguments, Command, Request};
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
    let arguments = match Arguments::parse(std::env::args_os())? {
        Request::Print(text) => {
            say(&text);
            return Ok(());
        }
        Request::Run(arguments) => arguments,
    };
    match &arguments.command {
        None if arguments.check => check(&arguments.settings(&arguments.place)?),
        None => serve::run(&arguments),
        Some(Command::Check(place)) => check(&arguments.settings(place)?),
    }
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
