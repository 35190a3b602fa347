//! All runs of a comparison, with medians, spreads and ratios.

use serde_json::{Value, json};

use crate::cell::{Better, Cell, Figure};
use crate::server::{Role, Server};
use crate::trial::Outcome;

#[derive(Debug)]
pub struct Results {
    pub cells: Vec<&'static Cell>,
    pub servers: Vec<Server>,
    pub rounds: u32,
    pub seconds: f64,
    runs: Vec<Run>,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    pub cell: &'static str,
    pub server: String,
    /// From 1.
    pub round: u32,
    pub outcome: Outcome,
}

/// One figure over the clean rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// Whether the tool was the bottleneck in at least one round.
    pub is_lower_bound: bool,
}

impl Results {
    pub fn new(cells: Vec<&'static Cell>, servers: Vec<Server>, rounds: u32, seconds: f64) -> Self {
        Self { cells, servers, rounds, seconds, runs: Vec::new() }
    }

    pub fn push(&mut self, run: Run) {
        self.runs.push(run);
    }

    pub fn is_clean(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Runs that were not clean or could not be completed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&Run, String)> {
        self.runs.iter().filter_map(|run| Some((run, run.outcome.failure()?)))
    }

    pub fn failures_of(&self, cell: &Cell, server: &Server) -> usize {
        self.failures()
            .filter(|(run, _)| run.cell == cell.name && run.server == server.name)
            .count()
    }

    /// The servers that run this cell.
    pub fn servers_in(&self, cell: &Cell) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| server.can_run(cell))
    }

    /// Over the clean runs; `None` if there are none.
    pub fn summary(&self, cell: &Cell, server: &Server, figure: &Figure) -> Option<Summary> {
        let reports = || {
            self.runs.iter().filter_map(|run| match &run.outcome {
                Outcome::Clean(report) if run.cell == cell.name && run.server == server.name => {
                    Some(report)
                }
                _ => None,
            })
        };
        let mut values: Vec<_> = reports().filter_map(|report| figure.of(report)).collect();
        values.sort_by(f64::total_cmp);
        Some(Summary {
            median: median(&values)?,
            min: *values.first()?,
            max: *values.last()?,
            is_lower_bound: reports().any(|report| figure.is_lower_bound(report)),
        })
    }

    pub fn median_of(&self, cell: &Cell, name: &str, figure: &Figure) -> Option<f64> {
        let server = self.servers.iter().find(|server| server.name == name)?;
        self.summary(cell, server, figure).map(|summary| summary.median)
    }

    /// The best median among the peers.
    pub fn best_peer(&self, cell: &Cell, figure: &Figure) -> Option<f64> {
        let peers = self.servers.iter().filter(|server| server.role == Role::Peer);
        let medians = peers.filter_map(|peer| Some(self.summary(cell, peer, figure)?.median));
        medians.reduce(match figure.better {
            Better::Higher => f64::max,
            Better::Lower => f64::min,
        })
    }

    /// All reports of the tool.
    pub fn to_json(&self, about: &Value) -> Value {
        let runs: Vec<_> = self
            .runs
            .iter()
            .map(|run| {
                json!({
                    "cell": run.cell,
                    "server": run.server,
                    "round": run.round,
                    "failure": run.outcome.failure(),
                    "report": run.outcome.report(),
                })
            })
            .collect();
        json!({ "about": about, "rounds": self.rounds, "seconds": self.seconds, "runs": runs })
    }
}

/// The order of the servers in a round, counted from 0: each round starts with another one.
pub fn turn<T>(servers: &[T], round: u32) -> impl Iterator<Item = &T> {
    let first = round as usize % servers.len().max(1);
    servers[first..].iter().chain(&servers[..first])
}

/// `value / reference`.
pub fn ratio(value: f64, reference: f64) -> Option<f64> {
    (reference > 0.0).then(|| value / reference)
}

/// The median of sorted values.
fn median(values: &[f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(values[middle - 1], upper)) }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::{cell, server};

    /// Invented results of the cell `rooms`: deliveries per second in each round, or a failure.
    pub fn rooms(figures: &[(&str, &[Option<f64>])]) -> Results {
        let rooms = cell::find("rooms").unwrap();
        let names: Vec<_> = figures.iter().map(|(name, _)| *name).collect();
        let servers = server::all().into_iter().filter(|s| names.contains(&s.name.as_str()));
        let rounds = u32::try_from(figures[0].1.len()).unwrap();
        let mut results = Results::new(vec![rooms], servers.collect(), rounds, 5.0);
        for (name, rounds) in figures {
            for (round, figure) in (1..).zip(*rounds) {
                let outcome = match figure {
                    Some(figure) => Outcome::Clean(json!({
                        "traffic": {
                            "perSecond": figure,
                            "tool": { "wasBottleneck": *name == "limit" },
                        }
                    })),
                    None => Outcome::Failed("no /tmp/x/file: a|b\nmore".to_owned()),
                };
                results.push(Run { cell: "rooms", server: (*name).to_owned(), round, outcome });
            }
        }
        results
    }

    #[test]
    fn the_median_is_the_middle_value() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[5.0]), Some(5.0));
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }

    #[test]
    fn a_ratio_to_zero_is_none() {
        assert_eq!(ratio(3.0, 2.0), Some(1.5));
        assert_eq!(ratio(3.0, 0.0), None);
        assert_eq!(ratio(3.0, -1.0), None);
    }

    #[test]
    fn failed_runs_are_counted_and_excluded_from_the_figures() {
        let results = rooms(&[
            ("wschat", &[Some(7.0), None, Some(5.0)]),
            ("limit", &[Some(9.0), Some(9.5), Some(8.0)]),
        ]);
        let rooms = results.cells[0];
        let summary = results.summary(rooms, &results.servers[0], rooms.main()).unwrap();
        let expected = Summary { median: 6.0, min: 5.0, max: 7.0, is_lower_bound: false };
        assert_eq!(summary, expected);
        let limit = results.summary(rooms, &results.servers[1], rooms.main()).unwrap();
        assert!(limit.is_lower_bound);
        assert_eq!(results.failures_of(rooms, &results.servers[0]), 1);
        assert!(!results.is_clean());
        assert_eq!(results.to_json(&Value::Null)["runs"][1]["report"], Value::Null);
    }

    #[test]
    fn the_best_peer_is_neither_wschat_nor_the_limit() {
        let results = rooms(&[
            ("wschat", &[Some(7.0)]),
            ("bun", &[Some(5.0)]),
            ("gorilla", &[Some(4.0)]),
            ("limit", &[Some(9.0)]),
        ]);
        let rooms = results.cells[0];
        assert_eq!(results.best_peer(rooms, rooms.main()), Some(5.0));
        let lower = Figure { better: Better::Lower, ..*cell::find("room").unwrap().main() };
        assert_eq!(results.best_peer(rooms, &lower), Some(4.0));
    }

    #[test]
    fn each_round_starts_with_another_server() {
        let order = |round| turn(&["a", "b", "c"], round).copied().collect::<String>();
        assert_eq!([order(0), order(1), order(2), order(3)], ["abc", "bca", "cab", "abc"]);
        assert_eq!(turn::<u8>(&[], 1).count(), 0);
    }
}
