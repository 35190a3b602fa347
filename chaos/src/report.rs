//! The result: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::ledger::{Counts, Kind, Violation};

/// One fault that happened. Times are in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub fault: String,
    pub at: u64,
    /// How long the fault itself lasted: until the last thing of it was done.
    pub held: u64,
    /// From its beginning until texts of every node came to every node again.
    pub recovery: u64,
    /// The longest time that nothing came from some node to some other.
    pub stall: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What the program says of its version.
    pub wschat: String,
    pub seed: u64,
    pub engine: String,
    pub nodes: usize,
    pub clients: usize,
    pub rate: u64,
    pub seconds: f64,
    pub counts: Counts,
    pub faults: BTreeMap<String, Summary>,
    pub violation_count: BTreeMap<Kind, u64>,
    pub violations: Vec<Violation>,
    pub records: Vec<Record>,
}

/// All faults of one name. Times are in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub count: usize,
    pub held_median: u64,
    pub recovery_median: u64,
    pub recovery_worst: u64,
    pub stall_median: u64,
    pub stall_worst: u64,
}

/// How many violations the table shows.
const SHOWN: usize = 40;

impl Report {
    pub fn is_clean(&self) -> bool {
        self.violation_count.is_empty()
    }

    pub fn to_table(&self) -> String {
        let Counts { texts, acknowledged, deliveries, connections, .. } = self.counts;
        let Counts { resumed, new_sessions, refused, unclear, incomplete, .. } = self.counts;
        let Counts { replaced, lost_where_allowed, seen_away, seen_leaving, .. } = self.counts;
        let mut out = format!(
            "\nseed {}, {} nodes, {} clients, {} texts/s wanted, {:.0} s, {}\n\
             {texts} texts sent, {acknowledged} acknowledged, {refused} refusals, {unclear} unclear, \
             {deliveries} deliveries\n\
             {connections} connections, {resumed} resumed, {new_sessions} new sessions, \
             {replaced} replaced, {incomplete} incomplete, {seen_away} seen away, \
             {seen_leaving} seen leaving, {lost_where_allowed} lost where allowed\n\n",
            self.seed, self.nodes, self.clients, self.rate, self.seconds, self.engine,
        );
        out.push_str(
            "| fault | times | lasts, ms | recovery: median | worst | longest pause: median | worst |\n\
             |---|---:|---:|---:|---:|---:|---:|\n",
        );
        for (name, fault) in &self.faults {
            let Summary { count, held_median, recovery_median, recovery_worst, .. } = fault;
            let Summary { stall_median, stall_worst, .. } = fault;
            let _ = writeln!(
                out,
                "| {name} | {count} | {held_median} | {recovery_median} | {recovery_worst} | \
                 {stall_median} | {stall_worst} |"
            );
        }
        out.push('\n');
        for violation in self.violations.iter().take(SHOWN) {
            let Violation { kind, who, what, at } = violation;
            let _ = writeln!(out, "wrong at {at} ms: {kind:?}: {who}: {what}");
        }
        for (kind, count) in &self.violation_count {
            let _ = writeln!(out, "{kind:?}: {count}");
        }
        out
    }
}

/// Summaries of the faults by name.
pub fn summarise(records: &[Record]) -> BTreeMap<String, Summary> {
    let mut names: Vec<&str> = records.iter().map(|record| &record.fault[..]).collect();
    names.sort_unstable();
    names.dedup();
    let summary = |name: &&str| {
        let of_name = || records.iter().filter(|record| record.fault == **name);
        let recovery = sorted(of_name().map(|record| record.recovery));
        let stall = sorted(of_name().map(|record| record.stall));
        let held = sorted(of_name().map(|record| record.held));
        let median = |times: &[u64]| times.get(times.len() / 2).copied().unwrap_or(0);
        let worst = |times: &[u64]| times.last().copied().unwrap_or(0);
        let summary = Summary {
            count: recovery.len(),
            held_median: median(&held),
            recovery_median: median(&recovery),
            recovery_worst: worst(&recovery),
            stall_median: median(&stall),
            stall_worst: worst(&stall),
        };
        ((*name).to_owned(), summary)
    };
    names.iter().map(summary).collect()
}

fn sorted(times: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut times: Vec<u64> = times.collect();
    times.sort_unstable();
    times
}
