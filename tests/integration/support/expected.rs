//! The messages that many tests expect: the address could not be read, the records could not be
//! listed or changed, the alert could not be sent. The tests compare each message whole.

use super::fake_aws::Operation;
use super::http::Family;

/// The subject of an alert.
pub const ALERT_SUBJECT: &str = "autodns: home.example.com is not up to date (raspberrypi)";

/// The subject of a recovery message.
pub const RECOVERY_SUBJECT: &str = "autodns: home.example.com is up to date again (raspberrypi)";

/// The line on stderr when the usual reflector fails, up to the cause.
pub fn address_failed(family: Family) -> String {
    let (record, family) = match family {
        Family::V4 => ("A", "IPv4"),
        Family::V6 => ("AAAA", "IPv6"),
    };
    format!(
        "autodns: home.example.com {record}: could not get the public {family} address from \
         {{reflector}}/reflect/v1: "
    )
}

/// The line on stderr when the usual reflector answers `out of order`.
pub fn out_of_order(family: Family) -> String {
    address_failed(family)
        + "it answered 12 bytes of text, not an address; check the reflector, and the key in \
           reflect_url if it has one\n"
}

/// The line on stderr when the list fails, up to the cause.
pub const LIST_FAILED: &str =
    "autodns: home.example.com A: could not list the records of hosted zone {zone}: ";

/// The line on stderr when the change fails, up to the cause.
pub const CHANGE_FAILED: &str =
    "autodns: home.example.com A: could not make the change in hosted zone {zone}: ";

/// The line on stderr when the outcome of a change is unknown, up to the cause.
pub const UNCONFIRMED: &str = "autodns: home.example.com A: could not confirm the change in \
                               hosted zone {zone}: ";

/// The line on stderr when the alert could not be sent, up to the cause.
pub const PUBLISH_FAILED: &str =
    "autodns: home.example.com: the alert: could not publish to {topic}: ";

/// The whole stderr when the A record is an alias.
pub const IS_AN_ALIAS: &str = "autodns: home.example.com A: not overwritten: it is an alias; \
                               make it a simple record with one value, or use another name\n";

/// The whole line on stderr when no identity-based policy allows this action of Route 53.
pub fn denied(operation: Operation) -> String {
    let (beginning, action) = match operation {
        Operation::List => (LIST_FAILED, "ListResourceRecordSets"),
        Operation::Change => (CHANGE_FAILED, "ChangeResourceRecordSets"),
        Operation::Publish => panic!("Publish is an action of SNS"),
    };
    format!(
        "{beginning}AccessDenied: User: arn:aws:iam::123456789012:user/pi is not authorized to \
         perform: route53:{action} on resource: arn:aws:route53:::hostedzone/{{zone}} because no \
         identity-based policy allows the route53:{action} action; {REPLACE_POLICY}"
    )
}

/// The advice when the user's policy allows too little, up to the end of the line.
pub const REPLACE_POLICY: &str = "replace the policy of this IAM user by what this command prints: \
                                  sudo {program} policy {home}/autodns.json\n";

/// The cause when the CA `issuer` is not trusted, up to the end of the line.
pub fn untrusted_server(issuer: &str) -> String {
    format!(
        "the server's certificate is not trusted: it is issued by \"{issuer}\", which is not a \
         trusted root; check who answers there, or add a CA of your own to the file that \
         AWS_CA_BUNDLE names\n"
    )
}

/// The whole stderr of an IPv4 run that trusts neither the reflector nor AWS.
pub fn nothing_trusted(issuer: &str) -> String {
    let why = untrusted_server(issuer);
    format!(
        "{}{why}{LIST_FAILED}{{aws}}: {why}{PUBLISH_FAILED}{{aws}}: {why}",
        address_failed(Family::V4)
    )
}
