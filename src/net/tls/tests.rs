//! The contract of the backends, tested on the one that is compiled in. The suites run with and
//! without the feature `openssl`. The server side waits only in `poll`; the client blocks in a thread
//! of its own.

mod certificate;
mod chain;
mod records;
mod renewal;

use std::cell::Cell;
use std::fmt::Debug;
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{
    SslConnector, SslConnectorBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509NameBuilder};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

use super::{CertificateError, Handshake, TlsAcceptor, TlsStream};

/// A test that waits this long fails.
const TIMEOUT: Duration = Duration::from_secs(20);

// --- the two ends ---------------------------------------------------------------------------------

/// The server's end: non-blocking. It can return its input one byte at a time.
#[derive(Debug)]
struct TestSocket {
    stream: UnixStream,
    /// Every read returns one byte, and every other one blocks.
    reads_single_bytes: bool,
    /// Whether the next such read succeeds.
    has_blocked: bool,
    blocked_on: Cell<PollFlags>,
}

impl TestSocket {
    fn pair() -> (TestSocket, UnixStream) {
        let (stream, client) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        client.set_read_timeout(Some(TIMEOUT)).unwrap();
        client.set_write_timeout(Some(TIMEOUT)).unwrap();
        let socket = TestSocket {
            stream,
            reads_single_bytes: false,
            has_blocked: false,
            blocked_on: Cell::new(PollFlags::empty()),
        };
        (socket, client)
    }

    fn wait(&self) {
        let timeout = Timespec { tv_sec: TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
        let mut polled = [PollFd::new(&self.stream, self.blocked_on.get())];
        assert_ne!(poll(&mut polled, Some(&timeout)), Ok(0), "the peer has stalled");
    }
}

impl Read for TestSocket {
    fn read(&mut self, mut buf: &mut [u8]) -> io::Result<usize> {
        if self.reads_single_bytes {
            self.has_blocked = !self.has_blocked;
            if self.has_blocked {
                self.blocked_on.set(PollFlags::IN);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            buf = &mut buf[..1];
        }
        self.stream.read(buf).inspect_err(|_| self.blocked_on.set(PollFlags::IN))
    }
}

impl Write for TestSocket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf).inspect_err(|_| self.blocked_on.set(PollFlags::OUT))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Finishes a handshake. Also returns how often it blocked.
fn finish(mut handshake: Handshake<TestSocket>) -> io::Result<(TlsStream<TestSocket>, usize)> {
    let mut blocked_times = 0;
    loop {
        match handshake {
            Handshake::Done(stream) => return Ok((stream, blocked_times)),
            Handshake::Blocked(blocked) => {
                blocked_times += 1;
                blocked.get_ref().wait();
                handshake = blocked.resume()?;
            }
        }
    }
}

/// Repeats a call until it does not block.
fn retry_blocked<T>(
    stream: &mut TlsStream<TestSocket>,
    mut call: impl FnMut(&mut TlsStream<TestSocket>) -> io::Result<T>,
) -> T {
    loop {
        match call(stream) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.get_ref().wait(),
            result => return result.unwrap(),
        }
    }
}

fn connector(set: impl FnOnce(&mut SslConnectorBuilder)) -> SslConnector {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    set(&mut builder);
    builder.build()
}

fn any_client() -> SslConnector {
    connector(|_| {})
}

fn connect(connector: &SslConnector, socket: UnixStream) -> SslStream<UnixStream> {
    connector.connect("localhost", socket).unwrap()
}

/// A finished handshake, with a client that then runs `client`.
fn connected<T: Send + 'static>(
    client: impl FnOnce(SslStream<UnixStream>) -> T + Send + 'static,
) -> (TlsStream<TestSocket>, JoinHandle<T>) {
    let (socket, peer) = TestSocket::pair();
    let client = thread::spawn(move || client(connect(&any_client(), peer)));
    let (stream, _) = finish(acceptor().accept(socket).unwrap()).unwrap();
    (stream, client)
}

/// The error of a handshake with this client.
fn refusal(client: impl FnOnce(UnixStream) + Send + 'static) -> io::Error {
    refusal_by(&acceptor(), client)
}

fn refusal_by(
    acceptor: &TlsAcceptor,
    client: impl FnOnce(UnixStream) + Send + 'static,
) -> io::Error {
    let (socket, peer) = TestSocket::pair();
    let client = thread::spawn(move || client(peer));
    let error = acceptor.accept(socket).and_then(finish).unwrap_err();
    client.join().unwrap();
    error
}

/// A client whose handshake fails on its side as well.
fn failing(connector: SslConnector) -> impl FnOnce(UnixStream) {
    move |socket| assert!(connector.connect("localhost", socket).is_err())
}

// --- the files ------------------------------------------------------------------------------------

const LONG_AGO: &str = "20200101000000Z";
const FAR_OFF: &str = "29990101000000Z";

fn ec_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn rsa_key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

fn date(text: &str) -> Asn1Time {
    Asn1Time::from_str(text).unwrap()
}

fn certificate(key: &PKeyRef<Private>, begin: &Asn1Time, end: &Asn1Time) -> Vec<u8> {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "localhost").unwrap();
    let name = name.build();
    let serial = Asn1Integer::from_bn(&BigNum::from_u32(1).unwrap()).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_not_before(begin).unwrap();
    builder.set_not_after(end).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build().to_pem().unwrap()
}

fn valid_certificate(key: &PKeyRef<Private>) -> Vec<u8> {
    certificate(key, &date(LONG_AGO), &date(FAR_OFF))
}

fn pkcs8(key: &PKeyRef<Private>) -> Vec<u8> {
    key.private_key_to_pem_pkcs8().unwrap()
}

/// A valid certificate and its key.
fn identity() -> (Vec<u8>, Vec<u8>) {
    let key = ec_key();
    (valid_certificate(&key), pkcs8(&key))
}

fn load(certificate: &[u8], private_key: &[u8]) -> Result<TlsAcceptor, CertificateError> {
    let directory = TempDir::new().unwrap();
    load_in(&directory, certificate, private_key)
}

fn load_in(
    directory: &TempDir,
    certificate: &[u8],
    private_key: &[u8],
) -> Result<TlsAcceptor, CertificateError> {
    let (chain, key) = (directory.path().join("chain.pem"), directory.path().join("key.pem"));
    fs::write(&chain, certificate).unwrap();
    fs::write(&key, private_key).unwrap();
    TlsAcceptor::load(&chain, &key)
}

fn acceptor() -> TlsAcceptor {
    let (certificate, key) = identity();
    load(&certificate, &key).unwrap()
}

// --- the handshake --------------------------------------------------------------------------------

#[test]
fn acceptors_can_be_shared_and_handshakes_sent_between_threads() {
    fn shared<T: Clone + Send + Sync + Debug>() {}
    fn sent<T: Send>() {}
    shared::<TlsAcceptor>();
    sent::<Handshake<TestSocket>>();
}

#[test]
fn a_handshake_blocks_until_the_client_sends() {
    let (socket, peer) = TestSocket::pair();
    let Handshake::Blocked(blocked) = acceptor().accept(socket).unwrap() else {
        panic!("the handshake finished without a client");
    };
    assert_eq!(blocked.get_ref().blocked_on.get(), PollFlags::IN);
    let Handshake::Blocked(blocked) = blocked.resume().unwrap() else {
        panic!("a resume that came too early broke the handshake");
    };

    let client = thread::spawn(move || {
        let mut stream = connect(&any_client(), peer);
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        answer
    });
    let (mut stream, _) = finish(Handshake::Blocked(blocked)).unwrap();
    let mut buf = [0; 100];
    let len = retry_blocked(&mut stream, |stream| stream.read(&mut buf));
    assert_eq!(&buf[..len], b"hello");
    assert_eq!(retry_blocked(&mut stream, |stream| stream.write(b"world")), 5);
    assert_eq!(&client.join().unwrap(), b"world");
}

#[test]
fn a_handshake_works_with_single_bytes() {
    let (mut socket, peer) = TestSocket::pair();
    socket.reads_single_bytes = true;
    let client = thread::spawn(move || connect(&any_client(), peer));
    let (_, blocked_times) = finish(acceptor().accept(socket).unwrap()).unwrap();
    // Every current ClientHello is longer than this.
    assert!(blocked_times > 100, "blocked {blocked_times} times");
    client.join().unwrap();
}

#[test]
fn the_best_version_of_the_backend_is_chosen_and_1_2_is_accepted() {
    let version = |set: fn(&mut SslConnectorBuilder)| {
        let (socket, peer) = TestSocket::pair();
        let client =
            thread::spawn(move || connect(&connector(set), peer).ssl().version_str().to_owned());
        finish(acceptor().accept(socket).unwrap()).unwrap();
        client.join().unwrap()
    };
    let best = if cfg!(feature = "openssl") { "TLSv1.3" } else { "TLSv1.2" };
    assert_eq!(version(|_| {}), best);
    let old = |client: &mut SslConnectorBuilder| {
        client.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    };
    assert_eq!(version(old), "TLSv1.2");
}

#[test]
fn the_error_of_a_failed_handshake_explains_it() {
    let check = |error: io::Error, expected: &str| {
        assert_eq!(error.to_string(), expected);
        error.kind()
    };

    let http =
        refusal(|mut socket| socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap());
    let kind = check(http, "the client speaks plain HTTP on the TLS port");
    assert_eq!(kind, io::ErrorKind::InvalidData);

    let proxy = refusal(|mut socket| socket.write_all(b"CONNECT a:443 HTTP/1.1\r\n\r\n").unwrap());
    check(proxy, "the client takes the TLS port for an HTTP proxy");

    let garbage = refusal(|mut socket| socket.write_all(&[b'x'; 100]).unwrap());
    check(garbage, "what the client sends is not TLS");

    let kind = check(refusal(drop), "the client closed the connection during the handshake");
    assert_eq!(kind, io::ErrorKind::UnexpectedEof);

    let distrusting = connector(|client| client.set_verify(SslVerifyMode::PEER));
    let refused = refusal(failing(distrusting)).to_string();
    assert!(refused.starts_with("the client does not trust the certificate (alert "), "{refused}");
}

#[test]
fn tls_1_1_is_refused() {
    let client = connector(|client| {
        client.set_min_proto_version(None).unwrap();
        client.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
        client.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
    });
    let error = refusal(failing(client));
    assert_eq!(error.to_string(), "no protocol version in common with the client");
}

#[cfg(feature = "openssl")]
#[test]
fn only_suites_with_aead_and_forward_secrecy_are_accepted() {
    let key = rsa_key(2048);
    let acceptor = load(&valid_certificate(&key), &pkcs8(&key)).unwrap();
    // CBC mode; no forward secrecy; finite-field Diffie-Hellman.
    for suite in ["ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"] {
        let client = connector(|client| {
            client.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
            client.set_cipher_list(suite).unwrap();
        });
        let error = refusal_by(&acceptor, failing(client));
        assert_eq!(error.to_string(), "no cipher suite in common with the client", "{suite}");
    }
}

// --- the stream -----------------------------------------------------------------------------------

#[test]
fn no_byte_is_lost_when_both_directions_block() {
    let sent: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (start, started) = mpsc::channel();
    let (mut stream, client) = connected(move |mut stream| {
        // The server's writes block before the client reads the first byte.
        started.recv().unwrap();
        let mut buf = vec![0; 10_000];
        loop {
            match stream.read(&mut buf).unwrap() {
                0 => return,
                len => stream.write_all(&buf[..len]).unwrap(),
            }
        }
    });

    let (mut taken, mut echoed, mut buf) = (0, Vec::new(), vec![0; 10_000]);
    let (mut blocked_writes, mut blocked_reads) = (0, 0);
    while echoed.len() < sent.len() {
        let mut wanted = PollFlags::IN;
        let mut progress = false;
        if taken < sent.len() {
            // Each attempt uses another buffer and another length.
            let offered = 20_000 + 1_000 * blocked_writes;
            let rest = sent[taken..].iter().copied().take(offered).collect::<Vec<_>>();
            match stream.write(&rest) {
                Ok(len) => (taken, progress) = (taken + len, true),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    blocked_writes += 1;
                    wanted |= PollFlags::OUT;
                    let _ = start.send(());
                }
            }
        }
        match stream.read(&mut buf) {
            Ok(len) => {
                echoed.extend_from_slice(&buf[..len]);
                progress = true;
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                blocked_reads += 1;
            }
        }
        if !progress {
            stream.get_ref().blocked_on.set(wanted);
            stream.get_ref().wait();
        }
    }
    assert!(echoed == sent, "the echo differs");
    assert!(blocked_writes > 0 && blocked_reads > 0, "{blocked_writes}, {blocked_reads}");
    stream.shutdown().unwrap();
    client.join().unwrap();
}

#[test]
fn close_notify_from_the_client_ends_reading() {
    let (mut stream, client) = connected(|mut stream| {
        stream.write_all(b"bye").unwrap();
        stream.shutdown().unwrap();
        stream
    });
    let mut buf = [0; 10];
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read(&mut buf)), 3);
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read(&mut buf)), 0);
    assert_eq!(stream.read(&mut buf).unwrap(), 0, "data after the end");
    stream.shutdown().unwrap();
    client.join().unwrap();
}

#[test]
fn a_socket_closed_without_close_notify_also_ends_reading() {
    let (mut stream, client) = connected(|mut stream| {
        stream.write_all(b"bye").unwrap();
        stream.get_ref().shutdown(Shutdown::Write).unwrap();
        stream
    });
    let mut buf = [0; 10];
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read(&mut buf)), 3);
    assert_eq!(retry_blocked(&mut stream, |stream| stream.read(&mut buf)), 0);

    drop(client.join().unwrap());
    assert!(stream.write(b"nobody is there").is_err());
    // After a failure this does nothing.
    stream.shutdown().unwrap();
}

#[test]
fn shutdown_sends_close_notify_once_and_does_not_wait_for_a_reply() {
    let (mut stream, client) = connected(|mut stream| {
        assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
        stream
    });
    stream.shutdown().unwrap();
    let _silent_client = client.join().unwrap();
    stream.shutdown().unwrap();
}

#[test]
fn shutdown_waits_for_a_blocked_write() {
    let (start, started) = mpsc::channel();
    let (mut stream, client) = connected(move |mut stream| {
        started.recv().unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received.len()
    });
    let record = [b'x'; 16_384];
    let mut taken = 0;
    while let Ok(len) = stream.write(&record) {
        taken += len;
    }
    // An empty write is no retry.
    assert_eq!(stream.write(&[]).unwrap(), 0);
    assert_eq!(stream.shutdown().unwrap_err().kind(), io::ErrorKind::ResourceBusy);

    start.send(()).unwrap();
    stream.get_ref().blocked_on.set(PollFlags::OUT);
    taken += retry_blocked(&mut stream, |stream| stream.write(&record));
    retry_blocked(&mut stream, TlsStream::shutdown);
    assert_eq!(client.join().unwrap(), taken);
}
