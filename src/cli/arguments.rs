//! The command line: its options and subcommands, and the help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use wschat::{Settings, StartError};

use super::error::ProgramError;
use super::version;

/// What the process is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    /// Run a command, or serve if there is none.
    Run(Arguments),
    /// Print the help or the version.
    Print(String),
}

/// A chat server: one binary, one settings file, one port
#[derive(Debug, Parser)]
#[command(
    name = "wschat",
    bin_name = "wschat",
    version = version::line(),
    disable_help_subcommand = true,
    override_usage = "wschat [--settings FILE] [--host HOST] [--port PORT]   serves\n       \
                      wschat COMMAND [OPTIONS]",
    after_help = AFTER_HELP,
)]
pub(super) struct Arguments {
    /// Read the settings from FILE, instead of the built-in ones
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) settings: Option<PathBuf>,
    #[command(flatten)]
    pub(super) place: Place,
    /// The same as `wschat check`
    #[arg(long)]
    pub(super) check: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Where the server listens, whatever the settings say.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Place {
    /// Listen on this address or name
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
    /// Listen on this port; 0 takes any free one
    #[arg(long, value_name = "PORT", value_parser = port, allow_negative_numbers = true)]
    pub(super) port: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read and check the settings and everything that they name
    #[command(after_help = "Example:\n  wschat check --settings /etc/wschat/settings.json")]
    Check(Place),
}

const AFTER_HELP: &str = "\
`wschat COMMAND --help` explains a command, with an example.

Exit status:
  0  done, or ended as asked (SIGTERM, SIGINT)
  1  failed while serving
  2  wrong usage
  3  the settings, or files that they name, cannot be used
  4  cannot listen
  5  cannot start now, but perhaps later: disk full, history in use, address not there
     yet, no descriptor or thread left";

impl Arguments {
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Request, ProgramError> {
        match Self::try_parse_from(arguments) {
            Ok(arguments) => arguments.check_place().map(Request::Run),
            Err(error) => match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Ok(Request::Print(error.render().to_string()))
                }
                _ => Err(ProgramError::Usage(in_one_line(&error))),
            },
        }
    }

    /// Before a command, the options of serving would be ignored.
    fn check_place(self) -> Result<Self, ProgramError> {
        let is_given = self.place.host.is_some() || self.place.port.is_some() || self.check;
        if is_given && self.command.is_some() {
            return Err(ProgramError::Usage(
                "--host, --port and --check do not go before a command; some take --host and --port after it".to_owned(),
            ));
        }
        Ok(self)
    }

    /// The settings of the file or the defaults, with the options of the command line applied.
    pub(super) fn settings(&self, place: &Place) -> Result<Settings, ProgramError> {
        let mut settings = match &self.settings {
            None => Settings::default(),
            Some(path) => Settings::load(path)
                .map_err(|error| ProgramError::Start(StartError::Settings(error)))?,
        };
        if let Some(host) = &place.host {
            settings.host.clone_from(host);
        }
        if let Some(port) = place.port {
            settings.port = port;
        }
        Ok(settings)
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "not a number from 0 to 65535".to_owned())
}

/// What is wrong, without clap's `error:`, usage and hints below it.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ");
    let text = text.split("\n\nUsage:").next().unwrap_or(text);
    let text = text.split("\n\nFor more information").next().unwrap_or(text);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ").replace(":; ", ": ")
}
