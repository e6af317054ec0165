//! Why nothing could be tried: the command line, the configuration, the environment or the
//! credentials cannot be used. Each room below the commands that sends something has an error of
//! its own.

use std::fmt;

/// What cannot be used, and why. Never quotes a secret.
#[derive(Debug)]
pub struct SetupError {
    cause: String,
    advice: Option<String>,
}

impl SetupError {
    pub fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), advice: None }
    }

    /// A variable of the environment: `problem` is a phrase to follow its name.
    pub fn variable(name: &str, problem: &str) -> Self {
        Self::new(format!("{name} {problem}"))
    }

    /// The command line.
    pub fn usage(cause: impl Into<String>) -> Self {
        Self::new(cause).advise("see autodns --help")
    }

    /// `what`, a phrase such as "reading FILE", did not end in time.
    pub fn unfinished(what: &str) -> Self {
        Self::new(format!("{what} {UNFINISHED}")).advise(CHECK_THE_SYSTEM)
    }

    /// The same error with what a person can do about it: one imperative sentence.
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The same error with the name of what it is about in front.
    pub fn about(self, what: &str) -> Self {
        Self { cause: format!("{what}: {}", self.cause), ..self }
    }

    pub fn cause(&self) -> &str {
        &self.cause
    }

    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        self.advice.iter().try_for_each(|advice| write!(f, "; {advice}"))
    }
}

/// What something did that hangs and was left behind: a library, a disk, the resolver.
pub const UNFINISHED: &str = "did not end in time";
/// What to do about that.
pub const CHECK_THE_SYSTEM: &str = "check the disk and the system's log (dmesg)";
