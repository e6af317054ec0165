//! A fake SNS: topics, their messages, and the rejections of Publish with AWS's error codes.
//! `fake_aws.rs` has checked the signature before.

use std::collections::BTreeMap;

use super::http::{Request, Response};
use super::text::{pairs, xml_escape};

pub const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// A message that a topic accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub topic: String,
    pub subject: String,
    pub message: String,
}

#[derive(Debug, Default)]
pub struct FakeSns {
    /// The ARN and the messages of each topic.
    pub topics: BTreeMap<String, Vec<Published>>,
    /// What was wrong with each invalid request. Each entry fails the test.
    pub violations: Vec<String>,
}

impl FakeSns {
    /// The region that must be in the signature of a request for this ARN.
    pub fn region_of(arn: &str) -> Option<&str> {
        arn.split(':').nth(3)
    }

    /// The ARN of the topic in the body of a request, if there is one.
    pub fn topic_of(request: &Request) -> Option<String> {
        pairs(&request.body_text(), true)?
            .into_iter()
            .find(|(name, _)| name == "TopicArn")
            .map(|(_, value)| value)
    }

    pub fn publish(&mut self, request: &Request) -> Response {
        let kind = request.header("content-type").unwrap_or("");
        if !kind.starts_with("application/x-www-form-urlencoded") {
            self.violations.push(format!("Publish with Content-Type {kind:?}"));
        }
        let Some(form) = pairs(&request.body_text(), true) else {
            return error("Sender", 400, "MalformedQueryString", "The body is not a form");
        };
        let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
        if names != ["Action", "Version", "TopicArn", "Subject", "Message"] {
            self.violations.push(format!("Publish with {names:?}"));
        }
        let value = |key: &str| {
            form.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value.as_str())
        };
        if (value("Action"), value("Version")) != ("Publish", "2010-03-31") {
            return error("Sender", 400, "InvalidAction", "The action is not valid");
        }
        let (topic, subject, message) = (value("TopicArn"), value("Subject"), value("Message"));
        let printable = subject.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if subject.is_empty() || subject.len() > 99 || !printable || subject.starts_with(' ') {
            self.violations.push(format!("Publish with subject {subject:?}"));
            return error("Sender", 400, "InvalidParameter", "Invalid parameter: Subject");
        }
        if message.is_empty() || message.len() > 262_144 {
            self.violations.push(format!("Publish with a message of {} bytes", message.len()));
            return error("Sender", 400, "InvalidParameter", "Invalid parameter: Message too long");
        }
        let Some(messages) = self.topics.get_mut(topic) else {
            return error("Sender", 404, "NotFound", "Topic does not exist");
        };
        messages.push(Published {
            topic: topic.to_owned(),
            subject: subject.to_owned(),
            message: message.to_owned(),
        });
        xml(
            200,
            &format!(
                "<PublishResponse xmlns=\"{NAMESPACE}\"><PublishResult>\
                 <MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId></PublishResult>\
                 <ResponseMetadata><RequestId>0a1b2c3d-0000-4000-8000-000000000054</RequestId>\
                 </ResponseMetadata></PublishResponse>"
            ),
        )
    }
}

/// An error response. `kind` is `Sender` or `Receiver`.
pub fn error(kind: &str, status: u16, code: &str, message: &str) -> Response {
    let message = xml_escape(message);
    xml(
        status,
        &format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error>\
             <RequestId>0a1b2c3d-0000-4000-8000-000000000054</RequestId></ErrorResponse>"
        ),
    )
}

fn xml(status: u16, body: &str) -> Response {
    Response::new(status, "text/xml", body.to_owned())
        .with("x-amzn-RequestId", "0a1b2c3d-0000-4000-8000-000000000054")
}
