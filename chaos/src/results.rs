//! The results of all runs so far: `results.jsonl`, a line for each run, and the table of them in docs/performance.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::document::Section;
use crate::fault::ALL;
use crate::paths;
use crate::report::{Record, Report, summarise};

const SECTION: Section = Section { name: "chaos" };

/// What is kept of a run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    wschat: String,
    engine: String,
    seed: u64,
    nodes: usize,
    clients: usize,
    rate: u64,
    seconds: f64,
    acknowledged: u64,
    deliveries: u64,
    /// How often each kind of violation was found.
    violations: BTreeMap<String, u64>,
    /// Of each fault, each time: recovery and longest pause, in milliseconds.
    faults: BTreeMap<String, Vec<[u64; 2]>>,
}

/// Adds the results in these files, which `--json` has written, and writes the table anew.
pub fn add(files: &[PathBuf]) -> io::Result<()> {
    let kept = paths::root().join("chaos/results.jsonl");
    let mut lines = match fs::read_to_string(&kept) {
        Ok(lines) => lines,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(named(&kept, &error)),
    };
    for file in files {
        let report = fs::read_to_string(file).map_err(|error| named(file, &error))?;
        let report: Report =
            serde_json::from_str(&report).map_err(|error| named(file, &error.into()))?;
        let line = serde_json::to_string(&Run::of(&report))?;
        if lines.lines().any(|kept| kept == line) {
            return Err(named(file, &io::Error::other("this result has been added already")));
        }
        lines.push_str(&line);
        lines.push('\n');
    }
    let runs: Vec<Run> = lines
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| named(&kept, &error.into())))
        .collect::<io::Result<_>>()?;
    if let Some(lack) = SECTION.lack() {
        return Err(io::Error::other(lack));
    }
    fs::write(&kept, lines).map_err(|error| named(&kept, &error))?;
    SECTION.write(&table(&runs))
}

fn named(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

impl Run {
    fn of(report: &Report) -> Self {
        let mut faults: BTreeMap<String, Vec<[u64; 2]>> = BTreeMap::new();
        for record in &report.records {
            let times = [record.recovery, record.stall];
            faults.entry(record.fault.clone()).or_default().push(times);
        }
        let violations = report.violation_count.iter();
        Self {
            wschat: report.wschat.clone(),
            engine: report.engine.clone(),
            seed: report.seed,
            nodes: report.nodes,
            clients: report.clients,
            rate: report.rate,
            seconds: report.seconds,
            acknowledged: report.counts.acknowledged,
            deliveries: report.counts.deliveries,
            violations: violations.map(|(kind, count)| (format!("{kind:?}"), *count)).collect(),
            faults,
        }
    }
}

/// All runs, and then all faults of all runs.
fn table(runs: &[Run]) -> String {
    let mut out = "| wschat | engine | seed | load | minutes | faults | texts acknowledged | deliveries | wrong |\n\
                   |---|---|---:|---|---:|---:|---:|---:|---|\n"
        .to_owned();
    for run in runs {
        let Run { wschat, seed, nodes, clients, rate, .. } = run;
        // What follows is of its build.
        let engine = run.engine.split(" sha=").next().unwrap_or_default();
        let (minutes, faults) =
            (run.seconds / 60.0, run.faults.values().map(Vec::len).sum::<usize>());
        let wrong: Vec<String> =
            run.violations.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let wrong = if wrong.is_empty() { "nothing".to_owned() } else { wrong.join(", ") };
        let _ = writeln!(
            out,
            "| {wschat} | {engine} | {seed} | {nodes} nodes, {clients} clients, {rate}/s | {minutes:.0} | {faults} | {} | \
             {} | {wrong} |",
            run.acknowledged, run.deliveries
        );
    }
    out.push_str(
        "\n| fault | | times | recovery, ms: median | worst | longest pause, ms: median | worst |\n\
         |---|---|---:|---:|---:|---:|---:|\n",
    );
    let records: Vec<Record> = runs.iter().flat_map(Run::records).collect();
    let summaries = summarise(&records);
    for (_, name, what) in ALL {
        let Some(summary) = summaries.get(name) else { continue };
        let _ = writeln!(
            out,
            "| `{name}` | {what} | {} | {} | {} | {} | {} |",
            summary.count,
            summary.recovery_median,
            summary.recovery_worst,
            summary.stall_median,
            summary.stall_worst
        );
    }
    out
}

impl Run {
    fn records(&self) -> impl Iterator<Item = Record> {
        self.faults.iter().flat_map(|(fault, times)| {
            times.iter().map(|&[recovery, stall]| Record {
                fault: fault.clone(),
                at: 0,
                held: 0,
                recovery,
                stall,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(times: &[[u64; 2]], violations: &[(&str, u64)]) -> Run {
        let violations = violations.iter().map(|(kind, count)| ((*kind).to_owned(), *count));
        Run {
            wschat: "1.0".to_owned(),
            engine: "Redis".to_owned(),
            seed: 7,
            nodes: 3,
            clients: 10,
            rate: 20,
            seconds: 120.0,
            acknowledged: 5,
            deliveries: 9,
            violations: violations.collect(),
            faults: BTreeMap::from([("storm".to_owned(), times.to_vec())]),
        }
    }

    #[test]
    fn the_table_has_each_run_and_the_faults_of_all() {
        let table = table(&[run(&[[3, 2], [1, 9]], &[]), run(&[[2, 4]], &[("Lost", 2)])]);
        let expected = [
            "| 1.0 | Redis | 7 | 3 nodes, 10 clients, 20/s | 2 | 2 | 5 | 9 | nothing |\n",
            "| 1.0 | Redis | 7 | 3 nodes, 10 clients, 20/s | 2 | 1 | 5 | 9 | 2 Lost |\n",
            "| `storm` | all clients of a node lose their connection at once | 3 | 2 | 3 | 4 | 9 |\n",
        ];
        assert!(expected.iter().all(|line| table.contains(line)), "{table}");
    }
}
