//! From a file: what was said goes into the streams of the rooms, and all else becomes the first snapshot, at the place
//! before the first entry.
//!
//! The snapshot comes last, so where anything fails before it, there is no cluster yet, and an import can begin anew.

use std::path::Path;

use redis::cmd;

use super::super::keeper::Writer;
use super::super::nodes::Nodes;
use super::super::present::Present;
use super::super::redis::{ClusterError, Connection, Engine, Keys};
use super::super::replica::Replica;
use super::super::store;
use super::{ClusterImport, PAGE_BYTES, PAGE_MESSAGES, Progress, connect};
use crate::chat::{Chat, Rules};
use crate::history::{self, HistoryReader, Location, Opened, Retention};
use crate::settings::Durability;

/// Moves the history in `file` into the prefix of `engine`, which nobody has used. `rules` are those of the nodes.
///
/// The file stays as it is, but begins a new epoch: the cluster goes on with the one that it had.
pub(crate) fn import(
    engine: &Engine,
    file: &Path,
    rules: Rules,
    retention: Retention,
    progress: Progress<'_>,
) -> Result<ClusterImport, ClusterError> {
    if !file.exists() {
        let text = format!("{} does not exist; name the file of a history", file.display());
        return Err(text.into());
    }
    let mut connection = connect(engine)?;
    let keys = engine.keys();
    refuse_used(&mut connection, keys)?;
    let location = Location::File { path: file.to_owned(), durability: Durability::Process };
    let Opened { epoch, remembered, mut reader, history, .. } =
        history::open(&location, retention)?;
    let users = remembered.users.len() as u64;
    let (chat, _) = Chat::restore(rules, remembered);
    let messages = move_messages(&mut connection, keys, &chat, &mut *reader, progress)?;
    let rooms = chat.rooms().count() as u64;
    let replica = Replica { nodes: Nodes::with_base(epoch.clone()), chat };
    // A node may have started meanwhile.
    refuse_used(&mut connection, keys)?;
    store::save(&mut connection, keys, &replica)?;
    drop((reader, history));
    if let Err(error) = history::begin_epoch(file) {
        // Otherwise the file and the cluster would both go on with the same numbers.
        connection.call(cmd("DEL").arg(keys.snapshot()))?;
        return Err(error.into());
    }
    Ok(ClusterImport { rooms, users, messages, epoch, warnings: Vec::new() })
}

/// Refuses a prefix in which a cluster has begun.
fn refuse_used(connection: &mut Connection, keys: &Keys) -> Result<(), ClusterError> {
    if !Present::exists(connection, keys)? {
        return Ok(());
    }
    let start = keys.start();
    Err(format!(
        "Redis at {} has a cluster already, in keys that begin with {start}; set another cluster.prefix, or, if that \
         cluster is to be given up, stop its nodes and delete these keys",
        connection.address()
    )
    .into())
}

/// Returns how many there were.
fn move_messages(
    connection: &mut Connection,
    keys: &Keys,
    chat: &Chat,
    reader: &mut dyn HistoryReader,
    progress: Progress<'_>,
) -> Result<u64, ClusterError> {
    let max_kept = chat.max_kept();
    let of_room = |last: u64| last.min(max_kept);
    let total = chat.rooms().map(|(room, _)| of_room(chat.last_seq(room))).sum();
    let (mut moved, mut passed) = (0, 0);
    let mut writer = Writer::default();
    for (room, _) in chat.rooms() {
        // An import that has failed may have left something.
        writer.remove(room);
        let last = chat.last_seq(room);
        let mut next = (max_kept > 0).then(|| last.saturating_sub(max_kept));
        while let Some(after) = next {
            let (page, is_more) = reader.after(room, after, PAGE_MESSAGES, PAGE_BYTES)?;
            next = page.last().map(|said| said.seq).filter(|_| is_more);
            moved += page.len() as u64;
            for said in page {
                writer.say(room, said);
            }
            writer.flush(connection, keys, max_kept)?;
            let done = next.map_or(of_room(last), |next| next - last.saturating_sub(max_kept));
            progress(passed + done, total);
        }
        passed += of_room(last);
    }
    writer.flush(connection, keys, max_kept)?;
    Ok(moved)
}
