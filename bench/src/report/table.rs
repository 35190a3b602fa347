//! A report as a table for people.

use std::fmt::{self, Display, Write as _};

use super::{Cost, Fanout, Idle, Latency, Outcome, Phase, Report, Server, Storm, Tool};
use crate::ledger::Account;
use crate::usage::float;

pub(super) fn render(report: &Report) -> String {
    let mut table = Table(String::new());
    table.row(report.scenario, format_args!("{}   {}", report.url, describe(report)));
    match &report.outcome {
        Outcome::Fanout(fanout) => table.fanout(fanout),
        Outcome::Storm(storm) => table.storm(storm),
        Outcome::Idle(idle) => table.idle(idle),
    }
    if let Some(server) = &report.server {
        table.process(server);
    }
    if report.clean {
        table.row("result", "clean");
    }
    for failure in &report.failures {
        table.row("FAILED", failure);
    }
    table.0
}

/// The run in words.
fn describe(report: &Report) -> String {
    let clients = plural(report.clients as u64, "client");
    match &report.outcome {
        Outcome::Fanout(fanout) => {
            let pace = match (fanout.rate_per_room, fanout.window) {
                (Some(rate), _) => format!("{rate} msg/s per room"),
                (_, Some(window)) => format!("window {window}"),
                _ => String::new(),
            };
            let Fanout { rooms, senders_per_room, payload_bytes, .. } = fanout;
            format!(
                "{clients}, {}, {} each, {pace}, {payload_bytes} bytes",
                plural(u64::from(*rooms), "room"),
                plural(*senders_per_room as u64, "sender"),
            )
        }
        Outcome::Storm(_) => clients,
        Outcome::Idle(idle) => format!("{clients}, {}", plural(u64::from(idle.rooms), "room")),
    }
}

struct Table(String);

impl Table {
    fn row(&mut self, name: &str, value: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{name:<12} {value}");
    }

    fn fanout(&mut self, fanout: &Fanout) {
        let Account { sent, expected, received, .. } = fanout.account;
        self.row("setup", format_args!("{:.2} s", fanout.setup_seconds));
        self.phase("deliveries", &fanout.traffic);
        if let Some(latest) = fanout.latest_send_micros {
            self.row("", format_args!("sent at most {} late", Micros(latest)));
        }
        self.row(
            "account",
            format_args!(
                "{} of {} deliveries of {} messages",
                Count(received),
                Count(expected),
                Count(sent)
            ),
        );
        let Account { missing, duplicated, misrouted, out_of_order, unknown, .. } = fanout.account;
        self.row(
            "",
            format_args!(
                "missing {}, duplicated {}, misrouted {}, out of order {}, unknown {}",
                Count(missing),
                Count(duplicated),
                Count(misrouted),
                Count(out_of_order),
                Count(unknown)
            ),
        );
    }

    fn storm(&mut self, storm: &Storm) {
        self.phase("connects", &storm.connect);
        if let Some(churn) = &storm.churn {
            self.phase("churn", churn);
        }
    }

    fn idle(&mut self, idle: &Idle) {
        self.row("setup", format_args!("{:.2} s", idle.setup_seconds));
        if let Some(kib) = idle.resident_kib_per_client {
            self.row("resident", format_args!("{kib:.2} KiB per client"));
        }
        let kernel = &idle.kernel_per_client;
        self.row(
            "kernel",
            format_args!(
                "{:.2} KiB slab, {:.2} stacks, {:.2} page tables, {:.2} TCP buffers per client \
                 (both ends)",
                kernel.slab_kib,
                kernel.kernel_stack_kib,
                kernel.page_tables_kib,
                kernel.tcp_buffers_kib
            ),
        );
        if let Some(resting) = &idle.resting {
            self.row("resting", format_args!("{:.1} % CPU", resting.cpu_share * 100.0));
        }
    }

    fn phase(&mut self, name: &str, phase: &Phase) {
        self.row(
            name,
            format_args!(
                "{} /s   {} in {:.2} s",
                Count(round(phase.per_second)),
                Count(phase.count),
                phase.seconds
            ),
        );
        let Latency { p50, p90, p99, p999, max, .. } = phase.latency_micros;
        self.row(
            "latency",
            format_args!(
                "p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
                Micros(p50),
                Micros(p90),
                Micros(p99),
                Micros(p999),
                Micros(max)
            ),
        );
        if let Some(cost) = phase.server {
            self.row("server", cost);
        }
        let Tool { cost, wait_share, was_bottleneck } = phase.tool;
        self.row("tool", format_args!("{cost}, waited for a core {:.0} %", wait_share * 100.0));
        if was_bottleneck {
            self.row("WARNING", "the tool was never idle: the server may be able to do more");
        }
    }

    fn process(&mut self, server: &Server) {
        let mib = |kib| float(kib) / 1024.0;
        self.row(
            "process",
            format_args!(
                "{}: {} threads, resident {:.1} MiB before, {:.1} MiB after",
                server.pid,
                Count(server.threads),
                mib(server.resident_kib_before),
                mib(server.resident_kib_after)
            ),
        );
        if let Some((switches, each)) = server.switches.zip(server.switches_each) {
            self.row(
                "",
                format_args!(
                    "{} voluntary and {} involuntary context switches, {each:.3} per delivery",
                    Count(switches.voluntary),
                    Count(switches.involuntary)
                ),
            );
        }
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.spent.cpu_share * 100.0;
        write!(f, "CPU {share:.0} %, {:.2} µs each", self.cpu_micros_each)
    }
}

/// A number with thousands separators.
struct Count(u64);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

fn plural(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", Count(count), if count == 1 { "" } else { "s" })
}

/// Microseconds, shown in a suitable unit.
struct Micros(f64);

impl Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            micros if micros < 1e3 => write!(f, "{micros:.0} µs"),
            micros if micros < 1e6 => write!(f, "{:.2} ms", micros / 1e3),
            micros => write!(f, "{:.2} s", micros / 1e6),
        }
    }
}

// Rates are positive and far below 2^64.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn round(rate: f64) -> u64 {
    rate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_suitable_units() {
        for (count, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(Count(count).to_string(), shown);
        }
        for (micros, shown) in [(7.4, "7 µs"), (1_234.0, "1.23 ms"), (2.5e6, "2.50 s")] {
            assert_eq!(Micros(micros).to_string(), shown);
        }
    }
}
