//! What a person sees on the terminal, and the last place where a secret could slip out: every
//! line passes here and has the run's secrets hidden. Decides nothing about what to say.

use std::io::Write;

use crate::secrets::Secrets;

/// Where a run prints. A line that cannot be written is lost: no updater stops for a closed pipe.
#[derive(Clone, Debug)]
pub struct Console {
    verbose: bool,
    secrets: Secrets,
}

impl Console {
    /// A console that narrates steps if `verbose`, and hides `secrets`.
    #[must_use]
    pub const fn new(verbose: bool, secrets: Secrets) -> Self {
        Self { verbose, secrets }
    }

    /// The same console for a job that has more to hide.
    #[must_use]
    pub fn hiding(&self, secrets: Secrets) -> Self {
        Self { verbose: self.verbose, secrets }
    }

    /// The secrets that this console hides.
    #[must_use]
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// A line on standard output: what a person asked to see.
    pub fn say(&self, line: &str) {
        let line = format!("{}\n", self.secrets.hide(line));
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }

    /// A line on standard error, after the program's name: what went wrong, one line a cause.
    pub fn trouble(&self, line: &str) {
        let line = format!("autodns: {}\n", self.secrets.hide(line));
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    /// A step of `--verbose`, on standard error. The line is made only if it is shown.
    pub fn step(&self, line: impl FnOnce() -> String) {
        if self.verbose {
            self.trouble(&line());
        }
    }
}
