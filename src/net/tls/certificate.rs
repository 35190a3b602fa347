//! The certificate chain and its key: read from two PEM files and checked before a port is opened.
//!
//! Runs once, on the thread that starts the server. A file that cannot serve is refused here, in
//! words that say what is wrong with which file and give the command that mends it or shows more,
//! because the alternative is a handshake that fails in front of a visitor. What the TLS library is
//! told to do with the certificate is left to the backends.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};

use crate::shell::{Quoted, directory};

/// A certificate that ends sooner than this is served with a warning: by then, whatever renews it
/// should have.
const WARN_BEFORE_EXPIRY_DAYS: u32 = 14;

/// A certificate chain and the key of its first certificate, found to belong together and to be
/// valid now.
pub(super) struct Identity {
    /// Never empty; the server's own certificate comes first.
    chain: Vec<X509>,
    pub(super) key: PKey<Private>,
    /// What the operator should soon see to.
    pub(super) warnings: Vec<String>,
}

impl Identity {
    /// Reads and checks both files, which may be one and the same.
    pub(super) fn load(certificate: &Path, private_key: &Path) -> Result<Self, CertificateError> {
        let chain = read_chain(certificate)?;
        let key = read_key(private_key)?;
        check_match(&chain, &key, certificate, private_key)?;
        let warnings = check_dates(&chain, certificate)?;
        Ok(Identity { chain, key, warnings })
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
                return refuse(Fault::BrokenCertificate { position, reason: reason(&error) });
            }
        }
    }
    if !chain.is_empty() {
        return Ok(chain);
    }

    let label = blocks(&text).next().map(|block| block.label);
    match label {
        Some(label) if label.ends_with("PRIVATE KEY") => refuse(Fault::KeyForCertificate),
        Some(label) => refuse(Fault::OtherForCertificate { label: label.to_owned() }),
        None if X509::from_der(&bytes).is_ok() => refuse(Fault::DerCertificate),
        None => refuse(Fault::NoCertificate),
    }
}

fn read_key(file: &Path) -> Result<PKey<Private>, CertificateError> {
    let refuse = |fault| Err(CertificateError::new(file, fault));
    let bytes = read(file)?;
    let text = String::from_utf8_lossy(&bytes);

    let Some(block) = blocks(&text).find(|block| block.label.ends_with("PRIVATE KEY")) else {
        let label = blocks(&text).next().map(|block| block.label);
        return refuse(match label {
            Some("CERTIFICATE") => Fault::CertificateForKey,
            Some(label) if label.ends_with("PUBLIC KEY") => Fault::PublicKey,
            Some(label) => Fault::OtherForKey { label: label.to_owned() },
            None if PKey::private_key_from_der(&bytes).is_ok() => Fault::DerKey,
            None => Fault::NoKey,
        });
    };
    // RFC 1421, section 4.6.1.1: how the older forms say that they are encrypted.
    let encrypted =
        block.label == "ENCRYPTED PRIVATE KEY" || block.pem.contains("Proc-Type: 4,ENCRYPTED");
    match block.label {
        _ if encrypted => refuse(Fault::EncryptedKey),
        "PRIVATE KEY" => PKey::private_key_from_pem(block.pem.as_bytes())
            .or_else(|error| refuse(Fault::BrokenKey { reason: reason(&error) })),
        "RSA PRIVATE KEY" => refuse(Fault::OldKey { form: "PKCS#1" }),
        "EC PRIVATE KEY" => refuse(Fault::OldKey { form: "SEC1" }),
        label => refuse(Fault::OtherForKey { label: label.to_owned() }),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateError> {
    match fs::read(file) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => {
            Err(CertificateError::new(file, Fault::Empty))
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

/// The blocks of a PEM file, without the text that some tools write before and between them. A block
/// that does not end reaches to the end of the file, where parsing it will fail.
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
    let belongs = |certificate: &X509| {
        certificate.public_key().is_ok_and(|public_key| public_key.public_eq(key))
    };
    match chain.iter().position(belongs) {
        Some(0) => Ok(()),
        Some(index) => {
            let fault = Fault::WrongOrder { position: index + 1, length: chain.len() };
            Err(CertificateError::new(certificate, fault))
        }
        None => {
            let fault = Fault::OtherKey { private_key: private_key.to_owned() };
            Err(CertificateError::new(certificate, fault))
        }
    }
}

/// Refuses a leaf that is not valid now. The intermediates only warn: clients may know another path.
fn check_dates(chain: &[X509], file: &Path) -> Result<Vec<String>, CertificateError> {
    let refuse = |fault| Err(CertificateError::new(file, fault));
    let days_from_now = |days| {
        Asn1Time::days_from_now(days)
            .map_err(|error| CertificateError::unusable(file, error.to_string()))
    };
    let now = days_from_now(0)?;
    let soon = days_from_now(WARN_BEFORE_EXPIRY_DAYS)?;

    let mut warnings = Vec::new();
    for (index, certificate) in chain.iter().enumerate() {
        let (begin, end) = (certificate.not_before(), certificate.not_after());
        if index == 0 && begin > now {
            return refuse(Fault::NotYetValid { from: begin.to_string() });
        }
        if index == 0 && end < now {
            return refuse(Fault::Expired { on: end.to_string() });
        }
        if end < soon {
            warnings.push(format!(
                "{}: certificate {} of {} {} on {end}; renew it. Its subject: {}",
                file.display(),
                index + 1,
                chain.len(),
                if end < now { "expired" } else { "expires" },
                show_subjects(file),
            ));
        }
    }
    Ok(warnings)
}

/// Why the certificate or its private key cannot serve.
///
/// Its text says what is wrong with which file, and ends with a command that mends it or shows more.
#[derive(Debug)]
pub struct CertificateError {
    file: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Unreadable(io::Error),
    Empty,
    /// The certificate file holds no PEM block and no DER certificate.
    NoCertificate,
    KeyForCertificate,
    OtherForCertificate {
        label: String,
    },
    DerCertificate,
    /// `position` counts the certificates of the file from 1.
    BrokenCertificate {
        position: usize,
        reason: String,
    },
    /// The key file holds no PEM block and no DER key.
    NoKey,
    CertificateForKey,
    OtherForKey {
        label: String,
    },
    PublicKey,
    DerKey,
    EncryptedKey,
    OldKey {
        form: &'static str,
    },
    BrokenKey {
        reason: String,
    },
    OtherKey {
        private_key: PathBuf,
    },
    /// The key belongs to the certificate at `position`, which counts from 1 and is not 1.
    WrongOrder {
        position: usize,
        length: usize,
    },
    /// The dates are in OpenSSL's form: `Nov 23 08:45:05 2026 GMT`.
    NotYetValid {
        from: String,
    },
    Expired {
        on: String,
    },
    /// The TLS library takes exception to it.
    Unusable {
        reason: String,
    },
}

impl CertificateError {
    fn new(file: &Path, fault: Fault) -> CertificateError {
        CertificateError { file: file.to_owned(), fault }
    }

    pub(super) fn unreadable(file: &Path, error: io::Error) -> CertificateError {
        CertificateError::new(file, Fault::Unreadable(error))
    }

    /// For a certificate that is in order but that the TLS library will not serve.
    pub(super) fn unusable(certificate: &Path, reason: String) -> CertificateError {
        CertificateError::new(certificate, Fault::Unusable { reason })
    }

    /// The file at fault; where the two do not belong together, the certificate.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Error for CertificateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        let file = Quoted(&self.file);
        let pem = self.file.with_extension("pkcs8.pem");
        let pem = Quoted(&pem);
        match &self.fault {
            Fault::Unreadable(error) => self.fmt_unreadable(error, f),
            Fault::Empty => write!(f, "the file is empty. When it was written: ls -l {file}"),
            Fault::NoCertificate => {
                write!(f, "the file holds no PEM certificate. What it holds: file {file}")
            }
            Fault::KeyForCertificate => write!(
                f,
                "the file holds a private key where the certificate should be; are the two files \
                 swapped? What it holds: grep BEGIN {file}"
            ),
            Fault::OtherForCertificate { label } => {
                write!(
                    f,
                    "the file holds {label}, not CERTIFICATE. All it holds: grep BEGIN {file}"
                )
            }
            Fault::DerCertificate => {
                let pem = self.file.with_extension("crt.pem");
                let pem = Quoted(&pem);
                write!(
                    f,
                    "the certificate is in DER; the server reads PEM. Convert it: \
                     openssl x509 -inform der -in {file} -out {pem}"
                )
            }
            Fault::BrokenCertificate { position, reason } => write!(
                f,
                "certificate {position} in the file is damaged ({reason}). \
                 Copy the file again; check it: {}",
                show_subjects(&self.file)
            ),
            Fault::NoKey => {
                write!(f, "the file holds no PEM private key. What it holds: file {file}")
            }
            Fault::CertificateForKey => write!(
                f,
                "the file holds a certificate where the private key should be; are the two files \
                 swapped? What it holds: grep BEGIN {file}"
            ),
            Fault::OtherForKey { label } => {
                write!(
                    f,
                    "the file holds {label}, not PRIVATE KEY. All it holds: grep BEGIN {file}"
                )
            }
            Fault::PublicKey => write!(
                f,
                "the file holds the public key; the server needs the private one. \
                 Find it: grep -l 'PRIVATE KEY' {}/*",
                Quoted(directory(&self.file))
            ),
            Fault::DerKey => write!(
                f,
                "the private key is in DER; the server reads PEM. Convert it: \
                 openssl pkey -inform der -in {file} -out {pem}"
            ),
            Fault::EncryptedKey => write!(
                f,
                "the private key is encrypted, and nobody is there to type its passphrase when the \
                 server starts. Decrypt it: openssl pkey -in {file} -out {pem}"
            ),
            Fault::OldKey { form } => write!(
                f,
                "the private key is in {form}; the server reads PKCS#8. Convert it: \
                 openssl pkcs8 -topk8 -nocrypt -in {file} -out {pem}"
            ),
            Fault::BrokenKey { reason } => write!(
                f,
                "the private key is damaged ({reason}). Copy the file again; check it: \
                 openssl pkey -noout -check -in {file}"
            ),
            Fault::OtherKey { private_key } => write!(
                f,
                "the certificate was not made for the private key in {}. Compare their public keys: \
                 openssl x509 -noout -pubkey -in {file}; openssl pkey -pubout -in {}",
                private_key.display(),
                Quoted(private_key)
            ),
            Fault::WrongOrder { position, length } => write!(
                f,
                "the chain is in the wrong order: the private key belongs to certificate {position} \
                 of {length}, which must come first. Their order: {}",
                show_subjects(&self.file)
            ),
            Fault::NotYetValid { from } => write!(
                f,
                "the certificate is not valid before {from}, or the clock is wrong (see date -u). \
                 Its dates: openssl x509 -noout -dates -in {file}"
            ),
            Fault::Expired { on } => write!(
                f,
                "the certificate expired on {on}; renew it. \
                 Its dates: openssl x509 -noout -dates -in {file}"
            ),
            Fault::Unusable { reason } => write!(
                f,
                "OpenSSL does not serve with this certificate ({reason}). \
                 What it is: openssl x509 -noout -text -in {file}"
            ),
        }
    }
}

impl CertificateError {
    fn fmt_unreadable(&self, error: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Quoted(&self.file);
        match error.kind() {
            io::ErrorKind::NotFound => {
                let directory = Quoted(directory(&self.file));
                write!(f, "there is no such file. What is there: ls -l {directory}")
            }
            io::ErrorKind::PermissionDenied => write!(
                f,
                "the user that the server runs as may not read it. Who may: namei -l {file}"
            ),
            io::ErrorKind::IsADirectory => {
                write!(f, "this is a directory, not a file. What is in it: ls -l {file}")
            }
            _ => write!(f, "the file cannot be read ({error}). Try: cat {file}"),
        }
    }
}

/// The command that lists the certificates of a file in their order.
fn show_subjects(file: &Path) -> String {
    let file = Quoted(file);
    format!("openssl crl2pkcs7 -nocrl -certfile {file} | openssl pkcs7 -noout -print_certs")
}

/// OpenSSL's words for the first thing that went wrong.
fn reason(stack: &ErrorStack) -> String {
    let reason = stack.errors().iter().find_map(openssl::error::Error::reason);
    reason.unwrap_or("OpenSSL does not say why").to_owned()
}
