//! Why there is no address to publish, with each source's cause and advice. Asks nobody.

use std::net::IpAddr;

use super::reflector::Unanswered;
use crate::record::Family;

/// Why the public address of a family is unknown, or must not be written.
#[derive(Debug)]
pub enum Error {
    /// No source named one.
    NotFound {
        family: Family,
        /// Each source's cause, in the order asked.
        causes: Vec<SourceError>,
    },
    /// Two sources name different addresses.
    Disagreement {
        /// Who was asked first, and what it said.
        first: (String, IpAddr),
        second: (String, IpAddr),
    },
    /// No second source confirms an address that may only be written if one does.
    Unconfirmed {
        first: (String, IpAddr),
        /// Why each of the others does not confirm it.
        causes: Vec<SourceError>,
    },
    /// The look-up hangs, or ended without a result.
    Unfinished { family: Family, how: &'static str },
}

/// Why one source named no address.
#[derive(Debug)]
pub struct SourceError {
    /// Who was asked: a URL without its query string, or an interface.
    pub asked: String,
    pub unanswered: Unanswered,
}

impl Error {
    /// Whether this machine has no network at all.
    pub fn is_no_network(&self) -> bool {
        match self {
            Self::NotFound { causes, .. } => {
                causes.iter().any(|cause| cause.unanswered.is_no_network)
            }
            // A source has answered.
            Self::Disagreement { .. } | Self::Unconfirmed { .. } | Self::Unfinished { .. } => false,
        }
    }

    /// What failed.
    pub fn what(&self) -> String {
        match self {
            Self::NotFound { family, causes } => {
                let first = causes.first().map_or("nobody", |cause| cause.asked.as_str());
                format!("could not get the public {family} address from {first}")
            }
            Self::Disagreement { .. } | Self::Unconfirmed { .. } => "nothing was changed".into(),
            Self::Unfinished { family, how } => {
                format!("asking for the public {family} address {how}")
            }
        }
    }

    /// Why it failed: of several sources each one's cause, and behind it what to do about it. The
    /// advice of the last one is [`Error::advice`].
    pub fn cause(&self) -> String {
        let claim =
            |(who, said): &(String, IpAddr)| format!("{who} says that the address is {said}");
        match self {
            // `what` names the first one.
            Self::NotFound { causes, .. } => joined(causes, |index, asked| match index {
                0 => String::new(),
                _ => format!("nor from {asked}: "),
            }),
            Self::Disagreement { first, second: (other, objected) } => {
                format!("{}, but {other} says {objected}", claim(first))
            }
            Self::Unconfirmed { first, causes } => {
                let claim = claim(first);
                let causes = joined(causes, |_, asked| format!("{asked}: "));
                format!("{claim}, and no other source confirms it; {causes}")
            }
            Self::Unfinished { .. } => String::new(),
        }
    }

    pub fn advice(&self) -> String {
        match self {
            Self::NotFound { causes, .. } | Self::Unconfirmed { causes, .. } => {
                causes.last().map(|cause| cause.unanswered.advice.clone()).unwrap_or_default()
            }
            Self::Disagreement { .. } => "check which is right".into(),
            Self::Unfinished { .. } => crate::error::CHECK_THE_SYSTEM.into(),
        }
    }
}

/// The causes of several sources in one line, each behind how it is `named`, without the last one's
/// advice.
fn joined(causes: &[SourceError], named: impl Fn(usize, &str) -> String) -> String {
    let told = |(index, SourceError { asked, unanswered }): (usize, &SourceError)| {
        let is_last = index + 1 == causes.len();
        let cause = if is_last { unanswered.cause.clone() } else { unanswered.to_string() };
        named(index, asked) + &cause
    };
    causes.iter().enumerate().map(told).collect::<Vec<_>>().join("; ")
}
