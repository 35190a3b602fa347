//! The certificate chain and its key: read from two PEM files and checked before they are used.
//!
//! Runs on the thread that starts or reloads the server. A file that cannot be used is refused here,
//! because otherwise the handshake would fail with a visitor. The error says what is wrong with which
//! file, and which command corrects it or shows more (`error.rs`). Configuring the TLS library is left
//! to the backends.

mod chain;
mod error;
mod expiry;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};

pub(super) use self::chain::findings;
#[cfg(test)]
pub(super) use self::chain::{name_finding, trust_finding, trusting};
pub use self::error::CertificateError;
use self::error::{CertificateFault, ChainFault, FileFault, KeyFault};
pub(crate) use self::expiry::{Expiring, Expiry};
use crate::clock;

/// A certificate chain and the key of its first certificate, which match and are valid now.
pub(super) struct Identity {
    /// Never empty. The server's own certificate is the first.
    pub(super) chain: Vec<X509>,
    pub(super) key: PKey<Private>,
    pub(super) expiry: Expiry,
}

impl Identity {
    /// Reads and checks both files, which may be the same file.
    pub(super) fn load(certificate: &Path, private_key: &Path) -> Result<Self, CertificateError> {
        let chain = read_chain(certificate)?;
        let key = read_key(private_key)?;
        check_match(&chain, &key, certificate, private_key)?;
        let rejected =
            |error: ErrorStack| CertificateError::rejected(certificate, error.to_string());
        let now = clock::unix_seconds(SystemTime::now());
        if let Some(fault) = date_fault(&chain[0], now).map_err(rejected)? {
            return Err(CertificateError::new(certificate, fault));
        }
        if let Some(fault) = chain::fault(&chain).map_err(rejected)? {
            return Err(CertificateError::new(certificate, fault));
        }
        let expiry = Expiry::new(&chain, certificate).map_err(rejected)?;
        Ok(Identity { chain, key, expiry })
    }

    pub(super) fn leaf(&self) -> &X509Ref {
        &self.chain[0]
    }

    pub(super) fn intermediates(&self) -> &[X509] {
        &self.chain[1..]
    }
}

fn read_chain(file: &Path) -> Result<Vec<X509>, CertificateError> {
    let refuse = |fault| Err(CertificateError::new(file, fault));
    let bytes = read(file)?;
    let text = String::from_utf8_lossy(&bytes);

    let mut chain = Vec::new();
    for block in blocks(&text).filter(|block| block.label == "CERTIFICATE") {
        match X509::from_pem(block.pem.as_bytes()) {
            Ok(certificate) => chain.push(certificate),
            Err(error) => {
                let position = chain.len() + 1;
                return refuse(CertificateFault::Damaged { position, reason: reason(&error) });
            }
        }
    }
    if !chain.is_empty() {
        return Ok(chain);
    }

    let label = blocks(&text).next().map(|block| block.label);
    match label {
        Some(label) if label.ends_with("PRIVATE KEY") => refuse(CertificateFault::IsPrivateKey),
        Some(label) => refuse(CertificateFault::OtherBlock { label: label.to_owned() }),
        None if X509::from_der(&bytes).is_ok() => refuse(CertificateFault::Der),
        None => refuse(CertificateFault::NotPem),
    }
}

fn read_key(file: &Path) -> Result<PKey<Private>, CertificateError> {
    let refuse = |fault| Err(CertificateError::new(file, fault));
    let bytes = read(file)?;
    let text = String::from_utf8_lossy(&bytes);

    let Some(block) = blocks(&text).find(|block| block.label.ends_with("PRIVATE KEY")) else {
        let label = blocks(&text).next().map(|block| block.label);
        return refuse(match label {
            Some("CERTIFICATE") => KeyFault::IsCertificate,
            Some(label) if label.ends_with("PUBLIC KEY") => KeyFault::IsPublicKey,
            Some(label) => KeyFault::OtherBlock { label: label.to_owned() },
            None if PKey::private_key_from_der(&bytes).is_ok() => KeyFault::Der,
            None => KeyFault::NotPem,
        });
    };
    // RFC 1421 §4.6.1.1: how the older formats mark an encrypted key.
    let is_encrypted =
        block.label == "ENCRYPTED PRIVATE KEY" || block.pem.contains("Proc-Type: 4,ENCRYPTED");
    match block.label {
        _ if is_encrypted => refuse(KeyFault::Encrypted),
        "PRIVATE KEY" => PKey::private_key_from_pem(block.pem.as_bytes())
            .or_else(|error| refuse(KeyFault::Damaged { reason: reason(&error) })),
        "RSA PRIVATE KEY" => refuse(KeyFault::OldFormat { format: "PKCS#1" }),
        "EC PRIVATE KEY" => refuse(KeyFault::OldFormat { format: "SEC1" }),
        label => refuse(KeyFault::OtherBlock { label: label.to_owned() }),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateError> {
    match fs::read(file) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => {
            Err(CertificateError::new(file, FileFault::Empty))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(CertificateError::unreadable(file, error)),
    }
}

/// One block of a PEM file, from its `BEGIN` line to its `END` line.
struct Block<'a> {
    label: &'a str,
    pem: &'a str,
}

/// The blocks of a PEM file, without the comments that some tools write before and between them. A
/// block without an end reaches to the end of the file, and parsing it fails.
fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    const BEGIN: &str = "-----BEGIN ";
    let mut rest = text;
    std::iter::from_fn(move || {
        let block = &rest[rest.find(BEGIN)?..];
        let (label, _) = block[BEGIN.len()..].split_once("-----")?;
        let end = format!("-----END {label}-----");
        let length = block.find(&end).map_or(block.len(), |start| start + end.len());
        let pem;
        (pem, rest) = block.split_at(length);
        Some(Block { label, pem })
    })
}

fn check_match(
    chain: &[X509],
    key: &PKey<Private>,
    certificate: &Path,
    private_key: &Path,
) -> Result<(), CertificateError> {
    let matches_key = |certificate: &X509| {
        certificate.public_key().is_ok_and(|public_key| public_key.public_eq(key))
    };
    match chain.iter().position(matches_key) {
        Some(0) => Ok(()),
        Some(index) => {
            let fault = CertificateFault::WrongOrder { position: index + 1, length: chain.len() };
            Err(CertificateError::new(certificate, fault))
        }
        None => {
            let fault = CertificateFault::OtherKey { private_key: private_key.to_owned() };
            Err(CertificateError::new(certificate, fault))
        }
    }
}

/// Why the server's own certificate cannot be used now. An intermediate only causes a warning, because
/// clients may know another chain.
fn date_fault(leaf: &X509Ref, now: i64) -> Result<Option<ChainFault>, ErrorStack> {
    let (begin, end) = (leaf.not_before(), leaf.not_after());
    Ok(if expiry::unix_seconds(begin)? > now {
        Some(ChainFault::NotYetValid { from: begin.to_string() })
    } else if expiry::unix_seconds(end)? < now {
        Some(ChainFault::Expired { on: end.to_string() })
    } else {
        None
    })
}

/// OpenSSL's text for the first error on its stack.
fn reason(stack: &ErrorStack) -> String {
    let reason = stack.errors().iter().find_map(openssl::error::Error::reason);
    reason.unwrap_or("OpenSSL does not say why").to_owned()
}
