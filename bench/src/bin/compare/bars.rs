//! The project's bars: the figures that wschat should reach, most of them relative to other servers.
//! They are shown and fail nothing, since figures depend on the machine and the day.

use std::fmt;

use self::Bound::{AtLeast, AtMost};
use crate::cell;
use crate::results::{Results, ratio};

/// What a figure of wschat should reach.
#[derive(Debug)]
struct Bar {
    cell: &'static str,
    figure: &'static str,
    /// The server whose figure is the unit; `None`: the figure's own unit.
    of: Option<&'static str>,
    bound: Bound,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const DELIVERIES: &str = "deliveries/s";

static BARS: [Bar; 12] = [
    bar("latency", "CPU per delivery", Some("limit"), AtMost(1.1)),
    bar("latency", "p99", Some("bun"), AtMost(1.0)),
    bar("saturated", DELIVERIES, Some("bun"), AtLeast(1.7)),
    bar("saturated", DELIVERIES, Some("limit"), AtLeast(1.0)),
    bar("rooms", DELIVERIES, Some("tokio-tungstenite-4k"), AtLeast(1.0)),
    bar("rooms", DELIVERIES, Some("bun"), AtLeast(0.7)),
    bar("room", DELIVERIES, Some("tokio-tungstenite-4k"), AtLeast(1.0)),
    bar("room", DELIVERIES, Some("bun"), AtLeast(0.75)),
    bar("pingpong", "p50", Some("bun"), AtMost(1.05)),
    bar("connects", "connects/s", Some("bun"), AtLeast(0.5)),
    bar("connects", "churn/s", Some("bun"), AtLeast(0.8)),
    bar("idle", "resident per client", None, AtMost(20.0)),
];

const fn bar(
    cell: &'static str,
    figure: &'static str,
    of: Option<&'static str>,
    bound: Bound,
) -> Bar {
    Bar { cell, figure, of, bound }
}

/// The bars of the cells that were measured, as a table in Markdown.
pub fn render(results: &Results) -> String {
    let is_measured = |bar: &&Bar| results.cells.iter().any(|cell| cell.name == bar.cell);
    let rows: String =
        BARS.iter().filter(is_measured).map(|bar| bar.row(bar.measured(results))).collect();
    if rows.is_empty() {
        return rows;
    }
    format!("| wschat | measured | bar | |\n|---|---:|---:|---|\n{rows}")
}

impl Bar {
    fn measured(&self, results: &Results) -> Option<f64> {
        let cell = cell::find(self.cell)?;
        let figure = cell.figure(self.figure)?;
        let own = results.median_of(cell, "wschat", figure)?;
        match self.of {
            Some(other) => ratio(own, results.median_of(cell, other, figure)?),
            None => Some(own),
        }
    }

    fn row(&self, measured: Option<f64>) -> String {
        let Self { cell, figure, of, bound } = self;
        let (of, unit) = match of {
            Some(other) => (format!(", × {other}"), ""),
            None => (String::new(), " KiB"),
        };
        let verdict = match measured {
            Some(measured) if bound.is_met_by(measured) => "met",
            Some(_) => "**not met**",
            None => "not measured",
        };
        // One digit more than the bars have, so that no verdict looks wrong by rounding.
        let measured = measured.map_or("–".to_owned(), |measured| format!("{measured:.3}{unit}"));
        format!("| `{cell}`: {figure}{of} | {measured} | {bound}{unit} | {verdict} |\n")
    }
}

impl Bound {
    fn is_met_by(self, measured: f64) -> bool {
        match self {
            AtLeast(bound) => measured >= bound,
            AtMost(bound) => measured <= bound,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AtLeast(bound) => write!(f, "≥ {bound}"),
            AtMost(bound) => write!(f, "≤ {bound}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::rooms;
    use crate::server;
    use crate::unit::Unit;

    #[test]
    fn every_bar_refers_to_an_existing_figure_and_server() {
        let servers = server::all();
        for bar in &BARS {
            let figure = cell::find(bar.cell).and_then(|cell| cell.figure(bar.figure));
            let figure = figure.unwrap_or_else(|| panic!("{bar:?}"));
            match bar.of {
                Some(other) => assert!(servers.iter().any(|s| s.name == other), "{bar:?}"),
                None => assert_eq!(figure.unit, Unit::Kib, "{bar:?}"),
            }
        }
    }

    #[test]
    fn a_bar_is_met_not_met_or_not_measured() {
        let results = rooms(&[
            ("wschat", &[Some(690.0), Some(699.9)]),
            ("bun", &[Some(1_000.0), Some(980.0)]),
            ("tokio-tungstenite-4k", &[None, None]),
        ]);
        let rows = render(&results);
        assert!(rows.contains("× bun | 0.702 | ≥ 0.7 | met |"), "{rows}");
        assert!(rows.contains("4k | – | ≥ 1 | not measured |"), "{rows}");
        let results = rooms(&[("wschat", &[Some(3.0)]), ("bun", &[Some(5.0)])]);
        assert!(render(&results).contains("0.600 | ≥ 0.7 | **not met** |"));
    }

    #[test]
    fn a_bar_that_is_reached_exactly_is_met() {
        assert!(AtLeast(1.7).is_met_by(1.7) && !AtLeast(1.7).is_met_by(1.699));
        assert!(AtMost(20.0).is_met_by(20.0) && !AtMost(20.0).is_met_by(20.01));
    }
}
