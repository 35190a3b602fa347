//! The command line: its options and subcommands, and the help.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wschat::{Settings, StartError};

use super::client::{AdminAddress, AdminClient, socket_of_service};
use super::commands::Erased;
use super::error::ProgramError;
use super::print::{SitePath, Target};
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
    /// Listen on this address or name, and on nothing else
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
    /// Listen on this port, and on nothing else; 0 takes any free one
    #[arg(long, value_name = "PORT", value_parser = port, allow_negative_numbers = true)]
    pub(super) port: Option<u16>,
}

/// How to ask the running server.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Ask {
    /// Ask at this admin address, a path or HOST:PORT [default: `admin.listen` of the settings]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) admin: Option<String>,
}

/// How to print an answer.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Output {
    /// Print it as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A command. The first line of its comment is in the list of commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show how the running server fares
    #[command(after_help = "Example:\n  wschat status")]
    Status {
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// List the rooms
    #[command(after_help = "Example:\n  wschat rooms --json | jq '.rooms[] | select(.users > 0)'")]
    Rooms {
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// List the clients, and the users who are away
    #[command(after_help = "Example:\n  wschat clients")]
    Clients {
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// Close the connections of a user, or of an address
    #[command(after_help = "Examples:\n  wschat kick 17 --reason 'no advertising'\n  \
                            wschat kick --address 203.0.113.7")]
    Kick {
        /// The id of the user, as `wschat clients` lists it
        #[arg(required_unless_present = "address", conflicts_with = "address")]
        user: Option<u64>,
        /// All clients of this IP address
        #[arg(long, value_name = "IP")]
        address: Option<IpAddr>,
        /// Why, for the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// Tell all clients something
    #[command(after_help = "Example:\n  wschat announce 'We restart in five minutes.'")]
    Announce {
        /// What to tell them
        text: String,
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// Save the history while the server runs
    #[command(after_help = "Example:\n  wschat backup /var/backups/wschat.db")]
    Backup {
        /// The file to write; only its owner can read it
        file: PathBuf,
        /// Replace FILE if it exists
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// Print what was said in a room, a message a line, as JSON
    #[command(after_help = "Example:\n  wschat export --room 1 room-1.jsonl")]
    Export {
        /// The id of the room, as `wschat rooms` lists it
        #[arg(long, value_name = "ID")]
        room: u64,
        /// The file to write [default: the standard output]
        file: Option<PathBuf>,
        /// Replace FILE if it exists
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        ask: Ask,
    },
    /// Erase messages for good
    #[command(after_help = "Examples:\n  wschat erase --user 17\n  \
                            wschat erase --before 2026-11-01 --yes")]
    Erase {
        #[command(flatten)]
        what: What,
        /// Do not ask whether you are sure
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// Have the server read its settings, certificate and pictures again
    #[command(after_help = "Example:\n  wschat reload")]
    Reload {
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// Put a backup in the place of the history, while the server does not run
    ///
    /// What was there is kept under another name.
    #[command(after_help = "Example:\n  systemctl stop wschat.socket wschat\n  wschat restore \
                            /var/backups/wschat.db --settings /etc/wschat/settings.json\n  \
                            systemctl start wschat")]
    Restore {
        /// The file that `wschat backup` has written
        #[arg(value_name = "FILE")]
        backup: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Look after a cluster of several nodes
    #[cfg(feature = "cluster")]
    #[command(subcommand_required = true, arg_required_else_help = false)]
    Cluster {
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// Look for what keeps the server from working, and say what to do about it
    #[command(after_help = "Examples:\n  wschat doctor --settings /etc/wschat/settings.json\n  \
                            wschat doctor https://chat.example.org/")]
    Doctor {
        /// The public URL: try the way through the proxy as well
        url: Option<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    /// Check the settings, the files that they name, and the port
    ///
    /// It changes nothing, also beside a running server.
    #[command(after_help = "Example:\n  wschat check --settings /etc/wschat/settings.json")]
    Check {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Print a configuration for nginx, Caddy or systemd that fits the settings
    #[command(
        after_help = "Examples:\n  wschat print nginx --settings /etc/wschat/settings.json\n  \
                            wschat print caddy --path /chat/"
    )]
    Print {
        /// What to configure
        target: Target,
        /// Where the chat is in the site, if not at its root
        #[arg(long, value_name = "PATH", value_parser = SitePath::parse)]
        path: Option<SitePath>,
        #[command(flatten)]
        place: Place,
    },
    /// Print a script that completes commands and options in a shell
    #[command(after_help = "Example:\n  wschat completions bash > \
                            /usr/share/bash-completion/completions/wschat")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page
    #[command(after_help = "Example:\n  wschat man | man -l -")]
    Man,
}

/// A command on a cluster.
#[cfg(feature = "cluster")]
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Show the cluster as the running node sees it
    #[command(after_help = "Example:\n  wschat cluster status")]
    Status {
        #[command(flatten)]
        ask: Ask,
        #[command(flatten)]
        output: Output,
    },
    #[cfg(feature = "sqlite")]
    /// Take the history of a single machine into a new cluster, before its first node starts
    ///
    /// Rooms, messages and sessions move: clients keep what they know, and resume at any node. The file stays.
    #[command(
        after_help = "Example:\n  systemctl stop wschat.socket wschat\n  wschat cluster import \
                            /var/lib/wschat/wschat.db --settings /etc/wschat/settings.json"
    )]
    Import {
        /// The file of the history, which no server may use meanwhile
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    #[cfg(feature = "sqlite")]
    /// Save the history of the cluster as a file that a single machine starts with
    ///
    /// The nodes may run meanwhile.
    #[command(after_help = "Example:\n  wschat cluster export /var/backups/wschat.db --settings \
                            /etc/wschat/settings.json")]
    Export {
        /// The file to write; only its owner can read it
        file: PathBuf,
        /// Replace FILE if it exists
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// Which messages to erase.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// What this user has said, by id
    #[arg(long, value_name = "ID")]
    user: Option<u64>,
    /// What was said in this room, by id
    #[arg(long, value_name = "ID")]
    room: Option<u64>,
    /// What was said before a date (2026-11-01, in UTC) or time (2026-11-01T12:00:00+01:00)
    #[arg(long, value_name = "DATE", value_parser = unix_ms)]
    before: Option<i64>,
}

impl What {
    pub(super) fn erased(&self) -> Erased {
        let user = self.user.map(Erased::OfUser);
        let room = self.room.map(Erased::InRoom);
        let before = self.before.map(Erased::Before);
        user.or(room).or(before).expect("clap takes one of them")
    }
}

const AFTER_HELP: &str = "\
`wschat COMMAND --help` explains a command, with an example.

Exit status:
  0  done, or ended as asked (SIGTERM, SIGINT)
  1  failed: a command, or the server while it served
  2  wrong usage
  3  the settings, or files that they name, cannot be used
  4  cannot listen
  5  cannot start now, but perhaps later: disk full, history in use, address not there
     yet, no descriptor or thread left

Signals:
  TERM, INT, QUIT  close all connections with 1001 (going away), and end within
                   limits.drainTimeoutMs; another a second later ends at once
  HUP              read the settings and what they name anew, and open the log file anew
  USR1             open the log file anew
  USR2             nothing";

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

    /// A client of the running server.
    pub(super) fn client(&self, ask: &Ask) -> Result<AdminClient, ProgramError> {
        let address = match (&ask.admin, &self.settings) {
            (Some(address), _) => AdminAddress::parse(address),
            (None, Some(file)) => AdminAddress::of_settings(file)?,
            (None, None) => AdminAddress::usual(),
        };
        Ok(AdminClient::new(address))
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
            settings.listen.clear();
        }
        if let Some(port) = place.port {
            settings.port = port;
            settings.listen.clear();
        }
        if settings.admin.listen.is_none() {
            let socket = socket_of_service();
            settings.admin.listen = socket.map(|path| path.to_string_lossy().into_owned());
        }
        Ok(settings)
    }
}

/// A date or a time, in Unix milliseconds.
fn unix_ms(text: &str) -> Result<i64, String> {
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339))
        .map_err(|_| "neither a date such as 2026-11-01 nor a time such as 2026-11-01T12:00:00Z")?;
    Ok(time.unix_timestamp() * 1000 + i64::from(time.millisecond()))
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
