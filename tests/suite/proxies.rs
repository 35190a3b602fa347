//! Behind nginx and Caddy of Debian, with the configuration that `wschat print` prints, as it stands: in a network
//! of its own, where every port is free.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslStream, SslVerifyMode};
use rustix::net::{AddressFamily, SocketType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{ACCEPT, KEY, PATIENCE};
use crate::host::{Identity, eventually};

/// Set for the test's own process in a network of its own.
const INSIDE: &str = "WSCHAT_TEST_NETWORK";

/// The name of the site.
const SITE: &str = "chat.example.org";

/// The address of the client. It is not that of the proxy.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// Runs `test`, which is all that the test of this name does, in a network of its own.
fn in_own_network(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        run("ip", ["link", "set", "lo", "up"]);
        test();
        return;
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program}");
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Unlike SIGKILL, it ends the workers of nginx as well.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let until = Instant::now() + PATIENCE;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server with these settings, and a proxy in front of it.
struct Site {
    folder: TempDir,
    processes: Vec<Process>,
    /// Whether the proxy has a certificate.
    has_tls: bool,
}

impl Site {
    fn start(settings: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Self { folder, processes: Vec::new(), has_tls: false };
        fs::write(site.file("settings.json"), settings.to_string()).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_wschat"));
        server.args(["--settings", &site.file("settings.json")]).stdout(Stdio::piped());
        let mut server = site.spawn(&mut server);
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains(" is open at "), "{line}");
        site.processes.push(server);
        site
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn spawn(&self, command: &mut Command) -> Process {
        let errors = fs::File::options().append(true).create(true).open(self.file("log")).unwrap();
        Process(command.stderr(errors).spawn().unwrap())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap()
    }

    /// What `wschat print` prints, as a file.
    fn print(&self, arguments: &[&str]) -> String {
        let settings = self.file("settings.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_wschat"));
        let output = command.arg("print").args(arguments).args(["--settings", &settings]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("settings"), "it lacks nothing");
        fs::write(self.file("snippet"), output.stdout).unwrap();
        self.file("snippet")
    }

    fn start_nginx(&mut self, path: &str) {
        let snippet = self.print(&["nginx", "--path", path]);
        let include = format!("include {snippet};");
        let site = match path {
            "/" => include,
            _ => format!("server {{ listen 80; server_name {SITE}; {include} }}"),
        };
        let folder = self.folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind}; "))
            .concat();
        let configuration = format!(
            "user root; daemon off; pid {folder}/pid; error_log stderr; events {{}} \
             http {{ access_log off; {temporary} {site} }}"
        );
        fs::write(self.file("nginx.conf"), configuration).unwrap();
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.args(["-p", &self.file("."), "-c", &self.file("nginx.conf"), "-e", "stderr"]);
        let nginx = self.spawn(&mut nginx);
        self.processes.push(nginx);
        self.wait_for_port(80);
    }

    fn start_caddy(&mut self, path: &str) {
        let snippet = self.print(&["caddy", "--path", path]);
        let site = match path {
            "/" => format!("import {snippet}"),
            _ => format!("{SITE} {{\nimport {snippet}\n}}"),
        };
        let folder = self.folder.path().display();
        // No authority would give out a certificate here, so Caddy makes its own.
        let options = format!(
            "admin off\nlocal_certs\nskip_install_trust\nstorage file_system {folder}/caddy"
        );
        fs::write(self.file("Caddyfile"), format!("{{\n{options}\n}}\n{site}\n")).unwrap();
        let mut caddy = Command::new("caddy");
        caddy.args(["run", "--adapter", "caddyfile", "--config", &self.file("Caddyfile")]);
        let caddy = self.spawn(caddy.env("HOME", self.folder.path()).stdout(Stdio::null()));
        self.processes.push(caddy);
        self.has_tls = true;
        self.wait_for_port(443);
    }

    fn wait_for_port(&self, port: u16) {
        eventually(&format!("the proxy listens on port {port}"), || {
            let is_open = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            if self.has_tls { is_open && connect_tls().is_ok() } else { is_open }
        });
    }

    /// Sends a request to the site, and returns the stream of the answer.
    fn ask(&self, request: &str) -> Box<dyn Read> {
        if !self.has_tls {
            let mut stream = connect(80);
            stream.write_all(request.as_bytes()).unwrap();
            return Box::new(stream);
        }
        let mut stream = connect_tls().unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Box::new(stream)
    }

    /// The head and the body of a page.
    fn get(&self, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {SITE}\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let _ = self.ask(&request).read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
        (head.to_owned(), body.to_owned())
    }

    /// The page with all that it loads, and the WebSocket of the page, from the address of the client.
    fn check(&self, path: &str) {
        let (head, page) = self.get(path);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}\n{}", self.log());
        assert!(page.contains("<!doctype html>"), "{page}");
        for file in ["app.js", "style.css", "gifs.json", "manifest.webmanifest"] {
            let (head, _) = self.get(&format!("{path}{file}"));
            assert!(head.starts_with("HTTP/1.1 200 "), "{file}: {head}");
        }
        if path != "/" {
            let (head, _) = self.get(path.trim_end_matches('/'));
            let goes_there = head.lines().any(|line| {
                let line = line.to_ascii_lowercase();
                line.starts_with("location: ") && line.ends_with(path)
            });
            assert!(head.starts_with("HTTP/1.1 30") && goes_there, "{head}");
        }

        let scheme = if self.has_tls { "https" } else { "http" };
        // What a client says about its own address does not count.
        let upgrade = format!(
            "GET {path} HTTP/1.1\r\nHost: {SITE}\r\nOrigin: {scheme}://{SITE}\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Version: 13\r\nX-Forwarded-For: 198.51.100.1\r\n\
             Forwarded: for=198.51.100.2\r\n\r\n"
        );
        let mut stream = self.ask(&upgrade);
        let mut answer = String::new();
        while !answer.contains(r#"{"type":"welcome","user":{"id":1,"name":"User 1"}}"#) {
            let mut block = [0; 1024];
            let read = stream.read(&mut block).unwrap();
            assert_ne!(read, 0, "{answer}\n{}", self.log());
            answer += &String::from_utf8_lossy(&block[..read]);
        }
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains(ACCEPT), "{answer}");
        let from = format!("from {CLIENT}");
        eventually("the log names the client", || self.log().contains(&from));
        let log = self.log();
        assert!(!log.contains("198.51.100"), "{log}");
        // Who comes through a proxy does not see the certificate.
        let warnings = log.lines().filter(|line| line.contains("WARN"));
        assert_eq!(warnings.filter(|line| !line.contains("certificate.pem")).count(), 0, "{log}");
    }
}

/// A connection from the address of the client.
fn connect(port: u16) -> TcpStream {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((CLIENT, 0))).unwrap();
    rustix::net::connect(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The same with TLS. Caddy listens before it has made its certificate, which no one knows.
fn connect_tls() -> Result<SslStream<TcpStream>, HandshakeError<TcpStream>> {
    let mut builder = SslConnector::builder(SslMethod::tls()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.build().connect(SITE, connect(443))
}

/// Servers as they are set up behind a proxy: on all kinds of addresses, with TLS and without.
fn settings(identity: &Identity, folder: &TempDir) -> [Value; 4] {
    let plain = json!({ "domain": SITE, "trustedProxies": ["127.0.0.1", "::1"] });
    let (mut everywhere, mut with_tls) = (plain.clone(), plain.clone());
    everywhere["host"] = json!("::");
    everywhere["port"] = json!(9000);
    with_tls["certificate"] = json!(identity.certificate());
    with_tls["privateKey"] = json!(identity.key());
    let socket = format!("unix:{}", folder.path().join("ws.sock").display());
    let socket = json!({ "domain": SITE, "listen": ["[::]:9000", socket] });
    [plain, everywhere, with_tls, socket]
}

fn check(start_proxy: impl Fn(&mut Site, &str)) {
    let identity = Identity::new();
    let folder = tempfile::tempdir().unwrap();
    for settings in settings(&identity, &folder) {
        for path in ["/", "/chat/"] {
            let mut site = Site::start(&settings);
            start_proxy(&mut site, path);
            site.check(path);
        }
    }
}

#[test]
fn nginx_as_printed() {
    in_own_network("proxies::nginx_as_printed", || check(Site::start_nginx));
}

#[test]
fn caddy_as_printed() {
    in_own_network("proxies::caddy_as_printed", || check(Site::start_caddy));
}

/// The service as printed: for a program and settings elsewhere, and with all that can be added.
#[test]
fn systemd_takes_the_unit_as_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let settings = json!({
        "port": 443,
        "certificate": "/etc/letsencrypt/live/chat.example.org/fullchain.pem",
        "privateKey": "/etc/letsencrypt/live/chat.example.org/privkey.pem",
        "history": { "file": "/srv/chat/wschat.db" },
        "log": { "file": "/home/wschat/log" },
        "limits": { "maxConnections": 100_000, "drainTimeoutMs": 60_000 },
    });
    fs::write(file("settings.json"), settings.to_string()).unwrap();
    let printed = Command::new(env!("CARGO_BIN_EXE_wschat"))
        .args(["print", "systemd", "--settings", &file("settings.json")])
        .output()
        .unwrap();
    let unit = String::from_utf8(printed.stdout).unwrap();
    assert!(unit.contains(&format!(" --settings {}\n", file("settings.json"))), "{unit}");
    fs::write(file("wschat.service"), &unit).unwrap();
    let socket = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/wschat.socket");
    fs::copy(socket, file("wschat.socket")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let output = verify.args(["verify", &file("wschat.service")]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // Before version 254 it does not know how a pause grows. The man page comes with the package.
    let known = ["RestartSteps", "RestartMaxDelaySec", "man wschat"];
    let unknown: Vec<_> =
        said.lines().filter(|line| !known.iter().any(|known| line.contains(known))).collect();
    assert!(unknown.is_empty(), "{unknown:#?} {unit}");
}
