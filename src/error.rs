//! The one error type: what happened, to what, and what to do. Shown, it is the part of a message
//! behind the program's name (or behind the record's); the cause stays in `source()`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::address::Reason;
use crate::aws::{self, route53::ZoneId};
use crate::record::{DnsName, Family};
use crate::transport::Failure;

/// An underlying error, kept for those who debug.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Everything that can keep a record from being brought up to date.
#[derive(Debug)]
pub enum Error {
    /// The command line is not understood.
    Usage(String),
    /// A configuration file cannot be read or says something impossible.
    Config {
        /// The file as it was named.
        file: PathBuf,
        /// The place (line and column, or the key) and what was expected there.
        problem: String,
        /// Why, where something else failed.
        source: Option<Cause>,
    },
    /// A variable of the environment names something that cannot be used.
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong, a phrase to follow the variable's name. Never quotes a secret.
        problem: String,
        /// Why, where something else failed.
        source: Option<Cause>,
    },
    /// There are no usable AWS credentials or settings.
    Credentials {
        /// What is wrong, with what, and what to do. Never quotes a secret.
        problem: String,
        /// Why, where something else failed.
        source: Option<Cause>,
    },
    /// The public address could not be learnt.
    Address {
        /// The family that was asked for.
        family: Family,
        /// Each source's reason, in the order asked.
        reasons: Vec<Reason>,
    },
    /// Two sources name different addresses, so none is written.
    Disagreement {
        /// Who was asked first, and what it said.
        first: (String, IpAddr),
        /// Who was asked second, and what it said.
        second: (String, IpAddr),
    },
    /// No second source confirms an address that may only be written if one does.
    Unconfirmed {
        /// Who named the address.
        first: (String, IpAddr),
        /// Why each of the others does not confirm it.
        reasons: Vec<Reason>,
    },
    /// A call to AWS failed, or may have.
    Aws {
        /// What was tried.
        action: aws::Action,
        /// What came instead.
        failure: Box<aws::Failure>,
    },
    /// Something hangs and was left behind: a library, a disk, the resolver.
    Unfinished {
        /// What was being done: a phrase such as "listing the records".
        what: String,
        /// What it did instead of ending well.
        how: &'static str,
    },
    /// The record does not exist, and cannot: its name is outside of its hosted zone.
    OutsideZone {
        /// The zone.
        zone: ZoneId,
        /// The zone's name.
        name: DnsName,
    },
    /// The record is not this program's to overwrite.
    Refused {
        /// What the record is.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
}

impl Error {
    /// `what` was being done when its time was over.
    pub const fn unfinished(what: String) -> Self {
        Self::Unfinished { what, how: "did not end in time" }
    }

    /// The failure to reach any server, if it is that this machine has no network at all.
    pub fn no_network(&self) -> Option<&Failure> {
        let failure = match self {
            Self::Aws { failure, .. } => match &failure.problem {
                aws::Problem::NoAnswer { cause, .. } => Some(cause),
                _ => None,
            },
            Self::Address { reasons, .. } => {
                reasons.iter().find_map(|reason| reason.source.as_ref()?.downcast_ref())
            }
            _ => None,
        };
        failure.filter(|failure| failure.is_no_network())
    }

    /// Whether what failed may have been done all the same, since only the answer was lost.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Aws { failure, .. } if failure.may_have_happened())
    }

    /// Whether AWS itself answered, and will answer the same until a person changes something. What
    /// anybody else answered, and what never reached AWS, is not final.
    pub fn is_final(&self) -> bool {
        !self.may_have_happened() && matches!(self, Self::Aws { failure, .. } if failure.is_final())
    }

    /// Whether AWS looked at what was asked and will not do it.
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Aws { failure, .. } if failure.is_rejection())
    }
}

/// A message's part before what to do, and what to do, if it says so: they are divided by the first
/// semicolon outside of quotes.
pub fn split_advice(message: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    for (at, character) in message.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ';' if !quoted => {
                let (what, advice) = message.split_at(at);
                return (what, Some(advice.trim_start_matches(';').trim_start()));
            }
            _ => {}
        }
    }
    (message, None)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) => write!(f, "{problem}; see autodns --help"),
            Self::Config { file, problem, .. } => write!(f, "{}: {problem}", file.display()),
            Self::Environment { variable, problem, .. } => write!(f, "{variable} {problem}"),
            Self::Credentials { problem, .. } => f.write_str(problem),
            Self::Address { family, reasons } => {
                write!(f, "could not learn the public {family} address")?;
                for (index, Reason { asked, problem, .. }) in reasons.iter().enumerate() {
                    let nor = if index == 0 { "" } else { "; nor" };
                    write!(f, "{nor} from {asked}: {problem}")?;
                }
                Ok(())
            }
            Self::Disagreement { first: (one, said), second: (other, objected) } => write!(
                f,
                "nothing was changed: {one} says that the address is {said}, but {other} says \
                 {objected}; check which is right"
            ),
            Self::Unconfirmed { first: (one, said), reasons } => {
                write!(
                    f,
                    "nothing was changed: {one} says that the address is {said}, and no other \
                     source confirms it"
                )?;
                for Reason { asked, problem, .. } in reasons {
                    write!(f, "; {asked}: {problem}")?;
                }
                Ok(())
            }
            Self::Aws { action, failure } => f.write_str(&failure.message(action)),
            Self::Unfinished { what, how } => {
                write!(f, "{what} {how}; check the disk and the system's log (dmesg)")
            }
            Self::OutsideZone { zone, name } => write!(
                f,
                "cannot be created: hosted zone {zone} is {name}, and the name is not inside it; \
                 check dns_name and hosted_zone_id"
            ),
            Self::Refused { why, advice } => write!(f, "not ours to overwrite: {why}; {advice}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config { source, .. }
            | Self::Environment { source, .. }
            | Self::Credentials { source, .. } => {
                source.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
            }
            Self::Aws { failure, .. } => Some(failure),
            Self::Address { reasons, .. } | Self::Unconfirmed { reasons, .. } => reasons
                .iter()
                .find_map(|reason| reason.source.as_deref())
                .map(|cause| cause as &(dyn std::error::Error + 'static)),
            Self::Usage(_)
            | Self::Disagreement { .. }
            | Self::Unfinished { .. }
            | Self::OutsideZone { .. }
            | Self::Refused { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_behind_the_semicolon() {
        for (message, what, advice) in [
            ("refused; check it; then run", "refused", Some("check it; then run")),
            ("it said \"a; b\"; check it", "it said \"a; b\"", Some("check it")),
            ("no advice", "no advice", None),
        ] {
            assert_eq!(split_advice(message), (what, advice));
        }
    }
}
