//! Describes the date, the machine and the software of a comparison, without the machine's name.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::paths;

#[derive(Debug)]
pub struct Machine {
    /// UTC.
    date: String,
    hardware: String,
    software: Vec<String>,
}

impl Machine {
    pub fn describe() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
        let model = field(&cpu, "model name").unwrap_or("unknown CPU");
        let kib: f64 = field(&memory, "MemTotal")
            .and_then(|value| value.split_whitespace().next()?.parse().ok())
            .unwrap_or_default();
        let gib = kib / f64::from(1 << 20);
        let kernel = read("/proc/sys/kernel/osrelease");
        let kernel = kernel.trim();
        let wschat = said(paths::built("wschat"), &["--version"]).map(|it| it + &commit());
        let software = [
            wschat,
            said("rustc", &["--version"]).map(|it| words(&it, 2)),
            said(paths::bun(), &["--version"]).map(|it| format!("bun {it}")),
            said("node", &["--version"]).map(|it| format!("node {}", it.trim_start_matches('v'))),
            said("go", &["version"]).map(|it| words(&it, 3).replace("version go", "")),
        ];
        Self {
            date: said("date", &["-u", "+%F"]).unwrap_or_default(),
            hardware: format!("{model}, {cores} cores, {gib:.0} GiB, Linux {kernel}"),
            software: software.into_iter().flatten().collect(),
        }
    }

    pub fn to_json(&self) -> Value {
        json!({ "date": self.date, "hardware": self.hardware, "software": self.software })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Measured on {} (UTC): {}.", self.date, self.software.join(", "))?;
        writeln!(f, "Machine: {}.", self.hardware)
    }
}

/// The commit that wschat was built from, if known.
fn commit() -> String {
    let root = paths::root().to_string_lossy();
    let git = |arguments: &[&str]| said("git", &[&["-C", &root], arguments].concat());
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return String::new() };
    // The documentation does not count, because this program writes it.
    let status = ["status", "--porcelain", "--", "src", "bench", "Cargo.toml", "Cargo.lock"];
    let changed = if git(&status).is_some() { " with changes" } else { "" };
    format!(" (commit {commit}{changed})")
}

/// The first line that a program prints, if it can be run.
fn said(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout.lines().next().map(|line| line.trim().to_owned()).filter(|_| output.status.success())
}

/// The value of `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim_start().strip_prefix(':')?.trim())
}

fn words(line: &str, count: usize) -> String {
    line.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        let text = "vendor_id\t: x\nmodel name\t: A CPU @ 2 GHz\nMemTotal:   5 kB\n";
        assert_eq!(field(text, "model name"), Some("A CPU @ 2 GHz"));
        assert_eq!(field(text, "MemTotal"), Some("5 kB"));
        assert_eq!(field(text, "Cores"), None);
    }

    #[test]
    fn the_machine_is_described_without_its_name_or_folders() {
        let text = Machine::describe().to_string();
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        assert!(text.contains(" cores, "), "{text}");
        assert!(!text.contains(&format!(" {} ", name.trim())), "{text}");
        assert!(!text.contains(" /"), "{text}");
    }
}
