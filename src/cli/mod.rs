//! The command line: options → settings → log → server → exit status.
//!
//! Owns what belongs to the whole process: standard output, the user, and signals. Everything else is the
//! library's.
//!
//! | file | owns |
//! |---|---|
//! | `arguments.rs` | the options and subcommands, and the help |
//! | `commands/` | the commands on the running server |
//! | `descriptors.rs` | how many files the process may open |
//! | `client.rs`, `answer.rs` | asking the admin listener |
//! | `check.rs`, `restore.rs` | commands that need no running server |
//! | `print/` | configuration of nginx, Caddy and systemd |
//! | `manual.rs` | the man page, and completions for shells |
//! | `doctor/` | looking for what is wrong, and for what to do about it |
//! | `listening.rs` | what the settings say that the server listens on |
//! | `wire.rs` | a connection to a server's public port |
//! | `version.rs` | what `--version` names |
//! | `serve.rs` | running the server: the log, the user, reload |
//! | `signals.rs` | what each signal means |
//! | `notify.rs` | what systemd is told |
//! | `streams.rs` | standard output and standard error |
//! | `error.rs` | why the program ends with an error, and its exit status |

mod answer;
mod arguments;
mod check;
mod client;
mod commands;
mod descriptors;
mod doctor;
mod error;
mod listening;
mod manual;
mod notify;
mod print;
mod restore;
mod serve;
mod signals;
mod streams;
mod version;
mod wire;

use std::process::ExitCode;

#[cfg(feature = "cluster")]
use self::arguments::ClusterCommand;
use self::arguments::{Arguments, Command, Place, Request};
use self::client::{AdminAddress, AdminClient};
use self::commands::Kicked;
use self::error::ProgramError;
use self::streams::complain;
pub(crate) use self::streams::say;

/// Runs the program with the arguments of the process.
pub(crate) fn run() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, ProgramError::Told(_)) {
                complain(format!("wschat: {error}\n"));
            }
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
    descriptors::raise_limit();
    match &arguments.command {
        None if arguments.check => check::run(&arguments.settings(&arguments.place)?, false),
        None => serve::run(arguments),
        Some(command) => run_command(&arguments, command),
    }
}

fn run_command(arguments: &Arguments, command: &Command) -> Result<(), ProgramError> {
    let client = |ask| arguments.client(ask);
    match command {
        Command::Status { ask, output } => commands::status(&client(ask)?, output.json),
        Command::Rooms { ask, output } => commands::rooms(&client(ask)?, output.json),
        Command::Clients { ask, output } => commands::clients(&client(ask)?, output.json),
        Command::Kick { user, address, reason, ask, output } => {
            let whom = user.map(Kicked::User).or(address.map(Kicked::Address));
            let whom = whom.expect("clap takes one of them");
            commands::kick(&client(ask)?, whom, reason.as_deref(), output.json)
        }
        Command::Announce { text, ask, output } => {
            commands::announce(&client(ask)?, text, output.json)
        }
        Command::Backup { file, force, ask, output } => {
            commands::backup(&client(ask)?, file, *force, output.json)
        }
        Command::Export { room, file, force, ask } => {
            commands::export(&client(ask)?, *room, file.as_deref(), *force)
        }
        Command::Erase { what, yes, ask, output } => {
            commands::erase(&client(ask)?, what.erased(), *yes, output.json)
        }
        Command::Reload { ask, output } => commands::reload(&client(ask)?, output.json),
        Command::Restore { backup, output } => {
            restore::run(&arguments.settings(&Place::default())?, backup, output.json)
        }
        #[cfg(feature = "cluster")]
        Command::Cluster { command } => run_cluster_command(arguments, command),
        Command::Doctor { url, place, ask, output } => {
            let settings = arguments.settings(place);
            // With settings that cannot be read, there is something to find all the same.
            let client = client(ask).unwrap_or_else(|_| AdminClient::new(AdminAddress::usual()));
            doctor::run(settings, url.as_deref(), &client, output.json)
        }
        Command::Print { target, path, place } => {
            let settings = arguments.settings(place)?;
            print::run(*target, path.as_ref(), &settings, arguments.settings.as_deref())
        }
        Command::Completions { shell } => {
            manual::completions(*shell);
            Ok(())
        }
        Command::Man => manual::page(),
        Command::Check { place, output } => check::run(&arguments.settings(place)?, output.json),
    }
}

#[cfg(feature = "cluster")]
fn run_cluster_command(
    arguments: &Arguments,
    command: &ClusterCommand,
) -> Result<(), ProgramError> {
    match command {
        ClusterCommand::Status { ask, output } => {
            commands::cluster_status(&arguments.client(ask)?, output.json)
        }
        #[cfg(feature = "sqlite")]
        ClusterCommand::Import { file, output } => {
            commands::import_cluster(&arguments.settings(&Place::default())?, file, output.json)
        }
        #[cfg(feature = "sqlite")]
        ClusterCommand::Export { file, force, output } => {
            let settings = arguments.settings(&Place::default())?;
            commands::export_cluster(&settings, file, *force, output.json)
        }
    }
}
