//! Figures in the text format of Prometheus, version 0.0.4. Pure.

use std::fmt::{Display, Write as _};

use super::process::as_f64;
use crate::metrics::Histogram;

/// A figure: its name, its type, and what it is.
pub(super) type Family = (&'static str, Kind, &'static str);

/// The types of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The text, as far as it has been written.
pub(super) struct Page {
    text: String,
    families: &'static [&'static [Family]],
}

impl Page {
    /// An empty page for these figures.
    pub(super) fn new(families: &'static [&'static [Family]]) -> Self {
        Self { text: String::with_capacity(16 << 10), families }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Writes what a figure is.
    pub(super) fn begin(&mut self, name: &str) {
        let mut families = self.families.iter().flat_map(|families| families.iter());
        let family = families.find(|family| family.0 == name);
        let (_, kind, help) = family.expect("each figure is in the table");
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.text, "{name} {value}"),
            labels => writeln!(self.text, "{name}{{{labels}}} {value}"),
        };
    }

    pub(super) fn single(&mut self, name: &str, value: impl Display) {
        self.begin(name);
        self.sample(name, "", value);
    }

    pub(super) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.single(name, value);
        }
    }

    /// One sample for each value of a label, whether or not it has occurred, so that its first occurrence shows as
    /// an increase.
    pub(super) fn labelled<'a>(
        &mut self,
        name: &str,
        label: &str,
        samples: impl Iterator<Item = (&'a str, u64)>,
    ) {
        self.begin(name);
        for (value, number) in samples {
            self.sample(name, &format!("{label}=\"{value}\""), number);
        }
    }

    /// `unit` is that of the observed values.
    pub(super) fn histogram<const BOUNDS: usize>(
        &mut self,
        name: &str,
        histogram: &Histogram<BOUNDS>,
        unit: f64,
    ) {
        self.begin(name);
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        for (bound, count) in histogram.cumulative() {
            total = count;
            let bound = as_f64(bound) * unit;
            // The product may be a little off in its last digit.
            let bound = (bound * 1e6).round() / 1e6;
            self.sample(&bucket, &format!("le=\"{bound}\""), count);
        }
        let (larger, sum) = histogram.rest();
        total += larger;
        self.sample(&bucket, "le=\"+Inf\"", total);
        self.sample(&format!("{name}_sum"), "", as_f64(sum) * unit);
        self.sample(&format!("{name}_count"), "", total);
    }
}

pub(super) fn seconds(milliseconds: u64) -> f64 {
    as_f64(milliseconds) / 1_000.0
}
