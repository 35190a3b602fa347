//! Redis or Valkey: a master, two replicas and three sentinels, each a process, with links in between.
//!
//! A server announces not its port but that of a link, which the replicas and the sentinels use. Each node
//! has links of its own to every server and sentinel, which put its own ports into what they answer.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use redis::Value;
use rustix::process::Signal;
use serde_json::json;

use crate::disk::Disk;
use crate::nodes::{Ports, local};
use crate::process::Process;
use crate::proxy::{Link, Mode};

/// For how long Sentinel has known that all is well before a failover is ordered.
const SETTLED: Duration = Duration::from_secs(3);

/// The name under which the sentinels know the master.
const NAME: &str = "wschat";

#[derive(Debug)]
struct Server {
    process: Process,
    port: u16,
    /// The port of the link that the others use.
    announced: u16,
    link: Link,
    disk: Disk,
}

/// How a node reaches the servers and the sentinels.
#[derive(Debug)]
struct Way {
    servers: Vec<Link>,
    sentinels: Vec<Link>,
    sentinel_ports: Vec<u16>,
}

#[derive(Debug)]
pub struct Engine {
    servers: Vec<Server>,
    sentinels: Vec<(Process, u16)>,
    ways: Vec<Way>,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Setup {
    pub program: PathBuf,
    pub folder: PathBuf,
    pub fsync: String,
    pub nodes: usize,
    /// Whether each server gets a file system of its own, which can be frozen.
    pub has_disks: bool,
}

impl Engine {
    pub fn start(setup: &Setup, ports: &mut Ports) -> io::Result<Self> {
        let mut servers = Vec::new();
        for number in 0..3 {
            let master = servers.first().map(|server: &Server| server.announced);
            let mut server = Server::prepare(setup, number, master, ports)?;
            server.process.start(None)?;
            servers.push(server);
        }
        let mut sentinels = Vec::new();
        for number in 0..3 {
            let port = ports.take()?;
            let mut process = sentinel(setup, number, port, servers[0].announced)?;
            process.start(None)?;
            sentinels.push((process, port));
        }
        let mut engine = Self { servers, sentinels, ways: Vec::new() };
        for _ in 0..setup.nodes {
            let way = engine.way(ports)?;
            engine.ways.push(way);
        }
        Ok(engine)
    }

    /// Opens the links of one node.
    fn way(&self, ports: &mut Ports) -> io::Result<Way> {
        let (mut servers, mut sentinels, mut map) = (Vec::new(), Vec::new(), Vec::new());
        for server in &self.servers {
            let port = ports.take()?;
            map.push((server.announced, port));
            servers.push(Link::open(local(port), local(server.port))?);
        }
        let mut sentinel_ports = Vec::new();
        for (_, port) in &self.sentinels {
            let own = ports.take()?;
            sentinel_ports.push(own);
            sentinels.push(Link::open(local(own), local(*port))?);
        }
        for link in servers.iter().chain(&sentinels) {
            link.rewrite(map.clone());
        }
        Ok(Way { servers, sentinels, sentinel_ports })
    }

    /// The settings of `cluster` by which a node finds its log.
    pub fn settings(&self, node: usize) -> serde_json::Value {
        let ports = self.ways[node].sentinel_ports.iter();
        let sentinels: Vec<String> = ports.map(|&port| local(port).to_string()).collect();
        json!({ "redis": { "sentinels": sentinels, "name": NAME } })
    }

    /// Asks one server.
    pub fn ask(&self, server: usize, command: &[&str]) -> Result<Value, String> {
        ask(self.servers[server].port, command)
    }

    /// The server that the sentinels call the master.
    pub fn master(&self) -> Result<usize, String> {
        let mut why = String::new();
        for (_, port) in &self.sentinels {
            match self.master_of(*port) {
                Ok(master) => return Ok(master),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn master_of(&self, sentinel: u16) -> Result<usize, String> {
        let answer = ask(sentinel, &["SENTINEL", "get-master-addr-by-name", NAME])?;
        let (_, port): (String, u16) =
            redis::from_redis_value(answer).map_err(|error| error.to_string())?;
        let master = self.servers.iter().position(|server| server.announced == port);
        master.ok_or_else(|| format!("the master is at an unknown port {port}"))
    }

    /// The replica with the most connections: nodes read from it.
    pub fn busiest_replica(&self) -> Result<usize, String> {
        let master = self.master()?;
        let replicas = (0..self.servers.len()).filter(|&number| number != master);
        let busiest = replicas.max_by_key(|&number| self.info(number, "connected_clients"));
        busiest.ok_or_else(|| "there is no replica".to_owned())
    }

    /// A number in what a server says of itself; 0 if it does not.
    pub fn info(&self, server: usize, name: &str) -> u64 {
        let value = self.said(server, name);
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn said(&self, server: usize, name: &str) -> Option<String> {
        let answer = self.ask(server, &["INFO"]).ok()?;
        let text: String = redis::from_redis_value(answer).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    }

    /// Whether there is one master with two replicas that follow it, and all sentinels agree; otherwise what
    /// is not so.
    pub fn is_settled(&self) -> Result<(), String> {
        let master = self.master()?;
        for (_, port) in &self.sentinels {
            if self.master_of(*port)? != master {
                return Err("the sentinels do not agree".to_owned());
            }
            ask(*port, &["SENTINEL", "CKQUORUM", NAME])?;
            let answer = ask(*port, &["SENTINEL", "REPLICAS", NAME])?;
            let text = format!("{answer:?}");
            if text.contains("s_down") || text.contains("disconnected") {
                return Err("a sentinel takes a replica for down".to_owned());
            }
            let mut replicas =
                self.servers.iter().enumerate().filter(|(number, _)| *number != master);
            if !replicas.all(|(_, server)| text.contains(&server.announced.to_string())) {
                return Err("a sentinel does not know both replicas yet".to_owned());
            }
        }
        for number in 0..self.servers.len() {
            let role = self.said(number, "role").unwrap_or_default();
            let is_right = if number == master {
                role == "master" && self.info(number, "connected_slaves") == 2
            } else {
                role == "slave" && self.said(number, "master_link_status").as_deref() == Some("up")
            };
            if !is_right {
                return Err(format!("redis{} is {role:?}, and not in its place", number + 1));
            }
        }
        Ok(())
    }

    pub fn kill(&mut self, server: usize) {
        self.servers[server].process.kill();
    }

    pub fn restart(&mut self, server: usize) -> Result<(), String> {
        self.servers[server].process.start(None).map_err(|error| error.to_string())
    }

    pub fn signal(&self, server: usize, signal: Signal) {
        self.servers[server].process.signal(signal);
    }

    pub fn disk(&self, server: usize) -> &Disk {
        &self.servers[server].disk
    }

    /// Waits until an operator may order a failover: when Sentinel has known for some seconds that all replicas are well.
    /// It learns of them within 10 s, and nodes take a moment to read the one that it would promote.
    pub fn wait_until_all_is_known(&self) -> Result<(), String> {
        let mut well_since: Option<Instant> = None;
        try_for(Duration::from_secs(40), || {
            self.know_all_replicas().inspect_err(|_| well_since = None)?;
            if well_since.get_or_insert_with(Instant::now).elapsed() < SETTLED {
                return Err("the replicas have not been well for long enough".to_owned());
            }
            Ok(())
        })
    }

    /// Orders a failover.
    pub fn fail_over(&self) -> Result<(), String> {
        try_for(Duration::from_secs(10), || {
            ask(self.sentinels[0].1, &["SENTINEL", "FAILOVER", NAME]).map(drop)
        })
    }

    fn know_all_replicas(&self) -> Result<(), String> {
        for (_, port) in &self.sentinels {
            let replicas = ask(*port, &["SENTINEL", "REPLICAS", NAME])?;
            let replicas: Vec<HashMap<String, String>> =
                redis::from_redis_value(replicas).map_err(|error| error.to_string())?;
            let is_well = |about: &&HashMap<String, String>| {
                about["flags"] == "slave" && about["master-link-status"] == "ok"
            };
            if replicas.iter().filter(is_well).count() + 1 < self.servers.len() {
                return Err(format!("the sentinel on port {port} does not know that all is well"));
            }
        }
        Ok(())
    }

    /// Sets what all links of a node do.
    pub fn set_node(&self, node: usize, mode: Mode) {
        self.links_of(node).for_each(|link| link.set(mode));
    }

    /// Cuts all connections of a node; of what is held, so many bytes get through.
    pub fn cut_node(&self, node: usize, rest: u32) {
        self.links_of(node).for_each(|link| link.cut(rest));
    }

    fn links_of(&self, node: usize) -> impl Iterator<Item = &Link> {
        let way = &self.ways[node];
        way.servers.iter().chain(&way.sentinels)
    }

    /// Sets what the link does on which other servers and the sentinels reach this server.
    pub fn set_server(&self, server: usize, mode: Mode) {
        self.servers[server].link.set(mode);
    }

    pub fn cut_server(&self, server: usize) {
        self.servers[server].link.cut(0);
    }

    /// Sets what the links of all nodes to this server do.
    pub fn set_ways(&self, server: usize, mode: Mode) {
        self.ways.iter().for_each(|way| way.servers[server].set(mode));
    }

    pub fn cut_ways(&self, server: usize, rest: u32) {
        self.ways.iter().for_each(|way| way.servers[server].cut(rest));
    }

    /// Names of processes that have ended although nobody ended them.
    pub fn dead(&mut self) -> Vec<String> {
        let servers = self.servers.iter_mut().map(|server| &mut server.process).enumerate();
        let mut dead: Vec<String> = servers
            .filter_map(|(number, process)| {
                process.has_died().then(|| format!("redis{}", number + 1))
            })
            .collect();
        let sentinels = self.sentinels.iter_mut().enumerate();
        dead.extend(sentinels.filter_map(|(number, (process, _))| {
            process.has_died().then(|| format!("sentinel{}", number + 1))
        }));
        dead
    }
}

impl Server {
    fn prepare(
        setup: &Setup,
        number: usize,
        master: Option<u16>,
        ports: &mut Ports,
    ) -> io::Result<Self> {
        let (port, announced) = (ports.take()?, ports.take()?);
        let name = format!("redis{}", number + 1);
        let folder = setup.folder.join(&name);
        fs::create_dir_all(&folder)?;
        let disk = if setup.has_disks { Disk::mount(&folder)? } else { Disk::none() };
        let replica_of =
            master.map(|master| format!("replicaof 127.0.0.1 {master}\n")).unwrap_or_default();
        let file = setup.folder.join(format!("{name}.conf"));
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir \"{}\"\nappendonly yes\nappendfsync {}\nsave \"\"\n\
             maxmemory-policy noeviction\nreplica-announce-ip 127.0.0.1\n\
             replica-announce-port {announced}\nrepl-diskless-sync-delay 0\nrepl-timeout 10\n\
             repl-backlog-size 64mb\nreplica-priority {}\n{replica_of}",
            folder.display(),
            setup.fsync,
            // Nodes read from the replica that Sentinel would promote, so all have to know which one that is.
            (number + 1) * 10,
        );
        fs::write(&file, text)?;
        let log = setup.folder.join(format!("{name}.log"));
        let process = Process::new(&setup.program, vec![file.into()], log);
        let link = Link::open(local(announced), local(port))?;
        Ok(Self { process, port, announced, link, disk })
    }
}

fn sentinel(setup: &Setup, number: usize, port: u16, master: u16) -> io::Result<Process> {
    let name = format!("sentinel{}", number + 1);
    let folder = setup.folder.join(&name);
    fs::create_dir_all(&folder)?;
    let file = setup.folder.join(format!("{name}.conf"));
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir \"{}\"\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds {NAME} 1500\nsentinel failover-timeout {NAME} 6000\n\
         sentinel parallel-syncs {NAME} 2\n",
        folder.display()
    );
    fs::write(&file, text)?;
    let arguments = vec![file.into(), "--sentinel".into()];
    Ok(Process::new(&setup.program, arguments, setup.folder.join(format!("{name}.log"))))
}

/// Sends one command on a connection of its own.
fn ask(port: u16, command: &[&str]) -> Result<Value, String> {
    let (first, rest) = command.split_first().ok_or("no command")?;
    let patience = Duration::from_secs(1);
    let answer = || {
        let client = redis::Client::open(format!("redis://{}/", local(port)))?;
        let mut connection = client.get_connection_with_timeout(patience)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(patience))?;
        redis::cmd(first).arg(rest).query::<Value>(&mut connection)
    };
    answer().map_err(|error: redis::RedisError| format!("port {port}: {command:?}: {error}"))
}

/// Tries it until it succeeds, for so long at most.
fn try_for(patience: Duration, mut deed: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let until = Instant::now() + patience;
    loop {
        let result = deed();
        if result.is_ok() || Instant::now() > until {
            return result;
        }
        thread::sleep(Duration::from_millis(100));
    }
}
