//! The nodes: their settings, processes, and what they say of themselves.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::Process;
use crate::shared::Shared;

/// How long a node may take to start.
const START: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Node {
    pub name: String,
    pub address: SocketAddr,
    admin: SocketAddr,
    process: Process,
    pub is_running: bool,
}

/// What all nodes have in common.
#[derive(Clone, Debug)]
pub struct Common {
    pub server: PathBuf,
    pub folder: PathBuf,
    pub rooms: u32,
    pub lease: u64,
    pub grace: u64,
    pub max_events: u64,
    pub read_from: Option<String>,
}

#[derive(Debug)]
pub struct Nodes {
    pub all: Vec<Node>,
    shared: Arc<Shared>,
}

impl Nodes {
    /// Writes the settings of nodes at these addresses; `cluster` has where each finds its log, if it is not
    /// alone.
    pub fn prepare(
        common: &Common,
        shared: &Arc<Shared>,
        ports: &mut Ports,
        cluster: impl Fn(usize) -> Option<Value>,
    ) -> io::Result<Self> {
        let mut all = Vec::new();
        for (number, door) in shared.doors.iter().enumerate() {
            let name = format!("node{}", number + 1);
            let admin = local(ports.take()?);
            let settings = settings(common, &name, door.address, admin, cluster(number));
            let file = common.folder.join(format!("{name}.json"));
            fs::write(&file, serde_json::to_string_pretty(&settings)?)?;
            let arguments = vec!["--settings".into(), file.into()];
            let log = common.folder.join(format!("{name}.log"));
            let process = Process::new(&common.server, arguments, log);
            all.push(Node { name, address: door.address, admin, process, is_running: false });
        }
        Ok(Self { all, shared: Arc::clone(shared) })
    }

    /// Starts a node, perhaps with another program, and waits until it serves.
    pub fn start(&mut self, number: usize, program: Option<&Path>) -> Result<(), String> {
        let node = &mut self.all[number];
        node.process.start(program).map_err(|error| error.to_string())?;
        node.is_running = true;
        self.shared.doors[number].exists.store(true, SeqCst);
        let until = Instant::now() + START;
        while !is_healthy(node.address) {
            if node.process.has_died() {
                return Err(format!("{} has ended by itself", node.name));
            }
            if Instant::now() > until {
                return Err(format!(
                    "{} does not serve {} s after its start",
                    node.name,
                    START.as_secs()
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.shared.doors[number].is_open.store(true, SeqCst);
        Ok(())
    }

    /// The load balancer sends nobody there any more.
    pub fn close_door(&self, number: usize) {
        self.shared.doors[number].is_open.store(false, SeqCst);
    }

    pub fn open_door(&self, number: usize) {
        self.shared.doors[number].is_open.store(true, SeqCst);
    }

    pub fn kill(&mut self, number: usize) {
        self.close_door(number);
        self.all[number].process.kill();
        self.all[number].is_running = false;
    }

    pub fn signal(&self, number: usize, signal: Signal) {
        self.all[number].process.signal(signal);
    }

    /// Asks it to drain and to end; whether it ended well.
    pub fn drain(&mut self, number: usize) -> bool {
        self.close_door(number);
        self.all[number].process.signal(Signal::TERM);
        self.all[number].is_running = false;
        self.all[number].process.wait(Duration::from_secs(20))
    }

    pub fn running(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|&number| self.all[number].is_running).collect()
    }

    /// Names of nodes that have ended although nobody ended them.
    pub fn dead(&mut self) -> Vec<String> {
        let dead = self.all.iter_mut().filter_map(|node| {
            let has_died = node.is_running && node.process.has_died();
            has_died.then(|| node.name.clone())
        });
        dead.collect()
    }

    /// Whether a node says that it is well; otherwise what it says.
    pub fn health(&self, number: usize) -> Result<(), String> {
        let Node { name, address, .. } = &self.all[number];
        match get(*address, "/health") {
            Ok((head, _)) if head.starts_with("HTTP/1.1 200 ") => Ok(()),
            Ok((_, body)) => Err(format!("{name} is not healthy: {}", body.trim())),
            Err(error) => Err(format!("{name} does not answer: {error}")),
        }
    }

    /// What the admin listener answers at this path.
    pub fn admin(&self, number: usize, path: &str) -> io::Result<String> {
        let (head, body) = get(self.all[number].admin, path)?;
        if head.starts_with("HTTP/1.1 200 ") {
            return Ok(body);
        }
        Err(io::Error::other(head.lines().next().unwrap_or_default().to_owned()))
    }

    /// The value of a metric without labels.
    pub fn metric(&self, number: usize, name: &str) -> io::Result<u64> {
        let page = self.admin(number, "/metrics")?;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.and_then(|value| value.trim().parse().ok());
        value.ok_or_else(|| io::Error::other(format!("there is no metric {name}")))
    }

    /// The lines in the logs of all nodes that tell of a defect, or of another state than that of other nodes; a log
    /// that cannot be read is one, too.
    pub fn defects(&self) -> Vec<(String, String)> {
        let mut defects = Vec::new();
        for node in &self.all {
            let found = node
                .process
                .log_lines(is_defect)
                .unwrap_or_else(|error| vec![format!("its log cannot be read: {error}")]);
            defects.extend(found.into_iter().map(|line| (node.name.clone(), line)));
        }
        defects
    }
}

/// Whether a line of a log tells of a defect of wschat.
fn is_defect(line: &str) -> bool {
    ["a defect", "panicked", "of the log cannot be read"].iter().any(|word| line.contains(word))
}

fn settings(
    common: &Common,
    name: &str,
    address: SocketAddr,
    admin: SocketAddr,
    cluster: Option<Value>,
) -> Value {
    // The last room is that of the probes.
    let rooms: Vec<String> = (1..=common.rooms + 1).map(|room| format!("Room {room}")).collect();
    let mut settings = json!({
        "host": address.ip().to_string(),
        "port": address.port(),
        "rooms": rooms,
        "admin": { "listen": admin.to_string() },
        "log": { "level": "debug" },
        "limits": {
            "maxConnections": 0,
            "connectsPerSecond": 0,
            "maxRooms": 0,
            "maxHandshakes": 0,
            "messagesPerSecond": 0,
            "roomBytesPerSecond": 0,
            "historyMaxEvents": common.max_events,
            "historyMaxMemoryBytes": 67_108_864,
            "historyMaxReferenceBytes": 268_435_456,
            "resumeGraceSeconds": common.grace / 1_000,
            "maxAwayUsers": 100_000,
        },
    });
    match cluster {
        Some(Value::Object(mut cluster)) => {
            cluster.insert("node".to_owned(), name.into());
            cluster.insert("leaseMs".to_owned(), common.lease.into());
            if let Some(read_from) = &common.read_from {
                cluster.insert("readFrom".to_owned(), read_from.clone().into());
            }
            settings["cluster"] = Value::Object(cluster);
        }
        _ => settings["history"] = json!({ "file": format!("{name}.db") }),
    }
    settings
}

fn is_healthy(address: SocketAddr) -> bool {
    get(address, "/health").is_ok_and(|(head, _)| head.starts_with("HTTP/1.1 200 "))
}

/// Head and body of a response.
fn get(address: SocketAddr, path: &str) -> io::Result<(String, String)> {
    let patience = Duration::from_secs(3);
    let mut tcp = TcpStream::connect_timeout(&address, patience)?;
    tcp.set_read_timeout(Some(patience))?;
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    tcp.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    Ok((head.to_owned(), body.to_owned()))
}

pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Free ports below those that the kernel gives to outgoing connections. All have five digits.
#[derive(Debug)]
pub struct Ports(u16);

impl Ports {
    pub fn new(seed: u64) -> Self {
        let spread = (seed.wrapping_mul(7) + u64::from(std::process::id())) % 1_900;
        Self(10_000 + u16::try_from(spread).unwrap_or(0) * 10)
    }

    pub fn take(&mut self) -> io::Result<u16> {
        for _ in 0..2_000 {
            self.0 = if self.0 >= 32_000 { 10_000 } else { self.0 + 1 };
            if TcpListener::bind(local(self.0)).is_ok() {
                return Ok(self.0);
            }
        }
        Err(io::Error::other("no free port from 10000 to 32000"))
    }
}
