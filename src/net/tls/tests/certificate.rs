//! Which certificates and keys are refused, with which text, and which are accepted.

use std::{fs, io, slice};

use openssl::symm::Cipher;
use openssl::x509::X509;
use tempfile::TempDir;

use super::super::{CertificateError, Expiry, TlsAcceptor};
use super::{
    FAR_OFF, LONG_AGO, certificate, date, ec_key, identity, load, load_in, pkcs8, rsa_key,
    valid_certificate,
};

/// Checks the error text, in which the files are without their directory.
#[track_caller]
fn check(certificate: &[u8], private_key: &[u8], expected: &str) {
    let directory = TempDir::new().unwrap();
    let error = load_in(&directory, certificate, private_key).unwrap_err().to_string();
    let error = error.replace(&format!("{}/", directory.path().display()), "");
    assert_eq!(error, expected);
}

#[test]
fn comments_other_blocks_and_a_shared_file_are_accepted() {
    let (certificate, key) = identity();
    let comment: &[u8] = b"\xef\xbb\xbfBag Attributes\r\n    friendlyName: caf\xe9\r\n";
    let noisy = |pem: &[u8]| [comment, pem].concat();
    load(&noisy(&certificate), &noisy(&key)).unwrap();
    let both = [key, certificate].concat();
    load(&both, &both).unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let (certificate, key) = identity();
    let directory = TempDir::new().unwrap();
    let path = |name| directory.path().join(name);
    let refused = |certificate, key| {
        let error = TlsAcceptor::load(&path(certificate), &path(key)).unwrap_err();
        (error.file().to_owned(), error.to_string())
    };
    fs::write(path("chain.pem"), certificate).unwrap();
    fs::write(path("key.pem"), key).unwrap();
    fs::create_dir(path("it's a directory")).unwrap();
    let inside = directory.path().display();

    let (file, text) = refused("none.pem", "key.pem");
    assert_eq!(file, path("none.pem"));
    let expected =
        format!("{inside}/none.pem: there is no such file. What is there: ls -l {inside}");
    assert_eq!(text, expected);

    let (file, text) = refused("chain.pem", "it's a directory");
    assert_eq!(file, path("it's a directory"));
    let command = format!(r"ls -l '{inside}/it'\''s a directory'");
    assert!(text.ends_with(&format!("not a file. What is in it: {command}")), "{text}");

    // Root may read every file, so this error is constructed.
    let error = CertificateError::unreadable(
        "key.pem".as_ref(),
        io::Error::from(io::ErrorKind::PermissionDenied),
    );
    let expected =
        "key.pem: the user that the server runs as may not read it. Who may: namei -l key.pem";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_file_without_a_pem_block_is_refused() {
    let (certificate, key) = identity();
    check(b"\n", &key, "chain.pem: the file is empty. When it was written: ls -l chain.pem");
    check(&certificate, b"", "key.pem: the file is empty. When it was written: ls -l key.pem");
    check(
        b"hello",
        &key,
        "chain.pem: the file holds no PEM certificate. What it holds: file chain.pem",
    );
    check(
        &certificate,
        b"hello",
        "key.pem: the file holds no PEM private key. What it holds: file key.pem",
    );
}

#[test]
fn a_file_with_another_pem_block_is_refused() {
    let (certificate, key) = identity();
    let public_key = ec_key().public_key_to_pem().unwrap();
    let ssh = b"-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n";
    check(
        &key,
        &certificate,
        "chain.pem: the file holds a private key where the certificate should be; are the two \
         files swapped? What it holds: grep BEGIN chain.pem",
    );
    check(
        &certificate,
        &certificate,
        "key.pem: the file holds a certificate where the private key should be; are the two files \
         swapped? What it holds: grep BEGIN key.pem",
    );
    check(
        &public_key,
        &key,
        "chain.pem: the file holds PUBLIC KEY, not CERTIFICATE. All it holds: grep BEGIN chain.pem",
    );
    check(
        &certificate,
        &public_key,
        "key.pem: the file holds the public key; the server needs the private one. \
         Find it: grep -l 'PRIVATE KEY' *",
    );
    check(
        &certificate,
        ssh,
        "key.pem: the file holds OPENSSH PRIVATE KEY, not PRIVATE KEY. All it holds: \
         grep BEGIN key.pem",
    );
}

#[test]
fn a_file_in_der_is_refused_with_the_command_that_converts_it() {
    let (certificate, key) = identity();
    let der = X509::from_pem(&certificate).unwrap().to_der().unwrap();
    let der_key = ec_key().private_key_to_der().unwrap();
    check(
        &der,
        &key,
        "chain.pem: the certificate is in DER; the server reads PEM. Convert it: \
         openssl x509 -inform der -in chain.pem -out chain.crt.pem",
    );
    check(
        &certificate,
        &der_key,
        "key.pem: the private key is in DER; the server reads PEM. Convert it: \
         openssl pkey -inform der -in key.pem -out key.pkcs8.pem",
    );
}

#[test]
fn a_key_in_another_format_is_refused_with_the_command_that_converts_it() {
    let key = ec_key();
    let certificate = valid_certificate(&key);
    let sec1 = key.ec_key().unwrap().private_key_to_pem().unwrap();
    let pkcs1 = rsa_key(2048).rsa().unwrap().private_key_to_pem().unwrap();
    let convert = "the server reads PKCS#8. Convert it: \
                   openssl pkcs8 -topk8 -nocrypt -in key.pem -out key.pkcs8.pem";
    check(&certificate, &sec1, &format!("key.pem: the private key is in SEC1; {convert}"));
    check(&certificate, &pkcs1, &format!("key.pem: the private key is in PKCS#1; {convert}"));

    let cipher = Cipher::aes_128_cbc();
    let decrypt = "key.pem: the private key is encrypted, and nobody is there to type its \
                   passphrase when the server starts. Decrypt it: \
                   openssl pkey -in key.pem -out key.pkcs8.pem";
    let encrypted = key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap();
    check(&certificate, &encrypted, decrypt);
    let encrypted = key.ec_key().unwrap().private_key_to_pem_passphrase(cipher, b"secret").unwrap();
    check(&certificate, &encrypted, decrypt);
}

#[test]
fn a_damaged_file_is_refused() {
    let (certificate, key) = identity();
    let cut = |pem: &[u8]| pem[..pem.len() - 60].to_vec();
    let refused = |certificate: &[u8], key: &[u8], text: &str, command: &str| {
        let error = load(certificate, key).unwrap_err().to_string();
        assert!(error.contains(text) && error.contains(command), "{error}");
    };
    let second_cut = [certificate.clone(), cut(&certificate)].concat();
    refused(
        &second_cut,
        &key,
        "/chain.pem: certificate 2 in the file is damaged (",
        "pkcs7 -noout",
    );
    refused(
        &certificate,
        &cut(&key),
        "/key.pem: the private key is damaged (",
        "pkey -noout -check",
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (key, issuer) = (ec_key(), ec_key());
    let (leaf, intermediate) = (valid_certificate(&key), valid_certificate(&issuer));
    let error = load(&leaf, &pkcs8(&issuer)).unwrap_err().to_string();
    for part in [
        "/chain.pem: the certificate was not made for the private key in ",
        "Compare their public keys: openssl x509 -noout -pubkey -in ",
        "; openssl pkey -pubout -in ",
    ] {
        assert!(error.contains(part), "{error}");
    }
    check(
        &[intermediate, leaf].concat(),
        &pkcs8(&key),
        "chain.pem: the chain is in the wrong order: the private key belongs to certificate 2 of 2, \
         which must come first. Their order: openssl crl2pkcs7 -nocrl -certfile chain.pem | \
         openssl pkcs7 -noout -print_certs",
    );
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused() {
    let key = ec_key();
    let expired = certificate(&key, &date(LONG_AGO), &date("20210203040506Z"));
    let dates = "Its dates: openssl x509 -noout -dates -in chain.pem";
    check(
        &expired,
        &pkcs8(&key),
        &format!(
            "chain.pem: the certificate expired on Feb  3 04:05:06 2021 GMT; renew it. {dates}"
        ),
    );
    check(
        &certificate(&key, &date(FAR_OFF), &date(FAR_OFF)),
        &pkcs8(&key),
        &format!(
            "chain.pem: the certificate is not valid before Jan  1 00:00:00 2999 GMT, or the clock \
             is wrong (see date -u). {dates}"
        ),
    );
}

const DAY: i64 = 24 * 60 * 60;

/// When the leaf and the intermediate of the chain below expire: on 11 and 21 January 2999.
const LEAF_END: i64 = 32_473_008_000;
const INTERMEDIATE_END: i64 = LEAF_END + 10 * DAY;

/// Which certificates are in the news at this time, and whether they have expired.
#[track_caller]
fn check_news(expiry: &Expiry, now: i64, expected: &[&str]) {
    let news = expiry.news(now);
    let in_short: Vec<_> = news
        .iter()
        .map(|line| &line[line.find("chain.pem").unwrap()..line.find("; renew it.").unwrap()])
        .collect();
    assert_eq!(in_short, expected);
}

#[test]
fn the_end_of_each_certificate_is_told_once_30_14_and_3_days_before_and_after() {
    let key = ec_key();
    let leaf = certificate(&key, &date(LONG_AGO), &date("29990111000000Z"));
    let intermediate = certificate(&key, &date(LONG_AGO), &date("29990121000000Z"));
    let acceptor = load(&[leaf, intermediate].concat(), &pkcs8(&key)).unwrap();
    let expiry = acceptor.expiry();
    let leaf_ends = "chain.pem: certificate 1 of 2 expires on Jan 11 00:00:00 2999 GMT";
    let leaf_is_over = "chain.pem: certificate 1 of 2 expired on Jan 11 00:00:00 2999 GMT";
    let other_ends = "chain.pem: certificate 2 of 2 expires on Jan 21 00:00:00 2999 GMT";
    let other_is_over = "chain.pem: certificate 2 of 2 expired on Jan 21 00:00:00 2999 GMT";
    for (now, news) in [
        (0, &[][..]),
        (LEAF_END - 30 * DAY - 1, &[]),
        (LEAF_END - 30 * DAY, &[leaf_ends]),
        (LEAF_END - 20 * DAY, &[other_ends]),
        (LEAF_END - 14 * DAY - 1, &[]),
        (LEAF_END - 14 * DAY, &[leaf_ends]),
        (LEAF_END - 4 * DAY, &[other_ends]),
        (LEAF_END - 3 * DAY, &[leaf_ends]),
        (LEAF_END, &[]),
        (LEAF_END + 1, &[leaf_is_over]),
        (INTERMEDIATE_END - 3 * DAY, &[other_ends]),
        (INTERMEDIATE_END + 1, &[other_is_over]),
        (i64::MAX, &[]),
    ] {
        check_news(expiry, now, news);
        check_news(expiry, now, &[]);
    }
    // The clock was wrong, and is put right.
    check_news(expiry, i64::MIN, &[]);
    check_news(expiry, LEAF_END - 5 * DAY, &[leaf_ends, other_ends]);
}

#[test]
fn what_is_about_to_expire_is_known_at_any_time() {
    let key = ec_key();
    let leaf = certificate(&key, &date(LONG_AGO), &date("29990111000000Z"));
    let expired = certificate(&key, &date(LONG_AGO), &date("20210203040506Z"));
    let acceptor = load(&[leaf, expired].concat(), &pkcs8(&key)).unwrap();
    let expiry = acceptor.expiry();
    let state = |now| -> Vec<_> {
        expiry.state(now).iter().map(|it| (it.is_over, it.to_string())).collect()
    };
    // An intermediate may have expired, because clients may know another chain.
    let intermediate = (true, "certificate 2 of 2 expired on Feb  3 04:05:06 2021 GMT".to_owned());
    let leaf =
        |is_over, verb| (is_over, format!("certificate 1 of 2 {verb} on Jan 11 00:00:00 2999 GMT"));
    assert_eq!(state(LEAF_END - 31 * DAY), slice::from_ref(&intermediate));
    assert_eq!(state(LEAF_END - 5 * DAY), [leaf(false, "expires"), intermediate.clone()]);
    assert_eq!(state(LEAF_END), [leaf(false, "expires"), intermediate.clone()]);
    assert_eq!(state(LEAF_END + 1), [leaf(true, "expired"), intermediate]);
    let warnings = expiry.warnings(LEAF_END - 31 * DAY);
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(
        warning.contains("Feb  3 04:05:06 2021 GMT; renew it. Its subject: openssl"),
        "{warning}"
    );
}

#[test]
fn a_certificate_without_an_end_and_a_clock_far_ahead_are_understood() {
    const YEAR_10000: i64 = 253_402_300_800;
    let key = ec_key();
    let leaf = certificate(&key, &date(LONG_AGO), &date("99991231235959Z"));
    let acceptor = load(&leaf, &pkcs8(&key)).unwrap();
    check_news(acceptor.expiry(), YEAR_10000 - 31 * DAY, &[]);
    let over = "chain.pem: certificate 1 of 1 expired on Dec 31 23:59:59 9999 GMT";
    check_news(acceptor.expiry(), YEAR_10000, &[over]);
    check_news(acceptor.expiry(), YEAR_10000 + 366 * DAY, &[]);
}

#[test]
fn a_certificate_that_openssl_rejects_is_refused() {
    let weak = rsa_key(512);
    let error = load(&valid_certificate(&weak), &pkcs8(&weak)).unwrap_err().to_string();
    assert!(error.contains("OpenSSL does not serve with this certificate ("), "{error}");
    assert!(error.contains("key too small"), "{error}");
}
