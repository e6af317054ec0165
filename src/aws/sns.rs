//! SNS, API version 2010-03-31: parses topic ARNs and responses, builds the publish request. Pure.

use std::fmt;

use super::endpoint::Partition;
use super::xml::Element;
use super::{ApiRequest, Service};
use crate::error::SetupError;
use crate::percent;

/// In bytes; `us-gov-east-1` has 13.
const MAX_REGION: usize = 32;
/// In characters. The limit of 100 in SNS is exclusive.
const MAX_SUBJECT: usize = 99;
/// In bytes, the limit of SNS.
const MAX_MESSAGE: usize = 262_144;

/// The ARN of a standard topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicArn {
    arn: String,
    partition: Partition,
    /// The region of the topic's endpoint and of its signatures.
    region: String,
}

impl TopicArn {
    /// Parses `arn:PARTITION:sns:REGION:ACCOUNT:NAME`. The error is a phrase that follows the key.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let shape = || {
            SetupError::new(
                "must be the ARN of an SNS topic, as in \
                 arn:aws:sns:eu-west-1:123456789012:my-topic",
            )
        };
        let fields: Vec<&str> = text.split(':').collect();
        let &["arn", partition, "sns", region, account, name] = fields.as_slice() else {
            return Err(shape());
        };
        let word = |text: &str, other: &[u8]| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || other.contains(&b))
        };
        if partition.starts_with("aws-iso") {
            return Err("is in one of AWS's isolated partitions, which autodns cannot reach".into());
        }
        let Some(partition) = Partition::parse(partition) else { return Err(shape()) };
        let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !digits || !word(region, b"-") || region.len() > MAX_REGION {
            return Err(shape());
        }
        if name.to_ascii_lowercase().ends_with(".fifo") {
            let cause = "is a FIFO topic, which cannot deliver to e-mail or SMS";
            return Err(SetupError::new(cause).advise("make a standard topic"));
        }
        if !word(name, b"-_") || name.len() > 256 {
            return Err(shape());
        }
        if Partition::of_region(region) != Ok(partition) {
            let cause = format!("names the region {region}, which is not in its partition");
            return Err(cause.into());
        }
        Ok(Self { arn: text.into(), partition, region: region.into() })
    }

    /// The partition of the topic, which applies to its whole configuration.
    pub const fn partition(&self) -> Partition {
        self.partition
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

/// The request that publishes a message to a topic. The subject is reduced to at most 99 characters
/// of printable ASCII without leading space; the message is cut at 262,144 bytes.
pub fn publish(topic: &TopicArn, subject: &str, message: &str) -> ApiRequest {
    let body = percent::query(&[
        ("Action", "Publish"),
        ("Version", "2010-03-31"),
        ("TopicArn", &topic.arn),
        ("Subject", &fit_subject(subject)),
        ("Message", fit_message(message)),
    ]);
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    ApiRequest::post(Service::Sns { region: topic.region.clone() }, "/".into(), form, body)
}

/// Parses the response to [`publish`]: the id of the message.
pub fn read_publish(response: &str) -> Result<String, String> {
    let root = Element::parse(response)?;
    root.child("PublishResult")
        .and_then(|result| result.word_of("MessageId", "-"))
        .filter(|_| root.name == "PublishResponse")
        .map(Into::into)
        .ok_or_else(|| "is XML, but not a PublishResponse".into())
}

fn fit_subject(subject: &str) -> String {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let mut fitted: String = subject.trim_start().chars().map(printable).collect();
    if fitted.len() > MAX_SUBJECT {
        fitted.truncate(MAX_SUBJECT - 3);
        fitted.push_str("...");
    }
    fitted
}

fn fit_message(message: &str) -> &str {
    &message[..message.floor_char_boundary(MAX_MESSAGE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:dyndns-status";

    #[test]
    fn topic_has_the_partition_and_region_of_its_arn() {
        for (arn, partition, region) in [
            (TOPIC, Partition::Aws, "eu-west-1"),
            ("arn:aws-cn:sns:cn-north-1:123456789012:t", Partition::China, "cn-north-1"),
            ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:t", Partition::Gov, "us-gov-west-1"),
            ("arn:aws-eusc:sns:eusc-de-east-1:123456789012:t", Partition::Eusc, "eusc-de-east-1"),
        ] {
            let topic = TopicArn::parse(arn).unwrap();
            assert_eq!((topic.partition(), topic.region.as_str()), (partition, region));
            assert_eq!(topic.to_string(), arn);
        }
    }

    #[test]
    fn text_that_is_not_a_topic_arn_is_rejected() {
        let shape =
            "must be the ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic";
        for (arn, problem) in [
            ("", shape),
            ("dyndns-status", shape),
            ("arn:aws:sqs:eu-west-1:123456789012:t", shape),
            ("arn:aws:sns:eu-west-1:1234:t", shape),
            ("arn:aws:sns::123456789012:t", shape),
            ("arn:aws:sns:eu-west-1:123456789012:", shape),
            ("arn:aws:sns:eu-west-1:123456789012:a b", shape),
            ("arn:aws:sns:eu-west-1:123456789012:t:0f3a", shape),
            ("arn:mars:sns:eu-west-1:123456789012:t", shape),
            (&format!("arn:aws:sns:{}:123456789012:t", "x".repeat(33)), shape),
            (
                "arn:aws-iso:sns:us-iso-east-1:123456789012:t",
                "is in one of AWS's isolated partitions, which autodns cannot reach",
            ),
            (
                "arn:aws:sns:cn-north-1:123456789012:t",
                "names the region cn-north-1, which is not in its partition",
            ),
            (
                "arn:aws:sns:eu-west-1:123456789012:t.fifo",
                "is a FIFO topic, which cannot deliver to e-mail or SMS; make a standard topic",
            ),
        ] {
            assert_eq!(TopicArn::parse(arn).unwrap_err().to_string(), problem, "{arn}");
        }
    }

    #[test]
    fn publish_request_is_a_form() {
        let request = publish(&TopicArn::parse(TOPIC).unwrap(), " home: ü\nx", "a b\n~*é");
        assert_eq!(request.service, Service::Sns { region: "eu-west-1".into() });
        assert_eq!(request.path_and_query, "/");
        assert_eq!(
            request.body,
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012\
             %3Adyndns-status&Subject=home%3A%20%3F%3Fx&Message=a%20b%0A~%2A%C3%A9"
        );
    }

    #[test]
    fn subject_and_message_are_cut_to_the_limits_of_sns() {
        assert_eq!(fit_subject(&"x".repeat(99)), "x".repeat(99));
        assert_eq!(fit_subject(&"x".repeat(100)), format!("{}...", "x".repeat(96)));
        let long = "é".repeat(MAX_MESSAGE);
        assert_eq!(fit_message(&long).len(), MAX_MESSAGE);
        assert_eq!(fit_message(&format!("x{long}")).len(), MAX_MESSAGE - 1);
    }

    #[test]
    fn response_to_a_publish_has_the_message_id() {
        let whole = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
                     <PublishResult><MessageId>m1</MessageId></PublishResult></PublishResponse>";
        assert_eq!(read_publish(whole), Ok("m1".into()));
        for response in ["<a/>", &whole.replace("m1", ""), &whole.replace("m1", "m\n1")] {
            assert_eq!(read_publish(response), Err("is XML, but not a PublishResponse".into()));
        }
    }
}
