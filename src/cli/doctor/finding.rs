//! What is found: what is wrong, and what to do about it. Pure.

use std::fmt;

use serde_json::json;

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

#[derive(Debug)]
struct Finding {
    severity: Severity,
    /// Such as `history`, for programs.
    subject: &'static str,
    what: String,
    cure: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    /// The server does not start, or does not work.
    Error,
    /// It works, but not as it should, or not for long.
    Warning,
}

impl Findings {
    pub(super) fn error(
        &mut self,
        subject: &'static str,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(Severity::Error, subject, what.into(), cure.into());
    }

    pub(super) fn warning(
        &mut self,
        subject: &'static str,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(Severity::Warning, subject, what.into(), cure.into());
    }

    /// An error in the words of the server, which say what to do behind a semicolon.
    pub(super) fn refusal(&mut self, subject: &'static str, text: &str) {
        let (what, cure) = split(text);
        self.error(subject, what, cure);
    }

    /// A warning in the words of the server.
    pub(super) fn concern(&mut self, subject: &'static str, text: &str) {
        let (what, cure) = split(text);
        self.warning(subject, what, cure);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn to_json(&self) -> String {
        let findings = self.0.iter().map(|finding| {
            json!({
                "severity": finding.severity.name(),
                "subject": finding.subject,
                "what": finding.what,
                "cure": finding.cure,
            })
        });
        let findings: Vec<_> = findings.collect();
        format!("{}\n", json!({ "isSound": findings.is_empty(), "findings": findings }))
    }

    fn add(&mut self, severity: Severity, subject: &'static str, what: String, cure: String) {
        self.0.push(Finding { severity, subject, what, cure });
    }
}

/// A line for each, or one that nothing has been found.
impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(out, "All is well.");
        }
        for Finding { severity, what, cure, .. } in &self.0 {
            writeln!(out, "{}: {what}; {cure}", severity.name())?;
        }
        Ok(())
    }
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_once("; ").unwrap_or((text, "see docs/operations.md"))
}
