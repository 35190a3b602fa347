//! The files that the server's user must be able to read, the log, and the admin socket.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use wschat::Settings;

use super::account::{Account, ENTER, READ, WRITE};
use super::finding::Findings;

pub(super) fn examine(settings: &Settings, account: &Account, findings: &mut Findings) {
    if let Some(log) = &settings.log.file {
        examine_log(log, account, findings);
    }
    if let Some(socket) = settings.admin.listen.as_deref().filter(|text| text.starts_with('/')) {
        examine_socket(Path::new(socket), account, findings);
    }
    // With "username" they are read before the change of the user, the first time.
    for (subject, file) in
        [("certificate", &settings.certificate), ("certificate", &settings.private_key)]
    {
        let Some(file) = file else { continue };
        if let Some(obstacle) = account.obstacle(file, READ) {
            let what = format!(
                "the user {} cannot read {}, because of {}",
                account.name(),
                file.display(),
                obstacle.display()
            );
            let cure = "give it the right (`setfacl`, or a group), or copy the certificate for it with a deploy hook; \
                        under systemd use LoadCredential";
            if settings.username.is_some() {
                findings.warning(subject, format!("{what}: a reload will fail"), cure);
            } else {
                findings.error(subject, what, cure);
            }
        }
    }
    if let Some(key) = &settings.private_key {
        examine_secret("certificate", "the private key", key, findings);
    }
    #[cfg(feature = "cluster")]
    examine_cluster(settings, account, findings);
    if let Some(folder) = &settings.gifs_directory
        && let Some(obstacle) = account.obstacle(folder, READ | ENTER)
    {
        let what = format!("the user {} cannot read {}", account.name(), obstacle.display());
        findings.error("gifs", what, "give it the right to read that folder and the files in it");
    }
    if let Some(icon) = &settings.icon
        && let Some(obstacle) = account.obstacle(icon, READ)
    {
        let what = format!("the user {} cannot read {}", account.name(), obstacle.display());
        findings.error("icon", what, "give it the right to read that file");
    }
}

/// With "username", too, they are read by the user that the server has become.
#[cfg(feature = "cluster")]
fn examine_cluster(settings: &Settings, account: &Account, findings: &mut Findings) {
    let cluster = &settings.cluster;
    if cluster.redis.is_none() {
        return;
    }
    let tls = cluster.tls.clone().unwrap_or_default();
    for file in [&cluster.password_file, &tls.ca, &tls.cert, &tls.key].into_iter().flatten() {
        if let Some(obstacle) = account.obstacle(file, READ) {
            let (name, file) = (account.name(), file.display());
            let what =
                format!("the user {name} cannot read {file}, because of {}", obstacle.display());
            findings.error(
                "cluster",
                what,
                format!("`chown {name} {file}`, and `chmod 600 {file}`"),
            );
        }
    }
    let secrets = [("the password", &cluster.password_file), ("the private key", &tls.key)];
    for (secret, file) in secrets {
        if let Some(file) = file {
            examine_secret("cluster", secret, file, findings);
        }
    }
}

fn examine_secret(subject: &'static str, secret: &str, file: &Path, findings: &mut Findings) {
    if fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o007 != 0) {
        let what = format!("everybody on this machine can read {secret} {}", file.display());
        findings.warning(subject, what, format!("`chmod o= {}`", file.display()));
    }
}

fn examine_log(log: &Path, account: &Account, findings: &mut Findings) {
    let folder =
        log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let what = format!("the folder of the log, {}, does not exist", folder.display());
        findings.error("log", what, "create it, or name another file in \"log\"");
        return;
    }
    if log.exists() && !log.is_file() {
        let what = format!("the log {} is no file", log.display());
        findings.error("log", what, "name a file in \"log\", or null for standard error");
        return;
    }
    let obstacle = if log.exists() {
        account.obstacle(log, WRITE)
    } else {
        account.obstacle(folder, WRITE | ENTER)
    };
    if let Some(obstacle) = obstacle {
        let what = format!(
            "the user {} cannot write the log {}, because of {}",
            account.name(),
            log.display(),
            obstacle.display()
        );
        let cure = format!(
            "`chown {} {}`, or name another file in \"log\"",
            account.name(),
            obstacle.display()
        );
        findings.error("log", what, cure);
    }
}

fn examine_socket(socket: &Path, account: &Account, findings: &mut Findings) {
    let folder = socket.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        let what = format!("the folder of the admin socket, {}, does not exist", folder.display());
        let cure = "create it (systemd: RuntimeDirectory), or name another path in \"admin\"";
        findings.error("admin", what, cure);
    } else if let Some(obstacle) = account.obstacle(folder, WRITE | ENTER) {
        let (name, obstacle) = (account.name(), obstacle.display());
        let what = format!("the user {name} cannot create the admin socket, because of {obstacle}");
        let cure = format!("`chown {name} {obstacle}`, or name another path in \"admin\"");
        findings.error("admin", what, cure);
    }
}
