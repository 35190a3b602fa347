//! `wschat doctor`: looks for what keeps a server from working, or soon will, and says what to do about it.
//!
//! Runs on the main thread, beside a running server or without one, and changes nothing. Without a URL it takes
//! well under a second.
//!
//! | file | owns |
//! |---|---|
//! | `mod.rs` | the order of the examinations, and the report |
//! | `finding.rs` | what is found |
//! | `account.rs` | the user that the server runs as, and what that user may do |
//! | `settings.rs` | settings that contradict each other, certificate, pictures |
//! | `files.rs` | the log, and what else the user must be able to read |
//! | `history.rs`, `disk.rs` | the history's file, and the disk that it is on |
//! | `cluster.rs` | the servers of a cluster, and its rules |
//! | `clock.rs` | the time of day |
//! | `machine.rs` | descriptors, threads, memory |
//! | `port.rs` | who listens on the port |
//! | `public.rs`, `probe.rs` | the way from the public URL through the proxy, by a WebSocket |

mod account;
mod clock;
#[cfg(feature = "cluster")]
mod cluster;
mod disk;
mod files;
mod finding;
mod history;
mod machine;
mod port;
mod probe;
mod public;
mod settings;

use wschat::Settings;

use self::account::Account;
use self::finding::Findings;
use super::client::AdminClient;
use super::error::ProgramError;
use super::say;

/// Examines a server with these settings, and the way to it from `url`.
pub(super) fn run(
    settings: Result<Settings, ProgramError>,
    url: Option<&str>,
    admin: &AdminClient,
    is_json: bool,
) -> Result<(), ProgramError> {
    let mut findings = Findings::default();
    match settings {
        Ok(settings) => {
            examine(&settings, &mut findings);
            if let Some(url) = url {
                public::examine(&settings, url, admin, &mut findings);
            }
        }
        Err(error) => settings::refused(&error.to_string(), &mut findings),
    }
    say(&if is_json { findings.to_json() } else { findings.to_string() });
    match findings.count() {
        0 => Ok(()),
        1 => Err(ProgramError::Command("found 1 problem".to_owned())),
        count => Err(ProgramError::Command(format!("found {count} problems"))),
    }
}

fn examine(settings: &Settings, findings: &mut Findings) {
    let history = history::look(settings, findings);
    let server = history.as_ref().and_then(|history| history.used_by);
    settings::examine(settings, findings);
    if let Some(account) = Account::of_server(settings, server, findings) {
        files::examine(settings, &account, findings);
        history::examine(settings, history.as_ref(), &account, findings);
    }
    #[cfg(feature = "cluster")]
    cluster::examine(settings, findings);
    clock::examine(history.as_ref(), findings);
    machine::examine(settings, server, findings);
    port::examine(settings, server, findings);
}
