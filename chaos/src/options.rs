//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use crate::fault::{ALL, Fault};

pub const HELP: &str = "\
chaos - runs real nodes, real Redis and real clients through faults, and accounts for every text

Usage: chaos [options]

  --seed N            decides which faults come when, and what clients do (1)
  --seconds S         how long faults go on (60)
  --each N            end when each fault has been N times
  --only A,B,…        only these faults; none: no fault at all
  --without A,B,…     all but these
  --list              print the faults, and exit

  --nodes N           nodes (3)
  --clients N         clients; one in ten speaks the base protocol (60)
  --rooms N           rooms (clients / 10, at least 3)
  --rate N            texts a second of all clients together (200)
  --lease MS          leaseMs of the nodes (6000)
  --read-from WHAT    readFrom of the nodes: replica, or master
  --may-lose          what was acknowledged may be lost, with a new epoch

  --server PATH       the program (target/release/wschat)
  --other-server PATH the program of another version, for rolling-upgrade
  --engine NAME       redis, or valkey (redis)
  --redis PATH        redis-server or valkey-server, by default in the PATH
  --fsync WHAT        appendfsync: always, or everysec (always)
  --no-redis          one node without a cluster, with its history in a file

  --dir PATH          where settings, logs and data go; by default a new folder in /tmp,
                      which is removed if nothing was wrong
  --json FILE         write the result there, too
  --add FILE          run nothing: add the result in this file to chaos/results.jsonl, and write the table of all
                      results into docs/performance.md
  --help

Exit status: 0 nothing was wrong, 1 something was, 2 the run could not be made.
";

#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub seconds: u64,
    pub each: Option<usize>,
    pub faults: Vec<Fault>,
    pub nodes: usize,
    pub clients: usize,
    pub rooms: u32,
    pub rate: u64,
    pub lease: u64,
    pub read_from: Option<String>,
    pub may_lose: bool,
    pub server: PathBuf,
    pub other_server: Option<PathBuf>,
    pub redis: PathBuf,
    pub fsync: String,
    pub is_alone: bool,
    pub dir: Option<PathBuf>,
    pub json: Option<PathBuf>,
}

pub enum Task {
    Help,
    List,
    /// Adds these results to the others.
    Add(Vec<PathBuf>),
    Run(Box<Options>),
}

pub fn parse(mut parser: Parser) -> Result<Task, Error> {
    let mut options = Options::default();
    let (mut rooms, mut redis, mut engine) = (None, None, "redis".to_owned());
    let mut added = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Task::Help),
            Long("list") => return Ok(Task::List),
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("seconds") => options.seconds = parser.value()?.parse()?,
            Long("each") => options.each = Some(parser.value()?.parse()?),
            Long("only") => options.faults = faults(&parser.value()?.string()?)?,
            Long("without") => {
                let without = faults(&parser.value()?.string()?)?;
                options.faults.retain(|fault| !without.contains(fault));
            }
            Long("nodes") => options.nodes = parser.value()?.parse()?,
            Long("clients") => options.clients = parser.value()?.parse()?,
            Long("rooms") => rooms = Some(parser.value()?.parse()?),
            Long("rate") => options.rate = parser.value()?.parse()?,
            Long("lease") => options.lease = parser.value()?.parse()?,
            Long("read-from") => options.read_from = Some(parser.value()?.string()?),
            Long("may-lose") => options.may_lose = true,
            Long("server") => options.server = parser.value()?.into(),
            Long("other-server") => options.other_server = Some(parser.value()?.into()),
            Long("engine") => engine = parser.value()?.string()?,
            Long("redis") => redis = Some(parser.value()?.into()),
            Long("fsync") => options.fsync = parser.value()?.string()?,
            Long("no-redis") => options.is_alone = true,
            Long("dir") => options.dir = Some(parser.value()?.into()),
            Long("add") => added.push(parser.value()?.into()),
            Long("json") => options.json = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    if !added.is_empty() {
        return Ok(Task::Add(added));
    }
    options.redis = redis.unwrap_or_else(|| format!("{engine}-server").into());
    let ten = u32::try_from(options.clients / 10).unwrap_or(u32::MAX);
    options.rooms = rooms.unwrap_or(ten.max(3));
    check(&options, &engine)?;
    Ok(Task::Run(Box::new(options)))
}

fn check(options: &Options, engine: &str) -> Result<(), Error> {
    let problem = if options.nodes == 0 {
        "--nodes must be at least 1"
    } else if options.is_alone && options.nodes != 1 {
        "--no-redis is for --nodes 1"
    } else if !matches!(engine, "redis" | "valkey") {
        "--engine must be redis or valkey"
    } else if !matches!(&options.fsync[..], "always" | "everysec") {
        "--fsync must be always or everysec"
    } else if options.rooms == 0 {
        "--rooms must be at least 1"
    } else {
        return Ok(());
    };
    Err(problem.into())
}

fn faults(names: &str) -> Result<Vec<Fault>, Error> {
    let names = names.split(',').filter(|name| !matches!(*name, "" | "none"));
    names
        .map(|name| {
            Fault::parse(name)
                .ok_or_else(|| format!("there is no fault {name:?}: --list shows all").into())
        })
        .collect()
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            seconds: 60,
            each: None,
            faults: ALL.iter().map(|(fault, ..)| *fault).collect(),
            nodes: 3,
            clients: 60,
            rooms: 3,
            rate: 200,
            lease: 6_000,
            read_from: None,
            may_lose: false,
            server: "target/release/wschat".into(),
            other_server: None,
            redis: "redis-server".into(),
            fsync: "always".to_owned(),
            is_alone: false,
            dir: None,
            json: None,
        }
    }
}
