//! The service for systemd: the unit that is shipped, with what these settings demand. Pure, but for a look at the
//! private key.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use wschat::Settings;

use crate::cli::listening::{self, Place};

const UNIT: &str = include_str!("../../../systemd/wschat.service");

const SOCKET_UNIT: &str = include_str!("../../../systemd/wschat.socket");

/// The paths in the unit.
const UNIT_PROGRAM: &str = "/usr/bin/wschat";
const UNIT_SETTINGS: &str = "/etc/wschat/settings.json";

/// The connections that its `TasksMax` and `LimitNOFILE` are enough for.
const MOST_CONNECTIONS: usize = 65_000;

/// Folders that are hidden from the service.
const HOMES: [&str; 2] = ["/home", "/root"];

/// The unit for `program` with `settings`, of this file. What is added at its end takes precedence.
pub(super) fn unit(settings: &Settings, settings_file: Option<&Path>, program: &Path) -> String {
    let mut unit = UNIT.replace(UNIT_PROGRAM, &program.display().to_string());
    if let Some(file) = settings_file {
        unit = unit.replace(UNIT_SETTINGS, &file.display().to_string());
    }
    let mut own = Vec::new();
    add_limits(settings, &mut own);
    add_key(settings, &mut own);
    add_paths(settings, settings_file, program, &mut own);
    if own.is_empty() {
        return unit;
    }
    let own = format!("# What these settings demand.\n{}\n\n[Install]", own.join("\n"));
    unit.replacen("[Install]", &own, 1)
}

/// The address of the socket that is shipped.
pub(super) fn socket() -> Place {
    let mut addresses = SOCKET_UNIT.lines().filter_map(|line| line.strip_prefix("ListenStream="));
    addresses.find_map(listening::parse).expect("the socket has an address")
}

fn add_limits(settings: &Settings, own: &mut Vec<String>) {
    let limits = &settings.limits;
    match limits.max_connections {
        0 => own.extend(["TasksMax=infinity", "LimitNOFILE=infinity"].map(str::to_owned)),
        1..=MOST_CONNECTIONS => {}
        most => {
            own.push(format!("TasksMax={}", most.saturating_add(256)));
            own.push(format!("LimitNOFILE={}", most.saturating_mul(2)));
        }
    }
    if limits.drain_timeout_ms > 5_000 {
        own.push(format!("TimeoutStopSec={}", limits.drain_timeout_ms.div_ceil(1000) + 10));
    }
}

/// If only root can read the key, systemd hands it over.
fn add_key(settings: &Settings, own: &mut Vec<String>) {
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.private_key) else {
        return;
    };
    // Whoever has given a group the key, as the hook for certbot does, has meant the service's.
    let is_for_others = |key: fs::Metadata| {
        let mode = key.permissions().mode();
        key.uid() != 0 || mode & 0o004 != 0 || key.gid() != 0 && mode & 0o040 != 0
    };
    if key.starts_with("/run/credentials") || fs::metadata(key).is_ok_and(is_for_others) {
        return;
    }
    own.push(format!(
        "# If only root can read the private key, set \"certificate\" and \"privateKey\" to\n\
         # /run/credentials/wschat.service/certificate and /run/credentials/wschat.service/key.\n\
         LoadCredential=certificate:{}\n\
         LoadCredential=key:{}",
        certificate.display(),
        key.display()
    ));
}

/// The service can write to its own folders only, and sees no home.
fn add_paths(
    settings: &Settings,
    settings_file: Option<&Path>,
    program: &Path,
    own: &mut Vec<String>,
) {
    let places = listening::places(settings);
    let sockets = places.iter().filter_map(|(place, _)| match place {
        Place::Unix(path) => Some(path),
        _ => None,
    });
    let written = [&settings.history.file, &settings.log.file];
    let mut folders: Vec<PathBuf> = written
        .into_iter()
        .flatten()
        .chain(sockets)
        .filter_map(|file| std::path::absolute(file).ok()?.parent().map(Path::to_owned))
        .filter(|folder| !own_folders().iter().any(|own| folder.starts_with(own)))
        .collect();
    folders.sort();
    folders.dedup();
    for folder in &folders {
        own.push(format!(
            "# The user of the service must own this folder.\nReadWritePaths={}",
            folder.display()
        ));
    }
    let read =
        [&settings.certificate, &settings.private_key, &settings.icon, &settings.gifs_directory];
    let read = read.into_iter().flatten().map(PathBuf::as_path);
    let mut all = read
        .chain(settings_file)
        .chain([program])
        .chain(written.map(Option::as_deref).into_iter().flatten());
    if all.any(|path| HOMES.iter().any(|home| path.starts_with(home))) {
        own.push("ProtectHome=no".to_owned());
    }
}

/// The folders that systemd gives the service.
fn own_folders() -> Vec<String> {
    let of = |key: &str, root: &str| {
        let line = UNIT.lines().find_map(|line| line.strip_prefix(key));
        line.map(|name| format!("{root}/{name}"))
    };
    let folders = [
        of("StateDirectory=", "/var/lib"),
        of("LogsDirectory=", "/var/log"),
        of("RuntimeDirectory=", "/run"),
    ];
    folders.into_iter().flatten().collect()
}
