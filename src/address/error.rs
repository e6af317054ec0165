//! The error of finding the public address, with the cause and advice of each source.

use std::fmt;
use std::net::IpAddr;

use crate::record::Family;
use crate::retry::{Retry, RetryAfter};

/// Why the public address of a family is unknown or must not be written.
#[derive(Debug)]
pub enum Error {
    /// No source named an address.
    NotFound {
        family: Family,
        /// Each source by its name, in the order of the list.
        causes: Vec<(String, SourceError)>,
    },
    Disagreement {
        /// A source and its address.
        first: (String, IpAddr),
        second: (String, IpAddr),
    },
    /// The configuration requires a confirmation, and no second source confirmed the address.
    Unconfirmed {
        first: (String, IpAddr),
        /// Why each other source did not confirm it.
        causes: Vec<(String, SourceError)>,
    },
    /// The look-up hung or ended without a result.
    Unfinished { family: Family, how: &'static str },
}

/// Why one source named no address that may be published. `Display` writes the cause and the advice.
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

impl Error {
    pub fn is_no_network(&self) -> bool {
        match self {
            Self::NotFound { causes, .. } => causes.iter().any(|(_, error)| error.is_no_network),
            // At least one source named an address.
            Self::Disagreement { .. } | Self::Unconfirmed { .. } | Self::Unfinished { .. } => false,
        }
    }

    pub fn what(&self) -> String {
        match self {
            Self::NotFound { family, causes } => {
                let first = causes.first().map_or("nobody", |(source, _)| source.as_str());
                format!("could not get the public {family} address from {first}")
            }
            Self::Disagreement { .. } | Self::Unconfirmed { .. } => "nothing was changed".into(),
            Self::Unfinished { family, how } => {
                format!("asking for the public {family} address {how}")
            }
        }
    }

    /// The cause. With several sources, each cause is followed by its advice, except the last one,
    /// whose advice is [`Error::advice`].
    pub fn cause(&self) -> String {
        let claim =
            |(who, said): &(String, IpAddr)| format!("{who} says that the address is {said}");
        match self {
            // `what` names the first one.
            Self::NotFound { causes, .. } => joined(causes, |index, source| match index {
                0 => String::new(),
                _ => format!("nor from {source}: "),
            }),
            Self::Disagreement { first, second: (other, objected) } => {
                format!("{}, but {other} says {objected}", claim(first))
            }
            Self::Unconfirmed { first, causes } => {
                let claim = claim(first);
                let causes = joined(causes, |_, source| format!("{source}: "));
                format!("{claim}, and no other source confirms it; {causes}")
            }
            Self::Unfinished { .. } => String::new(),
        }
    }

    pub fn advice(&self) -> String {
        match self {
            Self::NotFound { causes, .. } | Self::Unconfirmed { causes, .. } => {
                causes.last().map(|(_, error)| error.advice.clone()).unwrap_or_default()
            }
            Self::Disagreement { .. } => "check which is right".into(),
            Self::Unfinished { .. } => crate::error::CHECK_THE_SYSTEM.into(),
        }
    }
}

/// The causes of several sources in one line, each after its name from `named`. The advice of the
/// last source is left out.
fn joined(causes: &[(String, SourceError)], named: impl Fn(usize, &str) -> String) -> String {
    let told = |(index, (source, error)): (usize, &(String, SourceError))| {
        let is_last = index + 1 == causes.len();
        let cause = if is_last { error.cause.clone() } else { error.to_string() };
        named(index, source) + &cause
    };
    causes.iter().enumerate().map(told).collect::<Vec<_>>().join("; ")
}
