//! The result of a run, as JSON. `report/table.rs` renders it as a table for people.

mod table;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::clock::{MICROSECOND, SECOND};
use crate::ledger::Account;
use crate::usage::{self, KernelMemory, Spent, Switches, Usage, float};

/// Longer latencies are recorded as this one.
const MAX_LATENCY: u64 = 600 * SECOND;

/// The result of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub scenario: &'static str,
    pub url: String,
    pub clients: usize,
    /// Why the run is not clean; empty if it is.
    pub failures: Vec<String>,
    pub clean: bool,
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Fanout(Fanout),
    Storm(Storm),
    Idle(Idle),
}

/// Of `fanout` and `pingpong`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fanout {
    pub rooms: u32,
    pub senders_per_room: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_room: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    pub payload_bytes: usize,
    /// From the first connection to the last client in its room.
    pub setup_seconds: f64,
    /// While measuring.
    pub traffic: Phase,
    /// Of the whole run, including the warm-up and the time after measuring.
    pub account: Account,
    /// Requests that the server refused.
    pub refused: u64,
    /// Connections that the server closed.
    pub lost: u64,
    /// The greatest delay of a message after it was due. It is part of the latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_send_micros: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storm {
    /// Connections that stay open: from connecting to the welcome.
    pub connect: Phase,
    /// Connections that are closed again: from connecting until the server has closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub churn: Option<Phase>,
    /// Connections that failed or ended unexpectedly.
    pub lost: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    pub rooms: u32,
    pub setup_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resident_kib_per_client: Option<f64>,
    /// Of the whole machine. If the tool runs on it too, it includes both ends of each connection.
    pub kernel_per_client: KernelMemory,
    /// CPU time of the server while nothing happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resting: Option<Spent>,
    pub lost: u64,
}

/// One measured period.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    pub seconds: f64,
    /// Deliveries or connections.
    pub count: u64,
    pub per_second: f64,
    pub latency_micros: Latency,
    pub tool: Tool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Cost>,
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    #[serde(rename = "p99.9")]
    pub p999: f64,
    pub max: f64,
    pub mean: f64,
}

/// The CPU time of one side in a period.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    #[serde(flatten)]
    pub spent: Spent,
    /// Per delivery or connection.
    pub cpu_micros_each: f64,
}

/// The CPU time of the tool itself.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    #[serde(flatten)]
    pub cost: Cost,
    /// The share of the time in which it waited for a core.
    pub wait_share: f64,
    /// Whether it was never idle: then the server may be able to do more.
    pub was_bottleneck: bool,
}

/// The server's process over the whole run.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    pub pid: u32,
    pub resident_kib_before: u64,
    /// With all clients connected.
    pub resident_kib_after: u64,
    pub threads: u64,
    /// From the first message to the last, of threads that lived throughout; not in `storm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switches: Option<Switches>,
    /// Per delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switches_each: Option<f64>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a report has string keys only");
        json.push('\n');
        json
    }

    pub fn to_table(&self) -> String {
        table::render(self)
    }
}

impl Phase {
    pub fn new(count: u64, latencies: &Latencies, usage: &Usage) -> Self {
        let cost = |spent: Spent| Cost {
            spent,
            cpu_micros_each: usage::share(spent.cpu_seconds * 1e6, float(count)),
        };
        Self {
            seconds: usage.seconds,
            count,
            per_second: usage::share(float(count), usage.seconds),
            latency_micros: latencies.summary(),
            tool: Tool {
                cost: cost(usage.tool),
                wait_share: usage.tool_wait_share,
                was_bottleneck: usage.is_tool_busy(),
            },
            server: usage.server.map(cost),
        }
    }
}

/// A histogram of latencies in nanoseconds.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(MICROSECOND, MAX_LATENCY, 3);
        Self(histogram.expect("the bounds are in order"))
    }
}

impl Latencies {
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    fn summary(&self) -> Latency {
        let micros = |nanoseconds: u64| float(nanoseconds) / float(MICROSECOND);
        let at = |quantile| micros(self.0.value_at_quantile(quantile));
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(self.0.max()),
            mean: self.0.mean() / float(MICROSECOND),
        }
    }
}
