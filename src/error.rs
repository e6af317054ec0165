//! The error of a run that could not start: the command line, the configuration, the environment or
//! the credentials cannot be used. Rooms that send something have their own error types.

use std::fmt;

/// Never quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError {
    cause: String,
    advice: Option<String>,
}

impl SetupError {
    pub fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), advice: None }
    }

    /// An environment variable; `problem` is a phrase that follows its name.
    pub fn variable(name: &str, problem: &str) -> Self {
        Self::new(format!("{name} {problem}"))
    }

    pub fn usage(cause: impl Into<String>) -> Self {
        Self::new(cause).advise("see autodns --help")
    }

    /// `what` did not end in time: a phrase such as "reading FILE".
    pub fn unfinished(what: &str) -> Self {
        Self::new(format!("{what} {UNFINISHED}")).advise(CHECK_THE_SYSTEM)
    }

    /// Sets the advice: one imperative sentence.
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Puts the name of the file or setting before the cause.
    pub fn about(self, what: &str) -> Self {
        self.prefixed(&format!("{what}: "))
    }

    /// Puts `text` before the cause.
    pub fn prefixed(self, text: &str) -> Self {
        Self { cause: format!("{text}{}", self.cause), ..self }
    }

    pub fn cause(&self) -> &str {
        &self.cause
    }

    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

/// A cause without advice.
impl<T: Into<String>> From<T> for SetupError {
    fn from(cause: T) -> Self {
        Self::new(cause)
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        self.advice.iter().try_for_each(|advice| write!(f, "; {advice}"))
    }
}

/// The phrase about work that hung and was left behind.
pub const UNFINISHED: &str = "did not end in time";
/// The advice for work that hung.
pub const CHECK_THE_SYSTEM: &str = "check the disk and the system's log (dmesg)";
