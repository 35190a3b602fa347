//! The admin listener: who is answered, with what, and when.

use std::fmt::Display;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as connect_socket, socket_with,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use wschat::{Server, Settings, StartError};

use crate::client::{Client, Endpoint, Response};
use crate::host::{Host, Program, eventually, skipped};

/// The directory and the path of a socket.
pub(crate) fn socket() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    (directory, path)
}

/// A server with an admin listener at this address.
fn operated(listen: impl Display) -> Host {
    Host::with(|settings| settings.admin.listen = Some(listen.to_string()))
}

fn connect(socket: &Path) -> Client {
    let stream = UnixStream::connect(socket).unwrap();
    // Only its descriptor counts.
    let tcp = TcpStream::from(OwnedFd::from(stream));
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Client::over(tcp, &Endpoint { address, root: None })
}

pub(crate) fn ask(socket: &Path, request: &str) -> Response {
    let mut client = connect(socket);
    client.send(request);
    client.response()
}

pub(crate) fn get(socket: &Path, path: &str) -> Response {
    ask(socket, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

/// The request line, and a body of JSON if there is one.
fn request(line: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

/// The refusal has this status, and a sentence with all these words.
#[track_caller]
fn check_refused(response: &Response, status: u16, words: &[&str]) {
    assert_eq!(response.status, status, "{}", text(response));
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    let error = body["error"].as_str().expect("an error");
    for word in words {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn the_socket_is_for_its_user_alone_and_is_gone_at_the_end() {
    let (_directory, path) = socket();
    let host = operated(path.display());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(get(&path, "/healthz").body, b"ok\n");
    assert_eq!(get(&path, "/readyz").body, b"ok\n");
    let head = ask(&path, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((head.status, head.body.len()), (200, 0));
    host.stop();
    assert!(!path.exists());
}

#[test]
fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let (directory, path) = socket();
    drop(UnixListener::bind(&path).unwrap());
    let host = operated(path.display());
    assert_eq!(get(&path, "/healthz").status, 200);

    let start = |listen: &Path| {
        let mut settings = Settings { port: 0, ..Settings::default() };
        settings.admin.listen = Some(listen.display().to_string());
        Server::bind(settings).err()
    };
    let check = |listen: &Path, words: &str| {
        let error = start(listen).expect("it is refused");
        assert!(matches!(error, StartError::Admin { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&listen.display().to_string()) && text.contains(words), "{text}");
    };
    check(&path, "another server listens there");
    assert_eq!(get(&path, "/healthz").status, 200, "the first one goes on");
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    check(&file, "a file of another kind");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    check(&directory.path().join("missing/admin.sock"), "the directory of the socket must exist");
    host.stop();

    // Another server that hangs, and whose queue is full.
    let hanging = directory.path().join("hanging");
    let _listener = UnixListener::bind(&hanging).unwrap();
    let queued: Vec<OwnedFd> = std::iter::from_fn(|| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let address = SocketAddrUnix::new(&hanging).unwrap();
        connect_socket(&socket, &address).is_ok().then_some(socket)
    })
    .collect();
    assert_ne!(queued.len(), 0);
    check(&hanging, "another server listens there");
}

#[test]
fn what_is_no_request_gets_an_answer_that_says_so() {
    let (_directory, path) = socket();
    let host = operated(path.display());
    check_refused(&get(&path, "/v1/nothing"), 404, &["/v1/nothing", "/v1/status"]);
    let wrong_method = ask(&path, &request("POST /v1/status", "{}"));
    check_refused(&wrong_method, 405, &["GET only"]);
    assert!(
        wrong_method.head.to_lowercase().contains("\r\nallow: get\r\n"),
        "{}",
        wrong_method.head
    );
    check_refused(&get(&path, "/v1/kick"), 405, &["POST only"]);
    let form = request("POST /v1/kick", "user=1").replace("application/json", "text/plain");
    check_refused(&ask(&path, &form), 415, &["application/json"]);
    check_refused(&ask(&path, &request("POST /v1/kick", "user=1")), 400, &["The body is wrong"]);
    let long = request("POST /v1/announce", &"x".repeat(65_537));
    check_refused(&ask(&path, &long), 413, &["65536"]);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(9_000));
    assert_eq!(ask(&path, &head).status, 431);
    assert_eq!(ask(&path, "nonsense\r\n\r\n").status, 400);
    check_refused(&ask(&path, &request("POST /v1/reload", "{}")), 422, &["Restart it"]);
    host.stop();
}

#[test]
fn commands_over_tcp_are_not_taken_from_web_pages() {
    let host = operated("127.0.0.1:0");
    let address = host.handle.admin_addr().expect("a TCP listener");
    let admin = Endpoint { address, root: None };
    let status = |host: &str, more: &str| {
        admin.ask(format!("GET /v1/rooms HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"))
    };
    for name in ["127.0.0.1", "localhost:8777", "[::1]:8777"] {
        assert_eq!(status(name, "").status, 200, "{name}");
    }
    // A page whose own name has been made to lead to this machine.
    for name in ["rebound.example.org", "127.0.0.1.example.org:8777"] {
        check_refused(&status(name, ""), 403, &["IP address or localhost"]);
    }
    check_refused(&status("127.0.0.1", "Origin: null\r\n"), 403, &["web pages"]);
    // The source of a picture, which would make a backup.
    let embedded = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
    check_refused(&status("127.0.0.1", embedded), 403, &["web pages"]);
    assert_eq!(status("127.0.0.1", "Sec-Fetch-Site: none\r\n").status, 200, "typed by hand");
    let health = "GET /healthz HTTP/1.1\r\nHost: chat.example.org\r\nOrigin: https://a.b\r\n\r\n";
    assert_eq!(admin.ask(health).status, 200, "this tells no secret");
    host.stop();

    let host = operated("0.0.0.0:0");
    let port = host.handle.admin_addr().unwrap().port();
    let admin = Endpoint { address: SocketAddr::from(([127, 0, 0, 1], port)), root: None };
    let response = admin.ask("GET /v1/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    check_refused(&response, 403, &["this machine only"]);
    host.stop();
}

#[test]
fn half_requests_hold_up_nobody() {
    let (_directory, path) = socket();
    let host = operated(path.display());
    let mut half: Vec<Client> = (0..16).map(|_| connect(&path)).collect();
    for client in &mut half {
        client.send("GET /healthz HTTP/1.1\r\n");
    }
    // They are accepted in their order, so all of them have their places by then.
    check_refused(&get(&path, "/healthz"), 503, &["Too many requests"]);
    host.endpoint.user();
    half.pop();
    eventually("one place is free", || get(&path, "/healthz").status == 200);
    // The end of the server does not wait for them.
    host.stop();
    for mut client in half {
        client.expect_cut();
    }
}

#[test]
fn it_answers_when_the_server_is_full() {
    let (_directory, path) = socket();
    let host = Host::with(|settings| {
        settings.admin.listen = Some(path.display().to_string());
        settings.limits.max_connections = 1;
    });
    let _only = host.endpoint.user();
    let ask = |path: &str| {
        host.endpoint.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).status
    };
    assert_eq!(ask("/"), 503);
    assert_eq!(ask("/health"), 200);
    assert_eq!(get(&path, "/readyz").status, 200);
}

#[test]
fn it_answers_while_the_server_drains_and_says_that_it_does() {
    let (_directory, path) = socket();
    let host = operated(path.display());
    // It does not close, so the drain takes a while.
    let stubborn = host.endpoint.user();
    host.handle.shutdown();
    let ready = get(&path, "/readyz");
    assert_eq!((ready.status, &*text(&ready)), (503, "The server is stopping.\n"));
    assert_eq!(get(&path, "/healthz").status, 200);
    let status: Value = serde_json::from_slice(&get(&path, "/v1/status").body).unwrap();
    assert_eq!(status["isDraining"], true);
    check_refused(
        &ask(&path, &request("POST /v1/announce", r#"{"text":"x"}"#)),
        503,
        &["stopping"],
    );
    drop(stubborn);
    host.handle.join().unwrap();
    assert!(!path.exists());
}

#[test]
fn the_status_shows_how_the_server_fares() {
    let (directory, path) = socket();
    let file = directory.path().join("wschat.db");
    let host = Host::with(|settings| {
        settings.admin.listen = Some(path.display().to_string());
        settings.history.file = Some(file.clone());
    });
    let _user = host.endpoint.user();
    let status: Value = serde_json::from_slice(&get(&path, "/v1/status").body).unwrap();
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"), "features": wschat::FEATURES,
        "pid": std::process::id(), "listening": [host.endpoint.address.to_string()],
        "connections": 1, "maxConnections": 4096, "users": 1, "awayUsers": 0, "rooms": 3,
        "health": [], "certificate": null, "isDraining": false,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(status[key], *value, "{key}");
    }
    assert_eq!(status["history"]["file"], file.canonicalize().unwrap().display().to_string());
    assert_eq!(status["history"]["isSaving"], true);
    for key in ["startedAt", "residentBytes", "threads", "openFiles", "maxOpenFiles"] {
        assert!(status[key].as_u64().unwrap() > 0, "{key}");
    }
    fs::remove_file(&file).unwrap();
    let fails = || get(&path, "/readyz").status == 503;
    eventually("nothing can be saved", fails);
    assert_eq!(get(&path, "/healthz").status, 200);
    let status: Value = serde_json::from_slice(&get(&path, "/v1/status").body).unwrap();
    assert_eq!(status["history"]["isSaving"], false);
    assert!(status["health"][0].as_str().unwrap().contains("cannot be saved"), "{status}");
}

#[test]
fn the_service_has_a_socket_in_its_directory_and_reloads_by_command() {
    let (directory, path) = socket();
    let preparation = format!("export RUNTIME_DIRECTORY={}:/other", directory.path().display());
    let program = Program::start_after(&preparation, json!({}));
    let reload = || ask(&path, &request("POST /v1/reload", "{}"));
    let settings = |text: &str| fs::write(program.file("settings.json"), text).unwrap();
    settings(r#"{"port":0,"host":"127.0.0.2","rooms":["Lobby"]}"#);
    assert_eq!(text(&reload()), "{\"needsRestart\":[\"host\"]}\n");
    let rooms: Value = serde_json::from_slice(&get(&path, "/v1/rooms").body).unwrap();
    assert_eq!(rooms["rooms"][0]["title"], "Lobby");
    settings(r#"{"prot":0}"#);
    check_refused(&reload(), 422, &["prot is not a setting; did you mean port?"]);
}

/// Stops the thread whose id it gets, until its input ends. The numbers are `PTRACE_SEIZE`, `PTRACE_INTERRUPT`
/// and, when it ends, the detachment by the system.
const FREEZE: &str = r#"
import ctypes, sys
libc, thread = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
for request in 0x4206, 0x4207:
    if libc.ptrace(request, thread, None, None) != 0:
        sys.exit("ptrace: %d" % ctypes.get_errno())
print("frozen", flush=True)
sys.stdin.read()
"#;

#[test]
fn a_stuck_dispatcher_is_told_by_health_and_in_the_log() {
    let (_directory, path) = socket();
    let program = Program::start(json!({ "admin": { "listen": path } }));
    // Who answers has its name by then.
    assert_eq!(get(&path, "/healthz").status, 200);
    let tasks = fs::read_dir(format!("/proc/{}/task", program.id())).unwrap();
    let dispatcher = tasks
        .map(|task| task.unwrap().path())
        .find(|task| fs::read_to_string(task.join("comm")).unwrap() == "dispatcher\n")
        .expect("it has a dispatcher");
    let mut freezer = Command::new("python3")
        .args(["-c", FREEZE, dispatcher.file_name().unwrap().to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(freezer.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    if said != "frozen\n" {
        freezer.wait().unwrap();
        skipped("this system lets no process stop a thread of another");
        return;
    }
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let public = || program.endpoint.ask(health).status;
    // An answer of the dispatcher counts for 100 ms.
    eventually("health tells it", || public() == 503);
    assert_eq!(get(&path, "/healthz").status, 503);
    assert!(text(&get(&path, "/readyz")).contains("stuck"));
    let metrics = text(&get(&path, "/metrics"));
    assert!(metrics.contains("\nwschat_dispatcher_up 0\n"), "the rest is there: {metrics}");
    eventually("it is logged", || program.log().contains("the dispatcher has been stuck for"));
    drop(freezer.stdin.take());
    freezer.wait().unwrap();
    eventually("it works again", || public() == 200 && get(&path, "/readyz").status == 200);
    eventually("that is logged", || program.log().contains("the dispatcher works again"));
}
