//! `wschat-attack`: lets one attacker loose on a server that has little memory, and checks that others do not
//! notice. `bench/attack` builds everything and starts it.
//!
//! Each run has four processes: this one, the server, the people (`probe.rs`), and the attacker.
//!
//! | file | owns |
//! |---|---|
//! | `options.rs`, `help.txt` | the command line |
//! | `plan.rs` | the attacks and their variants |
//! | `place.rs`, `bound.rs`, `server.rs` | network namespaces; the bound on memory; the server's process |
//! | `trial.rs`, `table.rs` | one run and what is wrong with it; Markdown |
//! | `probe.rs`, `visitor.rs` | the honest people |
//! | `line.rs`, `crowd.rs` | connections; threads of the attacker |
//! | `pace.rs`, `frames.rs`, `unread.rs`, `amplify.rs`, `pools.rs` | the attacks |
//!
//! What it shares with `wschat-compare` and `wschat-bench` is in their files.

#![forbid(unsafe_code)]

mod amplify;
mod bound;
mod crowd;
#[path = "../compare/document.rs"]
mod document;
#[path = "../../frame.rs"]
mod frame;
mod frames;
mod line;
#[path = "../compare/machine.rs"]
mod machine;
mod options;
mod pace;
#[path = "../compare/paths.rs"]
mod paths;
mod place;
mod plan;
mod pools;
mod probe;
#[path = "../compare/scratch.rs"]
mod scratch;
mod server;
mod table;
mod trial;
mod unread;
mod visitor;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use self::crowd::{FAILURES, Field};
use self::document::Section;
use self::line::{DIALS, SENT};
use self::machine::Machine;
use self::options::{HELP, Options, Task};
use self::place::Place;
use self::plan::Where;
use self::scratch::Scratch;
use self::trial::{Deeds, Work};

/// A verdict is bad, or a run could not be completed.
const BROKEN: u8 = 1;
/// Nothing was run, or the results could not be written.
const FAILED: u8 = 2;

/// Where `--write` puts the table.
const SECTION: Section = Section { name: "attack" };

/// Runs a command before other programs. The kernel may group processes by session and share the time among the
/// groups, so the group's niceness counts as well.
const FIRST: [&str; 5] = [
    "setsid",
    "sh",
    "-c",
    r#"{ echo -20 >/proc/$$/autogroup; } 2>/dev/null; exec nice -n -20 "$@""#,
    "first",
];

fn main() -> ExitCode {
    let result = match options::parse(lexopt::Parser::from_env()) {
        Ok(Task::Help) => io::stdout().write_all(HELP.as_bytes()).map(|()| true),
        Ok(Task::Work(work)) => work_on(&work).map(|()| true),
        Ok(Task::Attack(options)) => attack(*options),
        Err(error) => Err(io::Error::other(format!("{error} (--help shows the usage)"))),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            say(&format!("wschat-attack: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Runs all variants and prints the table; returns whether all verdicts are good.
fn attack(mut options: Options) -> io::Result<bool> {
    if !paths::is_program(&options.server) {
        return Err(io::Error::other("there is no server to attack: leave out --no-build"));
    }
    if let Some(lack) = options.write.then(|| SECTION.lack()).flatten() {
        return Err(io::Error::other(lack));
    }
    allow_files()?;
    options.priority = if_allowed(&["chrt", "--fifo", "10"]);
    options.niceness = if_allowed(&FIRST);
    let scratch = Scratch::new()?;
    let (place, mut skipped) = match Place::new() {
        Ok(place) => (Some(place), Vec::new()),
        Err(error) => (None, vec![format!("attacks from another address: {error}")]),
    };
    let machine = Machine::describe();
    let mut outcomes = Vec::new();
    for (index, &variant) in options.variants.iter().enumerate() {
        if place.is_none() && variant.from != Where::Loopback {
            continue;
        }
        match trial::run(&options, variant, place.as_ref(), &scratch) {
            Ok(outcome) => {
                say(&format!(
                    "{}/{} {}",
                    index + 1,
                    options.variants.len(),
                    table::row(&outcome).trim()
                ));
                outcomes.push(outcome);
            }
            Err(error) => {
                say(&format!("{variant}: {error}"));
                skipped.push(format!("`{variant}`: {error}"));
            }
        }
        if let Some(path) = &options.json {
            let machine = machine.to_json();
            let all = json!({ "machine": machine, "runs": outcomes, "notRun": skipped });
            fs::write(path, all.to_string())?;
        }
    }
    let mut text = table::render(&options, &outcomes, &skipped);
    if options.server == paths::built("wschat") {
        text = format!("{machine}\n{text}");
    }
    io::stdout().write_all(text.as_bytes())?;
    if options.write {
        SECTION.write(&text)?;
    }
    Ok(skipped.is_empty() && outcomes.iter().all(|outcome| outcome.faults.is_empty()))
}

/// Is the people or the attacker of a run.
fn work_on(work: &str) -> io::Result<()> {
    match serde_json::from_str(work)? {
        Work::Probe(plan) => probe::run(plan),
        Work::Attack { name, door, is_remote, seconds } => {
            let attack = plan::find(&name).ok_or_else(|| io::Error::other("no such attack"))?;
            (attack.run)(&Field { door: Arc::new(door), is_remote });
            thread::sleep(Duration::from_secs_f64(seconds));
            #[allow(clippy::cast_precision_loss)] // Far below 2^53.
            let sent_mib = SENT.load(Relaxed) as f64 / f64::from(1 << 20);
            let (dials, failures) = (DIALS.load(Relaxed), FAILURES.load(Relaxed));
            let deeds = Deeds { dials, sent_mib, failures };
            writeln!(io::stdout(), "{}", serde_json::to_string(&deeds)?)
        }
    }
}

/// Raises the limit on open files for this program and its children to the hard limit.
fn allow_files() -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// What a command begins with to run like this, if that is allowed.
fn if_allowed(words: &[&str]) -> Vec<String> {
    let is_allowed = paths::is_program(Path::new(words[0]))
        && Command::new(words[0])
            .args(&words[1..])
            .arg("true")
            .output()
            .is_ok_and(|output| output.status.success() && output.stderr.is_empty());
    if is_allowed { words.iter().map(|&word| word.to_owned()).collect() } else { Vec::new() }
}

fn say(line: &str) {
    // Progress is no result.
    let _ = writeln!(io::stderr(), "{line}");
}
