//! The error of a request to AWS: the action, the cause, whether the outcome is unknown, and the
//! advice. Sends nothing and decides nothing.

use std::fmt;

use super::fault::{DeniedBy, Fault, Policy};
use super::route53::ZoneId;
use super::skew::Skew;
use super::sns::TopicArn;
use super::xml::TOO_MANY_ELEMENTS;
use crate::clock::SET_CLOCK;
use crate::retry::{Retry, RetryAfter};
use crate::transport;

/// "Network Authentication Required": only captive portals respond with it (RFC 6585).
const PORTAL: u16 = 511;

/// What advice needs to know about the sender of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The command that prints the policy for this configuration, ready to paste.
    pub policy_command: String,
    /// Where the access key was found, as a phrase.
    pub key_source: String,
}

impl Caller {
    /// Adds that the environment wins, because the user may have meant a key in a file.
    fn key_source(&self) -> String {
        let source = &self.key_source;
        if source.starts_with("the environment") {
            format!("{source}, which wins over every file")
        } else {
            source.clone()
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    List(Caller, ZoneId),
    Change(Caller, ZoneId),
    Publish(Caller, TopicArn),
}

impl Action {
    fn caller(&self) -> &Caller {
        let (Self::List(caller, _) | Self::Change(caller, _) | Self::Publish(caller, _)) = self;
        caller
    }
}

/// A request to AWS that failed, or whose outcome is unknown.
#[derive(Debug)]
pub struct Error {
    action: Box<Action>,
    /// Why the last attempt failed.
    cause: Box<Cause>,
    /// Whether AWS may have carried out the last attempt or an earlier one.
    outcome_unknown: bool,
    /// The delay before the next attempt that AWS asked for.
    retry_after: Option<RetryAfter>,
}

impl Error {
    pub(super) fn new(
        action: Action,
        cause: Cause,
        unknown_before: bool,
        retry_after: Option<RetryAfter>,
    ) -> Self {
        let outcome_unknown = unknown_before || cause.outcome_unknown();
        Self { action: Box::new(action), cause: Box::new(cause), outcome_unknown, retry_after }
    }

    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Whether AWS may have carried out the request although no success was received.
    pub const fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Whether AWS rejected the content of the request.
    pub fn is_rejection(&self) -> bool {
        matches!(&*self.cause, Cause::Fault(fault) if fault.is_rejection())
    }

    /// Whether AWS itself rejected the request and will reject it until a person changes something.
    /// A response from another server is not final, and neither is a request that never arrived.
    pub fn is_final(&self) -> bool {
        !self.outcome_unknown && matches!(&*self.cause, Cause::Fault(fault) if fault.is_final())
    }

    /// Whether this machine has no network at all.
    pub fn is_no_network(&self) -> bool {
        matches!(&*self.cause, Cause::NoResponse { error, .. } if error.is_no_network())
    }

    /// Whether the response was too large, so that a smaller page may succeed.
    pub fn is_too_large(&self) -> bool {
        match &*self.cause {
            Cause::NoResponse { error, .. } => error.is_too_large(),
            Cause::Unreadable { problem, .. } => problem == TOO_MANY_ELEMENTS,
            _ => false,
        }
    }

    pub fn retry(&self) -> Retry {
        self.cause.retry()
    }

    pub const fn retry_after(&self) -> Option<RetryAfter> {
        self.retry_after
    }

    /// What failed, or "could not confirm" for a write with an unknown outcome.
    pub fn what(&self) -> String {
        match (&*self.action, self.outcome_unknown) {
            (Action::List(_, zone), _) => {
                format!("could not list the records of hosted zone {zone}")
            }
            (Action::Change(_, zone), false) => {
                format!("could not make the change in hosted zone {zone}")
            }
            (Action::Change(_, zone), true) => {
                format!("could not confirm the change in hosted zone {zone}")
            }
            (Action::Publish(_, topic), false) => format!("could not publish to {topic}"),
            (Action::Publish(_, topic), true) => {
                format!("could not confirm the message to {topic}")
            }
        }
    }

    pub fn advice(&self) -> String {
        self.cause.advice(self.action.caller())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.what(), self.cause, self.advice())
    }
}

/// Why one attempt at a request failed.
#[derive(Debug)]
pub enum Cause {
    /// There was no response.
    NoResponse {
        /// With the port, if the endpoint has one.
        host: String,
        error: transport::Error,
    },
    /// AWS responded with an error. Its code and message are quoted and without secrets.
    Fault(Fault),
    /// AWS rejected the time of the signature. The skew is from the `Date` of the response.
    Clock(Fault, Skew),
    /// The response could not be parsed.
    Unreadable {
        /// With the port, if the endpoint has one.
        host: String,
        status: u16,
        /// A phrase about the response.
        problem: String,
    },
    /// The clock is beyond the year 9999, the last one that a signature can have.
    BeyondCalendar,
    /// The request could not be built. A phrase says why.
    Impossible(String),
}

impl Cause {
    /// Whether AWS may have carried out the request.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::NoResponse { error, .. } => error.may_have_arrived(),
            Self::Fault(fault) | Self::Clock(fault, _) => fault.status >= 500,
            Self::Unreadable { status: PORTAL, .. }
            | Self::BeyondCalendar
            | Self::Impossible(_) => false,
            Self::Unreadable { status, .. } => *status < 300 || *status >= 500,
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::NoResponse { error, .. } => error.retry(),
            Self::Fault(fault) | Self::Clock(fault, _) => fault.retry(),
            Self::Unreadable { status, .. } => Retry::of_status(*status),
            Self::BeyondCalendar | Self::Impossible(_) => Retry::Never,
        }
    }

    /// Whether a wrong clock may be the cause.
    pub(super) fn may_be_the_clock(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.may_be_the_clock())
    }

    /// Adds the `skew` if AWS rejected the time of the signature.
    pub(super) fn with_skew(self, skew: Skew) -> Self {
        match self {
            Self::Fault(fault) if fault.is_about_the_clock() => Self::Clock(fault, skew),
            other => other,
        }
    }

    fn advice(&self, caller: &Caller) -> String {
        match self {
            Self::NoResponse { error, .. } => error.advice().into(),
            Self::Fault(fault) => advice_on(fault, caller),
            Self::Clock(_, skew) if skew.is_large() => SET_CLOCK.into(),
            Self::Clock(..) => {
                "check what delays requests on their way (a proxy, a slow connection)".into()
            }
            Self::Unreadable { status: PORTAL, .. } => {
                "sign in to this network with a browser".into()
            }
            Self::Unreadable { status, .. } if Retry::of_status(*status) != Retry::Never => {
                "wait for the next run, which tries again".into()
            }
            Self::Unreadable { .. } => "check who answers there: it is not AWS".into(),
            Self::BeyondCalendar => SET_CLOCK.into(),
            Self::Impossible(_) => "check the endpoint and the access key".into(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResponse { host, error } => write!(f, "{host}: {error}"),
            Self::Fault(Fault { code, message, .. }) if message.is_empty() => f.write_str(code),
            Self::Fault(Fault { code, message, .. }) => write!(f, "{code}: {message}"),
            Self::Clock(Fault { code, message, .. }, skew) if skew.is_large() => {
                write!(f, "{code}: {message}, and this machine's clock is {skew}")
            }
            Self::Clock(Fault { code, message, .. }, _) => {
                write!(f, "{code}: {message}, although this machine's clock is right")
            }
            Self::Unreadable { host, status, problem } => {
                write!(f, "{host} answered {status}, and the response {problem}")
            }
            Self::BeyondCalendar => f.write_str("this machine's clock is beyond the year 9999"),
            Self::Impossible(problem) => f.write_str(problem),
        }
    }
}

fn advice_on(fault: &Fault, caller: &Caller) -> String {
    if fault.is_about_the_clock() {
        return "check this machine's clock (timedatectl shows it): the response does not show \
                AWS's time"
            .into();
    }
    if fault.is_throttling() {
        return "wait for the next run: this AWS account makes too many requests at once".into();
    }
    if fault.status >= 500 || fault.retry() != Retry::Never {
        return "wait for the next run, which tries again".into();
    }
    let key_source = || caller.key_source();
    match fault.code.as_str() {
        "AccessDenied" | "AuthorizationError" => advice_on_denial(fault.denied_by, caller),
        "InvalidClientTokenId" => {
            format!("check the access key id from {}, and that the key is active", key_source())
        }
        "SignatureDoesNotMatch" if fault.message.contains("Credential should be scoped") => {
            "check AWS_REGION and the endpoint, which belongs to another region".into()
        }
        "SignatureDoesNotMatch" => format!("check the secret access key from {}", key_source()),
        "ExpiredToken" => {
            format!("put new temporary credentials into {}", key_source())
        }
        "NoSuchHostedZone" => {
            "check hosted_zone_id, and that the credentials are of the account of that zone".into()
        }
        "NotFound" | "InvalidParameter" => "check topic_arn and its region".into(),
        "InvalidChangeBatch" | "InvalidInput" => {
            "check dns_name, its zone, and the zone's other records of that name".into()
        }
        "KMSAccessDenied" => "allow this IAM user kms:GenerateDataKey* and kms:Decrypt in the \
                              policy of the topic's KMS key"
            .into(),
        "KMSDisabled" => "enable the KMS key of the topic".into(),
        "KMSInvalidState" => {
            "cancel the deletion of the topic's KMS key or complete its import, or give the topic \
             another key"
                .into()
        }
        "KMSNotFound" => "give the topic a KMS key that exists".into(),
        "KMSOptInRequired" => "activate KMS for the AWS account of the topic".into(),
        _ => "see the AWS documentation for this code".into(),
    }
}

/// Advice by the kind of policy that denied the request: only the owner of that policy can help,
/// because the policy of the user cannot override it.
fn advice_on_denial(denied_by: Option<DeniedBy>, caller: &Caller) -> String {
    let what_is_needed = format!("what this command prints: {}", caller.policy_command);
    match denied_by.map(|by| (by.policy, by.explicit)) {
        None | Some((Policy::Identity, false)) => {
            format!("replace the policy of this IAM user by {what_is_needed}")
        }
        Some((Policy::Identity, true)) => {
            "ask the administrator of the AWS account to exempt this IAM user from the Deny in its \
             own or its groups' policies: no Allow overrides it"
                .into()
        }
        Some((Policy::Boundary, _)) => format!(
            "ask the administrator of the AWS account for a permissions boundary of this IAM user \
             that allows {what_is_needed}"
        ),
        Some((Policy::ServiceControl, _)) => {
            "ask the administrator of the AWS organization to change its service control policy: \
             the policy of an IAM user cannot override it"
                .into()
        }
        Some((Policy::ResourceControl, _)) => {
            "ask the administrator of the AWS organization to change its resource control policy: \
             the policy of an IAM user cannot override it"
                .into()
        }
        Some((Policy::Session, _)) => format!(
            "ask whoever issues these temporary credentials for a session policy that allows \
             {what_is_needed}"
        ),
        Some((Policy::Resource, _)) => {
            "ask the owner of the topic to allow this IAM user sns:Publish in the topic's access \
             policy"
                .into()
        }
        Some((Policy::Endpoint, _)) => {
            "ask the administrator of the VPC endpoint to allow this in the endpoint's policy: the \
             policy of an IAM user cannot override it"
                .into()
        }
    }
}
