//! The way from the public URL, through proxies of all kinds.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::Patient;
use crate::host::{Host, Identity};

/// Serves every connection by `serve`, on a port of its own.
fn proxy(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    address
}

/// Passes everything on to the server. `patience`: how long a client may say nothing.
fn pass(client: &TcpStream, server: SocketAddr, patience: Option<Duration>) {
    let server = TcpStream::connect(server).unwrap();
    client.set_read_timeout(patience).unwrap();
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(&server, client));
        copy(client, &server);
    });
}

/// A proxy that answers with this status line.
fn answering(status: &'static str) -> SocketAddr {
    proxy(move |mut client| {
        let mut request = [0; 4_096];
        let _ = client.read(&mut request);
        let _ = write!(
            client,
            "HTTP/1.1 {status}\r\nLocation: https://www.example.org/\r\nContent-Length: 0\r\n\r\n"
        );
    })
}

/// A server for every page, and its doctor. The server pings after so long.
fn server(ping_interval_ms: u64) -> (Host, Patient) {
    let host = Host::with(|settings| {
        settings.allowed_origins = vec!["*".to_owned()];
        settings.limits.ping_interval_ms = ping_interval_ms;
    });
    let mut patient = Patient::new();
    patient.settings["limits"]["pingIntervalMs"] = json!(ping_interval_ms);
    (host, patient)
}

#[track_caller]
fn check(patient: &Patient, url: &str, severity: &str, what: &str, cure: &str) {
    patient.check_at(&[url], severity, "url", what, cure);
}

#[test]
fn a_way_that_works() {
    let (host, patient) = server(100);
    let upstream = host.endpoint.address;
    let address = proxy(move |client| pass(&client, upstream, None));
    for url in [format!("http://{address}/"), format!("ws://{address}")] {
        assert!(patient.findings(&[&url]).is_empty());
    }
}

#[test]
fn an_answer_that_is_no_websocket() {
    let patient = Patient::new();
    for (status, cure) in [
        ("200 OK", "pass HTTP/1.1 and the headers Upgrade and Connection"),
        ("400 Bad Request", "the headers Upgrade and Connection"),
        ("426 Upgrade Required", "the headers Upgrade and Connection"),
        ("301 Moved Permanently", "https://www.example.org/"),
        ("403 Forbidden", "set \"domain\""),
        ("404 Not Found", "`proxy_pass` ends in a slash"),
        ("502 Bad Gateway", "start the server"),
    ] {
        let url = format!("http://{}/", answering(status));
        check(&patient, &url, "error", &format!("answers with {status}"), cure);
    }
    let closing = proxy(drop);
    check(
        &patient,
        &format!("http://{closing}/"),
        "error",
        "no WebSocket can be opened",
        "Upgrade",
    );
}

#[test]
fn an_origin_that_the_server_refuses() {
    let host = Host::with(|settings| settings.domain = Some("chat.example.org".to_owned()));
    let url = format!("http://{}/", host.endpoint.address);
    check(&Patient::new(), &url, "error", "answers with 403", "set \"domain\" to this name");
}

#[test]
fn a_proxy_that_cuts_off_what_is_silent() {
    let (host, patient) = server(60_000);
    let upstream = host.endpoint.address;
    let address = proxy(move |client| pass(&client, upstream, Some(Duration::from_millis(300))));
    check(
        &patient,
        &format!("http://{address}/"),
        "error",
        "is cut off after 0 s",
        "proxy_read_timeout",
    );
}

#[test]
fn a_server_with_other_settings_than_those_that_the_doctor_reads() {
    let (host, mut patient) = server(60_000);
    patient.settings["limits"]["pingIntervalMs"] = json!(100);
    let url = format!("http://{}/", host.endpoint.address);
    check(&patient, &url, "warning", "no ping has come", "name them with --settings");
}

#[test]
fn a_certificate_that_clients_refuse() {
    let identity = Identity::new();
    let (certificate, key) = (identity.certificate(), identity.key());
    let host = Host::with(|settings| {
        settings.certificate = Some(certificate.clone());
        settings.private_key = Some(key.clone());
        settings.limits.ping_interval_ms = 100;
    });
    let mut patient = Patient::new();
    patient.settings["limits"]["pingIntervalMs"] = json!(100);
    let port = host.endpoint.address.port();
    let url = format!("https://localhost:{port}/");
    check(&patient, &url, "error", "clients refuse the TLS", "openssl s_client");
    // Where it is trusted, only the name counts.
    let trusting = format!("SSL_CERT_FILE={}", certificate.display());
    patient.command = vec!["env".to_owned(), trusting, env!("CARGO_BIN_EXE_wschat").to_owned()];
    assert!(patient.findings(&[&url]).is_empty());
    let other = format!("https://127.0.0.1:{port}/");
    check(&patient, &other, "error", "clients refuse the TLS", "a certificate for that name");
    let plain = answering("200 OK");
    check(
        &patient,
        &format!("https://{plain}/"),
        "error",
        "clients refuse the TLS",
        "openssl s_client",
    );
}

#[test]
fn nothing_at_the_other_end() {
    let patient = Patient::new();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&patient, &format!("http://{unused}/"), "error", "nothing can be reached", "firewall");
    // Too long for a name, so nobody has to be asked.
    let unknown = format!("https://{}.invalid/", "a".repeat(64));
    check(&patient, &unknown, "error", "has no address", "A or AAAA record");
    check(&patient, "ftp://example.org/", "error", "no URL of a web site", "https://");
}
