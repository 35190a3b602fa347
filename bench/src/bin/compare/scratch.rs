//! A temporary folder for the logs of servers, a certificate with its key, and settings with TLS. It is
//! removed when it is dropped.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::{env, io};

use serde_json::Value;

#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("wschat-compare-{}", process::id()));
        // It will hold a private key.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The settings of this file with TLS added. Creates the certificate when first called.
    pub fn with_tls(&self, settings: &Path) -> io::Result<PathBuf> {
        let (certificate, key) = (self.path("certificate.pem"), self.path("key.pem"));
        if !certificate.exists() {
            certify(&certificate, &key)?;
        }
        let mut settings: Value = serde_json::from_str(&fs::read_to_string(settings)?)?;
        settings["certificate"] = certificate.to_string_lossy().into();
        settings["privateKey"] = key.to_string_lossy().into();
        let path = self.path("settings-tls.json");
        fs::write(&path, settings.to_string())?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed is small, and no reason to lose the results.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn certify(certificate: &Path, key: &Path) -> io::Result<()> {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"])
        .args(["-days", "2", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("openssl made no certificate: {}", said.trim())))
}
