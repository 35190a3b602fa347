//! A single machine's history into the log of a cluster, and back into a file.
//!
//! Runs on a thread of the program's that is no server. It asks the master of Redis, and no node: an import goes into a
//! prefix that no node has used, and an export reads beside the nodes, as the keeper does.
//!
//! | file | owns |
//! |---|---|
//! | `transfer.rs` | what both have done |
//! | `import.rs` | from a file |
//! | `export.rs` | to a file |

mod export;
mod import;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::time::Duration;

use super::redis::{ClusterError, Connection, Engine, RedisError};
use crate::history::HistoryError;

pub(crate) use export::export;
pub(crate) use import::import;

/// How many messages are moved at once, and how many bytes of them.
const PAGE_MESSAGES: usize = 500;
const PAGE_BYTES: usize = 4 << 20;

/// How long Redis may take for a step. Nobody waits for it but the operator.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Hears now and then how many messages have been moved, of about how many.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What [`import_cluster`](crate::import_cluster) has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterImport {
    /// How many rooms were moved, the permanent ones included.
    pub rooms: u64,
    /// How many users can resume, at any node.
    pub users: u64,
    /// How many messages were moved.
    pub messages: u64,
    /// The epoch of the file, with which the cluster goes on.
    pub epoch: String,
    /// What works now and may not always, in words.
    pub warnings: Vec<String>,
}

/// What [`export_cluster`](crate::export_cluster) has done.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClusterExport {
    /// The history as a file of SQLite. It has no name yet, and is gone when this is dropped.
    pub file: File,
    /// The length of the file.
    pub bytes: u64,
    /// How many rooms it has.
    pub rooms: u64,
    /// How many users can resume.
    pub users: u64,
    /// How many messages it has.
    pub messages: u64,
    /// Whether the file goes on with the epoch of the cluster. It does only if no node ran: what is said later is not in
    /// the file, and its numbers will be used again.
    pub is_same_epoch: bool,
}

/// The master, with time for long answers.
fn connect(engine: &Engine) -> Result<Connection, RedisError> {
    let mut connection = engine.master()?;
    connection.set_timeout(REPLY_TIMEOUT);
    Ok(connection)
}

impl From<HistoryError> for ClusterError {
    fn from(error: HistoryError) -> Self {
        error.to_string().into()
    }
}
