//! Servers to test: in this process through the library, or the real program in its own.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use wschat::{Server, ServerHandle, Settings};

use crate::client::{Door, PATIENCE};

/// A server in this process. Dropping it shuts it down.
pub(crate) struct Host {
    pub(crate) handle: ServerHandle,
    pub(crate) door: Door,
}

/// The real program in a process of its own. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    pub(crate) door: Door,
    /// Holds the settings, and whatever else the program is given or writes.
    directory: TempDir,
    /// What it was started by, and is started by again.
    command: Command,
    /// Its settings, with the port that it got.
    settings: Value,
}

/// A certificate for `localhost` that signs itself, with its key, in files.
pub(crate) struct Identity {
    pub(crate) root: X509,
    directory: TempDir,
}

impl Host {
    /// A server with the default settings.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// A server with these changes to the default settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::new(None, change)
    }

    /// A server that speaks TLS, with these changes to the default settings.
    pub(crate) fn with_tls(change: impl FnOnce(&mut Settings)) -> Self {
        Self::new(Some(&Identity::new()), change)
    }

    fn new(identity: Option<&Identity>, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { port: 0, ..Settings::default() };
        settings.certificate = identity.map(Identity::certificate);
        settings.private_key = identity.map(Identity::key);
        change(&mut settings);
        let handle = Server::start(settings).expect("the server starts");
        let root = identity.map(|identity| identity.root.clone());
        let door = Door { address: handle.local_addr(), root };
        Self { handle, door }
    }

    /// Shuts the server down, and waits until it has ended, as it should.
    pub(crate) fn stop(self) {
        self.handle.shutdown();
        self.handle.join().expect("the server has served to the end");
    }
}

impl Program {
    /// Runs the program with these settings on a free port, and waits until it is open.
    pub(crate) fn start(settings: Value) -> Self {
        Self::start_after("true", settings)
    }

    /// As [`Program::start`], after the shell has done `preparation`, such as setting a limit.
    pub(crate) fn start_after(preparation: &str, settings: Value) -> Self {
        Self::start_by(&["sh"], preparation, settings)
    }

    /// As [`Program::start_after`], with a shell that is run by this command.
    pub(crate) fn start_by(shell: &[&str], preparation: &str, mut settings: Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        settings["port"] = json!(0);
        fs::write(directory.path().join("settings.json"), settings.to_string()).unwrap();
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .arg("-c")
            .arg(format!("{preparation} && exec \"$0\" --settings settings.json"))
            .arg(env!("CARGO_BIN_EXE_wschat"))
            .current_dir(&directory);
        let (child, address) = open(&mut command, directory.path());
        settings["port"] = json!(address.port());
        Self { child, door: Door { address, root: None }, directory, command, settings }
    }

    /// A program that may be killed and started again: it has an address for itself, which nobody
    /// else takes meanwhile, and keeps what was said in a file.
    pub(crate) fn durable(mut settings: Value) -> Self {
        static LAST: AtomicU8 = AtomicU8::new(0);
        let [_, _, high, low] = std::process::id().to_be_bytes().map(|byte| byte.max(1));
        let host = Ipv4Addr::new(127, 128 | high, low, LAST.fetch_add(1, Ordering::Relaxed) + 1);
        settings["host"] = json!(host.to_string());
        if settings["history"]["file"].is_null() {
            settings["history"]["file"] = json!("wschat.db");
        }
        Self::start(settings)
    }

    /// Ends the program with SIGKILL, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        let status = self.child.wait().expect("it has ended");
        assert_eq!(status.code(), None, "it had ended before: {status}; {}", self.log());
    }

    /// Starts the program once more after its end: the same directory, and the same port.
    pub(crate) fn restart(&mut self) {
        fs::write(self.file("settings.json"), self.settings.to_string()).unwrap();
        let (child, address) = open(&mut self.command, self.directory.path());
        assert_eq!(address, self.door.address);
        self.child = child;
    }

    /// A file in the program's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the program has logged to standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("stderr")).unwrap()
    }

    /// A file as the program sees it, which may have a file system of its own.
    pub(crate) fn inner_file(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        let path = path.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.child.id().to_string()).join("root").join(path)
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill` is wherever the shell is.
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(command).status().unwrap().success());
    }

    /// Waits for the end of the program.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// How many threads there are of each of the server's kinds.
    pub(crate) fn threads(&self) -> BTreeMap<String, usize> {
        threads_of(&self.child.id().to_string())
    }

    /// The scheduling policy of each of the server's threads (`sched(7)`; 0: normal, 3: batch), after
    /// its kind.
    pub(crate) fn policies(&self) -> Vec<(String, u64)> {
        let threads = server_threads(&self.child.id().to_string());
        let policies = threads.into_iter().filter_map(|(kind, directory)| {
            let stat = fs::read_to_string(directory.join("stat")).ok()?;
            // The policy is field 41; the second, the name, is in brackets, and may hold spaces.
            let policy = stat.rsplit_once(')')?.1.split_whitespace().nth(41 - 3)?;
            Some((kind, policy.parse().ok()?))
        });
        policies.collect()
    }

    /// The number after `name` in `/proc/PID/status`: `VmRSS` in KiB, `Threads`.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect(&status)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program, and waits until it is open.
fn open(command: &mut Command, directory: &Path) -> (Child, SocketAddr) {
    let errors = directory.join("stderr");
    let log = OpenOptions::new().create(true).append(true).open(&errors).unwrap();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = address_in(&line).unwrap_or_else(|| {
        let errors = fs::read_to_string(errors).unwrap_or_default();
        panic!("not open, but {line:?}; {errors}")
    });
    (child, address)
}

/// The address in `wschat 0.1.0 is open at http://127.0.0.1:1234/`.
pub(crate) fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, url) = line.split_once("is open at http")?;
    url.trim_start_matches('s').strip_prefix("://")?.trim_end().strip_suffix('/')?.parse().ok()
}

impl Identity {
    pub(crate) fn new() -> Self {
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "localhost").unwrap();
        let name = name.build();
        let mut serial = BigNum::new().unwrap();
        serial.rand(120, MsbOption::ONE, false).unwrap();

        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(90).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        let names = SubjectAlternativeName::new()
            .dns("localhost")
            .build(&builder.x509v3_context(None, None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let root = builder.build();

        let identity = Self { root, directory: tempfile::tempdir().unwrap() };
        fs::write(identity.certificate(), identity.root.to_pem().unwrap()).unwrap();
        fs::write(identity.key(), key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        identity
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.file("key.pem")
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::join(self.directory.path(), name)
    }
}

/// How many threads of each of the server's kinds the process has; the kind is the first word of a
/// thread's name.
pub(crate) fn threads_of(process: &str) -> BTreeMap<String, usize> {
    let mut threads = BTreeMap::new();
    for (kind, _) in server_threads(process) {
        *threads.entry(kind).or_default() += 1;
    }
    threads
}

/// The process's threads of the server's kinds: each one's kind and its directory in `/proc`.
fn server_threads(process: &str) -> Vec<(String, PathBuf)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let threads = tasks.filter_map(|task| {
        let directory = task.unwrap().path();
        // A thread may end while it is looked at.
        let name = fs::read_to_string(directory.join("comm")).ok()?;
        let kind = name.split_whitespace().next().unwrap_or_default().to_owned();
        let is_ours = ["listener", "dispatcher", "flusher", "recall", "upkeep", "session"]
            .contains(&kind.as_str());
        is_ours.then_some((kind, directory))
    });
    threads.collect()
}

/// Asks again and again until it is so; for what sends no event of its own.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
