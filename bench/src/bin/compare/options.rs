//! The command line. `bench/compare` handles `--no-install` and `--no-build` itself.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use crate::cell::{self, CELLS, Cell};
use crate::server::{self, Server};

pub const HELP: &str = include_str!("help.txt");

const MAX_ROUNDS: u32 = 1_000;
const MAX_SECONDS: f64 = 3_600.0;

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    Compare(Box<Options>),
    Help,
}

#[derive(Debug)]
pub struct Options {
    pub cells: Vec<&'static Cell>,
    pub servers: Vec<Server>,
    pub rounds: u32,
    /// The duration of measuring in each run.
    pub seconds: f64,
    pub server_core: u32,
    pub tool_core: u32,
    /// The file for the raw results.
    pub json: Option<PathBuf>,
    /// Whether to write the results into the documentation.
    pub write: bool,
}

pub fn parse(mut parser: Parser) -> Result<Task, Error> {
    let (mut rounds, mut seconds, mut is_quick) = (None, None, false);
    let (mut only, mut names, mut also) = (None, None, Vec::new());
    let (mut server_core, mut tool_core) = (0, 1);
    let (mut json, mut write) = (None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Task::Help),
            Long("rounds") => rounds = Some(parser.value()?.parse::<u32>()?),
            Long("seconds") => seconds = Some(parser.value()?.parse::<f64>()?),
            Long("quick") => is_quick = true,
            Long("only") => only = Some(list(parser.value()?)?),
            Long("servers") => names = Some(list(parser.value()?)?),
            Long("also") => also.push(variant(&parser.value()?.string()?)?),
            Long("server-core") => server_core = parser.value()?.parse()?,
            Long("tool-core") => tool_core = parser.value()?.parse()?,
            Long("json") => json = Some(PathBuf::from(parser.value()?)),
            Long("write") => write = true,
            _ => return Err(argument.unexpected()),
        }
    }
    let rounds = rounds.unwrap_or(if is_quick { 1 } else { 3 });
    if !(1..=MAX_ROUNDS).contains(&rounds) {
        return Err(format!("--rounds is from 1 to {MAX_ROUNDS}").into());
    }
    let seconds = seconds.unwrap_or(if is_quick { 1.0 } else { 5.0 });
    if !(seconds > 0.0 && seconds <= MAX_SECONDS) {
        return Err(format!("--seconds is over 0 and up to {MAX_SECONDS}").into());
    }
    let servers = servers(names, also)?;
    let options = Options {
        cells: cells(only, &servers)?,
        servers,
        rounds,
        seconds,
        server_core,
        tool_core,
        json,
        write,
    };
    Ok(Task::Compare(Box::new(options)))
}

fn list(value: OsString) -> Result<Vec<String>, Error> {
    Ok(value.string()?.split(',').map(str::to_owned).collect())
}

/// `NAME=PROGRAM[,SETTINGS]`.
fn variant(given: &str) -> Result<Server, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let (name, rest) = given
        .split_once('=')
        .filter(|(name, rest)| !name.is_empty() && name.chars().all(is_plain) && !rest.is_empty())
        .ok_or_else(|| format!("--also {given:?} is not of the form NAME=PROGRAM[,SETTINGS]"))?;
    let (program, settings) = match rest.split_once(',') {
        Some((program, settings)) => (program, Some(PathBuf::from(settings))),
        None => (rest, None),
    };
    Ok(Server::variant(name, PathBuf::from(program), settings))
}

/// The cells in the order of the documentation. If none is named: all that one of the servers can run.
fn cells(only: Option<Vec<String>>, servers: &[Server]) -> Result<Vec<&'static Cell>, Error> {
    let can_run = |cell: &Cell| servers.iter().any(|server| server.can_run(cell));
    let Some(only) = only else { return Ok(CELLS.iter().filter(|cell| can_run(cell)).collect()) };
    for name in &only {
        match cell::find(name) {
            None => return Err(format!("there is no cell {name:?}").into()),
            Some(cell) if !can_run(cell) => {
                return Err(format!("none of the servers can run {name}").into());
            }
            Some(_) => {}
        }
    }
    Ok(CELLS.iter().filter(|cell| only.iter().any(|name| name == cell.name)).collect())
}

/// The built-in servers that are named, and all variants.
fn servers(names: Option<Vec<String>>, also: Vec<Server>) -> Result<Vec<Server>, Error> {
    let mut servers = server::all();
    for variant in also {
        if servers.iter().any(|server| server.name == variant.name) {
            return Err(format!("there is already a server {:?}", variant.name).into());
        }
        // Next to wschat, with which it is compared.
        let after = servers.iter().take_while(|server| server.is_wschat()).count();
        servers.insert(after, variant);
    }
    let Some(names) = names else { return Ok(servers) };
    let is_there = |name: &String| servers.iter().any(|server| server.name == *name);
    if let Some(unknown) = names.iter().find(|name| !is_there(name)) {
        return Err(format!("there is no server {unknown:?}").into());
    }
    servers.retain(|server| server.is_variant() || names.contains(&server.name));
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        match parse(Parser::from_args(line.split_whitespace())) {
            Ok(Task::Compare(options)) => Ok(*options),
            Ok(Task::Help) => Err("help".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn names(options: &Options) -> Vec<&str> {
        options.servers.iter().map(|server| server.name.as_str()).collect()
    }

    #[test]
    fn quick_only_changes_the_defaults() {
        let of = |line| options(line).map(|options| (options.rounds, options.seconds)).unwrap();
        assert_eq!(of(""), (3, 5.0));
        assert_eq!(of("--quick"), (1, 1.0));
        assert_eq!(of("--rounds 2 --quick"), (2, 1.0));
    }

    #[test]
    fn variants_follow_wschat_and_are_always_included() {
        let all = options("--also a=/x/wschat --also b=y,z.json").unwrap();
        assert_eq!(names(&all)[..4], ["wschat", "a", "b", "bun"]);
        let some = options("--servers limit --also a=/x/wschat").unwrap();
        assert_eq!(names(&some), ["a", "limit"]);
    }

    #[test]
    fn cells_keep_their_order() {
        let some = options("--only pingpong,latency").unwrap();
        let cells: Vec<_> = some.cells.iter().map(|cell| cell.name).collect();
        assert_eq!(cells, ["latency", "pingpong"]);
        let without_tls = options("--servers bun").unwrap();
        assert_eq!(without_tls.cells.last().unwrap().name, "idle");
    }

    #[test]
    fn wrong_usage_is_explained() {
        for (line, words) in [
            ("--only rooms,gallop", "no cell \"gallop\""),
            ("--only idle-tls --servers bun", "none of the servers can run idle-tls"),
            ("--servers wschat,nginx", "no server \"nginx\""),
            ("--also wschat=/x", "already a server \"wschat\""),
            ("--also x", "NAME=PROGRAM"),
            ("--also =x", "NAME=PROGRAM"),
            ("--also <x>=y", "NAME=PROGRAM"),
            ("--rounds 0", "--rounds is from 1"),
            ("--seconds 0", "--seconds is over 0"),
            ("--seconds NaN", "--seconds is over 0"),
            ("rooms", "rooms"),
        ] {
            let refusal = options(line).expect_err(line);
            assert!(refusal.contains(words), "{line}: {refusal}");
        }
    }
}
