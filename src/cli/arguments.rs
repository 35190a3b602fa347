//! The options of the command line, and the help.

use std::ffi::OsString;
use std::path::PathBuf;

use wschat::{Settings, StartError};

use super::error::ProgramError;

pub(super) const HELP: &str = "\
wschat - a chat server: one binary, one settings file, one port

Usage: wschat [--settings FILE] [--host HOST] [--port PORT] [--check]

  --settings FILE   read the settings from FILE (default: the built-in settings)
  --host HOST       listen on this address or name, and nothing else
  --port PORT       listen on this port instead (0: any free port)
  --check           read and check everything, certificate, key and pictures included,
                    and exit
  --help            show this help and exit
  --version         show the version and exit

Exit status:
  0  ended as asked (SIGTERM, SIGINT, --check, --help, --version)
  1  ended by a failure while serving
  2  wrong usage
  3  wrong settings, or a certificate, key, picture, history, log file or user that
     cannot be used
  4  cannot listen

SIGTERM and SIGINT close all connections with 1001 (going away) within
limits.drainTimeoutMs; a second signal ends the program at once.
";

/// The parsed command line.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) settings: Option<PathBuf>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) task: Task,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Task {
    #[default]
    Serve,
    Check,
    Help,
    Version,
}

impl Arguments {
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, ProgramError> {
        use lexopt::prelude::{Long, Short, ValueExt};

        let mut parsed = Self::default();
        let mut parser = lexopt::Parser::from_iter(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("settings") => parsed.settings = Some(parser.value()?.into()),
                Long("host") => parsed.host = Some(parser.value()?.string()?),
                Long("port") => {
                    let value = parser.value()?.string()?;
                    parsed.port = Some(value.parse().map_err(|_| {
                        ProgramError::Usage(format!(
                            "--port {value} is not a number from 0 to 65535"
                        ))
                    })?);
                }
                Long("check") => parsed.task = Task::Check,
                Long("help") | Short('h') => return Ok(Self { task: Task::Help, ..parsed }),
                Long("version") | Short('V') => {
                    return Ok(Self { task: Task::Version, ..parsed });
                }
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(parsed)
    }

    /// The settings of the file or the defaults, with the options of the command line applied.
    pub(super) fn settings(&self) -> Result<Settings, ProgramError> {
        let mut settings = match &self.settings {
            None => Settings::default(),
            Some(path) => Settings::load(path)
                .map_err(|error| ProgramError::Start(StartError::Settings(error)))?,
        };
        if let Some(host) = &self.host {
            settings.host.clone_from(host);
            settings.listen.clear();
        }
        if let Some(port) = self.port {
            settings.port = port;
            settings.listen.clear();
        }
        Ok(settings)
    }
}
