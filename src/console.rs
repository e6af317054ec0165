//! What a person sees on the terminal, and the last place where a secret could slip out: every
//! line passes here and has the run's secrets hidden. Decides nothing about what to say.

use std::io::Write;
use std::time::Instant;

use crate::secrets::Secrets;

/// Where a run prints. A line that cannot be written is lost: no updater stops for a closed pipe.
#[derive(Clone, Debug)]
pub struct Console {
    /// When the run began, if it narrates its steps.
    narrates_since: Option<Instant>,
    secrets: Secrets,
}

impl Console {
    /// A console that narrates steps if `verbose`, each with the time since now, and hides
    /// `secrets`.
    #[must_use]
    pub fn new(verbose: bool, secrets: Secrets) -> Self {
        Self { narrates_since: verbose.then(Instant::now), secrets }
    }

    /// The same console for a job that has more to hide.
    #[must_use]
    pub fn hiding(&self, secrets: Secrets) -> Self {
        Self { narrates_since: self.narrates_since, secrets }
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

    /// A step of `--verbose`, on standard error, as in `autodns: [0.084 s] asking …`. The line is
    /// made only if it is shown.
    pub fn step(&self, line: impl FnOnce() -> String) {
        if let Some(began) = self.narrates_since {
            let line = line();
            // Under the lock, so that the lines of two threads are in the order of their times.
            let mut out = std::io::stderr().lock();
            let since = began.elapsed();
            let (seconds, millis) = (since.as_secs(), since.subsec_millis());
            let line = format!("autodns: [{seconds}.{millis:03} s] {}\n", self.secrets.hide(&line));
            let _ = out.write_all(line.as_bytes());
        }
    }
}
