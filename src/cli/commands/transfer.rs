//! `cluster import` and `cluster export`: a single machine's file into the log of a cluster, and back.
//!
//! They ask Redis themselves, and no server. What is moved, and how, is the library's.

use std::io::Read;
use std::path::Path;

use serde_json::json;
use wschat::{ClusterExport, ClusterImport, Settings};

use super::part_file::PartFile;
use super::progress::Progress;
use super::table::{count, size};
use crate::cli::error::ProgramError;
use crate::cli::say;

/// How much of a file is copied at once.
const BLOCK_BYTES: usize = 256 * 1024;

pub(in crate::cli) fn import(
    settings: &Settings,
    file: &Path,
    is_json: bool,
) -> Result<(), ProgramError> {
    let mut bar = Progress::default();
    let imported = wschat::import_cluster(settings, file, &mut |done, total| {
        bar.show("importing", done, total);
    });
    drop(bar);
    let imported = imported.map_err(|error| ProgramError::Command(error.to_string()))?;
    let ClusterImport { rooms, users, messages, epoch, warnings, .. } = imported;
    if is_json {
        say(&format!(
            "{}\n",
            json!({
                "rooms": rooms, "users": users, "messages": messages, "epoch": epoch, "warnings": warnings,
            })
        ));
        return Ok(());
    }
    for warning in warnings {
        say(&format!("warning: {warning}\n"));
    }
    say(&format!(
        "imported {} rooms, {} users who can resume, and {} messages\n\
         Start the nodes now. A server that starts with {} again begins anew for its clients.\n",
        count(rooms),
        count(users),
        count(messages),
        file.display()
    ));
    Ok(())
}

pub(in crate::cli) fn export(
    settings: &Settings,
    file: &Path,
    may_replace: bool,
    is_json: bool,
) -> Result<(), ProgramError> {
    let mut part = PartFile::create(file, may_replace)?;
    let mut bar = Progress::default();
    let exported = wschat::export_cluster(settings, file, &mut |done, total| {
        bar.show("exporting", done, total);
    });
    let exported = exported.map_err(|error| ProgramError::Command(error.to_string()))?;
    let ClusterExport { file: mut source, bytes, rooms, users, messages, is_same_epoch, .. } =
        exported;
    let mut block = vec![0; BLOCK_BYTES];
    let mut done = 0;
    loop {
        let read = source.read(&mut block).map_err(|error| {
            ProgramError::Command(format!("what was exported cannot be read: {error}"))
        })?;
        if read == 0 {
            break;
        }
        part.write(&block[..read])?;
        done += read as u64;
        bar.show("writing", done, bytes);
    }
    part.finish()?;
    drop(bar);
    if is_json {
        say(&format!(
            "{}\n",
            json!({
                "file": file.display().to_string(), "bytes": bytes, "rooms": rooms, "users": users,
                "messages": messages, "isSameEpoch": is_same_epoch,
            })
        ));
        return Ok(());
    }
    say(&format!(
        "{}: {}, with {} rooms, {} users who can resume, and {} messages\n{}\n",
        file.display(),
        size(bytes),
        count(rooms),
        count(users),
        count(messages),
        if is_same_epoch {
            "No node runs, so clients keep what they know when a server starts with it."
        } else {
            "Nodes run, so clients that come to a server with it ask anew for what they know."
        }
    ));
    Ok(())
}
