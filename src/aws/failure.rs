//! What a call was to do, why it brought no good answer, and what to do about that, in the words of
//! a message. Sends nothing and decides nothing.

use std::fmt;

use super::endpoint::Partition;
use super::fault::Fault;
use super::route53::ZoneId;
use super::skew::Skew;
use super::sns::TopicArn;
use crate::error::{Cause, Error};
use crate::retry::Again;
use crate::transport;

/// "Network Authentication Required": a captive portal's answer, and no server's (RFC 6585).
const PORTAL: u16 = 511;

/// What a call was to do, in the words of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// List the record sets of a name.
    List(Partition, ZoneId),
    /// Change record sets.
    Change(Partition, ZoneId),
    /// Publish to a topic.
    Publish(TopicArn),
}

impl Action {
    pub(super) fn failed(self, failure: Failure) -> Error {
        Error::Aws { action: self, failure: Box::new(failure) }
    }

    /// The statement of an IAM policy that allows it, as JSON on one line.
    fn statement(&self) -> String {
        let zone = |partition: &Partition, zone| {
            format!("arn:{}:route53:::hostedzone/{zone}", partition.as_str())
        };
        let (action, resource) = match self {
            Self::List(partition, id) => ("route53:ListResourceRecordSets", zone(partition, id)),
            Self::Change(partition, id) => {
                ("route53:ChangeResourceRecordSets", zone(partition, id))
            }
            Self::Publish(topic) => ("sns:Publish", topic.to_string()),
        };
        format!("{{\"Effect\": \"Allow\", \"Action\": \"{action}\", \"Resource\": \"{resource}\"}}")
    }

    /// The beginning of a message about the action's failure. After a write whose answer was lost
    /// nobody knows that it failed.
    fn not_done(&self, may_have_happened: bool) -> String {
        match (self, may_have_happened) {
            (Self::List(_, zone), _) => format!("could not list the records of hosted zone {zone}"),
            (Self::Change(_, zone), false) => {
                format!("could not change the record in hosted zone {zone}")
            }
            (Self::Change(_, zone), true) => {
                format!("could not confirm the change of the record in hosted zone {zone}")
            }
            (Self::Publish(topic), false) => format!("could not publish to {topic}"),
            (Self::Publish(topic), true) => format!("could not confirm the message to {topic}"),
        }
    }
}

/// Why a call brought no good answer.
#[derive(Debug)]
pub struct Failure {
    /// Why the last attempt brought none.
    pub problem: Problem,
    /// Whether an attempt before it may have been carried out.
    pub maybe_before: bool,
}

impl Failure {
    /// Whether AWS looked at what was asked and will not do it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.problem.is_refusal()
    }

    /// Whether AWS itself answered, and will answer the same until a person changes something.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(&self.problem, Problem::Fault(fault) if fault.is_final())
    }

    /// Whether what was to be done may have been done all the same.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        self.maybe_before || self.problem.may_have_happened()
    }

    /// The message about `action`, which this failure kept from being done: what failed, the
    /// cause, and what to do.
    #[must_use]
    pub fn message(&self, action: &Action) -> String {
        let maybe = self.may_have_happened();
        let Self { problem, .. } = self;
        format!("{}: {problem}; {}", action.not_done(maybe), problem.advice(action))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.problem)
    }
}

/// Why one attempt at a call brought no good answer.
#[derive(Debug)]
pub enum Problem {
    /// There was no answer.
    NoAnswer {
        /// The host that was called, with the port if the endpoint has one.
        host: String,
        /// What happened instead.
        cause: transport::Failure,
    },
    /// AWS answered with an error; its message is fit to be shown.
    Fault(Fault),
    /// AWS refuses signatures of the time that this machine's clock shows.
    Clock(Fault, Skew),
    /// The answer could not be understood.
    Unreadable {
        /// The host that was called, with the port if the endpoint has one.
        host: String,
        /// The HTTP status.
        status: u16,
        /// A phrase about the answer.
        problem: String,
    },
    /// This machine's clock shows a time that no signature can have.
    BeyondCalendar,
    /// The call could not be made: a phrase, and what to do.
    Impossible(String, Option<Cause>),
}

impl Problem {
    /// Whether AWS looked at what was asked and rejected it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_refusal())
    }

    /// Whether a call that changes something may have done so all the same.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        match self {
            Self::NoAnswer { cause, .. } => cause.may_have_arrived(),
            Self::Fault(fault) | Self::Clock(fault, _) => fault.status >= 500,
            Self::Unreadable { status: PORTAL, .. }
            | Self::BeyondCalendar
            | Self::Impossible(..) => false,
            Self::Unreadable { status, .. } => *status < 300 || *status >= 500,
        }
    }

    /// Whether, and when, the same call may fare better.
    #[must_use]
    pub fn again(&self) -> Again {
        match self {
            Self::NoAnswer { cause, .. } => cause.again(),
            Self::Fault(fault) | Self::Clock(fault, _) => fault.again(),
            Self::Unreadable { status, .. } => Again::of_status(*status),
            Self::BeyondCalendar | Self::Impossible(..) => Again::No,
        }
    }

    /// Whether a wrong clock may be behind it.
    pub(super) fn may_be_the_clock(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.may_be_the_clock())
    }

    /// The same, put down to the clock if that is what AWS says.
    pub(super) fn of_the_clock(self, skew: Skew) -> Self {
        match self {
            Self::Fault(fault) if fault.is_about_the_clock() => Self::Clock(fault, skew),
            other => other,
        }
    }

    fn advice(&self, action: &Action) -> String {
        match self {
            Self::NoAnswer { cause, .. } => cause.advice().into(),
            Self::Fault(fault) => advice_on(fault, action),
            Self::Clock(_, skew) => {
                format!("this machine's clock is {skew}; set it (timedatectl shows it)")
            }
            Self::Unreadable { status: PORTAL, .. } => {
                "this network wants you to sign in before it lets anything through".into()
            }
            Self::Unreadable { status, .. } if Again::of_status(*status) != Again::No => {
                "the next run tries again".into()
            }
            Self::Unreadable { .. } => "check who answers there: it is not AWS".into(),
            Self::BeyondCalendar => "set it (timedatectl shows it)".into(),
            Self::Impossible(..) => "nothing was sent".into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { host, cause } => write!(f, "{host}: {cause}"),
            Self::Fault(Fault { code, message, .. })
            | Self::Clock(Fault { code, message, .. }, _) => {
                f.write_str(code)?;
                if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
            }
            Self::Unreadable { host, status, problem } => {
                write!(f, "{host} answered {status}, and the answer {problem}")
            }
            Self::BeyondCalendar => f.write_str("this machine's clock is beyond the year 9999"),
            Self::Impossible(problem, _) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoAnswer { cause, .. } => Some(cause),
            Self::Impossible(_, cause) => {
                cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
            }
            Self::Fault(_) | Self::Clock(..) | Self::Unreadable { .. } | Self::BeyondCalendar => {
                None
            }
        }
    }
}

fn advice_on(fault: &Fault, action: &Action) -> String {
    if fault.is_about_the_clock() {
        return "this machine's clock is wrong; set it (timedatectl shows it)".into();
    }
    match fault.code.as_str() {
        "AccessDenied" | "AuthorizationError" => {
            format!("add to this user's policy (see autodns policy): {}", action.statement())
        }
        "InvalidClientTokenId" => "check the access key id, and that the key is active".into(),
        "SignatureDoesNotMatch" if fault.message.contains("Credential should be scoped") => {
            "check AWS_REGION and the endpoint: another region signs there".into()
        }
        "SignatureDoesNotMatch" => "check the secret access key".into(),
        "ExpiredToken" => "fetch new temporary credentials".into(),
        "NoSuchHostedZone" => "check hosted_zone_id, and whose account the credentials are".into(),
        "NotFound" | "InvalidParameter" => "check topic_arn, its region included".into(),
        "InvalidChangeBatch" | "InvalidInput" => {
            "check dns_name, its zone, and the zone's other records of that name".into()
        }
        "KMSAccessDenied" | "KMSDisabled" | "KMSThrottling" => {
            "check the KMS key of the topic".into()
        }
        _ if fault.is_throttling() => {
            "too many requests of this account at once; the next run tries again".into()
        }
        _ if fault.status >= 500 || fault.again() != Again::No => "the next run tries again".into(),
        _ => "see the AWS documentation for this code".into(),
    }
}
