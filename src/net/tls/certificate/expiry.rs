//! When the certificates of a chain expire, and what the operator is told about it.
//!
//! Pure: the caller brings the time of day. Session threads ask for the state, and the listener's thread for
//! the news, which it logs. The wall clock may jump: a certificate is judged by the time it shows now.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::X509;

use super::error::show_subjects;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// How many days before the end of a certificate the operator is reminded of it. Renewal usually happens
/// about 30 days before.
const REMINDER_DAYS: [i64; 3] = [30, 14, 3];

/// The dates of a chain's certificates, and what has been told of them.
#[derive(Debug)]
pub(crate) struct Expiry {
    file: PathBuf,
    /// The subject of the first certificate, the server's own.
    subject: String,
    /// In the order of the file.
    ends: Vec<End>,
    /// The stage of each certificate that was told last.
    told: Mutex<Vec<Stage>>,
}

/// A certificate that has expired or soon will, in a few words for anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiring {
    pub(crate) is_over: bool,
    /// It counts from 1.
    position: usize,
    length: usize,
    /// In OpenSSL's format: `Nov 23 08:45:05 2026 GMT`.
    end: String,
}

/// The server's own certificate, and when the chain stops working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstEnd {
    pub(crate) subject: String,
    /// The last second in which all certificates are valid, in Unix time.
    pub(crate) expires_at: i64,
}

#[derive(Debug)]
struct End {
    /// The last second in which the certificate is valid, in Unix time.
    at: i64,
    text: String,
}

/// How near the end is: how many of the reminders are due, and one more once it is over.
type Stage = usize;

impl Expiry {
    pub(super) fn new(chain: &[X509], file: &Path) -> Result<Self, ErrorStack> {
        let ends = chain.iter().map(|certificate| {
            let end = certificate.not_after();
            Ok(End { at: unix_seconds(end)?, text: end.to_string() })
        });
        let told = Mutex::new(vec![0; chain.len()]);
        let ends = ends.collect::<Result<_, ErrorStack>>()?;
        let subject = chain.first().map(subject).unwrap_or_default();
        Ok(Self { file: file.to_owned(), subject, ends, told })
    }

    /// What is new at this time, one line for the log each: a certificate has expired, or a reminder is due.
    /// Each is told once.
    pub(crate) fn news(&self, now: i64) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        for (index, end) in self.ends.iter().enumerate() {
            let stage = end.stage(now);
            if stage > told[index] {
                news.extend(self.expiring(index, now).map(|expiring| self.warning(&expiring)));
            }
            told[index] = stage;
        }
        news
    }

    /// What the operator should know at this time, one line each.
    pub(crate) fn warnings(&self, now: i64) -> Vec<String> {
        self.state(now).iter().map(|expiring| self.warning(expiring)).collect()
    }

    /// The certificates that have expired or soon will.
    pub(crate) fn state(&self, now: i64) -> Vec<Expiring> {
        (0..self.ends.len()).filter_map(|index| self.expiring(index, now)).collect()
    }

    /// What ends first.
    pub(crate) fn first(&self) -> FirstEnd {
        let expires_at = self.ends.iter().map(|end| end.at).min().unwrap_or(i64::MAX);
        FirstEnd { subject: self.subject.clone(), expires_at }
    }

    /// When the server's own certificate ends, in OpenSSL's format.
    pub(in crate::net::tls) fn end_of_leaf(&self) -> &str {
        &self.ends[0].text
    }

    fn expiring(&self, index: usize, now: i64) -> Option<Expiring> {
        let end = &self.ends[index];
        (end.stage(now) > 0).then(|| Expiring {
            is_over: now > end.at,
            position: index + 1,
            length: self.ends.len(),
            end: end.text.clone(),
        })
    }

    fn warning(&self, expiring: &Expiring) -> String {
        let subjects = show_subjects(&self.file);
        format!("{}: {expiring}; renew it. Its subject: {subjects}", self.file.display())
    }
}

impl End {
    fn stage(&self, now: i64) -> Stage {
        let left = self.at.saturating_sub(now);
        let reminders = REMINDER_DAYS.iter().filter(|days| left <= *days * DAY_SECONDS).count();
        reminders + usize::from(left < 0)
    }
}

impl fmt::Display for Expiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_over, position, length, end } = self;
        let verb = if *is_over { "expired" } else { "expires" };
        write!(f, "certificate {position} of {length} {verb} on {end}")
    }
}

/// Such as `CN=chat.example.org`.
fn subject(certificate: &X509) -> String {
    let entries = certificate.subject_name().entries().map(|entry| {
        let name = entry.object().nid().short_name().unwrap_or("?");
        let value = String::from_utf8_lossy(entry.data().as_slice());
        format!("{name}={value}")
    });
    entries.collect::<Vec<_>>().join(", ")
}

/// A date of a certificate in Unix time.
pub(super) fn unix_seconds(date: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(date)?;
    Ok(i64::from(since.days) * DAY_SECONDS + i64::from(since.secs))
}
