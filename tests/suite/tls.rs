//! What TLS changes on the wire. `transcripts` shows that the chat itself is the same.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use serde_json::json;
use wschat::{Server, Settings};

use crate::client::{Client, Endpoint};
use crate::frame::{self, TEXT};
use crate::host::{Host, Identity, Program, eventually};

/// Texts of up to a million characters, without a rate limit.
fn roomy(settings: &mut Settings) {
    let limits = &mut settings.limits;
    limits.max_text_chars = 1_000_000;
    limits.max_message_bytes = 4 << 20;
    limits.outbox_max_bytes = 64 << 20;
    limits.messages_per_second = 0.0;
}

#[test]
fn the_page_over_https() {
    let host = Host::with_tls(|_| {});
    let response = host.endpoint.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-length"), response.body.len().to_string());
    assert!(response.text().to_ascii_lowercase().starts_with("<!doctype html>"));
}

#[test]
fn frames_of_many_records_both_ways() {
    let host = Host::with_tls(roomy);
    let mut user = host.endpoint.member();
    for text in ["x".repeat(1_000_000), "😀".repeat(500_000), "y".repeat(16_384)] {
        user.say(&text);
        let told = user.text();
        let expected =
            format!(r#"{{"type":"text","text":"{text}","from":{{"id":1,"name":"User 1"}}}}"#);
        assert!(told == expected, "{} bytes came back as {}", text.len(), told.len());
    }
}

#[test]
fn both_ways_at_once() {
    let host = Host::with_tls(roomy);
    let mut one = host.endpoint.member();
    let mut two = host.endpoint.member();
    one.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    // Both send far more than the sockets hold before either reads.
    let text = |number: usize| format!("{number:020000}");
    for number in 0..200 {
        one.say(&text(number));
        two.say(&text(number));
    }
    for member in [&mut one, &mut two] {
        let mut heard = [0, 0];
        for _ in 0..400 {
            let told = member.text();
            let author = usize::from(told.contains(r#""from":{"id":2,"#));
            assert!(told.contains(&text(heard[author])), "text {} is next", heard[author]);
            heard[author] += 1;
        }
        assert_eq!(heard, [200, 200]);
        member.expect_nothing_more();
    }
}

#[test]
fn many_frames_in_one_record() {
    let host = Host::with_tls(roomy);
    let mut user = host.endpoint.user();
    // They wait decrypted inside the TLS library, where `poll` does not see them.
    user.send(frame::masked(TEXT, b"x").repeat(2_000));
    for _ in 0..2_000 {
        user.expect_error("bad_json");
    }
    user.expect_nothing_more();
}

#[test]
fn a_flood_of_tiny_records_holds_up_nobody_else() {
    const FLOODERS: usize = 8;
    const TEXTS: usize = 20;
    /// How many records the flooders may send meanwhile. When the dispatcher waited for sessions that
    /// decrypt, that was three times as many; now it is a third.
    const RECORDS: isize = 3_000_000;

    let host = Host::with_tls(roomy);
    let mut speaker = host.endpoint.member();
    let mut listener = host.endpoint.member();
    // They are in the same room, so the server has to send every text to them as well.
    let flooders: Vec<Client> = (0..FLOODERS).map(|_| host.endpoint.member()).collect();
    let records_left = &AtomicIsize::new(RECORDS);
    let flooding = &AtomicUsize::new(0);
    thread::scope(|scope| {
        for mut flooder in flooders {
            scope.spawn(move || flood_with_records(&mut flooder, records_left, flooding));
        }
        eventually("all are flooding", || flooding.load(Ordering::Relaxed) == FLOODERS);
        for number in 0..TEXTS {
            speaker.say(&format!("text {number}"));
            let from = r#""from":{"id":1,"name":"User 1"}"#;
            let told = format!(r#"{{"type":"text","text":"text {number}",{from}}}"#);
            while listener.text() != told {}
            while speaker.text() != told {}
        }
        let left = records_left.swap(0, Ordering::Relaxed);
        assert!(left > 0, "the flood ended before the last text");
    });
}

/// Sends a text that does not end, each byte in a record of its own, until no records are left.
fn flood_with_records(flooder: &mut Client, records_left: &AtomicIsize, flooding: &AtomicUsize) {
    // The server always has more records to read.
    flooder.cork();
    flooder.send(frame::header(TEXT, 4 << 20));
    for _ in 0..10_000 {
        flooder.try_send(b"x").expect("the server lets it flood");
    }
    flooding.fetch_add(1, Ordering::Relaxed);
    while records_left.fetch_sub(1, Ordering::Relaxed) > 0 {
        flooder.send(b"x");
    }
}

#[test]
fn a_peer_that_closes_without_close_notify() {
    let host = Host::with_tls(|_| {});
    let mut witness = host.endpoint.member();
    let one = host.endpoint.member();
    witness.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    one.shut_down_writing();
    witness.expect(r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#);
    let two = host.endpoint.member();
    witness.expect(r#"{"type":"enter_room","user":{"id":3,"name":"User 3"}}"#);
    drop(two);
    witness.expect(r#"{"type":"leave_room","user":{"id":3,"name":"User 3"}}"#);
    witness.expect_nothing_more();
}

#[test]
fn bytes_that_are_not_tls_are_disconnected() {
    let host = Host::with_tls(|_| {});
    let mut user = host.endpoint.user();
    let bare = Endpoint { address: host.endpoint.address, root: None };
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ] {
        let mut client = bare.connect();
        client.send(bytes);
        let answer = client.read_to_cut();
        // At most a TLS alert (RFC 8446 §6): a header and two bytes.
        assert!(answer.is_empty() || (answer[0] == 0x15 && answer.len() == 7), "{answer:x?}");
    }
    user.expect_nothing_more();
    host.endpoint.user().close();
}

#[test]
fn a_client_that_rejects_the_certificate_affects_nobody_else() {
    let host = Host::with_tls(|_| {});
    let other = Host::with_tls(|_| {});
    let mistaken = Endpoint { address: host.endpoint.address, root: other.endpoint.root.clone() };
    assert!(mistaken.try_tls().is_err());
    host.endpoint.user().close();
}

/// Asks for `/health`, whether or not the certificate is valid.
fn health(address: SocketAddr) -> String {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let connector = connector.build();
    let mut stream = connector.connect("localhost", TcpStream::connect(address).unwrap()).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    format!("{} {body}", head.split(' ').nth(1).unwrap())
}

#[test]
fn a_certificate_that_expires_while_serving_is_told_until_it_is_renewed() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // Long enough for the first look, also on a busy machine.
    let end = Asn1Time::from_unix((now + 5).try_into().unwrap()).unwrap();
    let identity = Identity::until(&end);
    let files = json!({ "certificate": identity.certificate(), "privateKey": identity.key() });
    let program = Program::start(files);
    let host = Host::with(|settings| {
        settings.certificate = Some(identity.certificate());
        settings.private_key = Some(identity.key());
    });
    let address = host.endpoint.address;
    let date = &*end;
    let coming = format!("certificate 1 of 1 expires on {date}; renew it.");
    let over = format!("certificate 1 of 1 expired on {date}");
    let count = |what: &str| program.log().matches(what).count();
    assert_eq!(health(address), format!("200 ok\nwarning: {coming}\n"));
    program.expect_log(&coming);
    assert_eq!((count(&coming), count(&over)), (1, 0));

    let refused =
        format!("503 503 Service Unavailable\nTLS: {over}, so clients refuse it; renew it.\n");
    eventually("the certificate has expired", || health(address) == refused);
    eventually("the log tells it when somebody connects", || {
        health(program.endpoint.address);
        count(&over) > 0
    });
    health(program.endpoint.address);
    assert_eq!((count(&coming), count(&over)), (1, 1), "{}", program.log());

    let renewed = Identity::new();
    fs::copy(renewed.certificate(), identity.certificate()).unwrap();
    fs::copy(renewed.key(), identity.key()).unwrap();
    let mut settings = Settings { port: 0, ..Settings::default() };
    settings.certificate = Some(identity.certificate());
    settings.private_key = Some(identity.key());
    host.handle.reload(settings).unwrap();
    assert_eq!(health(address), "200 ok\n");
}

#[test]
fn what_clients_do_not_like_about_a_certificate_is_told_by_the_check() {
    let identity = Identity::new();
    let check = |domain: Option<&str>| {
        let settings = Settings {
            certificate: Some(identity.certificate()),
            private_key: Some(identity.key()),
            domain: domain.map(str::to_owned),
            ..Settings::default()
        };
        let warnings = Server::check(&settings).expect("it can be used");
        warnings.into_iter().filter(|line| line.contains("certificate.pem")).collect::<Vec<_>>()
    };
    for (domain, named) in
        [(None, false), (Some("localhost"), false), (Some("chat.example.org"), true)]
    {
        let warnings = check(domain).join("\n");
        assert!(warnings.contains("the certificate is signed by itself"), "{warnings}");
        let is_named = warnings.contains("is for localhost and not for chat.example.org");
        assert_eq!(is_named, named, "{warnings}");
    }
}
