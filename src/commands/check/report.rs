//! Prints the findings of `autodns check`, line by line or as JSON. Tests nothing itself.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::commands::error::RecordError;
use crate::console::Console;
use crate::error::SetupError;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line per finding, at once.
    Lines,
    /// As `Lines`, with coloured statuses.
    ColouredLines,
    /// One JSON object at the end:
    /// `{"ok": …, "counts": {…}, "checks": [{"config", "name", "status", "detail", "hint"}]}`, with
    /// `config` if several configurations are checked.
    Json,
}

/// The result of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    /// A run works, but a person should know.
    Warning,
    /// A run cannot do its work.
    Failed,
    /// Not tested.
    NotTested,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Failed, Self::NotTested];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotTested => "not tested",
        }
    }

    /// The number of the colour on a terminal. Green is only for what was tested.
    const fn colour(self) -> u8 {
        match self {
            Self::Ok => 32,
            Self::Warning => 33,
            Self::Failed => 31,
            Self::NotTested => 35,
        }
    }
}

/// One tested thing and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was tested, in a word.
    name: &'static str,
    status: Verdict,
    detail: String,
    hint: Option<String>,
}

impl Finding {
    pub const fn ok(name: &'static str, detail: String) -> Self {
        Self { name, status: Verdict::Ok, detail, hint: None }
    }

    pub const fn warning(name: &'static str, detail: String, hint: String) -> Self {
        Self { name, status: Verdict::Warning, detail, hint: Some(hint) }
    }

    pub const fn failed(name: &'static str, detail: String, hint: String) -> Self {
        Self { name, status: Verdict::Failed, detail, hint: Some(hint) }
    }

    pub fn setup(name: &'static str, error: &SetupError) -> Self {
        let (detail, hint) = (error.cause().into(), error.advice().map(Into::into));
        Self { name, status: Verdict::Failed, detail, hint }
    }

    pub fn error(name: &'static str, error: impl Into<RecordError>) -> Self {
        let error = error.into();
        Self::failed(name, error.detail(), error.advice)
    }

    pub fn unknown(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Verdict::NotTested, detail: detail.into(), hint: None }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Removes the secrets that the console hides.
    pub fn hidden_by(self, console: &Console) -> Self {
        let hide = |text: String| console.secrets().hide(&text).into_owned();
        Self { detail: hide(self.detail), hint: self.hint.map(hide), ..self }
    }
}

/// All findings so far.
#[derive(Debug)]
pub(super) struct Report {
    form: Form,
    findings: Vec<(String, Finding)>,
    names_configs: bool,
}

impl Report {
    /// An empty report. With `names_configs`, each finding in JSON has its configuration.
    pub const fn new(form: Form, names_configs: bool) -> Self {
        Self { form, findings: Vec::new(), names_configs }
    }

    /// Adds a finding about `config`. Prints it unless the form is JSON.
    pub fn add(&mut self, console: &Console, config: &Path, finding: Finding) {
        if self.form != Form::Json {
            console.say(&line(&finding, self.form == Form::ColouredLines));
        }
        self.findings.push((config.display().to_string(), finding));
    }

    /// Whether nothing failed.
    pub fn is_ok(&self) -> bool {
        self.count(Verdict::Failed) == 0
    }

    /// Prints the counts or the JSON.
    pub fn finish(&self, console: &Console) {
        console.say(&match self.form {
            Form::Json => self.to_json().to_string(),
            Form::Lines | Form::ColouredLines => self.counts(),
        });
    }

    fn count(&self, status: Verdict) -> usize {
        self.findings.iter().filter(|(_, finding)| finding.status == status).count()
    }

    fn counts(&self) -> String {
        Verdict::ALL.map(|status| format!("{} {}", self.count(status), status.as_str())).join(", ")
    }

    fn to_json(&self) -> Value {
        let counts: Map<String, Value> = Verdict::ALL
            .into_iter()
            .map(|status| (status.as_str().into(), self.count(status).into()))
            .collect();
        let checks: Vec<Value> = self
            .findings
            .iter()
            .map(|(config, Finding { name, status, detail, hint })| {
                let status = status.as_str();
                let mut check =
                    json!({ "name": name, "status": status, "detail": detail, "hint": hint });
                if self.names_configs {
                    check["config"] = config.as_str().into();
                }
                check
            })
            .collect();
        json!({ "ok": self.is_ok(), "counts": counts, "checks": checks })
    }
}

fn line(finding: &Finding, coloured: bool) -> String {
    // Pads before colouring, because an escape sequence has no width on a terminal.
    let status = format!("{:10}", finding.status.as_str());
    let colour = finding.status.colour();
    let status = if coloured { format!("\u{1b}[{colour}m{status}\u{1b}[0m") } else { status };
    let mut line = format!("{status}  {:11}  {}", finding.name, finding.detail);
    if let Some(hint) = &finding.hint {
        // Writing to a String cannot fail.
        let _ = write!(line, "; {hint}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> [Finding; 4] {
        let text = |text: &str| text.to_owned();
        [
            Finding::ok("clock", text("right")),
            Finding::warning("clock", text("slow"), text("set it")),
            Finding::failed("clock", text("stopped"), text("set it; now")),
            Finding::unknown("clock", "nobody said"),
        ]
    }

    #[test]
    fn line_has_status_name_detail_and_hint() {
        for (finding, colour, expected) in findings()
            .into_iter()
            .zip([32, 33, 31, 35])
            .zip([
                "ok          clock        right",
                "warning     clock        slow; set it",
                "failed      clock        stopped; set it; now",
                "not tested  clock        nobody said",
            ])
            .map(|((finding, colour), expected)| (finding, colour, expected))
        {
            assert_eq!(line(&finding, false), expected);
            let (status, rest) = expected.split_at(10);
            assert_eq!(line(&finding, true), format!("\u{1b}[{colour}m{status}\u{1b}[0m{rest}"));
        }
    }

    #[test]
    fn json_has_counts_and_all_findings() {
        let report = |names_configs, findings: &[Finding]| Report {
            form: Form::Json,
            findings: findings.iter().map(|f| ("/etc/a.json".into(), f.clone())).collect(),
            names_configs,
        };
        let all = findings();
        let one = report(true, &all[..2]);
        assert_eq!(
            one.to_json(),
            json!({
                "ok": true,
                "counts": { "ok": 1, "warning": 1, "failed": 0, "not tested": 0 },
                "checks": [
                    { "config": "/etc/a.json", "name": "clock", "status": "ok",
                      "detail": "right", "hint": null },
                    { "config": "/etc/a.json", "name": "clock", "status": "warning",
                      "detail": "slow", "hint": "set it" },
                ],
            })
        );
        let other = report(false, &all[2..]);
        assert_eq!(other.counts(), "0 ok, 0 warning, 1 failed, 1 not tested");
        assert_eq!(
            other.to_json(),
            json!({
                "ok": false,
                "counts": { "ok": 0, "warning": 0, "failed": 1, "not tested": 1 },
                "checks": [
                    { "name": "clock", "status": "failed", "detail": "stopped",
                      "hint": "set it; now" },
                    { "name": "clock", "status": "not tested", "detail": "nobody said",
                      "hint": null },
                ],
            })
        );
    }
}
