//! The results as Markdown.

use std::fmt::Write as _;

use crate::options::Options;
use crate::plan;
use crate::trial::Outcome;

/// All runs in a table, with what was not run.
pub fn render(options: &Options, outcomes: &[Outcome], skipped: &[String]) -> String {
    let mut out = String::new();
    let bounded_by = outcomes.first().map_or("nothing", |outcome| outcome.bounded_by);
    let _ = writeln!(
        out,
        "20 people say two messages a second each in one room, while one attacker does its worst for {} s. The server \
         has one core and {} MiB, bounded by {bounded_by}, and the shipped settings. The people{} share the other core \
         with the attacker.\n",
        options.seconds,
        options.memory,
        if options.priority.is_empty() { "" } else { ", with real-time priority," },
    );
    let _ = writeln!(
        out,
        "Latency is from a message to each of its listeners, in milliseconds. Closed, refused and missing: connections \
         that the people lost, what was refused to them and to the visitors, and messages that a listener did not get. \
         Memory is anonymous (total) in MiB.\n"
    );
    out.push_str(
        "| attack | | p50, p99 before | p50, p99, max during | closed | refused | missing | memory before | peak | after | CPU | attacker | verdict |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for outcome in outcomes {
        out.push_str(&row(outcome));
    }
    for reason in skipped {
        let _ = writeln!(out, "\nNot run: {reason}");
    }
    out
}

/// One run as a row.
pub fn row(outcome: &Outcome) -> String {
    let Outcome { attack, people, deeds, before, peak, after, cpu, faults, .. } = outcome;
    let name = attack.split('/').next().unwrap_or_default();
    let about = plan::find(name).map_or("", |attack| attack.about);
    let memory = |it: &crate::bound::Memory| format!("{:.0} ({:.0})", it.anonymous, it.total);
    let verdict = match faults.as_slice() {
        [] => "met".to_owned(),
        faults => format!("**{}**{}", faults.join(", "), reasons(outcome)),
    };
    format!(
        "| `{attack}` | {about} | {:.1}, {:.1} | {:.1}, {:.1}, {:.0} | {} | {} | {} | {} | {} | {} | {:.0} % | {} connections, {:.0} MiB | {verdict} |\n",
        people.before.p50,
        people.before.p99,
        people.during.p50,
        people.during.p99,
        people.during.max,
        people.closed,
        people.refused,
        people.missing,
        memory(before),
        memory(peak),
        memory(after),
        cpu * 100.0,
        deeds.dials,
        deeds.sent_mib,
    )
}

/// The reasons of refusals and losses, the most frequent first.
fn reasons(outcome: &Outcome) -> String {
    let mut all: Vec<_> = outcome.people.reasons.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let all: Vec<_> = all.iter().take(4).map(|(why, count)| format!("{count} × {why}")).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join("; ")) }
}
