//! What `autodns check` found, line by line or as JSON. Pure but for printing; finds nothing
//! itself.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::console::Console;
use crate::error::split_advice;

/// How findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line each, as they are found.
    Lines,
    /// The same with the verdicts in colour.
    ColouredLines,
    /// One JSON object when all is done:
    /// `{"ok": …, "checks": [{"name", "ok", "detail", "hint"}]}`.
    Json,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do, if it is not.
    pub hint: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    #[must_use]
    pub const fn good(name: &'static str, detail: String) -> Self {
        Self { name, ok: true, detail, hint: None }
    }

    /// Something is not, and what to do about it.
    #[must_use]
    pub const fn bad(name: &'static str, detail: String, hint: String) -> Self {
        Self { name, ok: false, detail, hint: Some(hint) }
    }

    /// Something failed with a message that ends with what to do.
    #[must_use]
    pub fn failing(name: &'static str, problem: &impl ToString) -> Self {
        let problem = problem.to_string();
        let (detail, hint) = split_advice(&problem);
        Self { name, ok: false, detail: detail.into(), hint: hint.map(Into::into) }
    }
}

/// All findings so far.
#[derive(Debug)]
pub struct Report {
    form: Form,
    findings: Vec<Finding>,
}

impl Report {
    /// None yet.
    #[must_use]
    pub const fn new(form: Form) -> Self {
        Self { form, findings: Vec::new() }
    }

    /// Takes a finding, and shows it where findings are lines. Secrets are hidden by `console`.
    pub fn add(&mut self, console: &Console, finding: Finding) {
        let Finding { name, ok, detail, hint } = finding;
        let hide = |text: String| console.secrets().hide(&text).into_owned();
        let finding = Finding { name, ok, detail: hide(detail), hint: hint.map(hide) };
        if self.form != Form::Json {
            console.say(&line(&finding, self.form == Form::ColouredLines));
        }
        self.findings.push(finding);
    }

    /// Whether all is as it should be.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.ok)
    }

    /// Shows what is shown at the end.
    pub fn finish(&self, console: &Console) {
        if self.form == Form::Json {
            console.say(&self.to_json().to_string());
        }
    }

    fn to_json(&self) -> Value {
        let checks: Vec<Value> = self
            .findings
            .iter()
            .map(|Finding { name, ok, detail, hint }| {
                json!({ "name": name, "ok": ok, "detail": detail, "hint": hint })
            })
            .collect();
        json!({ "ok": self.is_ok(), "checks": checks })
    }
}

fn line(finding: &Finding, coloured: bool) -> String {
    let (verdict, colour) = if finding.ok { ("ok", 32) } else { ("not ok", 31) };
    // Padded before it is coloured: an escape sequence has no width on a terminal.
    let verdict = format!("{verdict:6}");
    let verdict = if coloured { format!("\u{1b}[{colour}m{verdict}\u{1b}[0m") } else { verdict };
    let mut line = format!("{verdict}  {:11}  {}", finding.name, finding.detail);
    if let Some(hint) = &finding.hint {
        // Writing to a String cannot fail.
        let _ = write!(line, "; {hint}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(ok: bool, hint: Option<&str>) -> Finding {
        Finding { name: "clock", ok, detail: "9 hours slow".into(), hint: hint.map(Into::into) }
    }

    #[test]
    fn a_line_has_verdict_name_detail_and_hint() {
        assert_eq!(line(&finding(true, None), false), "ok      clock        9 hours slow");
        let bad = finding(false, Some("set it"));
        assert_eq!(line(&bad, false), "not ok  clock        9 hours slow; set it");
        assert_eq!(
            line(&bad, true),
            "\u{1b}[31mnot ok\u{1b}[0m  clock        9 hours slow; set it"
        );
    }

    #[test]
    fn json_has_all_of_it() {
        let report = Report {
            form: Form::Json,
            findings: vec![finding(true, None), finding(false, Some("set it"))],
        };
        assert_eq!(
            report.to_json(),
            json!({ "ok": false, "checks": [
                { "name": "clock", "ok": true, "detail": "9 hours slow", "hint": null },
                { "name": "clock", "ok": false, "detail": "9 hours slow", "hint": "set it" },
            ]})
        );
    }
}
