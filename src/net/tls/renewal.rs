//! Notices a renewed certificate: looks at both files now and then, and loads them when they have changed.
//!
//! Any one thread runs it, and waits between two looks. Certificate and key are written one after the other, so
//! for a moment they do not match: errors are told only when they last. What is served meanwhile, and then, is
//! left to the caller.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::{CertificateError, TlsAcceptor};

/// How long a pair of files may be unusable before that is told.
const GRACE: Duration = Duration::from_secs(60);

/// Both files as they were at one time. Links are followed: certbot replaces the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamps([Option<Stamp>; 2]);

/// Device, inode, size, and the times of the last change of content and of anything, in seconds and nanoseconds.
type Stamp = (u64, u64, u64, [i64; 4]);

/// What has been noticed. See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct RenewalWatch {
    /// The acceptor that was in use at the last look, and both files as they were last read.
    seen: Option<(TlsAcceptor, FileStamps)>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    since: Instant,
    is_told: bool,
}

impl FileStamps {
    pub(super) fn of(certificate: &Path, private_key: &Path) -> Self {
        Self([certificate, private_key].map(|file| {
            let data = fs::metadata(file).ok()?;
            let times = [data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec()];
            Some((data.dev(), data.ino(), data.size(), times))
        }))
    }
}

impl RenewalWatch {
    /// Looks at both files, whose content `current` was made of. Returns what to use from now on if they have
    /// another certificate that can be used. What happens is logged.
    pub(crate) fn look(
        &mut self,
        current: &TlsAcceptor,
        certificate: &Path,
        private_key: &Path,
        now: Instant,
    ) -> Option<TlsAcceptor> {
        let stamps = FileStamps::of(certificate, private_key);
        let read = match &self.seen {
            Some((known, read)) if known.is_same_as(current) => read,
            _ => {
                self.failure = None;
                current.stamps()
            }
        };
        let has_changed = stamps != *read;
        let is_retrying = self.failure.as_ref().is_some_and(|failure| !failure.is_told);
        self.seen = Some((current.clone(), stamps));
        if !has_changed && !is_retrying {
            return None;
        }
        if !is_retrying {
            self.failure = None;
        }
        match TlsAcceptor::load(certificate, private_key) {
            Ok(renewed) => {
                self.failure = None;
                if renewed.has_same_chain_as(current) {
                    return None;
                }
                let (file, end) = (certificate.display(), renewed.expiry().end_of_leaf());
                info!("{file}: the renewed certificate is in use; it expires on {end}");
                Some(renewed)
            }
            Err(error) => {
                let failure = self.failure.get_or_insert(Failure { since: now, is_told: false });
                if now.duration_since(failure.since) >= GRACE {
                    failure.is_told = true;
                    warn!("{}", complaint(&error));
                }
                None
            }
        }
    }
}

/// What to tell when the files cannot be used.
pub(super) fn complaint(error: &CertificateError) -> String {
    if error.is_forbidden() {
        format!(
            "a renewed certificate will not be noticed, and the one of the start is served on: {error}. Let that user \
             read both files, or restart the server after each renewal"
        )
    } else {
        format!(
            "the certificate has changed and cannot be used, so the one before is served on: {error}"
        )
    }
}

#[cfg(test)]
impl RenewalWatch {
    /// Whether the files as they are have been told to be unusable.
    pub(super) fn has_told(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.is_told)
    }
}
