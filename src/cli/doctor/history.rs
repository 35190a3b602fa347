//! The history's file: whether it can be opened, read and written, and has room to grow.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wschat::{HistoryState, Settings, inspect_history};

use super::account::{Account, ENTER, READ, WRITE};
use super::disk;
use super::finding::Findings;

const SUBJECT: &str = "history";

/// How long the contents are checked. All together is to be done within a second.
const PATIENCE: Duration = Duration::from_millis(300);

/// What the WAL may take beside the file.
const WAL_BYTES: u64 = 64 << 20;

/// With less, the next messages cannot be saved.
const LEAST_BYTES: u64 = 1 << 20;

/// Where the size of the file has no limit, this is to be free at least.
const UNLIMITED_BYTES: u64 = 256 << 20;

/// What is in the file. `None`: there is no history in a file, or it cannot be used, which is a finding.
pub(super) fn look(settings: &Settings, findings: &mut Findings) -> Option<HistoryState> {
    let path = settings.history.file.as_ref()?;
    match inspect_history(path, PATIENCE) {
        Ok(state) => Some(state),
        Err(error) => {
            findings.refusal(SUBJECT, &error.to_string());
            None
        }
    }
}

/// What is around the file. `state` is what [`look`] has seen.
pub(super) fn examine(
    settings: &Settings,
    state: Option<&HistoryState>,
    account: &Account,
    findings: &mut Findings,
) {
    let Some(path) = &settings.history.file else { return };
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        // That is a finding already.
        return;
    }
    examine_rights(path, folder, account, findings);
    examine_disk(settings, folder, state.map_or(0, |state| state.bytes), findings);
    if let Some(process) = state.and_then(|state| state.used_by) {
        examine_owner(process, path, findings);
    }
}

fn examine_rights(path: &Path, folder: &Path, account: &Account, findings: &mut Findings) {
    let name = account.name();
    if let Some(obstacle) = account.obstacle(folder, WRITE | ENTER) {
        let what = format!(
            "the user {name} cannot create files in {}, because of {}",
            folder.display(),
            obstacle.display()
        );
        let cure =
            format!("`chown {name} {}`, or name a file in another folder", obstacle.display());
        findings.error(SUBJECT, what, cure);
        return;
    }
    let files = ["", "-wal", "-shm", ".lock"].map(|suffix| beside(path, suffix));
    let unusable = files.iter().find_map(|file| account.obstacle(file, READ | WRITE));
    if let Some(file) = unusable {
        let what = format!("the user {name} cannot read and write {}", file.display());
        let cure = format!("`chown {name} {}*`", path.display());
        findings.error(SUBJECT, what, cure);
    }
    if fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        let what = format!("others on this machine can read what was said, in {}", path.display());
        findings.warning(SUBJECT, what, format!("`chmod 600 {}`", path.display()));
    }
}

fn examine_disk(settings: &Settings, folder: &Path, bytes: u64, findings: &mut Findings) {
    let place = folder.display();
    if let Some(kind) = disk::network_kind(folder) {
        let what = format!(
            "the history is on a disk of the network ({kind}), where its locks do not hold: {place}"
        );
        findings.error(SUBJECT, what, "name a file on a local disk");
    }
    if disk::is_read_only(folder) {
        let what = format!("the disk with the history is read-only: {place}");
        findings.error(
            SUBJECT,
            what,
            "mount it writable (`dmesg` may say why it is not), or name another file",
        );
        return;
    }
    if disk::lacks_inodes(folder) {
        let what = format!("the disk with the history has no room for another file: {place}");
        findings.error(SUBJECT, what, "delete files there (`df -i` shows how many there are)");
    }
    let Some(free) = disk::free_bytes(folder) else { return };
    let max = settings.limits.history_max_file_bytes;
    let needed = match max {
        0 => UNLIMITED_BYTES,
        max => max.saturating_sub(bytes).saturating_add(WAL_BYTES),
    };
    if free < LEAST_BYTES {
        let what = format!("the disk with the history is full: {place}");
        findings.error(SUBJECT, what, "free some space there; until then no message can be saved");
    } else if free < needed {
        let what = format!(
            "the disk with the history has {} MB free, and the history may take {} MB more: {place}",
            free / 1_000_000,
            needed / 1_000_000,
        );
        findings.warning(SUBJECT, what, "free some space there, or lower \"historyMaxFileBytes\"");
    }
}

/// The process that uses the file should be a wschat.
fn examine_owner(process: u32, path: &Path, findings: &mut Findings) {
    let Ok(name) = fs::read_to_string(format!("/proc/{process}/comm")) else { return };
    // Threads of a program that has wschat as a library may be called otherwise.
    let wal = fs::metadata(beside(path, "-wal"));
    if name.trim() == "wschat" && wal.is_err() {
        let what =
            format!("process {process} uses the history, but its WAL is gone: {}", path.display());
        findings.error(
            SUBJECT,
            what,
            "restart the server, and restore a backup if messages are missing",
        );
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}
