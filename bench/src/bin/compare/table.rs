//! The results in Markdown: one table for each cell, the bars, and what failed.

use std::fmt::Write;

use crate::bars;
use crate::cell::{Cell, Figure};
use crate::machine::Machine;
use crate::results::{Results, Summary, ratio};
use crate::server::{Role, Server};

/// Marks figures that the tool limited.
const LOWER_BOUND: &str = " †";
const NOTHING: &str = "–";

/// The whole section, with headings of level 3. `plot` is the path of the plot, if there is one.
pub fn render(results: &Results, machine: &Machine, plot: Option<&str>) -> String {
    let mut text = format!(
        "{machine}\n\
         Each server was alone on one core, the load tool on another; figures are the median of {}, \
         each measuring for {} s, in which the servers took turns. Arrows show which way is better. \
         Spread is from the lowest round to the highest, and ratios are of the first figure. The \
         best peer is the best of all that are neither wschat nor `limit`, which is no chat server \
         but a bare loop that parses and checks nothing.\n",
        plural(results.rounds, "round"),
        results.seconds
    );
    // Writing to a string does not fail.
    if let Some(plot) = plot {
        let _ = writeln!(
            text,
            "\n![Bars for each cell and server; the tables have the figures]({plot})"
        );
    }
    let bars = bars::render(results);
    if !bars.is_empty() {
        let _ = write!(text, "\n### Bars\n\n{bars}");
    }
    for cell in &results.cells {
        text.push_str(&table(results, cell));
    }
    text.push_str(&failures(results));
    text
}

/// One cell.
fn table(results: &Results, cell: &Cell) -> String {
    let references = references(results, cell);
    let mut text = format!("\n### {} (`{}`)\n\n", cell.title, cell.name);
    if let Some(note) = cell.note {
        let _ = writeln!(text, "{note}\n");
    }
    let mut heads = vec!["server".to_owned()];
    for (index, figure) in cell.figures.iter().enumerate() {
        heads.push(format!("{} {}", figure.name, figure.better.arrow()));
        if index == 0 {
            heads.push("spread".to_owned());
        }
    }
    heads.extend(references.iter().map(|(name, _)| format!("× {name}")));
    text.push_str(&row(&heads));
    let rule: Vec<_> = (0..heads.len()).map(|i| if i == 0 { "---" } else { "---:" }).collect();
    let _ = writeln!(text, "|{}|", rule.join("|"));

    let mut has_lower_bound = false;
    for server in results.servers_in(cell) {
        let summaries = cell.figures.iter().map(|figure| results.summary(cell, server, figure));
        let summaries: Vec<_> = summaries.collect();
        has_lower_bound |= summaries.iter().flatten().any(|summary| summary.is_lower_bound);
        let mut columns = vec![name(results, cell, server)];
        for (index, (figure, summary)) in cell.figures.iter().zip(&summaries).enumerate() {
            columns.push(value(figure, summary.as_ref()));
            if index == 0 {
                columns.push(spread(figure, summary.as_ref()));
            }
        }
        let own = summaries[0].map(|summary| summary.median);
        columns.extend(references.iter().map(|(_, reference)| {
            let ratio = own.and_then(|own| ratio(own, *reference));
            ratio.map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}"))
        }));
        text.push_str(&row(&columns));
    }
    if has_lower_bound {
        text.push_str(
            "\n† The load tool was never idle: a lower bound of what this server can do.\n",
        );
    }
    text
}

/// The figures that ratios refer to, as far as they were measured.
fn references(results: &Results, cell: &Cell) -> Vec<(&'static str, f64)> {
    let main = cell.main();
    let has_variants = results.servers.iter().any(Server::is_variant);
    [
        ("best peer", results.best_peer(cell, main)),
        ("limit", results.median_of(cell, "limit", main)),
        // Only shown if there are variants.
        ("wschat", results.median_of(cell, "wschat", main).filter(|_| has_variants)),
    ]
    .into_iter()
    .filter_map(|(name, reference)| Some((name, reference?)))
    .collect()
}

fn name(results: &Results, cell: &Cell, server: &Server) -> String {
    let name = match server.role {
        Role::Wschat => format!("**{}**", server.name),
        _ => server.name.clone(),
    };
    match results.failures_of(cell, server) {
        0 => name,
        failed => format!("{name}: **{failed} of {} failed**", plural(results.rounds, "round")),
    }
}

fn value(figure: &Figure, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return NOTHING.to_owned() };
    let mark = if summary.is_lower_bound { LOWER_BOUND } else { "" };
    format!("{}{mark}", figure.unit.show(summary.median))
}

fn spread(figure: &Figure, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return NOTHING.to_owned() };
    figure.unit.show_range(summary.min, summary.max)
}

fn failures(results: &Results) -> String {
    let mut text = String::new();
    for (run, why) in results.failures() {
        if text.is_empty() {
            text.push_str("\n### Failed runs\n\n");
        }
        let why = published(&why);
        let _ = writeln!(text, "- `{}`, {}, round {}: {why}", run.cell, run.server, run.round);
    }
    text
}

fn row(columns: &[String]) -> String {
    format!("| {} |\n", columns.join(" | "))
}

/// The first line of a program's output, made fit for the documentation: without the folders of this
/// machine, and with Markdown escaped.
pub fn published(words: &str) -> String {
    let line = words.lines().next().unwrap_or_default();
    let words = line.split_whitespace().map(|word| match word.rsplit_once('/') {
        Some((_, name)) if !word.contains("://") || word.contains("file://") => name,
        _ => word,
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;").replace('`', "'")
}

fn plural(count: u32, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::rooms;

    #[test]
    fn a_cell_becomes_a_table() {
        let results = rooms(&[
            ("wschat", &[Some(300e3), Some(324e3), Some(330e3)]),
            ("bun", &[Some(810e3), Some(820e3), Some(800e3)]),
            ("gorilla", &[Some(77e3), None, Some(79e3)]),
            ("limit", &[Some(976e3), Some(976e3), Some(1.1e6)]),
        ]);
        let expected = "
### 100 rooms of 10, all sending (`rooms`)

Each client has one message under way.

| server | deliveries/s ↑ | spread | × best peer | × limit |
|---|---:|---:|---:|---:|
| **wschat** | 324 k | 300 – 330 k | 0.40 | 0.33 |
| bun | 810 k | 800 – 820 k | 1.00 | 0.83 |
| gorilla: **1 of 3 rounds failed** | 78.0 k | 77.0 – 79.0 k | 0.10 | 0.08 |
| limit | 976 k † | 976 k – 1.10 M | 1.20 | 1.00 |

† The load tool was never idle: a lower bound of what this server can do.
";
        assert_eq!(table(&results, results.cells[0]), expected);
        assert_eq!(
            failures(&results),
            "\n### Failed runs\n\n- `rooms`, gorilla, round 2: could not be completed: no file: a\\|b\n"
        );
    }

    #[test]
    fn a_server_without_figures_is_no_reference() {
        let results = rooms(&[("wschat", &[None]), ("limit", &[Some(5.0)])]);
        let table = table(&results, results.cells[0]);
        assert!(table.contains("| spread | × limit |\n"), "{table}");
        assert!(table.contains("| **wschat**: **1 of 1 round failed** | – | – | – |\n"), "{table}");
    }

    #[test]
    fn folders_of_this_machine_are_not_published() {
        for (words, published) in [
            ("open /root/x/cert.pem: denied\nat file:///root/y.js", "open cert.pem: denied"),
            ("file:///root/y.js:3 ws://127.0.0.1:9/ gone", "y.js:3 ws://127.0.0.1:9/ gone"),
            ("\"/tmp/a b\" `<x>`", "a b\" '&lt;x>'"),
        ] {
            assert_eq!(super::published(words), published);
        }
    }
}
