//! Parses the error responses of AWS in all their shapes. Pure; does not act on them.

use super::xml::Element;
use crate::retry::Retry;

/// In bytes; every error code of AWS is shorter.
const MAX_CODE: usize = 64;

/// An error response of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    /// As in `AccessDenied`. Decisions depend on the code, not on the message.
    pub code: String,
    /// Several messages are joined with "; ".
    pub message: String,
    /// The kind of policy that denied the request, if the message names one.
    pub denied_by: Option<DeniedBy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeniedBy {
    pub policy: Policy,
    /// Whether a statement denies the request. Otherwise no statement allows it.
    pub explicit: bool,
}

/// The kinds of policy that can deny a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Of the user and its groups, or of the role.
    Identity,
    /// The limit of what the user's own policies can allow.
    Boundary,
    /// The limit that an organization sets for its accounts' users.
    ServiceControl,
    /// The limit that an organization sets for access to its accounts' resources.
    ResourceControl,
    /// Of temporary credentials.
    Session,
    /// Of the topic.
    Resource,
    /// Of the VPC endpoint that the request went through.
    Endpoint,
}

impl DeniedBy {
    /// Parses the end of a message: `... with an explicit deny in a service control policy` or
    /// `... because no permissions boundary allows the sns:Publish action`. Source: IAM user guide,
    /// "Troubleshoot access denied error messages".
    fn of(message: &str) -> Option<Self> {
        const KINDS: [(&str, Policy); 7] = [
            ("identity-based policy", Policy::Identity),
            ("permissions boundary", Policy::Boundary),
            ("service control policy", Policy::ServiceControl),
            ("resource control policy", Policy::ResourceControl),
            ("session policy", Policy::Session),
            ("resource-based policy", Policy::Resource),
            ("VPC endpoint policy", Policy::Endpoint),
        ];
        let behind = |start| message.rsplit_once(start).map(|(_, end)| end);
        let (end, explicit) = match behind("explicit deny in a") {
            Some(end) => (end.strip_prefix('n').unwrap_or(end).trim_start(), true),
            None => (behind("because no ")?, false),
        };
        let (_, policy) = KINDS.into_iter().find(|(kind, _)| end.starts_with(kind))?;
        Some(Self { policy, explicit })
    }
}

impl Fault {
    /// Parses the body of a response without a success status. `Err` is a phrase about a body of
    /// unknown shape.
    ///
    /// Shapes: `ErrorResponse/Error/{Code,Message}`; the same one level deeper in `Errors`, from
    /// some emulators and service front ends; and Route 53's old
    /// `InvalidChangeBatch/Messages/Message`.
    pub fn parse(status: u16, body: &str) -> Result<Self, &'static str> {
        let root = Element::parse(body)?;
        if root.name == "InvalidChangeBatch" {
            let messages = root.child("Messages").map_or(&[][..], |m| &m.children);
            let texts: Vec<&str> = messages.iter().map(|m| m.text.as_str()).collect();
            let message = texts.join("; ");
            return Ok(Self { status, code: root.name, message, denied_by: None });
        }
        let error = match root.name.as_str() {
            "Error" => Some(&root),
            _ => root.child("Error").or_else(|| root.child("Errors")?.child("Error")),
        };
        let code = error.and_then(|error| error.text_of("Code")).filter(|code| is_code(code));
        let (Some(error), Some(code)) = (error, code) else {
            return Err("is XML, but not an error of AWS");
        };
        // autodns adds "; " and its advice after the message.
        let message = error.text_of("Message").unwrap_or_default().trim_end_matches('.');
        let denied_by = DeniedBy::of(message);
        Ok(Self { status, code: code.into(), message: message.into(), denied_by })
    }

    /// Whether AWS rejected the content of the request, so that a part of the request, sent
    /// separately, may succeed. False for errors about the credentials, the zone or the moment.
    pub fn is_rejection(&self) -> bool {
        let about_us_or_now = matches!(
            self.code.as_str(),
            "ExpiredToken"
                | "InvalidClientTokenId"
                | "NoSuchHostedZone"
                | "PriorRequestNotComplete"
                | "RequestExpired"
                | "SignatureDoesNotMatch"
        );
        self.status < 500 && self.retry() == Retry::Never && !about_us_or_now
    }

    /// Whether AWS will reject the same request until a person changes something. False if the
    /// cause may pass: a wrong clock, expired temporary credentials, the request rate of a KMS key.
    pub fn is_final(&self) -> bool {
        self.is_rejection() && !self.may_be_the_clock()
    }

    /// Whether the account exceeded its request rate.
    pub fn is_throttling(&self) -> bool {
        matches!(
            self.code.as_str(),
            "Throttling"
                | "ThrottlingException"
                | "RequestThrottled"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "SlowDown"
                | "KMSThrottling"
        )
    }

    pub fn retry(&self) -> Retry {
        if self.is_throttling() || self.code == "PriorRequestNotComplete" {
            Retry::Throttled
        } else if self.code == "RequestTimeout" {
            Retry::Transient
        } else {
            Retry::of_status(self.status)
        }
    }

    /// Whether a wrong clock may be the cause, even if the message does not say so.
    pub fn may_be_the_clock(&self) -> bool {
        matches!(
            self.code.as_str(),
            "SignatureDoesNotMatch"
                | "InvalidSignatureException"
                | "AuthFailure"
                | "RequestTimeTooSkewed"
                | "RequestExpired"
                | "AccessDeniedException"
        )
    }

    /// Whether the message says that the signature's time is outside AWS's window of 5 minutes.
    pub fn is_about_the_clock(&self) -> bool {
        matches!(self.code.as_str(), "RequestTimeTooSkewed" | "RequestExpired")
            || (matches!(self.code.as_str(), "SignatureDoesNotMatch" | "InvalidSignatureException")
                && (self.message.contains("Signature expired")
                    || self.message.contains("Signature not yet current")))
    }
}

/// Whether `text` has the form of an AWS error code: `InvalidChangeBatch` or `AWS.Some.Code`.
fn is_code(text: &str) -> bool {
    (1..=MAX_CODE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, code: &str, message: &str) -> Fault {
        Fault { status, code: code.into(), message: message.into(), denied_by: None }
    }

    #[test]
    fn error_response_of_each_shape_is_parsed() {
        for (body, code, message) in [
            (
                "<?xml version=\"1.0\"?>\n<ErrorResponse \
                 xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type>\
                 <Code>InvalidChangeBatch</Code><Message>[one, two]</Message></Error>\
                 <RequestId>b1</RequestId></ErrorResponse>",
                "InvalidChangeBatch",
                "[one, two]",
            ),
            (
                "<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
                 <Messages><Message>one</Message><Message>two</Message></Messages>\
                 <RequestId>b1</RequestId></InvalidChangeBatch>",
                "InvalidChangeBatch",
                "one; two",
            ),
            (
                "<ErrorResponse><Errors><Error><Code>SignatureDoesNotMatch</Code>\
                 <Message>The request</Message></Error></Errors></ErrorResponse>",
                "SignatureDoesNotMatch",
                "The request",
            ),
            ("<Error><Code>SlowDown</Code></Error>", "SlowDown", ""),
        ] {
            assert_eq!(Fault::parse(400, body), Ok(fault(400, code, message)));
        }
    }

    #[test]
    fn body_of_another_server_is_not_an_aws_error() {
        for (body, problem) in [
            ("<html><body>Bad gateway</body></html>", "is XML, but not an error of AWS"),
            ("<ErrorResponse/>", "is XML, but not an error of AWS"),
            (
                "<ErrorResponse><Error><Code/></Error></ErrorResponse>",
                "is XML, but not an error of AWS",
            ),
            ("<Error><Code>no code of AWS</Code></Error>", "is XML, but not an error of AWS"),
            ("", "is empty"),
        ] {
            assert_eq!(Fault::parse(502, body), Err(problem), "{body}");
        }
        let long = format!("<Error><Code>{}</Code></Error>", "x".repeat(65));
        assert!(Fault::parse(400, &long).is_err());
    }

    #[test]
    fn policy_that_denied_is_parsed_from_the_message() {
        use Policy::{
            Boundary, Endpoint, Identity, Resource, ResourceControl, ServiceControl, Session,
        };
        let user = "User: arn:aws:iam::123456789012:user/pi is not authorized to perform: \
                    sns:Publish on resource: arn:aws:sns:eu-west-1:123456789012:t";
        for (end, policy, explicit) in [
            ("because no identity-based policy allows the sns:Publish action", Identity, false),
            ("with an explicit deny in an identity-based policy", Identity, true),
            ("because no permissions boundary allows the sns:Publish action", Boundary, false),
            ("with an explicit deny in a permissions boundary", Boundary, true),
            (
                "with an explicit deny in a service control policy: \
                 arn:aws:organizations::123456789012:policy/o-1/service_control_policy/p-1",
                ServiceControl,
                true,
            ),
            ("because no service control policy allows the x action", ServiceControl, false),
            ("with an explicit deny in a resource control policy", ResourceControl, true),
            ("because no session policy allows the sns:Publish action", Session, false),
            ("because no resource-based policy allows the sns:Publish action", Resource, false),
            ("with an explicit deny in a VPC endpoint policy", Endpoint, true),
        ] {
            let found = DeniedBy::of(&format!("{user} {end}"));
            assert_eq!(found, Some(DeniedBy { policy, explicit }), "{end}");
        }
        for message in ["", user, "with an explicit deny in a new kind of policy", "because no"] {
            assert_eq!(DeniedBy::of(message), None, "{message}");
        }
    }

    #[test]
    fn rejection_is_an_error_about_the_content() {
        for (status, code, is_rejection) in [
            (400, "InvalidChangeBatch", true),
            (400, "InvalidInput", true),
            (403, "AccessDenied", true),
            (404, "NoSuchHostedZone", false),
            (403, "SignatureDoesNotMatch", false),
            (403, "InvalidClientTokenId", false),
            (403, "ExpiredToken", false),
            (400, "Throttling", false),
            (400, "PriorRequestNotComplete", false),
            (503, "ServiceUnavailable", false),
        ] {
            let fault = fault(status, code, "");
            assert_eq!(fault.is_rejection(), is_rejection, "{code}");
        }
    }

    #[test]
    fn error_that_may_pass_is_not_final() {
        for (status, code, is_final) in [
            (403, "AuthorizationError", true),
            (404, "NotFound", true),
            (400, "InvalidParameter", true),
            (400, "KMSDisabled", true),
            (400, "KMSThrottling", false),
            (403, "SignatureDoesNotMatch", false),
            (403, "RequestExpired", false),
            (403, "ExpiredToken", false),
            (403, "InvalidClientTokenId", false),
            (400, "Throttling", false),
            (429, "Whatever", false),
            (400, "RequestTimeout", false),
            (500, "InternalError", false),
            (501, "NotImplemented", false),
        ] {
            assert_eq!(fault(status, code, "").is_final(), is_final, "{code}");
        }
    }

    #[test]
    fn retry_follows_the_code_and_the_status() {
        use Retry::{Never, Throttled, Transient};
        for (status, code, expected) in [
            (400, "Throttling", Throttled),
            (400, "ThrottlingException", Throttled),
            (400, "RequestThrottled", Throttled),
            (400, "TooManyRequestsException", Throttled),
            (400, "RequestLimitExceeded", Throttled),
            (503, "SlowDown", Throttled),
            (400, "KMSThrottling", Throttled),
            (400, "PriorRequestNotComplete", Throttled),
            (429, "Whatever", Throttled),
            (400, "RequestTimeout", Transient),
            (500, "InternalError", Transient),
            (502, "x", Transient),
            (503, "ServiceUnavailable", Transient),
            (504, "x", Transient),
            (501, "x", Never),
            (400, "InvalidChangeBatch", Never),
            (403, "AccessDenied", Never),
            (404, "NoSuchHostedZone", Never),
        ] {
            assert_eq!(fault(status, code, "").retry(), expected, "{status} {code}");
        }
    }
}
