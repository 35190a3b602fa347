//! Chains that clients refuse, and what is said of them.

use std::path::Path;

use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::stack::StackRef;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Extension, X509NameBuilder};

use super::super::certificate::{name_finding, trust_finding, trusting};
use super::*;

/// Somebody who has a certificate, and can sign others.
struct Holder {
    key: PKey<Private>,
    certificate: X509,
}

impl Holder {
    /// With these extensions, signed by `issuer`, or else by itself.
    fn new(name: &str, issuer: Option<&Holder>, extensions: Vec<X509Extension>) -> Self {
        let key = ec_key();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&subject).unwrap();
        let issuer_name = issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name());
        builder.set_issuer_name(issuer_name).unwrap();
        builder.set_not_before(&date(LONG_AGO)).unwrap();
        builder.set_not_after(&date(FAR_OFF)).unwrap();
        builder.set_pubkey(&key).unwrap();
        for extension in extensions {
            builder.append_extension(extension).unwrap();
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        builder.sign(signer, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }

    fn authority(name: &str, issuer: Option<&Holder>) -> Self {
        Self::new(name, issuer, vec![BasicConstraints::new().critical().ca().build().unwrap()])
    }

    fn server(issuer: &Holder) -> Self {
        Self::new("server", Some(issuer), vec![])
    }
}

fn pem(chain: &[&Holder]) -> Vec<u8> {
    chain.iter().flat_map(|holder| holder.certificate.to_pem().unwrap()).collect()
}

#[track_caller]
fn check_refused(chain: &[&Holder], part: &str) {
    let error = load(&pem(chain), &pkcs8(&chain[0].key)).unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn a_certificate_that_has_not_signed_the_one_before_it_is_refused() {
    let root = Holder::authority("root", None);
    let (one, two) = (Holder::authority("one", Some(&root)), Holder::authority("two", Some(&root)));
    let server = Holder::server(&one);
    load(&pem(&[&server, &one, &root]), &pkcs8(&server.key)).unwrap();
    let reason =
        "has not signed the one before it, so clients refuse the chain: it is in the wrong";
    check_refused(&[&server, &two], &format!("certificate 2 of 2 {reason}"));
    check_refused(&[&server, &root, &one], &format!("certificate 2 of 3 {reason}"));
    check_refused(&[&server, &one, &two], &format!("certificate 3 of 3 {reason}"));
    // Of the same name, with another key.
    check_refused(&[&server, &Holder::authority("one", Some(&root))], "certificate 2 of 2");
}

#[test]
fn the_whole_chain_is_sent() {
    let root = Holder::authority("root", None);
    let server = Holder::server(&root);
    let acceptor = load(&pem(&[&server, &root]), &pkcs8(&server.key)).unwrap();
    let (socket, peer) = TestSocket::pair();
    let client = thread::spawn(move || {
        let stream = connect(&any_client(), peer);
        stream.ssl().peer_cert_chain().map(StackRef::len)
    });
    finish(acceptor.accept(socket).unwrap()).unwrap();
    assert_eq!(client.join().unwrap(), Some(2));
}

#[test]
fn a_certificate_for_another_purpose_is_refused() {
    let root = Holder::authority("root", None);
    let usage = |usage: &mut ExtendedKeyUsage| vec![usage.build().unwrap()];
    let mail = usage(ExtendedKeyUsage::new().email_protection());
    let reason = "the certificate is not for servers, so clients refuse it";
    check_refused(&[&Holder::new("mail", Some(&root), mail)], reason);
    let client = usage(ExtendedKeyUsage::new().client_auth());
    check_refused(&[&Holder::new("client", None, client)], reason);
    let both = usage(ExtendedKeyUsage::new().client_auth().server_auth());
    let server = Holder::new("server", Some(&root), both);
    load(&pem(&[&server]), &pkcs8(&server.key)).unwrap();

    let authority = Holder::authority("one", Some(&root));
    check_refused(&[&authority], "this is the certificate of an authority (CA:TRUE)");
    load(&pem(&[&root]), &pkcs8(&root.key)).unwrap();
}

/// What is said of a chain by a system that knows these authorities, and where OpenSSL knows none.
fn trust(chain: &[&Holder], roots: Option<&[&Holder]>) -> String {
    let chain: Vec<X509> = chain.iter().map(|holder| holder.certificate.clone()).collect();
    let certificates = |holders: &[&Holder]| -> Vec<X509> {
        holders.iter().map(|holder| holder.certificate.clone()).collect()
    };
    let bundle = || roots.map(|roots| trusting(certificates(roots)).unwrap());
    let nobody = trusting([]).unwrap();
    let finding = trust_finding(&chain, Path::new("chain.pem"), &nobody, bundle).unwrap();
    finding.unwrap_or_default()
}

#[test]
fn a_chain_that_leads_to_no_known_authority_is_told() {
    let root = Holder::authority("The Root", None);
    let one = Holder::authority("The One", Some(&root));
    let server = Holder::server(&one);
    let known = Some(&[&root][..]);
    for complete in [&[&server, &one][..], &[&server, &one, &root]] {
        assert_eq!(trust(complete, known), "");
    }
    let incomplete = trust(&[&server], known);
    assert!(incomplete.contains("the certificate of The One is missing"), "{incomplete}");
    assert!(incomplete.contains("fullchain.pem"), "{incomplete}");
    let unknown = trust(&[&server, &one, &root], Some(&[]));
    assert!(
        unknown.contains("an authority that this system does not know (The Root)"),
        "{unknown}"
    );
    let alone = trust(&[&root], known);
    assert_eq!(alone, "", "this system trusts it");
    let alone = trust(&[&root], Some(&[]));
    assert!(alone.contains("signed by itself"), "{alone}");
    // Where no authority is known, a server's certificate alone is still too little.
    assert!(trust(&[&server], None).contains("the certificate of The One is missing"));
    assert_eq!(trust(&[&server, &one], None), "");
}

#[test]
fn a_certificate_for_another_name_is_told() {
    let names = SubjectAlternativeName::new()
        .dns("chat.example.org")
        .dns("*.example.net")
        .ip("192.0.2.1")
        .ip("2001:db8::1")
        .build(&X509::builder().unwrap().x509v3_context(None, None))
        .unwrap();
    // The name of the subject is not looked at, as browsers do not.
    let server = Holder::new("old.example.org", None, vec![names]);
    let finding =
        |domain| name_finding(&server.certificate, Path::new("chain.pem"), domain).unwrap();
    let good =
        ["chat.example.org", "Chat.Example.ORG.", "a.example.net", "192.0.2.1", "[2001:db8::1]"];
    for domain in good.into_iter().chain(["2001:DB8:0::1"]) {
        assert_eq!(finding(domain), None, "{domain}");
    }
    let bad = ["example.org", "old.example.org", "example.net", "a.b.example.net", "192.0.2.2"];
    for domain in bad.into_iter().chain(["[2001:db8::2]"]) {
        let text = finding(domain).expect(domain);
        let expected = format!(
            "chain.pem: the certificate is for chat.example.org, *.example.net, 192.0.2.1, 2001:db8::1 and not for \
             {domain}, which is the \"domain\" of the settings"
        );
        assert!(text.starts_with(&expected), "{text}");
    }
    let nameless = Holder::new("chat.example.org", None, vec![]);
    let text = name_finding(&nameless.certificate, Path::new("chain.pem"), "chat.example.org");
    assert!(text.unwrap().unwrap().contains("is for no name and not for chat.example.org"));
}

#[test]
fn a_short_key_is_told() {
    let key = rsa_key(1_024);
    // Where OpenSSL itself does not refuse it.
    if let Ok(acceptor) = load(&valid_certificate(&key), &pkcs8(&key)) {
        let findings = acceptor.findings(Path::new("chain.pem"), None).join("\n");
        assert!(findings.contains("has only 1024 bits"), "{findings}");
    }
}
