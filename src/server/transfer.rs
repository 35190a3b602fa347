//! The cluster that settings name, for a program that is no node of it: what is wrong with it, and its history in and out
//! of a file.
//!
//! Runs on the thread of the program around the library, with no server.

#[cfg(feature = "sqlite")]
use std::path::Path;

#[cfg(feature = "sqlite")]
use super::chat::retention;
use super::chat::rules;
#[cfg(feature = "sqlite")]
use crate::cluster::{self, ClusterExport, ClusterImport};
use crate::cluster::{ClusterError, Engine, inspect};
use crate::error::StartError;
use crate::settings::Settings;

/// Reads and checks what the settings of a cluster name, and connects to nothing.
pub(super) fn check(settings: &Settings) -> Result<(), StartError> {
    match settings.cluster.redis {
        Some(_) => Engine::new(&settings.cluster).map(drop).map_err(StartError::cluster),
        None => Ok(()),
    }
}

/// Looks whether the servers that [`Settings::cluster`] names are fit for a cluster, and whether the cluster in them has
/// the rules of these settings. It takes a second or two where servers do not answer. Returns warnings.
pub fn inspect_cluster(settings: &Settings) -> Result<Vec<String>, ClusterError> {
    inspect(&engine(settings)?, &rules(settings))
}

/// Moves the history in `file` into the cluster that [`Settings::cluster`] names, before its first node starts. Clients
/// keep what they know, and can resume at any node.
///
/// `progress` hears now and then how many messages have been moved, of about how many. The file stays, but begins a new
/// epoch: a server that starts with it again does not go on where its clients were.
///
/// # Errors
///
/// When there is such a cluster already, the servers are not fit, or the file is in use or cannot be read. Then there is
/// no cluster afterwards, either, and the same can be tried again.
#[cfg(feature = "sqlite")]
pub fn import_cluster(
    settings: &Settings,
    file: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ClusterImport, ClusterError> {
    let engine = engine(settings)?;
    let warnings = engine.check()?;
    let retention = retention(&settings.limits);
    let imported = cluster::import(&engine, file, rules(settings), retention, progress)?;
    Ok(ClusterImport { warnings, ..imported })
}

/// Writes the history of the cluster that [`Settings::cluster`] names into a new file without a name, on the disk of
/// `place`. Its nodes may run meanwhile.
///
/// `progress` is as for [`import_cluster`].
#[cfg(feature = "sqlite")]
pub fn export_cluster(
    settings: &Settings,
    place: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ClusterExport, ClusterError> {
    cluster::export(&engine(settings)?, place, progress)
}

fn engine(settings: &Settings) -> Result<Engine, ClusterError> {
    settings.check().map_err(|error| ClusterError::from(error.to_string()))?;
    if settings.cluster.redis.is_none() {
        let text = "cluster.redis is not set, so there is no cluster; name the settings of a node with --settings FILE";
        return Err(text.to_owned().into());
    }
    Engine::new(&settings.cluster)
}
