//! The command line. `bench/attack` handles `--no-build` itself.

use std::path::PathBuf;

use lexopt::prelude::*;
use lexopt::{Error, Parser};

use crate::paths;
use crate::plan::{self, Variant};

pub const HELP: &str = include_str!("help.txt");

const MAX_SECONDS: f64 = 3_600.0;

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    Attack(Box<Options>),
    /// This process is one of a run: see `trial::Work`.
    Work(String),
    Help,
}

#[derive(Debug)]
pub struct Options {
    pub variants: Vec<Variant>,
    /// How long each attack lasts.
    pub seconds: f64,
    /// How long the server may take afterwards until its memory is back.
    pub settle: f64,
    /// The bound, in MiB.
    pub memory: u32,
    pub server: PathBuf,
    pub settings: PathBuf,
    pub server_core: u32,
    pub tool_core: u32,
    /// What the probe's command begins with for real-time priority; empty if that is not allowed.
    pub priority: Vec<String>,
    /// The same for the server and the attacker, so that other programs on their cores matter less.
    pub niceness: Vec<String>,
    /// The file for the raw results.
    pub json: Option<PathBuf>,
    /// Whether to write the table into the documentation.
    pub write: bool,
}

pub fn parse(mut parser: Parser) -> Result<Task, Error> {
    let mut options = Options {
        variants: plan::variants(&[]),
        seconds: 60.0,
        settle: 15.0,
        memory: 512,
        server: paths::built("wschat"),
        settings: paths::root().join("settings.json"),
        server_core: 0,
        tool_core: 1,
        priority: Vec::new(),
        niceness: Vec::new(),
        json: None,
        write: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Task::Help),
            Long("work") => return Ok(Task::Work(parser.value()?.string()?)),
            Long("only") => options.variants = only(&parser.value()?.string()?)?,
            Long("seconds") => options.seconds = seconds("--seconds", parser.value()?.parse()?)?,
            Long("settle") => options.settle = seconds("--settle", parser.value()?.parse()?)?,
            Long("memory") => options.memory = parser.value()?.parse()?,
            Long("server") => options.server = PathBuf::from(parser.value()?),
            Long("settings") => options.settings = PathBuf::from(parser.value()?),
            Long("server-core") => options.server_core = parser.value()?.parse()?,
            Long("tool-core") => options.tool_core = parser.value()?.parse()?,
            Long("json") => options.json = Some(PathBuf::from(parser.value()?)),
            Long("write") => options.write = true,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Task::Attack(Box::new(options)))
}

fn seconds(name: &str, value: f64) -> Result<f64, Error> {
    if value > 0.0 && value <= MAX_SECONDS {
        return Ok(value);
    }
    Err(format!("{name} is over 0 and up to {MAX_SECONDS}").into())
}

fn only(list: &str) -> Result<Vec<Variant>, Error> {
    let words: Vec<_> = list.split(',').map(str::to_owned).collect();
    for word in &words {
        if plan::variants(std::slice::from_ref(word)).is_empty() {
            return Err(format!("there is no attack {word:?}").into());
        }
    }
    Ok(plan::variants(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_attack() {
        let words: Vec<_> = HELP.split_whitespace().collect();
        for attack in plan::ATTACKS {
            assert!(words.contains(&attack.name), "{}", attack.name);
        }
    }

    #[test]
    fn wrong_usage_is_explained() {
        for (line, words) in [
            ("--only refs,gallop", "no attack \"gallop\""),
            ("--seconds 0", "--seconds is over 0"),
            ("--settle NaN", "--settle is over 0"),
            ("refs", "refs"),
        ] {
            let refusal = parse(Parser::from_args(line.split_whitespace())).expect_err(line);
            assert!(refusal.to_string().contains(words), "{line}: {refusal}");
        }
    }
}
