//! The error answers of AWS, in every shape they come. Pure; decides nothing about what is done.

use super::xml::Element;
use crate::retry::Retry;

/// No code of AWS is longer, in bytes.
const MAX_CODE: usize = 64;

/// An error that AWS answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// The code, as in `AccessDenied`. This, not the message, is what decisions look at.
    pub code: String,
    /// The message; where there are several, joined with "; ".
    pub message: String,
    /// The kind of policy that the message blames, where it is about a permission.
    pub denied_by: Option<DeniedBy>,
}

/// Which policy denied a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeniedBy {
    /// The kind of policy.
    pub policy: Policy,
    /// Whether a statement of it denies the request. Otherwise, none allows it.
    pub explicit: bool,
}

/// The kinds of policy that may deny a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Of the user itself and its groups, or of the role.
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
    /// Reads the end of a message, `... with an explicit deny in a service control policy` or
    /// `... because no permissions boundary allows the sns:Publish action` (IAM user guide,
    /// "Troubleshoot access denied error messages").
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
    /// Reads the body of an answer whose status is not a success. An error that has no known shape
    /// is an `Err` with a phrase about the body.
    ///
    /// Shapes: `ErrorResponse/Error/{Code,Message}`; one level deeper, in `Errors`, as some
    /// emulators and the front ends of some services have it; and the old
    /// `InvalidChangeBatch/Messages/Message` of Route 53.
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
        // The advice of a message follows behind a semicolon.
        let message = error.text_of("Message").unwrap_or_default().trim_end_matches('.');
        let denied_by = DeniedBy::of(message);
        Ok(Self { status, code: code.into(), message: message.into(), denied_by })
    }

    /// Whether the service looked at the request and will not do it, so that a part of it, sent on
    /// its own, may fare better. Not so for who we are, for the zone, or for a bad moment.
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

    /// Whether the service will refuse the same request until a person changes something. What the
    /// clock, temporary credentials or a key's rate may be behind passes.
    pub fn is_final(&self) -> bool {
        self.is_rejection()
            && self.retry() == Retry::Never
            && !self.may_be_the_clock()
            && self.code != "KMSThrottling"
    }

    /// Whether the account's rate was exceeded.
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

    /// Whether, and when, the same request may fare better.
    pub fn retry(&self) -> Retry {
        if self.is_throttling() || self.code == "PriorRequestNotComplete" {
            Retry::Throttled
        } else if self.code == "RequestTimeout" {
            Retry::Transient
        } else {
            Retry::of_status(self.status)
        }
    }

    /// Whether a wrong clock may be behind it, whatever it says.
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

/// Whether a text has the form of AWS's codes, as in `InvalidChangeBatch` or `AWS.Some.Code`.
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
    fn every_shape_is_read() {
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
    fn what_is_no_error_of_aws_is_not_taken_for_one() {
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
    fn the_policy_that_denied_is_read_from_the_message() {
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
    fn a_refusal_is_about_the_request() {
        for (status, code, refusal) in [
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
            assert_eq!(fault.is_rejection(), refusal, "{code}");
        }
    }

    #[test]
    fn what_the_clock_or_new_credentials_end_is_not_final() {
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
    fn what_passes_is_tried_again() {
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
