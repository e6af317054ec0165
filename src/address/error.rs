//! The errors of finding the public address: that of a look-up, and that of one source.

use std::fmt;
use std::net::IpAddr;

use crate::error::CHECK_THE_SYSTEM;
use crate::record::Family;
use crate::retry::{Retry, RetryAfter};

/// Why the public address of a family is unknown or must not be written.
#[derive(Debug)]
pub struct Error {
    /// What failed.
    pub what: String,
    /// Empty if `what` includes it.
    pub cause: String,
    /// One imperative sentence.
    pub advice: String,
    pub is_no_network: bool,
}

impl Error {
    /// `sources` named no address, all for this reason.
    pub(super) fn not_found(family: Family, sources: &str, error: SourceError) -> Self {
        let what = format!("could not get the public {family} address from {sources}");
        let SourceError { cause, advice, is_no_network, .. } = error;
        Self { what, cause, advice, is_no_network }
    }

    /// Two sources named different addresses.
    pub(super) fn disagreement(first: &(String, IpAddr), second: &(String, IpAddr)) -> Self {
        let cause = format!("{}, but {} says {}", claim(first), second.0, second.1);
        Self::unchanged(cause, "check which is right".into())
    }

    /// The configuration requires a confirmation, and `others` did not confirm the address, all for
    /// this reason.
    pub(super) fn unconfirmed(first: &(String, IpAddr), others: &str, error: SourceError) -> Self {
        let SourceError { cause, advice, .. } = error;
        let cause = format!("{}, and it is not confirmed by {others}: {cause}", claim(first));
        Self::unchanged(cause, advice)
    }

    /// The look-up hung or ended without a result; `how` is a phrase that says which.
    pub fn unfinished(family: Family, how: &str) -> Self {
        let what = format!("asking for the public {family} address {how}");
        let advice = CHECK_THE_SYSTEM.into();
        Self { what, cause: String::new(), advice, is_no_network: false }
    }

    fn unchanged(cause: String, advice: String) -> Self {
        Self { what: "nothing was changed".into(), cause, advice, is_no_network: false }
    }
}

fn claim((source, address): &(String, IpAddr)) -> String {
    format!("{source} says that the address is {address}")
}

/// Why one source named no address that may be published. `Display` writes cause and advice.
#[derive(Clone, Debug)]
pub struct SourceError {
    /// A phrase that follows the name of the source.
    pub cause: String,
    pub advice: String,
    pub retry: Retry,
    pub retry_after: Option<RetryAfter>,
    /// The address that the source named, if it may not be published.
    pub rejected: Option<IpAddr>,
    pub is_no_network: bool,
    /// Whether this machine has no route to any source of the family.
    pub is_no_route: bool,
}

impl SourceError {
    /// An error that a retry cannot help.
    pub(super) fn never(cause: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            advice: advice.into(),
            retry: Retry::Never,
            retry_after: None,
            rejected: None,
            is_no_network: false,
            is_no_route: false,
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause, self.advice)
    }
}
