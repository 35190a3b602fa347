//! When a renewed certificate is noticed, and when an unusable one is told. `look` logs; what it returns shows
//! what it did.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Instant;

use super::super::RenewalWatch;
use super::super::renewal::complaint;
use super::*;

/// A directory as certbot has it: links to numbered files.
struct Rig {
    directory: TempDir,
    current: TlsAcceptor,
    watch: RenewalWatch,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (certificate, key) = identity();
        let current = load_in(&directory, &certificate, &key).unwrap();
        Self { directory, current, watch: RenewalWatch::default(), now: Instant::now() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Looks some time later. Returns whether there is a new certificate, which is used from then on.
    fn is_renewed_after(&mut self, seconds: u64) -> bool {
        self.now += Duration::from_secs(seconds);
        let (chain, key) = (self.path("chain.pem"), self.path("key.pem"));
        let renewed = self.watch.look(&self.current, &chain, &key, self.now);
        let is_renewed = renewed.is_some();
        self.current = renewed.unwrap_or(self.current.clone());
        is_renewed
    }

    fn has_told(&self) -> bool {
        self.watch.has_told()
    }
}

#[test]
fn new_content_of_both_files_is_noticed_once() {
    let mut rig = Rig::new();
    assert!(!rig.is_renewed_after(15));
    let (certificate, key) = identity();
    rig.write("chain.pem", certificate);
    rig.write("key.pem", key);
    assert!(rig.is_renewed_after(15));
    assert!(!rig.is_renewed_after(15));
}

#[test]
fn files_that_do_not_match_are_told_after_a_minute_once() {
    let mut rig = Rig::new();
    let (certificate, key) = identity();
    rig.write("chain.pem", &certificate);
    for (seconds, is_told) in [(15, false), (15, false), (30, false), (15, true), (600, true)] {
        assert!(!rig.is_renewed_after(seconds));
        assert_eq!(rig.has_told(), is_told);
    }
    // The key at last.
    rig.write("key.pem", key);
    assert!(rig.is_renewed_after(15));
    assert!(!rig.has_told());
}

#[test]
fn files_that_match_within_a_minute_are_not_told_of() {
    let mut rig = Rig::new();
    let (certificate, key) = identity();
    rig.write("chain.pem", &certificate[..300]);
    assert!(!rig.is_renewed_after(15));
    rig.write("chain.pem", &certificate);
    assert!(!rig.is_renewed_after(15));
    rig.write("key.pem", key);
    assert!(rig.is_renewed_after(15));
    // The next time is another time.
    rig.write("chain.pem", "nonsense");
    assert!(!rig.is_renewed_after(15));
    assert!(!rig.has_told());
    assert!(!rig.is_renewed_after(60));
    assert!(rig.has_told());
}

#[test]
fn a_link_that_leads_elsewhere_is_noticed() {
    let mut rig = Rig::new();
    for name in ["chain.pem", "key.pem"] {
        fs::rename(rig.path(name), rig.path(&format!("1-{name}"))).unwrap();
        symlink(format!("1-{name}"), rig.path(name)).unwrap();
    }
    // The same files, renamed.
    assert!(!rig.is_renewed_after(15));
    let (certificate, key) = identity();
    rig.write("2-chain.pem", certificate);
    rig.write("2-key.pem", key);
    assert!(!rig.is_renewed_after(15));
    for name in ["chain.pem", "key.pem"] {
        symlink(format!("2-{name}"), rig.path("link")).unwrap();
        fs::rename(rig.path("link"), rig.path(name)).unwrap();
    }
    assert!(rig.is_renewed_after(15));
}

#[test]
fn files_that_are_gone_or_touched_change_nothing() {
    let mut rig = Rig::new();
    let (chain, key) = (rig.path("chain.pem"), fs::read(rig.path("key.pem")).unwrap());
    let content = fs::read(&chain).unwrap();
    fs::remove_file(&chain).unwrap();
    assert!(!rig.is_renewed_after(15));
    assert!(!rig.is_renewed_after(75));
    assert!(rig.has_told());
    rig.write("chain.pem", content);
    rig.write("key.pem", key);
    assert!(!rig.is_renewed_after(15), "it is the same certificate");
    assert!(!rig.has_told());
}

#[test]
fn after_a_reload_the_watch_begins_anew() {
    let mut rig = Rig::new();
    rig.write("key.pem", "nonsense");
    assert!(!rig.is_renewed_after(15));
    assert!(!rig.is_renewed_after(75));
    assert!(rig.has_told());
    let (certificate, key) = identity();
    rig.current = load_in(&rig.directory, &certificate, &key).unwrap();
    assert!(!rig.is_renewed_after(15));
    assert!(!rig.has_told());
}

#[test]
fn what_the_server_s_user_may_not_read_is_told_with_what_to_do() {
    let error = |kind: io::ErrorKind| CertificateError::unreadable("key.pem".as_ref(), kind.into());
    let forbidden = complaint(&error(io::ErrorKind::PermissionDenied));
    assert_eq!(
        forbidden,
        "a renewed certificate will not be noticed, and the one of the start is served on: key.pem: the user that \
         the server runs as may not read it. Who may: namei -l key.pem. Let that user read both files, or restart the \
         server after each renewal"
    );
    let missing = complaint(&error(io::ErrorKind::NotFound));
    assert!(missing.starts_with("the certificate has changed and cannot be used"), "{missing}");
}
