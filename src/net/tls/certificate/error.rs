//! Why a certificate or its key is refused: one kind of fault for each cause, and its text. Pure.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::shell::{Quoted, directory};

/// Why the certificate or its private key cannot be used.
///
/// The text says what is wrong with which file, and ends with a command that corrects it or shows more.
#[derive(Debug)]
pub struct CertificateError {
    file: PathBuf,
    fault: FaultKind,
}

/// By the file at fault.
#[derive(Debug)]
pub(super) enum FaultKind {
    File(FileFault),
    Certificate(CertificateFault),
    Key(KeyFault),
}

/// What is wrong with either file before its content is looked at.
#[derive(Debug)]
pub(super) enum FileFault {
    Unreadable(io::Error),
    Empty,
}

/// What is wrong with the file of the certificate.
#[derive(Debug)]
pub(super) enum CertificateFault {
    /// The file has no PEM block and is no DER certificate.
    NotPem,
    IsPrivateKey,
    OtherBlock {
        label: String,
    },
    Der,
    /// `position` counts the certificates of the file from 1.
    Damaged {
        position: usize,
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
    /// Clients refuse it.
    Chain(ChainFault),
    /// The TLS library rejects it.
    Rejected {
        reason: String,
    },
}

/// Why every client refuses a certificate.
#[derive(Debug)]
pub(super) enum ChainFault {
    /// The certificate at `position`, which counts from 1, has not signed the one before it.
    NotIssuer {
        position: usize,
        length: usize,
    },
    /// The server's own certificate is not for servers.
    OtherPurpose,
    /// The server's own certificate is that of an authority.
    Authority,
    /// The dates are in OpenSSL's format: `Nov 23 08:45:05 2026 GMT`.
    NotYetValid {
        from: String,
    },
    Expired {
        on: String,
    },
}

/// What is wrong with the file of the key.
#[derive(Debug)]
pub(super) enum KeyFault {
    /// The file has no PEM block and is no DER key.
    NotPem,
    IsCertificate,
    IsPublicKey,
    OtherBlock {
        label: String,
    },
    Der,
    Encrypted,
    OldFormat {
        format: &'static str,
    },
    Damaged {
        reason: String,
    },
}

impl CertificateError {
    pub(super) fn new(file: &Path, fault: impl Into<FaultKind>) -> Self {
        Self { file: file.to_owned(), fault: fault.into() }
    }

    pub(in crate::net::tls) fn unreadable(file: &Path, error: io::Error) -> Self {
        Self::new(file, FileFault::Unreadable(error))
    }

    /// For a certificate that passes all checks here but that the TLS library rejects.
    pub(in crate::net::tls) fn rejected(certificate: &Path, reason: String) -> Self {
        Self::new(certificate, CertificateFault::Rejected { reason })
    }

    /// Whether this process may not read the file.
    pub(in crate::net::tls) fn is_forbidden(&self) -> bool {
        matches!(&self.fault, FaultKind::File(FileFault::Unreadable(error))
            if error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// The file with the fault. If the certificate and the key do not match, it is the certificate.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Error for CertificateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            FaultKind::File(FileFault::Unreadable(error)) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        match &self.fault {
            FaultKind::File(fault) => fault.describe(&self.file, f),
            FaultKind::Certificate(fault) => fault.describe(&self.file, f),
            FaultKind::Key(fault) => fault.describe(&self.file, f),
        }
    }
}

impl From<FileFault> for FaultKind {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}

impl From<CertificateFault> for FaultKind {
    fn from(fault: CertificateFault) -> Self {
        Self::Certificate(fault)
    }
}

impl From<ChainFault> for FaultKind {
    fn from(fault: ChainFault) -> Self {
        Self::Certificate(CertificateFault::Chain(fault))
    }
}

impl From<KeyFault> for FaultKind {
    fn from(fault: KeyFault) -> Self {
        Self::Key(fault)
    }
}

impl FileFault {
    fn describe(&self, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Quoted(path);
        let error = match self {
            Self::Empty => {
                return write!(f, "the file is empty. When it was written: ls -l {file}");
            }
            Self::Unreadable(error) => error,
        };
        match error.kind() {
            io::ErrorKind::NotFound => {
                let directory = Quoted(directory(path));
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

impl CertificateFault {
    fn describe(&self, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Quoted(path);
        match self {
            Self::NotPem => {
                write!(f, "the file holds no PEM certificate. What it holds: file {file}")
            }
            Self::IsPrivateKey => write!(
                f,
                "the file holds a private key where the certificate should be; are the two files \
                 swapped? What it holds: grep BEGIN {file}"
            ),
            Self::OtherBlock { label } => write!(
                f,
                "the file holds {label}, not CERTIFICATE. All it holds: grep BEGIN {file}"
            ),
            Self::Der => {
                let pem = path.with_extension("crt.pem");
                write!(
                    f,
                    "the certificate is in DER; the server reads PEM. Convert it: \
                     openssl x509 -inform der -in {file} -out {}",
                    Quoted(&pem)
                )
            }
            Self::Damaged { position, reason } => write!(
                f,
                "certificate {position} in the file is damaged ({reason}). \
                 Copy the file again; check it: {}",
                show_subjects(path)
            ),
            Self::OtherKey { private_key } => write!(
                f,
                "the certificate was not made for the private key in {}. Compare their public keys: \
                 openssl x509 -noout -pubkey -in {file}; openssl pkey -pubout -in {}",
                private_key.display(),
                Quoted(private_key)
            ),
            Self::WrongOrder { position, length } => write!(
                f,
                "the chain is in the wrong order: the private key belongs to certificate {position} \
                 of {length}, which must come first. Their order: {}",
                show_subjects(path)
            ),
            Self::Chain(fault) => fault.describe(path, f),
            Self::Rejected { reason } => write!(
                f,
                "OpenSSL does not serve with this certificate ({reason}). \
                 What it is: openssl x509 -noout -text -in {file}"
            ),
        }
    }
}

impl ChainFault {
    fn describe(&self, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Quoted(path);
        match self {
            Self::NotIssuer { position, length } => write!(
                f,
                "certificate {position} of {length} has not signed the one before it, so clients refuse the chain: it \
                 is in the wrong order, or has a certificate of another chain. Their order: {}",
                show_subjects(path)
            ),
            Self::OtherPurpose => write!(
                f,
                "the certificate is not for servers, so clients refuse it: its (extended) key usage does not allow \
                 it. What it is for: openssl x509 -noout -purpose -in {file}"
            ),
            Self::Authority => write!(
                f,
                "this is the certificate of an authority (CA:TRUE), which is for signing others, so clients refuse it \
                 as that of a server. Use one that it has signed. What it is: openssl x509 -noout -text -in {file}"
            ),
            Self::NotYetValid { from } => write!(
                f,
                "the certificate is not valid before {from}, or the clock is wrong (see date -u). \
                 Its dates: openssl x509 -noout -dates -in {file}"
            ),
            Self::Expired { on } => write!(
                f,
                "the certificate expired on {on}; renew it. \
                 Its dates: openssl x509 -noout -dates -in {file}"
            ),
        }
    }
}

impl KeyFault {
    fn describe(&self, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Quoted(path);
        let pem = path.with_extension("pkcs8.pem");
        let pem = Quoted(&pem);
        match self {
            Self::NotPem => {
                write!(f, "the file holds no PEM private key. What it holds: file {file}")
            }
            Self::IsCertificate => write!(
                f,
                "the file holds a certificate where the private key should be; are the two files \
                 swapped? What it holds: grep BEGIN {file}"
            ),
            Self::IsPublicKey => write!(
                f,
                "the file holds the public key; the server needs the private one. \
                 Find it: grep -l 'PRIVATE KEY' {}/*",
                Quoted(directory(path))
            ),
            Self::OtherBlock { label } => write!(
                f,
                "the file holds {label}, not PRIVATE KEY. All it holds: grep BEGIN {file}"
            ),
            Self::Der => write!(
                f,
                "the private key is in DER; the server reads PEM. Convert it: \
                 openssl pkey -inform der -in {file} -out {pem}"
            ),
            Self::Encrypted => write!(
                f,
                "the private key is encrypted, and nobody is there to type its passphrase when the \
                 server starts. Decrypt it: openssl pkey -in {file} -out {pem}"
            ),
            Self::OldFormat { format } => write!(
                f,
                "the private key is in {format}; the server reads PKCS#8. Convert it: \
                 openssl pkcs8 -topk8 -nocrypt -in {file} -out {pem}"
            ),
            Self::Damaged { reason } => write!(
                f,
                "the private key is damaged ({reason}). Copy the file again; check it: \
                 openssl pkey -noout -check -in {file}"
            ),
        }
    }
}

/// The command that lists the certificates of a file in their order.
pub(super) fn show_subjects(file: &Path) -> String {
    let file = Quoted(file);
    format!("openssl crl2pkcs7 -nocrl -certfile {file} | openssl pkcs7 -noout -print_certs")
}
