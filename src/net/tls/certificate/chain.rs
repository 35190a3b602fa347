//! The chain as a client sees it: who has signed it, what it is for, and which names it has.
//!
//! What every client refuses for certain is an error. What depends on the client, or on how it comes here, is a
//! finding: a warning for the operator. OpenSSL judges both, since most clients do as it does.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{
    X509, X509NameRef, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult,
};

use super::error::{ChainFault, show_subjects};

/// Where systems have the certificates of all authorities in one file, in case OpenSSL was built to look
/// elsewhere.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Fewer bits of an RSA key are refused by many clients, if not by OpenSSL.
const MIN_RSA_BITS: u32 = 2_048;

/// Results of OpenSSL's verification (`x509_vfy.h`).
const SELF_SIGNED_IN_CHAIN: i32 = 19;
const NO_ISSUER: [i32; 3] = [2, 20, 21];

/// Why every client refuses this chain.
pub(super) fn fault(chain: &[X509]) -> Result<Option<ChainFault>, ErrorStack> {
    for (index, pair) in chain.windows(2).enumerate() {
        if !has_signed(&pair[1], &pair[0])? {
            return Ok(Some(ChainFault::NotIssuer { position: index + 2, length: chain.len() }));
        }
    }
    let leaf = &chain[0];
    if !is_ok(verify_alone(leaf, |param| param.set_purpose(X509PurposeId::SSL_SERVER))?) {
        return Ok(Some(ChainFault::OtherPurpose));
    }
    // Whoever makes one certificate for everything trusts it by itself, and no authority.
    let is_authority = is_authority(leaf)? && !has_signed(leaf, leaf)?;
    Ok(is_authority.then_some(ChainFault::Authority))
}

/// What many clients do not like about this chain, one sentence each. `file` has the chain, and `domain` is the
/// name by which clients come, if that is known.
pub(in crate::net::tls) fn findings(
    chain: &[X509],
    file: &Path,
    domain: Option<&str>,
) -> Result<Vec<String>, ErrorStack> {
    let mut findings = Vec::new();
    findings.extend(trust_finding(chain, file, &system_roots()?, bundle)?);
    if let Some(domain) = domain {
        findings.extend(name_finding(&chain[0], file, domain)?);
    }
    let bits = chain[0].public_key()?.rsa().map_or(MIN_RSA_BITS, |key| key.size() * 8);
    if bits < MIN_RSA_BITS {
        findings.push(format!(
            "{}: the key of the certificate has only {bits} bits, and many clients want {MIN_RSA_BITS} of an RSA \
             key; get a certificate for a new key",
            file.display()
        ));
    }
    Ok(findings)
}

/// Whether the chain leads to an authority that this system knows, as clients do. `bundle` is asked when
/// `roots` do not have it; `None` means that the system's authorities are not known.
pub(in crate::net::tls) fn trust_finding(
    chain: &[X509],
    file: &Path,
    roots: &X509Store,
    bundle: impl FnOnce() -> Option<X509Store>,
) -> Result<Option<String>, ErrorStack> {
    let mut result = verify_chain(chain, roots)?;
    let is_self_signed = has_signed(&chain[0], &chain[0])?;
    if !is_ok(result) {
        match bundle() {
            Some(bundle) => result = verify_chain(chain, &bundle)?,
            // No authority that many trust signs certificates of servers without an intermediate.
            None if chain.len() > 1 => return Ok(None),
            None => {}
        }
    }
    let subjects = show_subjects(file);
    let issuer = common_name(chain[chain.len() - 1].issuer_name());
    Ok(match result.as_raw() {
        _ if is_ok(result) => None,
        _ if is_self_signed => Some(format!(
            "{}: the certificate is signed by itself, so only clients that have been told to trust it do; get one that \
             all trust, which Let's Encrypt gives for free",
            file.display()
        )),
        SELF_SIGNED_IN_CHAIN => Some(format!(
            "{}: the chain leads to an authority that this system does not know ({issuer}), so only clients that \
             have been given its certificate trust it; if they should be others, get a certificate that all trust. \
             What the file holds: {subjects}",
            file.display()
        )),
        code if NO_ISSUER.contains(&code) => Some(format!(
            "{}: the chain is not complete, so many clients refuse it: the certificate of {issuer} is missing, which \
             has signed the last one; use the file that has the whole chain (certbot: fullchain.pem). What it holds \
             now: {subjects}",
            file.display()
        )),
        _ => Some(format!(
            "{}: many clients refuse the chain ({}); get another one. What it holds: {subjects}",
            file.display(),
            result.error_string()
        )),
    })
}

/// Whether the certificate is for this domain, as browsers see it (RFC 6125, RFC 9525).
pub(in crate::net::tls) fn name_finding(
    leaf: &X509Ref,
    file: &Path,
    domain: &str,
) -> Result<Option<String>, ErrorStack> {
    let host = domain.trim_end_matches('.').trim_start_matches('[').trim_end_matches(']');
    let result = verify_alone(leaf, |param| {
        param.set_hostflags(
            X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT,
        );
        match host.parse::<IpAddr>() {
            Ok(address) => param.set_ip(address),
            Err(_) => param.set_host(host),
        }
    })?;
    Ok((!is_ok(result)).then(|| {
        let names = names(leaf);
        let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
        format!(
            "{}: the certificate is for {names} and not for {domain}, which is the \"domain\" of the settings, so \
             browsers that go there refuse it; get one for that name, or correct \"domain\"",
            file.display()
        )
    }))
}

/// The names and addresses that a certificate is for.
fn names(leaf: &X509Ref) -> Vec<String> {
    let names = leaf.subject_alt_names().into_iter().flatten();
    let text = names.filter_map(|name| {
        let address = name.ipaddress().and_then(|bytes| match bytes.len() {
            4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        });
        let dns = || Some(name.dnsname()?.escape_debug().to_string());
        address.map(|address| address.to_string()).or_else(dns)
    });
    text.collect()
}

/// Whether `issuer` has signed `certificate`, and may.
fn has_signed(issuer: &X509Ref, certificate: &X509Ref) -> Result<bool, ErrorStack> {
    Ok(is_ok(issuer.issued(certificate)) && certificate.verify(&*issuer.public_key()?)?)
}

/// Whether a certificate says that it is for signing others. The crate has no other way to ask.
fn is_authority(certificate: &X509) -> Result<bool, ErrorStack> {
    let text = certificate.to_text()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().skip_while(|line| !line.contains("X509v3 Basic Constraints:"));
    Ok(lines.nth(1).is_some_and(|line| line.trim_start().starts_with("CA:TRUE")))
}

/// Verifies a certificate by itself, as if it were trusted, with more conditions. Its dates are looked at
/// elsewhere.
fn verify_alone(
    leaf: &X509Ref,
    set: impl FnOnce(&mut X509VerifyParam) -> Result<(), ErrorStack>,
) -> Result<X509VerifyResult, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(leaf.to_owned())?;
    let mut param = X509VerifyParam::new()?;
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    set(&mut param)?;
    store.set_param(&param)?;
    verify(leaf, &Stack::new()?, &store.build())
}

/// Verifies the chain up to an authority that is trusted.
fn verify_chain(chain: &[X509], roots: &X509Store) -> Result<X509VerifyResult, ErrorStack> {
    let mut others = Stack::new()?;
    for certificate in &chain[1..] {
        others.push(certificate.clone())?;
    }
    verify(&chain[0], &others, roots)
}

fn verify(
    leaf: &X509Ref,
    others: &Stack<X509>,
    trusted: &X509Store,
) -> Result<X509VerifyResult, ErrorStack> {
    X509StoreContext::new()?.init(trusted, leaf, others, |context| {
        context.verify_cert()?;
        Ok(context.error())
    })
}

/// What trusts these authorities.
pub(in crate::net::tls) fn trusting(
    roots: impl IntoIterator<Item = X509>,
) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for root in roots {
        store.add_cert(root)?;
    }
    store.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
    Ok(store.build())
}

/// The authorities that OpenSSL knows, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. Those of a
/// directory are read when they are needed.
fn system_roots() -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    store.set_default_paths()?;
    store.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
    Ok(store.build())
}

/// All authorities of the system; `None` if it has none.
fn bundle() -> Option<X509Store> {
    let pem = BUNDLES.iter().find_map(|file| fs::read(file).ok())?;
    trusting(X509::stack_from_pem(&pem).ok()?).ok()
}

fn common_name(name: &X509NameRef) -> String {
    let entry = [Nid::COMMONNAME, Nid::ORGANIZATIONNAME]
        .into_iter()
        .find_map(|nid| name.entries_by_nid(nid).next());
    let text = entry.and_then(|entry| entry.data().to_string().ok());
    text.map_or_else(
        || "an authority without a name".to_owned(),
        |text| text.escape_debug().to_string(),
    )
}

fn is_ok(result: X509VerifyResult) -> bool {
    result == X509VerifyResult::OK
}
