//! What a call was to do, why it brought no good answer, and what to do about that, in the words of
//! a message. Sends nothing and decides nothing.

use std::fmt;

use super::endpoint::Partition;
use super::fault::Fault;
use super::route53::ZoneId;
use super::sns::TopicArn;
use crate::error::{Cause, Error};
use crate::transport;

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

    /// The IAM action and resource that allow it.
    fn permission(&self) -> String {
        let zone = |action, partition: &Partition, zone| {
            format!("route53:{action} on arn:{}:route53:::hostedzone/{zone}", partition.as_str())
        };
        match self {
            Self::List(partition, id) => zone("ListResourceRecordSets", partition, id),
            Self::Change(partition, id) => zone("ChangeResourceRecordSets", partition, id),
            Self::Publish(topic) => format!("sns:Publish on {topic}"),
        }
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
pub enum Failure {
    /// There was no answer.
    NoAnswer {
        /// The host that was called, with the port if the endpoint has one.
        host: String,
        /// What happened instead.
        cause: transport::Failure,
    },
    /// AWS answered with an error; its message is fit to be shown.
    Fault(Fault),
    /// The answer could not be understood.
    Unreadable {
        /// The host that was called, with the port if the endpoint has one.
        host: String,
        /// The HTTP status.
        status: u16,
        /// A phrase about the answer.
        problem: String,
    },
    /// The call could not be made: a phrase, and what to do.
    Impossible(String, Option<Cause>),
}

impl Failure {
    /// Whether a call that changes something may have done so all the same.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        match self {
            Self::NoAnswer { cause, .. } => cause.may_have_arrived(),
            Self::Fault(fault) => fault.status >= 500,
            Self::Unreadable { status, .. } => *status < 300 || *status >= 500,
            Self::Impossible(..) => false,
        }
    }

    /// The message about `action`, which this failure kept from being done: what failed, the
    /// cause, and what to do.
    #[must_use]
    pub fn message(&self, action: &Action) -> String {
        let may_have_happened = self.may_have_happened() && !matches!(action, Action::List(..));
        format!("{}: {self}; {}", action.not_done(may_have_happened), self.advice(action))
    }

    fn advice(&self, action: &Action) -> String {
        match self {
            Self::NoAnswer { cause, .. } => cause.advice().into(),
            Self::Fault(fault) => advice_on(fault, action),
            Self::Unreadable { status: 500.., .. } => "the next run tries again".into(),
            Self::Unreadable { .. } => "check who answers there: it is not AWS".into(),
            Self::Impossible(..) => "nothing was sent".into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { host, cause } => write!(f, "{host}: {cause}"),
            Self::Fault(Fault { code, message, .. }) if message.is_empty() => f.write_str(code),
            Self::Fault(Fault { code, message, .. }) => write!(f, "{code}: {message}"),
            Self::Unreadable { host, status, problem } => {
                write!(f, "{host} answered {status}, and the answer {problem}")
            }
            Self::Impossible(problem, _) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoAnswer { cause, .. } => Some(cause),
            Self::Impossible(_, cause) => {
                cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
            }
            Self::Fault(_) | Self::Unreadable { .. } => None,
        }
    }
}

fn advice_on(fault: &Fault, action: &Action) -> String {
    if fault.is_about_the_clock() {
        return "this machine's clock is wrong; set it (timedatectl shows it)".into();
    }
    match fault.code.as_str() {
        "AccessDenied" | "AuthorizationError" => {
            format!("allow {} to this user", action.permission())
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
        _ if fault.status >= 500
            || fault.is_throttling()
            || fault.code == "PriorRequestNotComplete" =>
        {
            "the next run tries again".into()
        }
        _ => "see the AWS documentation for this code".into(),
    }
}
