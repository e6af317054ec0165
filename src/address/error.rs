//! The error of finding the public address, with the cause and advice of each source.

use std::net::IpAddr;

use super::reflector::Unanswered;
use crate::record::Family;

/// Why the public address of a family is unknown or must not be written.
#[derive(Debug)]
pub enum Error {
    /// No source named an address.
    NotFound {
        family: Family,
        /// In the order of the sources.
        causes: Vec<SourceError>,
    },
    /// Two sources named different addresses.
    Disagreement {
        /// A source and its address.
        first: (String, IpAddr),
        second: (String, IpAddr),
    },
    /// The configuration requires a confirmation, and no second source confirmed the address.
    Unconfirmed {
        first: (String, IpAddr),
        /// Why each other source did not confirm it.
        causes: Vec<SourceError>,
    },
    /// The look-up hung or ended without a result.
    Unfinished { family: Family, how: &'static str },
}

/// Why one source named no address.
#[derive(Debug)]
pub struct SourceError {
    /// The name of the source: a URL without its query string, an interface, or the command.
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
            // At least one source named an address.
            Self::Disagreement { .. } | Self::Unconfirmed { .. } | Self::Unfinished { .. } => false,
        }
    }

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

    /// The cause. With several sources, each cause is followed by its advice, except the last one,
    /// whose advice is [`Error::advice`].
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

/// The causes of several sources in one line, each after its name from `named`. The advice of the
/// last source is left out.
fn joined(causes: &[SourceError], named: impl Fn(usize, &str) -> String) -> String {
    let told = |(index, SourceError { asked, unanswered }): (usize, &SourceError)| {
        let is_last = index + 1 == causes.len();
        let cause = if is_last { unanswered.cause.clone() } else { unanswered.to_string() };
        named(index, asked) + &cause
    };
    causes.iter().enumerate().map(told).collect::<Vec<_>>().join("; ")
}
