//! `wschat-compare`: measures wschat beside other servers with `wschat-bench`, and reports how they
//! compare. `bench/compare` builds everything and starts it.
//!
//! `wschat-bench` does the measuring. This program schedules the runs, keeps every result, and always
//! reports failed runs.
//!
//! | file | owns |
//! |---|---|
//! | `options.rs`, `help.txt` | the command line |
//! | `cell.rs`, `server.rs`, `bars.rs` | the loads, the servers, and the bars |
//! | `paths.rs`, `machine.rs`, `scratch.rs` | paths; the description of the machine; temporary files |
//! | `process.rs`, `trial.rs` | starting and stopping servers; one run |
//! | `results.rs`, `unit.rs` | all runs, medians and ratios; formatting of numbers |
//! | `table.rs`, `plot.rs`, `document.rs` | Markdown, SVG, and writing them |

#![forbid(unsafe_code)]

mod bars;
mod cell;
mod document;
mod machine;
mod options;
mod paths;
mod plot;
mod process;
mod results;
mod scratch;
mod server;
mod table;
mod trial;
mod unit;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use self::cell::Cell;
use self::document::Section;
use self::machine::Machine;
use self::options::{HELP, Options, Task};
use self::results::{Results, Run};
use self::server::Server;
use self::trial::{Bench, Outcome};

/// Where `--write` puts the tables, and the plot beside them.
const SECTION: Section = Section { name: "compare" };
const PLOT: &str = "performance.svg";

/// A run failed.
const BROKEN: u8 = 1;
/// Nothing was measured, or the results could not be written.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match options::parse(lexopt::Parser::from_env()) {
        Ok(Task::Help) => match io::stdout().write_all(HELP.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(FAILED),
        },
        Ok(Task::Compare(options)) => {
            let lacks = lacks(&options);
            for lack in &lacks {
                say(&format!("wschat-compare: {lack}"));
            }
            if !lacks.is_empty() {
                return ExitCode::from(FAILED);
            }
            match compare(*options) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::from(BROKEN),
                Err(error) => fail(&error.to_string()),
            }
        }
        Err(error) => fail(&format!("{error} (--help shows the usage)")),
    }
}

/// Everything that is missing, checked before the first run because a comparison takes long.
fn lacks(options: &Options) -> Vec<String> {
    let mut lacks: Vec<_> = options.servers.iter().filter_map(Server::lack).collect();
    if !paths::is_program(&paths::built("wschat-bench")) {
        lacks.push("there is no wschat-bench beside this program: start bench/compare".to_owned());
    }
    for core in [options.server_core, options.tool_core] {
        match process::pinned(core, &["true"]).output() {
            Err(error) => lacks.push(format!("setpriv and taskset (util-linux): {error}")),
            Ok(output) if !output.status.success() => {
                let said = String::from_utf8_lossy(&output.stderr);
                lacks.push(format!("core {core} cannot be used: {}", said.trim()));
            }
            Ok(_) => {}
        }
    }
    if options.cells.iter().any(|cell| cell.is_tls) && !paths::is_program(Path::new("openssl")) {
        lacks.push("idle-tls needs openssl to make a certificate".to_owned());
    }
    if options.write {
        lacks.extend(SECTION.lack());
    }
    lacks
}

/// Does all runs and prints the results; returns whether all were clean.
fn compare(options: Options) -> io::Result<bool> {
    process::allow_files()?;
    let bench = Bench::new(&options)?;
    let machine = Machine::describe();
    let Options { cells, servers, rounds, seconds, json, write, .. } = options;
    let mut results = Results::new(cells.clone(), servers.clone(), rounds, seconds);
    let plan = plan(&cells, &servers, rounds);
    let keep_all = |results: &Results| match &json {
        Some(path) => keep(path, &results.to_json(&machine.to_json())),
        None => Ok(()),
    };
    // Written before the first run to fail early, and after each so that nothing is lost.
    keep_all(&results)?;
    for (index, (cell, round, server)) in plan.iter().enumerate() {
        let outcome = bench.run(cell, server);
        let shown = show(cell, &outcome);
        let done = format!("{}/{}", index + 1, plan.len());
        say(&format!("{done:>9}  {:<10} {:<21} {shown}", cell.name, server.name));
        let (cell, server, round) = (cell.name, server.name.clone(), round + 1);
        results.push(Run { cell, server, round, outcome });
        keep_all(&results)?;
    }
    let text = table::render(&results, &machine, write.then_some(PLOT));
    io::stdout().write_all(text.as_bytes())?;
    if write {
        fs::write(document::path().with_file_name(PLOT), plot::render(&results))?;
        SECTION.write(&text)?;
    }
    Ok(results.is_clean())
}

/// All runs in order: cell by cell and round by round, with the servers rotating.
fn plan<'a>(
    cells: &[&'static Cell],
    servers: &'a [Server],
    rounds: u32,
) -> Vec<(&'static Cell, u32, &'a Server)> {
    let mut plan = Vec::new();
    for &cell in cells {
        let able: Vec<_> = servers.iter().filter(|s| s.can_run(cell)).collect();
        for round in 0..rounds {
            plan.extend(results::turn(&able, round).map(|server| (cell, round, *server)));
        }
    }
    plan
}

/// A run in one line.
fn show(cell: &Cell, outcome: &Outcome) -> String {
    if let Some(failure) = outcome.failure() {
        return format!("FAILED: {failure}");
    }
    let Some(report) = outcome.report() else { return String::new() };
    let figures = cell.figures.iter().filter_map(|figure| {
        Some(format!("{} {}", figure.name, figure.unit.show(figure.of(report)?)))
    });
    figures.collect::<Vec<_>>().join(", ")
}

fn keep(path: &Path, json: &Value) -> io::Result<()> {
    let with_path = |error| io::Error::other(format!("{}: {error}", path.display()));
    fs::write(path, format!("{json:#}\n")).map_err(with_path)
}

fn say(words: &str) {
    // A closed standard error must not end the comparison.
    let _ = writeln!(io::stderr(), "{words}");
}

fn fail(why: &str) -> ExitCode {
    say(&format!("wschat-compare: {why}"));
    ExitCode::from(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_rotate_and_only_wschat_runs_tls() {
        let cells = ["room", "idle-tls"].map(|name| cell::find(name).unwrap());
        let servers = server::all();
        let plan = plan(&cells, &servers[..2], 2);
        let plan: Vec<_> = plan.iter().map(|(c, r, s)| (c.name, *r, s.name.as_str())).collect();
        let expected = [
            ("room", 0, "wschat"),
            ("room", 0, "bun"),
            ("room", 1, "bun"),
            ("room", 1, "wschat"),
            ("idle-tls", 0, "wschat"),
            ("idle-tls", 1, "wschat"),
        ];
        assert_eq!(plan, expected);
    }
}
