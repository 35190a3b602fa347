//! `chaos`: runs real nodes of wschat, a real Redis or Valkey and real clients through faults, and accounts
//! for every text. See README.md for what it checks and how to read what it says.
//!
//! | file | owns |
//! |---|---|
//! | `options.rs` | the command line |
//! | `conductor.rs`, `fault.rs` | which fault comes when, and the wait until all is well again |
//! | `nodes.rs`, `engine.rs`, `disk.rs`, `process.rs` | the nodes, Redis and Sentinel, as processes |
//! | `proxy.rs` | the links between them, which can be held and cut |
//! | `crowd.rs`, `client.rs`, `wire.rs` | all clients, on one thread |
//! | `v2.rs`, `base.rs` | what one client says and expects; pure |
//! | `ledger.rs`, `people.rs` | what all have said and seen, and whether it may be so; pure |
//! | `audit.rs` | the history at the end, as each node has it |
//! | `shared.rs` | what the conductor and the crowd tell each other |
//! | `report.rs` | the output |
//! | `results.rs` | the results of all runs so far |

#![forbid(unsafe_code)]

mod audit;
mod base;
mod client;
mod conductor;
mod crowd;
mod disk;
#[path = "../../bench/src/bin/compare/document.rs"]
mod document;
mod engine;
mod fault;
#[path = "../../bench/src/frame.rs"]
mod frame;
mod frames;
mod ledger;
mod nodes;
mod options;
mod paths;
mod people;
mod process;
mod proxy;
mod report;
mod results;
mod shared;
mod v2;
mod wire;

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::thread;

use self::conductor::Conductor;
use self::crowd::{Crowd, Plan};
use self::engine::{Engine, Setup};
use self::fault::Fault;
use self::ledger::{Kind, Ledger, Rules};
use self::nodes::{Common, Nodes, Ports, local};
use self::options::{HELP, Options, Task};
use self::report::Report;
use self::shared::Shared;

/// Something was wrong with the cluster.
const BROKEN: u8 = 1;
/// The run could not be made.
const FAILED: u8 = 2;

/// How long a session waits to be resumed.
const GRACE: u64 = 60_000;

fn main() -> ExitCode {
    match options::parse(lexopt::Parser::from_env()) {
        Ok(Task::Help) => print(HELP),
        Ok(Task::List) => {
            let line = |(_, name, what): &(Fault, &str, &str)| format!("{name:<22} {what}\n");
            print(&fault::ALL.iter().map(line).collect::<String>())
        }
        Ok(Task::Add(files)) => match results::add(&files) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string()),
        },
        Ok(Task::Run(options)) => match run_in_folder(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(BROKEN),
            Err(error) => fail(&error.to_string()),
        },
        Err(error) => fail(&format!("{error} (--help shows the usage)")),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "chaos: {why}");
    ExitCode::from(FAILED)
}

/// Runs, and says where the logs are unless all was well.
fn run_in_folder(options: &Options) -> io::Result<bool> {
    let folder = match &options.dir {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            folder.clone()
        }
        None => tempfile::Builder::new().prefix("chaos-").tempdir()?.keep(),
    };
    let report = run(options, &folder.canonicalize()?);
    let is_clean = report.as_ref().is_ok_and(Report::is_clean);
    if is_clean && options.dir.is_none() {
        std::fs::remove_dir_all(&folder)?;
    } else {
        eprintln!("the logs of all processes are in {}", folder.display());
    }
    let report = report?;
    print(&report.to_table());
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    let verdict = if is_clean { "ok" } else { "FAILED" };
    println!(
        "{verdict}: {} faults, {} kinds of violations",
        report.records.len(),
        report.violation_count.len()
    );
    Ok(is_clean)
}

fn run(options: &Options, folder: &Path) -> io::Result<Report> {
    let faults = possible(options);
    let wschat = process::version(&options.server)?;
    let mut ports = Ports::new(options.seed);
    // One more than there are at first: it joins later.
    let doors = options.nodes + usize::from(!options.is_alone);
    let addresses = (0..doors).map(|_| ports.take().map(local)).collect::<io::Result<Vec<_>>>()?;
    let shared = Arc::new(Shared::new(&addresses));
    let (engine, version) = start_engine(options, folder, doors, &faults, &mut ports)?;
    let nodes = start_nodes(options, folder, &shared, engine.as_ref(), &mut ports)?;

    let (commands, orders) = mpsc::channel();
    let plan = Plan {
        clients: options.clients,
        rooms: options.rooms,
        rate: options.rate,
        shake: (options.seconds * 500).clamp(5_000, 60_000),
    };
    let random = fastrand::Rng::with_seed(options.seed ^ 0x5eed);
    let ledger = Ledger::new(rules(options), u32::try_from(doors).map_err(io::Error::other)?);
    let log = std::fs::File::create(folder.join("clients.log"))?;
    let crowd = Crowd::new(plan, ledger, Arc::clone(&shared), orders, random, log)?;
    let crowd = thread::Builder::new().name("crowd".to_owned()).spawn(move || crowd.run())?;

    let mut conductor = Conductor::new(options, &shared, nodes, engine, commands);
    if let Err(why) = conductor.run(&faults) {
        conductor.violation("the cluster", why);
    }
    conductor.rest();
    let crowd = crowd.join().map_err(|_| io::Error::other("the crowd has panicked"))??;
    Ok(close(&mut conductor, crowd, (wschat, version)))
}

/// The faults that are wanted and possible; says which are not.
fn possible(options: &Options) -> Vec<Fault> {
    let (possible, not): (Vec<Fault>, Vec<Fault>) =
        options.faults.iter().partition(|fault| fault.why_not(options).is_none());
    for fault in not {
        let why = fault.why_not(options).unwrap_or_default();
        eprintln!("skipped: {}: {why}", fault.name());
    }
    possible
}

fn rules(options: &Options) -> Rules {
    Rules {
        may_lose: options.may_lose,
        is_all_kept: options.is_alone,
        grace: GRACE,
        lease: if options.is_alone { 0 } else { options.lease },
    }
}

fn start_engine(
    options: &Options,
    folder: &Path,
    nodes: usize,
    faults: &[Fault],
    ports: &mut Ports,
) -> io::Result<(Option<Engine>, String)> {
    if options.is_alone {
        return Ok((None, "no Redis".to_owned()));
    }
    let version = process::version(&options.redis)?;
    let setup = Setup {
        program: options.redis.clone(),
        folder: folder.to_owned(),
        fsync: options.fsync.clone(),
        nodes,
        has_disks: faults.contains(&Fault::SlowFsync),
    };
    let engine = Engine::start(&setup, ports)?;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while let Err(why) = engine.is_settled() {
        if std::time::Instant::now() > until {
            return Err(io::Error::other(format!("Redis is not ready: {why}")));
        }
        thread::sleep(std::time::Duration::from_millis(100));
    }
    Ok((Some(engine), format!("{version}, appendfsync {}", options.fsync)))
}

fn start_nodes(
    options: &Options,
    folder: &Path,
    shared: &Arc<Shared>,
    engine: Option<&Engine>,
    ports: &mut Ports,
) -> io::Result<Nodes> {
    let common = Common {
        server: absolute(&options.server)?,
        folder: folder.to_owned(),
        rooms: options.rooms,
        lease: options.lease,
        grace: GRACE,
        max_events: 1_000_000,
        read_from: options.read_from.clone(),
    };
    let cluster = |node| engine.map(|engine| engine.settings(node));
    let mut nodes = Nodes::prepare(&common, shared, ports, cluster)?;
    for node in 0..options.nodes {
        nodes.start(node, None).map_err(io::Error::other)?;
    }
    Ok(nodes)
}

fn absolute(program: &Path) -> io::Result<PathBuf> {
    program.canonicalize().map_err(|error| {
        io::Error::other(format!(
            "{}: {error} (build it, or name it by --server)",
            program.display()
        ))
    })
}

/// All that is checked at the end.
fn close(
    conductor: &mut Conductor,
    mut crowd: Crowd,
    (wschat, engine): (String, String),
) -> Report {
    let options = conductor.options.clone();
    for name in crowd.unrested() {
        let what = "waits for an answer, or is not in its room, at the end";
        crowd.ledger.violation(Kind::NotRecovered, &name, what);
    }
    for node in conductor.nodes.running() {
        let nodes::Node { name, address, .. } = &conductor.nodes.all[node];
        if let Err(error) = audit::audit(name, *address, options.rooms + 1, &mut crowd.ledger) {
            let what = format!("its history cannot be read: {error}");
            crowd.ledger.violation(Kind::NotRecovered, name, what);
        }
        let what = match conductor.nodes.metric(node, "wschat_cluster_differences_total") {
            Ok(0) => continue,
            Ok(differences) => format!("{differences} digests of other nodes were not its own"),
            Err(error) => format!("its metrics cannot be read: {error}"),
        };
        crowd.ledger.violation(Kind::Defect, name, what);
    }
    for (node, line) in conductor.nodes.defects() {
        crowd.ledger.violation(Kind::Defect, &node, line);
    }
    crowd.check_stays();
    let mut ledger = crowd.ledger;
    for violation in conductor.violations.drain(..) {
        *ledger.violation_count.entry(violation.kind).or_default() += 1;
        ledger.violations.push(violation);
    }
    let ms = u32::try_from(conductor.shared.now()).unwrap_or(u32::MAX);
    conductor.shared.violations.store(ledger.violations.len(), SeqCst);
    Report {
        wschat,
        seed: options.seed,
        engine,
        nodes: options.nodes,
        clients: options.clients,
        rate: options.rate,
        seconds: f64::from(ms) / 1_000.0,
        counts: ledger.counts,
        faults: report::summarise(&conductor.records),
        violation_count: ledger.violation_count,
        violations: ledger.violations,
        records: std::mem::take(&mut conductor.records),
    }
}
