//! The cells of the comparison: the options of `wschat-bench` for each, and the figures that are taken
//! from its report. This module runs nothing.

use serde_json::Value;

use crate::unit::Unit;

/// One kind of load.
#[derive(Debug)]
pub struct Cell {
    /// As in `--only`.
    pub name: &'static str,
    /// Short enough for a panel of the plot.
    pub title: &'static str,
    /// Scenario and options of `wschat-bench`.
    pub arguments: &'static [&'static str],
    /// The tool's option for the duration of measuring.
    pub seconds: &'static str,
    /// Whether it uses TLS, which only wschat speaks.
    pub is_tls: bool,
    /// Spread, ratios and plot are of the first, the main one.
    pub figures: &'static [Figure],
    /// A note that explains the table.
    pub note: Option<&'static str>,
}

/// A number that the tool reports.
#[derive(Debug)]
pub struct Figure {
    pub name: &'static str,
    pub unit: Unit,
    pub better: Better,
    /// Its JSON Pointer in the report (RFC 6901); if there are several, the figure is their sum.
    pub at: &'static [&'static str],
    /// Where the report says that the tool was never idle, if the figure is then only a bound.
    pub busy: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

impl Cell {
    pub fn main(&self) -> &'static Figure {
        &self.figures[0]
    }

    pub fn figure(&self, name: &str) -> Option<&'static Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}

impl Figure {
    pub fn of(&self, report: &Value) -> Option<f64> {
        self.at.iter().map(|place| report.pointer(place)?.as_f64()).sum()
    }

    pub fn is_lower_bound(&self, report: &Value) -> bool {
        let busy = self.busy.and_then(|place| report.pointer(place));
        busy.and_then(Value::as_bool).unwrap_or(false)
    }
}

impl Better {
    pub fn arrow(self) -> char {
        match self {
            Self::Higher => '↑',
            Self::Lower => '↓',
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher is better",
            Self::Lower => "lower is better",
        }
    }
}

pub fn find(name: &str) -> Option<&'static Cell> {
    CELLS.iter().find(|cell| cell.name == name)
}

const DELIVERIES: Figure = Figure {
    name: "deliveries/s",
    unit: Unit::PerSecond,
    better: Better::Higher,
    at: &["/traffic/perSecond"],
    busy: Some("/traffic/tool/wasBottleneck"),
};

const CPU: Figure = Figure {
    name: "CPU per delivery",
    unit: Unit::Micros,
    better: Better::Lower,
    at: &["/traffic/server/cpuMicrosEach"],
    busy: None,
};

const P50: Figure = Figure {
    name: "p50",
    unit: Unit::Micros,
    better: Better::Lower,
    at: &["/traffic/latencyMicros/p50"],
    busy: Some("/traffic/tool/wasBottleneck"),
};

const P99: Figure = Figure { name: "p99", at: &["/traffic/latencyMicros/p99"], ..P50 };

const CONNECTS: Figure = Figure {
    name: "connects/s",
    at: &["/connect/perSecond"],
    busy: Some("/connect/tool/wasBottleneck"),
    ..DELIVERIES
};

const CHURN: Figure = Figure {
    name: "churn/s",
    at: &["/churn/perSecond"],
    busy: Some("/churn/tool/wasBottleneck"),
    ..DELIVERIES
};

const RESIDENT: Figure = Figure {
    name: "resident per client",
    unit: Unit::Kib,
    better: Better::Lower,
    at: &["/residentKibPerClient"],
    busy: None,
};

const KERNEL: Figure = Figure {
    name: "kernel per client",
    at: &[
        "/kernelPerClient/slabKib",
        "/kernelPerClient/kernelStackKib",
        "/kernelPerClient/pageTablesKib",
        "/kernelPerClient/tcpBuffersKib",
    ],
    ..RESIDENT
};

pub static CELLS: [Cell; 8] = [
    Cell {
        name: "latency",
        title: "1,000 in one room, 10 messages a second",
        arguments: &["fanout", "--clients", "1000", "--senders", "10", "--rate", "10"],
        seconds: "--seconds",
        is_tls: false,
        figures: &[CPU, P50, P99],
        note: Some("Latency counts from when a message was due, so a stall shows in full."),
    },
    Cell {
        name: "saturated",
        title: "1,000 in one room, 10 sending all they can",
        arguments: &["fanout", "--clients", "1000", "--senders", "10", "--window", "4"],
        seconds: "--seconds",
        is_tls: false,
        figures: &[DELIVERIES, CPU],
        note: Some("Each sender has four messages under way."),
    },
    Cell {
        name: "rooms",
        title: "100 rooms of 10, all sending",
        arguments: &[
            "fanout",
            "--clients",
            "1000",
            "--rooms",
            "100",
            "--senders",
            "all",
            "--window",
            "1",
        ],
        seconds: "--seconds",
        is_tls: false,
        figures: &[DELIVERIES],
        note: Some("Each client has one message under way."),
    },
    Cell {
        name: "room",
        title: "One room of 10, all sending",
        arguments: &["fanout", "--clients", "10", "--senders", "all", "--window", "1"],
        seconds: "--seconds",
        is_tls: false,
        figures: &[DELIVERIES],
        note: Some("Each client has one message under way."),
    },
    Cell {
        name: "pingpong",
        title: "One client and its own message",
        arguments: &["pingpong"],
        seconds: "--seconds",
        is_tls: false,
        figures: &[P50, P99],
        note: None,
    },
    Cell {
        name: "connects",
        title: "Connecting, and connecting and leaving",
        arguments: &["storm", "--clients", "2000"],
        seconds: "--churn-seconds",
        is_tls: false,
        figures: &[CONNECTS, CHURN],
        note: Some(
            "Connects: 2,000 that stay, each until its welcome. Churn: connecting, being \
             welcomed, closing, until the server has closed as well.",
        ),
    },
    Cell {
        name: "idle",
        title: "5,000 clients at rest",
        arguments: &["idle", "--clients", "5000"],
        seconds: "--seconds",
        is_tls: false,
        figures: &[RESIDENT, KERNEL],
        note: Some(
            "Resident is the process; kernel is slab, stacks, page tables and TCP buffers of \
             both ends of each connection, since the clients are on the same machine.",
        ),
    },
    Cell {
        name: "idle-tls",
        title: "2,000 clients at rest over TLS",
        arguments: &["idle", "--clients", "2000", "--insecure"],
        seconds: "--seconds",
        is_tls: true,
        figures: &[RESIDENT],
        note: None,
    },
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_figure_is_a_sum_and_none_if_a_part_is_missing() {
        let mut report = json!({ "kernelPerClient": {
            "slabKib": 1.5, "kernelStackKib": 16, "pageTablesKib": 0.5, "tcpBuffersKib": -1.0
        }});
        assert_eq!(KERNEL.of(&report), Some(17.0));
        assert_eq!(RESIDENT.of(&report), None);
        report["kernelPerClient"]["slabKib"] = Value::Null;
        assert_eq!(KERNEL.of(&report), None);
    }

    #[test]
    fn only_figures_that_the_tool_limits_are_lower_bounds() {
        let report = json!({ "traffic": { "tool": { "wasBottleneck": true } } });
        assert!(DELIVERIES.is_lower_bound(&report));
        assert!(!CPU.is_lower_bound(&report));
        assert!(!CHURN.is_lower_bound(&report));
    }

    #[test]
    fn the_help_names_every_cell() {
        for cell in &CELLS {
            let line = format!("\n  {} ", cell.name);
            assert!(crate::options::HELP.contains(&line), "{}", cell.name);
        }
    }
}
