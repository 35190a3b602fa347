//! One run: starts the server and the people, lets the attacker loose, and looks at the memory meanwhile.

use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::bound::{Bound, Memory};
use crate::line::Door;
use crate::options::Options;
use crate::place::{self, Place, Side};
use crate::plan::{How, Variant, Where};
use crate::probe::{self, ATTACK, OVER, READY, Report};
use crate::scratch::Scratch;
use crate::server::{Server, Start};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Beyond the planned times.
const LATE: Duration = Duration::from_secs(60);
/// Ports of a namespace of its own are free.
const PORT: u16 = 8776;
const SLOW_LINE: f64 = 2_000_000.0;
/// What memory may be above that of before, afterwards: what the allocator keeps, and the history, which
/// has its own limit if it is in memory.
const MORE_AFTERWARDS: f64 = 16.0;
const HISTORY: f64 = 16.0;
const P99_MS: f64 = 100.0;

/// What a process of this program is started for; on its command line as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub enum Work {
    Probe(probe::Plan),
    Attack { name: String, door: Door, is_remote: bool, seconds: f64 },
}

/// What the attacker did; it says so at its end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Deeds {
    pub dials: u64,
    pub sent_mib: f64,
    pub failures: u64,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub attack: String,
    pub people: Report,
    pub deeds: Deeds,
    pub before: Memory,
    pub peak: Memory,
    pub after: Memory,
    /// Of one core, during the attack.
    pub cpu: f64,
    /// How memory was bounded.
    pub bounded_by: &'static str,
    /// What must not be; empty if all is well.
    pub faults: Vec<String>,
}

/// A process of this program. It is killed when this is dropped.
struct Worker {
    child: Child,
    lines: Receiver<String>,
}

/// What a run has seen so far.
#[derive(Default)]
struct Seen {
    before: Memory,
    peak: Memory,
    cpu: f64,
    deeds: Deeds,
    /// None if the server ended.
    report: Option<Report>,
}

/// Runs one variant. `place` is there unless all are on loopback.
pub fn run(
    options: &Options,
    variant: Variant,
    place: Option<&Place>,
    scratch: &Scratch,
) -> io::Result<Outcome> {
    let (server_door, people, attacker) = doors(variant)?;
    let prefix = |side| match variant.from {
        Where::Loopback => Vec::new(),
        _ => place.map(|place| place.prefix(side)).unwrap_or_default(),
    };
    let on_core = |side, core: u32| [prefix(side), pinned(core)].concat();
    let start = Start {
        program: &options.server,
        settings: &options.settings,
        host: &server_door.ip().to_string(),
        port: server_door.port(),
        tls: variant.how == How::Tls,
        file: variant.how == How::File,
        prefix: [on_core(Side::Server, options.server_core), options.niceness.clone()].concat(),
        bound: Bound::new(u64::from(options.memory) << 20),
    };
    let bounded_by = start.bound.kind();
    let mut server = Server::start(start, scratch)?;
    let line = (variant.how == How::Slow).then_some(SLOW_LINE);
    let (seconds, settle) = (options.seconds, options.settle);
    let probe = Work::Probe(probe::Plan { door: people, seconds, settle, line });
    let mut words = on_core(Side::People, options.tool_core);
    words.extend(options.priority.clone());
    let probe = Worker::start(&words, &probe)?;
    let name = variant.attack.name.to_owned();
    let is_remote = variant.from != Where::Loopback;
    let attack = Work::Attack { name, door: attacker, is_remote, seconds };
    let words = [on_core(Side::Attacker, options.tool_core), options.niceness.clone()].concat();
    let seen = watch(&mut server, &probe, seconds + settle, || Worker::start(&words, &attack))?;
    drop(probe);
    let after = server.memory();
    let mut faults = faults(options, variant, &seen, after);
    let last_words = server.last_words();
    let has_ended = server.has_ended()?;
    match has_ended {
        Some(status) => faults.insert(0, format!("the server ended ({status}): {last_words}")),
        None if !server.stop()? => faults.push("the server did not stop in time".to_owned()),
        None => {}
    }
    let Seen { before, peak, cpu, deeds, report, .. } = seen;
    let (attack, people) = (variant.to_string(), report.unwrap_or_default());
    Ok(Outcome { attack, people, deeds, before, peak, after, cpu, bounded_by, faults })
}

/// Where the server listens, and how the people and the attacker reach it.
fn doors(variant: Variant) -> io::Result<(SocketAddr, Door, Door)> {
    let tls = variant.how == How::Tls;
    let door = |ip, port, sources| Door { server: SocketAddr::new(ip, port), tls, sources };
    let any_v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let (host, attacked, sources) = match variant.from {
        Where::Loopback => {
            let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let port = TcpListener::bind((host, 0))?.local_addr()?.port();
            let door = door(host, port, Vec::new());
            return Ok((door.server, door.clone(), door));
        }
        Where::Net => (any_v4, place::SERVER_FOR_ATTACKER, Vec::new()),
        Where::Net6 => (
            IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
            place::SERVER_FOR_ATTACKER_V6,
            place::prefix_56(),
        ),
    };
    let people = door(place::SERVER_FOR_PEOPLE, PORT, place::people());
    Ok((SocketAddr::new(host, PORT), people, door(attacked, PORT, sources)))
}

/// Follows the phases that the probe tells, until its report or the end of the server.
fn watch(
    server: &mut Server,
    probe: &Worker,
    planned: f64,
    attack: impl Fn() -> io::Result<Worker>,
) -> io::Result<Seen> {
    let mut seen = Seen::default();
    let deadline = Instant::now() + Duration::from_secs_f64(planned) + LATE;
    let mut attacker = None;
    let (mut cpu, mut began) = (0.0, Instant::now());
    loop {
        seen.peak = seen.peak.max(server.memory());
        if server.has_ended()?.is_some() {
            return Ok(seen);
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("the people did not report in time"));
        }
        let line = match probe.lines.recv_timeout(LOOK_EVERY) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the people's process ended"));
            }
        };
        match line.as_str() {
            READY => {}
            ATTACK => {
                seen.before = server.memory();
                seen.peak = seen.before;
                (cpu, began) = (server.cpu_seconds(), Instant::now());
                attacker = Some(attack()?);
            }
            OVER => {
                seen.cpu = (server.cpu_seconds() - cpu) / began.elapsed().as_secs_f64();
                // It ends by itself, at about this time.
                let deeds = attacker.take().and_then(|worker: Worker| {
                    worker.lines.recv_timeout(Duration::from_secs(5)).ok()
                });
                let deeds = deeds.and_then(|line| serde_json::from_str(&line).ok());
                seen.deeds = deeds.unwrap_or_default();
            }
            report => {
                seen.report = Some(serde_json::from_str(report)?);
                return Ok(seen);
            }
        }
    }
}

/// What must not be.
fn faults(options: &Options, variant: Variant, seen: &Seen, after: Memory) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(report) = &seen.report else { return faults };
    for (count, what) in
        [(report.closed, "closed"), (report.refused, "refused"), (report.missing, "missing")]
    {
        if count > 0 {
            faults.push(format!("{count} {what}"));
        }
    }
    if report.during.count == 0 {
        faults.push("nothing was delivered".to_owned());
    }
    let p99 = report.during.p99;
    if p99 >= P99_MS {
        let why = if report.before.p99 >= P99_MS / 2.0 { " (the machine is busy)" } else { "" };
        faults.push(format!("p99 {p99:.0} ms{why}"));
    }
    if seen.peak.anonymous >= f64::from(options.memory) {
        faults.push("more memory than the bound".to_owned());
    }
    let history = if variant.how == How::File { 0.0 } else { HISTORY };
    let more = after.anonymous - seen.before.anonymous;
    if more > MORE_AFTERWARDS + history {
        faults.push(format!("{more:.0} MiB stay"));
    }
    if seen.deeds.dials == 0 {
        faults.push("the attacker did nothing".to_owned());
    }
    faults
}

/// What a command begins with to run on this core.
fn pinned(core: u32) -> Vec<String> {
    ["taskset", "--cpu-list", &core.to_string()].map(str::to_owned).to_vec()
}

impl Worker {
    fn start(words: &[String], work: &Work) -> io::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(words).arg(std::env::current_exe()?);
        command.arg("--work").arg(serde_json::to_string(work)?);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take();
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = stdout {
            thread::spawn(move || pass_on(stdout, &sender));
        }
        Ok(Self { child, lines })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(stdout: ChildStdout, sender: &mpsc::Sender<String>) {
    for line in BufReader::new(stdout).lines() {
        if line.is_ok_and(|line| sender.send(line).is_ok()) {
            continue;
        }
        return;
    }
}
