//! Servers to test: the library in this process, or the real program in a process of its own.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};
use tempfile::TempDir;
use wschat::{Server, ServerHandle, Settings};

use crate::client::{Endpoint, PATIENCE};

/// A server in this process. Dropping it shuts it down.
pub(crate) struct Host {
    pub(crate) handle: ServerHandle,
    pub(crate) endpoint: Endpoint,
}

/// The real program in a process of its own. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    pub(crate) endpoint: Endpoint,
    /// Its working directory: the settings, and everything that it reads or writes.
    directory: TempDir,
    /// Starts it, and restarts it.
    command: Command,
    /// With the port that it listens on.
    settings: Value,
}

/// A self-signed certificate for `localhost` and its key, as files.
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
        let endpoint = Endpoint { address: handle.local_addr(), root };
        Self { handle, endpoint }
    }

    /// Shuts the server down and waits until it has ended without an error.
    pub(crate) fn stop(self) {
        self.handle.shutdown();
        self.handle.join().expect("the server ends without an error");
    }
}

impl Program {
    /// Runs the program with these settings on a free port, and waits until it listens.
    pub(crate) fn start(settings: Value) -> Self {
        Self::start_after("true", settings)
    }

    /// Like [`Program::start`], after the shell has run `preparation`, such as a `ulimit`.
    pub(crate) fn start_after(preparation: &str, settings: Value) -> Self {
        Self::start_by(&["sh"], preparation, settings)
    }

    /// Like [`Program::start_after`], with this as standard error.
    pub(crate) fn start_with_stderr(preparation: &str, stderr: Stdio, settings: Value) -> Self {
        Self::start_in(&["sh"], preparation, Some(stderr), settings)
    }

    /// Like [`Program::start_after`], with this command as the shell.
    pub(crate) fn start_by(shell: &[&str], preparation: &str, settings: Value) -> Self {
        Self::start_in(shell, preparation, None, settings)
    }

    fn start_in(
        shell: &[&str],
        preparation: &str,
        stderr: Option<Stdio>,
        mut settings: Value,
    ) -> Self {
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
        let (child, address) = open(&mut command, directory.path(), stderr);
        settings["port"] = json!(address.port());
        Self { child, endpoint: Endpoint { address, root: None }, directory, command, settings }
    }

    /// Runs a program that can be killed and restarted: its history is in a file, and it has a loopback
    /// address of its own, so that no other program takes its port meanwhile.
    pub(crate) fn durable(settings: Value) -> Self {
        Self::durable_after("true", settings)
    }

    /// Like [`Program::durable`], after the shell has run `preparation`, at each start.
    pub(crate) fn durable_after(preparation: &str, mut settings: Value) -> Self {
        static LAST: AtomicU8 = AtomicU8::new(0);
        let [_, _, high, low] = std::process::id().to_be_bytes().map(|byte| byte.max(1));
        let host =
            Ipv4Addr::new(127, 128 | high, low, LAST.fetch_add(1, Ordering::Relaxed) % 254 + 1);
        settings["host"] = json!(host.to_string());
        if settings["history"]["file"].is_null() {
            settings["history"]["file"] = json!("wschat.db");
        }
        Self::start_after(preparation, settings)
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the program with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is running");
        let status = self.child.wait().expect("it has ended");
        assert_eq!(status.code(), None, "it had ended already: {status}; {}", self.log());
    }

    /// Starts the program again after its end, in the same directory and on the same port.
    pub(crate) fn restart(&mut self) {
        fs::write(self.file("settings.json"), self.settings.to_string()).unwrap();
        let (child, address) = open(&mut self.command, self.directory.path(), None);
        assert_eq!(address, self.endpoint.address);
        self.child = child;
    }

    /// Changes these members of the settings in its file.
    pub(crate) fn write_settings(&self, changes: &Value) {
        let mut settings = self.settings.clone();
        for (key, value) in changes.as_object().expect("an object") {
            settings[key] = value.clone();
        }
        fs::write(self.file("settings.json"), settings.to_string()).unwrap();
    }

    /// A file in the program's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the program has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("stderr")).unwrap()
    }

    /// Waits until the log has this.
    pub(crate) fn expect_log(&self, text: &str) {
        eventually(text, || self.log().contains(text));
    }

    /// A file of the program's directory as the program sees it, also where it has its own mounts.
    pub(crate) fn inner_file(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        let path = path.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.child.id().to_string()).join("root").join(path)
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        // `kill` is a built-in of the shell, so this needs no other program.
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(command).status().unwrap().success());
    }

    /// Stops the program, and waits until none of its threads runs: on a busy machine some go on for a while.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
        eventually("all threads are stopped", || {
            let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
            tasks
                .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
                .all(|status| status.lines().any(|line| line.starts_with("State:\tT")))
        });
    }

    /// Waits until the program ends.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        end_of(&mut self.child)
    }

    /// The number of the server's threads, by kind.
    pub(crate) fn threads(&self) -> BTreeMap<String, usize> {
        threads_of(&self.child.id().to_string())
    }

    /// The kind and the scheduling policy (`sched(7)`; 0: normal, 3: batch) of each server thread.
    pub(crate) fn policies(&self) -> Vec<(String, u64)> {
        let threads = server_threads(&self.child.id().to_string());
        let policies = threads.into_iter().filter_map(|(kind, directory)| {
            let stat = fs::read_to_string(directory.join("stat")).ok()?;
            // The policy is field 41. Field 2, the name, is in parentheses and may contain spaces.
            let policy = stat.rsplit_once(')')?.1.split_whitespace().nth(41 - 3)?;
            Some((kind, policy.parse().ok()?))
        });
        policies.collect()
    }

    /// A number from `/proc/PID/status`, such as `VmRSS` (in KiB) or `Threads`.
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

/// Runs the program, and waits until it listens.
fn open(command: &mut Command, directory: &Path, stderr: Option<Stdio>) -> (Child, SocketAddr) {
    let errors = directory.join("stderr");
    let log = OpenOptions::new().create(true).append(true).open(&errors).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr.unwrap_or_else(|| log.into()))
        .spawn()
        .unwrap();
    // It holds what has been given as standard error, which the program alone should have.
    command.stderr(Stdio::null());
    let stdout = child.stdout.take().unwrap();
    let patience = Timespec::try_from(PATIENCE * 2).unwrap();
    let mut says = [PollFd::new(&stdout, PollFlags::IN)];
    let mut line = String::new();
    if poll(&mut says, Some(&patience)).unwrap() > 0 {
        BufReader::new(stdout).read_line(&mut line).unwrap();
    } else {
        child.kill().unwrap();
    }
    let address = address_in(&line).unwrap_or_else(|| {
        let errors = fs::read_to_string(errors).unwrap_or_default();
        panic!("it does not listen: {line:?}; {errors}")
    });
    (child, address)
}

/// The first address in `wschat 0.1.0 is open at http://127.0.0.1:1234/`.
pub(crate) fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, url) = line.split_once("is open at http")?;
    let (url, _) = url.split_once(", ").unwrap_or((url, ""));
    url.trim_start_matches('s').strip_prefix("://")?.trim_end().strip_suffix('/')?.parse().ok()
}

impl Identity {
    pub(crate) fn new() -> Self {
        Self::until(&Asn1Time::days_from_now(90).unwrap())
    }

    /// A certificate that expires then.
    pub(crate) fn until(end: &Asn1TimeRef) -> Self {
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
        builder.set_not_after(end).unwrap();
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

/// The number of a process's server threads, by kind. The kind is the first word of a thread's name.
pub(crate) fn threads_of(process: &str) -> BTreeMap<String, usize> {
    let mut threads = BTreeMap::new();
    for (kind, _) in server_threads(process) {
        *threads.entry(kind).or_default() += 1;
    }
    threads
}

/// The server threads of a process: each one's kind and directory in `/proc`.
fn server_threads(process: &str) -> Vec<(String, PathBuf)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let threads = tasks.filter_map(|task| {
        let directory = task.unwrap().path();
        // The thread may have ended meanwhile.
        let name = fs::read_to_string(directory.join("comm")).ok()?;
        let kind = name.split_whitespace().next().unwrap_or_default().to_owned();
        let is_ours = ["listener", "dispatcher", "flusher", "recall", "upkeep", "session"]
            .contains(&kind.as_str());
        is_ours.then_some((kind, directory))
    });
    threads.collect()
}

/// Polls until the condition holds; for what sends no event.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "timed out: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the process ends.
pub(crate) fn end_of(child: &mut Child) -> ExitStatus {
    let mut status = None;
    eventually("the process ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.expect("it has ended")
}

/// Says that the test that runs has not tested anything here, or not all. Not with `println!`, which only tests that
/// fail get to show. `tests/run` lists these lines.
pub(crate) fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(io::stderr(), "skipped: {test}: {why}");
}
