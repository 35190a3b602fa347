//! What the server listens on: all addresses of a name, Unix sockets, and sockets of systemd.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use wschat::{Listening, Server, ServerHandle, Settings};

use crate::client::{Client, Endpoint, UPGRADE};
use crate::host::{Host, Identity, Program, end_of, eventually, skipped};

fn settings(listen: &[&str]) -> Settings {
    let listen = listen.iter().map(|address| (*address).into()).collect();
    Settings { listen, ..Settings::default() }
}

fn start(listen: &[&str]) -> ServerHandle {
    Server::start(settings(listen)).expect("the server starts")
}

/// The error of a server that cannot listen.
#[track_caller]
fn refused(listen: &[&str]) -> String {
    Server::start(settings(listen)).expect_err("it cannot listen").to_string()
}

fn tcp_addresses(handle: &ServerHandle) -> Vec<SocketAddr> {
    let tcp = |listening: &Listening| match listening {
        Listening::Tcp(address) => Some(*address),
        _ => None,
    };
    handle.listening().iter().filter_map(tcp).collect()
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { address, root: None }
}

/// Connects to a Unix socket.
pub(crate) fn connect_unix(path: &Path) -> Client {
    let socket = UnixStream::connect(path).expect("the server listens");
    // Reading and writing are the same for both.
    let endpoint = endpoint((Ipv4Addr::UNSPECIFIED, 0).into());
    Client::over(TcpStream::from(OwnedFd::from(socket)), &endpoint)
}

#[track_caller]
fn expect_user(mut client: Client) -> Client {
    client.send(UPGRADE);
    client.expect_switch();
    client.expect_welcome();
    client
}

#[test]
fn all_addresses_of_a_name_have_the_same_port() {
    let settings = Settings { host: "localhost".into(), port: 0, ..Settings::default() };
    let handle = Server::start(settings).unwrap();
    let addresses = tcp_addresses(&handle);
    // An address that this machine lacks is left out.
    let is_there = |address: &SocketAddr| TcpListener::bind((address.ip(), 0)).is_ok();
    let named = ("localhost", handle.local_addr().port()).to_socket_addrs().unwrap();
    for address in named.filter(is_there) {
        assert!(addresses.contains(&address), "{addresses:?}");
    }
    for address in addresses {
        endpoint(address).user();
    }
}

#[test]
fn clients_of_all_addresses_are_in_one_chat() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ws.sock");
    let unix = format!("unix:{}", path.display());
    let handle = start(&["127.0.0.1:0", &unix, "127.0.0.2:0"]);
    let mut members: Vec<Client> = vec![connect_unix(&path).into_user().into_member()];
    members.extend(tcp_addresses(&handle).into_iter().map(|address| endpoint(address).member()));
    assert_eq!(members.len(), 3);
    members[0].say("to all");
    for member in &mut members {
        member.skip_to("text");
    }
    handle.shutdown();
    for member in &mut members {
        assert_eq!(member.skip_to_close().0, 1001);
    }
    drop(members);
    handle.join().unwrap();
    assert!(!path.exists(), "it is removed at the end");
}

#[test]
fn both_kinds_of_every_address_may_be_named() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        skipped("there is no IPv6 here");
        return;
    }
    let port = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port();
    let handle = start(&[&format!("[::]:{port}"), &format!("0.0.0.0:{port}")]);
    endpoint((Ipv6Addr::LOCALHOST, port).into()).user();
    endpoint((Ipv4Addr::LOCALHOST, port).into()).user();
    drop(handle);
}

#[test]
fn an_address_that_cannot_be_used_is_named_and_nothing_stays_open() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.3:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let path = directory.path().join("ws.sock");
    let unix = format!("unix:{}", path.display());
    let text = refused(&[&unix, &format!("127.0.0.3:{port}")]);
    assert!(text.contains(&format!("127.0.0.3 port {port}")), "{text}");
    assert!(text.contains("another program listens there"), "{text}");
    assert!(!path.exists());
    let text = refused(&["203.0.113.99:0"]);
    assert!(text.contains("no network interface here has this address"), "{text}");
}

#[test]
fn a_socket_that_is_in_use_is_refused_and_one_that_was_left_behind_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ws.sock");
    let unix = format!("unix:{}", path.display());
    let left_behind = UnixListener::bind(&path).unwrap();
    let text = refused(&[&unix]);
    assert!(text.contains(&unix) && text.contains("another program listens there"), "{text}");
    drop(left_behind);
    assert!(path.exists());
    let handle = start(&[&unix]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    assert_eq!(handle.listening(), [Listening::Unix(path.clone())]);
    expect_user(connect_unix(&path)).close();
    // Another one in its place is not removed.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "notes").unwrap();
    drop(handle);
    let text = refused(&[&unix]);
    assert!(text.contains("no socket"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"notes");
    let text = refused(&[&format!("{unix}/missing")]);
    assert!(text.contains("cannot listen on unix:"), "{text}");
}

#[test]
fn a_unix_socket_has_no_tls_and_tcp_has() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ws.sock");
    let identity = Identity::new();
    let handle = Server::start(Settings {
        certificate: Some(identity.certificate()),
        private_key: Some(identity.key()),
        ..settings(&["127.0.0.1:0", &format!("unix:{}", path.display())])
    })
    .unwrap();
    let root = Some(identity.root.clone());
    Endpoint { address: handle.local_addr(), root }.user().close();
    expect_user(connect_unix(&path)).close();
}

#[test]
fn what_connects_to_a_unix_socket_is_a_trusted_proxy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ws.sock");
    let mut settings = settings(&[&format!("unix:{}", path.display())]);
    settings.limits.max_connections_per_ip = 2;
    let handle = Server::start(settings).unwrap();
    let from = |field: &str| {
        let mut client = connect_unix(&path);
        client.send(UPGRADE.replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n")));
        client
    };
    let status = |mut client: Client| client.response().status;
    let mut taken = Vec::new();
    for field in ["X-Forwarded-For: 203.0.113.7", "Forwarded: for=\"203.0.113.7:80\""] {
        let mut client = from(field);
        client.expect_switch();
        client.expect_welcome();
        taken.push(client);
    }
    assert_eq!(status(from("X-Forwarded-For: 203.0.113.7")), 503);
    // The second hop is not a trusted proxy, so it is the client.
    assert_eq!(status(from("X-Forwarded-For: 198.51.100.1, 203.0.113.7")), 503);
    for _ in 0..5 {
        let mut client = from("X-Forwarded-For: ");
        client.expect_switch();
        taken.push(client);
    }
    drop(handle);
}

/// Starts the program with these sockets from descriptor 3 on, as systemd does.
fn start_activated(socket: OwnedFd, listen: &str) -> (std::process::Child, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let text = json!({ "listen": [listen] }).to_string();
    fs::write(directory.path().join("settings.json"), text).unwrap();
    let script = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" --settings settings.json";
    let child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_wschat")])
        .current_dir(&directory)
        .stdin(socket)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (child, directory)
}

#[test]
fn sockets_of_systemd_are_served_and_stay() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(listener.local_addr().unwrap());
    for _ in 0..2 {
        // Somebody who comes while no server runs is served by the next one.
        let early = endpoint.connect();
        let socket = listener.try_clone().unwrap();
        let (mut child, _directory) = start_activated(socket.into(), "systemd");
        expect_user(early).close();
        let kill = format!("kill -TERM {}", child.id());
        Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(end_of(&mut child).success());
    }
}

#[test]
fn a_unix_socket_of_systemd_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ws.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (mut child, _directory) = start_activated(listener.into(), "systemd");
    expect_user(connect_unix(&path)).close();
    Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap();
    assert!(end_of(&mut child).success());
    assert!(path.exists());
}

#[test]
fn without_a_socket_of_systemd_the_error_says_so() {
    let text = refused(&["systemd"]);
    assert!(text.contains("systemd has passed no socket"), "{text}");
    let connection = TcpStream::connect(Host::start().endpoint.address).unwrap();
    let (child, _directory) = start_activated(connection.into(), "systemd");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("Accept=no"), "{text}");
}

#[test]
fn the_program_names_all_that_it_listens_on() {
    let program = Program::start(json!({ "host": "localhost" }));
    let port = program.endpoint.address.port();
    eventually("the log names them", || {
        let log = program.log();
        log.contains("listening on ") && log.contains(&format!("127.0.0.1:{port}"))
    });
}
