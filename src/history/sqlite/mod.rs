//! The history in a file: one SQLite database in WAL mode, with a connection for each thread that
//! uses it.
//!
//! The dispatcher's thread owns the [`SqliteWriter`], which writes each batch as one transaction and
//! never copies the WAL back into the database. [`Upkeep`] does that on its own thread, and prunes.
//! Both write only while they hold [`Database::lock_for_writing`], so neither ever finds the database
//! busy. A [`SqliteReader`] reads at the same time, and makes nobody wait. So does a
//! [`FileArchive`], which copies the file as a whole.

mod backup;
mod claim;
#[cfg(feature = "cluster")]
mod create;
mod database;
mod erase;
mod explain;
mod file;
mod inspect;
mod place;
mod prune;
mod reader;
mod replace;
mod restore;
mod row;
mod schema;
mod shrink;
mod upkeep;
mod wal;
mod writer;

#[cfg(test)]
mod figures_test;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::bounded;
use log::warn;

use super::{Durability, HistoryError, Retention};
use crate::chat::Stored;

pub(super) use backup::{FileArchive, FileBackup};
#[cfg(feature = "cluster")]
pub(crate) use create::{NewFile, begin_epoch};
use database::Database;
use explain::{explain, gone};
pub(super) use inspect::inspect;
use place::OpenFiles;
use reader::SqliteReader;
pub(super) use replace::replace;
pub(crate) use upkeep::Upkeep;
use writer::SqliteWriter;

/// What was remembered, and what each thread needs.
type Parts = (Stored, SqliteWriter, SqliteReader, Upkeep, FileArchive);

/// Opens the file, and creates it if there is none. A file that is refused is left as it was.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    retention: Retention,
) -> Result<Parts, HistoryError> {
    let path = &*place::resolve(path)?;
    let (mut claim, mut connection) = file::claim(path)?;
    backup::remove_leftover(path)?;
    let (epoch, remembered) =
        file::prepare(path, &mut claim, &mut connection, durability, retention)?;
    if let Err(error) = wal::shorten(&connection) {
        // A long WAL only takes space.
        warn!("history: {}", explain(path, error));
    }
    let (wake_upkeep, woken) = bounded(1);
    let files = OpenFiles::find(path).map_err(|error| gone(path, error))?;
    let database = Database::new(path, epoch, (durability, retention), claim, files, wake_upkeep);
    let database = Arc::new(database);
    let writer = SqliteWriter::new(database.clone(), connection, retention, &remembered)?;
    let reader = SqliteReader::new(database.clone())?;
    let archive = FileArchive::new(&database);
    let upkeep = Upkeep::new(database, woken)?;
    Ok((remembered, writer, reader, upkeep, archive))
}
