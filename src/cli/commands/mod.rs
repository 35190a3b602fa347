//! The commands on the running server: what each asks at the admin listener, and what it prints.
//!
//! Run on the main thread. With `--json` they print what the server answers, as it is.
//!
//! | file | owns |
//! |---|---|
//! | `mod.rs` | what is asked, and the answers that fit on a line |
//! | `show.rs` | `status`, `rooms` and `clients` for a person |
//! | `cluster.rs` | `cluster status` for a person |
//! | `table.rs` | aligned columns, sizes, times, and text that cannot control the terminal |
//! | `save.rs` | `backup` and `export` |
//! | `transfer.rs` | `cluster import` and `cluster export`, which ask Redis |
//! | `progress.rs` | a bar on the terminal |
//! | `part_file.rs` | a file that is there whole, or not at all |

#[cfg(feature = "cluster")]
mod cluster;
mod part_file;
mod progress;
mod save;
mod show;
mod table;
#[cfg(all(feature = "cluster", feature = "sqlite"))]
mod transfer;

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::IpAddr;
use std::time::SystemTime;

use serde_json::{Value, json};

use self::show::Shown;
use self::table::{count, escape, time};
use super::answer::Answer;
use super::client::AdminClient;
use super::error::ProgramError;
use super::say;

pub(super) use self::save::{backup, export};
#[cfg(all(feature = "cluster", feature = "sqlite"))]
pub(super) use self::transfer::{export as export_cluster, import as import_cluster};

/// The clients to kick.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kicked {
    /// By id.
    User(u64),
    Address(IpAddr),
}

/// The messages to erase.
#[derive(Clone, Copy, Debug)]
pub(super) enum Erased {
    OfUser(u64),
    InRoom(u64),
    /// Unix milliseconds.
    Before(i64),
}

pub(super) fn status(client: &AdminClient, is_json: bool) -> Result<(), ProgramError> {
    let answer = client.get("/v1/status")?;
    print(client, answer, is_json, |answer| show::status(answer, now_ms()))
}

pub(super) fn rooms(client: &AdminClient, is_json: bool) -> Result<(), ProgramError> {
    print(client, client.get("/v1/rooms")?, is_json, show::rooms)
}

pub(super) fn clients(client: &AdminClient, is_json: bool) -> Result<(), ProgramError> {
    let answer = client.get("/v1/clients")?;
    print(client, answer, is_json, |answer| show::clients(answer, now_ms()))
}

#[cfg(feature = "cluster")]
pub(super) fn cluster_status(client: &AdminClient, is_json: bool) -> Result<(), ProgramError> {
    let answer = client.get("/v1/cluster")?;
    print(client, answer, is_json, |answer| cluster::status(answer, now_ms()))
}

/// Closes connections. They are not to connect again by themselves.
pub(super) fn kick(
    client: &AdminClient,
    whom: Kicked,
    reason: Option<&str>,
    is_json: bool,
) -> Result<(), ProgramError> {
    let mut body = match whom {
        Kicked::User(user) => json!({ "user": user }),
        Kicked::Address(address) => json!({ "address": address }),
    };
    if let Some(reason) = reason {
        body["reason"] = json!(reason);
    }
    print(client, client.post("/v1/kick", &body)?, is_json, |answer| {
        let users: Vec<_> = answer["kicked"].as_array()?.iter().map(Value::to_string).collect();
        Some(format!("kicked: {}\n", users.join(", ")))
    })
}

pub(super) fn announce(
    client: &AdminClient,
    text: &str,
    is_json: bool,
) -> Result<(), ProgramError> {
    let answer = client.post("/v1/announce", &json!({ "text": text }))?;
    print(client, answer, is_json, |answer| {
        Some(format!("told {} clients\n", count(answer["told"].as_u64()?)))
    })
}

/// Erases for good. Unless `is_sure`, it asks on the terminal first.
pub(super) fn erase(
    client: &AdminClient,
    what: Erased,
    is_sure: bool,
    is_json: bool,
) -> Result<(), ProgramError> {
    if !is_sure && !confirm(&format!("Erase {what} for good?"))? {
        return Err(ProgramError::Command("nothing has been erased".to_owned()));
    }
    let body = match what {
        Erased::OfUser(user) => json!({ "user": user }),
        Erased::InRoom(room) => json!({ "room": room }),
        Erased::Before(time) => json!({ "before": time }),
    };
    print(client, client.post("/v1/erase", &body)?, is_json, |answer| {
        Some(format!("erased {} messages\n", count(answer["erased"].as_u64()?)))
    })
}

pub(super) fn reload(client: &AdminClient, is_json: bool) -> Result<(), ProgramError> {
    print(client, client.post("/v1/reload", &json!({}))?, is_json, |answer| {
        let keys: Option<Vec<_>> =
            answer["needsRestart"].as_array()?.iter().map(Value::as_str).collect();
        Some(match keys?.as_slice() {
            [] => "The settings have been reloaded.\n".to_owned(),
            keys => format!(
                "The settings have been reloaded. These have changed but need a restart: {}\n",
                escape(&keys.join(", "))
            ),
        })
    })
}

/// Prints the answer as it is, or as text for a person.
fn print(
    client: &AdminClient,
    answer: Answer,
    is_json: bool,
    text: impl FnOnce(Value) -> Shown,
) -> Result<(), ProgramError> {
    let body = answer.text().map_err(|error| client.broke_off(&error))?;
    if is_json {
        say(body.trim_end());
        say("\n");
        return Ok(());
    }
    let answer = serde_json::from_str(&body).ok();
    say(&answer.and_then(text).ok_or_else(|| client.is_no_wschat())?);
    Ok(())
}

/// Asks on the terminal whether to go on.
fn confirm(question: &str) -> Result<bool, ProgramError> {
    if !io::stdin().is_terminal() {
        return Err(ProgramError::Usage(
            "there is no terminal to ask on whether you are sure: add --yes".to_owned(),
        ));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl std::fmt::Display for Erased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::OfUser(user) => write!(f, "all messages of user {user}"),
            Self::InRoom(room) => write!(f, "all messages in room {room}"),
            Self::Before(before) => write!(f, "all messages before {}", time(before)),
        }
    }
}
