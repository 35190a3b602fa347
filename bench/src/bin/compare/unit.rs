//! Formats numbers with three significant digits in a suitable unit.

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    PerSecond,
    Micros,
    Kib,
}

impl Unit {
    pub fn show(self, value: f64) -> String {
        let (by, suffix) = self.scale(value);
        format!("{}{suffix}", significant(value / by))
    }

    /// A range, with the unit once if both values share it.
    pub fn show_range(self, min: f64, max: f64) -> String {
        let (from, to) = (self.show(min), self.show(max));
        let (by, suffix) = self.scale(min);
        match self.scale(max) {
            _ if from == to => to,
            (_, same) if same == suffix => format!("{} – {to}", significant(min / by)),
            _ => format!("{from} – {to}"),
        }
    }

    /// The divisor and the suffix for a value.
    fn scale(self, value: f64) -> (f64, &'static str) {
        let size = value.abs();
        match self {
            Self::PerSecond if size >= 999_500.0 => (1e6, " M"),
            Self::PerSecond if size >= 999.5 => (1e3, " k"),
            Self::PerSecond => (1.0, ""),
            Self::Micros if size >= 999_500.0 => (1e6, " s"),
            Self::Micros if size >= 999.5 => (1e3, " ms"),
            Self::Micros => (1.0, " µs"),
            Self::Kib => (1.0, " KiB"),
        }
    }
}

/// Three significant digits, at most two of them after the point.
fn significant(value: f64) -> String {
    match value.abs() {
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_three_digits_and_a_suitable_unit() {
        for (unit, value, shown) in [
            (Unit::PerSecond, 4_931_234.0, "4.93 M"),
            (Unit::PerSecond, 999_600.0, "1.00 M"),
            (Unit::PerSecond, 324_400.0, "324 k"),
            (Unit::PerSecond, 950.0, "950"),
            (Unit::Micros, 0.354, "0.35 µs"),
            (Unit::Micros, 9.996, "10.0 µs"),
            (Unit::Micros, 130.2, "130 µs"),
            (Unit::Micros, 1_234.0, "1.23 ms"),
            (Unit::Micros, 2.5e6, "2.50 s"),
            (Unit::Kib, 19.84, "19.8 KiB"),
            (Unit::Kib, -0.25, "-0.25 KiB"),
            (Unit::Kib, 1_536.0, "1536 KiB"),
        ] {
            assert_eq!(unit.show(value), shown);
        }
    }

    #[test]
    fn a_range_has_a_shared_unit_once() {
        for (min, max, shown) in [
            (300e3, 330e3, "300 – 330 k"),
            (976e3, 1.1e6, "976 k – 1.10 M"),
            (5e3, 5e3, "5.00 k"),
            (5_000.0, 5_001.0, "5.00 k"),
        ] {
            assert_eq!(Unit::PerSecond.show_range(min, max), shown);
        }
    }
}
